package cluster

// life is what this node observed of another's liveness.
type life struct {
	acked    Time // sending time of the last probe that was answered, at first when it was inserted
	answered bool // a probe, or was inserted after a majority of the electors had (see leaseEnd)
	heard    Time // last evidence of life of any kind; 0: never
	linkUp   bool

	probeAt    Time   // next probe is due
	probeToken uint64 // outstanding probe; 0: none
	probeSent  Time
	pingSent   Time // first unanswered probe; 0: none
	misses     int  // unanswered probes in a row
	refusals   int  // refused probes in a row

	boot   uint64 // greatest heard of, in its record or in a message
	anewAt Time   // last news that it was started anew; 0: none

	pfail    bool // this node suspects it
	fail     bool // a majority does
	noaddr   bool // another node answers at its address
	failedAt Time
	reportAt Time // the suspicion is reported again

	orphanSince Time // a primary without living replicas since; 0: is not
	reports     []failReport
}

// failReport is an elector's word that it suspects a node.
type failReport struct {
	from ID
	at   Time
}

const (
	refusedPause Duration = 20 // between two probes of a node that refuses
	probePause   Duration = 10 // after a probe that timed out
	failedPause  Duration = 500
	trustedTries          = 3 // unanswered probes before silence counts
)

func (m *Machine) probeTimeout() Duration { return min(max(m.config.NodeTimeout/8, 50), 500) }

// probePeriod is the pause between probes of a healthy node.
func (m *Machine) probePeriod() Duration {
	period := m.config.NodeTimeout / probesPerTimeout
	if m.mutated(MutateLongLease) {
		period = m.config.NodeTimeout / 2
	}
	return period - Duration(m.random.Below(int64(period/8+1)))
}

// watched reports whether this node probes n on its own account: everyone in a
// small cluster; else those whose life it depends on, and whoever is suspected.
func (m *Machine) watched(n *node) bool {
	if len(m.nodes) <= PushLimit || n.pfail || n.fail || n.record.Shard == m.self().Shard {
		return true
	}
	e := m.inForce()
	if e == nil {
		return false
	}
	_, elector := e.Has(n.id())
	return elector
}

func (m *Machine) probeTimers() {
	m.noticePause()
	for _, n := range m.nodes {
		if n == m.me {
			continue
		}
		if n.probeToken != 0 && m.now.Since(n.probeSent) > 2*m.probeTimeout() {
			m.missed(n, ProbeTimeout) // the driver owes an answer; do not wait for ever
		}
		if n.probeToken == 0 && m.now >= n.probeAt && m.watched(n) {
			m.probe(n)
		}
		if n.probeToken != 0 {
			m.wakeBy(n.probeSent.After(2*m.probeTimeout() + 1))
		} else if m.watched(n) {
			m.wakeBy(n.probeAt)
		}
		if n.pfail && !n.fail {
			m.wakeBy(n.reportAt)
			if m.now >= n.reportAt {
				m.reportSuspicion(n)
			}
		}
		m.clearFailed(n)
	}
}

// noticePause detects that this process did not run for a while: then the
// silence was its own, and nobody is suspected for it. After a short while, too,
// silence is counted from now on: others' leases rely on that they were probed.
func (m *Machine) noticePause() {
	stalled := m.now.Since(m.lastTimers)
	if m.lastTimers != 0 && stalled > timersPause+m.config.NodeTimeout/20 {
		m.awakeAt = m.now
	}
	if m.lastTimers != 0 && stalled > max(m.config.NodeTimeout/2, 2*timersPause) {
		for _, n := range m.nodes {
			n.misses, n.refusals = 0, 0
			if n.probeToken != 0 {
				n.probeToken = 0
			}
			n.probeAt = m.now
		}
	}
	m.lastTimers = m.now
}

func (m *Machine) probe(n *node) {
	m.probeSeq++
	n.probeToken, n.probeSent = m.probeSeq, m.now
	if n.pingSent == 0 {
		n.pingSent = m.now
	}
	m.do(Probe{Target: n.id(), Addr: n.addr(), Token: n.probeToken, Timeout: m.probeTimeout()})
}

