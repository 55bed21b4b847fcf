package metamorphic

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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
	group := map[string]int{"HGETALL": 2, "HKEYS": 1, "HVALS": 1}[name]
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
			for _, name := range []string{"GET", "HGETALL"} {
				replies, _, err := r.client.send(slot, [][]string{{name, key}})
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

func slotsOf(p *plan) []slots.Slot {
	var list []slots.Slot
	for _, tag := range p.tags {
		list = append(list, slots.Of([]byte(tag)))
	}
	return list
}
