package storage

import (
	"errors"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// TestFollowerTakesNoWrites: once SetFollower(true) has returned, the log does not
// grow by transactions or barriers, whatever is under way.
func TestFollowerTakesNoWrites(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := e.Update(testNow, []slots.Slot{slots.Slot(w)}, OpFunc(func(tx *Tx) error { tx.putRow(testRow(slots.Slot(w), i%50), []byte("v")); return nil }))
				if err != nil && !errors.Is(err, ErrFollower) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 200 {
		e.SetFollower(true)
		end := e.Log().End()
		if _, err := e.FlushSlots(testNow, slots.Set{1}); !errors.Is(err, ErrFollower) {
			t.Fatalf("FlushSlots: %v", err)
		}
		if now := e.Log().End(); now != end {
			t.Fatalf("the log grew from %d to %d", end, now)
		}
		e.SetFollower(false)
		mustUpdate(t, e, 9, func(tx *Tx) { tx.putRow(testRow(9, 1), []byte("v")) })
	}
	close(stop)
	writers.Wait()
}
