package cluster

import "slices"

// A primary serves by a lease, so that one that was stopped does not go on as if
// nothing had been. The lease runs from when this node sent the probes that a
// majority of the electors has answered, never from when the answers came.
//
// Let s be such a sending time, N the node timeout, the same on all nodes, and E
// an elector of that majority. It probes this node at least every N/5, so when it
// answered, at s or later, the last of its own probes that was answered had been
// sent at s - N/5 - T or later, T being the timeout of a probe (at most 500 ms).
//
//   - E suspects this node no earlier than s - N/5 - T + N.
//   - Any majority that can fail this node has such an E in it, for both are
//     majorities of one set, and this node does not suspect itself.
//   - A replica stands slowDelay (500 ms) after the verdict or later, unless the
//     primary's host refuses connections: then no process is left to serve.
//
// So a replica wins no earlier than s + 4N/5 + slowDelay - T; the lease ends at
// s + 3N/4 (or 400 ms, if that is more). What is between the two, N/20 and at
// least as much as slowDelay exceeds T, is for probes that were lost or late on
// E's side, for a stall of E that it does not notice (noticePause: else it counts
// silence from the end of the stall), and for clocks of different speed. Probes
// every N/5 leave N/2 and more for this process to stall without losing the lease.
//
// A lease that has run out says that all of that may have happened. A new one
// begins when a majority has answered anew, the news of a replacement has had
// time to come, and the register was asked (see judgeState). A verdict stands for
// 2N even if its subject is back, and all the while a replica may win by it: who
// hears the verdict about itself waits for so long (see condemned).
//
// Not covered: electors of clusters of more than PushLimit nodes, which do not
// probe every primary; CLUSTER FAILOVER FORCE and TAKEOVER, which ask nobody
// whether the primary lives; a clock that stood still with the process (a machine
// that was suspended); and a restart, after which nodes count as answered when
// they were read from nodes.conf: only bootWait is between it and its clients.

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
// not to have failed this node; 0 if there is none. A single elector that is this
// node itself cannot be outvoted.
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
			if n == nil || n.fail || n.pfail || n.acked == 0 {
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

// condemn hears that a majority of the electors has failed this node.
func (m *Machine) condemn(body Fail) {
	if body.Boot == m.boot && !m.mutated(MutateDefyVerdict) {
		m.condemnedUntil = m.now.After(2 * m.config.NodeTimeout)
	}
}

// condemned reports whether a replica may still win by the verdict about this
// node, which is back, but too late.
func (m *Machine) condemned() bool {
	if m.now >= m.condemnedUntil || !m.self().IsPrimary() || m.self().Slots == nil {
		return false
	}
	for _, n := range m.replicasOf(m.id()) {
		if !n.fail && n.record.Flags&NoFailover == 0 {
			m.wakeBy(m.condemnedUntil)
			return true
		}
	}
	return false
}
