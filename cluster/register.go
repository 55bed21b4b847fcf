package cluster

import "cobble/slots"

// Ballot orders the proposals for one register. Inc is the proposer's
// incarnation, unique per node and per life of its acceptor file, so that two
// proposers, or one proposer before and after amnesia, never share a ballot.
type Ballot struct{ Round, Inc uint64 }

// Less orders ballots.
func (b Ballot) Less(o Ballot) bool {
	if b.Round != o.Round {
		return b.Round < o.Round
	}
	return b.Inc < o.Inc
}

// IsZero reports whether b is no ballot at all.
func (b Ballot) IsZero() bool { return b == Ballot{} }

// Member is a node in one incarnation. A node that lost its promises comes
// back as another member.
type Member struct {
	ID  ID
	Inc uint64
}

// ShardConfig is the value of a shard's register, decided by a majority of the electors of its domain and
// changed only by compare-and-set on Ver. Immutable.
type ShardConfig struct {
	Shard   ID
	Ver     uint64
	Term    uint64 // moves with every change of primary, fences the log
	Epoch   uint64 // config epoch the primary was given with the term
	Primary Member
	InSync  []Member // empty in asynchronous mode
	// Slots are what the primary claims with its promotion: the old primary
	// gives them up as soon as it hears of the decision, perhaps before the
	// new one does. Nil in a shard's first configuration.
	Slots *slots.Set
}

// Electors is the set of nodes that decide for a domain (= a cluster). A set
// of version v+1 is decided in the register (key zero) of version v. Its members
// serve once they copied all registers from a majority of version v, and who
// gave a copy serves version v no more. Immutable.
type Electors struct {
	Cluster ID
	Ver     uint64
	Members []Member // ascending by ID
	Prev    []Member // of Ver-1: whom a member copies the registers from before it serves
	Into    ID       // not zero: the domain is dissolved, its registers moved into that cluster
}

// Includes reports whether that very member, in its incarnation, decides.
func (e *Electors) Includes(m Member) bool {
	found, is := e.Has(m.ID)
	return is && found.Inc == m.Inc
}

// Has returns whether id in any incarnation is a member, and its member entry.
func (e *Electors) Has(id ID) (Member, bool) {
	for _, m := range e.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Majority returns how many members decide.
func (e *Electors) Majority() int { return len(e.Members)/2 + 1 }

// Register is one acceptor's memory of one register: a promise and the last
// accepted value. Key zero holds the next Electors, any other key is a shard.
type Register struct {
	Key      ID
	Promised Ballot
	Accepted Ballot       // zero: nothing accepted
	Config   *ShardConfig // accepted value if Key is a shard
	Electors *Electors    // accepted value if Key is zero
}

// Domain is one acceptor's memory of one cluster's registers.
type Domain struct {
	Cluster  ID
	Electors *Electors // greatest set known here to be decided
	Complete uint64    // version of the set up to which Registers miss nothing; serves if it is Electors.Ver
	Carried  bool      // dissolved, and all registers are known to be decided in Electors.Into's domain
	// Registers ascending by key.
	Registers []Register
}
