package command

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage"
	"cobble/tests/proc"
)

// oracle is a connection to a redis-server of its own.
type oracle struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// newOracle starts a redis-server with an empty data set, which ends with the test.
func newOracle(t testing.TB, more ...string) *oracle {
	t.Helper()
	port := proc.FreePort(t)
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", t.TempDir(), "--enable-debug-command", "yes")
	cmd.Args = append(cmd.Args, more...)
	var said bytes.Buffer
	cmd.Stdout = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("the oracle is missing: %v (Debian package redis-server)", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	conn := dialUntil(port, ended)
	if conn == nil {
		t.Fatalf("redis-server did not start:\n%s", &said)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &oracle{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func dialUntil(port int, ended chan struct{}) net.Conn {
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return conn
		}
		select {
		case <-ended:
			return nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// do sends one command and returns the raw reply.
func (o *oracle) do(args ...string) string {
	o.send(args...)
	var reply strings.Builder
	o.read(&reply)
	return reply.String()
}

func (o *oracle) send(args ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(o.conn, b.String()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *oracle) read(reply *strings.Builder) {
	line, err := o.in.ReadString('\n')
	if err != nil {
		o.t.Fatal(err)
	}
	reply.WriteString(line)
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	switch line[0] {
	case '$', '=', '!':
		if n >= 0 {
			if _, err := io.CopyN(reply, o.in, int64(n)+2); err != nil {
				o.t.Fatal(err)
			}
		}
	case '%':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for range n {
			o.read(reply)
		}
	}
}

// pair is this server and the oracle, given the same commands.
type pair struct {
	t      testing.TB
	call   *Call
	ours   func(args ...string) string
	theirs *oracle
	log    []string
}

func newPair(t testing.TB, proto int) *pair {
	p := &pair{t: t, theirs: newOracle(t)}
	p.call, p.ours = newRunner(t)
	p.call.Out.SetProto(proto)
	if proto == 3 {
		p.theirs.do("HELLO", "3")
	}
	return p
}

// newRunner returns a Call on an engine of its own and a function that runs one
// command as a session would.
func newRunner(t testing.TB) (*Call, func(args ...string) string) {
	c, _ := newTestCall(t)
	return c, func(args ...string) string { return execute(c, args...) }
}

// execute runs one command of the session and returns the raw reply.
func execute(c *Call, args ...string) string {
	c.Out.Reset()
	split := make([][]byte, len(args))
	for i, a := range args {
		split[i] = []byte(a)
	}
	c.Execute(split)
	for c.Later != nil {
		c.Later(nil)
	}
	return string(c.Out.Bytes())
}

// same runs a command (words, quoted as Go strings where they need it) on both and
// compares the replies.
func (p *pair) same(line string) string {
	p.t.Helper()
	return p.sameArgs(wordsOf(p.t, line)...)
}

func (p *pair) sameArgs(args ...string) string {
	p.t.Helper()
	p.log = append(p.log, fmt.Sprintf("%.200q", args))
	p.call.Now = time.Now().UnixMilli()
	ours, theirs := p.ours(args...), p.theirs.do(args...)
	if ours != theirs {
		last := p.log[max(0, len(p.log)-12):]
		p.t.Errorf("%.200q\n  ours   %.300q\n  theirs %.300q\nafter\n  %s", args, ours, theirs, strings.Join(last, "\n  "))
	}
	return ours
}

func wordsOf(t testing.TB, line string) []string {
	t.Helper()
	var out []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			word, _ := strconv.Unquote(quoted)
			out, line = append(out, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out, line = append(out, word), rest
	}
	return out
}

// sameLines runs each line of a script in both protocols, on fresh data sets.
func sameLines(t *testing.T, script string) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		for _, line := range strings.Split(script, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				p.same(line)
			}
		}
	}
}

// slotsOf returns the slot of the command's first key.
func slotsOf(c *Call) []slots.Slot { return []slots.Slot{slots.Of(c.Args[1])} }

// allocationsOf says how often a command that is run again and again in one transaction allocates.
func allocationsOf(t *testing.T, c *Call, line string) (n float64) {
	t.Helper()
	c.Args = c.Args[:0]
	for _, a := range wordsOf(t, line) {
		c.Args = append(c.Args, []byte(a))
	}
	if c.Cmd = c.Env.Table.Find(c.Args[0]); c.Cmd == nil {
		t.Fatalf("no command %s", line)
	}
	_, _ = c.Env.Engine.Update(c.Now, slotsOf(c), storage.OpFunc(func(tx *storage.Tx) error {
		start := tx.Savepoint()
		n = testing.AllocsPerRun(100, func() {
			c.Out.Reset()
			if err := c.Cmd.Run(c, tx); err != nil {
				t.Fatal(err)
			}
			tx.RollbackTo(start)
		})
		return nil
	}))
	return n
}
