package cluster

import "cobble/slots"

// Message is what nodes say to each other. The header names the speaker; who
// is not in the table is heard only if Body is a Hello with Meet.
type Message struct {
	From  ID
	Inc   uint64 // speaker's incarnation
	Boot  uint64
	Epoch uint64 // speaker's currentEpoch
	Body  Body
}

// Body is one of the types below, always as a value, with pointers and slices
// inside that nobody modifies.
type Body interface{ body() }

type (
	// Hello opens an acquaintance (MEET) or renews one after a restart or a
	// change of address. With Meet the receiver admits an unknown sender.
	// Handshake names the MEET at its initiator; HelloOK repeats it.
	Hello struct {
		Meet      bool
		Handshake ID
		Record    *Record
	}
	// HelloOK answers Hello with the whole table. YourIP is the address the
	// Hello came from.
	HelloOK struct {
		Handshake ID
		Record    *Record
		Records   []*Record
		YourIP    string
	}

	// Records brings news of nodes: own changes pushed, answers to Fetch,
	// corrections of stale claims (Redis's UPDATE). Electors is the set the
	// speaker obeys, if it thinks the listener should know.
	Records struct {
		Records  []*Record
		Electors *Electors
	}
	// Digest asks a random peer to compare tables: XOR of the hashes of all
	// record versions, and the elector set's version.
	Digest struct {
		Table      uint64
		Cluster    ID
		ElectorVer uint64
	}
	// Fetch answers a differing Digest with the versions held; the peer sends
	// what is newer (Records) and, with Reply, its own Fetch.
	Fetch struct {
		Known []Version
		Reply bool
	}

	// Verify asks an elector to look at Suspect itself and report.
	Verify struct{ Suspect ID }
	// Report is an elector's own finding about Suspect in life Boot.
	Report struct {
		Suspect ID
		Boot    uint64
		Failed  bool
	}
	// Fail states that a majority of electors found Target failed.
	Fail struct {
		Target    ID
		Boot      uint64
		Reporters []ID
	}
	// Unfail tells that Target answers again (sent by its direct observers).
	Unfail struct {
		Target ID
		Boot   uint64
	}

	// Standing is exchanged by the replicas of a failed primary to rank
	// themselves: greater (Term, Offset) first, then smaller id.
	Standing struct {
		Shard  ID
		Term   uint64
		Offset uint64
	}

	// Prepare is phase 1 of a change of register Key.
	Prepare struct {
		Cluster    ID
		ElectorVer uint64
		Key        ID
		Ballot     Ballot
		Election   *Election // set when the change is a promotion
	}
	// Promise answers Prepare: no smaller ballot will be heard; Accepted and
	// the value are the register's state.
	Promise struct {
		Cluster  ID
		Ballot   Ballot
		Register Register
	}
	// Accept is phase 2; the value is in Config or, for key zero, Electors.
	Accept struct {
		Cluster    ID
		ElectorVer uint64
		Ballot     Ballot
		Key        ID
		Config     *ShardConfig
		Electors   *Electors
	}
	// Accepted answers Accept.
	Accepted struct {
		Cluster ID
		Key     ID
		Ballot  Ballot
	}
	// Refused answers Prepare or Accept with the reason and what the proposer
	// needs to do better.
	Refused struct {
		Cluster  ID
		Key      ID
		Ballot   Ballot
		Why      Refusal
		Promised Ballot
		Electors *Electors // the set in force here
		Records  []*Record // newer claims on slots the candidate wanted
	}
	// Committed tells that Config or Electors is decided.
	Committed struct {
		Cluster  ID
		Config   *ShardConfig
		Electors *Electors
	}
	// Read asks for a register's accepted value without a promise; equal
	// ballots from a majority mean that it is decided.
	Read struct {
		Cluster    ID
		ElectorVer uint64
		Key        ID
		Nonce      uint64
	}
	// ReadOK answers Read.
	ReadOK struct {
		Cluster  ID
		Nonce    uint64
		Register Register
		Electors *Electors // set in force, so that a reader with another version learns it
	}
	// Copy asks a member of the previous set for all its registers, and tells
	// it the decided set that follows (which freezes it).
	Copy struct {
		Electors *Electors
		Nonce    uint64
	}
	// CopyOK answers Copy.
	CopyOK struct {
		Cluster   ID
		Ver       uint64 // of the set that was asked for; 0: the speaker misses registers itself
		Nonce     uint64
		Epoch     uint64
		Registers []Register
	}

	// ManualStart asks the primary to pause writes and tell the offset.
	ManualStart struct{ Term uint64 }
	// ManualOffset is the primary's answer once writes are paused.
	ManualOffset struct {
		Term   uint64
		Offset uint64
	}
	// ManualCancel ends the pause early.
	ManualCancel struct{ Term uint64 }
)

// Election is what electors judge a candidate by.
type Election struct {
	Primary ID     // the primary to be replaced
	Term    uint64 // the term it leads
	Forced  bool   // manual: the primary need not be failed
	Epoch   uint64 // greatest config epoch the candidate knows for the claimed slots
	Slots   *slots.Set
}

// Refusal is the reason of a Refused.
type Refusal uint8

// Refusals.
const (
	RefusedBallot    Refusal = iota // a greater ballot was promised
	RefusedElectors                 // other elector set, see Electors
	RefusedUnknown                  // not an elector of that cluster, or amnesiac
	RefusedBusy                     // set is changing or registers are still being copied
	RefusedNotFailed                // the primary to be replaced is not failed here
	RefusedStale                    // claimed slots have a newer owner, see Records
)

func (Hello) body()        {}
func (HelloOK) body()      {}
func (Records) body()      {}
func (Digest) body()       {}
func (Fetch) body()        {}
func (Verify) body()       {}
func (Report) body()       {}
func (Fail) body()         {}
func (Unfail) body()       {}
func (Standing) body()     {}
func (Prepare) body()      {}
func (Promise) body()      {}
func (Accept) body()       {}
func (Accepted) body()     {}
func (Refused) body()      {}
func (Committed) body()    {}
func (Read) body()         {}
func (ReadOK) body()       {}
func (Copy) body()         {}
func (CopyOK) body()       {}
func (ManualStart) body()  {}
func (ManualOffset) body() {}
func (ManualCancel) body() {}
