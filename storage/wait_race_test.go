package storage

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// stubborn is never served.
type stubborn struct{ turns *atomic.Int64 }

func (s stubborn) Serve(*Tx) Outcome         { s.turns.Add(1); return StillWaiting }
func (s stubborn) Ended(Outcome, LSN, error) {}

// Waiters come and go, as clients that lose their patience do, while the key that they
// wait for comes and goes too: nobody locks the slot to leave.
func TestWaitersLeaveDuringTurns(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	key := []byte("k")
	slot := slots.Of(key)
	var turns atomic.Int64
	var stop atomic.Bool
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for !stop.Load() {
				w := new(Waiter)
				_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
					tx.Park(w, stubborn{&turns}, Wants{Type: format.Stream, OrGone: true}, key)
					return nil
				}))
				if err != nil {
					t.Error(err)
					return
				}
				if !e.Unpark(w) {
					t.Error("a wait that nobody ended is over")
					return
				}
			}
		})
	}
	for i := 0; i < 400 || turns.Load() < 100; i++ {
		update(t, e, "k", func(tx *Tx) error {
			if i%2 == 0 {
				_, err := tx.StringSet(key, []byte("v"), SetOptions{})
				return err
			}
			_, err := tx.Delete(key)
			return err
		})
	}
	stop.Store(true)
	wait.Wait()
	if keys, orGone := e.WaitingKeys(); keys != 0 || orGone != 0 {
		t.Errorf("%d keys are waited for in the end, %d until they are gone", keys, orGone)
	}
}
