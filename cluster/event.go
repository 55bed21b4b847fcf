package cluster

// Event is one of the types below.
type Event interface{ event() }

type (
	// Tick: time has passed. Due at Machine.Wake at the latest.
	Tick struct{}

	// Receive is a message from another node (or from this one to itself).
	// Msg is not modified by the machine and may be shared.
	Receive struct {
		Msg      *Message
		RemoteIP string // of the connection it came over; empty over gossip
		LocalIP  string // this end of that connection
	}

	// Hint is the gossip layer's opinion of a member: a reason to look, never
	// a verdict.
	Hint struct {
		ID   ID
		Boot uint64 // 0: unknown
		Up   bool
	}

	// Link reports that the RPC connection to a node was made or broke
	// (reset, EOF, refused). A break is a reason to probe at once.
	Link struct {
		ID ID
		Up bool
	}

	// ProbeResult answers a Probe effect.
	ProbeResult struct {
		Target  ID
		Token   uint64
		Outcome Outcome
	}

	// Position is this node's log position, reported by the driver about
	// every 100 ms and on changes of the replication link.
	Position struct {
		Offset   uint64 // end of the log
		LinkUp   bool   // replica: streaming from the primary
		DataTime Time   // replica: last moment it was in touch with the primary; 0 never
	}

	// Paused answers PauseWrites: no write is executed after Offset.
	Paused struct{ Offset uint64 }

	// Configure replaces the settings (CONFIG SET).
	Configure struct{ Config Config }

	// Command is a CLUSTER subcommand that changes state; exactly one Reply
	// with its Number follows, in this Step or a later one.
	Command struct {
		Number uint64
		Do     Admin
	}
)

// Outcome of a probe.
type Outcome uint8

// Outcomes.
const (
	ProbeTimeout Outcome = iota // no answer within the probe's timeout, or unreachable
	ProbeOK                     // the node answered
	ProbeRefused                // connection refused by the node's own host
	ProbeOther                  // another node answers at this address
)

func (Tick) event()        {}
func (Receive) event()     {}
func (Hint) event()        {}
func (Link) event()        {}
func (ProbeResult) event() {}
func (Position) event()    {}
func (Paused) event()      {}
func (Configure) event()   {}
func (Command) event()     {}
