package log

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"
)

// BenchmarkAppend is the cost of a record that others are batched with: 64 for
// one write.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{16, 128, 1024} {
		b.Run(fmt.Sprint(size, "B"), func(b *testing.B) {
			l := mustOpen(b, Options{Dir: b.TempDir(), Policy: No})
			r := batch(7, size)
			b.ReportAllocs()
			b.SetBytes(int64(r.encodedLen()))
			for i := 0; b.Loop(); i++ {
				lsn, err := l.Append(r)
				if err == nil && i%64 == 63 {
					err = l.Wait(lsn, Written)
				}
				if err != nil {
					b.Fatal(err)
				}
				if i%(1<<18) == 0 {
					if _, err := l.Trim(l.End()); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			mustClose(b, l)
		})
	}
}

// BenchmarkWait is one record at a time, up to the level of each policy, from
// some goroutines at once.
func BenchmarkWait(b *testing.B) {
	for _, policy := range []Policy{EverySec, Always} {
		for _, parallel := range []int{1, 16, 64} {
			b.Run(fmt.Sprint("policy=", policy, "/waiters=", parallel), func(b *testing.B) {
				l := mustOpen(b, Options{Dir: b.TempDir(), Policy: policy})
				b.ReportAllocs()
				b.SetParallelism(parallel)
				b.RunParallel(func(pb *testing.PB) {
					r := batch(7, 100)
					for pb.Next() {
						lsn, err := l.Append(r)
						if err == nil {
							err = l.Wait(lsn, l.Promised())
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.StopTimer()
				s := l.Stats()
				b.ReportMetric(float64(b.N)/float64(max(s.Writes, 1)), "records/write")
				mustClose(b, l)
			})
		}
	}
}

// BenchmarkRead is what replay and replication read.
func BenchmarkRead(b *testing.B) {
	l := mustOpen(b, Options{Dir: b.TempDir(), Policy: No})
	defer l.Close()
	const n = 200000
	for i := range n {
		if _, err := l.Append(batch(i, 100)); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(l.End()) / n)
	var r *Reader
	for b.Loop() {
		if r == nil {
			var err error
			if r, err = l.NewReader(0); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := r.TryNext(); err == io.EOF {
			r.Close()
			r = nil
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// TestAppendDoesNotAllocate holds the promise of a steady state.
func TestAppendDoesNotAllocate(t *testing.T) {
	l := mustOpen(t, Options{Dir: t.TempDir(), Policy: EverySec})
	defer mustClose(t, l)
	r := batch(7, 100)
	var failed atomic.Bool
	run := func() {
		for range 1000 {
			if _, err := l.Append(r); err != nil {
				failed.Store(true)
			}
		}
		if l.Wait(l.End(), Written) != nil {
			failed.Store(true)
		}
	}
	run()
	run()
	if n := testing.AllocsPerRun(50, run); n > 5 || failed.Load() {
		t.Fatalf("%v allocations for 1000 records and a write, failed: %v", n, failed.Load())
	}
}