// probeSoon hastens the next probe of n.
func (m *Machine) probeSoon(n *node, at Time) {
	if at = max(at, n.probeSent.After(probePause)); at < n.probeAt {
		n.probeAt = at
	}
	m.wakeBy(n.probeAt)
	if n.probeToken == 0 && m.now >= n.probeAt {
		m.probe(n)
	}
}

// probed hears the answer of a probe.
func (m *Machine) probed(e ProbeResult) {
	n := m.find(e.Target)
	if n == nil || n == m.me || n.probeToken != e.Token {
		return
	}
	if e.Outcome != ProbeOK {
		m.missed(n, e.Outcome)
		return
	}
	n.probeToken, n.pingSent = 0, 0
	n.acked, n.heard, n.answered = n.probeSent, m.now, true
	n.misses, n.refusals, n.noaddr = 0, 0, false
	n.probeAt = m.now.After(m.probePeriod())
	m.wakeBy(n.probeAt)
	if !n.linkUp {
		n.linkUp = true
		m.changed.view = true
	}
	if n.pfail {
		n.pfail = false
		n.removeReport(m.id())
		m.changed.view = true
		m.note('*', "node "+n.id().String()+" answers again")
		m.push(Report{Suspect: n.id(), Boot: n.boot})
	}
	m.clearFailed(n)
}

// missed handles a probe without the right answer.
func (m *Machine) missed(n *node, outcome Outcome) {
	n.probeToken = 0
	n.misses++
	pause := probePause
	if n.linkUp {
		n.linkUp = false
		m.changed.view = true
	}
	switch outcome {
	case ProbeRefused:
		n.refusals++
		pause = refusedPause
	case ProbeOther:
		pause = m.probeTimeout()
		if !n.noaddr {
			n.noaddr = true
			m.changed.view = true
		}
	default:
		n.refusals = 0
	}
	silent := m.now.Since(max(n.acked, n.anewAt, m.awakeAt)) > m.config.NodeTimeout && n.misses >= trustedTries
	refused := m.config.TrustRefused && n.refusals >= 2
	if silent || refused {
		m.suspect(n)
		m.hastenElection(n)
	}
	if n.pfail || n.fail {
		pause = failedPause
	}
	n.probeAt = m.now.After(pause)
	m.wakeBy(n.probeAt)
}

// suspect flags n PFAIL on this node's own evidence.
func (m *Machine) suspect(n *node) {
	if n.pfail {
		return
	}
	n.pfail = true
	m.changed.view = true
	m.note('*', "node "+n.id().String()+" is possibly failing")
	m.reportSuspicion(n)
	m.tryFail(n)
}

// reportSuspicion tells the electors' opinion to all, or asks them for theirs.
func (m *Machine) reportSuspicion(n *node) {
	n.reportAt = m.now.After(max(m.config.NodeTimeout/2, 100))
	m.wakeBy(n.reportAt)
	if m.isElector(m.id()) {
		n.addReport(m.id(), m.now)
		m.push(Report{Suspect: n.id(), Boot: n.boot, Failed: true})
	}
	e := m.inForce()
	if e == nil {
		return
	}
	for _, elector := range e.Members {
		if elector.ID != m.id() && elector.ID != n.id() && !n.reportedBy(elector.ID) {
			m.send(elector.ID, Verify{Suspect: n.id()})
		}
	}
}

func (m *Machine) isElector(id ID) bool {
	e := m.inForce()
	if e == nil {
		return false
	}
	_, is := e.Has(id)
	return is
}

// verify looks at a suspect because another node asks.
func (m *Machine) verify(from *node, body Verify) {
	n := m.find(body.Suspect)
	if n == nil || n == m.me {
		return
	}
	if n.pfail {
		m.send(from.id(), Report{Suspect: n.id(), Boot: n.boot, Failed: true})
		return
	}
	m.probeSoon(n, m.now)
}

// report counts an elector's finding.
func (m *Machine) report(from *node, body Report) {
	n := m.find(body.Suspect)
	if n == nil || body.Boot != n.boot && body.Failed {
		return
	}
	if !body.Failed {
		n.removeReport(from.id())
		return
	}
	n.addReport(from.id(), m.now)
	if n == m.me {
		return
	}
	if !n.pfail {
		m.probeSoon(n, m.now)
	}
	m.tryFail(n)
}

