package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/topology"
)

// mover moves slots between the primaries of a cluster, a few keys at a time, as
// redis-cli does, until it is stopped. Whoever holds mu has a cluster in which no
// slot is open.
type mover struct {
	t     *testing.T
	c     *proc.Cluster
	slots []slots.Slot
	rng   *rand.Rand
	mu    sync.Mutex
	stop  chan struct{}
	done  sync.WaitGroup
	moved atomic.Int64
}

func startMover(t *testing.T, c *proc.Cluster, list []slots.Slot) *mover {
	m := &mover{t: t, c: c, slots: list, rng: rand.New(rand.NewPCG(3, 4)), stop: make(chan struct{})}
	m.done.Go(func() {
		for {
			select {
			case <-m.stop:
				return
			default:
			}
			m.mu.Lock()
			err := m.move()
			m.mu.Unlock()
			if err != nil {
				t.Errorf("a move failed: %v", err)
				return
			}
		}
	})
	return m
}

func (m *mover) end() {
	close(m.stop)
	m.done.Wait()
}

// keepUp waits until so many slots were moved in all.
func (m *mover) keepUp(n int64) {
	for m.moved.Load() < n && !m.t.Failed() {
		time.Sleep(time.Millisecond)
	}
}

// primaries returns the primaries of a cluster as a living node sees them, with
// their processes.
func primaries(c *proc.Cluster) (nodes []*topology.Node, servers map[string]*proc.Server, err error) {
	byPort := map[int]*proc.Server{}
	text := ""
	for _, s := range c.Servers {
		byPort[s.Port] = s
		if text == "" && s.Alive() {
			if r, err := s.Try("CLUSTER", "NODES"); err == nil {
				text = r.Text
			}
		}
	}
	all, err := topology.ParseNodes(text)
	servers = map[string]*proc.Server{}
	for _, n := range all {
		if n.IsPrimary() && !n.Slots.Empty() {
			nodes = append(nodes, n)
			servers[n.ID] = byPort[n.Port]
		}
	}
	return nodes, servers, err
}

// move moves one slot.
func (m *mover) move() error {
	nodes, servers, err := primaries(m.c)
	if err != nil {
		return err
	}
	slot := m.slots[m.rng.IntN(len(m.slots))]
	var from, to *topology.Node
	for _, n := range nodes {
		if n.Slots.Has(slot) {
			from = n
		}
	}
	for from != nil && (to == nil || to == from) {
		to = nodes[m.rng.IntN(len(nodes))]
	}
	if from == nil {
		return fmt.Errorf("nobody serves slot %d", slot)
	}
	source, target, name := servers[from.ID], servers[to.ID], strconv.Itoa(int(slot))
	do := func(s *proc.Server, args ...string) error {
		r, err := s.Try(args...)
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			err = fmt.Errorf("port %d: %q: %w", s.Port, args, err)
		}
		return err
	}
	if err := do(target, "CLUSTER", "SETSLOT", name, "IMPORTING", from.ID); err != nil {
		return err
	}
	if err := do(source, "CLUSTER", "SETSLOT", name, "MIGRATING", to.ID); err != nil {
		return err
	}
	for {
		r, err := source.Try("CLUSTER", "GETKEYSINSLOT", name, strconv.Itoa(1+m.rng.IntN(3)))
		if err != nil {
			return err
		}
		keys, err := r.Strs()
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		args := append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.Port), "", "0", "20000", "KEYS"}, keys...)
		if err := do(source, args...); err != nil {
			return err
		}
	}
	m.moved.Add(1)
	told := []*proc.Server{target, source}
	for _, n := range nodes {
		if n != from && n != to {
			told = append(told, servers[n.ID])
		}
	}
	for _, s := range told { // in this order, as redis-cli does
		if err := do(s, "CLUSTER", "SETSLOT", name, "NODE", to.ID); err != nil {
			return err
		}
	}
	return nil
}
