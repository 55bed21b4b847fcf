package clustertool

import (
	"fmt"
	"sort"

	"cobble/slots"
)

// site is a node to be placed: where it is.
type site struct {
	addr string
	host string
}

// shard is a planned primary, its slots, and its replicas.
type shard struct {
	Primary  string      `json:"primary"`
	Range    slots.Range `json:"-"`
	Slots    string      `json:"slots"`
	Replicas []string    `json:"replicas"`
}

// place divides sites into shards. Primaries are spread over the hosts, slots are dealt evenly in order, and no replica
// shares a host with its primary, nor with another replica of it, as far as the hosts allow; what they do not allow is
// in the warnings. It is deterministic: the order of the sites decides between equal choices.
func place(sites []site, replicas int) (shards []shard, warnings []string, err error) {
	primaries := len(sites) / (replicas + 1)
	if primaries < 1 {
		return nil, nil, usagef("%d replicas for each primary need at least %d nodes, not %d", replicas, replicas+1, len(sites))
	}
	order := interleave(sites)
	hosts := map[string]string{}
	for _, s := range sites {
		hosts[s.addr] = s.host
	}
	groups := make([][]site, primaries) // the primary first
	for i := range groups {
		groups[i] = []site{order[i]}
	}
	assign(groups, order[primaries:], replicas)
	improve(groups)
	for i, g := range groups {
		r := slots.Range{First: slots.Slot(i * slots.Count / primaries), Last: slots.Slot((i+1)*slots.Count/primaries - 1)}
		s := shard{Primary: g[0].addr, Range: r, Slots: r.String(), Replicas: []string{}}
		for _, replica := range g[1:] {
			s.Replicas = append(s.Replicas, replica.addr)
		}
		shards = append(shards, s)
	}
	together, doubled := crowding(groups)
	if len(countHosts(sites)) > 1 && together > 0 {
		warnings = append(warnings, fmt.Sprintf("%d replicas are on the host of their primary: the hosts do not allow better", together))
	}
	if len(countHosts(sites)) > 1 && doubled > 0 {
		warnings = append(warnings, fmt.Sprintf("%d replicas share a host with another replica of the same primary", doubled))
	}
	return shards, warnings, nil
}

func countHosts(sites []site) map[string]int {
	n := map[string]int{}
	for _, s := range sites {
		n[s.host]++
	}
	return n
}

// interleave takes sites from each host in turn, hosts in the order they were first named.
func interleave(sites []site) []site {
	byHost := map[string][]site{}
	var hosts []string
	for _, s := range sites {
		if byHost[s.host] == nil {
			hosts = append(hosts, s.host)
		}
		byHost[s.host] = append(byHost[s.host], s)
	}
	var order []site
	for len(order) < len(sites) {
		for _, h := range hosts {
			if len(byHost[h]) > 0 {
				order = append(order, byHost[h][0])
				byHost[h] = byHost[h][1:]
			}
		}
	}
	return order
}

// assign deals the rest out as replicas; what is left over when each shard has its number goes round once more.
func assign(groups [][]site, rest []site, replicas int) {
	for round := 0; len(rest) > 0; round++ {
		for i := range groups {
			if len(rest) == 0 {
				return
			}
			best := 0
			for j := range rest {
				if cost(append(groups[i][:len(groups[i]):len(groups[i])], rest[j])) < cost(append(groups[i][:len(groups[i]):len(groups[i])], rest[best])) {
					best = j
				}
			}
			groups[i] = append(groups[i], rest[best])
			rest = append(rest[:best:best], rest[best+1:]...)
		}
	}
}

// cost weighs a shard: a replica with its primary is lost with it, which is what replicas are there to prevent; two
// replicas together are only one host's worth of safety.
func cost(group []site) int {
	n := 0
	for i := 1; i < len(group); i++ {
		if group[i].host == group[0].host {
			n += 10000
		}
		for j := 1; j < i; j++ {
			if group[i].host == group[j].host {
				n++
			}
		}
	}
	return n
}

func crowding(groups [][]site) (together, doubled int) {
	for _, g := range groups {
		together += cost(g) / 10000
		doubled += cost(g) % 10000
	}
	return together, doubled
}

// improve swaps replicas between shards, and roles inside hosts' choice, while that lowers the cost.
func improve(groups [][]site) {
	for better := true; better; {
		better = false
		for a := range groups {
			for b := range groups {
				if a != b && cost(groups[a])+cost(groups[b]) > 0 && swap(groups[a], groups[b]) {
					better = true
				}
			}
		}
	}
}

// swap exchanges the pair of members that helps most, if one does.
func swap(a, b []site) bool {
	before := cost(a) + cost(b)
	bestCost, bestI, bestJ := before, -1, -1
	for i := range a {
		for j := range b {
			a[i], b[j] = b[j], a[i]
			if c := cost(a) + cost(b); c < bestCost {
				bestCost, bestI, bestJ = c, i, j
			}
			a[i], b[j] = b[j], a[i]
		}
	}
	if bestI < 0 {
		return false
	}
	a[bestI], b[bestJ] = b[bestJ], a[bestI]
	return true
}

// share deals n slots out by weight: the parts add up to n, and each is within one of its exact share.
func share(n int, weights []float64) []int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	parts := make([]int, len(weights))
	if total == 0 {
		return parts
	}
	type fraction struct {
		i    int
		rest float64
	}
	var rests []fraction
	left := n
	for i, w := range weights {
		exact := float64(n) * w / total
		parts[i] = int(exact)
		left -= parts[i]
		rests = append(rests, fraction{i, exact - float64(parts[i])})
	}
	sort.SliceStable(rests, func(i, j int) bool { return rests[i].rest > rests[j].rest })
	for k := range left {
		parts[rests[k%len(rests)].i]++
	}
	return parts
}
