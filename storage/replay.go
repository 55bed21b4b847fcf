package storage

import (
	"fmt"
	"io"
	"sync/atomic"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// Replay after a crash. One goroutine reads and checks the log and cuts its batches
// into changes of single slots; each worker applies those of its own slots. Changes
// of different slots commute, and of one slot they are applied in log order by one
// worker. Whatever looks at more than rows of one slot (a barrier, a cut) comes
// when both workers have applied all that is before it.

const (
	replayWorkers = 2
	replayChunks  = 4 // under way at a time
	// A chunk is large against the hand-over between goroutines, and small against
	// the dirty bytes that a cut waits for.
	replayChunkBytes = 256 << 10
	// replayWindow is how many rows are asked for before the first is changed.
	replayWindow = 32
)

// replayChange is one operation of a write set, and the counters of its slot when
// it is the last one of its record there.
type replayChange struct {
	op         byte // 0: counters alone
	counted    bool
	now        uint32
	key, value []byte
	delta      log.Delta
	lsn        LSN
}

// replayChunk is what a stretch of the log changes, by worker.
type replayChunk struct {
	bytes   []byte // what the changes alias
	changes [replayWorkers][]replayChange
	left    atomic.Int32 // workers that are not done with it
}

func (c *replayChunk) reset() {
	if c.bytes = c.bytes[:0]; cap(c.bytes) > 4*replayChunkBytes {
		c.bytes = nil
	}
	for w := range c.changes {
		c.changes[w] = c.changes[w][:0]
	}
}

func workerOf(s slots.Slot) int { return int(s) % replayWorkers }

// replayer is one replay.
type replayer struct {
	engine *Engine
	bytes  int // of a chunk
	chunk  *replayChunk
	idle   chan *replayChunk
	queues [replayWorkers]chan *replayChunk
}

func (e *Engine) newReplayer() *replayer {
	r := &replayer{
		engine: e,
		bytes:  int(min(replayChunkBytes, e.limits.dirty.Load()/64)),
		idle:   make(chan *replayChunk, replayChunks),
	}
	for range replayChunks {
		r.idle <- new(replayChunk)
	}
	r.chunk = <-r.idle
	for w := range r.queues {
		r.queues[w] = make(chan *replayChunk, replayChunks)
		go r.work(w)
	}
	return r
}

// replay applies every record after the watermark, and none before it: an old
// import, say, would undo what is already in the store.
func (e *Engine) replay() error {
	from := LSN(e.position.LSN)
	if e.opts.mutant.replayBelow {
		from = e.log.Start()
	}
	e.replaying = true
	defer func() { e.replaying = false }()
	reader, err := e.log.NewReader(from)
	if err != nil {
		return fmt.Errorf("replay the log from %d: %w", from, err)
	}
	defer reader.Close()
	r := e.newReplayer()
	defer r.close()
	for {
		entry, err := reader.TryNext()
		if err == io.EOF {
			r.drain()
			return nil
		}
		if err == nil {
			err = r.apply(&entry.Record)
		}
		if err == nil && len(r.chunk.bytes) >= r.bytes {
			err = r.endChunk(reader)
		}
		if err != nil {
			return fmt.Errorf("replay the log at %d: %w", reader.Position(), err)
		}
	}
}

// apply queues a batch for the workers, and carries out any other record.
func (r *replayer) apply(rec *log.Record) error {
	if rec.Kind == log.KindBatch {
		return r.add(rec)
	}
	if !r.engine.opts.mutant.replayPast {
		r.drain()
	}
	return r.engine.applyRecord(rec, nil)
}

// add cuts a batch into the changes of its slots.
func (r *replayer) add(rec *log.Record) error {
	if _, err := checkBatch(rec); err != nil {
		return err
	}
	c := r.chunk
	if need := len(c.bytes) + len(rec.Payload); need > cap(c.bytes) {
		// What is in the chunk stays where it is, for the changes alias it.
		c.bytes = make([]byte, 0, max(2*r.bytes, len(rec.Payload)))
	}
	start := len(c.bytes)
	c.bytes = append(c.bytes, rec.Payload...)
	now := seconds32(rec.TimeMS)
	err := format.EachOp(c.bytes[start:], func(op byte, key, value []byte) error {
		w := workerOf(slots.Slot(format.SlotOf(key)))
		c.changes[w] = append(c.changes[w], replayChange{op: op, now: now, key: key, value: value})
		return nil
	})
	for i := range rec.Deltas {
		w := workerOf(rec.Deltas[i].Slot)
		list := c.changes[w]
		if n := len(list); len(rec.Deltas) > 1 || n == 0 || list[n-1].counted {
			list = append(list, replayChange{})
			c.changes[w] = list
		}
		last := &list[len(list)-1]
		last.counted, last.delta, last.lsn = true, rec.Deltas[i], rec.LSN
	}
	return err
}

// send hands the chunk to the workers and takes another one.
func (r *replayer) send() {
	c := r.chunk
	c.left.Store(replayWorkers)
	for w := range r.queues {
		r.queues[w] <- c
	}
	r.chunk = <-r.idle
}

// drain returns when everything that was added is applied.
func (r *replayer) drain() {
	r.send()
	var others [replayChunks - 1]*replayChunk
	for i := range others { // with the one at hand all of them: none is under way
		others[i] = <-r.idle
	}
	for _, c := range others {
		r.idle <- c
	}
}

// endChunk sends the chunk, and cuts a generation if too much is dirty.
func (r *replayer) endChunk(reader *log.Reader) error {
	r.send()
	e := r.engine
	if e.table.ActiveBytes() < e.limits.dirty.Load() || reader.Position() >= e.log.End() || e.opts.InSync {
		return nil
	}
	// The state between two records is a generation like any other.
	r.drain()
	return e.flushReplayed(reader.Position())
}

// close ends the workers.
func (r *replayer) close() {
	r.drain()
	for _, q := range r.queues {
		close(q)
	}
}

// work is the goroutine of one worker.
func (r *replayer) work(w int) {
	for c := range r.queues[w] {
		r.engine.applyChanges(c.changes[w])
		if c.left.Add(-1) == 0 {
			c.reset()
			r.idle <- c
		}
	}
}

// applyChanges applies changes of slots that no other goroutine changes.
func (e *Engine) applyChanges(changes []replayChange) {
	e.commits.RLock()
	defer e.commits.RUnlock()
	var hints [replayWindow]Hint
	for len(changes) > 0 {
		window := changes[:min(len(changes), replayWindow)]
		changes = changes[len(window):]
		for i := range window {
			hints[i] = window[i].hint()
		}
		e.prefetchSlots(hints[:len(window)])
		e.table.PrefetchChanges(hints[:len(window)])
		for i := range window {
			c := &window[i]
			// Nobody waits for the lock, but a sweep for room looks at it.
			e.table.Lock(hints[i].Slot)
			if c.op != 0 {
				e.applyOp(c.op, c.key, c.value, c.now)
			}
			if c.counted {
				e.countOne(&c.delta, c.lsn)
			}
			e.table.Unlock(hints[i].Slot)
		}
	}
}

func (c *replayChange) hint() Hint {
	if c.op == 0 {
		return Hint{Slot: c.delta.Slot}
	}
	k := tableKey(c.key)
	return Hint{Slot: k.Slot, Hash: k.Hash}
}

// flushReplayed brings what was replayed, up to lsn, into the store.
func (e *Engine) flushReplayed(lsn LSN) error {
	at, err := e.log.PositionAt(lsn)
	if err != nil {
		return err
	}
	term := e.termAt(at)
	e.flushing.Lock()
	defer e.flushing.Unlock()
	if !e.cut() {
		return nil
	}
	e.pending.at = format.Watermark{LSN: uint64(at.LSN), CRC: at.CRC, Term: at.Term, TermStart: uint64(term.Start), ReplID: term.ReplID}
	return e.finishPending()
}

func (e *Engine) termAt(at log.Position) log.Term {
	term := e.logStart().Term
	for _, t := range e.log.Terms() {
		if t.Start < at.LSN {
			term = t
		}
	}
	return term
}
