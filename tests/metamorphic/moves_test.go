package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/respconn"
	"cobble/tools/topology"
)

// mover moves slots between the primaries of a cluster, a few keys at a time, as
// redis-cli does, until it is stopped. Whoever holds mu has a cluster in which no
// slot is open.
type mover struct {
	t           *testing.T
	c           *proc.Cluster
	slots       []slots.Slot
	rng         *rand.Rand
	mu          sync.Mutex
	stop        chan struct{}
	done        sync.WaitGroup
	moved       atomic.Int64
	interrupted atomic.Int64 // attempts that met a dead node
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

// do sends one command; a failure to reach the server is not an error of the command.
func do(s *proc.Server, args ...string) (r respconn.Reply, broken bool, err error) {
	r, err = s.Try(args...)
	if err != nil {
		return r, true, err
	}
	if err = r.Err(); err != nil {
		err = fmt.Errorf("port %d: %q: %w", s.Port, args, err)
	}
	return r, false, err
}

// move moves one slot. If a node dies meanwhile it begins again when all are back:
// a key that is at the source is then the newer one.
func (m *mover) move() error {
	slot := m.slots[m.rng.IntN(len(m.slots))]
	nodes, servers, err := primaries(m.c)
	if err != nil {
		return err
	}
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
	told := []*proc.Server{servers[to.ID], servers[from.ID]} // the order is redis-cli's
	for _, n := range nodes {
		if n != from && n != to {
			told = append(told, servers[n.ID])
		}
	}
	broken, err := m.moveFrom(from.ID, to.ID, slot, told)
	for tries := 0; err != nil && broken && tries < 1000; tries++ {
		m.interrupted.Add(1)
		time.Sleep(10 * time.Millisecond) // a pause between attempts
		if broken, err = m.moveFrom(from.ID, to.ID, slot, told); err != nil && strings.Contains(err.Error(), "I'm not the owner of hash slot") {
			_, err = m.close(to.ID, slot, told) // it was given away before the node died
		}
	}
	m.moved.Add(1)
	return err
}

func (m *mover) moveFrom(fromID, toID string, slot slots.Slot, told []*proc.Server) (broken bool, err error) {
	target, source, name := told[0], told[1], strconv.Itoa(int(slot))
	if _, broken, err = do(target, "CLUSTER", "SETSLOT", name, "IMPORTING", fromID); err != nil {
		if !strings.Contains(err.Error(), "already the owner") {
			return broken, err
		}
		return m.close(toID, slot, told)
	}
	if _, broken, err = do(source, "CLUSTER", "SETSLOT", name, "MIGRATING", toID); err != nil {
		return broken, err
	}
	for {
		r, broken, err := do(source, "CLUSTER", "GETKEYSINSLOT", name, strconv.Itoa(1+m.rng.IntN(3)))
		if err != nil {
			return broken, err
		}
		keys, err := r.Strs()
		if err != nil {
			return false, err
		}
		if len(keys) == 0 {
			return m.close(toID, slot, told)
		}
		args := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.Port), "", "0", "20000", "KEYS"}
		if m.interrupted.Load() > 0 {
			args = slices.Insert(args, 6, "REPLACE")
		}
		if _, broken, err = do(source, append(args, keys...)...); err != nil {
			return broken || strings.Contains(err.Error(), "IOERR"), err
		}
	}
}

// close gives the slot away.
func (m *mover) close(toID string, slot slots.Slot, told []*proc.Server) (broken bool, err error) {
	for _, s := range told {
		if _, broken, err = do(s, "CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "NODE", toID); err != nil {
			return broken, err
		}
	}
	return false, nil
}
