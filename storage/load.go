package storage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

// maxAttempts is how often an operation runs again for rows that it found cold.
// After that it reads the store while it holds its slots: slower, but it ends.
const maxAttempts = 8

// coldRow is a row that the table did not know, at the slot's epoch.
type coldRow struct {
	key   []byte
	epoch uint32
}

// loadedRow is what the store said about a cold row. It counts as long as the
// slot's epoch is the same and the table still does not know the row: then nobody
// has changed it since.
type loadedRow struct {
	coldRow
	value []byte
	ok    bool
	known bool // the tables have answered
}

// errCold makes an operation end early. It never reaches a caller of the engine.
var errCold = fmt.Errorf("storage: a row is not in memory")

// row returns a row as the slot has it. The slot lock is held.
func (e *Engine) row(tx *Tx, key []byte) ([]byte, bool, error) {
	k := tableKey(key)
	var value []byte
	var presence cache.Presence
	if tx.untouch {
		value, presence = e.table.Peek(k)
	} else {
		value, presence = e.table.Get(k, seconds32(tx.now))
	}
	if presence != cache.Unknown {
		return value, presence == cache.Present, nil
	}
	slot := slots.Slot(format.SlotOf(key))
	if e.slots[slot].void {
		return nil, false, nil
	}
	epoch := e.table.Epoch(slot)
	if r := tx.loaded.find(key, epoch); r != nil {
		return r.value, r.ok, nil
	}
	if tx.engine.opts.mutant.warmStale && tx.warm != nil {
		for i := range tx.warm.rows {
			tx.warm.rows[i].epoch = epoch
		}
	}
	if r := tx.warm.find(key, epoch); r != nil {
		return r.value, r.ok, nil
	}
	if e.looksAtOnce(tx) {
		if row := e.lookAtOnce(tx, key, epoch); row != nil {
			return row.value, row.ok, nil
		}
	}
	cold := coldRow{bytes.Clone(key), epoch}
	if tx.attempts < maxAttempts {
		tx.cold = append(tx.cold, cold)
		return nil, false, errCold
	}
	rows, err := e.read([]coldRow{cold})
	if err != nil {
		return nil, false, err
	}
	tx.loaded.add(rows[0])
	return rows[0].value, rows[0].ok, nil
}

// Prefetch brings the metadata of keys into memory together, where looking at
// them one by one would run the operation again for each that is cold. It returns
// an error that the operation must return, or nil.
func (tx *Tx) Prefetch(keys ...[]byte) error {
	for _, key := range keys {
		tx.scratch = format.AppendMetaKey(tx.scratch[:0], uint16(tx.slotOf(key)), 0, key)
		if _, _, err := tx.getRow(tx.scratch); err != nil && err != errCold {
			return err
		}
	}
	if len(tx.cold) > 0 {
		return errCold
	}
	return nil
}

// PrefetchAt is Prefetch of the keys args[i] for i in at, once the operation has
// run in vain: a first run takes its chance that all are in memory.
func (tx *Tx) PrefetchAt(args [][]byte, at []int) error {
	if tx.attempts == 0 {
		return nil
	}
	for _, i := range at {
		if err := tx.Prefetch(args[i]); err != nil && err != errCold {
			return err
		}
	}
	if len(tx.cold) > 0 {
		return errCold
	}
	return nil
}

// load reads the rows that a transaction found cold and puts them into the table.
// Without wait it is ErrWouldBlock if one of them has to come from the disk. No lock
// is held.
func (e *Engine) load(tx *Tx, wait bool) error {
	tx.attempts++
	rows, err := e.readInto(nil, tx.cold, wait)
	if err != nil {
		return err
	}
	e.admit(tx, rows)
	// The table may have no room for them, or lose them again before the next run.
	tx.loaded.add(rows...)
	return nil
}

// admit offers what the store said to the table.
func (e *Engine) admit(tx *Tx, rows []loadedRow) {
	for i := range rows {
		e.admitRow(&rows[i], tx.writable, tx.hurried, seconds32(tx.now))
	}
}

