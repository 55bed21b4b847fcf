package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cobble/server/command"
	"cobble/server/config"
	"cobble/storage"
	"cobble/storage/log"
)

// Version is Cobble's.
const Version = "0.1.0"

// Server is one running node.
type Server struct {
	settings *config.Config
	log      *Logger
	env      *command.Env
	started  time.Time

	maxBulk, maxQuery atomic.Int64
	outputLimits      atomic.Pointer[[3]config.BufferLimit]
	clients           clientLimit

	// unused counts bytes of large buffers that nobody needs any more and that the
	// collector may not have seen; see giveBack.
	unused atomic.Int64

	lock *os.File // held on the data directory

	deliveries deliveries // MIGRATE's connections
	transfers  transfers
	heap       heapLimit // the cron's

	accepting sync.WaitGroup
	sessions  sync.WaitGroup
	cron      sync.WaitGroup
	node      *node // nil: not a node of a cluster
	stopCron  chan struct{}
	fatal     chan error                   // the store cannot go on
	lost      atomic.Bool                  // clients were closed because the log failed
	shutdown  chan command.ShutdownRequest // asked for by SHUTDOWN
	stopping  stopping

	mu      sync.Mutex // guards what follows
	tcp     []net.Listener
	unix    net.Listener
	boundTo string
	loop    *loop // drives TCP clients; nil: they get a goroutine each
	conns   map[connection]struct{}
	closing bool
}

// StartError is why a server did not start; the log has said so already.
type StartError struct{ Reason string }

func (e *StartError) Error() string { return e.Reason }

// Start opens the store and the sockets. When it returns, clients are served.
func Start(settings *config.Config, log *Logger) (*Server, error) {
	s := &Server{
		settings: settings, log: log, started: time.Now(), conns: map[connection]struct{}{},
		clients: clientLimit{look: make(chan struct{}, 1)}, stopCron: make(chan struct{}), fatal: make(chan error, 1), shutdown: make(chan command.ShutdownRequest, 1),
	}
	if err := s.lockDir(); err != nil {
		return nil, s.failed("%v", err)
	}
	tcp, err := s.listen(settings.Words("bind"), int(settings.Int("port")))
	if err != nil {
		s.unlockDir()
		return nil, s.failed("Failed listening on port %d (tcp), aborting.", settings.Int("port"))
	}
	s.tcp, s.boundTo = tcp, bindKey(settings.Words("bind"), int(settings.Int("port")))
	if s.unix, err = s.listenUnix(); err != nil {
		closeAll(s.tcp)
		s.unlockDir()
		return nil, s.failed("Failed opening Unix socket: bind: %v", err)
	}
	if len(s.tcp) == 0 && s.unix == nil {
		s.unlockDir()
		return nil, s.failed("Configured to not listen anywhere, exiting.")
	}
	engine, err := storage.Open(s.storeOptions())
	if err != nil {
		s.closeListeners()
		s.unlockDir()
		return nil, s.failed("Fatal error opening the store in %s: %v%s", settings.Text("dir"), err, wayOut(err))
	}
	s.env = command.NewEnv(engine, settings, s.process())
	if err := s.renameCommands(); err != nil {
		s.closeListeners()
		s.unlockDir()
		return nil, errors.Join(s.failed("%v", err), engine.Close())
	}
	if err := s.env.LoadUsers(); err != nil {
		s.closeListeners()
		s.unlockDir()
		return nil, errors.Join(s.failed("%v", err), engine.Close())
	}
	s.env.Deliver = s.deliveries.deliver
	s.transfers.rate = func() int64 { return settings.Int("background-transfer-rate") }
	s.env.Pace = s.transfers.pace
	s.env.Transfers = func() (bytes, waited int64) { return s.transfers.bytes.Load(), s.transfers.waits.Load() }
	s.startFollowers()
	s.follow()
	if err := s.joinCluster(); err != nil {
		s.closeListeners()
		_ = engine.Close()
		s.unlockDir()
		return nil, s.failed("%s", startReason(err))
	}
	return s, nil
}

func (s *Server) storeOptions() storage.Options {
	return storage.Options{
		Dir: filepath.Join(s.settings.Text("dir"), "data"), Budget: s.settings.Bytes("memory-budget", machineBytes()),
		Policy: s.logPolicy(), Now: time.Now, PinLog: s.settings.Int("repl-log-max"),
		RecoverDamagedLog: s.settings.Bool("log-recover-damaged"),
		Logf:              func(format string, args ...any) { s.log.Printf(Warning, format, args...) },
		OnFatal: func(err error) {
			select {
			case s.fatal <- err:
			default:
			}
		},
	}
}

// lostLevel is how loud it is told that clients are closed whose commands the log did not take: once a log has failed it
// stays so, and there may be many.
func (s *Server) lostLevel() Level {
	if s.lost.Swap(true) {
		return Debug
	}
	return Warning
}

