package cluster

import "cobble/slots"

// clusterState is what cluster_state is computed from.
type clusterState struct {
	now        State
	reason     string
	readyAt    Time // a primary that the register has to confirm is not ok before; 0: it may be
	leased     bool // a majority of the electors has answered in this life
	doubted    bool // a replica may have won since the lease ran out: the register is to be asked
	minorityAt Time // last moment without a majority of electors, after there was one; 0: never
	awakeAt    Time // the process was paused until then
	// condemnedUntil is till when a verdict about this node stands; 0: none.
	condemnedUntil Time
	contested      bool // that verdict came with a candidacy
	coveredBy      Time // slots that another node gave up should have their new owner by then; 0: all have one
	lastTimers     Time
}

// bootWait is how long a primary that was restarted, or whose lease had run out,
// keeps its state fail, so that the news that it was replaced finds it first
// (Redis: CLUSTER_WRITABLE_DELAY). A confirmation of its claim by the register
// ends the wait.
const bootWait Duration = 2000

// coverWait is how long slots that another node gave up may be nobody's before
// the state is fail: the news that one moved can come from its old owner
// before it comes from the new one. Slots that are given up while others
// are nobody's do not prolong it. Only the state waits; a command for such
// a slot is not served.
const coverWait Duration = 500

// startState begins a life without a lease. One that was restarted is like one
// whose lease ran out: a replica may have won meanwhile.
func (m *Machine) startState(restarted bool) {
	m.clusterState = clusterState{lastTimers: m.now, awakeAt: m.now, doubted: restarted}
	m.bornAt, m.touched = m.now, false
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
	held := m.leaseEnd()
	if m.now > held && !m.leased {
		m.doubted = true
		return StateFail, "a majority of the electors has not answered yet"
	}
	if m.now > held {
		m.minorityAt, m.doubted = m.now, true
		return StateFail, "a majority of the electors is unreachable"
	}
	m.leased = true
	m.wakeBy(held.After(1))
	if m.readyAt != 0 {
		if m.now < m.readyAt {
			m.wakeBy(m.readyAt)
			return StateFail, "the electors have not confirmed this primary yet"
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
	if m.condemned() {
		m.doubted = true
		return StateFail, "the other nodes say that this one has failed"
	}
	if m.doubted && m.self().IsPrimary() {
		m.doubted = false
		if m.self().Slots != nil { // else there is nothing to be replaced in
			// An election may have been decided that nobody heard of.
			m.readyAt = m.now.After(bootWait)
			m.reconfirm()
			m.wakeBy(m.readyAt)
			return StateFail, "the electors are asked whether this is still a primary"
		}
	}
	m.minorityAt = 0
	return StateOK, ""
}
