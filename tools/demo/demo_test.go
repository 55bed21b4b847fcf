package demo

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cobble/tests/proc"
)

// running is a `cobble demo` process.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	said bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(b)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

func launch(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(proc.CobbleBinary(t), append([]string{"demo"}, args...)...), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.cmd.Wait()
		close(r.done)
	}()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *running) waitFor(text string) {
	r.t.Helper()
	proc.Eventually(r.t, time.Minute, fmt.Sprintf("the demo to say %q", text), func() error {
		if strings.Contains(r.text(), text) {
			return nil
		}
		return fmt.Errorf("it said:\n%s", r.text())
	})
}

// stop ends the demo as `kill` does and gives its exit code.
func (r *running) stop() int {
	r.cmd.Process.Signal(syscall.SIGTERM)
	<-r.done
	return r.cmd.ProcessState.ExitCode()
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	port := proc.FreePorts(t, 6) // held while a killed server is started again
	base := []string{"--dir", dir, "--port", fmt.Sprint(port)}
	cli := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(proc.RedisCLI(t), append([]string{"-c", "-p", fmt.Sprint(port)}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	r := launch(t, base...)
	r.waitFor("3 replicas")
	for i := range 20 {
		if got := cli("SET", fmt.Sprint("key", i), "value"); got != "OK" {
			t.Fatalf("SET: %s", got)
		}
	}
	id := cli("CLUSTER", "MYID")
	if second := launch(t, base...); true {
		<-second.done
		if code := second.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(second.text(), "another demo") {
			t.Errorf("a second demo in the same directory: exit code %d, %s", code, second.text())
		}
	}
	if code := r.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.text())
	}
	if !free(port) || strings.Contains(r.text(), "killed") {
		t.Errorf("servers are left, or had to be killed:\n%s", r.text())
	}

	r = launch(t, base...)
	r.waitFor("3 replicas")
	if got := cli("CLUSTER", "MYID"); got != id {
		t.Errorf("another node is on port %d after a restart", port)
	}
	for i := range 20 {
		if got := cli("GET", fmt.Sprint("key", i)); got != "value" {
			t.Errorf("after a restart key%d is %q", i, got)
		}
	}
	r.stop()

	keep := filepath.Join(dir, "mine")
	if err := os.WriteFile(keep, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r = launch(t, append(base, "--fresh")...)
	r.waitFor("3 replicas")
	if got := cli("CLUSTER", "MYID"); got == id {
		t.Error("--fresh kept the old cluster")
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("--fresh removed a file that is not its own: %v", err)
	}
	r.stop()
}

func TestPortsTaken(t *testing.T) {
	s := proc.Start(t, proc.Options{Program: proc.Redis})
	var out bytes.Buffer
	if code := Main([]string{"--dir", t.TempDir(), "--port", fmt.Sprint(s.Port)}, &out, &out); code != 1 || !strings.Contains(out.String(), "in use") {
		t.Errorf("exit code %d, %s", code, out.String())
	}
	if code := Main([]string{"--replicas", "-1"}, io.Discard, io.Discard); code != 2 {
		t.Errorf("exit code %d for nonsense", code)
	}
}
