package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// A sweep that has seen all slots looks at none until the time has come that it has seen, but for what has come since.
func TestSweepIsToldOfWhatExpiresSooner(t *testing.T) {
	for _, m := range []mutants{{}, {sweepSleeps: true}} {
		o := smallOptions(vfs.NewMem())
		o.mutant = m
		e := openTest(t, o)
		set := func(key string, at int64) {
			_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte(key))}, OpFunc(func(tx *Tx) error {
				_, err := tx.StringSet([]byte(key), []byte("v"), SetOptions{ExpireAt: at})
				return err
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
		sweep := func(now int64) int {
			n, err := e.SweepExpired(now, 100)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		set("late", testNow+1000)
		if n := sweep(testNow); n != 0 {
			t.Errorf("%d rows were due", n)
		}
		if got := e.soonest.Load(); got <= testNow && !m.sweepSleeps {
			t.Errorf("all slots are looked at again, for %d", got)
		}
		set("soon", testNow+10)
		if n := sweep(testNow + 11); (n == 1) == m.sweepSleeps {
			t.Errorf("mutant %v: %d rows were due", m.sweepSleeps, n)
		}
		if n := sweep(testNow + 1001); n != 1 && !m.sweepSleeps {
			t.Errorf("%d rows were due at last", n)
		}
		_ = e.Close()
	}
}
