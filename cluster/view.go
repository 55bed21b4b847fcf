package cluster

import (
	"sort"

	"cobble/slots"
)

// View is what a node believes, frozen: everything CLUSTER NODES, SLOTS,
// SHARDS, INFO, REPLICAS and the routing of a command need. It is immutable
// and may be read by any goroutine without a lock.
type View struct {
	Nodes []Node // ascending by ID, handshakes included
	Self  int    // index of this node in Nodes

	State  State
	Reason string // why State is StateFail, for the log

	CurrentEpoch uint64
	Size         int // primaries that own a slot
	Assigned     int // slots with an owner
	SlotsOK      int
	SlotsPFail   int
	SlotsFail    int

	Migrating []OpenSlot // ascending by slot
	Importing []OpenSlot // ascending by slot

	Cluster  ID
	Electors *Electors // nil until known
	Term     uint64    // of this node's shard

	owner *[slots.Count]uint16 // index into place; shared by the views that agree
	place []uint16             // index into Nodes plus one; 0: nobody
}

// State is cluster_state.
type State uint8

// States of a cluster.
const (
	StateFail State = iota
	StateOK
)

func (s State) String() string {
	if s == StateOK {
		return "ok"
	}
	return "fail"
}

// OpenSlot is a slot being moved by hand (SETSLOT MIGRATING or IMPORTING).
type OpenSlot struct {
	Slot slots.Slot
	Peer ID // migrating: destination; importing: source
}

// Node is one line of CLUSTER NODES.
type Node struct {
	ID          ID
	Addr        Addr
	Hostname    string
	Flags       Flags
	Primary     ID // zero: the node is a primary
	Shard       ID
	Term        uint64
	ConfigEpoch uint64 // of its primary if it is a replica
	Offset      uint64
	Boot        uint64

	Myself, PFail, Fail, Handshake, NoAddr bool

	PingSent     Time // outstanding probe was sent; 0: none outstanding
	PongReceived Time // last evidence of life; 0: never
	Connected    bool
	FailReports  int        // CLUSTER COUNT-FAILURE-REPORTS
	Slots        *slots.Set // slots it owns in this view; nil: none
}

// IsPrimary reports whether n is a primary.
func (n *Node) IsPrimary() bool { return n.Primary.IsZero() }

// FlagText prints the flags of CLUSTER NODES ("myself,master", "slave,fail?").
func (n *Node) FlagText() string {
	text := ""
	add := func(on bool, word string) {
		if on {
			if text != "" {
				text += ","
			}
			text += word
		}
	}
	add(n.Myself, "myself")
	add(n.IsPrimary(), "master")
	add(!n.IsPrimary(), "slave")
	add(n.PFail && !n.Fail, "fail?")
	add(n.Fail, "fail")
	add(n.Handshake, "handshake")
	add(n.NoAddr, "noaddr")
	add(n.Flags&NoFailover != 0, "nofailover")
	return text
}

// Myself returns this node.
func (v *View) Myself() *Node { return &v.Nodes[v.Self] }

// Owner returns the primary that owns slot, or nil.
func (v *View) Owner(slot slots.Slot) *Node {
	if v.owner == nil {
		return nil
	}
	if at := v.place[v.owner[slot]]; at != 0 {
		return &v.Nodes[at-1]
	}
	return nil
}

// Node returns the node with that id, or nil.
func (v *View) Node(id ID) *Node {
	at := sort.Search(len(v.Nodes), func(i int) bool { return !v.Nodes[i].ID.Less(id) })
	if at < len(v.Nodes) && v.Nodes[at].ID == id {
		return &v.Nodes[at]
	}
	return nil
}

func openSlot(open []OpenSlot, slot slots.Slot) (ID, bool) {
	at := sort.Search(len(open), func(i int) bool { return open[i].Slot >= slot })
	if at < len(open) && open[at].Slot == slot {
		return open[at].Peer, true
	}
	return ID{}, false
}

// View returns the beliefs of this moment, with fresh ping and pong times.
func (m *Machine) View() *View {
	v := &View{
		Self: -1, State: m.clusterState.now, Reason: m.reason, CurrentEpoch: m.currentEpoch, Assigned: m.assigned,
		Migrating: m.migrating, Importing: m.importing,
		Cluster: m.self().Cluster, Electors: m.inForce(), Term: m.self().Term,
	}
	v.Nodes = make([]Node, 0, len(m.nodes)+len(m.handshakes))
	for _, n := range m.nodes {
		v.Nodes = append(v.Nodes, m.nodeView(n))
		if n.ownedCount == 0 {
			continue
		}
		v.Size++
		switch {
		case n.fail:
			v.SlotsFail += n.ownedCount
		case n.pfail:
			v.SlotsPFail += n.ownedCount
		default:
			v.SlotsOK += n.ownedCount
		}
	}
	for _, h := range m.handshakes {
		v.Nodes = append(v.Nodes, Node{ID: h.id, Addr: h.addr, Handshake: true, PingSent: h.started})
	}
	sort.Slice(v.Nodes, func(i, j int) bool { return v.Nodes[i].ID.Less(v.Nodes[j].ID) })
	v.place = make([]uint16, len(m.numbers))
	for i := range v.Nodes {
		if n := m.find(v.Nodes[i].ID); n != nil {
			v.place[n.num] = uint16(i + 1)
		}
		if v.Nodes[i].Myself {
			v.Self = i
		}
	}
	if m.ownerShared == nil {
		shared := *m.owner
		m.ownerShared = &shared
	}
	v.owner = m.ownerShared
	return v
}

func (m *Machine) nodeView(n *node) Node {
	r := n.record
	if n.ownedShared == nil && n.ownedCount > 0 {
		owned := n.owned
		n.ownedShared = &owned
	}
	out := Node{
		ID: r.ID, Addr: n.addr(), Hostname: r.Hostname, Flags: r.Flags, Primary: r.Primary, Shard: r.Shard,
		Term: r.Term, ConfigEpoch: r.ConfigEpoch, Offset: r.Offset, Boot: r.Boot,
		Myself: n == m.me, PFail: n.pfail, Fail: n.fail, NoAddr: n.noaddr,
		PingSent: n.pingSent, PongReceived: n.heard, Connected: n.linkUp || n == m.me,
		FailReports: m.failReports(n),
	}
	if n.ownedCount > 0 {
		out.Slots = n.ownedShared
	}
	if p := m.find(r.Primary); p != nil {
		out.ConfigEpoch = p.record.ConfigEpoch
	}
	return out
}
