package respconn

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	for _, c := range []struct{ wire, want string }{
		{"+OK\r\n", "+OK"},
		{"-ERR no\r\n", "-ERR no"},
		{":-12\r\n", ":-12"},
		{"$0\r\n\r\n", `$""`},
		{"$4\r\na\r\nb\r\n", `$"a\r\nb"`},
		{"$-1\r\n", "$-1"},
		{"*-1\r\n", "*-1"},
		{"_\r\n", "_"},
		{"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", `*2[:1 *1[$"x"]]`},
		{"%1\r\n+a\r\n,1.5\r\n", "%2[+a ,1.5]"},
		{"~1\r\n#t\r\n", "~1[#t]"},
		{"=6\r\ntxt:hi\r\n", `="txt:hi"`},
		{"|1\r\n+ttl\r\n:1\r\n:7\r\n", ":7"},
		{"+" + strings.Repeat("x", 100<<10) + "\r\n", "+" + strings.Repeat("x", 100<<10)},
	} {
		got, err := Read(bufio.NewReader(strings.NewReader(c.wire)))
		if err != nil || got.String() != c.want {
			t.Errorf("%.40q: %.80s, %v; want %.80s", c.wire, got, err, c.want)
		}
	}
	for _, wire := range []string{
		"", "\r\n", "+OK\n", "?\r\n", "$x\r\n", "$-2\r\n", "$9999999999\r\n\r\n", "*1\r\n", "$3\r\nab", "$1\r\nabc\r\n",
		strings.Repeat("*1\r\n", 1000),
	} {
		if got, err := Read(bufio.NewReader(strings.NewReader(wire))); err == nil {
			t.Errorf("%.40q was read as %s", wire, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("*2\r\n:1\r\n$1\r\nx\r\n"))
	f.Add([]byte("%1\r\n+a\r\n_\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := bufio.NewReader(strings.NewReader(string(wire)))
		if reply, err := Read(r); err == nil && reply.Kind == 0 {
			t.Errorf("%q: no reply and no error", wire)
		}
	})
}

// serve answers each command that comes with the next of the replies, then hangs.
func serve(t *testing.T, replies ...string) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		r := bufio.NewReader(theirs)
		for _, reply := range replies {
			if _, err := Read(r); err != nil {
				return
			}
			io.WriteString(theirs, reply)
		}
		io.Copy(io.Discard, r)
	}()
	return New(ours, 10*time.Second)
}

func TestDo(t *testing.T) {
	c := serve(t, "+PONG\r\n", ">1\r\n+news\r\n-WRONGTYPE x y\r\n")
	if r, err := c.Do("PING"); err != nil || r.String() != "+PONG" {
		t.Fatalf("PING: %s, %v", r, err)
	}
	r, err := c.Do("GET", "k\r\n\x00")
	if err != nil {
		t.Fatal(err)
	}
	var e ReplyError
	if !errors.As(r.Err(), &e) || e.Code() != "WRONGTYPE" {
		t.Errorf("got %s", r)
	}
	if len(c.Pushed) != 1 || c.Pushed[0].String() != ">1[+news]" {
		t.Errorf("pushed: %v", c.Pushed)
	}
}

func TestTimeout(t *testing.T) {
	c := serve(t)
	c.Timeout = 20 * time.Millisecond
	_, err := c.Do("PING")
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("a silent server gave %v", err)
	}
}

func TestReplyReaders(t *testing.T) {
	read := func(wire string) Reply {
		r, err := Read(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if n, err := read("$2\r\n12\r\n").Int(); n != 12 || err != nil {
		t.Errorf("Int: %d, %v", n, err)
	}
	if _, err := read("*0\r\n").Int(); err == nil {
		t.Error("an array was read as an integer")
	}
	if s, err := read("=6\r\ntxt:hi\r\n").Str(); s != "hi" || err != nil {
		t.Errorf("Str: %q, %v", s, err)
	}
	if _, err := read("$-1\r\n").Str(); err == nil {
		t.Error("a null was read as a string")
	}
	if _, err := read("-ERR x\r\n").Strs(); err == nil || err.Error() != "ERR x" {
		t.Errorf("Strs of an error: %v", err)
	}
	if v, ok := read("%1\r\n+a\r\n:3\r\n").Field("a"); !ok || v.Text != "3" {
		t.Errorf("Field: %s, %v", v, ok)
	}
	if read("*1\r\n$1\r\na\r\n").Equal(read("*1\r\n+a\r\n")) || !read("*-1\r\n").Equal(read("*-1\r\n")) {
		t.Error("Equal")
	}
}
