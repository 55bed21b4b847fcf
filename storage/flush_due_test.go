package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// One key that changes all the time is one dirty row and any amount of log: generations
// are cut all the same, and a start after a crash has little to replay. With the
// flusher held up, writers wait before there is too much.
func TestHotKeysLeaveLittleToReplay(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.ReplayBytes = 16 << 10
	e := openTest(t, o)
	defer e.Close()
	op := &setOp{key: []byte("hot"), value: make([]byte, 100)}
	for range 5000 {
		if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
			t.Fatal(err)
		}
		if left := e.ReplayBytes(); left > maxReplays*o.ReplayBytes+4096 {
			t.Fatalf("%d bytes of log are to be replayed", left)
		}
	}
	if n := e.stats.generations.Load(); n < 5 {
		t.Errorf("%d generations were cut", n)
	}
	e.flushing.Lock()
	for err := error(nil); err != ErrWouldBlock; {
		if _, err = e.TryUpdate(testNow, slots.Of(op.key), op); err != nil && err != ErrWouldBlock {
			t.Fatal(err)
		}
		if left := e.ReplayBytes(); left > maxReplays*o.ReplayBytes+4096 {
			t.Fatalf("%d bytes of log are to be replayed while the flusher is held up", left)
		}
	}
	done := make(chan error)
	go func() {
		_, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op)
		done <- err
	}()
	e.flushing.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
