package cluster

import "cobble/slots"

// clusterState is what cluster_state is computed from.
type clusterState struct {
	now        State
	reason     string
	readyAt    Time // a restarted primary is not ok before; 0: it may be
	minorityAt Time // last moment without a majority of electors; 0: never
	awakeAt    Time // the process was paused until then
	coveredBy  Time // slots that another node gave up should have their new owner by then; 0: all have one
	lastTimers Time
}

// bootWait is how long a restarted primary keeps its state fail, so that the
// news that it was replaced finds it first (Redis: CLUSTER_WRITABLE_DELAY).
// A confirmation of its claim by the register ends the wait.
const bootWait Duration = 2000

// coverWait is how long slots that another node gave up may be nobody's before
// the state is fail: the news that one moved can come from its old owner
// before it comes from the new one. Slots that are given up while others
// are nobody's do not prolong it. Only the state waits; a command for such
// a slot is not served.
const coverWait Duration = 500

func (m *Machine) startState(restarted bool) {
	m.clusterState = clusterState{lastTimers: m.now, awakeAt: m.now}
	m.bornAt, m.touched = m.now, false
	if restarted && m.self().IsPrimary() && m.self().Slots != nil {
		m.readyAt = m.now.After(bootWait)
	}
}

// updateState recomputes cluster_state. Redis 7.0, clusterUpdateState, with
// electors in the place of primaries.
func (m *Machine) updateState() {
	state, reason := m.judgeState()
	if state == m.clusterState.now && reason == m.reason {
		return
	}
	if state != m.clusterState.now {
		m.note('*', "Cluster state changed: "+state.String())
	}
	m.clusterState.now, m.reason = state, reason
	m.changed.view = true
}

func (m *Machine) judgeState() (State, string) {
	if !m.reachesMajority() {
		m.minorityAt = m.now
		return StateFail, "a majority of the electors is unreachable"
	}
	if m.readyAt != 0 {
		if m.now < m.readyAt {
			m.wakeBy(m.readyAt)
			return StateFail, "starting"
		}
		m.readyAt = 0
	}
	if m.assigned == slots.Count {
		m.coveredBy = 0
	}
	if m.config.RequireFullCoverage {
		if m.assigned < slots.Count {
			if m.clusterState.now != StateOK || m.now >= m.coveredBy {
				return StateFail, "not all slots are assigned"
			}
			m.wakeBy(m.coveredBy)
		}
		for _, n := range m.nodes {
			if n.fail && n.ownedCount > 0 {
				return StateFail, "the owner of some slots has failed"
			}
		}
	}
	if m.clusterState.now == StateFail && m.minorityAt != 0 && m.self().IsPrimary() {
		// Back from a minority: wait for the news of who replaced whom.
		delay := min(max(m.config.NodeTimeout, 500), 5000)
		if back := m.minorityAt.After(delay); m.now < back {
			m.wakeBy(back)
			return StateFail, "back from a minority partition"
		}
	}
	m.minorityAt = 0
	return StateOK, ""
}

// reachesMajority reports whether a majority of electors answered within the
// node timeout.
func (m *Machine) reachesMajority() bool {
	e := m.inForce()
	if e == nil {
		return false
	}
	reached := 0
	for _, elector := range e.Members {
		if elector.ID == m.id() {
			reached++
			continue
		}
		n := m.find(elector.ID)
		if n == nil || n.fail || n.pfail {
			continue
		}
		if m.now.Since(n.acked) <= m.config.NodeTimeout {
			reached++
			m.wakeBy(n.acked.After(m.config.NodeTimeout + 1))
		}
	}
	return reached >= e.Majority()
}
