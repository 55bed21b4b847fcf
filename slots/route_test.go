package slots

import (
	"fmt"
	"testing"
)

const (
	self uint16 = iota
	other
	third
)

func testView() *View {
	v := &View{Enabled: true, Self: self, Primary: NoNode, Nodes: []Node{{Endpoint: "h0", Port: 1}, {Endpoint: "h1", Port: 2}, {Endpoint: "h2", Port: 3}}}
	for i := range v.Owner {
		v.Owner[i] = other
	}
	return v
}

// TestRouteTable walks every combination of the inputs and compares with the rules
// written the other way round: as one condition for each answer.
func TestRouteTable(t *testing.T) {
	const slot = Slot(7)
	flags := func(bits, n int) bool { return bits>>n&1 == 1 }
	seen, served := map[string]int{}, 0
	for bits := range 1 << 13 {
		v := testView()
		v.Enabled = flags(bits, 0) || flags(bits, 1) // three of four with a cluster
		v.Down, v.ReadsWhenDown, v.PubSubWhenDown = flags(bits, 2), flags(bits, 3), flags(bits, 4)
		migrating, importing := flags(bits, 5) && !flags(bits, 6), flags(bits, 6) && !flags(bits, 5)
		replica := flags(bits, 5) && flags(bits, 6)
		for _, owner := range []uint16{self, other, NoNode} {
			v.Owner[slot] = owner
			v.Migrating, v.Importing, v.Primary = nil, nil, NoNode
			switch {
			case migrating:
				v.Migrating = map[Slot]uint16{slot: third}
			case importing:
				v.Importing = map[Slot]uint16{slot: other}
			case replica:
				v.Primary = other
			}
			for keys := range 9 {
				r := Request{Slot: slot, Write: flags(bits, 7), PubSub: flags(bits, 8), ReadOnly: flags(bits, 9), Asking: flags(bits, 10),
					Migrate: flags(bits, 11), CrossSlot: flags(bits, 12), Present: keys / 3, Missing: keys % 3}
				want := oracle(v, r, owner, migrating, importing, replica)
				got := fmt.Sprint(Route(v, r))
				if got != want {
					t.Fatalf("Route(%+v, owner %d, migrating %v importing %v replica %v down %v reads %v pubsub %v) = %s, want %s",
						r, owner, migrating, importing, replica, v.Down, v.ReadsWhenDown, v.PubSubWhenDown, got, want)
				}
				if v.Serves(slot) && !r.CrossSlot {
					served++
					if got != "<nil>" {
						t.Fatalf("Route(%+v, owner %d) = %s of a slot that is said to be served", r, owner, got)
					}
				}
				seen[want]++
			}
		}
	}
	for _, answer := range []string{"<nil>", "MOVED 7 h1:2", "ASK 7 h2:3", string(CrossSlot), string(TryAgain), string(Unbound), string(StateDown), string(WritesDown)} {
		if seen[answer] == 0 {
			t.Errorf("no case answers %q", answer)
		}
	}
	if len(seen) != 8 || served == 0 {
		t.Errorf("answers: %v", seen)
	}
}

func oracle(v *View, r Request, owner uint16, migrating, importing, replica bool) string {
	keys := !r.PubSub && !r.Migrate
	down := v.Enabled && v.Down
	readsRefused := down && !r.PubSub && !v.ReadsWhenDown || down && r.PubSub && !v.PubSubWhenDown
	open := migrating || importing
	switch {
	case !v.Enabled:
		return "<nil>"
	case owner == NoNode:
		return string(Unbound)
	case r.CrossSlot:
		return string(CrossSlot)
	case readsRefused:
		return string(StateDown)
	case down && r.Write && !r.PubSub:
		return string(WritesDown)
	case open && r.Migrate:
		return "<nil>"
	case migrating && keys && r.Missing > 0 && r.Present > 0:
		return string(TryAgain)
	case migrating && keys && r.Missing > 0:
		return "ASK 7 h2:3"
	case importing && keys && r.Asking && r.Missing > 0 && r.Present+r.Missing > 1:
		return string(TryAgain)
	case importing && keys && r.Asking:
		return "<nil>"
	case owner == self:
		return "<nil>"
	case replica && owner == other && r.ReadOnly && !r.Write:
		return "<nil>"
	}
	return "MOVED 7 h1:2"
}

func TestRouteAllocatesNothingWhenServed(t *testing.T) {
	v := testView()
	v.Owner[7] = self
	if n := testing.AllocsPerRun(100, func() { _ = Route(v, Request{Slot: 7, Write: true}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
