package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// bulk returns the contents of a bulk reply.
func bulk(t testing.TB, reply string) string {
	t.Helper()
	if !strings.HasPrefix(reply, "$") || strings.HasPrefix(reply, "$-1") {
		t.Fatalf("not a bulk string: %.100q", reply)
	}
	at := strings.Index(reply, "\r\n")
	return reply[at+2 : len(reply)-2]
}

func TestRestoreRepliesAreRedis(t *testing.T) {
	p := newPair(t, 2)
	p.same("SET k value")
	payload := bulk(t, p.theirs.do("DUMP", "k"))
	p.theirs.do("RPUSH", "list", "a")
	p.theirs.do("DEL", "list")
	for _, line := range []string{
		"DUMP none", "RESTORE k 0 P", "RESTORE k x P", "RESTORE k -1 bad", "RESTORE n x P", "RESTORE n -1 P", "RESTORE n 0 bad",
		"RESTORE n 0 0123456789abc", "RESTORE n 0 BADVALUE", "RESTORE n 0 P BOGUS", "RESTORE n 0 P IDLETIME", "RESTORE n 0 P IDLETIME x",
		"RESTORE n 0 P IDLETIME -1", "RESTORE n 0 P FREQ 256", "RESTORE n 0 P FREQ -1", "RESTORE n 0 P FREQ 1 IDLETIME 1",
		"RESTORE n 0 P IDLETIME 1 FREQ 1", "RESTORE n 0 P FREQ", "GET n",
		"RESTORE n 0 P IDLETIME 5", "GET n", "TTL n", "RESTORE n 0 P", "RESTORE n 0 P REPLACE FREQ 5", "RESTORE n 100000 P REPLACE", "PERSIST n",
		"RESTORE n 1 P ABSTTL", "RESTORE n 1 P ABSTTL REPLACE", "EXISTS n", "RESTORE n 99999999999999 P ABSTTL", "PEXPIRETIME n", "GET n",
		"RESTORE n 0 P REPLACE", "TTL n", "HSET h f v", "RESTORE h 0 P", "RESTORE h 0 P REPLACE", "HGET h f", "GET h", "RESTORE-ASKING a 0 P", "GET a",
	} {
		args := wordsOf(t, line)
		for i, a := range args {
			switch a {
			case "P":
				args[i] = payload
			case "BADVALUE": // the checksum is right: a string longer than the payload
				args[i] = "\x00\x3f\x61\x0a\x00\x14\x8f\x85\xee\x22\x66\x6c\xc2"
			}
		}
		p.sameArgs(args...)
	}
}

// Values of every size and layout that one server dumps, the other restores; both
// then say the same, digests included.
func TestDumpsTravel(t *testing.T) {
	p := newPair(t, 2)
	rng := rand.New(rand.NewPCG(11, 12))
	for i := range 60 {
		var args []string
		if rng.IntN(3) == 0 {
			args = []string{"SET", "k", []string{fmt.Sprint(rng.Int64() >> rng.IntN(60)), strings.Repeat("s", rng.IntN(40000))}[rng.IntN(2)]}
		} else {
			args = []string{"HSET", "k"}
			for range 1 + rng.IntN([]int{3, 100, 700}[rng.IntN(3)]) {
				args = append(args, fmt.Sprint("f", rng.IntN(2000)), strings.Repeat("v", rng.IntN(90)))
			}
		}
		p.sameArgs("DEL", "k")
		p.sameArgs("DEL", "n")
		p.sameArgs(args...)
		if rng.IntN(2) == 0 {
			p.same("PEXPIREAT k 99999999999999")
		}
		ours, theirs := bulk(t, p.ours("DUMP", "k")), bulk(t, p.theirs.do("DUMP", "k"))
		if got := p.theirs.do("RESTORE", "n", "0", ours); got != "+OK\r\n" {
			t.Fatalf("value %d: their RESTORE: %q", i, got)
		}
		if got := p.ours("RESTORE", "n", "0", theirs); got != "+OK\r\n" {
			t.Fatalf("value %d: our RESTORE: %q", i, got)
		}
		p.same("OBJECT ENCODING n")
		p.same("DEBUG DIGEST-VALUE k n none")
		p.same("DEBUG DIGEST")
		if t.Failed() {
			return
		}
	}
}

func TestKeysOfMigrate(t *testing.T) {
	p := newPair(t, 2)
	for _, line := range []string{
		`MIGRATE h 1 k 0 1`, `MIGRATE h 1 "" 0 1 KEYS a b`, `MIGRATE h 1 "" 0 1 AUTH keys KEYS a b`, `MIGRATE h 1 "" 0 1 COPY keys a`,
	} {
		p.same("COMMAND GETKEYS " + line)
	}
}

func TestHashAndRestoreRowsAreRedis(t *testing.T) {
	sameRows(t, append(append(hashCommands(), dumpCommands()...), migrateCommands()...))
}
