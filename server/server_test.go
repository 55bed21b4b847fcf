package server

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cobble/server/config"
	"cobble/tests/proc"
)

// The tests of sessions hold for both drivers.
var eventLoop = flag.Bool("event-loop", false, "drive the sessions by the event loop")

// lines collects what a Logger writes.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func freePort(t testing.TB) string {
	return strconv.Itoa(proc.FreePort(t))
}

// settings reads arguments as the command line would; dir and port are given if args do not.
func settings(t testing.TB, args ...string) *config.Config {
	t.Helper()
	c := config.New()
	driver := "no"
	if *eventLoop {
		driver = "yes"
	}
	args = append([]string{"--event-loop", driver}, args...)
	all := append([]string{"--bind", "127.0.0.1", "--memory-budget", "64mb", "--enable-debug-command", "yes"}, args...)
	if err := c.Load(all, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	return c
}

// running is a running server with what a test needs to know of it.
type running struct {
	*Server
	t    testing.TB
	addr string
	dir  string
	log  *lines
}

func start(t testing.TB, args ...string) *running {
	t.Helper()
	dir := t.TempDir()
	return startIn(t, dir, args...)
}

func startIn(t testing.TB, dir string, args ...string) *running {
	t.Helper()
	log := &lines{}
	c := settings(t, append([]string{"--port", freePort(t), "--dir", dir}, args...)...)
	s, err := Start(c, newLogger(log))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	s.Serve()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &running{s, t, "127.0.0.1:" + c.Text("port"), dir, log}
}

// client is a raw connection.
type client struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func (n *running) dial() *client {
	n.t.Helper()
	nc, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { nc.Close() })
	return &client{n.t, nc, bufio.NewReader(nc)}
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatal(err)
	}
}

// reply reads one raw reply.
func (c *client) reply() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "<" + err.Error() + ">" + line
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, body); err != nil {
			return "<" + err.Error() + ">"
		}
		return line + string(body)
	case '%', '|':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for range n {
			line += c.reply()
		}
	}
	return line
}

// do sends a command, its words split at blanks, and returns the raw reply.
func (c *client) do(line string) string {
	c.t.Helper()
	words := strings.Fields(line)
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	c.send(string(b))
	return c.reply()
}

func (c *client) want(line, reply string) {
	c.t.Helper()
	if got := c.do(line); got != reply {
		c.t.Errorf("%s: %q, want %q", line, got, reply)
	}
}

// closed reports whether the server has closed the connection, after what it had to say.
func (c *client) closed() (last string, is bool) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	rest, err := io.ReadAll(c.in)
	return string(rest), err == nil || strings.Contains(err.Error(), "reset")
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func TestBytesInAnyPieces(t *testing.T) {
	c := start(t).dial()
	c.send("PING\r\n")
	if got := c.reply(); got != "+PONG\r\n" {
		t.Errorf("inline: %q", got)
	}
	for _, piece := range []string{"*3\r\n$3\r\nSE", "T\r\n$1\r\nk\r\n$5\r", "\nva", "lue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPI"} {
		c.send(piece)
	}
	if got := c.reply() + c.reply(); got != "+OK\r\n$5\r\nvalue\r\n" {
		t.Errorf("in pieces: %q", got)
	}
	c.send("NG\r\n" + strings.Repeat("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", 10000))
	if got := c.reply(); got != "+PONG\r\n" {
		t.Errorf("%q", got)
	}
	for i := 1; i <= 10000; i++ {
		if got := c.reply(); got != ":"+strconv.Itoa(i)+"\r\n" {
			t.Fatalf("reply %d of a pipeline: %q", i, got)
		}
	}
}

func TestBadInput(t *testing.T) {
	n := start(t)
	for raw, reply := range map[string]string{
		"*1\r\n$-2\r\n":            "-ERR Protocol error: invalid bulk length\r\n",
		"*2147483648\r\n":          "-ERR Protocol error: invalid multibulk length\r\n",
		"*1\r\nPING\r\n":           "-ERR Protocol error: expected '$', got 'P'\r\n",
		"set k \"a\r\n":            "-ERR Protocol error: unbalanced quotes in request\r\n",
		"POST / HTTP/1.1\r\n":      "",
		"Host: x\r\nPING\r\n":      "",
		"QUIT\r\nPING\r\n":         "+OK\r\n",
		"PING\r\n*1\r\n$x\r\n":     "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n",
		strings.Repeat("x", 70000): "-ERR Protocol error: too big inline request\r\n",
	} {
		c := n.dial()
		c.send(raw)
		if got, is := c.closed(); got != reply || !is {
			t.Errorf("%.40q: %q (closed %v), want %q", raw, got, is, reply)
		}
	}
	if !strings.Contains(n.log.String(), "Possible SECURITY ATTACK detected") {
		t.Error("the log does not mention the browser")
	}
	n.dial().want("PING", "+PONG\r\n")
}

