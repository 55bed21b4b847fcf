package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"cobble/slots"
)

func hash64(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	x := h.Sum64()
	return x ^ x>>29*0x9E3779B97F4A7C15
}

// testLayout is a small copy of the real row format: "slot 10 H user" rows are
// stored as user, other rows whole.
var testLayout = Layout{
	Locate: func(meta bool, stored []byte) (slots.Slot, uint32) {
		if meta {
			return slots.Of(stored), uint32(hash64(stored))
		}
		return slots.Slot(binary.BigEndian.Uint16(stored)), uint32(hash64(stored[2:]))
	},
	Rank: func(meta bool, stored []byte) (uint64, uint64) {
		var b [16]byte
		if meta {
			b[0] = 0x10
			binary.BigEndian.PutUint64(b[1:], hash64(stored))
			copy(b[9:], stored)
		} else {
			copy(b[:], stored[2:])
		}
		return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	},
	AppendKey: func(dst []byte, slot slots.Slot, meta bool, stored []byte) []byte {
		if !meta {
			return append(dst, stored...)
		}
		dst = append(binary.BigEndian.AppendUint16(dst, uint16(slot)), 0x10)
		return append(binary.BigEndian.AppendUint64(dst, hash64(stored)), stored...)
	},
}

func metaKey(user string) Key {
	b := []byte(user)
	return Key{Slot: slots.Of(b), Hash: uint32(hash64(b)), Meta: true, Bytes: b}
}

func elementKey(slot slots.Slot, rest string) Key {
	b := append(binary.BigEndian.AppendUint16(nil, uint16(slot)), 0x20)
	b = append(b, rest...)
	return Key{Slot: slot, Hash: uint32(hash64(b[2:])), Bytes: b}
}

func (k Key) row() string {
	return string(testLayout.AppendKey(nil, k.Slot, k.Meta, k.Bytes))
}

func newTestTable(t testing.TB, max int64) *Table {
	table, err := New(Config{MaxBytes: max, Reserve: 64 << 20, Layout: testLayout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	table.SetFrequency(true, 10, 1)
	return table
}

// world is the model that random operations are checked against: what the store
// below holds, what the table must say, and what is dirty in which generation.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	table  *Table
	keys   []Key
	store  map[string]string // the store below
	want   map[string]string // the truth
	active map[string]bool   // rows changed since the last cut
	frozen map[string]string // rows of the cut generation; gone = absent
	cut    bool
	now    uint32

	forgotten int // rows that came and went between two cuts
}

const gone = "\x00gone" // no value is so

func newWorld(t *testing.T, seed uint64, max int64, keys int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), table: newTestTable(t, max),
		store: map[string]string{}, want: map[string]string{}, active: map[string]bool{}, now: 1000}
	for s := range slots.Slot(slots.Count) {
		w.table.SetWhole(s, seed%2 == 0) // so they are: the store is empty
	}
	for i := range keys {
		switch i % 3 {
		case 0:
			w.keys = append(w.keys, metaKey(fmt.Sprintf("key:%d", i)))
		case 1:
			w.keys = append(w.keys, elementKey(slots.Slot(i%7), fmt.Sprintf("oid%d", i)))
		default:
			w.keys = append(w.keys, metaKey(fmt.Sprintf("{tag%d}%d", i%5, i)))
		}
	}
	return w
}

