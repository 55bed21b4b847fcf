package slots

// NoNode marks a slot without an owner, and a primary without a primary of its own.
const NoNode = ^uint16(0)

// Node is where a client is sent.
type Node struct {
	ID       string // 40 hex digits
	Endpoint string // preferred address: IP, host name, or "" (the client keeps the address it used)
	Port     int
}

// View is one node's picture of who serves which slot. It is immutable once
// published; readers share it without locks.
type View struct {
	Enabled bool // cluster mode; false serves every slot here
	Down    bool // the cluster state is fail
	// ReadsWhenDown and PubSubWhenDown are the cluster-allow-…-when-down settings.
	ReadsWhenDown, PubSubWhenDown bool

	Nodes   []Node
	Self    uint16 // index of this node
	Primary uint16 // index of the primary that this node replicates, or NoNode
	Owner   [Count]uint16

	// Open slots of SETSLOT, with the node at the other end.
	Migrating, Importing map[Slot]uint16
}

// Local returns the view of a server that is not part of a cluster.
func Local() *View { return &View{Primary: NoNode} }

// IsOpen reports whether slot is being moved by SETSLOT. Only then does Route look
// at Request.Missing and Request.Present.
func (v *View) IsOpen(slot Slot) bool {
	if len(v.Migrating) == 0 && len(v.Importing) == 0 {
		return false
	}
	_, out := v.Migrating[slot]
	_, in := v.Importing[slot]
	return out || in
}

// Serves reports that Route lets every command on slot alone be run here, whatever else
// its Request says. False means nothing: only Route can tell.
func (v *View) Serves(slot Slot) bool {
	return !v.Enabled || v.Owner[slot] == v.Self && v.Self != NoNode && !v.Down && len(v.Migrating) == 0 && len(v.Importing) == 0
}

// Holds reports whether this node has the keys of slot: it owns it, or replicates
// the owner. A slot that is being imported is not held yet.
func (v *View) Holds(slot Slot) bool {
	if !v.Enabled {
		return true
	}
	owner := v.Owner[slot]
	return owner != NoNode && (owner == v.Self || owner == v.Primary)
}