func TestPasswordAndItsLimits(t *testing.T) {
	n := start(t, "--requirepass", "secret")
	c := n.dial()
	c.want("GET k", "-NOAUTH Authentication required.\r\n")
	c.want("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
	c.want("AUTH secret", "+OK\r\n")
	c.want("GET k", "$-1\r\n")
	for _, raw := range []string{"*11\r\n", "*2\r\n$4\r\nAUTH\r\n$20000\r\n"} {
		c := n.dial()
		c.send(raw)
		if got, is := c.closed(); !strings.HasPrefix(got, "-ERR Protocol error: unauthenticated") || !is {
			t.Errorf("%q from a stranger: %q", raw, got)
		}
	}
	c = n.dial()
	if got := c.do("HELLO 3"); !strings.HasPrefix(got, "-NOAUTH HELLO must be called") {
		t.Errorf("HELLO of a stranger: %q", got)
	}
	if got := c.do("HELLO 3 AUTH default secret SETNAME me"); !strings.HasPrefix(got, "%7\r\n") {
		t.Errorf("HELLO with AUTH: %q", got)
	}
	c.want("CLIENT GETNAME", "$2\r\nme\r\n")
	c.want("RESET", "+RESET\r\n")
	c.want("GET k", "-NOAUTH Authentication required.\r\n")
}

func TestMaxClients(t *testing.T) {
	n := start(t, "--maxclients", "2")
	a, b := n.dial(), n.dial()
	a.want("PING", "+PONG\r\n")
	b.want("PING", "+PONG\r\n")
	if got, is := n.dial().closed(); got != "-ERR max number of clients reached\r\n" || !is {
		t.Errorf("the third client: %q", got)
	}
	a.Close()
	eventually(t, "a place for another client", func() bool { return n.Env().Clients.Len() < 2 })
	n.dial().want("PING", "+PONG\r\n")
}

func TestDirectoryAndPortAreTaken(t *testing.T) {
	n := start(t)
	log := &lines{}
	if _, err := Start(settings(t, "--port", freePort(t), "--dir", n.dir), newLogger(log)); err == nil || !strings.Contains(err.Error(), "already used") {
		t.Errorf("a second server on the directory: %v", err)
	}
	port := n.addr[strings.LastIndexByte(n.addr, ':')+1:]
	_, err := Start(settings(t, "--port", port, "--dir", t.TempDir()), newLogger(log))
	if err == nil || !strings.Contains(log.String(), "Failed listening on port "+port) {
		t.Errorf("a taken port: %v\n%s", err, log)
	}
}

func TestDataSurvivesRestart(t *testing.T) {
	n := start(t)
	n.dial().want("SET k v", "+OK\r\n")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	startIn(t, n.dir).dial().want("GET k", "$1\r\nv\r\n")
}

func TestKillAndList(t *testing.T) {
	n := start(t)
	a, b := n.dial(), n.dial()
	b.want("CLIENT SETNAME bee", "+OK\r\n")
	eventually(t, "CLIENT LIST tells of the other client", func() bool { // who is driven by a goroutine reports after the reply
		list := a.do("CLIENT LIST")
		return strings.Contains(list, "name=bee") && strings.Contains(list, "cmd=client|setname") && strings.Contains(list, "addr="+b.LocalAddr().String())
	})
	a.want("CLIENT KILL ADDR "+b.LocalAddr().String(), ":1\r\n")
	if _, is := b.closed(); !is {
		t.Error("the killed client is still there")
	}
	id := strings.TrimSpace(a.do("CLIENT ID"))[1:]
	a.want("CLIENT KILL ID "+id+" SKIPME no", ":1\r\n")
	if _, is := a.closed(); !is {
		t.Error("a client that killed itself is still there")
	}
}

func TestReplyModes(t *testing.T) {
	c := start(t).dial()
	c.send("CLIENT REPLY SKIP\r\nPING\r\nPING a\r\nCLIENT REPLY OFF\r\nPING\r\nSET k v\r\nCLIENT REPLY ON\r\nGET k\r\n")
	if got := c.reply() + c.reply() + c.reply(); got != "$1\r\na\r\n+OK\r\n$1\r\nv\r\n" {
		t.Errorf("%q", got)
	}
}

func TestPause(t *testing.T) {
	n := start(t)
	a, b := n.dial(), n.dial()
	a.want("CLIENT PAUSE 60000 WRITE", "+OK\r\n")
	b.want("GET k", "$-1\r\n")
	b.send("GET k\r\nSET k v\r\nGET k\r\n")
	if got := b.reply(); got != "$-1\r\n" { // what stands before the paused command is answered
		t.Errorf("%q", got)
	}
	eventually(t, "the blocked client", func() bool { return strings.Contains(a.do("INFO clients"), "blocked_clients:1") })
	a.want("GET k", "$-1\r\n")
	a.want("CLIENT UNPAUSE", "+OK\r\n")
	if got := b.reply() + b.reply(); got != "+OK\r\n$1\r\nv\r\n" {
		t.Errorf("after the pause: %q", got)
	}
	a.want("CLIENT PAUSE 60000 WRITE", "+OK\r\n")
	b.send("SET k w\r\n")
	eventually(t, "the blocked client", func() bool { return strings.Contains(a.do("INFO clients"), "blocked_clients:1") })
	b.Close()
	eventually(t, "the client that left while it waited", func() bool { return n.Env().Clients.Len() == 1 })
	a.want("CLIENT UNPAUSE", "+OK\r\n")
	a.want("GET k", "$1\r\nv\r\n")
}

func TestConfigSetMovesThePort(t *testing.T) {
	n := start(t)
	c, port := n.dial(), freePort(t)
	c.want("CONFIG SET port "+port, "+OK\r\n")
	n.addr = "127.0.0.1:" + port
	n.dial().want("PING", "+PONG\r\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, occupied, _ := net.SplitHostPort(taken.Addr().String())
	c.want("CONFIG SET port "+occupied, "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.\r\n")
	n.dial().want("CONFIG GET port", "*2\r\n$4\r\nport\r\n$"+strconv.Itoa(len(port))+"\r\n"+port+"\r\n")
	c.send("CONFIG SET bind \"127.0.0.1 192.0.2.1\"\r\n")
	if got := c.reply(); got != "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n" {
		t.Errorf("an address that is not ours: %q", got)
	}
	n.dial().want("CONFIG GET bind", "*2\r\n$4\r\nbind\r\n$9\r\n127.0.0.1\r\n") // it still listens
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	n := start(t, "--unixsocket", path, "--unixsocketperm", "700")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client{t, nc, bufio.NewReader(nc)}
	c.want("PING", "+PONG\r\n")
	if got := c.do("CLIENT INFO"); !strings.Contains(got, "addr="+path+":0") {
		t.Errorf("%s", got)
	}
	n.dial().want("PING", "+PONG\r\n")
}

func TestLimits(t *testing.T) {
	n := start(t, "--client-query-buffer-limit", "1mb", "--client-output-buffer-limit", "normal 2000 0 0")
	c := n.dial()
	c.want("SET k "+strings.Repeat("v", 3000), "+OK\r\n")
	c.send("GET k\r\n")
	if got, is := c.closed(); got != "" || !is {
		t.Errorf("a reply beyond the output limit: %.20q, closed %v", got, is)
	}
	c = n.dial()
	_, err := io.WriteString(c, "*2\r\n$3\r\nGET\r\n$2000000\r\n"+strings.Repeat("x", 1500000))
	if got, is := c.closed(); err == nil && (got != "" || !is) {
		t.Errorf("a query beyond its limit: %.20q, closed %v", got, is)
	}
	for _, want := range []string{"scheduled to be closed ASAP for overcoming of output buffer limits", "reached max query buffer length"} {
		if !strings.Contains(n.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	n := start(t, "--timeout", "1")
	if _, is := n.dial().closed(); !is {
		t.Error("an idle client is still there")
	}
}

func TestLargeValue(t *testing.T) {
	c := start(t).dial()
	value := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	go func() {
		fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", len(value), value)
	}()
	if got := c.reply(); got != "+OK\r\n" {
		t.Fatalf("SET: %.60q", got)
	}
	if got := c.reply(); got != fmt.Sprintf("$%d\r\n%s\r\n", len(value), value) {
		t.Errorf("GET: %d bytes, %.60q", len(got), got)
	}
}