func (w *world) value() []byte {
	n := w.rng.IntN(200)
	switch w.rng.IntN(40) {
	case 0:
		n = w.rng.IntN(12000) // some are kept apart
	case 1:
		n = 0
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return b
}

func (w *world) step() {
	k := w.keys[w.rng.IntN(len(w.keys))]
	row := k.row()
	w.now += uint32(w.rng.IntN(2))
	w.table.Prefetch([]Hint{{Slot: k.Slot, Hash: k.Hash}}, false)
	w.table.Lock(k.Slot) // hangs if Prefetch kept it
	w.table.Prefetch([]Hint{{Slot: k.Slot, Hash: k.Hash}}, true)
	switch w.rng.IntN(10) {
	case 0, 1, 2:
		v := w.value()
		if a, ok := w.table.FindActive(&k); !ok || !a.Fits(len(v)) {
			w.table.Put(k, v, w.now, true)
		} else if n := w.rng.IntN(len(v) + 1); true {
			w.table.Overwrite(&k, &a, v[:n], v[n:], w.now)
		}
		w.want[row], w.active[row] = string(v), true
	case 3:
		w.table.Delete(k, w.now)
		delete(w.want, row)
		w.active[row] = true
		if off, _ := w.table.lookup(&w.table.slots[k.Slot], &k); off == 0 { // the store is not told
			_, stored := w.store[row]
			if _, frozen := w.frozen[row]; stored || frozen {
				w.t.Fatalf("the table forgot the deletion of row %q", row)
			}
			delete(w.active, row)
			w.forgotten++
		}
	default:
		w.read(k, row)
	}
	w.table.Unlock(k.Slot)
}

func (w *world) read(k Key, row string) {
	want, exists := w.want[row]
	v, p := w.table.Get(k, w.now)
	_, frozen := w.frozen[row]
	switch {
	case p == Unknown && (w.active[row] || frozen):
		w.t.Fatalf("dirty row %q is not in the table", row)
	case p == Unknown:
		v, below := w.store[row]
		if below != exists || v != want {
			w.t.Fatalf("row %q: the store has %v, want %v", row, below, exists)
		}
		w.table.Admit(k, []byte(v), !below, w.table.Epoch(k.Slot), w.now)
	case p == Present != exists || string(v) != want:
		w.t.Fatalf("row %q: %d %q, want %v %q", row, p, v, exists, want)
	}
}

func (w *world) cutGeneration() {
	w.table.Cut()
	w.cut, w.frozen = true, map[string]string{}
	for row := range w.active {
		if v, ok := w.want[row]; ok {
			w.frozen[row] = v
		} else {
			w.frozen[row] = gone
		}
	}
	clear(w.active)
}

func (w *world) flush() {
	got := map[string]string{}
	for s := range slots.Slot(slots.Count) {
		last := ""
		err := w.table.Frozen(s, func(key, value []byte, absent bool) error {
			if string(key) <= last {
				w.t.Fatalf("frozen rows out of order: %q after %q", key, last)
			}
			last = string(key)
			got[last] = string(value)
			if absent {
				got[last] = gone
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if !maps.Equal(got, w.frozen) {
		w.t.Fatalf("the cut generation has %d rows, want %d, or they differ", len(got), len(w.frozen))
	}
	for row, v := range got {
		if v == gone {
			delete(w.store, row)
		} else {
			w.store[row] = v
		}
	}
	w.frozen = nil
	for s := range slots.Slot(slots.Count) {
		for {
			w.table.Lock(s)
			more := w.table.Settle(s, 5)
			w.table.Unlock(s)
			if w.rng.IntN(200) == 0 {
				w.checkCursor(s)
			}
			if !more {
				break
			}
		}
	}
	w.cut = false
	w.table.Trim()
}

// checkCursor compares the store merged with a cursor to the truth.
func (w *world) checkCursor(slot slots.Slot) {
	w.table.RLock(slot)
	defer w.table.RUnlock(slot)
	prefix := string(binary.BigEndian.AppendUint16(nil, uint16(slot)))
	merged := map[string]string{}
	for row, v := range w.store {
		if row[:2] == prefix {
			merged[row] = v
		}
	}
	c := w.table.Dirty(slot, []byte(prefix), nil)
	var up, down []string
	for ok := c.First(); ok; ok = c.Next() {
		up = append(up, string(c.Key()))
		if v, absent := c.Value(); absent {
			delete(merged, string(c.Key()))
		} else {
			merged[string(c.Key())] = string(v)
		}
	}
	for ok := c.Last(); ok; ok = c.Prev() {
		down = append(down, string(c.Key()))
	}
	slices.Reverse(down)
	if !slices.IsSorted(up) || !slices.Equal(up, down) {
		w.t.Fatalf("cursor: %q forward, %q backward", up, down)
	}
	if len(up) > 2 {
		i := 1 + w.rng.IntN(len(up)-2)
		for _, ok := range []bool{c.SeekGE([]byte(up[i])), c.Prev(), c.Next(), c.SeekLT([]byte(up[i+1])), c.Next(), c.Prev()} {
			if !ok {
				w.t.Fatal("cursor lost its place")
			}
		}
		if string(c.Key()) != up[i] {
			w.t.Fatalf("cursor at %q, want %q", c.Key(), up[i])
		}
	}
	for row, v := range w.want {
		if row[:2] != prefix {
			continue
		}
		if got, ok := merged[row]; !ok || got != v {
			w.t.Fatalf("merged row %q = %q, want %q", row, got, v)
		}
		delete(merged, row)
	}
	if len(merged) > 0 {
		w.t.Fatalf("%d rows too many in slot %d", len(merged), slot)
	}
}

func (w *world) discard(slot slots.Slot) {
	prefix := string(binary.BigEndian.AppendUint16(nil, uint16(slot)))
	w.table.Lock(slot)
	w.table.Discard(slot)
	w.table.SetWhole(slot, true)
	w.table.Unlock(slot)
	ours := func(row, _ string) bool { return row[:2] == prefix }
	maps.DeleteFunc(w.want, ours)
	maps.DeleteFunc(w.store, ours)
	maps.DeleteFunc(w.active, func(row string, _ bool) bool { return row[:2] == prefix })
}

// TestAgainstModel runs random reads, writes, cuts, settles and discards in a
// table that is far too small for the rows, and compares every read.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, seed, 24*segmentBytes, 4000)
		for i := range 40000 {
			w.step()
			if i%997 == 0 {
				if w.cut {
					w.flush()
				} else {
					w.cutGeneration()
				}
			}
			if i%499 == 0 {
				w.checkCursor(w.keys[w.rng.IntN(len(w.keys))].Slot)
			}
			if i%4999 == 0 && !w.cut {
				w.discard(w.keys[w.rng.IntN(len(w.keys))].Slot)
			}
		}
		if w.cut {
			w.flush()
		}
		w.cutGeneration()
		w.flush()
		st := w.table.Stats()
		if st.DirtyBytes != 0 || st.LargeBytes != 0 {
			t.Fatalf("after the last settle: %+v", st)
		}
		if st.SegmentBytes+st.IndexBytes > 24*segmentBytes {
			t.Fatalf("table is beyond its bound: %+v", st)
		}
		if w.forgotten == 0 && seed%2 == 0 {
			t.Fatal("no row came and went without a trace")
		}
		if st.Evicted == 0 || st.Moved == 0 {
			t.Fatalf("nothing was evicted or moved: %+v", st)
		}
	}
}

// TestWholeSlot: a row that a whole slot does not have is absent, until the table has
// let go of one that the store has.
func TestWholeSlot(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		absent  bool
		discard bool
		want    Presence
	}{
		{"evicted", 100, false, false, Unknown},
		{"an absent row evicted", 0, true, false, Absent},
		{"a large row that is clean", 20000, false, false, Unknown},
		{"discarded", 100, false, true, Unknown},
	} {
		table := newTestTable(t, 2*segmentBytes)
		k, other := elementKey(5, "row"), elementKey(5, "other")
		table.Lock(5)
		table.SetWhole(5, true)
		if _, p := table.Get(k, 1); p != Absent {
			t.Fatalf("%s: a row of a whole slot is %d before it is put", c.name, p)
		}
		if c.absent {
			table.Delete(k, 1)
		} else {
			table.Put(k, make([]byte, c.size), 1, true)
		}
		table.Unlock(5)
		table.Cut()
		table.Lock(5)
		for table.Settle(5, 10) {
		}
		if c.discard {
			table.Discard(5)
		}
		table.Unlock(5)
		for i := 0; c.size < 20000 && !c.discard && table.Stats().Evicted == 0; i++ {
			if i == 1000 {
				t.Fatalf("%s: nothing was evicted", c.name)
			}
			fill := elementKey(6, fmt.Sprint(i))
			table.Lock(6)
			table.Put(fill, make([]byte, 8000), 100, true)
			table.Unlock(6)
		}
		table.RLock(5)
		if _, p := table.Peek(other); p != c.want {
			t.Errorf("%s: another row is %d, want %d", c.name, p, c.want)
		}
		table.RUnlock(5)
	}
}

// TestRowsThatComeAndGo: what is kept of rows that came and went between two cuts does not grow, whatever order they go
// in, and those that stay are found, and flushed, where they stand.
func TestRowsThatComeAndGo(t *testing.T) {
	table := newTestTable(t, 24*segmentBytes)
	rng := rand.New(rand.NewPCG(1, 1))
	table.Lock(5)
	defer table.Unlock(5)
	table.SetWhole(5, true)
	want := map[string]string{}
	var there []Key
	for i := range 20000 {
		if i == 500 { // those before stand in order, and leave a deletion
			c := table.Dirty(5, nil, nil)
			c.First()
		}
		k, v := elementKey(5, fmt.Sprint("row", i)), fmt.Sprint("value", i)
		table.Put(k, []byte(v), uint32(i), true)
		want[k.row()] = v
		if there = append(there, k); len(there) <= 20 {
			continue
		}
		at := 0 // a queue, and then anything
		if i > 5000 {
			at = rng.IntN(len(there))
		}
		table.Delete(there[at], uint32(i))
		delete(want, there[at].row())
		there = slices.Delete(there, at, at+1)
	}
	if n := table.DirtyRows(5); n > 1000 {
		t.Errorf("%d rows are listed, %d are there", n, len(there))
	}
	for _, k := range there {
		if v, p := table.Get(k, 20001); p != Present || string(v) != want[k.row()] {
			t.Errorf("row %q is %q, %d", k.row(), v, p)
		}
	}
	table.Cut()
	got := map[string]string{}
	_ = table.Frozen(5, func(key, value []byte, absent bool) error {
		if !absent {
			got[string(key)] = string(value)
		}
		return nil
	})
	if !maps.Equal(got, want) {
		t.Errorf("flushed: %q, want %q", got, want)
	}
	for table.Settle(5, 10) {
	}
	if n := table.DirtyBytes(); n != 0 {
		t.Errorf("%d dirty bytes are left", n)
	}
}

// TestBoundBeyondAddressSpace: a bound that is more than offsets reach evicts, where the table ended the process.
func TestBoundBeyondAddressSpace(t *testing.T) {
	table, err := New(Config{MaxBytes: 1 << 40, Reserve: 128 * segmentBytes, Layout: testLayout})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	value := make([]byte, 4000)
	for i := range 5000 {
		table.Lock(5)
		table.Put(elementKey(5, fmt.Sprint("row", i)), value, uint32(i), true)
		table.Unlock(5)
		if i%100 < 99 {
			continue
		}
		table.Cut()
		table.Lock(5)
		for table.Settle(5, 1000) {
		}
		table.Unlock(5)
	}
	if st := table.Stats(); st.Evicted == 0 || st.SegmentBytes > 128*segmentBytes {
		t.Errorf("%+v", st)
	}
}

// TestStaleAdmission: what was read from the store before a row was changed,
// flushed and evicted must not come back.
func TestStaleAdmission(t *testing.T) {
	table := newTestTable(t, 64*segmentBytes)
	k := metaKey("k")
	table.Lock(k.Slot)
	defer table.Unlock(k.Slot)
	epoch := table.Epoch(k.Slot)
	table.Put(k, []byte("new"), 1, true)
	if table.Admit(k, []byte("old"), false, epoch, 1) {
		t.Fatal("an old value overwrote a dirty row")
	}
	table.Cut()
	table.Settle(k.Slot, 100)
	s := &table.slots[k.Slot]
	off, h := table.lookup(s, &k)
	table.unlink(s, k.Hash, off)
	table.forget(off, h)
	if table.Admit(k, []byte("old"), false, epoch, 1) {
		t.Fatal("an old value came back after its successor was flushed and evicted")
	}
	if !table.Admit(k, []byte("new"), false, table.Epoch(k.Slot), 1) {
		t.Fatal("a current value was refused")
	}
}

// TestParallel lets goroutines work on all slots while generations are cut; the
// race detector and the final contents judge.
func TestParallel(t *testing.T) {
	table := newTestTable(t, 40*segmentBytes)
	const workers, perWorker = 4, 3000
	var commit sync.RWMutex // held for writing at a cut, as the engine does
	var wg sync.WaitGroup
	for g := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			for i := range perWorker * 4 {
				k := metaKey(fmt.Sprintf("w%d:%d", g, i%perWorker))
				hints := make([]Hint, 8)
				for j := range hints {
					o := metaKey(fmt.Sprintf("w%d:%d", rng.IntN(workers), rng.IntN(perWorker)))
					hints[j] = Hint{Slot: o.Slot, Hash: o.Hash}
				}
				table.Prefetch(hints, false)
				commit.RLock()
				table.Lock(k.Slot)
				table.Put(k, bytes.Repeat([]byte{byte(g)}, rng.IntN(120)), uint32(i), true)
				table.Unlock(k.Slot)
				commit.RUnlock()
				o := metaKey(fmt.Sprintf("w%d:%d", (g+1)%workers, rng.IntN(perWorker)))
				table.RLock(o.Slot)
				if v, p := table.Get(o, uint32(i)); p == Present && len(v) > 0 && v[0] != byte((g+1)%workers) {
					t.Errorf("row of worker %d holds %d", (g+1)%workers, v[0])
				}
				table.RUnlock(o.Slot)
				read := metaKey(fmt.Sprintf("r%d:%d", g, rng.IntN(perWorker)))
				table.Lock(read.Slot) // a read holds no Cut off
				table.Admit(read, bytes.Repeat([]byte{byte(g)}, rng.IntN(120)), false, table.Epoch(read.Slot), uint32(i))
				table.Unlock(read.Slot)
			}
		}()
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			commit.Lock()
			table.Cut()
			commit.Unlock()
			for s := range slots.Slot(slots.Count) {
				if table.HasFrozen(s) {
					table.Frozen(s, func(_, _ []byte, _ bool) error { return nil })
				}
				for more := true; more; {
					table.Lock(s)
					more = table.Settle(s, 64)
					table.Unlock(s)
				}
			}
			table.Trim()
		}
	}()
	wg.Wait()
	close(stop)
	<-done
}

