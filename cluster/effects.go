package cluster

import "cobble/slots"

// Token numbers the persists of one machine, ascending from 1.
type Token uint64

// Effect is one thing for the driver to do. Effects are started in the order
// of the list, but one with After ≠ 0 must not be started before the persist
// with that token is durable; it may stand before that persist in the same
// list. Effects that do not wait may overtake those that do. Persists are done
// one after the other in the order of their tokens, so "durable up to token t"
// is one number. A persist that fails is fatal: the driver must stop the node,
// for the machine's state is already ahead of the disk.
type Effect struct {
	After Token
	Do    Action
}

// Action is one of the types below.
type Action interface{ action() }

type (
	// Send hands Msg to the node at Addr over the RPC port, at most once, in
	// order per connection if possible. To is zero for a handshake (the
	// driver dials Addr). To may be the node itself: the driver delivers it
	// back as an Receive event, after After. An undeliverable message is
	// dropped, with Link{Up: false} if the connection broke.
	Send struct {
		To   ID
		Addr Addr
		Msg  *Message
	}
	// Broadcast rumours Msg to all members by gossip, best effort. Only used
	// beyond PushLimit nodes; smaller clusters get a Send each.
	Broadcast struct{ Msg *Message }

	// Probe dials (or pings over the open RPC connection) Target once and
	// answers with ProbeResult. The driver gives up after Timeout.
	Probe struct {
		Target  ID
		Addr    Addr
		Token   uint64
		Timeout Duration
	}

	// PersistNodes writes nodes.conf: EncodeNodesConf(Conf), atomically. With
	// Sync it must be durable before the token counts; else lazily (a later
	// one replaces it), and no effect waits for it.
	PersistNodes struct {
		Token Token
		Sync  bool
		Conf  *NodesConf
	}
	// PersistAcceptor appends the updates to the acceptor file and syncs it.
	PersistAcceptor struct {
		Token   Token
		Updates []AcceptorUpdate
	}

	// Publish makes View the one that commands and other goroutines read.
	Publish struct{ View *View }

	// Reply answers the Command event with that number.
	Reply struct {
		Command uint64
		Result  Result
	}

	// BecomePrimary: stop replicating, start to accept writes in Term. The
	// claims in the view published next are this node's.
	BecomePrimary struct {
		Shard ID
		Term  uint64
		Epoch uint64
		Clean bool // decided by the register or by a cooperative hand-over; false after TAKEOVER
	}
	// BecomeReplica: stop accepting writes, replicate Of at Addr. Given again
	// when the primary's address changes.
	BecomeReplica struct {
		Of    ID
		Addr  Addr
		Shard ID
		Term  uint64
	}

	// PauseWrites holds clients' writes back until Until or ResumeWrites
	// (manual failover), then answers with the event Paused.
	PauseWrites struct{ Until Time }
	// ResumeWrites ends PauseWrites. On a node that was replaced it comes behind
	// BecomeReplica.
	ResumeWrites struct{}

	// DropSlots deletes the keys of slots lost to another shard.
	DropSlots struct{ Slots slots.Set }
	// FlushData deletes every key (RESET of a replica, becoming a replica).
	FlushData struct{}

	// JoinGossip asks the gossip layer to join the member at Addr (heals
	// partitions, and introduces new nodes).
	JoinGossip struct {
		ID   ID
		Addr Addr
	}
	// RestartGossip leaves the gossip ring and joins it anew under ID and Boot.
	RestartGossip struct {
		ID   ID
		Boot uint64
	}
	// Disconnect closes the connections to a node that is no longer known.
	Disconnect struct{ ID ID }

	// Note is a line for the server's log. Level as in Redis: '.', '-', '*', '#'.
	Note struct {
		Level byte
		Text  string
	}
)

func (Send) action()            {}
func (Broadcast) action()       {}
func (Probe) action()           {}
func (PersistNodes) action()    {}
func (PersistAcceptor) action() {}
func (Publish) action()         {}
func (Reply) action()           {}
func (BecomePrimary) action()   {}
func (BecomeReplica) action()   {}
func (PauseWrites) action()     {}
func (ResumeWrites) action()    {}
func (DropSlots) action()       {}
func (FlushData) action()       {}
func (JoinGossip) action()      {}
func (RestartGossip) action()   {}
func (Disconnect) action()      {}
func (Note) action()            {}

// AcceptorUpdate is one line of the acceptor file. Exactly one of the fields
// beside Cluster is meaningful; see AcceptorState.Apply.
type AcceptorUpdate struct {
	Cluster  ID
	Register *Register // new state of one register of Cluster's domain
	Domain   *Domain   // new state of the domain itself; its Registers field is ignored
	Rounds   uint64    // proposer may use rounds up to this one
	Identity uint64    // not zero: everything before is void, this is a new incarnation
}
