package faults

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"cobble/tests/proc"
)

// TestKillAllAlways kills all six processes at once under load with appendfsync always: every acknowledged write is back.
func TestKillAllAlways(t *testing.T) {
	t.Parallel()
	killAll(t, number("COBBLE_ROUNDS", 2), "always")
}

// TestKillAllEverysec does the same with the default: a dead process loses nothing either, since what was acknowledged
// was handed to the kernel (only a dead machine could lose the last second).
func TestKillAllEverysec(t *testing.T) {
	t.Parallel()
	killAll(t, number("COBBLE_ROUNDS", 1), "everysec")
}

func killAll(t *testing.T, rounds int, policy string) {
	c := proc.StartCluster(t, 3, 1, options("--appendonly", "yes", "--appendfsync", policy))
	w := startWorkload(t, c, 4000, 8)
	for range rounds {
		w.waitWrites(t, 1500)
		shards := c.Shards()
		// A replica that saw its primary go, and two others alive for as long as an election takes, would take over
		// without what it had not heard: that is not what this is about.
		each(shards, func(sh proc.Shard) { sh.Replica.Kill9() })
		each(shards, func(sh proc.Shard) { sh.Primary.Kill9() })
		w.halt()
		c.Each(func(s *proc.Server) { s.Restart() })
		c.WaitOK()
		w.verify(t)
		if t.Failed() {
			return
		}
		w.resume()
	}
	w.halt()
}

// each runs f for every shard at the same time.
func each(shards []proc.Shard, f func(sh proc.Shard)) {
	var all sync.WaitGroup
	for _, sh := range shards {
		all.Go(func() { f(sh) })
	}
	all.Wait()
}

// resume starts the writers again after halt, above every number sent before.
func (w *workload) resume() {
	for i := range w.tried {
		w.base.Store(max(w.base.Load(), w.tried[i].Load()))
	}
	w.stop = make(chan struct{})
	const writers = 8
	for i := range writers {
		w.wg.Go(func() { w.write(i, writers) })
	}
}

// TestRestartAll stops all six gently and starts them again: the same cluster, the same data.
func TestRestartAll(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options())
	w := startWorkload(t, c, 3000, 4)
	w.waitWrites(t, 3000)
	w.halt()
	for _, sh := range c.Shards() { // whose primary ends first may take over
		proc.Eventually(t, time.Minute, "a replica that has everything", func() error {
			if has, all := offset(t, sh.Replica), offset(t, sh.Primary); has != all {
				return fmt.Errorf("it has %d of %d", has, all)
			}
			return nil
		})
	}
	c.Each(func(s *proc.Server) {
		if code := s.Stop(); code != 0 {
			t.Errorf("port %d: exit code %d after SIGTERM", s.Port, code)
		}
	})
	c.Each(func(s *proc.Server) { s.Restart() })
	c.WaitOK()
	w.verify(t)
}
