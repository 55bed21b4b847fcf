package log

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// damagedOptions are of a log of one segment.
func damagedOptions(fs vfs.FS) Options {
	o := smallOptions(fs)
	o.SegmentBytes = 64 << 10
	return o
}

// names returns the files of the log whose name has a part in it.
func names(t *testing.T, fs vfs.FS, part string) []string {
	t.Helper()
	all, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range all {
		if strings.Contains(name, part) {
			out = append(out, name)
		}
	}
	return out
}

// TestSyncedDamageIsRefused: a bad byte in the last segment of a log that was
// closed is corruption, under every policy; the error says what is at risk, and
// the override goes on without it and keeps the bytes.
func TestSyncedDamageIsRefused(t *testing.T) {
	for _, policy := range []Policy{Always, EverySec, No} {
		fs := vfs.NewMem()
		o := damagedOptions(fs)
		o.Policy = policy
		l := mustOpen(t, o)
		lsns := fill(t, l, 10)
		seg, end := l.segs[0], l.End()
		mustClose(t, l)
		flip(t, fs, segmentName(0), seg.offset(lsns[6])+30)

		var c *CorruptError
		_, err := Open(o)
		if !errors.As(err, &c) || c.LSN != lsns[6] || c.Offset != seg.offset(lsns[6]) || c.Synced != end || c.Whole != 2 || c.Last != end {
			t.Fatalf("%+v", err)
		}
		o.RecoverDamaged = true
		l = mustOpen(t, o)
		if l.End() != lsns[6] || l.Recovered().Damage == nil {
			t.Fatalf("ends at %d, want %d; %+v", l.End(), lsns[6], l.Recovered())
		}
		mustAppend(t, l, batch(1, 10))
		mustClose(t, l)
		kept := names(t, fs, damagedInfix)
		if len(kept) != 1 {
			t.Fatalf("kept: %q", kept)
		}
		if info, err := fs.Stat("log/" + kept[0]); err != nil || info.Size() != int64(end-lsns[6]) {
			t.Fatalf("kept: %v, %v", info, err)
		}
		o.RecoverDamaged = false // and the log is whole again
		mustClose(t, mustOpen(t, o))
	}
}

// TestCutShort: a segment that lost its end, and a log that lost its segments.
func TestCutShort(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, damagedOptions(fs))
	lsns := fill(t, l, 10)
	seg := l.segs[0]
	mustClose(t, l)
	f, err := fs.OpenReadWrite("log/"+segmentName(0), writeCategory)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeZeros(f, seg.offset(lsns[8]), seg.offset(lsns[9])); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var c *CorruptError
	if _, err := Open(damagedOptions(fs)); !errors.As(err, &c) || c.LSN != lsns[8] {
		t.Fatalf("zeros where the last record was: %v", err)
	}
	if err := fs.Remove("log/" + segmentName(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(damagedOptions(fs)); !errors.As(err, &c) || c.LSN != 0 || c.Synced != lsns[9] {
		t.Fatalf("no segment at all: %v", err)
	}
	o := damagedOptions(fs)
	o.RecoverDamaged = true
	l = mustOpen(t, o)
	if l.End() != 0 {
		t.Fatalf("ends at %d", l.End())
	}
	mustClose(t, l)
	mustClose(t, mustOpen(t, damagedOptions(fs)))
}

// TestDamageBelowTheWatermark: the rows hold it, so the override loses nothing.
func TestDamageBelowTheWatermark(t *testing.T) {
	for _, size := range []int64{64 << 10, 2 << 10} { // one segment, and many
		fs := vfs.NewMem()
		o := smallOptions(fs)
		o.SegmentBytes = size
		l := mustOpen(t, o)
		lsns := fill(t, l, 40)
		at, err := l.PositionAt(lsns[20])
		if err != nil {
			t.Fatal(err)
		}
		seg, _, err := l.segmentAt(lsns[19])
		if err != nil {
			t.Fatal(err)
		}
		want := readAll(t, l, at.LSN)
		mustClose(t, l)
		flip(t, fs, segmentName(seg.first), seg.offset(lsns[19])+30)
		o.VerifyFrom, o.Start = at.LSN, Start{Position: at}
		var c *CorruptError
		if _, err := Open(o); !errors.As(err, &c) || c.LSN != lsns[19] {
			t.Fatalf("%v", err)
		}
		o.RecoverDamaged = true
		l = mustOpen(t, o)
		got := readAll(t, l, at.LSN)
		if l.End() != lsns[39] || len(got) != len(want) {
			t.Fatalf("ends at %d with %d records, want %d with %d", l.End(), len(got), lsns[39], len(want))
		}
		mustClose(t, l)
		o.RecoverDamaged = false
		mustClose(t, mustOpen(t, o))
	}
}

// TestDamagedHeader: the override ends the log before a segment whose header is
// damaged.
func TestDamagedHeader(t *testing.T) {
	fs := vfs.NewMem()
	o := smallOptions(fs)
	l := mustOpen(t, o)
	fill(t, l, 40)
	segs := l.segs
	mustClose(t, l)
	flip(t, fs, segmentName(segs[2].first), 9)
	o.RecoverDamaged = true
	l = mustOpen(t, o)
	if l.End() != segs[2].first {
		t.Fatalf("ends at %d, want %d", l.End(), segs[2].first)
	}
	if kept := names(t, fs, damagedInfix); len(kept) != len(segs)-2 {
		t.Fatalf("kept: %q of %d segments", kept, len(segs))
	}
	mustClose(t, l)
}

// TestTornTailsAreKept: the last few, and a torn tail is cut although whole
// records follow it.
func TestTornTailsAreKept(t *testing.T) {
	fs := vfs.NewCrashableMem()
	for range keptTails + 3 {
		o := damagedOptions(fs)
		o.Policy = No
		l := mustOpen(t, o)
		first := mustAppend(t, l, batch(1, 100))
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := l.Wait(mustAppend(t, l, batch(2, 100)), Written); err != nil {
				t.Fatal(err)
			}
		}
		seg := l.segs[0]
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
		l.Close()
		fs = clone
		flip(t, fs, segmentName(0), seg.offset(first)+30)
		o.FS = fs
		l = mustOpen(t, o)
		if r := l.Recovered(); l.End() != first || r.Kept == "" || r.Whole != 2 || r.Damage != nil {
			t.Fatalf("ends at %d, want %d; %+v", l.End(), first, r)
		}
		mustClose(t, l)
	}
	if kept := names(t, fs, tornInfix); len(kept) != keptTails {
		t.Fatalf("kept: %q", kept)
	}
}

// TestSyncPointSlots: a damaged slot leaves the older one, and after a cut not
// even that says more than is there.
func TestSyncPointSlots(t *testing.T) {
	fs := vfs.NewMem()
	p, err := openSyncPoint(fs, "point")
	if err != nil {
		t.Fatal(err)
	}
	damageNewest := func() {
		t.Helper()
		if err := flipBit(fs, "point", int64(p.serial%2)*syncPointStride+5, 1); err != nil {
			t.Fatal(err)
		}
		if p, err = openSyncPoint(fs, "point"); err != nil {
			t.Fatal(err)
		}
	}
	for _, lsn := range []LSN{100, 200, 300} {
		p.raise(lsn)
	}
	damageNewest()
	if p.lsn != 200 {
		t.Fatalf("%d, want 200", p.lsn)
	}
	p.raise(400)
	p.raise(500)
	if err := p.lower(50); err != nil {
		t.Fatal(err)
	}
	damageNewest()
	if p.lsn != 50 {
		t.Fatalf("%d after a cut to 50", p.lsn)
	}
}
