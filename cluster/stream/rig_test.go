package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/cluster"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/log"
)

const testNow = int64(1_700_000_000_000)

var testShard = cluster.ID{0x55}

// node is one real engine, which can be a primary or a replica.
type node struct {
	t      testing.TB
	id     cluster.ID
	fs     vfs.FS
	dir    string
	engine *storage.Engine
	source *Source
	term   atomic.Uint64
	change func(*storage.Options) // of the options that tests choose
	mutant mutants
	beat   time.Duration

	mu       sync.Mutex
	lines    []string
	follower *Follower
	stop     func() // ends the follower
}

func newNode(t testing.TB, n byte, fs vfs.FS) *node {
	t.Helper()
	return newNodeWith(t, n, fs, nil)
}

func newNodeWith(t testing.TB, n byte, fs vfs.FS, change func(*storage.Options)) *node {
	t.Helper()
	nd := &node{t: t, id: cluster.ID{n}, fs: fs, dir: fmt.Sprint("node-", n), change: change, beat: 5 * time.Millisecond}
	if fs == vfs.Default {
		nd.dir = t.TempDir()
	}
	if tr, ok := t.(*trial); ok {
		nd.mutant = tr.mutant
	}
	nd.open()
	t.Cleanup(nd.close)
	return nd
}

// open opens the engine and makes a Source, as a start of the process does.
func (n *node) open() {
	n.t.Helper()
	o := storage.Options{
		Dir: n.dir, FS: n.fs, Budget: 4 << 20, Tick: make(chan time.Time), Now: time.Now,
		GenerationBytes: 64 << 10, MaxDirtyBytes: 1 << 20, SSTBytes: 16 << 10, SegmentBytes: 64 << 10,
		RetainLog: 32 << 10,
	}
	if n.change != nil {
		n.change(&o)
	}
	e, err := storage.Open(o)
	if err != nil {
		n.t.Fatalf("open node %d: %v", n.id[0], err)
	}
	n.engine = e
	n.newSource(0)
}

func (n *node) newSource(rate int64) {
	n.t.Helper()
	var pace func(n int)
	if rate > 0 {
		pace = func(n int) { <-time.NewTimer(time.Duration(int64(n) * int64(time.Second) / rate)).C }
	}
	s, err := NewSource(SourceOptions{
		Shard: func() cluster.ID { return testShard }, Term: n.term.Load, Store: n.engine,
		FS: n.fs, Dir: n.fs.PathJoin(n.dir, "outgoing"), Now: time.Now, Beat: n.beat, Timeout: 20 * time.Second,
		Pace: pace, Logf: n.logf, mutant: n.mutant,
	})
	if err != nil {
		n.t.Fatalf("source of node %d: %v", n.id[0], err)
	}
	n.source = s
}

func (n *node) logf(level byte, format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *node) close() {
	n.unfollow()
	if n.engine == nil {
		return
	}
	n.source.Close()
	if err := n.engine.Close(); err != nil {
		n.t.Errorf("close node %d: %v", n.id[0], err)
	}
	n.engine = nil
}

// lead makes the node primary of a new term.
func (n *node) lead(term uint64) {
	n.t.Helper()
	n.engine.SetFollower(false)
	if _, err := n.engine.AppendTerm(testNow, term, log.ReplID{byte(term), n.id[0]}); err != nil {
		n.t.Fatal(err)
	}
	n.term.Store(term)
}

func key(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }

