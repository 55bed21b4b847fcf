package log

import (
	"fmt"
	"sync/atomic"
	"time"
)

// counters are what Stats reports.
type counters struct {
	writes, syncs, bytesWritten atomic.Uint64
	roomFailures                atomic.Uint64
	syncStarted                 atomic.Int64 // Unix nanoseconds, 0 if none is under way
	lastSync                    atomic.Int64 // nanoseconds
}

// Stats are figures for INFO and for judging the disk.
type Stats struct {
	Writes       uint64 // write(2) calls, or stores into the mapped file
	BytesWritten uint64
	Syncs        uint64
	LastSync     time.Duration // how long the last sync took
	SyncStarted  time.Time     // of the one under way, else zero
	RoomFailures uint64        // attempts to prepare a segment that failed
	Segments     int
	Bytes        int64 // of log that is held
	Pins         int
}

// Stats returns the figures of now.
func (l *Log) Stats() Stats {
	s := Stats{
		Writes:       l.stats.writes.Load(),
		BytesWritten: l.stats.bytesWritten.Load(),
		Syncs:        l.stats.syncs.Load(),
		LastSync:     time.Duration(l.stats.lastSync.Load()),
		RoomFailures: l.stats.roomFailures.Load(),
	}
	if at := l.stats.syncStarted.Load(); at != 0 {
		s.SyncStarted = time.Unix(0, at)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Segments, s.Pins = len(l.segs), len(l.pins)
	s.Bytes = int64(l.End() - l.segs[0].first)
	return s
}

// Sync returns when everything appended before the call is synced.
func (l *Log) Sync() error { return l.Wait(l.End(), Synced) }

// writeRound writes everything that was appended before the call. writing is
// held.
func (l *Log) writeRound() error {
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	chunk, rolls, at, end := l.buf, l.rolls, l.bufStart, l.End()
	if len(chunk) == 0 && len(rolls) == 0 {
		l.mu.Unlock()
		return nil
	}
	l.buf, l.rolls, l.bufStart = l.otherBuf[:0], l.otherRol[:0], end
	l.mu.Unlock()

	if l.opts.mutant.ackBeforeWrite {
		l.raise(Written, end)
		l.wake(Written)
	}
	rest := chunk
	for _, r := range rolls {
		n := int(r.at - at)
		if err := l.writeAt(rest[:n], at); err != nil {
			return err
		}
		rest, at = rest[n:], r.at
		l.raise(Written, at)
		l.wake(Written)
		if err := l.rollTo(r.seg); err != nil {
			return l.fail(err)
		}
	}
	if err := l.writeAt(rest, at); err != nil {
		return err
	}
	clear(rolls)
	l.otherBuf, l.otherRol = chunk[:0], rolls[:0]
	if cap(chunk) > 2*l.opts.BufferBytes { // one giant record is no habit
		l.otherBuf = nil
	}
	l.raise(Written, end)
	l.wake(Written)
	l.tailing.wake()
	if l.behind() {
		kick(l.kickSyncer)
	}
	return nil
}

// syncAhead is how many bytes may be written and not on their way to the disk. A
// segment must be synced before the next one begins, and whoever is writing waits for
// that: it must be a small rest of the segment.
const syncAhead = 8 << 20

// behind reports whether it is time to sync for the next segment's sake.
func (l *Log) behind() bool {
	return int64(l.reached[Written].Load())-int64(l.reached[Synced].Load()) > syncAhead && l.Err() == nil
}

// writeAt writes b at LSN at of the current segment. A short or failed write
// leaves a torn tail, and nobody was told of its records: the log fails.
func (l *Log) writeAt(b []byte, at LSN) error {
	if len(b) == 0 {
		return nil
	}
	offset := l.fileSeg.offset(at)
	stored, err := l.window.store(l, b, offset)
	if err == nil && !stored {
		_, err = l.file.WriteAt(b, offset)
	}
	if err != nil {
		return l.fail(fmt.Errorf("write of %s: %w", segmentName(l.fileSeg.first), err))
	}
	l.stats.writes.Add(1)
	l.stats.bytesWritten.Add(uint64(len(b)))
	return nil
}

// rollTo finishes the current segment and makes seg the one that is written.
// The old one is synced before the new one exists: so only the last segment of
// a log can have a torn tail, and anything wrong before it is corruption.
// writing is held.
func (l *Log) rollTo(seg *segment) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if !l.opts.mutant.rollWithoutSync {
		if err := l.syncFile(seg.first); err != nil {
			return err
		}
	}
	if err := l.nameSegment(seg); err != nil {
		return err
	}
	old := l.file
	l.file, l.fileSeg = seg.file, seg
	l.writingFrom.Store(uint64(seg.first))
	return old.Close()
}

// syncRound syncs everything that was written before the call. syncing is
// held.
func (l *Log) syncRound() error {
	if err := l.Err(); err != nil {
		return err
	}
	return l.syncFile(LSN(l.reached[Written].Load()))
}

// syncFile syncs the current segment, after which everything up to lsn is
// synced. After an error there is no second try: the kernel may have dropped
// the pages and report success. syncing is held.
func (l *Log) syncFile(lsn LSN) error {
	if LSN(l.reached[Synced].Load()) >= lsn {
		return nil
	}
	if l.opts.mutant.ackBeforeSync {
		l.raise(Synced, lsn)
		l.wake(Synced)
	}
	if l.opts.mutant.pointBeforeSync {
		l.point.raise(lsn)
	}
	var began time.Time
	if l.opts.Now != nil {
		began = l.opts.Now()
		l.stats.syncStarted.Store(began.UnixNano())
	}
	err := l.file.SyncData()
	if l.opts.Now != nil {
		l.stats.lastSync.Store(int64(l.opts.Now().Sub(began)))
		l.stats.syncStarted.Store(0)
	}
	if err != nil && !l.opts.mutant.retrySync {
		return l.fail(fmt.Errorf("sync of %s: %w", segmentName(l.fileSeg.first), err))
	}
	l.stats.syncs.Add(1)
	if err != nil {
		return err
	}
	l.point.raise(lsn) // before anybody is told, who may count on it
	if l.raise(Synced, lsn) {
		l.wake(Synced)
	}
	return nil
}

// writerLoop writes for those who are parked and for whoever came while
// another goroutine's write was under way.
func (l *Log) writerLoop() {
	defer l.loops.Done()
	for {
		select {
		case <-l.closing:
			return
		case <-l.kickWriter:
		}
		for l.wanted(Written) {
			l.writing.Lock()
			err := l.writeRound()
			l.writing.Unlock()
			if err != nil {
				break // everybody was told
			}
		}
	}
}

// syncerLoop does the same for syncs, and syncs on every tick under EverySec.
func (l *Log) syncerLoop() {
	defer l.loops.Done()
	for {
		tick := false
		select {
		case <-l.closing:
			return
		case <-l.kickSyncer:
		case <-l.opts.Tick:
			tick = true
		}
		for now := tick && l.Policy() == EverySec; now || l.wanted(Synced) || l.behind(); now = false {
			if err := l.writeAndSync(); err != nil {
				break // everybody was told
			}
		}
		if tick {
			_ = l.point.sync() // else it says less after a crash
			l.retryRoom()
		}
	}
}

// writeAndSync brings everything appended before the call to Synced.
func (l *Log) writeAndSync() error {
	l.writing.Lock()
	err := l.writeRound()
	l.writing.Unlock()
	if err != nil {
		return err
	}
	l.syncing.Lock()
	defer l.syncing.Unlock()
	return l.syncRound()
}

// kick wakes the loop that reads ch, once.
func kick(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
