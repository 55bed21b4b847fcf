package storage

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
)

func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) || oserror.IsNotExist(err) }

// Free space below which growing writes are refused: the smaller of a part of the
// disk and a fixed amount, which compactions and the log need to go on. They are
// accepted again when there is twice as much.
const (
	lowSpacePart  = 20
	lowSpaceBytes = 512 << 20
)

// checkDisk looks at the free space; the clock calls it.
func (e *Engine) checkDisk() {
	usage, err := e.fs.GetDiskUsage(e.opts.Dir)
	if err != nil {
		return // a file system that does not tell
	}
	low := min(usage.TotalBytes/lowSpacePart, lowSpaceBytes)
	switch full := e.full.Load(); {
	case !full && usage.AvailBytes < low:
		e.full.Store(true)
		e.opts.Logf("only %d MiB are free on the disk of %s: writes that need space are refused", usage.AvailBytes>>20, e.opts.Dir)
		e.unthrottle()
	case full && usage.AvailBytes > 2*low:
		e.full.Store(false)
		e.opts.Logf("there is space on the disk of %s again", e.opts.Dir)
	}
}

// diskFull says that writes that need space are refused.
func (e *Engine) diskFull() bool { return e.full.Load() || e.noSpace.Load() }

// stop takes the engine out of service: what is in memory or on disk can no longer
// be trusted to take writes. It returns the error that transactions get from now on.
func (e *Engine) stop(err error) error {
	err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	if !e.fatal.CompareAndSwap(nil, &err) {
		return *e.fatal.Load()
	}
	close(e.stopped)
	e.opts.Logf("the engine stops: %v", err)
	e.unthrottle()
	if e.opts.OnFatal != nil {
		go e.opts.OnFatal(err)
	}
	return err
}

// failure is the error that stopped the engine, or nil.
func (e *Engine) failure() error {
	if p := e.fatal.Load(); p != nil {
		return *p
	}
	return nil
}

// noteDamage hears of a damaged table. Whoever reads the rows gets the error.
func (e *Engine) noteDamage(info pebble.DataCorruptionInfo) {
	e.stats.damaged.Add(1)
	e.opts.Logf("damaged data on disk: %v", info)
}

// storeLogger is Pebble's logger.
type storeLogger struct{ engine *Engine }

// Infof is dropped: it is a line for each compaction.
func (l storeLogger) Infof(string, ...any) {}

// Errorf logs.
func (l storeLogger) Errorf(format string, args ...any) {
	l.engine.opts.Logf("store: "+format, args...)
}

// Fatalf is called when Pebble cannot go on, as after a failed write of its
// MANIFEST. It must not return. The log is synced first: it is what the next
// start recovers from.
func (l storeLogger) Fatalf(format string, args ...any) {
	if l.engine.log != nil {
		_ = l.engine.log.Sync() // its error would only repeat that the disk is broken
	}
	_ = l.engine.stop(fmt.Errorf(format, args...))
	select {}
}
