package proc

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cobble/tools/respconn"
)

// Options say how to start a server. The zero value is a cluster-enabled Cobble without peers.
type Options struct {
	Program Program
	// Standalone leaves cluster mode off.
	Standalone bool
	// Args come after the defaults, as --name value pairs, and so override them.
	Args []string
	// Dir is the data directory; a temporary one when empty.
	Dir string
	// Port is the client port; a free one when 0.
	Port int
	// NodeTimeout is cluster-node-timeout, ms; 10 s when 0: nobody is taken for silent whom a busy machine keeps waiting.
	// Tests that want a node that is silent, not dead, to be replaced give less.
	NodeTimeout int
	// Env is added to the test's own environment.
	Env []string
	// Password is sent by Conn and by the wait for readiness; it sets nothing up.
	Password string
	// MostFiles is the limit of descriptors (ulimit -n); 0 is the test's own.
	MostFiles int
}

// Server is one server process, or the place of one between Stop and Restart. Its methods are for one goroutine at a
// time, but for Conn, Do and Log, which any may call.
type Server struct {
	Port int
	Dir  string
	Addr string // 127.0.0.1:Port

	t       testing.TB
	options Options
	mu      sync.Mutex // guards what follows: one goroutine may restart while others look
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the running process has ended
	waitErr error         // how it ended
	paused  bool
}

// readyTimeout bounds waits for conditions that take milliseconds on a machine that is not starved.
const readyTimeout = 60 * time.Second

// Start starts a server and waits until it answers. The test fails when it does not.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := prepare(t, o)
	s.Restart()
	return s
}

func prepare(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Port == 0 {
		o.Port = FreePort(t)
	}
	s := &Server{Port: o.Port, Dir: o.Dir, Addr: fmt.Sprintf("127.0.0.1:%d", o.Port), t: t, options: o}
	t.Cleanup(s.end)
	return s
}

// command is the program with its arguments.
func (s *Server) command() *exec.Cmd {
	args := []string{
		"--port", fmt.Sprint(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "",
		"--enable-debug-command", "yes",
	}
	if !s.options.Standalone {
		args = append(args, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", strconv.Itoa(cmp.Or(s.options.NodeTimeout, 10000)))
	}
	args = append(args, s.options.Args...)
	if s.options.Program == Redis {
		return exec.Command(RedisBinary(s.t), args...)
	}
	args = append([]string{CobbleBinary(s.t), "server"}, args...)
	if s.options.MostFiles != 0 {
		args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, s.options.MostFiles), "sh"}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// Launch starts the process without waiting for it to be ready: for servers that are expected to refuse.
func Launch(t testing.TB, o Options) *Server {
	t.Helper()
	s := prepare(t, o)
	s.launch()
	return s
}

func (s *Server) launch() {
	s.t.Helper()
	if s.Alive() {
		s.t.Fatalf("%s on port %d is running already", s.options.Program, s.Port)
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command()
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), s.options.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := Spawn(cmd); err != nil {
		s.t.Fatalf("starting %s: %v", s.options.Program, err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.exited, s.paused = cmd, exited, false
	s.mu.Unlock()
	go func() {
		err := cmd.Wait()
		s.mu.Lock()
		s.waitErr = err
		s.mu.Unlock()
		close(exited)
	}()
}

var spawner struct {
	sync.Once
	commands chan func()
}

// Spawn starts a process that does not outlive the test, however that ends. It starts it from a thread that lives as
// long as the test binary: the death signal is sent when the thread that forked ends, not when the process does.
func Spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	spawner.Do(func() {
		spawner.commands = make(chan func())
		go func() {
			runtime.LockOSThread()
			for f := range spawner.commands {
				f()
			}
		}()
	})
	err := make(chan error)
	spawner.commands <- func() { err <- cmd.Start() }
	return <-err
}

// Restart starts the process (again) in the same directory on the same port, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.launch()
	s.WaitReady()
}

// Launch starts the process again in the same directory without waiting for it: for a server that is expected to
// refuse what has become of its files.
func (s *Server) Launch() {
	s.t.Helper()
	s.launch()
}

// WaitReady waits until the server answers PING with anything but LOADING.
func (s *Server) WaitReady() {
	s.t.Helper()
	err := poll(readyTimeout, func() error {
		if !s.Alive() {
			return stop{fmt.Errorf("it ended: %v", s.ExitError())}
		}
		c, err := s.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		r, err := c.Do("PING")
		if err != nil {
			return err
		}
		var e respconn.ReplyError
		if errors.As(r.Err(), &e) && e.Code() == "LOADING" {
			return e
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("%s on port %d is not ready: %v\n%s", s.options.Program, s.Port, err, s.logTail(40))
	}
}

func (s *Server) dial() (*respconn.Conn, error) {
	c, err := respconn.Dial(s.Addr, readyTimeout)
	if err != nil {
		return nil, err
	}
	if s.options.Password == "" {
		return c, nil
	}
	r, err := c.Do("AUTH", s.options.Password)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Conn opens a connection, which is closed when the test ends.
func (s *Server) Conn() *respconn.Conn {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatalf("connecting to port %d: %v", s.Port, err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Try sends one command on a connection of its own; an error reply is an error too.
func (s *Server) Try(args ...string) (respconn.Reply, error) {
	c, err := s.dial()
	if err != nil {
		return respconn.Reply{}, err
	}
	defer c.Close()
	r, err := c.Do(args...)
	if err == nil {
		err = r.Err()
	}
	return r, err
}

// Do is Try for commands that must succeed.
func (s *Server) Do(args ...string) respconn.Reply {
	s.t.Helper()
	r, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("port %d, %.200q: %v", s.Port, args, err)
	}
	return r
}

// PID is the process id; 0 before the first start.
func (s *Server) PID() int {
	cmd, _ := s.process()
	if cmd == nil {
		return 0
	}
	return cmd.Process.Pid
}

// process gives the last process that was started, and the channel that is closed when it has ended.
func (s *Server) process() (*exec.Cmd, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd, s.exited
}

func (s *Server) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
}

func (s *Server) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

// Alive reports whether the process runs (paused is alive).
func (s *Server) Alive() bool {
	cmd, exited := s.process()
	if cmd == nil {
		return false
	}
	select {
	case <-exited:
		return false
	default:
		return true
	}
}

// WaitExit waits for the process to end by itself and gives its exit code (-1 when a signal ended it).
func (s *Server) WaitExit(within time.Duration) int {
	s.t.Helper()
	cmd, exited := s.process()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
		s.t.Fatalf("%s on port %d (pid %d) still runs after %v\n%s", s.options.Program, s.Port, s.PID(), within, s.logTail(40))
	}
	return cmd.ProcessState.ExitCode()
}

// ExitError is how the last process ended: nil for exit code 0.
func (s *Server) ExitError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waitErr
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	cmd, _ := s.process()
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("%v to pid %d: %v", sig, s.PID(), err)
	}
}

// Kill9 ends the process as a power cut would, for this process; it has ended when Kill9 returns.
func (s *Server) Kill9() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	s.WaitExit(readyTimeout)
}

// Terminate asks the process to end with SIGTERM; it does not wait for that.
func (s *Server) Terminate() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
}

