package badinput

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"cobble/tests/proc"
)

func itoa(i int) string { return strconv.Itoa(i) }

// TestBadSettings starts servers with settings that mean nothing, on the command line and in a file.
func TestBadSettings(t *testing.T) {
	for _, c := range []struct{ name, value, says string }{
		{"--no-such-directive", "1", "Bad directive or wrong number of arguments"},
		{"--appendfsync", "sometimes", "argument(s) must be one of the following"},
		{"--maxclients", "many", "argument couldn't be parsed into an integer"},
		{"--maxmemory", "12parsecs", "argument must be a memory value"},
		{"--appendonly", "perhaps", "argument must be 'yes' or 'no'"},
	} {
		refuses(t, proc.Options{Standalone: true, Args: []string{c.name, c.value}}, "FATAL CONFIG FILE ERROR", c.says)
	}
	s := start(t)
	for _, args := range [][]string{
		{"CONFIG", "SET", "no-such-setting", "1"},
		{"CONFIG", "SET", "appendfsync", "sometimes"},
		{"CONFIG", "SET", "maxmemory", "-x"},
		{"CONFIG", "SET", "appendfsync"},
		{"CONFIG", "NOPE"},
	} {
		if got := errorOf(s, args...); len(got) < 4 || got[:4] != "ERR " {
			t.Errorf("%q: %q", args, got)
		}
	}
}

// TestPortInUse starts servers whose port, or bus port, another process listens on.
func TestPortInUse(t *testing.T) {
	for _, offset := range []int{0, proc.BusOffset} {
		port := proc.FreePort(t)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		refuses(t, proc.Options{Port: port}, fmt.Sprint(port+offset), "ddress already in use")
	}
}

// TestUnreadableNodes damages nodes.conf: the server says so and does not become another node.
func TestUnreadableNodes(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{}))
	s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	id := s.Do("CLUSTER", "MYID").Text
	s.Stop()
	nodes := filepath.Join(s.Dir, "nodes.conf")
	right, err := os.ReadFile(nodes)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(right, []byte("\n"))
	for name, file := range map[string]struct {
		text []byte
		says string
	}{
		"garbage": {[]byte("what is this?\n"), "not written by this server"},
		"half":    {right[:len(right)/2], "nodes.conf"},
		"binary":  {[]byte("\x00\xff\x00\xff"), "control character"},
		"newer":   {append([]byte("x-format 99\n"), body...), "start the version that wrote it"},
	} {
		t.Run(name, func(t *testing.T) {
			damage(t, nodes, func([]byte) []byte { return file.text })
			s.Launch()
			exited(t, s, "nodes.conf", file.says)
		})
	}
	damage(t, nodes, func([]byte) []byte { return right })
	s.Restart()
	if got := s.Do("CLUSTER", "MYID").Text; got != id {
		t.Errorf("the node was %s and is %s", id, got)
	}
}

// TestUnreadableAcceptor damages the elector's memory: it is set aside, said so, and the data is served; that of a newer
// format is refused.
func TestUnreadableAcceptor(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{}))
	s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	proc.WaitOK(t, s)
	fill(t, s, 0, 50)
	s.Kill9()
	acceptor := filepath.Join(s.Dir, "nodes.conf.acceptor")
	right, err := os.ReadFile(acceptor)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, acceptor, func(b []byte) []byte { b[4] = 99; return b })
	s.Launch()
	exited(t, s, "the acceptor file has format 99", "nodes.conf")
	damage(t, acceptor, func([]byte) []byte { return append([]byte("garbage"), right...) })
	s.Restart()
	s.WaitLog("The acceptor file was damaged and is set aside")
	proc.WaitOK(t, s)
	has(t, s, 0, 50)
}
