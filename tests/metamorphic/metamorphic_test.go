package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// seeds is how many plans are run, and steps how long each is.
func seeds(t *testing.T) uint64 {
	if s := os.Getenv("COBBLE_SEEDS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 2
}

const steps = 400

// movesEvery is after how many steps at the latest another slot has been moved.
const movesEvery = 20

// run is one plan on one system, and what it replied.
type run struct {
	client  *client
	plan    *plan
	replies [][]string // nil: lost with a connection
}

// do runs all steps; before is called before each.
func (r *run) do(t *testing.T, before func(number int)) {
	t.Helper()
	for number := 1; number <= steps; number++ {
		before(number)
		s := r.plan.next()
		slot := slots.Of([]byte(r.plan.tags[s.group]))
		replies, known, err := r.client.transact(slot, r.plan.sequenceKey(s.group), number, s.commands)
		if err != nil {
			t.Fatalf("step %d of %s, %.200q: %v", number, r.plan.name, s.commands, err)
		}
		var texts []string
		for i := range replies {
			texts = append(texts, normal(s.commands[i][0], replies[i]))
		}
		if !known {
			texts = nil
		}
		r.replies = append(r.replies, texts)
	}
}

// normal is a reply without the order of fields, which is not part of the value.
func normal(name string, reply respconn.Reply) string {
	group := map[string]int{"HGETALL": 2, "HKEYS": 1, "HVALS": 1, "SMEMBERS": 1, "SUNION": 1}[name]
	if group == 0 || !reply.IsAggregate() {
		return reply.String()
	}
	var parts []string
	for i := 0; i+group <= len(reply.Elems); i += group {
		parts = append(parts, fmt.Sprint(reply.Elems[i:i+group]))
	}
	slices.Sort(parts)
	return name + strings.Join(parts, " ")
}

// contents reads what all keys hold in the end.
func (r *run) contents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for g := range groups {
		slot := slots.Of([]byte(r.plan.tags[g]))
		for i := range keysPerGroup {
			key := r.plan.key(g, i)
			for _, read := range []string{"GET", "HGETALL", "LRANGE 0 -1", "SMEMBERS", "ZRANGE 0 -1 WITHSCORES", "XRANGE - +", "XPENDING g"} {
				words := strings.Fields(read)
				name, args := words[0], append([]string{words[0], key}, words[1:]...)
				replies, err := r.client.read(slot, args...)
				if err != nil {
					t.Fatal(err)
				}
				out[key+" "+name] = normal(name, replies[0])
			}
		}
	}
	return out
}

// same compares a run with that of the reference.
func same(t *testing.T, what string, got, want *run) {
	t.Helper()
	known := 0
	for i := range want.replies {
		if got.replies[i] == nil {
			continue
		}
		known++
		if !slices.Equal(got.replies[i], want.replies[i]) {
			t.Fatalf("%s, step %d of %s:\ngot  %.400q\nwant %.400q", what, i+1, want.plan.name, got.replies[i], want.replies[i])
		}
	}
	wanted, found := want.contents(t), got.contents(t)
	for key, w := range wanted {
		if found[key] != w {
			t.Errorf("%s: in the end %s of %s is\ngot  %.300s\nwant %.300s", what, key, want.plan.name, found[key], w)
		}
	}
	c := got.client
	t.Logf("%s: %s: %d of %d steps with known replies; %d MOVED, %d ASK, %d refusals, %d broken connections, %d steps found executed",
		what, want.plan.name, known, steps, c.redirects, c.asks, c.refusals, c.breaks, c.resolved)
}

func newRun(seed uint64, addrs []string) *run {
	return &run{client: newClient(addrs), plan: newPlan(seed)}
}

// references runs every plan on one node.
func references(t *testing.T) []*run {
	t.Helper()
	one := proc.Start(t, proc.Options{Standalone: true})
	var all []*run
	for seed := range seeds(t) {
		r := newRun(seed, []string{one.Addr})
		t.Cleanup(r.client.close)
		r.do(t, func(int) {})
		all = append(all, r)
	}
	return all
}

func TestClusterIsOneNode(t *testing.T) {
	want := references(t)
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	for seed := range seeds(t) {
		r := newRun(seed, c.Addrs())
		r.do(t, func(int) {})
		same(t, "three nodes", r, want[seed])
		r.client.close()
	}
}

