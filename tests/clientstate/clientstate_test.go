package clientstate

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/respconn"
	"cobble/tools/topology"
)

func full() bool { return os.Getenv("COBBLE_PROCESSES") == "full" }

func program() (o proc.Options) {
	if os.Getenv("COBBLE_PROGRAM") == "redis" {
		o.Program = proc.Redis
	}
	return o
}

// TestClientState goes through its dialogues on one cluster: the later ones change roles.
func TestClientState(t *testing.T) {
	o := program()
	if full() {
		o.NodeTimeout = 5000 // a primary that sleeps has to be replaced
	}
	c := proc.StartCluster(t, 3, 1, o)
	for _, sh := range c.Shards() {
		sh.Replica.WaitReplicaOf(sh.Primary)
		sh.Primary.Do("FUNCTION", "LOAD", functions)
	}
	type dialogue struct {
		name string
		hold func(t *testing.T, c *proc.Cluster)
	}
	dialogues := []dialogue{
		{"slot move", slotMove}, {"tracking table", trackingTable}, {"eviction", eviction}, {"wait", waitForReplicas},
		{"demotion", func(t *testing.T, c *proc.Cluster) {
			demotion(t, c, false, func(sh proc.Shard) { sh.Replica.Do("CLUSTER", "FAILOVER") })
		}},
		{"killed scripts", killedScripts},
	}
	if full() {
		dialogues = append(dialogues, dialogue{"demotion in its sleep", func(t *testing.T, c *proc.Cluster) {
			demotion(t, c, true, func(sh proc.Shard) {
				sh.Primary.Pause()
				takesOver(t, sh)
				sh.Primary.Cont()
			})
		}})
	}
	for _, dialogue := range dialogues {
		begin := time.Now()
		if !t.Run(dialogue.name, func(t *testing.T) { dialogue.hold(t, c) }) {
			return
		}
		t.Logf("%s: %v", dialogue.name, time.Since(begin).Round(time.Millisecond))
	}
}

// pending is a command whose reply is yet to come.
type pending struct {
	name  string
	conn  *respconn.Conn
	reply chan string
}

// block sends a command that waits.
func block(conn *respconn.Conn, args ...string) *pending {
	p := &pending{name: strings.Join(args, " "), conn: conn, reply: make(chan string, 1)}
	conn.Timeout = time.Minute
	go func() {
		r, err := conn.Do(args...)
		if err != nil {
			p.reply <- err.Error()
			return
		}
		p.reply <- plain(r)
	}()
	return p
}

// plain writes a reply without its types: -error, [array of elements], text.
func plain(r respconn.Reply) string {
	switch {
	case r.Err() != nil:
		return "-" + r.Err().Error()
	case r.IsAggregate():
		var all []string
		for _, e := range r.Elems {
			all = append(all, plain(e))
		}
		return fmt.Sprint(all)
	}
	return r.Text
}

// blockAll sends commands that wait, each on a connection of its own, and waits until they do.
func blockAll(t *testing.T, s *proc.Server, commands ...[]string) (all []*pending) {
	t.Helper()
	for _, args := range commands {
		all = append(all, block(s.Conn(), args...))
	}
	waitBlocked(t, s, len(all))
	return all
}

// waitBlocked waits until n clients of a server are blocked.
func waitBlocked(t *testing.T, s *proc.Server, n int) {
	t.Helper()
	proc.Eventually(t, time.Minute, "all to be blocked", func() error {
		if info := s.Do("INFO", "clients").Text; !strings.Contains(info, fmt.Sprintf("blocked_clients:%d\r", n)) {
			return fmt.Errorf("%s", info)
		}
		return nil
	})
}

// answer waits for the reply.
func (p *pending) answer() string {
	select {
	case got := <-p.reply:
		return got
	case <-time.After(time.Minute):
		return "nothing within a minute"
	}
}

// answers checks the reply of a command that waited. want may end with … for more.
func (p *pending) answers(t *testing.T, want string) {
	t.Helper()
	got := p.answer()
	if begin, more := strings.CutSuffix(want, "…"); got != want && !(more && strings.HasPrefix(got, begin)) {
		t.Errorf("%s: %s, want %s", p.name, got, want)
	}
}

// cached is a client that tracks keys, in RESP3.
type cached struct{ *respconn.Conn }

func track(t *testing.T, s *proc.Server, args ...string) cached {
	c := cached{s.Conn()}
	for _, command := range [][]string{{"HELLO", "3"}, append([]string{"CLIENT", "TRACKING", "ON"}, args...)} {
		if r, err := c.Do(command...); err != nil || r.Err() != nil {
			t.Fatal(r, err)
		}
	}
	return c
}

