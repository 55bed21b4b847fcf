package cluster

import "cobble/slots"

// Flags are facts a node states about itself in its Record.
type Flags uint16

// The flags of a record.
const (
	NoFailover   Flags = 1 << iota // cluster-replica-no-failover: will not stand for election
	Subscribers                    // has pub/sub subscribers, wants PUBLISH traffic
	MigrateTo                      // a primary that had replicas: orphaned replicas may be sent to it
	Unregistered                   // its shard's register was lost with the electors and may be made anew
)

// Record is everything one node says about itself. Only that node writes it,
// under the version (Boot, Counter), and everybody keeps the greatest version
// seen: loss, duplication and reordering on the way are harmless, and two
// nodes that hold equal records derive equal slot maps.
//
// A *Record is immutable once it has been stored or sent.
type Record struct {
	ID      ID
	Boot    uint64 // counts starts of the process and resets, persisted before use
	Counter uint64 // counts changes within a boot

	Incarnation uint64 // of its acceptor state: changed by RESET or by a lost acceptor file
	Addr        Addr
	Hostname    string
	Flags       Flags

	Cluster ID // elector domain the node obeys
	Shard   ID
	Primary ID     // zero: the node is a primary
	Term    uint64 // of the shard's register that gave this node its role; orders claims within a shard

	ConfigEpoch uint64     // orders claims between shards
	Slots       *slots.Set // claimed slots; nil means none. Never modified in place
	Offset      uint64     // log position when the record was written (a hint for operators only)
}

// IsPrimary reports whether the record's node is a primary.
func (r *Record) IsPrimary() bool { return r.Primary.IsZero() }

// Newer reports whether r replaces o. Records of one ID only are compared.
func (r *Record) Newer(o *Record) bool {
	if r.Boot != o.Boot {
		return r.Boot > o.Boot
	}
	return r.Counter > o.Counter
}

// Version names a version of a record in digests and fetches.
type Version struct {
	ID            ID
	Boot, Counter uint64
}
