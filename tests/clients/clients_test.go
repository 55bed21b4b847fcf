package clients

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/topology"
)

// full reports whether faults are asked for.
func full() bool { return os.Getenv("COBBLE_PROCESSES") == "full" }

// moved is how many slots the reshards of the test move: the first ones of the first primary.
const moved = 8

func startCluster(t *testing.T) *proc.Cluster {
	// Twenty processes, each at its start, on one busy core: nobody must be taken for dead whom no test kills.
	o := proc.Options{NodeTimeout: 15000}
	if full() {
		o.NodeTimeout = 5000
	}
	if os.Getenv("COBBLE_PROGRAM") == "redis" {
		o.Program = proc.Redis
	}
	c := proc.StartCluster(t, 3, 1, o)
	proc.Eventually(t, time.Minute, "three replicas", func() error {
		replicas := 0
		for _, n := range view(t, c.Servers[0]) {
			if n.IsReplica() {
				replicas++
			}
		}
		if replicas != 3 {
			return fmt.Errorf("%d replicas", replicas)
		}
		for _, s := range c.Servers { // one that never had its primary's data does not stand for election
			if info := s.Do("INFO", "replication").Text; strings.Contains(info, "master_link_status:down") {
				return fmt.Errorf("port %d is not in step", s.Port)
			}
		}
		return nil
	})
	return c
}

