package sim

import (
	"cobble/cluster"
)

// checker watches a world from outside the machines.
type checker interface {
	sent(w *World, h *Host, msg *cluster.Message)         // a message left h
	published(w *World, h *Host)                          // h.view is new
	promoted(w *World, h *Host, do cluster.BecomePrimary) // h's data path leads a shard
}

func newCheckers() []checker {
	registers := newRegisterChecker()
	return []checker{registers, newRecordChecker(), &verdictChecker{registers}, newRoleChecker(registers)}
}

// recordChecker: one version of a record has one content, in every message of
// every life of its owner.
type recordChecker struct {
	seen map[cluster.Version]*cluster.Record
}

func newRecordChecker() *recordChecker {
	return &recordChecker{seen: map[cluster.Version]*cluster.Record{}}
}

func (c *recordChecker) sent(w *World, h *Host, msg *cluster.Message) {
	switch body := msg.Body.(type) {
	case cluster.Records:
		for _, r := range body.Records {
			c.check(w, h, r)
		}
	case cluster.Hello:
		c.check(w, h, body.Record)
	case cluster.HelloOK:
		c.check(w, h, body.Record)
	}
}

func (c *recordChecker) check(w *World, h *Host, r *cluster.Record) {
	version := cluster.Version{ID: r.ID, Boot: r.Boot, Counter: r.Counter}
	old := c.seen[version]
	switch {
	case old == nil:
		c.seen[version] = r
	case old != r && !sameRecord(old, r):
		w.fail("two contents of one record version: %+v and %+v", *old, *r)
	}
}

func sameRecord(a, b *cluster.Record) bool {
	x, y := *a, *b
	x.Slots, y.Slots = nil, nil
	return x == y && sameSlots(a.Slots, b.Slots)
}

func (c *recordChecker) published(*World, *Host)                       {}
func (c *recordChecker) promoted(*World, *Host, cluster.BecomePrimary) {}

// verdictChecker: FAIL is said only with the reports of a majority of electors,
// of the set in force when the message leaves or of one just before, for the
// message may have waited for the disk.
type verdictChecker struct{ registers *registerChecker }

func (c *verdictChecker) sent(w *World, h *Host, msg *cluster.Message) {
	body, is := msg.Body.(cluster.Fail)
	if !is || len(body.Reporters) == 0 {
		return
	}
	electors := h.machine.View().Electors
	for back := range min(electors.Ver, 4) {
		before := c.registers.sets[setKey{electors.Cluster, electors.Ver - back}]
		if before != nil && backed(before, body.Reporters) {
			return
		}
	}
	w.fail("n%d says FAIL without a majority of %d electors", h.index, len(electors.Members))
}

// backed reports whether a majority of e is among ids.
func backed(e *cluster.Electors, ids []cluster.ID) bool {
	count := 0
	for _, id := range ids {
		if _, member := e.Has(id); member {
			count++
		}
	}
	return count >= e.Majority()
}

func (c *verdictChecker) published(*World, *Host)                       {}
func (c *verdictChecker) promoted(*World, *Host, cluster.BecomePrimary) {}

// roleChecker: at most one node leads a shard in a term, and only with a
// decided configuration behind it.
type roleChecker struct {
	registers *registerChecker
	leaders   map[shardTerm]cluster.ID
	unclean   map[shardTerm]bool
}

type shardTerm struct {
	shard cluster.ID
	term  uint64
}

func newRoleChecker(registers *registerChecker) *roleChecker {
	return &roleChecker{registers: registers, leaders: map[shardTerm]cluster.ID{}, unclean: map[shardTerm]bool{}}
}

func (c *roleChecker) sent(*World, *Host, *cluster.Message) {}
func (c *roleChecker) published(*World, *Host)              {}

func (c *roleChecker) promoted(w *World, h *Host, do cluster.BecomePrimary) {
	key := shardTerm{do.Shard, do.Term}
	id := h.machine.View().Myself().ID
	if !do.Clean {
		c.unclean[key] = true
	}
	if leader, led := c.leaders[key]; led && leader != id {
		w.fail("two primaries in term %d of shard %v: %v and %v", do.Term, do.Shard, leader, id)
	}
	c.leaders[key] = id
	if do.Term == 1 || c.unclean[key] {
		return
	}
	if decided, is := c.registers.leader[key]; !is || decided != id {
		w.fail("n%d leads term %d of shard %v without a decided configuration", h.index, do.Term, do.Shard)
	}
}

// checkResume: writes that were held back for a manual failover are let in again
// only where the shard is led from. On a replica they are refused, as any.
func (w *World) checkResume(h *Host) {
	if !h.primary {
		return
	}
	decided := w.checkers[0].(*registerChecker).newest[h.view.Myself().Shard]
	if decided != nil && decided.Term > h.term && decided.Primary.ID != h.id() {
		w.fail("n%d lets writes in again in term %d, term %d is another's", h.index, h.term, decided.Term)
	}
}

// checkWrite: who acknowledges a write leads its shard. Between a decision and
// the news of it only the lease can keep a primary from that.
func (w *World) checkWrite(h *Host) {
	newest := w.checkers[0].(*registerChecker).newest[h.view.Myself().Shard]
	if w.leases && newest != nil && newest.Term > h.term && newest.Primary.ID != h.id() {
		w.fail("n%d acknowledges a write in term %d, another leads term %d", h.index, h.term, newest.Term)
	}
}

// checkLeases: a replica wins only when nobody else holds the lease of its shard,
// running or paused.
func (w *World) checkLeases(won *cluster.ShardConfig) {
	for _, h := range w.Hosts {
		if w.leases && h.takesWrites(w) && h.view.Myself().Shard == won.Shard && h.term < won.Term && h.id() != won.Primary.ID {
			w.fail("%v wins term %d, but for %d ms n%d may take writes in term %d",
				won.Primary.ID, won.Term, h.lease.Since(h.clock(w)), h.index, h.term)
		}
	}
}
