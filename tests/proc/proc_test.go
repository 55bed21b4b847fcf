package proc

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cobble/tools/topology"
)

// The harness is tested with redis-server, whose behaviour is known.

func TestLife(t *testing.T) {
	s := Start(t, Options{Program: Redis, Standalone: true, Args: []string{"--appendonly", "yes", "--appendfsync", "always"}})
	s.Do("SET", "k", "v")
	pid := s.PID()
	s.Kill9()
	if s.Alive() {
		t.Error("alive after kill -9")
	}
	s.Restart()
	if s.PID() == pid {
		t.Error("the same process after a restart")
	}
	if got := s.Do("GET", "k").Text; got != "v" {
		t.Errorf("after a restart k is %q", got)
	}
	s.Pause()
	c := s.Conn()
	c.Timeout = 50 * time.Millisecond
	if r, err := c.Do("PING"); err == nil {
		t.Errorf("a paused server answered %s", r)
	}
	s.Cont()
	s.WaitReady()
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	s.WaitLog("bye bye")
}

func TestLaunchOfWhatRefuses(t *testing.T) {
	s := Launch(t, Options{Program: Redis, Args: []string{"--no-such-directive", "1"}})
	if code := s.WaitExit(readyTimeout); code != 1 {
		t.Errorf("exit code %d", code)
	}
	s.WaitLog("FATAL CONFIG FILE ERROR")
}

func TestPortsAreNotGivenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		p := FreePort(t)
		if seen[p] {
			t.Fatalf("port %d twice", p)
		}
		seen[p] = true
	}
}

func TestCluster(t *testing.T) {
	c := StartCluster(t, 3, 0, Options{Program: Redis})
	nodes, err := topology.ParseNodes(c.Servers[0].Do("CLUSTER", "NODES").Text)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%v, %v", nodes, err)
	}
	out := c.CLI("--cluster", "check", c.Servers[0].Addr)
	if !strings.Contains(out, "All 16384 slots covered") {
		t.Error(out)
	}
}

// A server must not outlive a test binary that is killed, which runs no cleanup.
func TestServersDieWithTheTest(t *testing.T) {
	if dir := os.Getenv("PROC_TEST_VICTIM"); dir != "" {
		s := Start(t, Options{Program: Redis, Standalone: true, Dir: dir})
		fmt.Printf("addr %s\n", s.Addr)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestServersDieWithTheTest$")
	cmd.Env = append(os.Environ(), "PROC_TEST_VICTIM="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	_, err = fmt.Fscanf(out, "addr %s\n", &addr)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	var port int
	fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	Eventually(t, readyTimeout, "the server to end with its test", func() error {
		if !free(port) {
			return fmt.Errorf("port %d is still taken", port)
		}
		return nil
	})
}
