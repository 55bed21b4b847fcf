package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// readAll feeds input in pieces whose sizes cut returns and prints every command and the error.
func readAll(limits Limits, input []byte, cut func() int) (log []string, commands [][][]byte) {
	return readAhead(limits, input, cut, 0)
}

// readAhead does so with so many commands read ahead, and takes in more bytes while
// some of them are waiting.
func readAhead(limits Limits, input []byte, cut func() int, ahead int) (log []string, commands [][][]byte) {
	r := &Reader{Limits: limits}
	for {
		if ahead > 0 && r.Ahead(ahead) > 1 && len(input) > 0 {
			n := copy(r.Space(), input[:min(cut(), len(input))])
			r.Filled(n)
			input = input[n:]
		}
		args, err := r.Next()
		if err != nil {
			return append(log, err.Error()), commands
		}
		if args != nil {
			log = append(log, fmt.Sprintf("%q", args))
			kept := make([][]byte, len(args))
			for i := range args {
				kept[i] = bytes.Clone(args[i])
			}
			commands = append(commands, kept)
			continue
		}
		if len(input) == 0 {
			return append(log, fmt.Sprint("left ", r.Buffered())), commands
		}
		n := copy(r.Space(), input[:min(cut(), len(input))])
		r.Filled(n)
		input = input[n:]
	}
}

func whole() int { return 1 << 30 }

