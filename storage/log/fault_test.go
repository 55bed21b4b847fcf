package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// inject fails operations of one kind while on.
type inject struct {
	kind errorfs.OpKind
	err  error
	on   atomic.Bool
	hits atomic.Int64
}

func (i *inject) MaybeError(op errorfs.Op) error {
	if op.Kind == i.kind && i.on.Load() {
		i.hits.Add(1)
		return i.err
	}
	return nil
}

func (i *inject) String() string { return "inject" }

// flip changes one byte of a file.
func flip(t *testing.T, fs vfs.FS, name string, offset int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(path.Join("log", name), writeCategory)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestDiskFull: a full disk refuses records before anything changed, keeps
// room for the essential ones, and clears by itself.
func TestDiskFull(t *testing.T) {
	full := &inject{kind: errorfs.OpFilePreallocate, err: syscall.ENOSPC}
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(errorfs.Wrap(fs, full)))
	fill(t, l, 3)
	full.on.Store(true)
	var err error
	n := 0
	for ; n < 1000 && err == nil; n++ {
		_, err = l.Append(batch(n, 90))
	}
	if !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("append to a full disk: %v", err)
	}
	tip := l.Tip()
	if _, err := l.Append(batch(0, 5000)); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("a giant record on a full disk: %v", err)
	}
	if l.Tip() != tip {
		t.Fatal("a refused record moved the end")
	}
	essential := batch(0, 20)
	essential.Essential = true
	if _, err := l.Append(essential); err != nil {
		t.Fatalf("an essential record: %v", err)
	}
	for err = nil; err == nil; {
		_, err = l.Append(essential)
	}
	if !errors.Is(err, ErrDiskFull) {
		t.Fatalf("essential records without end: %v", err)
	}
	if err := l.Sync(); err != nil {
		t.Fatalf("sync on a full disk: %v", err)
	}
	full.on.Store(false)
	mustAppend(t, l, batch(0, 90))
	tip = l.Tip()
	mustClose(t, l)
	// A restart on a full disk reads everything and only refuses to grow.
	full.on.Store(true)
	l = mustOpen(t, smallOptions(errorfs.Wrap(fs, full)))
	defer mustClose(t, l)
	if l.Tip() != tip {
		t.Fatalf("tip %+v, want %+v", l.Tip(), tip)
	}
	if _, err := l.Append(batch(0, 90)); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("append after a restart: %v", err)
	}
	full.on.Store(false)
	mustAppend(t, l, batch(0, 90))
}

// TestNoRoomIsNotAskedFor: room that the disk does not have beside a little for others is not even asked for, since a
// file system may hand out all it has before it says that this is not enough.
func TestNoRoomIsNotAskedFor(t *testing.T) {
	fs := vfs.NewMem()
	asked := &inject{kind: errorfs.OpFilePreallocate, err: errors.New("asked")}
	o := smallOptions(errorfs.Wrap(fs, asked))
	l := mustOpen(t, o)
	defer mustClose(t, l)
	fill(t, l, 3)
	for deadline, ready := time.Now().Add(time.Minute), false; !ready; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		ready = l.spare != nil
		l.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatal("no spare segment is made")
		}
	}
	asked.on.Store(true)
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: uint64(o.SegmentBytes) + othersSpace, TotalBytes: 1 << 30})
	var err error
	for n := 0; n < 1000 && err == nil; n++ {
		_, err = l.Append(batch(n, 90))
	}
	if !errors.Is(err, ErrDiskFull) {
		t.Fatalf("append to a full disk: %v", err)
	}
	asked.on.Store(false)
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: uint64(o.SegmentBytes) + othersSpace + segmentHeaderLen, TotalBytes: 1 << 30})
	for n := range 100 {
		mustAppend(t, l, batch(n, 90))
	}
}

// TestUnreservedMutant shows that TestDiskFull's refusal is the admission's
// doing.
func TestUnreservedMutant(t *testing.T) {
	full := &inject{kind: errorfs.OpFilePreallocate, err: syscall.ENOSPC}
	o := smallOptions(errorfs.Wrap(vfs.NewMem(), full))
	o.mutant.appendUnreserved = true
	l := mustOpen(t, o)
	defer mustClose(t, l)
	full.on.Store(true)
	for n := range 1000 {
		if _, err := l.Append(batch(n, 90)); err != nil {
			t.Fatalf("the mutant refuses: %v", err)
		}
	}
}

