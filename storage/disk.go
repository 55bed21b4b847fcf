package storage

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/log"
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

// checkLog tells once that the log has failed; the clock calls it. The log takes nothing more until it is opened
// again: what the failed write or sync was to bring may be on the disk or not, whatever a later one says. Everything that it
// holds can still be read, and where replies wait for no sync the engine goes on for readers. Where they do, much of
// what is in memory may not be shown to anybody: there the engine stops.
func (e *Engine) checkLog() {
	e.checkRoom()
	err := e.log.Err()
	if err == nil || errors.Is(err, log.ErrClosed) || e.logFailed.Swap(true) {
		return
	}
	if e.log.Policy() == log.Always {
		_ = e.stop(err) // which tells
		return
	}
	e.opts.Logf("the log cannot be written, writes are refused until a restart: %v", err)
	e.unthrottle()
}

// checkRoom tells when the log begins and ceases to find no room, but for a full disk, of which checkDisk tells.
func (e *Engine) checkRoom() {
	err := e.log.RoomErr()
	if none := errors.Is(err, log.ErrNoRoom); none == e.noRoom.Swap(none) {
		return
	}
	if err != nil {
		e.opts.Logf("the log cannot grow, writes are refused until it can: %v", err)
	} else {
		e.opts.Logf("the log can grow again")
	}
}

// trouble is why the flusher cannot write the store, and what writers are told meanwhile.
type trouble struct {
	reply error // ErrDiskFull or ErrDiskFails
	text  string
}

// patientAttempts of the flusher may fail, in a tenth of a second, before writers are refused. A full disk
// is no matter of chance: there the first counts.
const patientAttempts = 4

// noteTrouble has writes that need space refused because of err, and logs it, once. flushing is held.
func (e *Engine) noteTrouble(err error) {
	fresh := &trouble{ErrDiskFails, err.Error()}
	if vfs.IsNoSpaceError(err) {
		fresh.reply = ErrDiskFull
	}
	old := e.trouble.Load()
	if old == nil || old.text != fresh.text {
		e.opts.Logf("the store cannot be written, writes that need space are refused until it can be: %v", err)
	}
	if e.opts.mutant.writersWait && fresh.reply == ErrDiskFails {
		return
	}
	e.trouble.Store(fresh)
	e.unthrottle()
}

// endTrouble takes writes again. flushing is held.
func (e *Engine) endTrouble() {
	if e.trouble.Load() != nil {
		e.opts.Logf("the store can be written again")
		e.trouble.Store(nil)
	}
}

// writeTrouble is why writes that need space are refused, ErrDiskFull or ErrDiskFails; nil if they are not.
func (e *Engine) writeTrouble() error {
	if t := e.trouble.Load(); t != nil {
		return t.reply
	}
	if e.full.Load() {
		return ErrDiskFull
	}
	return nil
}

// WriteError is why writes are refused, all of them or those that need space, or were when the log made room the last
// time; nil if they are not.
func (e *Engine) WriteError() error {
	if err := e.stoppage(); err != nil {
		return err
	}
	return logError(e.log.RoomErr())
}

// stoppage is why writers need not wait for the flusher.
func (e *Engine) stoppage() error {
	if err := e.failure(); err != nil {
		return err
	}
	if err := e.log.Err(); err != nil && !errors.Is(err, log.ErrClosed) {
		return logError(err)
	}
	return e.writeTrouble()
}

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

// noteBackground hears of an error of Pebble's background work, and tells of the first in a row. Pebble holds its lock.
func (e *Engine) noteBackground(err error) {
	e.stats.storeErrors.Add(1)
	if !e.compactionFails.Swap(true) {
		e.opts.Logf("a compaction failed, and is tried again until it works: %v", err)
	}
}

// noteCompaction hears of the end of a compaction. Pebble holds its lock.
func (e *Engine) noteCompaction(info pebble.CompactionInfo) {
	e.changes.Add(1)
	if info.Err == nil {
		e.compactionFails.Store(false)
	}
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