func TestReader(t *testing.T) {
	authed, strict := Limits{Bulk: 512 << 20}, Limits{Bulk: 512 << 20, Strict: true}
	long := strings.Repeat("x", MaxLine+1)
	for _, try := range []struct {
		limits      Limits
		input, want string
	}{
		{authed, "*1\r\n$4\r\nPING\r\n", `["PING"] left 0`},
		{authed, "PING\r\n", `["PING"] left 0`},
		{authed, "\r\n\nset k \"\\x41 b\"\nx", `["set" "k" "A b"] left 1`},
		{authed, "*0\r\n*-1\r\n*-100\r\n*2\r\n$0\r\n\r\n$3\r\na\r\n\r\n", `["" "a\r\n"] left 0`},
		{authed, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3\r\nGE", `["GET" "k"] left 10`},
		{authed, "*1\r\n$4\r\nPINGxy", `["PING"] left 0`}, // as Redis: what stands behind an argument is skipped
		{authed, "*1\r\n$-2\r\nPI", "Protocol error: invalid bulk length"},
		{authed, "*1\r\n$+4\r\nPING\r\n", "Protocol error: invalid bulk length"},
		{authed, "*1\r\n$04\r\nPING\r\n", "Protocol error: invalid bulk length"},
		{authed, "*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"},
		{authed, "*1\r\n$99999999999999999999\r\n", "Protocol error: invalid bulk length"},
		{authed, "*1\r\n$536870912\r\n", "left 16"},
		{authed, "*2147483648\r\n", "Protocol error: invalid multibulk length"},
		{authed, "*2147483647\r\n", "left 13"},
		{authed, "*1048577\r\n", "left 10"}, // the limit of Redis before 7.0
		{authed, "*x\r\n", "Protocol error: invalid multibulk length"},
		{authed, "*1\r\nPING\r\n", "Protocol error: expected '$', got 'P'"},
		{authed, "*1\r\n:4\r\n", "Protocol error: expected '$', got ':'"},
		{authed, "set k \"a\r\n", "Protocol error: unbalanced quotes in request"},
		{authed, long, "Protocol error: too big inline request"},
		{authed, long + "\n", "Protocol error: too big inline request"},
		{authed, "*" + long, "Protocol error: too big mbulk count string"},
		{authed, "*1\r\n$" + long, "Protocol error: too big bulk count string"},
		{strict, "*10\r\n", "left 5"},
		{strict, "*11\r\n", "Protocol error: unauthenticated multibulk length"},
		{strict, "*2147483647\r\n", "Protocol error: unauthenticated multibulk length"},
		{strict, "*2147483648\r\n", "Protocol error: invalid multibulk length"},
		{strict, "*1\r\n$16384\r\n", "left 12"},
		{strict, "*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
	} {
		for _, size := range []int{1, 2, 7, 1 << 30} {
			log, _ := readAll(try.limits, []byte(try.input), func() int { return size })
			if got := strings.Join(log, " "); got != try.want {
				t.Errorf("%.60q in pieces of %d: %s, want %s", try.input, size, got, try.want)
			}
			log, _ = readAhead(try.limits, []byte(try.input), func() int { return size }, 3)
			if got := strings.Join(log, " "); got != try.want {
				t.Errorf("%.60q in pieces of %d read ahead: %s, want %s", try.input, size, got, try.want)
			}
		}
	}
	var protocol *ProtocolError
	r := &Reader{}
	r.Filled(copy(r.Space(), "*x\r\n"))
	if _, err := r.Next(); !errors.As(err, &protocol) {
		t.Errorf("%v is no ProtocolError", err)
	}
}

// A client must not make us spend memory on what it only announces.
func TestAnnouncedIsNotAllocated(t *testing.T) {
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	r.Filled(copy(r.Space(), "*1048576\r\n$536870912\r\nabc"))
	if args, err := r.Next(); args != nil || err != nil {
		t.Fatal(args, err)
	}
	r.Space()
	if len(r.buf) > 64<<10 || cap(r.args) > 1024 {
		t.Errorf("25 bytes were answered with %d bytes and room for %d arguments", len(r.buf), cap(r.args))
	}
}

// A command of very many arguments is copied a few times as its buffer grows, not once for every few of its arguments,
// and is read with a constant number of allocations.
func TestManyArgumentsAreCopiedAFewTimes(t *testing.T) {
	const count = 100_000
	for _, size := range []int{1, 8, 40} {
		arg := strings.Repeat("x", size)
		input := []byte(fmt.Sprintf("*%d\r\n", count) + strings.Repeat(fmt.Sprintf("$%d\r\n%s\r\n", size, arg), count))
		copied, got := 0, 0
		read := func() {
			r := &Reader{}
			copied, got = 0, 0
			for rest := input; len(rest) > 0; {
				copied += r.Growth()
				n := copy(r.Space(), rest)
				r.Filled(n)
				rest = rest[n:]
				if args, err := r.Next(); err != nil {
					t.Fatal(err)
				} else if args != nil {
					got = len(args)
				}
			}
		}
		allocs := testing.AllocsPerRun(1, read)
		if got != count {
			t.Fatalf("%d arguments were read", got)
		}
		if copied > 2*len(input) {
			t.Errorf("of a command of %d bytes %d were copied", len(input), copied)
		}
		if allocs > 50 {
			t.Errorf("%v allocations", allocs)
		}
	}
}

func TestLargeValueInPieces(t *testing.T) {
	value := bytes.Repeat([]byte("0123456789abcdef"), 4<<20) // 64 MiB
	input := fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\nPING\r\n", len(value), value)
	_, commands := readAll(Limits{Bulk: 512 << 20}, input, func() int { return 100_003 })
	if len(commands) != 2 || !bytes.Equal(commands[0][2], value) || string(commands[1][0]) != "PING" {
		t.Fatal("a large value in pieces was not read back")
	}
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	for rest := input; len(rest) > 0; {
		n := copy(r.Space(), rest)
		r.Filled(n)
		rest = rest[n:]
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if len(r.buf) > 2*len(value)+2*minSpace {
			t.Fatalf("the buffer grew to %d for a value of %d", len(r.buf), len(value))
		}
	}
	for {
		if args, err := r.Next(); args == nil || err != nil {
			break
		}
	}
	r.Space()
	if len(r.buf) > keepSpace {
		t.Errorf("an idle reader keeps %d bytes", len(r.buf))
	}
}

// Commands that were read ahead keep their bytes when more come in, and an error
// behind them waits for its turn.
func TestReadAhead(t *testing.T) {
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	r.Filled(copy(r.Space(), "*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n*x\r\n"))
	if n := r.Ahead(2); n != 2 || string(r.Peek(1)[0]) != "b" {
		t.Fatal(n, r.Peek(1))
	}
	room := r.Space()
	for i := range room {
		room[i] = '!'
	}
	for _, want := range []string{"a", "b", "c"} {
		if args, err := r.Next(); err != nil || len(args) != 1 || string(args[0]) != want {
			t.Fatalf("%q %v, want %s", args, err, want)
		}
	}
	for range 2 {
		if args, err := r.Next(); args != nil || err == nil {
			t.Fatalf("%q %v behind broken protocol", args, err)
		}
	}
	r = &Reader{Limits: Limits{Bulk: 512 << 20}}
	r.Filled(copy(r.Space(), "PING\r\n*x\r\n"))
	if n := r.Ahead(16); n != 1 || r.Ready() != 1 {
		t.Fatal(n)
	}
	if args, err := r.Next(); err != nil || len(args) != 1 {
		t.Fatalf("%q %v", args, err)
	}
	if _, err := r.Next(); err == nil {
		t.Fatal("the error is lost")
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	input := bytes.Repeat([]byte("*3\r\n$3\r\nSET\r\n$5\r\nmykey\r\n$5\r\nvalue\r\n"), 16)
	n := testing.AllocsPerRun(100, func() {
		r.Filled(copy(r.Space(), input))
		if n := r.Ahead(16); n != 16 {
			t.Fatal(n)
		}
		for range 16 {
			if args, err := r.Next(); len(args) != 3 || err != nil {
				t.Fatal(args, err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for 16 commands", n)
	}
}

// FuzzReader: whatever the pieces, the same commands come out; and where redcon
// takes the whole input as commands, it takes the same ones.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"*1\r\n$4\r\nPING\r\n", "PING 'a b'\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n*-1\r\n", "*1\r\n$-2\r\n", "*1\r\n$4\r\nPIN", "*x\r\n", "*1\r\n:1\r\n"} {
		f.Add([]byte(seed), uint64(0x9E3779B97F4A7C15), false)
	}
	f.Fuzz(func(t *testing.T, input []byte, cuts uint64, strict bool) {
		limits := Limits{Bulk: 1 << 20, Strict: strict}
		want, commands := readAll(limits, input, whole)
		for _, cut := range []func() int{
			func() int { return 1 },
			func() int { cuts = cuts*6364136223846793005 + 1442695040888963407; return 1 + int(cuts>>60) },
		} {
			if got, _ := readAll(limits, input, cut); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Fatalf("%q in pieces gives %v, whole %v", input, got, want)
			}
			if got, _ := readAhead(limits, input, cut, 1+int(cuts>>30&15)); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Fatalf("%q read ahead gives %v, whole %v", input, got, want)
			}
		}
		if strict || bytes.Contains(input, []byte("$-")) {
			return // redcon panics on some negative lengths
		}
		compareWithRedcon(t, input, commands)
	})
}

func compareWithRedcon(t *testing.T, input []byte, commands [][][]byte) {
	rest := input
	for _, ours := range commands {
		if len(rest) == 0 || rest[0] != '*' {
			return // inline: redcon's quoting is not Redis's
		}
		complete, args, _, left, err := redcon.ReadNextCommand(rest, nil)
		if err != nil || !complete || len(args) == 0 {
			return
		}
		if fmt.Sprintf("%q", args) != fmt.Sprintf("%q", ours) {
			t.Fatalf("redcon reads %q, we %q", args, ours)
		}
		rest = left
	}
}

func BenchmarkReader(b *testing.B) {
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	input := bytes.Repeat([]byte("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n"), 16)
	b.ReportAllocs()
	for b.Loop() {
		r.Filled(copy(r.Space(), input))
		for range 16 {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What was grown for one large command is let go when the command is done, not when the client speaks again.
func TestLargeBuffersAreGivenUp(t *testing.T) {
	r := &Reader{Limits: Limits{Bulk: 512 << 20}}
	input := fmt.Appendf(nil, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", 1<<20, bytes.Repeat([]byte("x"), 1<<20))
	for len(input) > 0 {
		n := copy(r.Space(), input)
		r.Filled(n)
		input = input[n:]
		if args, err := r.Next(); err != nil || args != nil && (len(input) > 0 || len(args[1]) != 1<<20) {
			t.Fatal(len(args), err)
		}
	}
	if args, err := r.Next(); args != nil || err != nil {
		t.Fatal(args, err)
	}
	if n := r.Given(); n < 1<<20 || r.Given() != 0 || r.Free()+r.Buffered() != 0 || r.out[:2][1] != nil {
		t.Errorf("%d bytes given up, %d kept", n, r.Free()+r.Buffered())
	}
	r.Filled(copy(r.Space(), "PING\r\n"))
	if args, err := r.Next(); err != nil || len(args) != 1 {
		t.Fatal(args, err)
	}
	var w Writer
	w.Bulk(make([]byte, 2<<20))
	w.Reset()
	if n := w.Given(); n < 2<<20 || cap(w.buf) != 0 {
		t.Errorf("the writer keeps %d bytes, gave up %d", cap(w.buf), n)
	}
	w.Bulk(make([]byte, 1000))
	w.Reset()
	if w.Given() != 0 || cap(w.buf) < 1000 {
		t.Error("a small buffer is not kept")
	}
}

// Growth says what Space is about to copy, which moves the buffer; nothing else does.
func TestGrowthIsWhatSpaceCopies(t *testing.T) {
	var r Reader
	const size = 3 << 20
	text := []byte(fmt.Sprintf("*1\r\n$%d\r\n%s\r\n", size, strings.Repeat("v", size)))
	copied, grown := 0, 0
	for len(text) > 0 {
		growth, was, pending := r.Growth(), r.buf, r.Buffered()
		room := r.Space()
		if moved := pending > 0 && &was[0] != &r.buf[0]; moved != (growth > 0) || growth > 0 && growth != pending {
			t.Fatalf("%d bytes wait: Growth is %d, they moved: %v", pending, growth, moved)
		}
		if growth > 0 {
			copied, grown = copied+growth, grown+1
			if r.Growth() != 0 {
				t.Fatal("what has grown wants to grow again")
			}
		}
		n := copy(room, text[:min(len(text), 10_000)])
		text = text[n:]
		r.Filled(n)
		if args, err := r.Next(); err != nil || (args != nil) != (len(text) == 0) {
			t.Fatalf("%d bytes are left: %d arguments, %v", len(text), len(args), err)
		}
	}
	if grown < 3 || copied > size {
		t.Errorf("it grew %d times and copied %d bytes", grown, copied)
	}
}
