package server

import (
	"errors"
	"runtime/debug"
	"time"

	"cobble/server/config"
	"cobble/slots"
	"cobble/storage"
)

// cronPeriod is how often the housekeeping runs.
const cronPeriod = 100 * time.Millisecond

// runCron does what no command does: rates, idle clients, limits of clients' buffers.
func (s *Server) runCron() {
	defer s.cron.Done()
	tick := time.NewTicker(cronPeriod)
	defer tick.Stop()
	machine := machineBytes()
	budget := s.settings.Bytes("memory-budget", machine)
	last, given, again := s.sample(time.Now()), time.Time{}, false
	for n := 0; ; {
		select {
		case <-s.stopCron:
			return
		case <-s.clients.look:
			s.evictClients(time.Now().UnixMilli())
		case now := <-tick.C:
			n++
			s.limitOutputs(now.UnixMilli())
			s.evictClients(now.UnixMilli())
			s.env.Evictor.Refresh()
			if b := s.settings.Bytes("memory-budget", machine); b != budget {
				budget = b
				s.env.Engine.SetBudget(b)
			}
			s.env.Engine.AdaptCache()
			s.heap.govern(budget, s.env.Engine.RowBytes())
			if s.node != nil {
				s.node.repl.gate(now)
			}
			if budget <= smallBudget && n%releaseBinaryTicks == releaseBinaryTicks/6 {
				releaseBinary()
			}
			if n%10 == 0 {
				s.env.Engine.AdaptRows(residentBytes())
				last = s.rates(last, now)
				s.closeIdle(now.UnixMilli())
				if now.Sub(given) >= giveBackPeriod {
					var did bool
					if did, again = s.giveBack(again); did {
						given = now
					}
				}
			}
		}
	}
}

// A collection for the system's sake comes after so many bytes, and not more often than that.
const (
	giveBackBytes  = 64 << 20
	giveBackPeriod = 5 * time.Second
)

// giveBack returns memory to the system after large values have passed through: the
// collector would see them when as much again was allocated, which on a quiet server is
// never. A second time follows, for what was still on its way to the disk the first
// time. It reports whether it did anything.
func (s *Server) giveBack(again bool) (did, more bool) {
	more = s.unused.Load() >= giveBackBytes
	if !more && !again {
		return false, false
	}
	s.unused.Store(0)
	go debug.FreeOSMemory()
	return true, more
}

// sample is the counters at a time, for rates.
type sample struct {
	at                      time.Time
	commands, netIn, netOut int64
}

func (s *Server) sample(now time.Time) sample {
	st := &s.env.Stats
	return sample{now, st.Commands(), st.NetIn.Load(), st.NetOut.Load()}
}

func (s *Server) rates(last sample, now time.Time) sample {
	next := s.sample(now)
	elapsed := max(now.Sub(last.at).Seconds(), 0.001)
	perSecond := func(from, to int64) int64 { return int64(float64(max(to-from, 0)) / elapsed) }
	r := &s.env.Stats.Rates
	r.Commands.Store(perSecond(last.commands, next.commands))
	r.NetIn.Store(perSecond(last.netIn, next.netIn))
	r.NetOut.Store(perSecond(last.netOut, next.netOut))
	return next
}

// closeIdle applies the timeout setting.
func (s *Server) closeIdle(now int64) {
	limit := s.settings.Int("timeout") * 1000
	if limit == 0 {
		return
	}
	for _, client := range s.env.Clients.All() {
		if client.Idle(now) > limit {
			s.log.Printf(Verbose, "Closing idle client")
			client.Kill()
		}
	}
}

// limitOutputs closes clients whose unread replies exceed the soft limit for too long.
func (s *Server) limitOutputs(now int64) {
	if s.outputLimit(config.ClassNormal).Soft == 0 && s.outputLimit(config.ClassPubsub).Soft == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		w, limit := c.watch(), s.outputLimit(c.class())
		switch since := w.softSince.Load(); {
		case limit.Soft == 0:
		case w.pending.Load() <= limit.Soft:
			w.softSince.Store(0)
		case since == 0:
			w.softSince.Store(now)
		case now-since > limit.SoftSeconds*1000:
			s.env.Stats.LimitedByOutput.Add(1)
			s.log.Printf(Warning, "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", c.name())
			c.kill()
		}
	}
}

// sweepBatch is how many expiry rows the sweeper looks at between two looks at
// the clock; sweepShare of each period is the most it works.
const (
	sweepBatch = 256
	sweepShare = 4
)

// runSweeper removes expired keys nobody asks for, and what dropped objects left
// behind. Only a primary does: its log tells the replicas.
func (s *Server) runSweeper() {
	defer s.cron.Done()
	tick := time.NewTicker(cronPeriod)
	defer tick.Stop()
	for {
		select {
		case <-s.stopCron:
			return
		case <-tick.C:
			if view := s.env.View.Load(); view.Enabled && view.Primary != slots.NoNode {
				continue
			}
			if err := s.sweep(time.Now()); err != nil && !errors.Is(err, storage.ErrClosed) {
				s.log.Printf(Verbose, "Sweeping: %v", err)
			}
		}
	}
}

func (s *Server) sweep(start time.Time) error {
	all := slots.Full()
	for time.Since(start) < cronPeriod/sweepShare {
		looked := 0
		if s.env.ActiveExpire() {
			var err error
			if looked, err = s.env.Engine.SweepExpired(time.Now().UnixMilli(), sweepBatch); err != nil {
				return err
			}
		}
		more, err := s.env.Engine.CollectGarbage(time.Now().UnixMilli(), &all)
		if err != nil || looked < sweepBatch && !more {
			return err
		}
	}
	return nil
}
