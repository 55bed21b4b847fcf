package storage

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"cobble/slots"
	"cobble/storage/format"
)

// LSN is a position in the shard log: the offset of the end of a record, in bytes.
type LSN = uint64

// Options configures Open.
type Options struct {
	Dir    string
	Budget int64 // memory for rows, block cache and buffers, bytes
}

// Counters are one slot's exact counters.
type Counters struct {
	LSN           LSN
	Keys, Expires int64
	Bytes         int64
	NextOID       uint64
}

// Engine is the storage of one node. All methods may be called from any goroutine.
type Engine struct {
	mu    sync.RWMutex
	rows  map[string][]byte
	cnt   [slots.Count]Counters
	end   LSN
	pool  sync.Pool
	watch watchTable

	expired atomic.Int64 // keys removed because their time had come

	encodings encodingLimits
}

// Open opens the store in o.Dir.
func Open(o Options) (*Engine, error) {
	return &Engine{rows: map[string][]byte{}, pool: sync.Pool{New: func() any { return new(Tx) }}}, nil
}

// Close makes everything durable and closes the store.
func (e *Engine) Close() error { return nil }

// View runs op with slot locked for reading, at time now (Unix milliseconds). It
// returns the position that must be Awaited before anything op saw is told to anybody.
func (e *Engine) View(now int64, slot slots.Slot, op Op) (LSN, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	tx := e.pool.Get().(*Tx)
	defer e.release(tx)
	tx.engine, tx.now, tx.writable = e, now, false
	tx.slots = append(tx.slots[:0], slot)
	return e.end, op.Run(tx)
}

// Update runs op with the slots (ascending, usually one) locked for writing, at
// time now (Unix milliseconds), and appends its effects to the log as one record.
// Nothing is changed when op fails. The effects must be Awaited with the returned
// position before a reply leaves.
func (e *Engine) Update(now int64, ss []slots.Slot, op Op) (LSN, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	tx := e.pool.Get().(*Tx)
	defer e.release(tx)
	tx.engine, tx.now, tx.writable = e, now, true
	tx.slots = append(tx.slots[:0], ss...)
	if err := op.Run(tx); err != nil {
		return e.end, err
	}
	if tx.err != nil {
		return e.end, tx.err
	}
	e.commit(tx)
	return e.end, nil
}

// Await blocks until the log has reached lsn at the level that appendfsync promises.
func (e *Engine) Await(lsn LSN) error { return nil }

// Counters returns the counters of a slot.
func (e *Engine) Counters(slot slots.Slot) Counters {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.cnt[slot]
}

func (e *Engine) counters(slot slots.Slot) Counters { return e.cnt[slot] }

func (e *Engine) release(tx *Tx) {
	tx.writes.reset()
	tx.deltas, tx.err, tx.expired = tx.deltas[:0], nil, 0
	e.pool.Put(tx)
}

func (e *Engine) commit(tx *Tx) {
	e.expired.Add(tx.expired)
	for _, o := range tx.writes.ops {
		key := tx.writes.keyOf(o)
		switch o.op {
		case format.OpSet:
			e.rows[string(key)] = slices.Clone(tx.writes.valueOf(o))
		case format.OpDelete:
			delete(e.rows, string(key))
		case format.OpDeleteRange:
			for k := range e.rows {
				if k >= string(key) && k < string(tx.writes.valueOf(o)) {
					delete(e.rows, k)
				}
			}
		}
		if _, db, _, user, ok := format.SplitMetaKey(key); ok {
			e.watch.touch(db, user)
		}
	}
	for _, d := range tx.deltas {
		c := &e.cnt[d.slot]
		c.Keys += d.keys
		c.Expires += d.expires
		c.Bytes += d.bytes
		if d.nextOID != 0 {
			c.NextOID = d.nextOID
		}
	}
	if len(tx.writes.ops) > 0 {
		e.end += uint64(len(tx.writes.arena))
	}
}

func (e *Engine) row(_ *Tx, key []byte) ([]byte, bool, error) {
	v, ok := e.rows[string(key)]
	return v, ok, nil
}

func (e *Engine) iter(tx *Tx, lo, hi []byte) *rowIter {
	seen := map[string][]byte{}
	for k, v := range e.rows {
		if k >= string(lo) && (hi == nil || k < string(hi)) {
			seen[k] = v
		}
	}
	for _, o := range tx.writes.ops {
		k := string(tx.writes.keyOf(o))
		if o.op == format.OpDelete {
			delete(seen, k)
		} else if o.op == format.OpSet && k >= string(lo) && (hi == nil || k < string(hi)) {
			seen[k] = tx.writes.valueOf(o)
		}
	}
	it := &rowIter{}
	for k := range seen {
		it.keys = append(it.keys, k)
	}
	sort.Strings(it.keys)
	for _, k := range it.keys {
		it.values = append(it.values, seen[k])
	}
	it.at = -1
	return it
}
