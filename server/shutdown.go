package server

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"cobble/server/command"
)

// closeTimeout is how long a shutdown may take before the process gives up on
// it: everything acknowledged is in the log already.
const closeTimeout = 8 * time.Second

// lagLook is how often a shutdown looks whether the replicas have everything.
const lagLook = 5 * time.Millisecond

var errShutdownAborted = errors.New("the shutdown was aborted")

// wait runs until a signal or SHUTDOWN ends the server, and ends it.
func (s *Server) wait(signals <-chan os.Signal) int {
	for {
		var r command.ShutdownRequest
		select {
		case sig := <-signals:
			name := "SIGTERM"
			if sig == syscall.SIGINT {
				name = "SIGINT"
			}
			s.log.Printf(Warning, "Received %s scheduling shutdown...", name)
			r.Now = slices.Contains(s.settings.Words("shutdown-on-"+strings.ToLower(name)), "now")
		case r = <-s.shutdown:
			s.log.Printf(Debug, "SHUTDOWN %s", shutdownWords(r))
		case err := <-s.fatal:
			return s.cannotGoOn(err)
		}
		s.log.Printf(Warning, "User requested shutdown...")
		switch how, code := s.awaitReplicas(r, signals); how {
		case stopAborted:
			continue
		case stopAtOnce:
			return code
		}
		done := make(chan error, 1)
		go func() { done <- s.Close() }()
		return s.closed(done, signals, time.After(closeTimeout))
	}
}

func (s *Server) cannotGoOn(err error) int {
	s.log.Printf(Warning, "The store cannot go on, exiting: %v", err)
	return 1 // without closing it: what is in the log is what counts
}

type stopHow int

const (
	stopInOrder stopHow = iota
	stopAborted
	stopAtOnce // with an exit code
)

// awaitReplicas holds writes back and waits until all replicas that are online have acknowledged the end of the log, for
// shutdown-timeout at most: one of them takes over soon, and should lack nothing that was acknowledged. Redis 7.0,
// prepareForShutdown. The others of the cluster still hear of this node meanwhile.
func (s *Server) awaitReplicas(r command.ShutdownRequest, signals <-chan os.Signal) (how stopHow, code int) {
	patience := time.Duration(s.settings.Int("shutdown-timeout")) * time.Second
	if r.Now || patience == 0 || s.env.Role().Role != "master" {
		return stopInOrder, 0
	}
	until := time.Now().Add(patience)
	s.env.Pause.Shutdown(until.Add(closeTimeout).UnixMilli())
	if _, lags := s.lagging(); !lags {
		return stopInOrder, 0
	}
	s.log.Printf(Notice, "Waiting for replicas before shutting down.")
	abort := s.stopping.begin(until)
	defer s.stopping.end()
	look := time.NewTicker(lagLook)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if _, lags := s.lagging(); lags && time.Now().Before(until) {
				continue
			}
		case <-abort:
			s.log.Printf(Warning, "Shutdown manually aborted.")
			s.env.Pause.EndShutdown()
			return stopAborted, 0
		case again := <-s.shutdown:
			if !again.Now {
				continue
			}
		case sig := <-signals:
			if sig != syscall.SIGINT {
				continue
			}
			s.log.Printf(Warning, "You insist... exiting now.")
			return stopAtOnce, 1
		case err := <-s.fatal:
			return stopAtOnce, s.cannotGoOn(err)
		}
		s.tellLagging()
		return stopInOrder, 0
	}
}

// lagging returns the replicas, and whether one that is online lacks something.
func (s *Server) lagging() (role command.Replication, lags bool) {
	role = s.env.Role()
	return role, slices.ContainsFunc(role.Replicas, func(r command.Replica) bool { return r.State == "online" && r.Offset < role.Offset })
}

func (s *Server) tellLagging() {
	role, _ := s.lagging()
	synced := 0
	for _, r := range role.Replicas {
		if r.Offset >= role.Offset {
			synced++
			continue
		}
		s.log.Printf(Notice, "Lagging replica %s:%d reported offset %d behind master, lag=%d, state=%s.", r.IP, r.Port, role.Offset-r.Offset, r.Lag, r.State)
	}
	s.log.Printf(Notice, "%d of %d replicas are in sync when shutting down.", synced, len(role.Replicas))
}

// stopping is a shutdown that waits for replicas. Its methods are safe from any goroutine.
type stopping struct {
	mu      sync.Mutex
	abort   chan struct{} // closed by SHUTDOWN ABORT; nil when nothing is to be aborted
	aborted chan struct{} // closed at the next abort; made by whoever waits for one
	until   time.Time
}

func (p *stopping) begin(until time.Time) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abort, p.until = make(chan struct{}), until
	return p.abort
}

func (p *stopping) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abort = nil
}

// cancel is SHUTDOWN ABORT; it is false if there is nothing to be aborted.
func (p *stopping) cancel() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.abort == nil {
		return false
	}
	close(p.abort)
	p.abort = nil
	if p.aborted != nil {
		close(p.aborted)
		p.aborted = nil
	}
	return true
}

// onAbort returns what is closed at the next abort.
func (p *stopping) onAbort() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted == nil {
		p.aborted = make(chan struct{})
	}
	return p.aborted
}

// left is how long the shutdown may still wait; false if none does.
func (p *stopping) left() (ms int64, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(time.Until(p.until).Milliseconds(), 0), p.abort != nil
}

// stopFor is SHUTDOWN: it waits for the end of the session, which the shutdown brings, or for an abort.
func (s *Server) stopFor(r command.ShutdownRequest, gone <-chan struct{}) error {
	aborted := s.stopping.onAbort()
	s.askToStop(r)
	select {
	case <-aborted:
		return errShutdownAborted
	case <-gone:
		return nil
	}
}

// closed waits for the end of Close, and returns the exit code. As in Redis a second SIGINT ends the process at once,
// another SIGTERM does not: supervisors send it to the process and to its group.
func (s *Server) closed(done <-chan error, signals <-chan os.Signal, late <-chan time.Time) int {
	for {
		select {
		case err := <-done:
			if err != nil {
				s.log.Printf(Warning, "Closing the store: %v", err)
				return 1
			}
			s.log.Printf(Warning, "Redis is now ready to exit, bye bye...")
			return 0
		case sig := <-signals:
			if sig == syscall.SIGINT {
				s.log.Printf(Warning, "You insist... exiting now.")
				return 1
			}
		case <-late:
			s.log.Printf(Warning, "The store did not close in time, exiting; the log has everything that was acknowledged.")
			return 1
		}
	}
}

func shutdownWords(r command.ShutdownRequest) string {
	var words []string
	for _, w := range []struct {
		is   bool
		name string
	}{{r.Save, "SAVE"}, {r.NoSave, "NOSAVE"}, {r.Now, "NOW"}, {r.Force, "FORCE"}} {
		if w.is {
			words = append(words, w.name)
		}
	}
	return strings.Join(words, " ")
}