// told waits for invalidations of all the keys, each once; it gives how many more came.
func (c cached) told(t *testing.T, keys ...string) (others int) {
	t.Helper()
	missing := map[string]bool{}
	for _, k := range keys {
		missing[k] = true
	}
	for len(missing) > 0 {
		if len(c.Pushed) == 0 {
			r, err := c.ReceiveAny()
			if err != nil {
				t.Fatalf("%d of %d keys were not told of (%v): %v", len(missing), len(keys), missing, err)
			}
			c.Pushed = append(c.Pushed, r)
		}
		list, err := c.Pushed[0].Elems[1].Strs()
		if err != nil || c.Pushed[0].Elems[0].Text != "invalidate" {
			t.Fatalf("pushed: %v, %v", c.Pushed[0], err)
		}
		c.Pushed = c.Pushed[1:]
		for _, k := range list {
			if !missing[k] {
				others++
			}
			delete(missing, k)
		}
	}
	return others
}

// firstSlot is the lowest slot that a server serves, and a hash tag in it.
func firstSlot(t *testing.T, s *proc.Server) (slot slots.Slot, tag string) {
	t.Helper()
	nodes, err := s.Nodes()
	if err != nil {
		t.Fatal(err)
	}
	me, err := topology.Myself(nodes)
	if err != nil {
		t.Fatal(err)
	}
	slot, _ = me.Slots.Next(0)
	for i := 0; ; i++ {
		if tag = fmt.Sprint("tag", i); slots.Of([]byte(tag)) == slot {
			return slot, "{" + tag + "}"
		}
	}
}

// slotMove: who waits for a key of a slot that redis-cli moves away is redirected, who tracks one is told; who waits for
// another goes on.
func slotMove(t *testing.T, c *proc.Cluster) {
	shards := c.Shards()
	from, to := shards[0].Primary, shards[1].Primary
	slot, tag := firstSlot(t, from)
	from.Do("XGROUP", "CREATE", tag+"x", "g", "$", "MKSTREAM")
	for _, key := range []string{"plain", "broadcast"} {
		from.Do("SET", tag+key, "before")
	}
	tracked, broadcast := track(t, from), track(t, from, "BCAST", "PREFIX", tag+"b")
	tracked.Do("GET", tag+"plain")
	waiting := blockAll(t, from,
		[]string{"BLPOP", tag + "l", tag + "l2", "0"}, []string{"BLMOVE", tag + "l", tag + "l2", "LEFT", "RIGHT", "0"}, []string{"BZPOPMIN", tag + "z", "0"},
		[]string{"XREAD", "BLOCK", "0", "STREAMS", tag + "x", "$"}, []string{"XREADGROUP", "GROUP", "g", "me", "BLOCK", "0", "STREAMS", tag + "x", ">"},
		[]string{"BLPOP", "{" + shards[0].Key + "}other", "0"})
	c.CLI("--cluster", "reshard", from.Addr, "--cluster-from", from.Do("CLUSTER", "MYID").Text, "--cluster-to", to.Do("CLUSTER", "MYID").Text, "--cluster-slots", "1", "--cluster-yes")
	moved := fmt.Sprintf("-MOVED %d %s", slot, to.Addr)
	for i, p := range waiting[:5] {
		if name := waiting[i].name; strings.HasPrefix(name, "XREADGROUP") { // the stream left before the slot did
			p.answers(t, "-…")
			continue
		}
		p.answers(t, moved)
	}
	other := "{" + shards[0].Key + "}other"
	from.Do("RPUSH", other, "v")
	waiting[5].answers(t, "["+other+" v]")
	tracked.told(t, tag+"plain")
	broadcast.told(t, tag+"broadcast")
	if r := to.Do("GET", tag+"plain"); r.Text != "before" {
		t.Errorf("after the move: %v", r)
	}
	c.WaitOK()
}