// Stop asks the process to end with SIGTERM and gives its exit code.
func (s *Server) Stop() int {
	s.t.Helper()
	s.Cont()
	s.Terminate()
	return s.WaitExit(readyTimeout)
}

// Pause stops the process with SIGSTOP, as a machine that hangs; all its threads have stopped when it returns.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	s.setPaused(true)
	Eventually(s.t, readyTimeout, "all threads to stop", s.stopped)
}

// stopped gives an error while a thread of the process runs.
func (s *Server) stopped() error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.PID()))
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("no threads: %v", err)
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, rest, _ := bytes.Cut(stat, []byte(") ")); len(rest) == 0 || rest[0] != 'T' {
			return fmt.Errorf("%s: %.40s", path, stat)
		}
	}
	return nil
}

// Cont lets a paused process run on.
func (s *Server) Cont() {
	s.t.Helper()
	if s.isPaused() {
		s.signal(syscall.SIGCONT)
		s.setPaused(false)
	}
}

func (s *Server) logPath() string { return filepath.Join(s.Dir, "server.log") }

// Log is what all processes of this server wrote to stdout and stderr.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// WaitLog waits until the log has a text.
func (s *Server) WaitLog(text string) {
	s.t.Helper()
	err := poll(readyTimeout, func() error {
		if !strings.Contains(s.Log(), text) {
			return fmt.Errorf("the log has no %q", text)
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("port %d: %v\n%s", s.Port, err, s.logTail(40))
	}
}

// logTail is the end of the log, for a failure message.
func (s *Server) logTail(lines int) string {
	f, err := os.Open(s.logPath())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 64<<10 {
		f.Seek(-64<<10, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	all = all[max(0, len(all)-lines):]
	return fmt.Sprintf("--- end of the log of %s on port %d:\n%s\n---", s.options.Program, s.Port, bytes.Join(all, []byte("\n")))
}

func (s *Server) end() {
	cmd, exited := s.process()
	if s.t.Failed() && cmd != nil {
		s.t.Log(s.logTail(40))
	}
	if s.Alive() {
		cmd.Process.Kill()
		<-exited
	}
}

// CPU is the processor time that the process has used.
func (s *Server) CPU() time.Duration {
	s.t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	return time.Duration(user+system) * tick
}