func TestClusterIsOneNodeWhileSlotsMove(t *testing.T) {
	want := references(t)
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	m := startMover(t, c, slotsOf(want[0].plan))
	for seed := range seeds(t) {
		r := newRun(seed, c.Addrs())
		start := m.moved.Load()
		r.do(t, func(number int) { m.keepUp(start + int64(number)/movesEvery) })
		same(t, "moving slots", r, want[seed])
		r.client.close()
	}
	m.end()
	t.Logf("%d slots moved", m.moved.Load())
}

// killEvery is after how many steps another node is killed.
const killEvery = 100

// A primary that is killed and started again has everything that it acknowledged,
// and the half of a move that it was in the middle of.
func TestClusterIsOneNodeWhilePrimariesAreKilled(t *testing.T) {
	want := references(t)
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	m := startMover(t, c, slotsOf(want[0].plan))
	rng := rand.New(rand.NewPCG(5, 6))
	for seed := range seeds(t) {
		r := newRun(seed, c.Addrs())
		var killer sync.WaitGroup
		r.do(t, func(number int) {
			if number%killEvery == killEvery/2 {
				killer.Wait()
				victim := c.Servers[rng.IntN(3)]
				killer.Go(func() {
					victim.Kill9()
					victim.Restart()
				})
			}
		})
		killer.Wait()
		c.WaitOK()
		same(t, "killed primaries", r, want[seed])
		r.client.close()
	}
	m.end()
	t.Logf("%d slots moved, %d attempts were interrupted", m.moved.Load(), m.interrupted.Load())
}

// When a primary dies for good its replica goes on, and nothing is lost of what the
// replica was known to have. (What only the primary had is lost with it: that is
// what WAIT is for.)
func TestClusterIsOneNodeWhileReplicasTakeOver(t *testing.T) {
	want := references(t)
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	m := startMover(t, c, slotsOf(want[0].plan))
	defer m.end()
	for seed := range seeds(t) {
		r := newRun(seed, c.Addrs())
		r.client.replicated.Store(true)
		var killer sync.WaitGroup
		r.do(t, func(number int) {
			if number == killEvery {
				killer.Go(func() { failOver(t, c, m, r.plan, int(seed)) })
			}
		})
		killer.Wait()
		r.client.replicated.Store(false)
		same(t, "failovers", r, want[seed])
		r.client.close()
	}
	t.Logf("%d slots moved", m.moved.Load())
}

// failOver kills a primary whose replica is up to date, waits until that has taken
// over, and brings the old one back.
func failOver(t *testing.T, c *proc.Cluster, m *mover, p *plan, which int) {
	m.mu.Lock() // no slot is open
	defer m.mu.Unlock()
	replicate(t, c, p)
	nodes, servers, err := primaries(c)
	if err != nil || len(nodes) != 3 {
		t.Errorf("%d primaries, %v", len(nodes), err)
		return
	}
	victim := nodes[which%3]
	servers[victim.ID].Kill9()
	proc.Eventually(t, patience, "a failover", func() error {
		now, _, err := primaries(c)
		for _, n := range now {
			if n.ID == victim.ID {
				return fmt.Errorf("%s is still a primary", n.ID)
			}
		}
		if err == nil && len(now) != 3 {
			err = fmt.Errorf("%d primaries", len(now))
		}
		return err
	})
	servers[victim.ID].Restart()
	c.WaitOK()
	replicate(t, c, p)
}

// replicate waits until all that is in the slots of a plan is at a replica too.
func replicate(t *testing.T, c *proc.Cluster, p *plan) {
	other := newClient(c.Addrs())
	other.replicated.Store(true)
	defer other.close()
	for g := range groups {
		slot := slots.Of([]byte(p.tags[g]))
		for {
			_, _, err := other.send(slot, [][]string{{"SET", fmt.Sprintf("replicated:{%s}", p.tags[g]), "x"}})
			if err != nil {
				t.Errorf("slot %d: %v", slot, err)
				return
			}
			if other.isReplicated(slot) {
				break
			}
		}
	}
}

func slotsOf(p *plan) []slots.Slot {
	var list []slots.Slot
	for _, tag := range p.tags {
		list = append(list, slots.Of([]byte(tag)))
	}
	return list
}
