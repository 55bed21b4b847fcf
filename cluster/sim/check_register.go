package sim

import "cobble/cluster"

// registerChecker follows the registers by the messages of acceptors and
// proposers: promises are kept over crashes, one ballot has one value, one
// version of a register has one decided value, terms rise with the primary,
// a cluster's sets follow each other one by one and dissolve downwards.
type registerChecker struct {
	promised map[acceptorKey]cluster.Ballot
	accepted map[acceptorKey]cluster.Ballot
	proposed map[ballotKey]*proposed
	sets     map[setKey]*cluster.Electors // decided or initial
	configs  map[versionKey]*cluster.ShardConfig
	newest   map[cluster.ID]*cluster.ShardConfig // by shard, whichever cluster decided it
	within   map[domainKey]*cluster.ShardConfig  // the newest that one cluster decided
	leader   map[shardTerm]cluster.ID
}

type acceptorKey struct {
	inc          uint64
	cluster, key cluster.ID
}

type ballotKey struct {
	cluster, key cluster.ID
	ballot       cluster.Ballot
}

type setKey struct {
	cluster cluster.ID
	ver     uint64
}

type domainKey struct{ cluster, shard cluster.ID }

type versionKey struct {
	shard cluster.ID
	ver   uint64
}

type proposed struct {
	ver      uint64
	config   *cluster.ShardConfig
	electors *cluster.Electors
	votes    []cluster.Member
	decided  bool
}

func newRegisterChecker() *registerChecker {
	return &registerChecker{
		promised: map[acceptorKey]cluster.Ballot{}, accepted: map[acceptorKey]cluster.Ballot{},
		proposed: map[ballotKey]*proposed{}, sets: map[setKey]*cluster.Electors{},
		configs: map[versionKey]*cluster.ShardConfig{}, newest: map[cluster.ID]*cluster.ShardConfig{},
		leader: map[shardTerm]cluster.ID{}, within: map[domainKey]*cluster.ShardConfig{},
	}
}

func (c *registerChecker) published(w *World, h *Host) {
	if h.view.Electors != nil {
		c.set(w, h.view.Electors)
	}
}

func (c *registerChecker) promoted(*World, *Host, cluster.BecomePrimary) {}

func (c *registerChecker) sent(w *World, h *Host, msg *cluster.Message) {
	switch body := msg.Body.(type) {
	case cluster.Promise:
		if body.Register.Key.IsZero() {
			return // starts anew with every version of the set
		}
		key := acceptorKey{msg.Inc, body.Cluster, body.Register.Key}
		if body.Ballot.Less(c.promised[key]) {
			w.fail("n%d promised %v after %v", h.index, body.Ballot, c.promised[key])
		}
		if body.Register.Accepted.Less(c.accepted[key]) {
			w.fail("n%d forgot that it accepted %v", h.index, c.accepted[key])
		}
		c.promised[key] = body.Ballot
	case cluster.Accept:
		c.propose(w, h, body)
	case cluster.Accepted:
		if !body.Key.IsZero() {
			key := acceptorKey{msg.Inc, body.Cluster, body.Key}
			if body.Ballot.Less(c.promised[key]) {
				w.fail("n%d accepted %v after promising %v", h.index, body.Ballot, c.promised[key])
			}
			if c.accepted[key].Less(body.Ballot) {
				c.accepted[key] = body.Ballot
			}
		}
		c.count(w, body, cluster.Member{ID: msg.From, Inc: msg.Inc})
	case cluster.Records:
		if body.Electors != nil {
			c.set(w, body.Electors)
		}
	case cluster.Committed:
		if body.Electors != nil {
			c.set(w, body.Electors)
		}
	}
}

func (c *registerChecker) propose(w *World, h *Host, body cluster.Accept) {
	key := ballotKey{body.Cluster, body.Key, body.Ballot}
	p := c.proposed[key]
	if p == nil {
		c.proposed[key] = &proposed{ver: body.ElectorVer, config: body.Config, electors: body.Electors}
		return
	}
	if !sameConfig(p.config, body.Config) || p.ver != body.ElectorVer {
		w.fail("n%d proposes two values in one ballot", h.index)
	}
}

// count adds a vote; with a majority of its set the value is decided.
func (c *registerChecker) count(w *World, body cluster.Accepted, from cluster.Member) {
	p := c.proposed[ballotKey{body.Cluster, body.Key, body.Ballot}]
	if p == nil || p.decided {
		return
	}
	set := c.sets[setKey{body.Cluster, p.ver}]
	if set == nil {
		w.fail("a vote for version %d of the electors, which nobody decided", p.ver)
		return
	}
	if !set.Includes(from) {
		return
	}
	for _, voter := range p.votes {
		if voter == from {
			return
		}
	}
	p.votes = append(p.votes, from)
	if len(p.votes) < set.Majority() {
		return
	}
	p.decided = true
	if p.electors != nil {
		c.set(w, p.electors)
	}
	if p.config != nil {
		c.decide(w, p.config)
		key := domainKey{body.Cluster, p.config.Shard}
		if newest := c.within[key]; newest == nil || newest.Ver < p.config.Ver {
			c.within[key] = p.config
		}
	}
}

func (c *registerChecker) set(w *World, e *cluster.Electors) {
	key := setKey{e.Cluster, e.Ver}
	old := c.sets[key]
	if old == e {
		return
	}
	if old == nil {
		c.sets[key] = e
		if !e.Into.IsZero() && !e.Into.Less(e.Cluster) {
			w.fail("cluster %v dissolves into the greater %v", e.Cluster, e.Into)
		}
		return
	}
	if old.Into != e.Into || !sameMembers(old.Members, e.Members) {
		w.fail("two elector sets of version %d: %+v and %+v", e.Ver, *old, *e)
	}
}

func (c *registerChecker) decide(w *World, config *cluster.ShardConfig) {
	key := versionKey{config.Shard, config.Ver}
	if old := c.configs[key]; old != nil {
		if !sameConfig(old, config) {
			w.fail("two configurations of version %d: %+v and %+v", config.Ver, *old, *config)
		}
		return
	}
	c.configs[key] = config
	if before := c.configs[versionKey{config.Shard, config.Ver - 1}]; before != nil &&
		before.Primary.ID != config.Primary.ID && before.Term >= config.Term {
		w.fail("the primary changed and the term did not rise: %+v and %+v", *before, *config)
	}
	if newest := c.newest[config.Shard]; newest == nil || newest.Ver < config.Ver {
		c.newest[config.Shard] = config
		w.checkLeases(config)
	}
	c.leader[shardTerm{config.Shard, config.Term}] = config.Primary.ID
}

func sameConfig(a, b *cluster.ShardConfig) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Shard == b.Shard && a.Ver == b.Ver && a.Term == b.Term && a.Epoch == b.Epoch && a.Primary == b.Primary
}

func sameMembers(a, b []cluster.Member) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
