package clustertool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
	"cobble/tools/topology"
)

func sitesOn(hosts ...string) []site {
	var all []site
	for i, h := range hosts {
		all = append(all, site{fmt.Sprintf("%s:%d", h, 7000+i), h})
	}
	return all
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		hosts             []string
		replicas          int
		shards            int
		together, doubled int
	}{
		{[]string{"a", "a", "a", "a", "a", "a"}, 1, 3, 3, 0},
		{[]string{"a", "b", "c", "a", "b", "c"}, 1, 3, 0, 0},
		{[]string{"a", "a", "b", "b", "c", "c"}, 1, 3, 0, 0},
		{[]string{"a", "a", "a", "b", "b", "b"}, 1, 3, 0, 0},
		{[]string{"a", "a", "a", "a", "b", "b"}, 1, 3, 1, 0},
		{[]string{"a", "a", "a", "b", "b", "b", "c", "c", "c"}, 2, 3, 0, 0},
		{[]string{"a", "b", "a", "b", "a", "b"}, 2, 2, 0, 2},
		{[]string{"a", "b", "c", "d", "e", "f", "g"}, 1, 3, 0, 0},
		{[]string{"a", "b", "c"}, 0, 3, 0, 0},
		{[]string{"a"}, 0, 1, 0, 0},
	} {
		sites := sitesOn(c.hosts...)
		shards, warnings, err := place(sites, c.replicas)
		if err != nil || len(shards) != c.shards {
			t.Errorf("%v: %d shards, %v", c.hosts, len(shards), err)
			continue
		}
		host := map[string]string{}
		for _, s := range sites {
			host[s.addr] = s.host
		}
		var covered slots.Set
		var groups [][]site
		seen := map[string]bool{}
		for _, s := range shards {
			covered.AddRange(s.Range)
			g := []site{{s.Primary, host[s.Primary]}}
			for _, r := range s.Replicas {
				g = append(g, site{r, host[r]})
			}
			for _, m := range g {
				if seen[m.addr] {
					t.Errorf("%v: %s is placed twice", c.hosts, m.addr)
				}
				seen[m.addr] = true
			}
			if len(s.Replicas) < c.replicas {
				t.Errorf("%v: %v has too few replicas", c.hosts, s)
			}
			groups = append(groups, g)
		}
		if len(seen) != len(sites) || covered != slots.Full() {
			t.Errorf("%v: %d of %d nodes placed, %d slots", c.hosts, len(seen), len(sites), covered.Len())
		}
		together, doubled := crowding(groups)
		if together != c.together || doubled != c.doubled {
			t.Errorf("%v: %d replicas with their primary, %d with another; want %d, %d: %v", c.hosts, together, doubled, c.together, c.doubled, shards)
		}
		several := len(countHosts(sites)) > 1
		if (len(warnings) > 0) != (several && together+doubled > 0) {
			t.Errorf("%v: warnings %q", c.hosts, warnings)
		}
	}
	if _, _, err := place(sitesOn("a"), 1); err == nil {
		t.Error("one node was placed with a replica")
	}
}

// Whenever each host has at most one node of each shard to hold, the hosts allow a placement without crowding.
func TestPlaceRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		replicas, primaries := r.IntN(3), 1+r.IntN(8)
		n := primaries * (replicas + 1)
		hosts := max(replicas+1, 2) + r.IntN(4)
		var names []string
		for i := range n { // no host has more than ⌈n/hosts⌉ ≤ primaries nodes
			names = append(names, fmt.Sprint("h", i%hosts))
		}
		r.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
		if _, warnings, err := place(sitesOn(names...), replicas); err != nil || len(warnings) > 0 {
			t.Errorf("%d replicas on %v: %q, %v", replicas, names, warnings, err)
		}
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		n       int
		weights []float64
		want    []int
	}{
		{10, []float64{1, 1}, []int{5, 5}},
		{10, []float64{1, 1, 1}, []int{4, 3, 3}},
		{10, []float64{0, 1}, []int{0, 10}},
		{16384, []float64{1, 2, 1}, []int{4096, 8192, 4096}},
		{0, []float64{1, 1}, []int{0, 0}},
		{5, []float64{0, 0}, []int{0, 0}},
	} {
		if got := share(c.n, c.weights); !slices.Equal(got, c.want) {
			t.Errorf("share(%d, %v) = %v", c.n, c.weights, got)
		}
	}
}

func peersWith(counts ...int) []*peer {
	var all []*peer
	next := 0
	for i, n := range counts {
		p := &peer{addr: fmt.Sprint("n", i), me: &topology.Node{ID: fmt.Sprint("id", i)}}
		if n > 0 {
			p.me.Slots.AddRange(slots.Range{First: slots.Slot(next), Last: slots.Slot(next + n - 1)})
		}
		next += n
		all = append(all, p)
	}
	return all
}

func TestBalance(t *testing.T) {
	for _, c := range []struct {
		have      []int
		weights   []float64
		threshold float64
		want      []int
	}{
		{[]int{100, 100, 100}, []float64{1, 1, 1}, 2, []int{100, 100, 100}},
		{[]int{101, 100, 99}, []float64{1, 1, 1}, 2, []int{101, 100, 99}},
		{[]int{101, 100, 99}, []float64{1, 1, 1}, 0, []int{100, 100, 100}},
		{[]int{300, 0, 0}, []float64{1, 1, 1}, 2, []int{100, 100, 100}},
		{[]int{150, 150, 0}, []float64{1, 1, 0}, 2, []int{150, 150, 0}},
		{[]int{100, 100, 100}, []float64{0, 1, 1}, 2, []int{0, 150, 150}},
		{[]int{100, 100, 100}, []float64{2, 1, 0}, 2, []int{200, 100, 0}},
	} {
		nodes := peersWith(c.have...)
		moves := balance(nodes, c.weights, c.threshold)
		has := map[*peer]*slots.Set{}
		for _, p := range nodes {
			s := p.me.Slots
			has[p] = &s
		}
		for _, m := range moves {
			if !has[m.from].Has(m.slot) {
				t.Fatalf("%v: %s gives slot %d, which it has not", c.have, m.from.addr, m.slot)
			}
			has[m.from].Remove(m.slot)
			has[m.to].Add(m.slot)
		}
		var got []int
		for _, p := range nodes {
			got = append(got, has[p].Len())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("balance(%v, %v, %v) gives %v, want %v", c.have, c.weights, c.threshold, got, c.want)
		}
	}
}
