package storage

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Background work takes the processor and the disk from those who serve clients, and
// on few cores it shows as pauses. While there is time it works in small pieces and
// rests after each: the flusher as long as the next generation is far from full, and
// compactions as long as level 0 is low. When they fall behind they do not rest, and
// writers wait for them in the end (overdue).
const (
	// A flusher's piece takes some 1.5 ms of CPU, a compaction's about 5 ms.
	flushPiece      = 256 << 10
	flushRest       = 3 * time.Millisecond
	compactionPiece = 512 << 10
	compactionRest  = 5 * time.Millisecond
	// calmSublevels of level 0 are no reason to hurry; compactions begin at
	// L0CompactionThreshold of them.
	calmSublevels = 24
	// calmDebt is how many bytes compactions may have before them.
	calmDebt = 2 << 30
)

// pacing is what the rests depend on.
type pacing struct {
	calm    bool         // the flush under way may rest; guarded by flushing
	waiting atomic.Int32 // who wants the store from the flusher
	behind  atomic.Bool  // compactions are
	rests   atomic.Uint64
}

// restFlush lets the flusher rest after a piece, if there is time.
func (e *Engine) restFlush() {
	p := &e.pacing
	if p.waiting.Load() > 0 || e.table.ActiveBytes() >= e.limits.generation.Load()/2 || e.ReplayBytes() >= 2*e.opts.ReplayBytes {
		return
	}
	p.rests.Add(1)
	pause(flushRest, e.closing)
}

// pacedFile is a file that a compaction writes.
type pacedFile struct {
	vfs.File
	pacing  *pacing
	closing <-chan struct{}
	written int // since the last rest
}

// compactionCategory is what Pebble calls the files of compactions.
const compactionCategory vfs.DiskWriteCategory = "pebble-compaction"

// Write implements vfs.File.
func (f *pacedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if f.written += n; f.written >= compactionPiece {
		f.written = 0
		if !f.pacing.behind.Load() {
			f.pacing.rests.Add(1)
			pause(compactionRest, f.closing)
		}
	}
	return n, err
}
