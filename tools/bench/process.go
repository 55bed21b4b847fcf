package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a server that bench started.
type process struct {
	name string
	args []string
	dir  string
	port int
	cmd  *exec.Cmd
}

// newProcess prepares a one-node cluster of the server name ("cobble" or "redis")
// in a new directory. Start runs it.
func newProcess(s *settings, name, durability string) (*process, error) {
	dir, err := os.MkdirTemp("", "bench-"+name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, dir: dir, port: port}
	p.args = []string{s.redis}
	if name == "valkey" {
		p.args = []string{s.valkey}
	}
	if name == "cobble" {
		binary, err := filepath.Abs(s.cobble)
		if err != nil {
			return nil, err
		}
		p.args = []string{binary, "server"}
	}
	p.args = append(p.args, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--cluster-enabled", "yes", "--loglevel", "warning")
	switch durability {
	case "none":
		p.args = append(p.args, "--appendonly", "no")
	case "everysec", "always":
		p.args = append(p.args, "--appendonly", "yes", "--appendfsync", durability)
	default:
		return nil, fmt.Errorf("durability %q is not none, everysec or always", durability)
	}
	return p, nil
}

// Ports and the bus ports 10000 above them lie under the range that the kernel takes for outgoing connections, and not
// among those of the tests: nobody takes one before its server listens.
const (
	firstPort = 12000
	ports     = 4900
)

// lastPort counts from a random port on, so that none is given twice.
var lastPort atomic.Uint32

func freePort() (int, error) {
	lastPort.CompareAndSwap(0, 1+rand.Uint32N(ports))
	for range ports {
		port := firstPort + int(lastPort.Add(1)%ports)
		if canListen(port) && canListen(port+10000) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, firstPort+ports)
}

func canListen(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func (p *process) start() error {
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	return p.cmd.Start()
}

// join waits until the server answers and gives it all slots.
func (p *process) join() error {
	deadline := time.Now().Add(60 * time.Second)
	added := false
	for time.Now().Before(deadline) {
		if !added {
			reply, err := p.do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
			added = err == nil && (reply == "+OK" || strings.Contains(reply, "busy"))
		}
		if reply, err := p.do("SET", "bench:ready", "1"); err == nil && reply == "+OK" {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s does not get ready; its files are in %s", p.name, p.dir)
}

// stop ends the process with a signal and waits for it.
func (p *process) stop(sig syscall.Signal) {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
	p.cmd = nil
}

func (p *process) remove() {
	p.stop(syscall.SIGKILL)
	_ = os.RemoveAll(p.dir)
}

// do sends one command on a connection of its own and returns the first line of the reply.
func (p *process) do(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
	if _, err := conn.Write(encode(nil, args...)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err == nil && strings.HasPrefix(line, "$") && !strings.HasPrefix(line, "$-1") {
		line, err = r.ReadString('\n')
	}
	return strings.TrimRight(line, "\r\n"), err
}

func encode(dst []byte, args ...string) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, a := range args {
		dst = fmt.Appendf(dst, "$%d\r\n%s\r\n", len(a), a)
	}
	return dst
}

// cpu returns the processor time that the process has used: of its threads to the
// nanosecond where the kernel says so, else in ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	var sum time.Duration
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var running int64
		if _, err := fmt.Sscan(string(b), &running); err == nil {
			sum += time.Duration(running)
		}
	}
	if sum > 0 {
		return sum, nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15, counted from after the name in parentheses (proc(5)), in ticks of 10 ms.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// rss returns the resident memory in MiB.
func (p *process) rss() (float64, error) { return p.status("VmRSS:") }

// status returns a size of /proc/PID/status in MiB.
func (p *process) status(name string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("no " + name)
}