// logPolicy is what appendonly and appendfsync say together.
func (s *Server) logPolicy() log.Policy {
	if !s.settings.Bool("appendonly") {
		return log.No
	}
	switch s.settings.Text("appendfsync") {
	case "always":
		return log.Always
	case "no":
		return log.No
	}
	return log.EverySec
}

// renameCommands applies the rename-command lines.
func (s *Server) renameCommands() error {
	for _, words := range s.settings.Repeated("rename-command") {
		if err := s.env.Table.Rename(words[0], words[1]); err != nil {
			return &config.FileError{Text: "rename-command " + strings.Join(words, " "), Reason: err.Error()}
		}
	}
	return nil
}

// wayOut says what can be done about a store that does not open.
func wayOut(err error) string {
	if damage := (*log.CorruptError)(nil); errors.As(err, &damage) {
		return ". Put the right file back, or let this node copy a replica's data; to give up what is damaged, start once with log-recover-damaged yes"
	}
	return ""
}

// failed logs why the server does not start.
func (s *Server) failed(format string, args ...any) error {
	e := &StartError{fmt.Sprintf(format, args...)}
	s.log.Printf(Warning, "%s", e.Reason)
	return e
}

// loopCores is up to how many cores one event loop serves more than goroutines do.
const loopCores = 4

func wantsLoop(setting string) bool {
	return setting == "yes" || setting == "auto" && runtime.GOMAXPROCS(0) <= loopCores
}

// Serve begins to take clients.
func (s *Server) Serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wantsLoop(s.settings.Text("event-loop")) {
		l, err := newLoop(s)
		if err != nil {
			s.log.Printf(Warning, "No event loop, connections get a goroutine each: %v", err)
		} else {
			s.loop = l
			s.cron.Add(1)
			go l.run()
		}
	}
	for _, l := range s.tcp {
		s.accepting.Add(1)
		go s.accept(l)
	}
	if s.unix != nil {
		s.accepting.Add(1)
		go s.accept(s.unix)
	}
	s.cron.Add(3)
	go s.runCron()
	go func() {
		defer s.cron.Done()
		s.env.Evictor.Run(s.stopCron)
	}()
	go s.runSweeper()
}

// Env gives access to what commands see, for the parts that are wired to it.
func (s *Server) Env() *command.Env { return s.env }

// Port returns the TCP port that clients are taken on, 0 if there is none.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boundPort()
}

// lockDir keeps a second process out of the directory.
func (s *Server) lockDir() error {
	dir := s.settings.Text("dir")
	f, err := os.OpenFile(filepath.Join(dir, "cobble.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("the lock file of directory %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return errors.New("the directory " + dir + " is already used by a different server process: give each its own dir")
	}
	s.lock = f
	return nil
}

func (s *Server) unlockDir() { s.lock.Close() }

// process is what commands may ask of this process.
func (s *Server) process() command.Process {
	var id [20]byte
	_, _ = rand.Read(id[:])
	executable, _ := os.Executable()
	return command.Process{
		Version: Version, PID: os.Getpid(), RunID: hex.EncodeToString(id[:]), Executable: executable,
		OS: operatingSystem(), StartedAt: s.started.UnixMilli(),
		Nanos:  func() int64 { return int64(time.Since(s.started)) },
		Micros: func() int64 { return time.Now().UnixMicro() },
		Usage:  usage,
		After:  after,
		AfterFunc: func(ms int64, f func()) func() bool {
			return time.AfterFunc(time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond)))*time.Millisecond, f).Stop
		},
		Log:        func(text string) { s.log.Printf(Warning, "%s", text) },
		Shutdown:   s.stopFor,
		ShutdownIn: s.stopping.left,
		Abort:      s.stopping.cancel,
		Reload:     func() error { return s.env.Engine.Forget() },
		ReadRandom: func(p []byte) { _, _ = rand.Read(p) },
	}
}

// askToStop begins a shutdown, unless one is under way.
func (s *Server) askToStop(r command.ShutdownRequest) {
	select {
	case s.shutdown <- r:
	default:
	}
}

func after(ms int64) <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { close(done) })
	return done
}

// remember registers a connection; it reports false when the server goes down.
func (s *Server) remember(c connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns[c] = struct{}{}
	s.sessions.Add(1)
	return true
}

func (s *Server) forget(c connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.sessions.Done()
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *Server) closeListeners() {
	closeAll(s.tcp)
	s.tcp = nil
	if s.unix != nil {
		s.unix.Close() // removes the socket file
		s.unix = nil
	}
}

// Close stops taking clients, ends the sessions and makes the store durable.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	s.closeListeners()
	conns := make([]connection, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.kill()
	}
	s.env.Engine.EndDrafts() // sessions that run one would be waited for until its end
	if s.loop != nil {
		s.loop.post(func() {}) // it sees that the server is closing
	}
	close(s.stopCron)
	s.cron.Wait()
	s.accepting.Wait()
	s.sessions.Wait()
	s.env.Followers.Close()
	s.leaveCluster()
	s.deliveries.close()
	err := s.env.Engine.Close()
	s.unlockDir()
	return err
}
