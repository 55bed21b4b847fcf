package storage

import (
	"bytes"
	"context"
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// generation is the state of all slots at one position of the log, on its way
// into the store.
type generation struct {
	at     format.Watermark
	number uint32       // of the generation that began with the cut
	slots  []slots.Slot // that have changed, ascending
	ranges []rowRange
	shared map[string][]byte // nil: they have not changed
}

// throttle lets writers wait for the flusher.
type throttle struct {
	mu   sync.Mutex
	cond sync.Cond
}

// waitForFlusher waits while the flusher is too far behind. No slot lock is held.
func (e *Engine) waitForFlusher() error {
	if !e.overdue() {
		return nil
	}
	e.stats.stalls.Add(1)
	e.requestFlush()
	t := &e.throttled
	t.mu.Lock()
	defer t.mu.Unlock()
	for e.overdue() {
		if e.closed.Load() {
			return ErrClosed
		}
		if err := e.stoppage(); err != nil {
			return err
		}
		t.cond.Wait()
	}
	return nil
}

func (e *Engine) unthrottle() {
	e.throttled.mu.Lock()
	e.throttled.cond.Broadcast()
	e.throttled.mu.Unlock()
}

func (e *Engine) requestFlush() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// flushLoop is the flusher, the one writer of the store beside barriers.
func (e *Engine) flushLoop() {
	defer e.loops.Done()
	for {
		select {
		case <-e.kick:
		case <-e.closing:
			return
		}
		err := e.flush(true)
		if err == nil || e.log.Err() != nil { // of the log the clock tells
			continue
		}
		e.opts.Logf("flush: %v", err)
		if !pause(failedFlushRest, e.closing) {
			return
		}
		e.requestFlush() // writers may wait for it
	}
}

// failedFlushRest is how long the flusher rests after a flush that ended with an error, which it retries.
const failedFlushRest = time.Second

// lockStore takes flushing, unless the engine is closed for good.
func (e *Engine) lockStore() error {
	e.pacing.waiting.Add(1)
	e.flushing.Lock()
	e.pacing.waiting.Add(-1)
	if e.released {
		e.flushing.Unlock()
		return ErrClosed
	}
	return nil
}

// Flush brings everything that is dirty now into the store. It returns when that
// is done; a full disk makes it wait.
func (e *Engine) Flush() error { return e.flush(false) }

// flush is Flush; calm lets it rest as long as there is time.
func (e *Engine) flush(calm bool) error {
	if err := e.lockStore(); err != nil {
		return err
	}
	defer e.flushing.Unlock()
	e.pacing.calm = calm
	defer func() { e.pacing.calm = false }()
	if err := e.finishPending(); err != nil {
		return err
	}
	if !e.cut() {
		return nil
	}
	return e.finishPending()
}

// cut ends a generation; false if nothing has happened since the last one.
// flushing is held.
func (e *Engine) cut() bool {
	if e.opts.mutant.newerThanCut {
		early := e.log.Tip()
		defer func() { e.pending.at.LSN, e.pending.at.CRC = uint64(early.LSN), early.CRC }()
		for range 1000 { // let writers in between
			runtime.Gosched()
		}
	}
	e.stopCommits()
	defer e.commits.Unlock()
	tip, term := e.log.Tip(), e.log.Term()
	if uint64(tip.LSN) == e.position.LSN && e.table.DirtyBytes() == 0 && !e.opts.mutant.newerThanCut {
		return false
	}
	e.table.Cut()
	e.generation++
	e.cutAt.Store(uint64(tip.LSN))
	changed, ranges := e.takeChanges()
	e.pending = &generation{
		at: format.Watermark{
			LSN: uint64(tip.LSN), CRC: tip.CRC,
			Term: term.Number, TermStart: uint64(term.Start), ReplID: term.ReplID,
		},
		number: e.generation,
		slots:  changed,
		ranges: ranges,
		shared: e.shared.cut(),
	}
	e.stats.generations.Add(1)
	return true
}

// takeChanges returns, and forgets, what has changed since the last cut. commits is
// held for writing.
func (e *Engine) takeChanges() (changed []slots.Slot, ranges []rowRange) {
	for i := range e.changed {
		for w := e.changed[i].Swap(0); w != 0; w &= w - 1 {
			changed = append(changed, slots.Slot(i*64+bits.TrailingZeros64(w)))
		}
	}
	e.rangesMu.Lock()
	defer e.rangesMu.Unlock()
	ranges, e.ranges = e.ranges, nil
	return changed, ranges
}

// finishPending brings what waits into the store, barriers or else the cut
// generation, trying until it works or the engine closes. flushing is held.
func (e *Engine) finishPending() error {
	if err := e.finishBarriers(); err != nil {
		return err
	}
	g := e.pending
	if g == nil {
		return nil
	}
	if err := e.awaitCommitted(LSN(g.at.LSN)); err != nil {
		return err
	}
	if e.opts.mutant.trimEarly {
		e.log.Trim(LSN(g.at.LSN))
	}
	if e.opts.mutant.evictDirty {
		e.settle(g)
	}
	if err := e.retry(func() error { return e.ingest(g) }); err != nil {
		return err
	}
	if err := e.storeChanged(); err != nil {
		return err
	}
	e.position = g.at
	e.watermark.Store(g.at.LSN)
	e.pending = nil
	e.settle(g)
	e.unthrottle()
	e.table.Trim()
	start, err := e.log.Trim(LSN(g.at.LSN))
	if err != nil {
		return err
	}
	return e.dropSideFiles(start)
}

// ingestLate is the mutant of a generation that is cut before a barrier and
// ingested after it.
func (e *Engine) ingestLate() func() error {
	if !e.cut() {
		return nil
	}
	b := e.newTableBuilder("flush")
	g := e.pending
	e.pending = nil
	if err := errors.Join(e.log.Wait(LSN(g.at.LSN), log.Synced), e.build(b, g), b.finish()); err != nil {
		return func() error { return err }
	}
	e.settle(g)
	e.unthrottle()
	return func() error {
		e.position = g.at
		return e.store.Ingest(context.Background(), b.paths)
	}
}

// awaitCommitted returns when the record that ends at lsn cannot be taken back any
// more: the store must never be ahead of the log.
func (e *Engine) awaitCommitted(lsn LSN) error {
	if !e.opts.mutant.ingestBeforeSync {
		if err := e.log.Wait(lsn, log.Synced); err != nil {
			return err
		}
	}
	if !e.opts.mutant.flushPastCommit {
		return e.log.Wait(lsn, log.Committed)
	}
	return nil
}

// settle makes the rows of the generation that was ingested clean.
func (e *Engine) settle(g *generation) {
	const rowsPerLock = 512
	for _, s := range g.slots {
		for more := true; more; {
			e.table.Lock(s)
			more = e.table.Settle(s, rowsPerLock)
			e.table.Unlock(s)
		}
	}
}

// retry calls f until it works. Between calls it waits, longer each time: a full
// disk is emptied by others, and one that fails may be mended. It gives up when the
// engine closes.
func (e *Engine) retry(f func() error) error {
	wait := 10 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil {
			e.endTrouble()
			return nil
		}
		if fail := e.failure(); fail != nil {
			return fail
		}
		e.stats.flushErrors.Add(1)
		if attempt >= patientAttempts || vfs.IsNoSpaceError(err) {
			e.noteTrouble(err)
		}
		if !pause(wait, e.closing) {
			return err
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// ingest builds tables of a generation and puts them into the store, all of them
// or none.
func (e *Engine) ingest(g *generation) error {
	b := e.newTableBuilder("flush")
	b.rests = e.pacing.calm
	err := e.build(b, g)
	if err == nil {
		err = b.finish()
	}
	if err == nil && e.opts.mutant.settleEarly {
		e.settle(g)
		e.table.Trim()
		runtime.Gosched()
	}
	if err == nil {
		err = e.pace()
	}
	if err == nil {
		err = e.store.Ingest(context.Background(), b.paths)
	}
	if err != nil {
		b.discard()
	}
	return err
}

func (e *Engine) build(b *tableBuilder, g *generation) error {
	ranges := mergedRanges(g.ranges)
	for i, s := range g.slots {
		if i+1 < len(g.slots) {
			e.table.PrefetchFrozen(g.slots[i+1], g.slots[min(i+2, len(g.slots)-1)])
		}
		n := 0
		for n < len(ranges) && slots.Slot(format.SlotOf(ranges[n].lo)) == s {
			n++
		}
		b.ranges, ranges = ranges[:n], ranges[n:]
		first := e.opts.mutant.memtableRow
		err := e.table.Frozen(s, func(key, value []byte, absent bool) error {
			if first && !absent {
				first = false
				return e.store.Set(key, value, pebble.NoSync)
			}
			return b.add(key, value, absent)
		})
		if err == nil {
			err = b.addRanges(nil)
		}
		if err != nil {
			return err
		}
	}
	if err := b.add(format.WatermarkKey(), g.at.Append(nil), false); err != nil {
		return err
	}
	if e.opts.mutant.headersMissing {
		return nil
	}
	if err := e.buildHeaders(b, g); err != nil || g.shared == nil {
		return err
	}
	return b.add(format.SharedKey(), sharedRow(g.shared), false)
}

// buildHeaders adds the counters, as of the cut, of every slot that has changed.
func (e *Engine) buildHeaders(b *tableBuilder, g *generation) error {
	var key, value []byte
	for _, s := range g.slots {
		e.table.RLock(s)
		st := &e.slots[s]
		c := st.counters
		if st.generation == g.number {
			c = st.frozen
		}
		e.table.RUnlock(s)
		h := format.Header{LSN: uint64(c.LSN), Keys: uint64(c.Keys), Expires: uint64(c.Expires), SubExpires: uint64(c.SubExpires), Bytes: uint64(c.Bytes), NextOID: c.NextOID}
		key, value = format.AppendHeaderKey(key[:0], uint16(s)), h.Append(value[:0])
		if err := b.add(key, value, false); err != nil {
			return err
		}
	}
	return nil
}

// mergedRanges sorts ranges and joins those that touch.
func mergedRanges(ranges []rowRange) []rowRange {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b rowRange) int { return bytes.Compare(a.lo, b.lo) })
	out := ranges[:0]
	for _, r := range ranges {
		last := len(out) - 1
		if last < 0 || bytes.Compare(r.lo, out[last].hi) > 0 {
			out = append(out, r)
		} else if bytes.Compare(r.hi, out[last].hi) > 0 {
			out[last].hi = r.hi
		}
	}
	return out
}

// pace waits while compactions are far behind: Pebble does not throttle an ingest
// itself. Writers feel it when the dirty bytes reach their bound.
func (e *Engine) pace() error {
	const (
		maxSublevels = 40
		poll         = 20 * time.Millisecond
	)
	for {
		m := e.store.Metrics()
		e.pacing.behind.Store(m.Levels[0].Sublevels > calmSublevels || m.Compact.EstimatedDebt > calmDebt)
		if m.Levels[0].Sublevels < maxSublevels || m.Compact.NumInProgress == 0 {
			return nil
		}
		if !pause(poll, e.closing) {
			return nil // closing does not wait for compactions
		}
	}
}
