package cluster

const (
	MutateIgnoreBan Mutation = 1 << iota
	MutateFailAlone
)

type paxos struct{ electors *Electors }
type failover struct{}
type merging struct{}

func (m *Machine) inForce() *Electors            { return m.electors }
func (m *Machine) learnElectors(e *Electors)     {}
func (m *Machine) loadAcceptor(a *AcceptorState) { m.freshAcceptor(); m.foundDomain() }
func (m *Machine) freshAcceptor()                { m.incarnation = m.random.Uint64() }
func (m *Machine) foundDomain() {
	m.electors = &Electors{Cluster: m.self().Cluster, Ver: 1, Members: []Member{{m.id(), m.incarnation}}}
}
func (m *Machine) electorsForgot()                         {}
func (m *Machine) receivePaxos(n *node, msg *Message)      {}
func (m *Machine) standing(n *node, body Standing)         {}
func (m *Machine) manualStart(n *node, body ManualStart)   {}
func (m *Machine) manualOffset(n *node, body ManualOffset) {}
func (m *Machine) manualCancel(n *node, body ManualCancel) {}
func (m *Machine) paused(e Paused)                         {}
func (m *Machine) positioned(e Position)                   { m.position = e }
func (m *Machine) primaryFailed(n *node)                   {}
func (m *Machine) paxosTimers()                            {}
func (m *Machine) mergeTimers()                            {}
func (m *Machine) failoverTimers()                         {}
func (m *Machine) migrationTimers()                        {}
func (m *Machine) cancelManual()                           {}
func (m *Machine) stopElection()                           {}
func (m *Machine) manualFailover(mode FailoverMode) Result { return ok }
