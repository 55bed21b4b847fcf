package cluster

import "cobble/slots"

// Admin is a CLUSTER subcommand that changes state. The caller has parsed the
// arguments; what depends on the table is checked by the machine, which
// answers with redis-server 7.0's error texts.
type Admin interface{ admin() }

// Result of an Admin. Err is empty on success, else the whole error line
// without '-' ("ERR Unknown node …"). Text is the status of a success.
type Result struct {
	Err  string
	Text string // "OK", "BUMPED 7", "STILL 7"
}

type (
	// Meet is CLUSTER MEET ip port [bus-port]. The caller has checked that
	// Addr.IP is a numeric address; BusPort is filled in (Port+10000 if absent).
	Meet struct{ Addr Addr }
	// Forget is CLUSTER FORGET node-id.
	Forget struct{ ID ID }
	// Reset is CLUSTER RESET [HARD|SOFT]. HasKeys: the dataset is not empty.
	Reset struct{ Hard, HasKeys bool }

	// AddSlots is CLUSTER ADDSLOTS and ADDSLOTSRANGE; the caller has refused
	// duplicates and numbers out of range.
	AddSlots struct{ Slots slots.Set }
	// DelSlots is CLUSTER DELSLOTS and DELSLOTSRANGE.
	DelSlots struct{ Slots slots.Set }
	// FlushSlots is CLUSTER FLUSHSLOTS.
	FlushSlots struct{ HasKeys bool }

	// SetSlotMigrating is CLUSTER SETSLOT slot MIGRATING id.
	SetSlotMigrating struct {
		Slot slots.Slot
		To   ID
	}
	// SetSlotImporting is CLUSTER SETSLOT slot IMPORTING id.
	SetSlotImporting struct {
		Slot slots.Slot
		From ID
	}
	// SetSlotStable is CLUSTER SETSLOT slot STABLE.
	SetSlotStable struct{ Slot slots.Slot }
	// SetSlotNode is CLUSTER SETSLOT slot NODE id. Keys is how many keys this
	// node holds in the slot.
	SetSlotNode struct {
		Slot slots.Slot
		ID   ID
		Keys int
	}

	// Replicate is CLUSTER REPLICATE node-id. HasKeys: the dataset is not empty.
	Replicate struct {
		ID      ID
		HasKeys bool
	}
	// Failover is CLUSTER FAILOVER [FORCE|TAKEOVER].
	Failover struct{ Mode FailoverMode }

	// SetConfigEpoch is CLUSTER SET-CONFIG-EPOCH n.
	SetConfigEpoch struct{ Epoch int64 }
	// BumpEpoch is CLUSTER BUMPEPOCH.
	BumpEpoch struct{}
	// SaveConfig is CLUSTER SAVECONFIG.
	SaveConfig struct{}
)

// FailoverMode is the argument of CLUSTER FAILOVER.
type FailoverMode uint8

// Modes of a manual failover.
const (
	FailoverNormal   FailoverMode = iota // hand-over with the primary's help
	FailoverForce                        // without the primary, with the electors
	FailoverTakeover                     // without anybody: may lose writes and split a shard
)

func (Meet) admin()             {}
func (Forget) admin()           {}
func (Reset) admin()            {}
func (AddSlots) admin()         {}
func (DelSlots) admin()         {}
func (FlushSlots) admin()       {}
func (SetSlotMigrating) admin() {}
func (SetSlotImporting) admin() {}
func (SetSlotStable) admin()    {}
func (SetSlotNode) admin()      {}
func (Replicate) admin()        {}
func (Failover) admin()         {}
func (SetConfigEpoch) admin()   {}
func (BumpEpoch) admin()        {}
func (SaveConfig) admin()       {}
