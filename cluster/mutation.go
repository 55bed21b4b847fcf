package cluster

// Mutation is a set of planted bugs. Each removes one rule; the simulator must
// notice each of them, or it is not to be trusted about the rule.
type Mutation uint64

// The planted bugs.
const (
	MutateIgnoreBan      Mutation = 1 << iota // a forgotten node comes back with the next gossip
	MutateFailAlone                           // one suspicion is a verdict
	MutatePromiseUnsaved                      // promises are sent before they are durable
	MutateAcceptLower                         // acceptors accept ballots below their promise
	MutateCountTwice                          // a proposer counts its own vote twice
	MutateSmallMajority                       // half of the electors decide
	MutateAnyVersion                          // electors hear proposals of any set version
	MutateSmallerEpoch                        // the smaller config epoch owns the slot
	MutateMergeBothWays                       // either cluster dissolves into the other
	MutateAmnesiac                            // an elector without its acceptor file votes on
	MutateBlindChange                         // a proposer ignores the value that was accepted before
	MutateServeEarly                          // a new elector serves before it copied the registers
	MutateNoFreeze                            // electors serve the old set on after they gave a copy to the next
	MutateKeepTerm                            // a promotion does not raise the term
	MutateUnsavedClaims                       // the own record is told before it is durable
	MutateReuseBoot                           // a restart does not raise the boot count
	MutateShortLog                            // the replica with the oldest log stands first
	MutateNoStepDown                          // a replaced primary stays primary
	MutateImportOver                          // a merge overwrites registers the survivor already has
	MutateLazyMembers                         // who is in the table is shown before it is durable
	MutateResumeEarly                         // a replaced primary lets held writes in before it is a replica
	MutateResumeUnproved                      // after a manual failover that came to nothing, writes go on unproved
	MutateKeepSeat                            // an elector that can never copy its registers stays one
	MutateStaleClaims                         // a candidate that was refused for claims that have moved on repeats them
	MutateLongLease                           // a lease runs for a node timeout from when the driver last turned; probes are rare
	MutateDefyVerdict                         // a primary that was failed serves on, though a replica may win by that
	MutateServeUnheard                        // after a restart nodes count as answered that have not been heard of
	MutateOldVerdict                          // silence and verdicts about a node's earlier life count in the next

	mutations = iota
)

// Mutations is how many planted bugs there are: bits 0 to Mutations-1.
const Mutations = mutations

var mutationNames = [Mutations]string{
	"ignore-ban", "fail-alone", "promise-unsaved", "accept-lower", "count-twice", "small-majority", "any-version",
	"smaller-epoch", "merge-both-ways", "amnesiac", "blind-change", "serve-early", "no-freeze", "keep-term",
	"unsaved-claims", "reuse-boot", "short-log", "no-step-down", "import-over",
	"lazy-members", "resume-early", "resume-unproved", "keep-seat", "stale-claims", "long-lease", "defy-verdict",
	"serve-unheard", "old-verdict",
}

// String names a single planted bug.
func (b Mutation) String() string {
	for i, name := range mutationNames {
		if b == 1<<i {
			return name
		}
	}
	return "none or several"
}

// Plant makes the machine misbehave. For tests only.
func (c *Config) Plant(bugs Mutation) { c.mutate = bugs }

func (m *Machine) mutated(bug Mutation) bool { return m.config.mutate&bug != 0 }