// TestCutWaitsForSweep has a generation cut in the middle of a sweep that a read
// began: the rows that the sweep moves must not be those that the flusher reads.
func TestCutWaitsForSweep(t *testing.T) {
	table := newTestTable(t, 16*segmentBytes)
	cut := make(chan struct{})
	began := false
	locate := table.cfg.Layout.Locate
	table.cfg.Layout.Locate = func(meta bool, stored []byte) (slots.Slot, uint32) {
		if !began { // only a sweep asks
			began = true
			parity := table.parity.Load()
			go func() { defer close(cut); table.Cut() }()
			for table.parity.Load() == parity && table.cuts.TryRLock() {
				table.cuts.RUnlock() // Cut has not come yet
				runtime.Gosched()
			}
			for range 1000 {
				runtime.Gosched()
			}
			if table.parity.Load() != parity {
				t.Error("a generation was cut in the middle of a sweep")
			}
		}
		return locate(meta, stored)
	}
	for i := 0; !began; i++ {
		if i == 100_000 {
			t.Fatal("nothing was swept")
		}
		k := metaKey(fmt.Sprintf("k%d", i))
		table.Lock(k.Slot)
		if i < 200 {
			table.Put(k, make([]byte, 100), 1, true)
		} else {
			table.Admit(k, make([]byte, 100), false, table.Epoch(k.Slot), 1)
		}
		table.Unlock(k.Slot)
	}
	<-cut
}

