package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// disagreement returns what keeps the living hosts from one common belief:
// the same nodes, owners, roles, electors, and state ok. Empty: nothing.
func (w *World) disagreement() string {
	var first *cluster.View
	living := 0
	for _, h := range w.Hosts {
		if h.machine == nil {
			continue
		}
		living++
		if first == nil {
			first = h.view
		} else if why := difference(first, h.view); why != "" {
			return why
		}
	}
	switch {
	case first == nil:
		return "nobody lives"
	case len(first.Nodes) < living:
		return "nodes are missing"
	}
	return ""
}

func difference(a, b *cluster.View) string {
	if len(a.Nodes) != len(b.Nodes) {
		return "different nodes"
	}
	for i := range a.Nodes {
		x, y := &a.Nodes[i], &b.Nodes[i]
		switch {
		case x.ID != y.ID:
			return "different nodes"
		case x.Primary != y.Primary:
			return "different roles of " + x.ID.String()[:4]
		case x.ConfigEpoch != y.ConfigEpoch:
			return "different epochs of " + x.ID.String()[:4]
		case !sameSlots(x.Slots, y.Slots):
			return "different slots of " + x.ID.String()[:4]
		}
	}
	return ""
}

func sameSlots(a, b *slots.Set) bool {
	if a == b {
		return true
	}
	return a != nil && b != nil && *a == *b
}

// unsettled returns why the cluster is not whole: disagreement, state fail,
// more than one elector set, or a living host whose data path plays another
// role than its record says.
func (w *World) unsettled() string {
	if why := w.disagreement(); why != "" {
		return why
	}
	var set *cluster.Electors
	for _, h := range w.Hosts {
		if h.machine == nil {
			continue
		}
		v := h.view
		if v.State != cluster.StateOK {
			return "state fail: " + v.Reason
		}
		if v.Electors == nil || v.Electors.Cluster != v.Cluster {
			return "no electors"
		}
		if set == nil {
			set = v.Electors
		}
		if set.Cluster != v.Electors.Cluster || set.Ver != v.Electors.Ver {
			return "different electors"
		}
		if me := v.Myself(); me.IsPrimary() != h.primary || !me.IsPrimary() && me.Primary != h.of {
			return "data path in another role"
		}
	}
	return ""
}

func (w *World) agree() bool   { return w.disagreement() == "" }
func (w *World) settled() bool { return w.unsettled() == "" }
