package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// smallOptions are of a log whose segments hold a handful of records.
func smallOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "log", SegmentBytes: 2 << 10, BufferBytes: 4 << 10, Policy: Always}
}

func mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func batch(i int, size int) *Record {
	payload := bytes.Repeat([]byte{byte(i)}, size)
	return &Record{Kind: KindBatch, TimeMS: int64(i), Payload: payload,
		Deltas: []Delta{{Slot: slots.Slot(i % slots.Count), Keys: 1, Bytes: int64(size), NextOID: uint64(i)}}}
}

func mustAppend(t testing.TB, l *Log, r *Record) LSN {
	t.Helper()
	lsn, err := l.Append(r)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return lsn
}

// fill appends n records of up to 400 bytes and returns their LSNs.
func fill(t testing.TB, l *Log, n int) []LSN {
	t.Helper()
	out := make([]LSN, n)
	for i := range out {
		out[i] = mustAppend(t, l, batch(i, 50+i*37%350))
	}
	if err := l.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
	return out
}

// readAll returns every record from from on.
func readAll(t testing.TB, l *Log, from LSN) [][]byte {
	t.Helper()
	r, err := l.NewReader(from)
	if err != nil {
		t.Fatalf("reader at %d: %v", from, err)
	}
	defer r.Close()
	var out [][]byte
	for {
		e, err := r.TryNext()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("read at %d: %v", r.Position(), err)
		}
		out = append(out, bytes.Clone(e.Raw))
	}
}

func TestAppendReadReopen(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(fs))
	if _, err := l.AppendTerm(1, ReplID{1}, 5); err != nil {
		t.Fatal(err)
	}
	lsns := fill(t, l, 60)
	tip := l.Tip()
	if tip.LSN != lsns[59] || tip.Term != 1 {
		t.Fatalf("tip %+v, want LSN %d of term 1", tip, lsns[59])
	}
	all := readAll(t, l, 0)
	if len(all) != 61 {
		t.Fatalf("%d records, want 61", len(all))
	}
	if s := l.Stats(); s.Segments < 3 {
		t.Fatalf("%d segments; the test wants several", s.Segments)
	}
	mustClose(t, l)

	l = mustOpen(t, smallOptions(fs))
	defer mustClose(t, l)
	if got := l.Tip(); got != tip {
		t.Fatalf("tip after reopening %+v, want %+v", got, tip)
	}
	if got := l.Term(); got != (Term{Number: 1, ReplID: ReplID{1}}) {
		t.Fatalf("term after reopening %+v", got)
	}
	if rec := l.Recovered(); rec != (Recovery{}) {
		t.Fatalf("clean log reported as %+v", rec)
	}
	again := readAll(t, l, 0)
	if len(again) != len(all) {
		t.Fatalf("%d records after reopening, want %d", len(again), len(all))
	}
	for i := range all {
		if !bytes.Equal(all[i], again[i]) {
			t.Fatalf("record %d changed", i)
		}
	}
	for i, lsn := range lsns {
		if got := len(readAll(t, l, lsn)); got != 59-i {
			t.Fatalf("%d records from %d, want %d", got, lsn, 59-i)
		}
	}
}

