package storage

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// While a long commit goes on a flush waits for it in a place where it holds up no
// other commit.
func TestLongCommitHoldsUpNobody(t *testing.T) {
	for _, m := range []mutants{{}, {longUnheeded: true}} {
		o := smallOptions(vfs.NewMem())
		o.mutant = m
		e := openTest(t, o)
		growList(t, e, 1000)
		e.longCommits.Lock() // as in appendAndApply
		e.commits.RLock()
		flushed := make(chan error, 1)
		go func() { flushed <- e.Flush() }()
		heldUp := false
		for range 200_000 {
			if heldUp = !e.commits.TryRLock(); heldUp {
				break
			}
			e.commits.RUnlock()
			runtime.Gosched()
		}
		e.commits.RUnlock()
		e.longCommits.Unlock()
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		if heldUp != m.longUnheeded {
			t.Errorf("mutant %v: other commits are held up: %v", m.longUnheeded, heldUp)
		}
		_ = e.Close()
	}
}
