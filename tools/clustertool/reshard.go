package clustertool

import (
	"flag"
	"math"
	"strconv"
	"strings"

	"cobble/slots"
)

func reshardFlags(t *tool, fs *flag.FlagSet) {
	moveFlags(t, fs)
	fs.StringVar(&t.from, "from", "", "the `NODES` that give slots, with commas; \"all\" for every other primary")
	fs.StringVar(&t.to, "to", "", "the `NODE` that gets them")
	fs.IntVar(&t.slots, "slots", 0, "how many")
}

func reshard(t *tool, args []string) (any, error) {
	if t.from == "" || t.to == "" || t.slots <= 0 {
		return nil, usagef("reshard needs --from, --to and a positive --slots")
	}
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	if err := t.sound(c); err != nil {
		return nil, err
	}
	to, err := c.primary(t.to)
	if err != nil {
		return nil, err
	}
	var sources []*peer
	if t.from == "all" {
		for _, p := range c.primaries() {
			if p != to && !p.me.Slots.Empty() {
				sources = append(sources, p)
			}
		}
	} else {
		for _, name := range strings.Split(t.from, ",") {
			p, err := c.primary(strings.TrimSpace(name))
			if err != nil {
				return nil, err
			}
			if p == to {
				return nil, usagef("%s cannot both give and get", p.addr)
			}
			sources = append(sources, p)
		}
	}
	var weights []float64
	have := 0
	for _, p := range sources {
		weights = append(weights, float64(p.me.Slots.Len()))
		have += p.me.Slots.Len()
	}
	if have < t.slots {
		return nil, usagef("the sources have %d slots, not %d", have, t.slots)
	}
	var moves []move
	for i, n := range share(t.slots, weights) {
		moves = append(moves, take(sources[i], to, n)...)
	}
	return t.carryOut(c, moves)
}

// primary is find for nodes that can hold slots.
func (c *cluster) primary(name string) (*peer, error) {
	p, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if !p.me.IsPrimary() {
		return nil, usagef("node %s is a replica", p.addr)
	}
	return p, nil
}

// take plans to move a node's first n slots.
func take(from, to *peer, n int) []move {
	var moves []move
	from.me.Slots.Each(func(s slots.Slot) bool {
		if len(moves) == n {
			return false
		}
		moves = append(moves, move{s, from, to})
		return true
	})
	return moves
}

func rebalanceFlags(t *tool, fs *flag.FlagSet) {
	moveFlags(t, fs)
	fs.Var(&t.weights, "weight", "`NODE=W`: its share relative to the others' 1; 0 empties it; may be repeated")
	fs.BoolVar(&t.useEmpty, "use-empty-masters", false, "give slots to primaries that have none")
	fs.BoolVar(&t.useEmpty, "use-empty", false, "the same as --use-empty-masters")
	fs.Float64Var(&t.threshold, "threshold", 2, "leave the slots where they are when no node is off its share by more `percent`")
}

func rebalance(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	if err := t.sound(c); err != nil {
		return nil, err
	}
	given := map[*peer]float64{}
	for _, w := range t.weights {
		name, text, ok := strings.Cut(w, "=")
		value, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || value < 0 || math.IsInf(value, 0) || math.IsNaN(value) {
			return nil, usagef("--weight %q is not NODE=W", w)
		}
		p, err := c.primary(name)
		if err != nil {
			return nil, err
		}
		given[p] = value
	}
	var nodes []*peer
	var weights []float64
	total := 0.0
	for _, p := range c.primaries() {
		w, ok := given[p]
		if !ok {
			if p.me.Slots.Empty() && !t.useEmpty {
				continue
			}
			w = 1
		}
		nodes = append(nodes, p)
		weights = append(weights, w)
		total += w
	}
	if total == 0 {
		return nil, usagef("all weights are 0: nobody would be left to serve the slots")
	}
	return t.carryOut(c, balance(nodes, weights, t.threshold))
}

// balance plans the moves that give each node its share: from those that have most too many to those that lack most.
func balance(nodes []*peer, weights []float64, threshold float64) []move {
	n := 0
	for _, p := range nodes {
		n += p.me.Slots.Len()
	}
	want := share(n, weights)
	surplus := make([]int, len(nodes))
	off := false
	for i, p := range nodes {
		surplus[i] = p.me.Slots.Len() - want[i]
		if math.Abs(float64(surplus[i])) > threshold/100*float64(max(1, want[i])) {
			off = true
		}
	}
	if !off {
		return nil
	}
	var moves []move
	left := make([]slots.Set, len(nodes))
	for i, p := range nodes {
		left[i] = p.me.Slots
	}
	for {
		most, least := 0, 0
		for i := range nodes {
			if surplus[i] > surplus[most] {
				most = i
			}
			if surplus[i] < surplus[least] {
				least = i
			}
		}
		if surplus[most] <= 0 || surplus[least] >= 0 {
			return moves
		}
		for range min(surplus[most], -surplus[least]) {
			slot, _ := left[most].Next(0)
			left[most].Remove(slot)
			moves = append(moves, move{slot, nodes[most], nodes[least]})
			surplus[most]--
			surplus[least]++
		}
	}
}
