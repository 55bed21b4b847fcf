package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A flush in the background rests when there is time: when the next generation is far
// from full and nobody waits for the store. (Counted in rests, not in time.)
func TestFlushRestsWhenThereIsTime(t *testing.T) {
	const rows = 200 // of 8000 bytes: six pieces
	for _, c := range []struct {
		name  string
		calm  bool
		limit int64 // of the next generation, of which nothing is there yet
		waits int32
		rests bool
	}{
		{"in the background", true, 64 << 10, 0, true},
		{"when somebody asked for it", false, 64 << 10, 0, false},
		{"when somebody waits for the store", true, 64 << 10, 1, false},
		{"when the next generation is due", true, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := smallOptions(vfs.NewMem())
			o.GenerationBytes, o.MaxDirtyBytes = 64<<20, 128<<20
			e := openTest(t, o)
			defer e.Close()
			for i := range rows {
				mustUpdate(t, e, 6, func(tx *Tx) { tx.putRow(testRow(6, i), make([]byte, 8000)) })
			}
			e.limits.generation.Store(c.limit)
			e.pacing.waiting.Store(c.waits)
			if err := e.flush(c.calm); err != nil {
				t.Fatal(err)
			}
			if n := e.pacing.rests.Load(); (n > 0) != c.rests {
				t.Errorf("%d rests", n)
			}
			e.pacing.waiting.Store(0)
		})
	}
}

// A compaction rests after each piece that it writes, unless compactions are behind or
// the engine closes.
func TestCompactionRests(t *testing.T) {
	var p pacing
	closing := make(chan struct{})
	close(closing)
	f, err := newPatientFS(vfs.NewMem(), closing, &p).Create("x", compactionCategory)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(pieces int) uint64 {
		before := p.rests.Load()
		for range pieces * 8 {
			if _, err := f.Write(make([]byte, compactionPiece/8)); err != nil {
				t.Fatal(err)
			}
		}
		return p.rests.Load() - before
	}
	if n := write(4); n != 4 {
		t.Errorf("%d rests in 4 pieces", n)
	}
	p.behind.Store(true)
	if n := write(4); n != 0 {
		t.Errorf("%d rests in 4 pieces while compactions are behind", n)
	}
	other, err := newPatientFS(vfs.NewMem(), closing, &p).Create("y", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, paced := other.(*pacedFile); paced {
		t.Error("what is not a compaction's rests too")
	}
}
