package cluster

// orphanWait is how long a primary must be without replicas before one is sent
// to it (CLUSTER_SLAVE_MIGRATION_DELAY).
const orphanWait Duration = 5000

// migrationTimers moves this replica to a primary that lost all of its own, if
// this one's primary can spare it. Redis 7.0, clusterHandleSlaveMigration.
func (m *Machine) migrationTimers() {
	m.markMigrationTarget()
	if m.now < m.migrateAt {
		m.wakeBy(m.migrateAt)
		return
	}
	m.migrateAt = m.now.After(200)
	m.wakeBy(m.migrateAt)
	own := m.self()
	if own.IsPrimary() || !m.config.AllowReplicaMigration || m.clusterState.now != StateOK {
		m.noteOrphans(nil)
		return
	}
	counts := m.livingReplicas()
	target := m.noteOrphans(counts)
	most := 0
	for _, count := range counts {
		most = max(most, count)
	}
	primary := m.find(own.Primary)
	if target == nil || primary == nil || primary.fail || counts[primary.num] <= m.config.MigrationBarrier ||
		counts[primary.num] < most {
		return
	}
	for _, n := range m.nodes {
		if n == m.me {
			break // the smallest id of those that could be spared
		}
		if p := m.find(n.record.Primary); p != nil && !n.fail && !n.pfail && counts[p.num] == most {
			return
		}
	}
	m.note('*', "Migrating to orphaned master "+target.id().String())
	m.becomeReplicaOf(target)
}

// livingReplicas counts the replicas that answer, by the number of their primary.
func (m *Machine) livingReplicas() []int {
	counts := make([]int, len(m.numbers))
	for _, n := range m.nodes {
		if p := m.find(n.record.Primary); p != nil && !n.fail && !n.pfail {
			counts[p.num]++
		}
	}
	return counts
}

// noteOrphans keeps the time since when primaries are without replicas and
// returns one that has waited long enough.
func (m *Machine) noteOrphans(counts []int) *node {
	var target *node
	for _, n := range m.nodes {
		orphan := counts != nil && n.record.IsPrimary() && n.ownedCount > 0 && !n.fail && !n.pfail &&
			counts[n.num] == 0 && n.record.Flags&MigrateTo != 0
		switch {
		case !orphan:
			n.orphanSince = 0
		case n.orphanSince == 0:
			n.orphanSince = m.now
		case m.now.Since(n.orphanSince) >= orphanWait && target == nil:
			target = n
		}
	}
	return target
}

// markMigrationTarget lets a primary that has, or whose mates have, replicas
// ask for one should it lose its own.
func (m *Machine) markMigrationTarget() {
	own := m.self()
	if !own.IsPrimary() || own.Flags&MigrateTo != 0 || m.me.ownedCount == 0 {
		return
	}
	if len(m.replicasOf(own.ID)) > 0 {
		m.amend(false, func(r *Record) { r.Flags |= MigrateTo })
	}
}
