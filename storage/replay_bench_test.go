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
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
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
		if err := e.abandon(); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N*records), "cpu-ns/record")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*records), "ns/record")
}
