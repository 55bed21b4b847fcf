package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// TestLargeZSet measures commands on a sorted set of COBBLE_MEMBERS members that has
// gone to the store, cold and then hot. It asserts no times.
func TestLargeZSet(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("COBBLE_MEMBERS"))
	if err != nil {
		t.Skip("a measurement, for COBBLE_MEMBERS=1000000")
	}
	dir := t.TempDir()
	e := openTest(t, Options{Dir: dir, Budget: 512 << 20})
	perm := rand.New(rand.NewPCG(1, 1)).Perm(n)
	begin := time.Now()
	for from := 0; from < n; from += 1000 {
		update(t, e, "z", func(tx *Tx) error {
			z, err := tx.ZSet([]byte("z"))
			for _, i := range perm[from:min(from+1000, n)] {
				if err != nil {
					return err
				}
				_, err = z.Add(fmt.Appendf(nil, "member:%010d", i), float64(i), ZAdd{})
			}
			if err != nil {
				return err
			}
			return z.Save()
		})
	}
	t.Logf("%d members added in %v", n, time.Since(begin))
	for _, state := range []string{"as it was filled", "after a restart"} {
		if state == "after a restart" {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = openTest(t, Options{Dir: dir, Budget: 512 << 20})
		}
		t.Log(state)
		measureLargeZSet(t, e, n)
	}
	_ = e.Close()
}

func measureLargeZSet(t *testing.T, e *Engine, n int) {
	rng := rand.New(rand.NewPCG(2, 2))
	member := func() []byte { return fmt.Appendf(nil, "member:%010d", rng.IntN(n)) }
	with := func(f func(z *ZSet) error) func(tx *Tx) error {
		return func(tx *Tx) error {
			z, err := tx.ZSet([]byte("z"))
			if err != nil {
				return err
			}
			return f(&z)
		}
	}
	rank := with(func(z *ZSet) error { _, _, _, err := z.Rank(member()); return err })
	page := with(func(z *ZSet) error {
		w := z.Walk(z.ByRank(rng.Int64N(z.Len()), z.Len()), false, 0)
		for i := 0; i < 10 && w.Next(); i++ {
		}
		return w.Close()
	})
	count := with(func(z *ZSet) error {
		_, err := z.ByScore(ScoreBound{Score: float64(rng.IntN(n))}, ScoreBound{Score: float64(n)})
		return err
	})
	pop := with(func(z *ZSet) error {
		if _, err := z.RemoveRange(z.ByRank(0, z.Len()), false, 1, nil); err != nil {
			return err
		}
		return z.Save()
	})
	add := with(func(z *ZSet) error {
		if _, err := z.Add(member(), float64(rng.IntN(n)), ZAdd{}); err != nil {
			return err
		}
		return z.Save()
	})
	for _, c := range []struct {
		name   string
		f      func(tx *Tx) error
		writes bool
	}{{"rank", rank, false}, {"10 by rank", page, false}, {"count by score", count, false}, {"pop the first", pop, true}, {"add", add, true}} {
		run := func() {
			if c.writes {
				update(t, e, "z", c.f)
			} else {
				view(t, e, "z", c.f)
			}
		}
		begin := time.Now()
		run()
		first := time.Since(begin)
		const times = 20000
		begin = time.Now()
		for range times {
			run()
		}
		t.Logf("%-15s first %10v, then %v each", c.name, first, time.Since(begin)/times)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("heap %d MiB", m.HeapAlloc>>20)
}
