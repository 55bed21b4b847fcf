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

	ElectorPatience Duration // an elector failed for longer is replaced

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
		ElectorPatience:       300_000,
	}
}

// PushLimit is up to how many nodes news is pushed to everyone over RPC;
// beyond it news is rumoured.
const PushLimit = 64
