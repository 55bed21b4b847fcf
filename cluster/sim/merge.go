package sim

import (
	"fmt"

	"cobble/cluster"
	"cobble/slots"
)

// deviation is what is done to one happening of an otherwise orderly run.
type deviation uint8

const (
	deferShort deviation = iota // others overtake it
	deferLong                   // by more than the retries take
	lose                        // a message is lost
	double                      // a message arrives twice
	crashThere                  // the host it happens to crashes, and restarts soon
	deviations
)

// schedule names the happenings of a run that are deviated from, by their
// number.
type schedule map[int]deviation

// deviate does to next what the schedule says, and reports whether next still
// happens now.
func (w *World) deviate(next *happening) bool {
	w.happened++
	what, is := w.deviations[w.happened]
	if !is || next.kind == runFunc {
		return true
	}
	_, message := next.what.(cluster.Receive)
	switch what {
	case deferShort, deferLong:
		if message {
			w.schedule(w.now+map[deviation]int64{deferShort: 3_000, deferLong: 700_000}[what], *next)
		}
		return !message
	case lose:
		return !message
	case double:
		if message {
			w.schedule(w.now+20_000, *next)
		}
		return true
	}
	h := next.host
	h.crash(w)
	w.After(30, func(w *World) { h.revive(w) })
	return false
}

// Meetings are the ways n singletons can be told to become one cluster.
var Meetings = []struct {
	Name string
	Pair func(n int) [][2]int // who is told to meet whom
}{
	{"all to one", func(n int) (pairs [][2]int) {
		for i := 1; i < n; i++ {
			pairs = append(pairs, [2]int{i, 0})
		}
		return pairs
	}},
	{"chain", func(n int) (pairs [][2]int) {
		for i := 1; i < n; i++ {
			pairs = append(pairs, [2]int{i - 1, i})
		}
		return pairs
	}},
	{"ring", func(n int) (pairs [][2]int) {
		for i := range n {
			pairs = append(pairs, [2]int{i, (i + 1) % n})
		}
		return pairs
	}},
	{"each other", func(n int) (pairs [][2]int) {
		for i := range n {
			for j := range n {
				if i != j {
					pairs = append(pairs, [2]int{i, j})
				}
			}
		}
		return pairs
	}},
}

// Merge lets n singletons, each of which owns a share of the slots, meet in the
// given way, with the deviations of plan, and returns the world after it has
// become whole (or has failed to) and how many happenings that took.
func Merge(seed uint64, n, way int, mutation cluster.Mutation, plan schedule) (*World, int) {
	w := New(seed, n, mutation, nil)
	w.Net = Net{MinDelay: 500, MaxDelay: 500, SyncMin: 300, SyncMax: 300}
	for i := range n {
		var set slots.Set
		set.AddRange(slots.Range{First: slots.Slot(slots.Count * i / n), Last: slots.Slot(slots.Count*(i+1)/n - 1)})
		w.Do(i, cluster.AddSlots{Slots: set})
	}
	w.Run(20)
	w.deviations, w.happened = plan, 0
	merged := func() bool { return w.settled() && w.registered() == "" }
	for range 4 { // a crash forgets a MEET under way: the operator says it again
		for _, pair := range Meetings[way].Pair(n) {
			w.Do(pair[0], cluster.Meet{Addr: hostAddr(pair[1])})
		}
		if w.RunUntil(5_000, merged) {
			break
		}
	}
	took := w.happened
	if len(w.Failures) == 0 && !merged() {
		w.fail("not merged: %s %s", w.unsettled(), w.registered())
	}
	return w, took
}

// registered returns which primary's shard is not held by a majority of the
// electors as it should be, or nothing.
func (w *World) registered() string {
	set := w.Hosts[0].view.Electors
	for _, h := range w.Hosts {
		if h.machine == nil || !h.primary {
			continue
		}
		me := h.view.Myself()
		holders := 0
		for _, o := range w.Hosts {
			if _, is := set.Has(o.id()); !is || o.machine == nil {
				continue
			}
			for _, d := range o.machine.Acceptor().Domains {
				for _, r := range d.Registers {
					if d.Cluster == set.Cluster && r.Key == me.Shard && r.Config != nil && r.Config.Primary.ID == me.ID {
						holders++
					}
				}
			}
		}
		if holders < set.Majority() {
			return fmt.Sprintf("the shard of n%d is held by %d of %d electors", h.index, holders, len(set.Members))
		}
	}
	return ""
}
