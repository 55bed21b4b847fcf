package cluster

// Config holds the settings the machine obeys.
type Config struct {
	Addr     Addr   // announced; an empty IP is learned from the first MEET
	Hostname string // cluster-announce-hostname

	NodeTimeout           Duration // cluster-node-timeout
	RequireFullCoverage   bool     // cluster-require-full-coverage
	AllowReplicaMigration bool     // cluster-allow-replica-migration
	MigrationBarrier      int      // cluster-migration-barrier
	ReplicaValidityFactor int      // cluster-replica-validity-factor, 0: off
	ReplPingPeriod        Duration // repl-ping-replica-period
	NoFailover            bool     // cluster-replica-no-failover
	TrustRefused          bool     // cluster-trust-refused: a refused connection is proof of death

	mutate Mutation // planted bugs, set by tests only
}

// DefaultConfig returns redis.conf's defaults for a node that listens at addr.
func DefaultConfig(addr Addr) Config {
	return Config{
		Addr:                  addr,
		NodeTimeout:           15000,
		RequireFullCoverage:   true,
		AllowReplicaMigration: true,
		MigrationBarrier:      1,
		ReplicaValidityFactor: 10,
		ReplPingPeriod:        10000,
		TrustRefused:          true,
	}
}

// Mutation is a set of planted bugs that the simulator must catch.
type Mutation uint64

// PushLimit is up to how many nodes news is pushed to everyone over RPC;
// beyond it news is rumoured.
const PushLimit = 64

// Persisted is what the driver read back at start: nil for what is absent.
type Persisted struct {
	Nodes    *NodesConf
	Acceptor *AcceptorState
}

// NodesConf is the content of nodes.conf. Immutable once handed out.
type NodesConf struct {
	Self         ID
	Boot         uint64 // of the life that wrote it
	CurrentEpoch uint64
	Records      []*Record // ascending by ID, own record included
	Migrating    []OpenSlot
	Importing    []OpenSlot
	Electors     *Electors // set last known to be in force for this node
	Bans         []Ban     // ascending by ID
	Failed       []ID      // nodes flagged FAIL, ascending
}

// Ban keeps a forgotten node out until a moment.
type Ban struct {
	ID    ID
	Until Time
}

// AcceptorState is the content of the acceptor file.
type AcceptorState struct {
	Incarnation uint64
	Rounds      uint64
	Domains     []Domain // ascending by Cluster
}

// Machine is one node's mind. It is not safe for concurrent use: one goroutine
// owns it and calls Step.
type Machine struct {
	config Config
	random Random
	now    Time
}

// New starts a machine from what was persisted. seed must differ between
// starts (from the system's random source). The returned effects are to be
// executed before the first Step: a new life persists its boot count.
func New(config Config, saved Persisted, seed uint64, now Time) (*Machine, []Effect) {
	return &Machine{config: config, random: NewRandom(seed), now: now}, nil
}

// Step feeds one event and returns what to do, in order. now must not be less
// than at the last call. The slice is valid until the next Step.
func (m *Machine) Step(now Time, event Event) []Effect {
	m.now = now
	return nil
}

// Wake returns when the next Tick is due at the latest.
func (m *Machine) Wake() Time { return m.now.After(100) }

// View returns the beliefs of this moment, with fresh ping and pong times.
func (m *Machine) View() *View { return &View{} }
