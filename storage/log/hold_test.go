package log

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func fixCRC(raw []byte, prev uint32) {
	binary.LittleEndian.PutUint32(raw[4:], crc32.Update(prev, castagnoli, raw[8:]))
}

func TestTrim(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.Retain = 3000
	l := mustOpen(t, o)
	defer mustClose(t, l)
	lsns := fill(t, l, 100)
	end := l.End()
	pin, err := l.Pin(lsns[30])
	if err != nil {
		t.Fatal(err)
	}
	trim := func(before LSN) LSN {
		t.Helper()
		start, err := l.Trim(before)
		if err != nil {
			t.Fatal(err)
		}
		if start != l.Start() {
			t.Fatalf("trim says %d, start is %d", start, l.Start())
		}
		return start
	}
	if s := trim(lsns[10]); s == 0 || s > lsns[10] {
		t.Fatalf("trimmed to %d with the watermark at %d", s, lsns[10])
	}
	if s := trim(end); s > lsns[30] || s <= lsns[10] {
		t.Fatalf("trimmed to %d with a pin at %d", s, lsns[30])
	}
	if err := pin.Move(lsns[60]); err != nil {
		t.Fatal(err)
	}
	if s := trim(end); s > lsns[60] || s <= lsns[30] {
		t.Fatalf("trimmed to %d with a pin at %d", s, lsns[60])
	}
	pin.Release()
	if s := trim(end); int64(end-s) < o.Retain || int64(end-s) > o.Retain+2*o.SegmentBytes {
		t.Fatalf("trimmed to %d of %d, %d bytes should stay", s, end, o.Retain)
	}
	if _, err := l.Pin(lsns[0]); !errors.Is(err, ErrTruncated) {
		t.Fatalf("pin of a trimmed record: %v", err)
	}
	if _, err := l.NewReader(lsns[0]); !errors.Is(err, ErrTruncated) {
		t.Fatalf("reader at a trimmed record: %v", err)
	}
	if _, err := l.NewReader(end + 1); !errors.Is(err, ErrBeyondEnd) {
		t.Fatalf("reader beyond the end: %v", err)
	}
	if _, err := l.NewReader(lsns[98] + 1); !errors.Is(err, ErrDiverged) {
		t.Fatalf("reader in the middle of a record: %v", err)
	}
}

