package cluster

import "slices"

// A primary serves by a lease, so that one that was stopped does not go on as if
// nothing had been. The lease runs from when this node sent the probes that a
// majority of the electors has answered, never from when the answers came.
//
// Let s be such a sending time, N the node timeout, the same on all nodes, E an
// elector of that majority, and d how long E's probes of this node take to be
// answered: a round trip, at most probeTimeout (N/8, but 50 to 500 ms). E sends the
// next one N/5 or less after an answer. If this node stopped at s, the probe that E
// had out then was sent at s - d or later, and the last one that was answered at
// s - N/5 - 2d or later.
//
//   - E suspects this node no earlier than s - N/5 - 2d + N.
//   - Any majority that can fail this node has such an E in it, for both are
//     majorities of one set, and this node does not suspect itself.
//   - A replica stands slowDelay (500 ms) after the verdict or later, unless the
//     primary's host refuses connections: then no process is left to serve.
//
// So a replica wins no earlier than s + 4N/5 + slowDelay - 2d; the lease ends at
// s + 3N/4 (or 400 ms, if that is more). What is between the two, N/20 + slowDelay
// - 2d, is for probes that were lost or late on E's side, for a stall of E that it
// does not notice (noticePause: else it counts silence from the end of the stall),
// and for clocks of different speed. It is something while d is less than N/40 +
// 250 ms. No probe may take longer, but at node timeouts from 2.5 to 10 s: there,
// round trips of more than that (313 to 500 ms) are not covered. Probes every N/5
// leave N/2 and more for this process to stall without losing the lease.
//
// A lease that has run out says that all of that may have happened. A new one
// begins when a majority has answered anew, the news of a replacement has had
// time to come, and the register was asked (see judgeState). A verdict stands for
// 2N even if its subject is back, and all the while a replica may win by it: who
// hears the verdict about itself waits for so long (see condemned).
//
// A restart is a lease that ran out: what was read from nodes.conf has answered
// nothing yet, whatever the number of nodes, for each node probes all electors. Who
// hears of the new life counts silence from then on (heardBoot), so the above holds
// from the first answer. Only a node that is met later counts as having answered
// until it is probed, which is at once: else a new elector would end the lease.
//
// Not covered: electors of clusters of more than PushLimit nodes, which do not
// probe every primary; CLUSTER FAILOVER FORCE and TAKEOVER, which ask nobody
// whether the primary lives; and a clock that stood still with the process (a
// machine that was suspended).

// probesPerTimeout is how often a healthy node is probed within a node timeout.
const probesPerTimeout = 5

// leaseMin is the least span of a lease: a replica stands no earlier than
// slowDelay after the verdict, however short the node timeout is.
const leaseMin Duration = 400

// routeMin is for how long a view is good at least that lets nothing be served
// but what a replica or a cluster that is down would answer.
const routeMin Duration = 500

// leaseMax keeps a node timeout without measure from running over the clock.
const leaseMax Duration = 3_600_000

func (m *Machine) leaseSpan() Duration {
	if m.mutated(MutateLongLease) {
		return m.config.NodeTimeout
	}
	return max(m.config.NodeTimeout/4*3, leaseMin)
}

// leaseEnd returns the last moment for which a majority of the electors is known
// not to have failed this node; 0 if there is none, as before one has answered. A
// single elector that is this node itself cannot be outvoted.
func (m *Machine) leaseEnd() Time {
	e := m.inForce()
	if e == nil {
		return 0
	}
	acked := make([]Time, 0, 8)
	for _, elector := range e.Members {
		at := m.now
		if elector.ID != m.id() {
			n := m.find(elector.ID)
			if n == nil || n.fail || n.pfail || !n.answered {
				continue
			}
			at = n.acked
		}
		acked = append(acked, at)
	}
	if len(acked) < e.Majority() {
		return 0
	}
	slices.Sort(acked)
	return acked[len(acked)-e.Majority()].After(m.leaseSpan())
}

// Lease returns the last moment at which the View of the last Step may be served
// by, unless a later Step says otherwise: a primary's lease, or the node timeout
// where nothing can be written.
func (m *Machine) Lease() Time {
	idle := m.now.After(min(max(m.config.NodeTimeout, routeMin), leaseMax))
	if m.clusterState.now != StateOK || !m.self().IsPrimary() || m.mutated(MutateLongLease) {
		return idle
	}
	return min(max(m.leaseEnd(), m.now), m.now.After(leaseMax))
}

// condemn hears that a majority of the electors has failed this node. A candidate
// says so again with each candidacy, until its own verdict is lifted, which is 2N
// after it heard it if this node answers: so this one may refuse for 4N in all. The
// repetition must count: the candidacy that comes with it lasts for 2N, and its
// electors hold the verdict for as long since they heard it then. That could end
// sooner only if a verdict had one age everywhere, which clocks do not give.
func (m *Machine) condemn(body Fail) {
	if body.Boot == m.boot && !m.mutated(MutateDefyVerdict) {
		m.contested = len(body.Reporters) == 0 || m.contested && m.now < m.condemnedUntil
		m.condemnedUntil = m.now.After(2 * m.config.NodeTimeout)
	}
}

// condemned reports whether a replica may still win by the verdict about this
// node, which is back, but too late.
func (m *Machine) condemned() bool {
	if m.now >= m.condemnedUntil || !m.self().IsPrimary() || m.self().Slots == nil {
		return false
	}
	if m.contested { // by a replica that may be unknown here: nodes.conf is older than it, or it moved
		m.wakeBy(m.condemnedUntil)
		return true
	}
	for _, n := range m.replicasOf(m.id()) {
		if !n.fail && n.record.Flags&NoFailover == 0 {
			m.wakeBy(m.condemnedUntil)
			return true
		}
	}
	return false
}

// heardBoot hears of a life of n. If it was started anew, silence, suspicion and
// verdict were about the earlier life: nobody may win by them in this one, in which
// n may serve already by a lease that counts on a node timeout of silence.
func (m *Machine) heardBoot(n *node, boot uint64) {
	if boot <= n.boot {
		return
	}
	n.boot = boot
	if m.mutated(MutateOldVerdict) {
		return
	}
	n.anewAt = m.now
	n.misses, n.refusals, n.reports = 0, 0, nil
	if n.pfail || n.fail {
		m.changed.view, m.changed.table = true, true
	}
	if n.fail {
		m.note('*', "Clear FAIL state for node "+n.id().String()+": it was started again.")
	}
	n.pfail, n.fail = false, false
	m.probeSoon(n, m.now)
}