// trackingTable: when more keys are tracked than tracking-table-max-keys allows, clients are told to forget some.
func trackingTable(t *testing.T, c *proc.Cluster) {
	const keys, most = 60, 10
	sh := c.Shards()[0]
	s := sh.Primary
	s.Do("CONFIG", "SET", "tracking-table-max-keys", fmt.Sprint(most))
	defer s.Do("CONFIG", "SET", "tracking-table-max-keys", "1000000")
	client := track(t, s)
	for i := range keys {
		if _, err := client.Do("GET", fmt.Sprintf("{%s}%d", sh.Key, i)); err != nil {
			t.Fatal(err)
		}
	}
	proc.Eventually(t, time.Minute, "the table to shrink", func() error {
		client.Do("PING") // lets what was pushed be read
		forgotten := 0
		for _, p := range client.Pushed {
			forgotten += len(p.Elems[1].Elems)
		}
		info := s.Do("INFO", "stats").Text
		tracked := field(info, "tracking_total_keys")
		if tracked > most || forgotten != keys-tracked {
			return fmt.Errorf("%d keys are tracked, %d were forgotten", tracked, forgotten)
		}
		return nil
	})
}

// field reads a number of INFO.
func field(info, name string) (n int) {
	_, rest, _ := strings.Cut(info, "\n"+name+":")
	fmt.Sscan(rest, &n)
	return n
}

// inStep waits until a replica holds what its primary holds.
func inStep(t *testing.T, sh proc.Shard) {
	t.Helper()
	proc.Eventually(t, time.Minute, "equal digests", func() error {
		if p, r := sh.Primary.Do("DEBUG", "DIGEST").Text, sh.Replica.Do("DEBUG", "DIGEST").Text; p != r {
			return fmt.Errorf("%s, the replica's %s", p, r)
		}
		return nil
	})
}

// eviction: what the primary evicts is gone at its replica, too, and clients that track it are told on both.
func eviction(t *testing.T, c *proc.Cluster) {
	sh := c.Shards()[0]
	s := sh.Primary
	tag := "{" + sh.Key + "}"
	var watched []string
	at := []cached{track(t, s), track(t, sh.Replica)}
	at[1].Do("READONLY")
	for i := range 20 {
		watched = append(watched, fmt.Sprintf("%sold%d", tag, i))
		s.Do("SET", watched[i], "v", "EX", "1000")
	}
	inStep(t, sh)
	for _, key := range watched {
		for _, client := range at {
			if r, err := client.Do("GET", key); err != nil || r.Text != "v" {
				t.Fatal(r, err)
			}
		}
	}
	s.Do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	used := field(s.Do("INFO", "memory").Text, "used_memory")
	s.Do("CONFIG", "SET", "maxmemory", fmt.Sprint(used+1<<20))
	defer s.Do("CONFIG", "SET", "maxmemory", "0")
	conn := s.Conn()
	value := strings.Repeat("v", 4000)
	for i := 0; field(s.Do("INFO", "stats").Text, "evicted_keys") < 300; i++ {
		if i == 200 {
			t.Fatal("nothing is evicted")
		}
		for j := range 50 {
			conn.Send("SET", fmt.Sprintf("%snew%d", tag, i*50+j), value, "EX", "100000")
		}
		for range 50 {
			if r, err := conn.Receive(); err != nil || r.Err() != nil {
				t.Fatal(r, err)
			}
		}
	}
	inStep(t, sh)
	for _, client := range at {
		client.told(t, watched...)
	}
	if n := s.Do(append([]string{"EXISTS"}, watched...)...); n.Text != "0" {
		t.Errorf("%v of the keys with the least time to live are left", n)
	}
}

// waitForReplicas: WAIT counts the replicas that have the write; one that is stopped or gone is none, one that comes back
// ends a WAIT.
func waitForReplicas(t *testing.T, c *proc.Cluster) {
	sh := c.Shards()[0]
	conn := sh.Primary.Conn()
	writes := 0
	expect := func(when, want string, args ...string) {
		t.Helper()
		writes++
		if _, err := conn.Do("SET", sh.Key, fmt.Sprint(writes)); err != nil {
			t.Fatal(err)
		}
		if r, err := conn.Do(args...); err != nil || plain(r) != want {
			t.Errorf("%q when the replica %s: %v, %v; want %s", args, when, r, err, want)
		}
	}
	until := func(when string, back func()) {
		t.Helper()
		expect(when, "0", "WAIT", "1", "50")
		waiting := block(conn, "WAIT", "1", "0")
		waitBlocked(t, sh.Primary, 1)
		back()
		waiting.answers(t, "1")
	}
	expect("runs", "1", "WAIT", "1", "20000")
	sh.Replica.Pause()
	until("is stopped", sh.Replica.Cont)
	sh.Replica.Kill9()
	until("is dead", sh.Replica.Restart)
	inStep(t, sh)
}

const functions = "#!lua name=state\n" +
	"redis.register_function('bump', function(keys, args) for _, k in ipairs(keys) do redis.call('INCR', k) end return redis.call('GET', keys[#keys]) end)"