// view is what a server says about the nodes.
func view(t *testing.T, s *proc.Server) []*topology.Node {
	t.Helper()
	nodes, err := topology.ParseNodes(s.Do("CLUSTER", "NODES").Text)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// primaryOf gives the running server that serves a slot.
func primaryOf(t *testing.T, c *proc.Cluster, slot slots.Slot) *proc.Server {
	t.Helper()
	for _, s := range c.Servers {
		if !s.Alive() {
			continue
		}
		if me, err := topology.Myself(view(t, s)); err == nil && me.IsPrimary() && me.Slots.Has(slot) {
			return s
		}
	}
	t.Fatalf("nobody serves slot %d", slot)
	return nil
}

// keyTags gives hash tags for the keys of a session: twenty in the slots that will move, twenty anywhere.
func keyTags() (tags []string) {
	anywhere, moving := 0, 0
	for i := 0; anywhere < 20 || moving < 20; i++ {
		tag := fmt.Sprint("t", i)
		switch slot := slots.Of([]byte(tag)); {
		case slot < moved && moving < 20:
			moving++
			tags = append(tags, tag)
		case slot >= moved && anywhere < 20:
			anywhere++
			tags = append(tags, tag)
		}
	}
	return tags
}

// library is what the sessions call: every user of functions loads them at each primary once.
const library = "#!lua name=clients\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)"

// band is all sessions together.
type band []*session

// startAll starts a session of each library that COBBLE_CLIENTS names, of all when it is unset.
func startAll(t *testing.T, c *proc.Cluster, tags []string) (all band) {
	for _, l := range []struct {
		name  string
		start func() *session
	}{
		{"go-redis", func() *session { return goRedis(c, tags, "go-redis", 3) }},
		{"go-redis-2", func() *session { return goRedis(c, tags, "go-redis-2", 2) }},
		{"rueidis", func() *session { return rueidisSession(t, c, tags) }},
		{"ioredis", func() *session { return node(t, "ioredis", c, tags) }},
		{"node-redis", func() *session { return node(t, "node-redis", c, tags) }},
		{"node-redis-3", func() *session { return node(t, "node-redis-3", c, tags) }},
		{"redis-py", func() *session { return python(t, c, tags) }},
		{"hiredis", func() *session { return hiredis(t, c, tags) }},
	} {
		if names := strings.Fields(os.Getenv("COBBLE_CLIENTS")); len(names) > 0 && !slices.Contains(names, l.name) {
			continue
		}
		s := l.start()
		s.waits = strings.HasPrefix(s.name, "node-redis")
		all = append(all, s)
	}
	return all
}

// await waits until each session that still runs has done something.
func (b band) await(t *testing.T, what string, done func(s *session) error) {
	t.Helper()
	for _, s := range b {
		proc.Eventually(t, time.Minute, s.name+": "+what, func() error {
			if !s.alive() {
				return nil // its result tells why
			}
			return done(s)
		})
	}
}

// progress waits until each key was written twice more, and something was popped; those that wait for a lost node are
// only asked when it is back.
func (b band) progress(t *testing.T, when string, keys int64, everybody bool) {
	t.Helper()
	begin := time.Now()
	writes, popped := map[*session]int64{}, map[*session]int64{}
	for _, s := range b {
		writes[s], popped[s] = s.writes.Load(), s.popped.Load()
	}
	b.await(t, "progress "+when, func(s *session) error {
		w, p := s.writes.Load()-writes[s], s.popped.Load()-popped[s]
		if (w < 2*keys || p < 4) && (everybody || !s.waits) {
			return fmt.Errorf("%d writes and %d pops", w, p)
		}
		return nil
	})
	t.Logf("progress %s: %.1f s", when, time.Since(begin).Seconds())
}

func TestClients(t *testing.T) {
	begin := time.Now()
	installNode(t)
	c := startCluster(t)
	for _, slot := range []slots.Slot{0, 8000, 16000} {
		primaryOf(t, c, slot).Do("FUNCTION", "LOAD", library)
	}
	tags := keyTags()
	all := startAll(t, c, tags)
	t.Logf("started: %.1f s", time.Since(begin).Seconds())
	all.await(t, "the features", func(s *session) error {
		if !s.ready.Load() {
			return errors.New("not all shown")
		}
		return nil
	})
	t.Logf("features: %.1f s", time.Since(begin).Seconds())
	keys := int64(len(tags))
	all.progress(t, "at first", keys, true)
	if full() {
		faults(t, c, all, keys)
	}
	for _, s := range all {
		s.stop()
	}
	for _, s := range all {
		select {
		case <-s.ended:
		case <-time.After(time.Minute):
			t.Fatalf("%s does not end", s.name)
		}
		if err := s.result; err != nil {
			t.Errorf("%s: %v", s.name, err)
		} else if err := s.missing(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		t.Logf("%s: %d writes, %d pops, errors: %v", s.name, s.writes.Load(), s.popped.Load(), s.errors)
		if bad := s.unexpected(); len(bad) > 0 {
			t.Errorf("%s: its users would not expect %v", s.name, bad)
		}
	}
	t.Logf("in all: %.1f s", time.Since(begin).Seconds())
}

// faults kills the primary of the first slots, brings it back, and moves these slots around all primaries.
func faults(t *testing.T, c *proc.Cluster, all band, keys int64) {
	begin := time.Now()
	victim := primaryOf(t, c, 0)
	victim.Kill9()
	all.progress(t, "without a primary", keys, false)
	victim.Restart()
	c.WaitOK()
	all.progress(t, "with the primary back", keys, true)
	t.Logf("failover: %.1f s", time.Since(begin).Seconds())
	var ids []string
	for _, n := range view(t, victim) {
		if n.IsPrimary() {
			ids = append(ids, n.ID)
		}
	}
	first, err := topology.Myself(view(t, primaryOf(t, c, 0)))
	if err != nil {
		t.Fatal(err)
	}
	for ids[0] != first.ID {
		ids = append(ids[1:], ids[0])
	}
	for i := range ids {
		c.CLI("--cluster", "reshard", victim.Addr, "--cluster-from", ids[i], "--cluster-to", ids[(i+1)%len(ids)], "--cluster-slots", fmt.Sprint(moved), "--cluster-yes")
		c.WaitOK()
	}
	all.progress(t, "after the slots went around", keys, true)
	t.Logf("failover and reshard: %.1f s", time.Since(begin).Seconds())
}