// failReports counts the electors that suspect n and said so recently.
func (m *Machine) failReports(n *node) int {
	count := 0
	for _, r := range n.reports {
		if m.isElector(r.from) && m.now.Since(r.at) <= 2*m.config.NodeTimeout {
			count++
		}
	}
	return count
}

// tryFail turns a suspicion into a verdict when a majority of electors share it.
func (m *Machine) tryFail(n *node) {
	e := m.inForce()
	if !n.pfail || n.fail || e == nil {
		return
	}
	need := e.Majority()
	if m.mutated(MutateFailAlone) {
		need = 1
	}
	if m.failReports(n) < need {
		return
	}
	m.note('*', "Marking node "+n.id().String()+" as failing (quorum reached).")
	m.markFailed(n)
	body := Fail{Target: n.id(), Boot: n.boot}
	for _, r := range n.reports {
		body.Reporters = append(body.Reporters, r.from)
	}
	m.push(body)
}

func (m *Machine) markFailed(n *node) {
	n.fail = true
	n.failedAt = m.now
	m.changed.view, m.changed.table = true, true
	m.primaryFailed(n)
	m.wakeBy(m.now)
}

// failed believes a verdict about the present life of a node.
func (m *Machine) failed(from *node, body Fail) {
	n := m.find(body.Target)
	if n == m.me {
		m.condemn(body)
		return
	}
	if n == nil || n.fail || body.Boot != n.boot {
		return
	}
	m.note('*', "FAIL message received from "+from.id().String()+" about "+n.id().String())
	m.markFailed(n)
	m.probeSoon(n, m.now)
}

// unfailed is a reason to look again.
func (m *Machine) unfailed(_ *node, body Unfail) {
	if n := m.find(body.Target); n != nil && n != m.me && (n.fail || n.pfail) {
		m.probeSoon(n, m.now)
	}
}

// clearFailed lifts FAIL from a node that answers: at once if nobody would
// replace it, else only when no replica has replaced it for a while.
// Redis 7.0, clearNodeFailureIfNeeded.
func (m *Machine) clearFailed(n *node) {
	if !n.fail || n.pfail || n.misses > 0 || n.acked < n.failedAt {
		return
	}
	replaceable := n.record.IsPrimary() && n.ownedCount > 0 && len(m.replicasOf(n.id())) > 0
	if replaceable && m.now.Since(n.failedAt) <= 2*m.config.NodeTimeout {
		m.wakeBy(n.failedAt.After(2*m.config.NodeTimeout + 1))
		return
	}
	n.fail = false
	n.reports = nil
	m.changed.view, m.changed.table = true, true
	m.note('*', "Clear FAIL state for node "+n.id().String())
	if m.isElector(m.id()) {
		m.push(Unfail{Target: n.id(), Boot: n.boot})
	}
}

// hint is the gossip layer's opinion.
func (m *Machine) hint(e Hint) {
	n := m.find(e.ID)
	if n == nil || n == m.me || e.Boot != 0 && e.Boot < n.boot {
		return
	}
	if e.Up {
		n.heard = m.now
		if n.pfail || n.fail {
			m.probeSoon(n, m.now)
		}
		return
	}
	m.probeSoon(n, m.now)
}

// link hears that the connection to a node was made or broke.
func (m *Machine) link(e Link) {
	n := m.find(e.ID)
	if n == nil || n == m.me {
		return
	}
	if n.linkUp != e.Up {
		n.linkUp = e.Up
		m.changed.view = true
	}
	if !e.Up || n.pfail || n.fail {
		m.probeSoon(n, m.now)
	}
}

func (l *life) addReport(from ID, at Time) {
	for i := range l.reports {
		if l.reports[i].from == from {
			l.reports[i].at = at
			return
		}
	}
	l.reports = append(l.reports, failReport{from, at})
}

func (l *life) removeReport(from ID) {
	for i := range l.reports {
		if l.reports[i].from == from {
			l.reports = append(l.reports[:i], l.reports[i+1:]...)
			return
		}
	}
}

func (l *life) forgetReporter(from ID) { l.removeReport(from) }

func (l *life) reportedBy(from ID) bool {
	for _, r := range l.reports {
		if r.from == from {
			return true
		}
	}
	return false
}
