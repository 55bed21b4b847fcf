package stream

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cobble/slots"
	"cobble/storage"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

// seeds returns how many seeds to run: COBBLE_SEEDS, or n.
func seeds(t testing.TB, n int) int {
	if s := os.Getenv("COBBLE_SEEDS"); s != "" {
		v, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("COBBLE_SEEDS: %v", err)
		}
		return v
	}
	return n
}

// crashPoint clones a disk at the nth operation that changes it, and fails every
// later one: the process is dead.
type crashPoint struct {
	fs  *vfs.MemFS
	cfg vfs.CrashCloneCfg

	mu    sync.Mutex
	armed bool
	after string // counting begins at the first operation on such a path
	left  int
	clone *vfs.MemFS
}

func (c *crashPoint) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed && strings.HasSuffix(op.Path, c.after) {
		c.after = ""
	}
	if c.armed && c.after == "" && c.clone == nil {
		if c.left--; c.left <= 0 {
			c.clone = c.fs.CrashClone(c.cfg)
		}
	}
	return nil
}

func (c *crashPoint) String() string { return "crash point" }

// syncRoot makes the data directories themselves durable, which somebody else
// has made.
func syncRoot(t testing.TB, fs vfs.FS) {
	t.Helper()
	d, err := fs.OpenDir("")
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// crashPlan says when a disk crashes, and how much of what was not synced stays.
type crashPlan struct {
	after   string
	left    int
	percent int
}

func randomPlan(seed uint64) crashPlan {
	rng := newRand(seed)
	plan := crashPlan{left: 1 + rng.IntN(140), percent: []int{0, 30, 70, 100}[rng.IntN(4)]}
	if seed%2 == 1 { // while the fresh store is opened
		plan.after, plan.left = "rows-000002/LOCK", 1+rng.IntN(30)
	}
	return plan
}

// crashDuringFullSync runs one seed.
func crashDuringFullSync(t testing.TB, p *node, seed uint64, plan crashPlan) {
	disk := vfs.NewCrashableMem()
	cp := &crashPoint{fs: disk, after: plan.after, left: plan.left,
		cfg: vfs.CrashCloneCfg{UnsyncedDataPercent: plan.percent, RNG: newRand(seed + 1000)}}
	r := newNode(t, 2, errorfs.Wrap(disk, cp))
	r.lead(1)
	r.set(seed, 20)
	r.flush()
	syncRoot(t, disk)
	cp.mu.Lock()
	cp.armed = true
	cp.mu.Unlock()
	r.follow(p, nil)
	p.set(seed, 5)
	r.caughtUp(p)
	r.close()
	eventually(t, "the primary has noticed", func() bool { return len(p.source.Peers()) == 0 })
	cp.mu.Lock()
	clone := cp.clone
	if clone == nil {
		clone = disk.CrashClone(cp.cfg)
	}
	cp.mu.Unlock()
	again := newNode(t, 2, clone)
	again.follow(p, nil)
	again.caughtUp(p)
	p.equal(again)
	again.close()
}

// crashWhileOpening crashes where the fresh store already has a manifest of its
// own, whose name may be lost while the one that leads to it is not.
func crashWhileOpening(t testing.TB) {
	p := newNode(t, 1, vfs.NewMem())
	p.lead(1)
	p.set(1, 100)
	p.flush()
	for seed := range 100 {
		crashDuringFullSync(t, p, uint64(seed), crashPlan{"rows-000002/LOCK", 5 + seed%5, 60})
	}
}

// copySlots imports the slots of set, as they are in from, into to.
func copySlots(t testing.TB, from, to *node, set slots.Set) {
	t.Helper()
	snap, err := from.engine.Snapshot(set)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	im := to.engine.NewImport(set)
	for s := range slots.Slot(slots.Count) {
		if !set.Has(s) {
			continue
		}
		if err := snap.Each(s, im.Add); err != nil {
			t.Fatal(err)
		}
		c, err := snap.Counters(s)
		if err != nil {
			t.Fatal(err)
		}
		im.SetCounters(s, c)
	}
	if _, err := im.Commit(testNow); err != nil {
		t.Fatal(err)
	}
}

var _ Store = (*storage.Engine)(nil)