// TestSyncErrorIsFinal: after a failed sync or write nothing is tried again
// and everybody is told.
func TestSyncErrorIsFinal(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpFileSyncData, errorfs.OpFileWriteAt} {
		bad := &inject{kind: kind, err: syscall.EIO}
		l := mustOpen(t, smallOptions(errorfs.Wrap(vfs.NewMem(), bad)))
		first := mustAppend(t, l, batch(0, 10))
		if err := l.Wait(first, Synced); err != nil {
			t.Fatal(err)
		}
		r, err := l.NewReader(first)
		if err != nil {
			t.Fatal(err)
		}
		tail := make(chan error, 1)
		go func() {
			for {
				if _, err := r.Next(context.Background()); err != nil {
					tail <- err
					return
				}
			}
		}()
		bad.on.Store(true)
		lsn := mustAppend(t, l, batch(1, 10))
		parked := make(chan error, 1)
		l.Park(lsn+1<<20, Synced, func(err error) { parked <- err })
		if err := l.Wait(lsn, Synced); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("wait: %v", err)
		}
		for what, ch := range map[string]chan error{"parked call": parked, "reader": tail} {
			if err := <-ch; !errors.Is(err, syscall.EIO) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		bad.on.Store(false)
		if err := l.Wait(lsn, Synced); !errors.Is(err, ErrFailed) {
			t.Fatalf("wait after the disk recovered: %v", err)
		}
		if err := l.Wait(first, Synced); err != nil {
			t.Fatalf("wait for a record that was synced before: %v", err)
		}
		if _, err := l.Append(batch(2, 10)); !errors.Is(err, ErrFailed) {
			t.Fatalf("append after a failure: %v", err)
		}
		if bad.hits.Load() != 1 {
			t.Fatalf("%d tries, want one", bad.hits.Load())
		}
		r.Close()
		if err := l.Close(); !errors.Is(err, ErrFailed) {
			t.Fatalf("close: %v", err)
		}
	}
}

// TestRetrySyncMutant: a log that goes on after a failed sync acknowledges what
// the disk lost; the rule of TestSyncErrorIsFinal is what prevents it.
func TestRetrySyncMutant(t *testing.T) {
	bad := &inject{kind: errorfs.OpFileSyncData, err: syscall.EIO}
	o := smallOptions(errorfs.Wrap(vfs.NewMem(), bad))
	o.mutant.retrySync = true
	l := mustOpen(t, o)
	bad.on.Store(true)
	lsn := mustAppend(t, l, batch(1, 10))
	if err := l.Wait(lsn, Synced); err == nil {
		t.Fatal("no error at all")
	}
	bad.on.Store(false)
	if err := l.Wait(lsn, Synced); err != nil {
		t.Fatalf("the mutant stops: %v", err)
	}
	mustClose(t, l)
}