// TestIndex compares the index with a map through growth, splits and removal.
func TestIndex(t *testing.T) {
	var x index
	rng := rand.New(rand.NewPCG(1, 1))
	model := map[uint32]uint32{}
	for i := uint32(1); i <= 60000; i++ {
		h := rng.Uint32()
		x.insert(h, i)
		model[i] = h
		if i%3 == 0 {
			for off, h := range model {
				x.remove(h, off)
				delete(model, off)
				break
			}
		}
	}
	n := 0
	x.each(func(hash, off uint32) bool {
		n++
		if model[off] != hash {
			t.Fatalf("cell %d has hash %d, want %d", off, hash, model[off])
		}
		return true
	})
	if n != len(model) {
		t.Fatalf("%d cells, want %d", n, len(model))
	}
	for off, h := range model {
		if r, _ := x.find(h, off); r == nil {
			t.Fatalf("cell %d is not found", off)
		}
	}
	if perRow := float64(x.bytes) / float64(n); perRow > 18 {
		t.Errorf("%.1f index bytes per row", perRow)
	}
}

// TestOverhead holds the memory of a full load to its promise.
func TestOverhead(t *testing.T) {
	table := newTestTable(t, 1<<30)
	const n, payload = 300000, 16 + 104
	value := make([]byte, 104)
	for i := range n {
		k := metaKey(fmt.Sprintf("key:%012d", i))
		table.Lock(k.Slot)
		table.Put(k, value, 1, true)
		table.Unlock(k.Slot)
	}
	table.Cut()
	for s := range slots.Slot(slots.Count) {
		table.Lock(s)
		for table.Settle(s, 1000) {
		}
		table.Unlock(s)
	}
	st := table.Stats()
	over := float64(st.SegmentBytes+st.IndexBytes)/n - payload
	t.Logf("overhead %.1f B per row: %+v", over, st)
	if over > 30 {
		t.Errorf("overhead is %.1f B per row", over)
	}
}

