package cluster

// Persisted is what the driver read back at start: nil for what is absent.
type Persisted struct {
	Nodes    *NodesConf
	Acceptor *AcceptorState
}

// NodesConf is the content of nodes.conf. Immutable once handed out.
type NodesConf struct {
	Generation   uint64 // counts replacements of the file; the driver's, who pairs file and journal by it
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

// conf gathers what nodes.conf must hold now.
func (m *Machine) conf() *NodesConf {
	c := &NodesConf{
		Self: m.id(), Boot: m.boot, CurrentEpoch: m.currentEpoch, Records: m.allRecords(),
		Migrating: m.migrating, Importing: m.importing, Electors: m.inForce(), Bans: m.bans,
	}
	for _, n := range m.nodes {
		if n.fail {
			c.Failed = append(c.Failed, n.id())
		}
	}
	return c
}

// Acceptor returns what the acceptor file must hold now: with Updates, a
// compacted file. It is a copy.
func (m *Machine) Acceptor() *AcceptorState {
	state := &AcceptorState{Incarnation: m.incarnation, Rounds: m.reserved}
	for _, d := range m.domains {
		copied := d.Domain
		copied.Registers = append([]Register(nil), d.Registers...)
		state.Domains = append(state.Domains, copied)
	}
	return state
}
