package demo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cobble/tools/clustertool"
	"cobble/tools/respconn"
)

// node is one server process.
type node struct {
	index  int
	port   int
	dir    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended; how is in cmd.ProcessState
	ended  time.Time     // when that was noticed; zero while it runs
}

const logName = "server.log"

func (n *node) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

func (n *node) pid() int { return n.cmd.Process.Pid }

func (n *node) alive() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// start starts a server of this binary. It gets a process group of its own, so that Ctrl-C reaches it through us only, and
// is told to stop if we are killed: by the kernel, when the thread that started it ends, to which Main is tied.
func (d *demo) start(n *node) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(n.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{
		"server", "--port", fmt.Sprint(n.port), "--bind", "127.0.0.1", "--dir", n.dir, "--cluster-enabled", "yes",
		"--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
		"--memory-budget", fmt.Sprintf("%d%%", max(1, 25/d.size())),
	}
	cmd := exec.Command(program, append(args, d.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	n.cmd, n.exited, n.ended = cmd, exited, time.Time{}
	go func() {
		cmd.Wait()
		close(exited)
	}()
	return nil
}

// ask sends one command; an error reply is an error.
func (n *node) ask(args ...string) (string, error) {
	c, err := respconn.Dial(n.addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := c.Do(args...)
	if err == nil {
		err = r.Err()
	}
	return r.Text, err
}

// until tries a condition till it holds, a server dies, the time is up or a signal comes.
func (d *demo) until(stop <-chan os.Signal, what string, condition func() error) error {
	deadline := time.Now().Add(d.timeout)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := condition()
		if err == nil {
			return nil
		}
		for _, n := range d.nodes {
			if !n.alive() {
				return fmt.Errorf("the server on port %d ended (%v):\n%s", n.port, n.cmd.ProcessState, n.logTail())
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("gave up waiting for %s after %v: %w", what, d.timeout, err)
		}
		select {
		case <-stop:
			return errStopped
		case <-time.After(pause):
		}
	}
}

func (d *demo) waitReady(stop <-chan os.Signal) error {
	return d.until(stop, "the servers", func() error {
		for _, n := range d.nodes {
			if _, err := n.ask("PING"); err != nil {
				return fmt.Errorf("port %d: %w", n.port, err)
			}
		}
		return nil
	})
}

func (d *demo) waitOK(stop <-chan os.Signal) error {
	return d.until(stop, "the cluster", func() error {
		for _, n := range d.nodes {
			info, err := n.ask("CLUSTER", "INFO")
			if err != nil {
				return fmt.Errorf("port %d: %w", n.port, err)
			}
			if !strings.Contains(info, "cluster_state:ok") {
				return fmt.Errorf("port %d says that the cluster is not ok", n.port)
			}
		}
		return nil
	})
}

// create makes the servers a cluster with `cobble cluster create`.
func (d *demo) create() error {
	args := []string{"create", "--yes", "--timeout", d.timeout.String(), "--replicas", fmt.Sprint(d.replicas)}
	for _, n := range d.nodes {
		args = append(args, n.addr())
	}
	var said bytes.Buffer
	if clustertool.Main(args, strings.NewReader(""), &said, &said) != 0 {
		return fmt.Errorf("the cluster could not be made:\n%s", said.String())
	}
	return nil
}

func (n *node) logTail() string {
	text, err := os.ReadFile(filepath.Join(n.dir, logName))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// stopAll ends the servers: with SIGTERM, so that they make their data durable, and after ten seconds, or at a second
// signal, without asking.
func (d *demo) stopAll(stop <-chan os.Signal) {
	running := 0
	for _, n := range d.nodes {
		if n.alive() {
			running++
			n.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if running == 0 {
		return
	}
	d.say("Stopping %d servers.", running)
	impatient := make(chan struct{})
	go func() {
		defer close(impatient)
		began, patience := time.Now(), time.After(10*time.Second)
		for {
			select {
			case <-patience:
				return
			case <-stop: // one Ctrl-C may arrive as two signals
				if time.Since(began) > time.Second {
					return
				}
			}
		}
	}()
	for _, n := range d.nodes {
		if n.cmd == nil {
			continue
		}
		select {
		case <-n.exited:
			continue
		case <-impatient:
		}
		d.say("The server on port %d (pid %d) does not stop; it is killed.", n.port, n.pid())
		n.cmd.Process.Kill()
		<-n.exited
	}
}
