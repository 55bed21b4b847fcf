package driver

import (
	"cobble/cluster"
	"cobble/slots"
)

// Endpoint is where clients are sent for n: its address, its host name or
// nothing at all, by cluster-preferred-endpoint-type ("?" is redis-server's
// word for a host name that is not known).
func Endpoint(n *cluster.Node, preferred string) string {
	switch preferred {
	case "hostname":
		if n.Hostname == "" {
			return "?"
		}
		return n.Hostname
	case "unknown-endpoint":
		return ""
	}
	return n.Addr.IP
}

// slotsView is the part of a view that routes commands.
func slotsView(v *cluster.View, s *Settings) *slots.View {
	out := &slots.View{
		Enabled: true, Down: v.State != cluster.StateOK,
		ReadsWhenDown: s.ReadsWhenDown, PubSubWhenDown: s.PubSubWhenDown,
		Nodes: make([]slots.Node, len(v.Nodes)), Self: uint16(v.Self), Primary: slots.NoNode,
	}
	for i := range out.Owner {
		out.Owner[i] = slots.NoNode
	}
	index := make(map[cluster.ID]uint16, len(v.Nodes))
	for i := range v.Nodes {
		n := &v.Nodes[i]
		index[n.ID] = uint16(i)
		out.Nodes[i] = slots.Node{ID: n.ID.String(), Endpoint: Endpoint(n, s.Endpoint), Port: int(n.Addr.Port)}
		if n.Slots != nil {
			n.Slots.Each(func(slot slots.Slot) bool { out.Owner[slot] = uint16(i); return true })
		}
	}
	if p := v.Myself().Primary; !p.IsZero() {
		if i, known := index[p]; known {
			out.Primary = i
		}
	}
	out.Migrating = openSlots(v.Migrating, index)
	out.Importing = openSlots(v.Importing, index)
	return out
}

func openSlots(open []cluster.OpenSlot, index map[cluster.ID]uint16) map[slots.Slot]uint16 {
	if len(open) == 0 {
		return nil
	}
	out := make(map[slots.Slot]uint16, len(open))
	for _, o := range open {
		if i, known := index[o.Peer]; known {
			out[o.Slot] = i
		}
	}
	return out
}
