package log

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Whoever writes the last bytes of a segment waits for its sync: most of it was synced
// before, though nobody asked for a sync.
func TestSegmentIsSyncedAhead(t *testing.T) {
	l := mustOpen(t, Options{FS: vfs.NewMem(), Dir: "log", Policy: No})
	defer mustClose(t, l)
	for i := range 3 * syncAhead >> 20 {
		lsn := mustAppend(t, l, batch(i, 1<<20))
		if err := l.Wait(lsn, Written); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); l.behind(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody syncs ahead")
			}
		}
		if left := int64(l.End()) - int64(l.reached[Synced].Load()); left > syncAhead+2<<20 {
			t.Fatalf("%d bytes are not synced", left)
		}
	}
	if l.Stats().Segments != 1 || l.Stats().Syncs == 0 {
		t.Errorf("%d syncs, %d segments", l.Stats().Syncs, l.Stats().Segments)
	}
}