// set writes count random keys out of 600.
func (n *node) set(seed uint64, count int) {
	n.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 99))
	for range count {
		k := key(rng.IntN(600))
		v := make([]byte, rng.IntN(400))
		for i := range v {
			v[i] = byte(rng.Uint32())
		}
		_, err := n.engine.Update(testNow, []slots.Slot{slots.Of(k)}, storage.OpFunc(func(tx *storage.Tx) error {
			if len(v)%7 == 0 {
				_, err := tx.Delete(k)
				return err
			}
			_, err := tx.StringSet(k, v, storage.SetOptions{})
			return err
		}))
		if err != nil {
			n.t.Fatalf("write at node %d: %v", n.id[0], err)
		}
	}
	if err := n.engine.Await(n.engine.Log().End()); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) flush() {
	n.t.Helper()
	if err := n.engine.Flush(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) get(i int) (value string) {
	n.t.Helper()
	k := key(i)
	_, err := n.engine.View(testNow, slots.Of(k), storage.OpFunc(func(tx *storage.Tx) error {
		v, ok, err := tx.StringGet(k)
		value = fmt.Sprint(ok, string(v))
		return err
	}))
	if err != nil {
		n.t.Fatal(err)
	}
	return value
}

// equal compares the logs' ends, every key and all counters.
func (n *node) equal(o *node) {
	n.t.Helper()
	if a, b := n.engine.Log().Tip(), o.engine.Log().Tip(); a != b {
		n.t.Fatalf("logs end at %+v and %+v", a, b)
	}
	for i := range 600 {
		if a, b := n.get(i), o.get(i); a != b {
			n.t.Fatalf("key %d: %.40q and %.40q", i, a, b)
		}
		s := slots.Of(key(i))
		if a, b := n.engine.Counters(s), o.engine.Counters(s); a.Keys != b.Keys || a.Bytes != b.Bytes || a.NextOID != b.NextOID {
			n.t.Fatalf("slot %d: %+v and %+v", s, a, b)
		}
	}
}

func (n *node) newFollower(term uint64) *Follower {
	n.engine.SetFollower(true)
	n.term.Store(0)
	return NewFollower(FollowerOptions{
		Node: n.id, Shard: testShard, Term: term, Store: n.engine, FS: n.fs, Now: time.Now,
		Beat: n.beat, Timeout: 20 * time.Second, Retry: 5 * time.Millisecond, Logf: n.logf,
		mutant: n.mutant,
	})
}

// dialer opens connections to a node, wrapped by wrap if that is set.
func (n *node) dialer(from cluster.ID, wrap func(net.Conn) net.Conn) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		a, b := net.Pipe()
		if wrap != nil {
			a = wrap(a)
		}
		go n.source.Serve(context.Background(), b, from)
		return a, nil
	}
}

// follow makes n follow p until unfollow.
func (n *node) follow(p *node, wrap func(net.Conn) net.Conn) {
	n.t.Helper()
	n.unfollow()
	f := n.newFollower(p.term.Load())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx, p.dialer(n.id, wrap))
	}()
	n.follower = f
	n.stop = func() { cancel(); <-done }
}

func (n *node) unfollow() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// patience is how long a condition is waited for; a mutant gets less.
func patience(t testing.TB) time.Duration {
	if _, ok := t.(*trial); ok {
		return time.Second
	}
	return time.Minute
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience(t))
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// caughtUp waits until n has acknowledged everything that p has written.
func (n *node) caughtUp(p *node) {
	n.t.Helper()
	end := p.engine.Log().End()
	deadline := time.Now().Add(patience(n.t))
	for p.ackedBy(n) < end {
		if time.Now().After(deadline) {
			n.t.Fatalf("node %d never acknowledges %d; its log ends at %d; %v", n.id[0], end, n.engine.Log().End(), n.follower.Status().Err)
		}
		time.Sleep(time.Millisecond)
	}
}

// ackedBy returns what the replica r, online, has acknowledged.
func (n *node) ackedBy(r *node) log.LSN {
	for _, p := range n.source.Peers() {
		if p.Node == r.id && p.State == PeerOnline {
			return p.Applied
		}
	}
	return 0
}

// cutConn breaks after so many bytes were read, and counts them.
type cutConn struct {
	net.Conn
	left *atomic.Int64
	read *atomic.Int64
}

var errCutConn = errors.New("the test cut the connection")

func (c *cutConn) Read(p []byte) (int, error) {
	if left := c.left.Load(); left <= 0 {
		c.Close()
		return 0, errCutConn
	} else if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.Conn.Read(p)
	c.left.Add(int64(-n))
	c.read.Add(int64(n))
	return n, err
}

// gatedConn reads only while the gate is empty.
type gatedConn struct {
	cutConn
	gate chan struct{}
}

func (c *gatedConn) Read(p []byte) (int, error) {
	c.gate <- struct{}{}
	<-c.gate
	return c.cutConn.Read(p)
}
