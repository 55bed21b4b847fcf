package cluster

import "cobble/slots"

// manual is the state of CLUSTER FAILOVER, at the replica that was asked or at
// its primary.
type manual struct {
	role    manualRole
	mate    ID   // primary's side: the replica that takes over
	until   Time // given up then
	proving bool // primary's side: given up, and the register is asked who leads
	offset  uint64
	known   bool // offset is known: the primary has paused
	ready   bool // standing
}

type manualRole uint8

const (
	manualNone manualRole = iota
	manualReplica
	manualPrimary
)

const (
	manualTimeout Duration = 5000  // CLUSTER_MF_TIMEOUT
	manualPause   Duration = 10000 // CLUSTER_MF_TIMEOUT * CLUSTER_MF_PAUSE_MULT
	// The primary waits longer than the replica does, by whichever clock runs
	// slower: when its time is over the replica does not stand any more.
	manualPatience = manualTimeout + manualTimeout/4
)

// manualFailover is CLUSTER FAILOVER at a replica.
func (m *Machine) manualFailover(mode FailoverMode) Result {
	own := m.self()
	if own.IsPrimary() {
		return Result{Err: "ERR You should send CLUSTER FAILOVER to a replica"}
	}
	primary := m.find(own.Primary)
	if primary == nil {
		return Result{Err: "ERR I'm a replica but my master is unknown to me"}
	}
	if mode == FailoverNormal && (primary.fail || !m.position.LinkUp) {
		return Result{Err: "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE"}
	}
	m.cancelManual()
	m.manual = manual{role: manualReplica, until: m.now.After(manualTimeout)}
	m.wakeBy(m.manual.until)
	switch mode {
	case FailoverTakeover:
		m.note('#', "Taking over the master (user request).")
		m.takeOver()
	case FailoverForce:
		m.note('#', "Forced failover user request accepted.")
		m.manual.ready = true
		m.stand(primary, true)
	default:
		m.note('#', "Manual failover user request accepted.")
		m.send(primary.id(), ManualStart{Term: own.Term})
	}
	return ok
}

// takeoverStep is added to the term by TAKEOVER: nobody agreed to it, so it
// must not equal a term that the register gives to another node meanwhile.
const takeoverStep = 1 << 20

func (m *Machine) takeoverTerm() uint64 {
	return m.self().Term + takeoverStep + uint64(m.random.Below(takeoverStep))
}

// takeOver promotes this replica without asking anybody. The register is
// brought in line as soon as electors answer (confirmTimer).
func (m *Machine) takeOver() {
	m.currentEpoch++
	term := m.takeoverTerm()
	var claims slots.Set
	if primary := m.find(m.self().Primary); primary != nil {
		claims = primary.owned
	}
	m.promote(term, m.currentEpoch, &claims, false)
	m.wakeBy(m.now)
}

// manualStart is heard by the primary: a replica wants to take over.
func (m *Machine) manualStart(n *node, body ManualStart) {
	own := m.self()
	if !own.IsPrimary() || n.record.Primary != own.ID || body.Term != own.Term {
		return
	}
	m.manual = manual{role: manualPrimary, mate: n.id(), until: m.now.After(manualPatience)}
	m.wakeBy(m.manual.until)
	m.note('#', "Manual failover requested by replica "+n.id().String())
	m.do(PauseWrites{Until: m.now.After(manualPause)})
}

// paused is the data path's word that writes stand still.
func (m *Machine) paused(e Paused) {
	if m.manual.role == manualPrimary {
		m.send(m.manual.mate, ManualOffset{Term: m.self().Term, Offset: e.Offset})
	}
}

// manualOffset is heard by the replica: the log will not grow beyond Offset.
func (m *Machine) manualOffset(n *node, body ManualOffset) {
	if m.manual.role != manualReplica || n.id() != m.self().Primary || body.Term != m.self().Term {
		return
	}
	m.manual.offset, m.manual.known = body.Offset, true
	m.matchManual()
}

// matchManual stands once this replica has all of the paused primary's log.
func (m *Machine) matchManual() {
	primary := m.find(m.self().Primary)
	if m.manual.role != manualReplica || !m.manual.known || m.manual.ready || primary == nil ||
		m.position.Offset < m.manual.offset {
		return
	}
	m.manual.ready = true
	m.note('#', "All master replication stream processed, manual failover can start.")
	m.stand(primary, true)
}

// manualCancel is heard by the primary: the replica gave up.
func (m *Machine) manualCancel(n *node, _ ManualCancel) {
	if m.manual.role == manualPrimary && m.manual.mate == n.id() && !m.manual.proving {
		m.proveLead()
	}
}

// proveLead lets writes in again only after the register has said once more
// that this node leads: the electors may have chosen the replica without
// anybody here having heard. The proposal outbids whatever the replica has sent
// and may still be on its way. If it names the replica, obey makes this node a
// replica as well.
func (m *Machine) proveLead() {
	if m.mutated(MutateResumeUnproved) {
		m.cancelManual()
		return
	}
	m.manual.proving = true
	m.reconfirm()
}

// provedLead hears that config, which names this node, was decided.
func (m *Machine) provedLead(config *ShardConfig) {
	if m.manual.role == manualPrimary && m.manual.proving && config.Shard == m.self().Shard && config.Term <= m.self().Term {
		m.cancelManual()
	}
}

// manualTimers gives up a failover that takes too long.
func (m *Machine) manualTimers() {
	if m.manual.role == manualNone || m.manual.proving {
		return
	}
	if m.now < m.manual.until {
		m.wakeBy(m.manual.until)
		return
	}
	m.note('#', "Manual failover timed out.")
	if m.manual.role == manualPrimary {
		m.proveLead()
		return
	}
	m.stopElection()
	m.send(m.self().Primary, ManualCancel{Term: m.self().Term})
	m.cancelManual()
}

// cancelManual forgets a manual failover, and lets clients write again.
func (m *Machine) cancelManual() {
	if m.manual.role == manualPrimary {
		m.do(ResumeWrites{})
	}
	m.manual = manual{}
}