// takesOver waits until a replica is a primary that takes writes.
func takesOver(t *testing.T, sh proc.Shard) {
	t.Helper()
	proc.Eventually(t, time.Minute, "the replica to take over", func() error {
		_, err := sh.Replica.Try("SET", sh.Key, "1")
		return err
	})
}

// demotion: a primary whose replica takes over by CLUSTER FAILOVER, or while it was stopped, lets all go that wait, and tells trackers what is
// written at the new one. Functions are there, too. One that was isolated may say first that the cluster is down: it
// does not know yet who took over.
func demotion(t *testing.T, c *proc.Cluster, isolated bool, takeOver func(sh proc.Shard)) {
	sh := c.Shards()[0]
	tag := "{" + sh.Key + "}"
	old := sh.Primary
	old.Do("SET", tag+"t", "before")
	inStep(t, sh)
	client := track(t, old)
	client.Do("GET", tag+"t")
	waiting := blockAll(t, old, []string{"BLPOP", tag + "l", "0"}, []string{"BLMOVE", tag + "l", tag + "m", "LEFT", "RIGHT", "0"},
		[]string{"XREAD", "BLOCK", "0", "STREAMS", tag + "x", "$"}, []string{"BZPOPMAX", tag + "z", "0"}, []string{"WAIT", "5", "0"})
	takeOver(sh)
	for _, p := range waiting {
		got := p.answer()
		if isolated && got == "-CLUSTERDOWN The cluster is down" {
			continue
		}
		if want := "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"; got != want {
			t.Errorf("%s: %s, want %s", p.name, got, want)
		}
		if r, err := p.conn.Do("PING"); err == nil {
			t.Errorf("%s: its connection is still there: %v", p.name, r)
		}
	}
	old.WaitReplicaOf(sh.Replica)
	if a, b := plain(old.Do("FUNCTION", "LIST", "WITHCODE")), plain(sh.Replica.Do("FUNCTION", "LIST", "WITHCODE")); a != b || !strings.Contains(a, "bump") {
		t.Errorf("functions %s, at the new primary %s", a, b)
	}
	sh.Replica.Do("DEL", tag+"n")
	if r := sh.Replica.Do("FCALL", "bump", "1", tag+"n"); r.Text != "1" {
		t.Errorf("FCALL at the new primary: %v", r)
	}
	sh.Replica.Do("SET", tag+"t", "after")
	client.told(t, tag+"t")
	if r, err := old.Try("BLPOP", tag+"l", "0"); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
		t.Errorf("BLPOP at what is a replica now: %v, %v", r, err)
	}
	c.WaitOK()
}

// killedScripts: scripts and functions raise a set of counters until their primary is killed. The new primary has every
// run whole or not at all, and the old one holds the same when it is back.
func killedScripts(t *testing.T, c *proc.Cluster) {
	rounds := 2
	if full() {
		rounds = 6
	}
	for range rounds {
		sh := c.Shards()[0]
		keys := []string{}
		for i := range 40 {
			keys = append(keys, fmt.Sprintf("{%s}counter:%d", sh.Key, i))
		}
		const script = "for _, k in ipairs(KEYS) do redis.call('INCR', k) end return redis.call('GET', KEYS[#KEYS])"
		var runs atomic.Int64
		var workers sync.WaitGroup
		for _, call := range [][]string{{"EVAL", script}, {"FCALL", "bump"}, {"EVAL", script}, {"FCALL", "bump"}} {
			conn := sh.Primary.Conn()
			workers.Go(func() {
				for {
					r, err := conn.Do(append([]string{call[0], call[1], fmt.Sprint(len(keys))}, keys...)...)
					if err != nil {
						return // killed
					}
					if r.Err() != nil {
						t.Error(r.Err())
						return
					}
					runs.Add(1)
				}
			})
		}
		proc.Eventually(t, time.Minute, "some runs", func() error {
			if n := runs.Load(); n < 300 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		sh.Primary.Kill9()
		workers.Wait()
		takesOver(t, sh)
		for i, v := range sh.Replica.Do(append([]string{"MGET"}, keys...)...).Elems {
			if first := sh.Replica.Do("GET", keys[0]); v.Text != first.Text {
				t.Errorf("counter %d is %v, the first is %v: half of a script", i, v, first)
			}
		}
		sh.Primary.Restart()
		sh.Primary.WaitReplicaOf(sh.Replica)
		inStep(t, sh)
		c.WaitOK()
	}
}
