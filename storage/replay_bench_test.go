package storage

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage/log"
)

// cpuTime is the CPU that this process has used.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// leave closes an engine without a flush.
func leave(t testing.TB, e *Engine) {
	t.Helper()
	e.closed.Store(true)
	close(e.closing)
	e.loops.Wait()
	if err := e.closeFiles(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkReplay opens a store whose log holds COBBLE_REPLAY_RECORDS (200,000 if
// unset) sets of distinct keys, 100 bytes each, that are not in the store.
func BenchmarkReplay(b *testing.B) {
	records := 200_000
	if n, err := strconv.Atoi(os.Getenv("COBBLE_REPLAY_RECORDS")); err == nil {
		records = n
	}
	dir := b.TempDir()
	o := Options{Dir: dir, Budget: 8 << 30, GenerationBytes: 4 << 30, MaxDirtyBytes: 5 << 30, Policy: log.EverySec}
	e := openTest(b, o)
	op := &setOp{value: make([]byte, 100)}
	for i := range records {
		op.key = benchKey(op.key, i)
		if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Await(e.Log().End()); err != nil {
		b.Fatal(err)
	}
	crashed := filepath.Join(b.TempDir(), "crashed")
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	leave(b, e)
	b.ResetTimer()
	cpu := cpuTime(b)
	for range b.N {
		o.Dir = filepath.Join(b.TempDir(), "opened")
		b.StopTimer()
		before := cpuTime(b)
		if err := os.CopyFS(o.Dir, os.DirFS(crashed)); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime(b) - before
		b.StartTimer()
		e = openTest(b, o)
		b.StopTimer()
		before = cpuTime(b)
		var keys int64
		for s := range slots.Slot(slots.Count) {
			keys += e.KeysIn(s)
		}
		if keys != int64(records) {
			b.Fatalf("%d keys of %d are back", keys, records)
		}
		leave(b, e)
		cpu += cpuTime(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N*records), "cpu-ns/record")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*records), "ns/record")
}

// TestRestartAfterKill loads COBBLE_RESTART_KEYS keys at full speed with two budgets
// and measures what a kill at the end of it leaves to replay, and how long that takes.
func TestRestartAfterKill(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv("COBBLE_RESTART_KEYS"))
	if err != nil {
		t.Skip("COBBLE_RESTART_KEYS is not set")
	}
	for _, budget := range []int64{1 << 30, 4 << 30} {
		o := Options{Dir: t.TempDir(), Budget: budget}
		e := openTest(t, o)
		op := &setOp{value: make([]byte, 100)}
		start := time.Now()
		for i := range keys {
			op.key = benchKey(op.key, i)
			if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(start)
		dirty := e.table.DirtyBytes()
		if err := e.Await(e.Log().End()); err != nil {
			t.Fatal(err)
		}
		o.Dir = filepath.Join(t.TempDir(), "killed")
		atEnd := e.log.End() - LSN(e.watermark.Load())
		e.flushing.Lock() // what is being flushed ends first; then the store stays as it is
		left := e.log.End() - LSN(e.watermark.Load())
		err := os.CopyFS(o.Dir, os.DirFS(e.opts.Dir))
		e.flushing.Unlock()
		leave(t, e)
		if err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		cpu := cpuTime(t)
		e = openTest(t, o)
		get := &getOp{key: benchKey(nil, keys-1)}
		if _, err := e.View(testNow, slots.Of(get.key), get); err != nil || len(get.value) != 100 {
			t.Fatal(err, len(get.value))
		}
		t.Logf("budget %d MiB: %d keys in %v, at the end %d MiB dirty and %d MiB of log to replay, %d MiB when the files were copied: %v to the first read, %v of CPU",
			budget>>20, keys, took, dirty>>20, atEnd>>20, left>>20, time.Since(start), cpuTime(t)-cpu)
		leave(t, e)
	}
}
