package storage

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

const testNow = int64(1_700_000_000_000)

// smallOptions make everything happen often.
func smallOptions(fs vfs.FS) Options {
	return Options{
		Dir: "data", FS: fs, Budget: 8 << 20, Tick: make(chan time.Time),
		GenerationBytes: 64 << 10, MaxDirtyBytes: 1 << 20, SSTBytes: 32 << 10, SegmentBytes: 64 << 10,
		reserve: 64 << 20, // what the race detector can see
	}
}

func openTest(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func testRow(slot slots.Slot, i int) []byte {
	return append(format.AppendKind(nil, uint16(slot), format.KindElement), fmt.Sprintf("%08d", i)...)
}

func mustUpdate(t testing.TB, e *Engine, slot slots.Slot, f func(tx *Tx)) LSN {
	t.Helper()
	lsn, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error { f(tx); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// contents returns all rows of a slot, by iterator; each is also read alone.
func contents(t testing.TB, e *Engine, slot slots.Slot) map[string]string {
	t.Helper()
	got := map[string]string{}
	lo := format.AppendKind(nil, uint16(slot), 0)
	_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
		clear(got)
		it := tx.iter(lo, nil)
		for ok := it.First(); ok; ok = it.Next() {
			got[string(it.Key())] = string(it.Value())
		}
		if err := it.Close(); err != nil {
			return err
		}
		for key, want := range got {
			value, ok, err := tx.getRow([]byte(key))
			if err != nil {
				return err
			}
			if !ok || string(value) != want {
				return fmt.Errorf("row %q is %q, %v alone and %q in the iterator", key, value, ok, want)
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReopen(t *testing.T) {
	fs := vfs.NewMem()
	o := smallOptions(fs)
	want := map[slots.Slot]map[string]string{}
	for round := range 4 {
		e := openTest(t, o)
		for _, s := range []slots.Slot{0, 1, 7, slots.Count - 1} {
			if want[s] == nil {
				want[s] = map[string]string{}
			}
			for i := range 300 {
				key, value := testRow(s, (i*7+round)%500), bytes.Repeat([]byte{byte(i)}, i%90)
				mustUpdate(t, e, s, func(tx *Tx) {
					if i%5 == 0 {
						tx.delRow(key)
						delete(want[s], string(key))
						return
					}
					tx.putRow(key, value)
					tx.deltaOf(s).bytes = int64(i)
					want[s][string(key)] = string(value)
				})
			}
		}
		if round%2 == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		for s, rows := range want {
			if got := contents(t, e, s); fmt.Sprint(got) != fmt.Sprint(rows) {
				t.Fatalf("round %d slot %d: %d rows, want %d", round, s, len(got), len(rows))
			}
		}
		bytesBefore := e.Counters(7).Bytes
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, o)
		for s, rows := range want {
			if got := contents(t, e, s); fmt.Sprint(got) != fmt.Sprint(rows) {
				t.Fatalf("reopened in round %d slot %d: %d rows, want %d", round, s, len(got), len(rows))
			}
		}
		if got := e.Counters(7).Bytes; got != bytesBefore {
			t.Fatalf("counter is %d after a restart, was %d", got, bytesBefore)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosedEngine(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var set slots.Set
	set.Add(1)
	_, flushSlots := e.FlushSlots(testNow, set)
	_, snapshot := e.Snapshot(set)
	_, _, checkpoint := e.Checkpoint("x")
	for what, err := range map[string]error{"Flush": e.Flush(), "FlushSlots": flushSlots, "Snapshot": snapshot, "Checkpoint": checkpoint, "Close": e.Close()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s of a closed engine returned %v", what, err)
		}
	}
}

func TestRefusesOtherVersionAndSecondProcess(t *testing.T) {
	fs := vfs.NewMem()
	o := smallOptions(fs)
	e := openTest(t, o)
	if _, err := Open(o); err == nil {
		t.Error("a data directory was opened twice")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(fs, o.Dir, versionFile, "cobble storage 2\n"); err != nil {
		t.Fatal(err)
	}
	if e, err := Open(o); err == nil {
		e.Close()
		t.Error("a data directory of another version was opened")
	} else {
		t.Log(err)
	}
}

func TestFlushSlotsAndImport(t *testing.T) {
	fs := vfs.NewMem()
	o := smallOptions(fs)
	e := openTest(t, o)
	for _, s := range []slots.Slot{3, 4, 5} {
		for i := range 50 {
			mustUpdate(t, e, s, func(tx *Tx) { tx.putRow(testRow(s, i), []byte("old")); tx.deltaOf(s).keys = 1 })
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, e, 4, func(tx *Tx) { tx.putRow(testRow(4, 99), []byte("dirty")) })
	var set slots.Set
	set.Add(4)
	if _, err := e.FlushSlots(testNow, set); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, e, 4); len(got) != 0 || e.KeysIn(4) != 0 {
		t.Fatalf("flushed slot has %d rows, %d keys", len(got), e.KeysIn(4))
	}
	set = slots.Set{}
	set.Add(5)
	im := e.NewImport(set)
	for i := range 10 {
		if err := im.Add(testRow(5, i), []byte("new")); err != nil {
			t.Fatal(err)
		}
	}
	im.SetCounters(5, Counters{Keys: 10, NextOID: 77})
	if _, err := im.Commit(testNow); err != nil {
		t.Fatal(err)
	}
	check := func(e *Engine) {
		t.Helper()
		if a, b, c := len(contents(t, e, 3)), len(contents(t, e, 4)), len(contents(t, e, 5)); a != 50 || b != 0 || c != 10 {
			t.Fatalf("slots 3, 4, 5 have %d, %d, %d rows", a, b, c)
		}
		if c := e.Counters(5); c.Keys != 10 || c.NextOID != 77 {
			t.Fatalf("counters of the imported slot: %+v", c)
		}
	}
	check(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, o)
	check(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReplica applies the records of one engine to another one, beginning from a
// checkpoint, and compares.
func TestReplica(t *testing.T) {
	fs := vfs.NewMem()
	po, ro := smallOptions(fs), smallOptions(fs)
	po.Dir, ro.Dir = "primary", "replica"
	p, r := openTest(t, po), openTest(t, ro)
	defer p.Close()
	defer r.Close()
	var id [20]byte
	id[0] = 1
	if _, err := p.AppendTerm(testNow, 1, id); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		s := slots.Slot(i % 9)
		mustUpdate(t, p, s, func(tx *Tx) { tx.putRow(testRow(s, i), []byte("a")); tx.deltaOf(s).keys = 1 })
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, r, 2, func(tx *Tx) { tx.putRow(testRow(2, 1), []byte("of another history")) })
	next, err := r.NextStoreDir()
	if err != nil {
		t.Fatal(err)
	}
	at, pin, err := p.Checkpoint(next)
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Release()
	if got, err := r.ReplaceWith(); err != nil || got != at {
		t.Fatalf("replaced at %d, want %d: %v", got, at, err)
	}
	for i := range 300 {
		s := slots.Slot(i % 9)
		mustUpdate(t, p, s, func(tx *Tx) { tx.putRow(testRow(s, i), []byte("b")); tx.delRow(testRow(s, i+9)) })
	}
	var set slots.Set
	set.Add(3)
	if _, err := p.FlushSlots(testNow, set); err != nil {
		t.Fatal(err)
	}
	end := p.Log().End()
	if err := p.Await(end); err != nil {
		t.Fatal(err)
	}
	reader, err := p.Log().NewReader(at)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for reader.Position() < end {
		entry, err := reader.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ApplyRecord(entry.Raw); err != nil {
			t.Fatal(err)
		}
	}
	for s := range slots.Slot(9) {
		if a, b := contents(t, p, s), contents(t, r, s); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("slot %d: %d rows on the primary, %d on the replica", s, len(a), len(b))
		}
		if a, b := p.Counters(s), r.Counters(s); a != b {
			t.Fatalf("slot %d: %+v on the primary, %+v on the replica", s, a, b)
		}
	}
}

// TestParallelClients has several goroutines increment rows of shared slots while
// generations are cut and rows are evicted; no increment may be lost.
func TestParallelClients(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	e := openTest(t, o)
	e.table.SetMaxBytes(512 << 10)
	const workers, rounds, rows = 4, 4000, 2000
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			pad := bytes.Repeat([]byte{'.'}, 600)
			for i := range rounds {
				s := slots.Slot(i % 5)
				key := testRow(s, i*31%rows)
				_, err := e.Update(testNow, []slots.Slot{s}, OpFunc(func(tx *Tx) error {
					v, _, err := tx.getRow(key)
					if err != nil {
						return err
					}
					n := 0
					fmt.Sscanf(string(v), "%d", &n)
					tx.putRow(key, fmt.Appendf(nil, "%d %s", n+1, pad))
					return nil
				}))
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	total := 0
	for s := range slots.Slot(5) {
		for _, v := range contents(t, e, s) {
			n := 0
			fmt.Sscanf(v, "%d", &n)
			total += n
		}
	}
	if total != workers*rounds {
		t.Errorf("%d increments arrived, want %d", total, workers*rounds)
	}
	if st := e.Stats(); st.Generations < 3 || st.Loads == 0 || st.Rows.Evicted == 0 {
		t.Errorf("the test did not reach what it is about: %d generations, %d loads, %d evicted", st.Generations, st.Loads, st.Rows.Evicted)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCloseOvertakesLoads: between two runs a transaction holds no slot, so the
// engine may be closed while it reads rows, or while a snapshot is looked at.
func TestCloseOvertakesLoads(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	key := testRow(6, 1)
	mustUpdate(t, e, 6, func(tx *Tx) { tx.putRow(key, []byte("v")) })
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := e.read([]coldRow{{key, e.table.Epoch(6)}})
	if err != nil {
		t.Fatal(err)
	}
	var set slots.Set
	set.Add(6)
	snap, err := e.Snapshot(set)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }() // it ends when the snapshot is closed
	for e.isOpen() {
		runtime.Gosched()
	}
	if err := snap.Each(6, func(_, _ []byte) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("a snapshot of a closed engine: %v", err)
	}
	if _, err := snap.Counters(6); !errors.Is(err, ErrClosed) {
		t.Errorf("counters of a snapshot of a closed engine: %v", err)
	}
	if err := errors.Join(snap.Close(), <-closed); err != nil {
		t.Error(err)
	}
	tx := e.begin(testNow, false)
	e.admit(tx, rows)
	e.release(tx)
}

// TestStaleRowIsNotAdmitted: what was read from the store before the row was
// changed, flushed and evicted must not come back; the mutant shows that this
// test would see it.
func TestStaleRowIsNotAdmitted(t *testing.T) {
	for _, mutant := range []bool{false, true} {
		o := smallOptions(vfs.NewMem())
		o.mutant.admitStale = mutant
		e := openTest(t, o)
		key := testRow(6, 1)
		put := func(value string) {
			mustUpdate(t, e, 6, func(tx *Tx) { tx.putRow(key, []byte(value)) })
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			for i := range 20 { // the segment of the row must be full to be swept
				mustUpdate(t, e, 7, func(tx *Tx) { tx.putRow(testRow(7, i), bytes.Repeat([]byte{1}, 8000)) })
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			e.table.SetMaxBytes(0)
			e.table.Trim()
			e.table.SetMaxBytes(1 << 20)
		}
		put("old")
		rows, err := e.read([]coldRow{{key, e.table.Epoch(6)}})
		if err != nil || string(rows[0].value) != "old" {
			t.Fatalf("%q %v", rows[0].value, err)
		}
		put("new")
		if _, presence := e.table.Peek(tableKey(key)); presence != cache.Unknown {
			t.Fatal("the row was not evicted")
		}
		tx := e.begin(testNow, false)
		e.admit(tx, rows)
		e.release(tx)
		var got string
		_, err = e.View(testNow, 6, OpFunc(func(tx *Tx) error {
			v, _, err := tx.getRow(key)
			got = string(v)
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
		if stale := got == "old"; stale != mutant {
			t.Errorf("mutant %v: the row reads %q", mutant, got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
