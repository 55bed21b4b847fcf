package psync

import (
	"errors"
	"io"
	"net"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"cobble/storage"
)

// Settings are those that may change.
type Settings struct {
	Timeout    time.Duration // repl-timeout
	Ping       time.Duration // repl-ping-replica-period
	Backlog    int64         // repl-backlog-size, bytes
	BacklogTTL time.Duration // repl-backlog-ttl; 0: for ever
	Diskless   bool          // repl-diskless-sync
}

// Options say what to serve. Functions may be called from any goroutine.
type Options struct {
	Engine   *storage.Engine
	Dir      string // where files are put that must be whole before they are sent
	Settings func() Settings
	Version  string // of Redis, for the file
	// Shared is the name of the shared value that holds the functions, and Codes what libraries are in it.
	Shared string
	Codes  func(value []byte) ([]string, error)
	Logf   func(level byte, format string, args ...any) // level as in Redis's log: . - * #

	mutant mutants
}

// mutants are rules that tests switch off one at a time to prove that they would
// notice.
type mutants struct {
	streamLate     bool // a stream begins where the log is when its file was sent, not where that ends
	streamUnpinned bool // the log is not held for a stream
	keptLate       bool // what a follower is sent is kept for it once it was sent
	continueAlways bool // a stream goes on, whatever its backlog has
	resyncWaits    bool // a stream that cannot go on waits for its follower
	ackedEarly     bool // what a follower was sent counts as acknowledged
}

// Source serves followers. Its methods may be called from any goroutine.
type Source struct {
	Options
	full, partial, refused atomic.Int64

	mu        sync.Mutex // guards what follows
	followers map[*follower]struct{}
	streams   map[string]*stream // by id: those that are sent, and those that wait
	closed    bool
}

// NewSource returns a source without followers.
func NewSource(o Options) *Source {
	return &Source{Options: o, followers: map[*follower]struct{}{}, streams: map[string]*stream{}}
}

func (s *Source) settings() Settings { return s.Settings() }

// Serve serves a follower until its connection ends, which it closes.
func (s *Source) Serve(r Request) {
	f := &follower{Request: r, src: s, began: time.Now(), online: make(chan struct{}), gone: make(chan struct{})}
	f.heard.Store(f.began.UnixNano())
	if !s.add(f) {
		_ = r.Conn.Close()
		return
	}
	defer s.remove(f)
	s.Logf('*', "Replica %s asks for synchronization", f.name())
	go f.listen()
	over := make(chan struct{})
	go func() {
		select {
		case <-f.Stop:
			_ = f.Conn.Close()
		case <-over:
		}
	}()
	err := f.serve()
	close(over)
	_ = f.Conn.Close()
	<-f.gone
	switch reason := f.cut.Load(); {
	case err == nil:
	case reason != nil:
		s.Logf('#', "Connection with replica %s is cut: %s", f.name(), *reason)
	case err == io.EOF || err == errStopped || errors.Is(err, net.ErrClosed):
		s.Logf('#', "Connection with replica %s lost.", f.name())
	default:
		s.Logf('#', "Connection with replica %s lost: %v", f.name(), err)
	}
}

func (s *Source) add(f *follower) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.followers[f] = struct{}{}
	return true
}

func (s *Source) remove(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.followers, f)
}

// CutAll cuts all followers off, for a reason, and lets none of them continue: what follows is another history.
func (s *Source) CutAll(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.followers {
		f.end(reason)
	}
	for id, st := range s.streams {
		delete(s.streams, id)
		if st.user == nil {
			st.close()
		}
	}
}

// Close cuts all followers off for good.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.CutAll("the server goes down")
}

// Status is a follower as INFO shows it.
type Status struct {
	IP    string
	Port  int
	State State
	LSN   storage.LSN // up to which it has acknowledged
	Lag   int64       // seconds since it was heard
}

// Followers returns those who want a stream, oldest first.
func (s *Source) Followers() []Status {
	s.mu.Lock()
	var all []*follower
	for f := range s.followers {
		if !f.FileOnly {
			all = append(all, f)
		}
	}
	s.mu.Unlock()
	sort.Slice(all, func(i, j int) bool { return all[i].began.Before(all[j].began) })
	var out []Status
	now := time.Now().UnixNano()
	for _, f := range all {
		st := Status{IP: f.ip(), Port: f.Port, State: State(f.state.Load()), LSN: storage.LSN(f.lsn.Load())}
		if st.State == StateOnline {
			st.Lag = (now - f.heard.Load()) / int64(time.Second)
		}
		out = append(out, st)
	}
	return out
}

// Counts returns how many full copies were begun, and how many requests to continue were granted and refused.
func (s *Source) Counts() (full, partial, refused int64) {
	return s.full.Load(), s.partial.Load(), s.refused.Load()
}