// TestReplicaIsByteIdentical sends the records of one log through AppendRaw
// into another one with other segment borders.
func TestReplicaIsByteIdentical(t *testing.T) {
	primary := mustOpen(t, smallOptions(vfs.NewMem()))
	defer mustClose(t, primary)
	if _, err := primary.AppendTerm(3, ReplID{9}, 0); err != nil {
		t.Fatal(err)
	}
	fill(t, primary, 30)
	o := smallOptions(vfs.NewMem())
	o.SegmentBytes = 3 << 10
	replica := mustOpen(t, o)
	defer mustClose(t, replica)
	for i, raw := range readAll(t, primary, 0) {
		before := replica.Tip()
		if i == 7 {
			bad := bytes.Clone(raw)
			bad[len(bad)-1] ^= 1
			if _, err := replica.AppendRaw(bad); !errors.Is(err, ErrDiverged) {
				t.Fatalf("a changed record: %v", err)
			}
			if _, err := replica.AppendRaw(raw[:len(raw)-1]); !errors.Is(err, ErrFormat) {
				t.Fatalf("a cut record: %v", err)
			}
			if replica.Tip() != before {
				t.Fatal("a refused record moved the end")
			}
		}
		if _, err := replica.AppendRaw(raw); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if i == 7 {
			if _, err := replica.AppendRaw(raw); !errors.Is(err, ErrDiverged) {
				t.Fatalf("a record twice: %v", err)
			}
		}
		if err := primary.Follows(replica.Tip()); err != nil {
			t.Fatalf("after record %d: %v", i, err)
		}
	}
	if primary.Tip() != replica.Tip() {
		t.Fatalf("primary at %+v, replica at %+v", primary.Tip(), replica.Tip())
	}
	if err := replica.Sync(); err != nil {
		t.Fatal(err)
	}
	a, b := readAll(t, primary, 0), readAll(t, replica, 0)
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("record %d differs", i)
		}
	}
}

func TestGiantRecordsGetTheirOwnSegment(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, smallOptions(fs))
	var want []LSN
	for i, size := range []int{10000, 10, 9000, 30000, 20, 1500, 1500} { // the first one into an empty segment
		want = append(want, mustAppend(t, l, batch(i, size)))
	}
	mustClose(t, l)
	l = mustOpen(t, smallOptions(fs))
	defer mustClose(t, l)
	all := readAll(t, l, 0)
	if len(all) != len(want) || l.End() != want[len(want)-1] {
		t.Fatalf("%d records up to %d, want %d up to %d", len(all), l.End(), len(want), want[len(want)-1])
	}
	big := batch(0, 0)
	big.Payload = make([]byte, MaxRecordBytes)
	if _, err := l.Append(big); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a record beyond the limit: %v", err)
	}
}

// TestConcurrentAppendWaitRead has appenders that wait or park, and readers in
// the tail, all at once; each reader must see every record once, in order.
func TestConcurrentAppendWaitRead(t *testing.T) {
	const appenders, each, readers = 4, 300, 3
	for _, policy := range []Policy{Always, EverySec} {
		o := smallOptions(vfs.NewMem())
		o.Policy = policy
		l := mustOpen(t, o)
		var work, parked sync.WaitGroup
		fail := make(chan error, 1000)
		for a := range appenders {
			work.Add(1)
			go func() {
				defer work.Done()
				rng := rand.New(rand.NewPCG(uint64(a), 1))
				for i := range each {
					lsn, err := l.Append(batch(a*each+i, rng.IntN(300)))
					if err != nil {
						fail <- err
						return
					}
					if rng.IntN(2) == 0 {
						if err := l.Wait(lsn, l.Promised()); err != nil {
							fail <- err
						}
						if l.Reached(l.Promised()) < lsn {
							fail <- fmt.Errorf("wait returned before %d was reached", lsn)
						}
						continue
					}
					parked.Add(1)
					l.Park(lsn, l.Promised(), func(err error) {
						if err == nil && l.Reached(l.Promised()) < lsn {
							err = fmt.Errorf("parked call ran before %d was reached", lsn)
						}
						if err != nil {
							fail <- err
						}
						parked.Done()
					})
				}
			}()
		}
		for range readers {
			work.Add(1)
			go func() {
				defer work.Done()
				r, err := l.NewReader(0)
				if err != nil {
					fail <- err
					return
				}
				defer r.Close()
				at := LSN(0)
				for range appenders * each {
					e, err := r.Next(context.Background())
					if err != nil {
						fail <- err
						return
					}
					if e.Start() != at || e.LSN > l.Reached(Written) {
						fail <- fmt.Errorf("record %d–%d after %d, written %d", e.Start(), e.LSN, at, l.Reached(Written))
						return
					}
					at = e.LSN
				}
			}()
		}
		work.Wait()
		parked.Wait()
		select {
		case err := <-fail:
			t.Fatal(err)
		default:
		}
		mustClose(t, l)
	}
}