// admitRow offers one row. That a row is absent is not worth keeping for a writer: it
// is most likely about to make the row. hurried says not to wait for the slot: who
// brought the row has it all the same. now is in seconds.
func (e *Engine) admitRow(row *loadedRow, writer, hurried bool, now uint32) {
	if !row.ok && writer {
		return
	}
	k := tableKey(row.key)
	if !hurried {
		e.table.Lock(k.Slot)
	} else if !e.table.TryLock(k.Slot) {
		return
	}
	defer e.table.Unlock(k.Slot)
	if e.closed.Load() { // the table's memory may be gone; the next run hears of it
		return
	}
	if e.opts.mutant.admitStale {
		row.epoch = e.table.Epoch(k.Slot)
	}
	e.table.Admit(k, row.value, !row.ok, row.epoch, now)
}

// read looks rows up in the store.
func (e *Engine) read(cold []coldRow) ([]loadedRow, error) { return e.readInto(nil, cold, true) }

// readInto is read that makes use of the memory of rows. For wait see load.
func (e *Engine) readInto(rows []loadedRow, cold []coldRow, wait bool) ([]loadedRow, error) {
	e.stores.RLock()
	defer e.stores.RUnlock()
	if e.store == nil {
		return nil, ErrClosed
	}
	rows = slices.Grow(rows[:0], len(cold))[:len(cold)]
	for i := range cold {
		rows[i] = loadedRow{coldRow: cold[i]}
	}
	e.stats.loads.Add(uint64(len(cold)))
	if n, err := e.lookAll(rows, wait); err != nil || n == len(rows) {
		return rows, err
	}
	return rows, e.iterate(rows)
}

// iterate looks up those rows that are not known by one of Pebble's iterators. (Not by
// DB.Get, which never asks the bloom filters of the lowest level.) stores is held.
func (e *Engine) iterate(rows []loadedRow) error {
	it, version, err := e.readers.take(e.store)
	if err != nil {
		return e.storeError(err)
	}
	watch := e.startWatch()
	n := 0
	for i := range rows {
		if rows[i].known {
			continue
		}
		n++
		if it.SeekPrefixGE(rows[i].key) && bytes.Equal(it.Key(), rows[i].key) {
			value, err := it.ValueAndErr()
			if err != nil {
				break // Close returns it too
			}
			rows[i].value, rows[i].ok = bytes.Clone(value), true
		}
		if it.Error() != nil {
			break
		}
	}
	blocks := it.Stats().InternalStats
	watch.stop(n, blocks.BlockBytes > blocks.BlockBytesInCache)
	it.ResetStats()
	return e.storeError(e.readers.give(it, version))
}

// readerPool keeps iterators of the store between reads of cold rows; opening one
// costs as much as a read. An iterator sees the store as it was when it was
// opened, so all are closed when something was ingested: before rows of the ingest
// become clean, and with that evictable.
type readerPool struct {
	mu      sync.Mutex
	version uint64 // counts changes of the store
	free    []*pebble.Iterator
}

func (p *readerPool) take(store *pebble.DB) (*pebble.Iterator, uint64, error) {
	p.mu.Lock()
	version := p.version
	if n := len(p.free); n > 0 {
		it := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return it, version, nil
	}
	p.mu.Unlock()
	it, err := store.NewIter(&pebble.IterOptions{UseL6Filters: true})
	return it, version, err
}

// give takes an iterator back and returns the error that it met.
func (p *readerPool) give(it *pebble.Iterator, version uint64) error {
	const keep = 8
	p.mu.Lock()
	if it.Error() == nil && p.version == version && len(p.free) < keep {
		p.free = append(p.free, it)
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	return it.Close()
}

// renew closes the iterators: the store has changed, or is about to be closed.
func (p *readerPool) renew() error {
	p.mu.Lock()
	p.version++
	free := p.free
	p.free = nil
	p.mu.Unlock()
	var err error
	for _, it := range free {
		err = errors.Join(err, it.Close())
	}
	return err
}

// storeError gives errors of Pebble the names that commands know.
func (e *Engine) storeError(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %v", ErrCorruptStore, err)
	}
	return err
}

// renewReaders lets go of tables that compactions have replaced since: an idle
// store would keep them for the sake of its readers. The clock calls it.
func (e *Engine) renewReaders() {
	e.stores.RLock()
	defer e.stores.RUnlock()
	if err := e.readers.renew(); err != nil {
		e.opts.Logf("a reader of the store: %v", err)
	}
	if n := e.changes.Load(); n != e.seen {
		e.seen = n
		e.refreshTables()
	}
}
