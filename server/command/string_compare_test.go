package command

import (
	"strings"
	"testing"

	"cobble/storage"
)

// What Redis 8.4 and Valkey 9 document. The digest of "Hello world" is that of the
// documentation.
const comparedStrings = `
	SET k a => +OK
	SET k b IFNE a => $-1
	SET k b IFNE x => +OK
	SET k c IFNE b GET => $1 b
	SET k c IFNE x GET => $1 b
	SET new a IFNE x => +OK
	SET new2 a IFDNE 0000000000000000 => +OK
	SET new3 a IFDEQ 0000000000000000 => $-1
	SET k Hello => +OK
	APPEND k _world => :11
	SETRANGE k 5 _ => :11
	DIGEST none => $-1
	DIGEST l => $-1
	SET e '' => +OK
	DIGEST e => $16 2d06800538d394c2
	SET k 1 IFDEQ 2D06800538d394c2 => $-1
	SET e 1 IFDNE 2D06800538d394c2 => $-1
	SET e 1 IFDEQ 2D06800538d394c2 EX 100 => +OK
	TTL e => :100
	SET e 2 IFDEQ 123 => -ERR must be exactly 16 hexadecimal characters
	SET e 2 IFDEQ => -ERR syntax error
	SET e 2 IFDEQ 2d06800538d394c2 IFEQ 1 => -ERR syntax error
	SET e 2 XX IFNE 1 => -ERR syntax error
	SET e 2 IFNE 1 NX => -ERR syntax error
	RPUSH l a => :1
	DIGEST l => -WRONGTYPE Operation against a key holding the wrong kind of value
	SET l 1 IFNE a => -WRONGTYPE Operation against a key holding the wrong kind of value
	DELIFEQ l a => -WRONGTYPE Operation against a key holding the wrong kind of value
	DELEX l IFEQ a => -WRONGTYPE Operation against a key holding the wrong kind of value
	DELEX l IFNE a => -WRONGTYPE Operation against a key holding the wrong kind of value
	DELEX l => :1
	DELEX l => :0
	DELEX none IFNE a => :0
	DELEX none IFDNE 2d06800538d394c2 => :0
	SET n 12 => +OK
	DELEX n IFEQ 13 => :0
	DELEX n IFNE 12 => :0
	DELEX n NX => -ERR wrong number of arguments for 'delex' command
	DELEX n NX 12 => -ERR syntax error
	DELEX n IFEQ 12 => :1
	EXISTS n => :0
	SET n 12 => +OK
	DELEX n IFDEQ 2d06800538d394c2 => :0
	DELEX n IFDNE 2d06800538d394c2 => :1
	DELIFEQ n 12 => :0
	SET n 12 => +OK
	DELIFEQ n 012 => :0
	DELIFEQ n 12 => :1
	EXISTS n => :0
	MSETEX 2 a 1 b 2 => :1
	MGET a b => *2 $1 1 $1 2
	MSETEX 2 a 3 c 4 NX => :0
	MSETEX 2 a 3 c 4 XX => :0
	MGET a c => *2 $1 1 $-1
	MSETEX 2 c 4 c 5 NX EX 100 => :1
	MGET a c => *2 $1 1 $1 5
	TTL c => :100
	MSETEX 2 a 6 c 7 XX KEEPTTL => :1
	TTL c => :100
	TTL a => :-1
	MSETEX 1 c 7 PX 50000 => :1
	TTL c => :50
	MSETEX 1 c 7 => :1
	TTL c => :-1
	MSETEX 2 a 6 c 7 EXAT 1 => :1
	EXISTS a c => :0
	MSETEX 0 a 6 => -ERR invalid numkeys value
	MSETEX x a 6 => -ERR invalid numkeys value
	MSETEX -1 a 6 => -ERR invalid numkeys value
	MSETEX 2 a 6 c => -ERR wrong number of key-value pairs
	MSETEX 9223372036854775807 a 6 => -ERR invalid numkeys value
	MSETEX 1 a 6 IFEQ 4 => -ERR syntax error
	MSETEX 1 a 6 GET => -ERR syntax error
	MSETEX 1 a 6 EX 0 => -ERR invalid expire time in 'msetex' command
	MSETEX 1 EX 6 EX 10 => :1
	TTL EX => :10
	COMMAND GETKEYS MSETEX 2 a 1 b 2 NX => *2 $1 a $1 b
`

// sameReplies runs lines "COMMAND => reply", with blanks for the ends of lines within the reply.
func sameReplies(t *testing.T, do func(...string) string, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		command, want, is := strings.Cut(strings.TrimSpace(line), " => ")
		if !is {
			continue
		}
		args := strings.Fields(command)
		for i := range args {
			if args[i] == "''" {
				args[i] = ""
			}
		}
		got := strings.TrimSuffix(do(args...), "\r\n")
		if got = strings.ReplaceAll(got, "\r\n", " "); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", command, got, want)
		}
	}
}

func TestComparedStrings(t *testing.T) {
	_, do := newRunner(t)
	sameReplies(t, do, comparedStrings)
	if got := string(digestOf([]byte("Hello world"))); got != "b6acb9d84a38ff74" {
		t.Error(got)
	}
}

// MSETEX of keys in two slots is refused by a cluster, and tells of each key.
func TestComparedStringsEvents(t *testing.T) {
	c, do := newRunner(t)
	var got []string
	c.Env.Engine.OnEvents(func(_ storage.LSN, events []storage.Event) {
		for _, e := range events {
			got = append(got, e.Name+":"+string(e.Key))
		}
	})
	c.Env.Engine.SetEvents(1<<16 - 1)
	for line := range strings.Lines(`
		SET k EX => new:k set:k
		SET k v IFEQ EX => set:k
		SET k w IFEQ x =>
		SET k w IFEQ v PX 100000 => set:k expire:k
		DELIFEQ k x =>
		DELIFEQ k w => del:k
		MSETEX 2 {k}a 1 {k}b 2 => new:{k}a set:{k}a new:{k}b set:{k}b
		MSETEX 1 {k}EX 1 => new:{k}EX set:{k}EX
		MSETEX 2 {k}a 1 {k}b 2 NX EX 10 =>
		MSETEX 1 {k}a 1 EX 10 => set:{k}a expire:{k}a
		DELEX {k}a IFNE 1 =>
		DELEX {k}a IFEQ 1 => del:{k}a
		DELEX {k}b => del:{k}b
		DIGEST none => keymiss:none`) {
		command, want, is := strings.Cut(strings.TrimSpace(line), " =>")
		if !is {
			continue
		}
		got = nil
		do(strings.Fields(command)...)
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}