// TestCorruptionIsNoTornTail: a bad byte before the last segment, or below the
// watermark, is reported with its place; one in the tail ends the log.
func TestCorruptionIsNoTornTail(t *testing.T) {
	build := func() (*vfs.MemFS, []*segment, []LSN) {
		fs := vfs.NewMem()
		l := mustOpen(t, smallOptions(fs))
		lsns := fill(t, l, 40)
		segs := l.segs
		mustClose(t, l)
		if len(segs) < 4 {
			t.Fatalf("%d segments; the test wants more", len(segs))
		}
		return fs, segs, lsns
	}

	fs, segs, _ := build()
	flip(t, fs, segmentName(segs[1].first), segmentHeaderLen+30)
	_, err := Open(smallOptions(fs))
	var c *CorruptError
	if !errors.As(err, &c) || c.File != segmentName(segs[1].first) || c.Offset != segmentHeaderLen || c.LSN != segs[1].first {
		t.Fatalf("bad byte in the second segment: %v", err)
	}

	// Not read by Open when the watermark is beyond, but by a reader.
	o := smallOptions(fs)
	o.VerifyFrom = segs[2].first
	l := mustOpen(t, o)
	r, err := l.NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.TryNext()
	}
	if !errors.As(err, &c) || c.LSN != segs[1].first {
		t.Fatalf("reader: %v", err)
	}
	r.Close()
	mustClose(t, l)

	fs, segs, _ = build()
	last := segs[len(segs)-1]
	flip(t, fs, segmentName(last.first), 5)
	if _, err = Open(smallOptions(fs)); !errors.As(err, &c) {
		t.Fatalf("bad header: %v", err)
	}

	fs, segs, _ = build()
	if err := fs.Remove("log/" + segmentName(segs[1].first)); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(smallOptions(fs)); !errors.As(err, &c) {
		t.Fatalf("missing segment: %v", err)
	}
	o = smallOptions(fs)
	o.VerifyFrom = segs[2].first
	l = mustOpen(t, o)
	if l.Start() != segs[2].first {
		t.Fatalf("starts at %d, want %d", l.Start(), segs[2].first)
	}
	mustClose(t, l)

	fs, segs, lsns := build()
	last = segs[len(segs)-1]
	end := lsns[len(lsns)-1]
	flip(t, fs, segmentName(last.first), last.offset(end)-1)
	o = smallOptions(fs)
	o.VerifyFrom = end
	if _, err := Open(o); !errors.As(err, &c) {
		t.Fatalf("bad byte below the watermark: %v", err)
	}
	// Of a log from before the sync point nobody knows how far it was synced.
	if err := fs.Remove("log/" + syncPointName); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, smallOptions(fs))
	defer mustClose(t, l)
	before := lsns[len(lsns)-2]
	name := segmentName(last.first)
	want := Recovery{TornFile: name, TornOffset: last.offset(before), TornBytes: int64(end - before),
		Kept: fmt.Sprintf("%s.torn-%d", name, last.offset(before))}
	if l.End() != before || l.Recovered() != want {
		t.Fatalf("end %d, want %d; %+v, want %+v", l.End(), before, l.Recovered(), want)
	}
}

// TestNewerFormatIsRefused: the error says what to do, and nothing is changed.
func TestNewerFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(fs))
	mustAppend(t, l, &Record{Kind: KindNoop})
	mustClose(t, l)
	flip := []byte{2}
	f, err := fs.OpenReadWrite("log/"+segmentName(0), writeCategory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(flip, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(smallOptions(fs)); !errors.Is(err, ErrNewer) {
		t.Fatalf("a segment of version 2: %v", err)
	}
	// A record of a later version, with a right CRC.
	r := Record{Kind: KindNoop}
	raw, _ := appendRecord([]byte{}, &r, r.encodedLen(), LSN(r.encodedLen()), 0)
	raw[8] = 2
	fixCRC(raw, 0)
	if _, err := f.WriteAt([]byte{1}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(raw, segmentHeaderLen); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(smallOptions(fs)); !errors.Is(err, ErrNewer) {
		t.Fatalf("a record of version 2: %v", err)
	}
	got := make([]byte, len(raw))
	if _, err := f.ReadAt(got, segmentHeaderLen); err != nil && err != io.EOF || string(got) != string(raw) {
		t.Fatal("the refused record was changed")
	}
}

// TestTicks: everysec syncs on each tick and only then.
func TestTicks(t *testing.T) {
	tick := make(chan time.Time)
	var now atomic.Int64
	o := smallOptions(vfs.NewMem())
	o.SegmentBytes = 1 << 20
	o.Policy, o.Tick = EverySec, tick
	o.Now = func() time.Time { return time.Unix(now.Add(5), 0) }
	l := mustOpen(t, o)
	defer mustClose(t, l)
	if l.Promised() != Written {
		t.Fatal("everysec promises more than written")
	}
	lsn := mustAppend(t, l, batch(0, 10))
	if err := l.Wait(lsn, l.Promised()); err != nil {
		t.Fatal(err)
	}
	if l.Reached(Synced) != 0 {
		t.Fatal("synced without a tick")
	}
	done := make(chan error, 1)
	tick <- time.Time{}
	l.Park(lsn, Synced, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.LastSync != 5*time.Second || !s.SyncStarted.IsZero() {
		t.Fatalf("stats %+v", s)
	}
	l.SetPolicy(No)
	lsn = mustAppend(t, l, batch(0, 10))
	tick <- time.Time{}
	tick <- time.Time{} // the first one was dealt with
	if l.Reached(Synced) >= lsn {
		t.Fatal("policy no synced on a tick")
	}
	l.SetPolicy(Always)
	if l.Promised() != Synced {
		t.Fatal("always promises less than synced")
	}
}