// TestNoAllocations holds the hot paths to zero allocations.
func TestNoAllocations(t *testing.T) {
	table := newTestTable(t, 64<<20)
	k := metaKey("key:1")
	value := make([]byte, 100)
	table.Put(k, value, 1, true)
	if n := testing.AllocsPerRun(100, func() {
		table.Lock(k.Slot)
		table.Put(k, value, 1, true)
		table.Unlock(k.Slot)
		table.RLock(k.Slot)
		table.Get(k, 1)
		table.RUnlock(k.Slot)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchKeys(n int) []Key {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = metaKey(fmt.Sprintf("key:%012d", i))
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	keys := benchKeys(1 << 20)
	table := newTestTable(b, 1<<30)
	value := make([]byte, 100)
	for _, k := range keys {
		table.Lock(k.Slot)
		table.Put(k, value, 1, true)
		table.Unlock(k.Slot)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		k := keys[rng.Uint32()&(1<<20-1)]
		table.RLock(k.Slot)
		table.Get(k, 1)
		table.RUnlock(k.Slot)
	}
}

func BenchmarkPut(b *testing.B) {
	keys := benchKeys(1 << 20)
	for _, mode := range []string{"overwrite", "evicting"} {
		b.Run(mode, func(b *testing.B) {
			max := int64(1 << 30)
			if mode == "evicting" {
				max = 32 << 20
			}
			table := newTestTable(b, max)
			value := make([]byte, 100)
			rng := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				k := keys[rng.Uint32()&(1<<20-1)]
				table.Lock(k.Slot)
				if mode == "evicting" {
					table.Admit(k, value, false, table.Epoch(k.Slot), 1)
				} else {
					table.Put(k, value, 1, true)
				}
				table.Unlock(k.Slot)
			}
			runtime.KeepAlive(table)
		})
	}
}

// TestOrderOnce counts how many rows are put in order for cursors: each once, not
// again when others are settled or dropped.
func TestOrderOnce(t *testing.T) {
	const n, slot = 20000, slots.Slot(7)
	table := newTestTable(t, 1<<30)
	row := func(i int) Key { return elementKey(slot, fmt.Sprintf("oid:%05d", i*7919%n)) }
	count := func() (rows int) {
		table.RLock(slot)
		defer table.RUnlock(slot)
		c := table.Dirty(slot, row(0).Bytes[:2], nil)
		for ok := c.First(); ok; ok = c.Next() {
			rows++
		}
		return rows
	}
	table.Lock(slot)
	for i := range n {
		table.Put(row(i), []byte("v"), 1, true)
	}
	if got := table.Unordered(slot); got != n {
		t.Errorf("%d rows are in no order, want %d", got, n)
	}
	table.Unlock(slot)
	if got := count(); got != n {
		t.Fatalf("%d rows, want %d", got, n)
	}
	table.Lock(slot)
	lower, upper := elementKey(slot, "oid:10000").Bytes, elementKey(slot, "oid:15000").Bytes
	table.DropDirty(slot, lower, upper)
	table.Unlock(slot)
	if got := count(); got != n-5000 {
		t.Fatalf("%d rows are left of %d, want %d", got, n, n-5000)
	}
	table.Cut()
	for more, left := true, n-5000; more; {
		table.Lock(slot)
		more = table.Settle(slot, 512)
		table.Unlock(slot)
		left = max(left-512, 0)
		if got := count(); got != left {
			t.Fatalf("%d rows are dirty, want %d", got, left)
		}
	}
	if got := table.Stats().Ordered; got != n {
		t.Errorf("%d rows were put in order, want each of %d once", got, n)
	}
}