// TestReaderWithoutPin: what is trimmed under a reader's feet is an error, not
// a hole.
func TestReaderWithoutPin(t *testing.T) {
	l := mustOpen(t, smallOptions(vfs.NewMem()))
	defer mustClose(t, l)
	fill(t, l, 60)
	r, err := l.NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.TryNext(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Trim(l.End()); err != nil {
		t.Fatal(err)
	}
	for at := r.Position(); err == nil; {
		var e *Entry
		if e, err = r.TryNext(); err == nil && e.Start() != at {
			t.Fatalf("hole from %d to %d", at, e.Start())
		} else if err == nil {
			at = e.LSN
		}
	}
	if !errors.Is(err, ErrTruncated) {
		t.Fatalf("reader: %v", err)
	}
}

func TestPinBreaks(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.PinBytes = 5000
	l := mustOpen(t, o)
	defer mustClose(t, l)
	slow, err := l.Pin(0)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := l.Pin(0)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		fill(t, l, 10)
		if err := fast.Move(l.End()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-slow.Broken():
	default:
		t.Fatal("the pin still holds")
	}
	if err := slow.Move(l.End()); !errors.Is(err, ErrPinBroken) {
		t.Fatalf("move of a broken pin: %v", err)
	}
	slow.Release()
	select {
	case <-fast.Broken():
		t.Fatal("the pin that kept up broke")
	default:
	}
	if start, err := l.Trim(l.End()); err != nil || start == 0 {
		t.Fatalf("trim to %d, %v", start, err)
	}
}

func TestFollows(t *testing.T) {
	fs := vfs.NewMem()
	a, b := mustOpen(t, smallOptions(fs)), mustOpen(t, smallOptions(vfs.NewMem()))
	defer mustClose(t, b)
	var at []Position
	step := func(l *Log, r *Record) Position { mustAppend(t, l, r); return l.Tip() }
	term := func(n uint64) *Record { return &Record{Kind: KindTerm, Payload: TermPayload(n, ReplID{byte(n)})} }
	at = append(at, a.Tip())
	for i := range 30 {
		r := batch(i, 300)
		if i%10 == 0 {
			r = term(uint64(i/10 + 1))
		}
		at = append(at, step(a, r))
		step(b, r)
	}
	// From here on two histories of equal shape.
	forkA, forkB := step(a, batch(1, 100)), step(b, batch(2, 100))
	tailA, tailB := step(a, batch(3, 100)), step(b, batch(3, 100))
	if forkA.LSN != forkB.LSN || tailA.LSN != tailB.LSN {
		t.Fatal("the histories have different shapes")
	}
	check := func(l *Log) {
		t.Helper()
		for i, p := range at {
			if err := l.Follows(p); err != nil {
				t.Fatalf("position %d %+v: %v", i, p, err)
			}
			p.Term++
			if err := l.Follows(p); !errors.Is(err, ErrDiverged) {
				t.Fatalf("position %d of another term: %v", i, err)
			}
		}
		for _, p := range []Position{forkB, tailB} { // the last record of tailB is equal, its prefix is not
			if err := l.Follows(p); !errors.Is(err, ErrDiverged) {
				t.Fatalf("position of the other history: %v", err)
			}
		}
		if err := l.Follows(Position{LSN: tailA.LSN + 1}); !errors.Is(err, ErrBeyondEnd) {
			t.Fatalf("position beyond the end: %v", err)
		}
		if err := l.Follows(Position{LSN: at[3].LSN + 1}); !errors.Is(err, ErrDiverged) {
			t.Fatalf("position within a record: %v", err)
		}
	}
	check(a)
	if terms := a.Terms(); len(terms) != 4 || terms[3].Number != 3 || terms[3].Start != at[20].LSN {
		t.Fatalf("terms %+v", terms)
	}
	mustClose(t, a)
	o := smallOptions(fs)
	o.VerifyFrom = tailA.LSN // reads only the last segment
	a = mustOpen(t, o)
	check(a)
	if got := a.Term(); got.Number != 3 || got.ReplID != (ReplID{3}) || got.Start != at[20].LSN {
		t.Fatalf("term %+v", got)
	}
	mustClose(t, a)
}

// TestCutTo cuts a reopened log back, step by step, and lets it go on
// differently.
func TestCutTo(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(fs))
	var at []Position
	for i := range 60 {
		if i%15 == 0 {
			mustAppend(t, l, &Record{Kind: KindTerm, Payload: TermPayload(uint64(i/15+1), ReplID{byte(i)})})
		} else {
			mustAppend(t, l, batch(i, 200))
		}
		at = append(at, l.Tip())
	}
	mustClose(t, l)
	for i := 58; i >= 0; i -= 7 {
		o := smallOptions(fs)
		o.VerifyFrom = at[i].LSN
		l = mustOpen(t, o)
		stays, err := l.Pin(at[i].LSN)
		if err != nil {
			t.Fatal(err)
		}
		breaks, err := l.Pin(at[i+1].LSN)
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.NewReader(l.End())
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() { _, err := r.Next(context.Background()); read <- err }()
		parked := make(chan error, 1)
		l.Park(l.End()+1, Synced, func(err error) { parked <- err })
		if err := l.CutTo(at[i].LSN); err != nil {
			t.Fatalf("cut to %+v: %v", at[i], err)
		}
		if l.Tip() != at[i] || l.Reached(Synced) != at[i].LSN {
			t.Fatalf("tip %+v, synced %d, want %+v", l.Tip(), l.Reached(Synced), at[i])
		}
		for what, ch := range map[string]chan error{"reader": read, "parked call": parked} {
			if err := <-ch; !errors.Is(err, ErrCut) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		r.Close()
		<-breaks.Broken()
		if err := stays.Move(at[i].LSN); err != nil {
			t.Fatalf("the pin at the cut: %v", err)
		}
		if err := l.CutTo(at[i].LSN + 1); !errors.Is(err, ErrBeyondEnd) {
			t.Fatalf("cut beyond the end: %v", err)
		}
		if want := at[i].Term; l.Term().Number != want || l.Term().ReplID != (ReplID{byte((want - 1) * 15)}) {
			t.Fatalf("term %+v, want %d", l.Term(), want)
		}
		fill(t, l, 12) // over where the old records were, and the next segment
		n := len(readAll(t, l, at[i].LSN))
		mustClose(t, l)
		l = mustOpen(t, smallOptions(fs))
		if got := len(readAll(t, l, at[i].LSN)); got != n || n != 12 || l.Recovered() != (Recovery{}) {
			t.Fatalf("%d records behind the cut, then %d, want 12; %+v", n, got, l.Recovered())
		}
		if err := l.CutTo(at[i].LSN); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
	}
}

func TestReset(t *testing.T) {
	primary := mustOpen(t, smallOptions(vfs.NewMem()))
	defer mustClose(t, primary)
	if _, err := primary.AppendTerm(4, ReplID{4}, 0); err != nil {
		t.Fatal(err)
	}
	lsns := fill(t, primary, 30)
	mid, err := primary.PositionAt(lsns[14])
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(fs))
	fill(t, l, 50)
	pin, err := l.Pin(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Reset(Start{Position: mid, Term: primary.Term()}); err != nil {
		t.Fatal(err)
	}
	<-pin.Broken()
	for _, raw := range readAll(t, primary, mid.LSN) {
		if _, err := l.AppendRaw(raw); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	l = mustOpen(t, smallOptions(fs))
	defer mustClose(t, l)
	if l.Start() != mid.LSN || l.Tip() != primary.Tip() || l.Term() != primary.Term() {
		t.Fatalf("start %d tip %+v term %+v, want %d %+v %+v", l.Start(), l.Tip(), l.Term(), mid.LSN, primary.Tip(), primary.Term())
	}
	if err := l.Follows(mid); err != nil {
		t.Fatalf("the start of a reset log: %v", err)
	}
	if _, err := l.NewReader(lsns[13]); !errors.Is(err, ErrTruncated) {
		t.Fatalf("reader before the start: %v", err)
	}
}

// TestInSync: Committed is raised from outside, and only then.
func TestInSync(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.InSync = true
	l := mustOpen(t, o)
	defer mustClose(t, l)
	lsn := mustAppend(t, l, batch(0, 10))
	if l.Promised() != Committed {
		t.Fatal("an in-sync log promises less than committed")
	}
	done := make(chan error, 1)
	l.Park(lsn, Committed, func(err error) { done <- err })
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if len(done) > 0 || l.Reached(Committed) != 0 {
		t.Fatal("committed without a Commit")
	}
	l.Commit(lsn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestOldTermIsRefused(t *testing.T) {
	l := mustOpen(t, smallOptions(vfs.NewMem()))
	defer mustClose(t, l)
	for n, want := range map[uint64]error{5: nil} {
		if _, err := l.AppendTerm(n, ReplID{}, 0); err != want {
			t.Fatal(err)
		}
	}
	tip := l.Tip()
	for _, n := range []uint64{0, 4, 5} {
		if _, err := l.AppendTerm(n, ReplID{}, 0); !errors.Is(err, ErrOldTerm) {
			t.Fatalf("term %d after 5: %v", n, err)
		}
	}
	if l.Tip() != tip {
		t.Fatal("a refused term moved the end")
	}
}

func TestNextEndsWithContext(t *testing.T) {
	l := mustOpen(t, smallOptions(vfs.NewMem()))
	r, err := l.NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("next: %v", err)
	}
	// A record is not seen before it is written.
	lsn := mustAppend(t, l, batch(1, 10))
	if _, err := r.TryNext(); err != io.EOF {
		t.Fatalf("a record that is only buffered: %v", err)
	}
	if err := l.Wait(lsn, Written); err != nil {
		t.Fatal(err)
	}
	e, err := r.Next(context.Background())
	if err != nil || !bytes.Equal(e.Payload, bytes.Repeat([]byte{1}, 10)) || e.CRC != l.Tip().CRC {
		t.Fatalf("next: %+v, %v", e, err)
	}
	mustClose(t, l)
	if _, err := r.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Fatalf("next of a closed log: %v", err)
	}
	if _, err := l.Append(batch(1, 1)); !errors.Is(err, ErrClosed) {
		t.Fatalf("append to a closed log: %v", err)
	}
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Fatalf("close of a closed log: %v", err)
	}
}
