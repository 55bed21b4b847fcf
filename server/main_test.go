package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the server, for tests that need a process.
func TestMain(m *testing.M) {
	if os.Getenv("COBBLE_TEST_SERVER") != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process is a server of its own; out is its standard output and error.
type process struct {
	*exec.Cmd
	out *lines
}

func spawn(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{exec.Command(os.Args[0], args...), &lines{}}
	p.Env = append(os.Environ(), "COBBLE_TEST_SERVER=1")
	p.Stdout, p.Stderr = p.out, p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	return p
}

func TestProcessStartsAndStops(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "c.conf")
	if err := os.WriteFile(conf, []byte("bind 127.0.0.1\nport "+port+"\ndir "+dir+"\npidfile c.pid\nrename-command FLUSHALL \"\"\nrename-command DEBUG dbg\nrdbchecksum no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, conf)
	eventually(t, "the server to be ready", func() bool { return strings.Contains(p.out.String(), "Ready to accept connections") })
	log, at := p.out.String(), 0
	for _, want := range []string{fmt.Sprintf(" PID: %d", p.Process.Pid), "Server initialized", "Ready to accept connections"} {
		i := strings.Index(log[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order in\n%s", want, log)
		}
		at += i
	}
	if !strings.Contains(log, "'rdbchecksum' is accepted") {
		t.Error("a directive without effect was not mentioned")
	}
	if pid, _ := os.ReadFile(filepath.Join(dir, "c.pid")); string(pid) != fmt.Sprintln(p.Process.Pid) {
		t.Errorf("pid file: %q", pid)
	}
	c := (&running{t: t, addr: "127.0.0.1:" + port}).dial()
	c.want("FLUSHALL", "-ERR unknown command 'FLUSHALL', with args beginning with: \r\n")
	c.want("DBG LOG hello", "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, "+
		"otherwise you need to set this option in the configuration file, and then restart the server.\r\n")
	c.want("SET k v", "+OK\r\n")
	second := spawn(t, conf, "--port", freePort(t))
	if err := second.Wait(); err == nil || !strings.Contains(second.out.String(), "already used by a different server process") {
		t.Errorf("a second process on the directory: %v\n%s", err, second.out)
	}
	taken := spawn(t, conf, "--dir", t.TempDir())
	if err := taken.Wait(); err == nil || taken.ProcessState.ExitCode() != 1 || !strings.Contains(taken.out.String(), "Failed listening on port "+port) {
		t.Errorf("a taken port: %v\n%s", err, taken.out)
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil || !strings.Contains(p.out.String(), "bye bye") {
		t.Errorf("SIGTERM: %v\n%s", err, p.out)
	}
	if _, err := os.Stat(filepath.Join(dir, "c.pid")); !os.IsNotExist(err) {
		t.Error("the pid file is still there")
	}
}

func TestProcessShutdownCommandAndKill(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--appendfsync", "always"}
	n := &running{t: t, addr: "127.0.0.1:" + port}
	boot := func() *process {
		p := spawn(t, args...)
		eventually(t, "the server to be ready", func() bool { return strings.Contains(p.out.String(), "Ready to accept connections") })
		return p
	}
	p := boot()
	n.dial().want("SET a 1", "+OK\r\n")
	_ = p.Process.Kill()
	_ = p.Wait()
	p = boot()
	c := n.dial()
	c.want("GET a", "$1\r\n1\r\n")
	c.want("SET b 2", "+OK\r\n")
	c.send("SHUTDOWN NOSAVE\r\n")
	if got, is := c.closed(); got != "" || !is {
		t.Errorf("SHUTDOWN replied %q", got)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("SHUTDOWN: %v\n%s", err, p.out)
	}
	boot()
	n.dial().want("MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n")
}

func TestCommandLine(t *testing.T) {
	for _, try := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--version"}, 0, "Cobble server v="},
		{[]string{"--help"}, 0, "Usage: cobble server"},
		{[]string{"--check-config", "--port", "7000"}, 0, "is good"},
		{[]string{"--check-config", "--port", "x"}, 1, "*** FATAL CONFIG FILE ERROR"},
		{[]string{"/nonexistent.conf"}, 1, "can't open config file '/nonexistent.conf'"},
		{[]string{"--port", "0"}, 1, "Configured to not listen anywhere"},
		{[]string{"--rename-command", "NOSUCH", "x", "--port", "0", "--unixsocket", "s"}, 1, "No such command in rename-command"},
	} {
		if try.args[0] == "--port" || try.args[0] == "--rename-command" {
			try.args = append(try.args, "--dir", t.TempDir())
		}
		var out, complain lines
		code := Main(try.args, &out, &complain)
		if text := out.String() + complain.String(); code != try.code || !strings.Contains(text, try.says) {
			t.Errorf("%q: code %d, %s", try.args, code, text)
		}
	}
}

// A supervisor may send SIGTERM more than once: only a second SIGINT ends the process before the store is closed.
func TestSecondSignal(t *testing.T) {
	s := &Server{log: newLogger(&lines{})}
	for _, try := range []struct {
		signals []os.Signal
		code    int
	}{{[]os.Signal{syscall.SIGTERM, syscall.SIGTERM}, 0}, {[]os.Signal{syscall.SIGTERM, syscall.SIGINT}, 1}, {nil, 0}} {
		signals, done := make(chan os.Signal), make(chan error, 1)
		code := make(chan int, 1)
		go func() { code <- s.closed(done, signals, nil) }()
		for _, sig := range try.signals {
			select {
			case signals <- sig:
			case <-time.After(time.Minute):
				t.Fatalf("%v: nobody listens to signals any more", try.signals)
			}
		}
		done <- nil
		if got := <-code; got != try.code {
			t.Errorf("%v: exit code %d, want %d", try.signals, got, try.code)
		}
	}
}
