package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
)

func TestLowestFreeSegmentFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var free freeSegments
	var want []uint32
	for range 5000 {
		if len(want) == 0 || rng.IntN(100) < 52 {
			id := rng.Uint32N(1000)
			free.add(id)
			want = append(want, id)
			continue
		}
		at := slices.Index(want, slices.Min(want))
		if id := free.take(); id != want[at] {
			t.Fatalf("%d was taken, want %d of %d", id, want[at], want)
		}
		want = slices.Delete(want, at, at+1)
	}
}

// TestUsedSegmentsGather: a table that shrank holds the low segments in the end, and few that it gave back are resident.
func TestUsedSegmentsGather(t *testing.T) {
	const large, small = 600, 100
	table := newTestTable(t, large*segmentBytes)
	admit := func(from, n int) {
		for i := range n {
			k := metaKey(fmt.Sprint("row", from+i))
			table.Lock(k.Slot)
			table.Admit(k, make([]byte, 1000), false, table.Epoch(k.Slot), 1)
			table.Unlock(k.Slot)
		}
	}
	admit(0, large*70)
	table.SetMaxBytes(small * segmentBytes)
	table.Shrink()
	admit(large*70, 2*small*70)
	highest, idle := 0, int64(0)
	for i := range table.arena.segments[:table.arena.next] {
		switch s := &table.arena.segments[i]; {
		case s.resident:
			idle++
		case s.state != segmentFree:
			highest = i
		}
	}
	if highest > small+small/4 {
		t.Errorf("segment %d is used, where there is room for %d", highest, small)
	}
	if n := table.arena.idle.Load(); n != idle || n > table.arena.keep.Load() {
		t.Errorf("%d free segments are said to be resident, %d are, %d may", n, idle, table.arena.keep.Load())
	}
}

// frozenWorld is a full table with rows of slot 5, every eighth of which is in a generation that was cut; clean rows
// stand between them.
func frozenWorld(t *testing.T, segments int) *Table {
	table := newTestTable(t, int64(segments)*segmentBytes)
	for i := range segments * 6 {
		for j := range 8 {
			k := elementKey(slots.Slot(5+j), fmt.Sprint("row", i))
			table.Lock(k.Slot)
			table.Admit(k, make([]byte, 1000), false, table.Epoch(k.Slot), 1)
			if j == 0 {
				table.Put(k, frozenValue(i), 1, true) // where it stands
			}
			table.Unlock(k.Slot)
		}
	}
	table.Cut()
	return table
}

func frozenValue(i int) []byte {
	v := make([]byte, 1000)
	binary.BigEndian.PutUint64(v, uint64(i))
	return v
}

// strangers admits n rows of another slot: 200 for each segment sweep everything more than once.
func strangers(table *Table, n int, from *int) {
	for range n {
		*from++
		k := elementKey(300, fmt.Sprint("stranger", *from))
		table.Lock(k.Slot)
		table.Admit(k, make([]byte, 1000), false, table.Epoch(k.Slot), 2)
		table.Get(k, 2) // or it would leave without driving out others
		table.Unlock(k.Slot)
	}
}

// TestSweepBesideAFlush: rows that the flusher reads stay where they are, and it sees each as it was cut.
func TestSweepBesideAFlush(t *testing.T) {
	if wrong := sweepBesideAFlush(t, false); wrong > 0 {
		t.Errorf("%d rows that were flushed are wrong", wrong)
	}
}

func TestMutantMovesRead(t *testing.T) {
	if sweepBesideAFlush(t, true) == 0 {
		t.Error("rows are moved while the flusher reads them, and nothing is wrong")
	}
}

func sweepBesideAFlush(t *testing.T, mutant bool) (wrong int) {
	const segments = 24
	table := frozenWorld(t, segments)
	table.cfg.MovesRead = mutant
	from, seen := 0, map[uint64]bool{}
	strangers(table, 200*segments, &from) // these move the rows
	if err := table.Frozen(5, func(_, value []byte, _ bool) error {
		was := binary.BigEndian.Uint64(value)
		if len(seen)%40 == 0 {
			strangers(table, 200*segments, &from)
		}
		if len(value) != 1000 || binary.BigEndian.Uint64(value) != was {
			wrong++
		}
		seen[was] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return wrong + segments*6 - len(seen)
}

// TestFrozenRowsHoldNoSegments: while a generation is flushed, rows that are read find as much room as before.
func TestFrozenRowsHoldNoSegments(t *testing.T) {
	const segments = 40
	table := frozenWorld(t, segments)
	for i := range segments * 3 { // half of them are superseded
		k := elementKey(5, fmt.Sprint("row", 2*i))
		table.Lock(k.Slot)
		table.Put(k, frozenValue(7), 1, true)
		table.Unlock(k.Slot)
	}
	from := 0
	strangers(table, 200*segments, &from)
	st := table.Stats()
	if st.LiveBytes < st.SegmentBytes*8/10 || st.SegmentBytes > segments*segmentBytes {
		t.Errorf("%d bytes of segments hold %d bytes of rows", st.SegmentBytes, st.LiveBytes)
	}
	seen := map[uint64]bool{}
	if err := table.Frozen(5, func(_, value []byte, _ bool) error {
		seen[binary.BigEndian.Uint64(value)] = true
		return nil
	}); err != nil || len(seen) != segments*6 {
		t.Errorf("%d rows are flushed, want %d, %v", len(seen), segments*6, err)
	}
	for table.Settle(5, 10) {
	}
	table.Cut()
	for table.Settle(5, 10) {
	}
	if n := table.DirtyBytes(); n != 0 {
		t.Errorf("%d bytes are dirty in the end", n)
	}
}

// TestReplacedRowMoves: room for a new value is made by a sweep that moves the value it replaces, which is being flushed.
func TestReplacedRowMoves(t *testing.T) {
	const segments, rows = 24, 60
	table := newTestTable(t, segments*segmentBytes)
	rng := rand.New(rand.NewPCG(3, 3))
	value := make([]byte, 4000)
	from := 0
	for round := range 60 {
		for _, i := range rng.Perm(rows) {
			binary.BigEndian.PutUint64(value, uint64(round*rows+i))
			k := elementKey(5, fmt.Sprint("row", i))
			table.Lock(5)
			table.Put(k, value[:3900+rng.IntN(100)], 1, true)
			table.Unlock(5)
			strangers(table, 20, &from)
		}
		for table.Settle(5, 10) {
		}
		for i := range rows {
			if v, p := table.Peek(elementKey(5, fmt.Sprint("row", i))); p != Present || binary.BigEndian.Uint64(v) != uint64(round*rows+i) {
				t.Fatalf("round %d: row %d is %d, %v", round, i, p, v[:min(len(v), 8)])
			}
		}
		table.Cut()
	}
}
