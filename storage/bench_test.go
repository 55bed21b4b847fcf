package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage/log"
)

func benchEngine(b *testing.B, policy log.Policy) *Engine {
	e := openTest(b, Options{Dir: b.TempDir(), Budget: 1 << 30, Policy: policy})
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

type setOp struct{ key, value []byte }

func (o *setOp) Run(tx *Tx) error {
	_, err := tx.StringSet(o.key, o.value, SetOptions{})
	return err
}

type getOp struct{ key, value []byte }

func (o *getOp) Run(tx *Tx) error {
	v, _, err := tx.StringGet(o.key)
	o.value = append(o.value[:0], v...)
	return err
}

func benchKey(dst []byte, i int) []byte { return fmt.Appendf(dst[:0], "key:%012d", i) }

// BenchmarkUpdate sets strings of 100 bytes through the engine and the log.
func BenchmarkUpdate(b *testing.B) {
	for _, c := range []struct {
		name   string
		policy log.Policy
		keys   int
	}{{"hot/everysec", log.EverySec, 1000}, {"distinct/everysec", log.EverySec, 2_000_000}, {"hot/always", log.Always, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			e := benchEngine(b, c.policy)
			rng := rand.New(rand.NewPCG(1, 1))
			op := &setOp{value: make([]byte, 100)}
			ss := make([]slots.Slot, 1)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				op.key = benchKey(op.key, rng.IntN(c.keys))
				ss[0] = slots.Of(op.key)
				lsn, err := e.Update(testNow, ss, op)
				if err == nil && i%16 == 15 { // one wait for a pipeline of 16
					err = e.Await(lsn)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkView reads strings that are in memory.
func BenchmarkView(b *testing.B) {
	e := benchEngine(b, log.EverySec)
	const keys = 100_000
	op := &setOp{value: make([]byte, 100)}
	for i := range keys {
		op.key = benchKey(op.key, i)
		if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
			b.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	get := &getOp{}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		get.key = benchKey(get.key, rng.IntN(keys))
		if _, err := e.View(testNow, slots.Of(get.key), get); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRestartTime loads COBBLE_RESTART_KEYS keys and measures a clean restart to
// the first read, and one after a kill.
func TestRestartTime(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv("COBBLE_RESTART_KEYS"))
	if err != nil {
		t.Skip("COBBLE_RESTART_KEYS is not set")
	}
	o := Options{Dir: t.TempDir(), Budget: 4 << 30}
	e := openTest(t, o)
	op := &setOp{value: make([]byte, 100)}
	load := func(from, to int) {
		start := time.Now()
		for i := from; i < to; i++ {
			op.key = benchKey(op.key, i)
			if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Await(e.Log().End()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d keys in %v, %s", to-from, time.Since(start), rss(t))
		st := e.Stats()
		t.Logf("rows %+v", st.Rows)
		t.Logf("generations %d, stalls %d, L0 sublevels %d, compaction debt %d MiB", st.Generations, st.Stalls, st.Store.Levels[0].Sublevels, st.Store.Compact.EstimatedDebt>>20)
	}
	load(0, keys)
	start := time.Now()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("close %v", time.Since(start))
	open := func() {
		start := time.Now()
		e = openTest(t, o)
		get := &getOp{key: benchKey(nil, keys/2)}
		if _, err := e.View(testNow, slots.Of(get.key), get); err != nil || len(get.value) != 100 {
			t.Fatal(err, len(get.value))
		}
		var total int64
		for s := range slots.Slot(slots.Count) {
			total += e.KeysIn(s)
		}
		t.Logf("open to first read %v, %d keys", time.Since(start), total)
	}
	open()
	load(keys, keys+keys/10)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// rss is the resident memory of this process.
func rss(t *testing.T) string {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(text), "\n") {
		if len(line) > 6 && line[:6] == "VmRSS:" {
			return line
		}
	}
	return ""
}
