package storage

import (
	"time"

	"cobble/storage/tables"
)

// Rows that are not in memory are looked up in the store's sorted tables directly,
// which takes a fourth of what Pebble's iterators need. What the tables cannot
// answer for certain the iterators do.

// keptMemory is how much memory for rows a transaction keeps for the next.
const keptMemory = 64 << 10

// lookAtOnce looks a row up for a transaction that must not wait, nil if it would have
// to. An error is left to whoever may wait, and meets it again. The row is the
// transaction's.
func (e *Engine) lookAtOnce(tx *Tx, key []byte, epoch uint32) *loadedRow {
	e.stores.RLock()
	defer e.stores.RUnlock()
	if e.store == nil {
		return nil
	}
	quick := e.disk.score.Load() <= missLimit
	row := loadedRow{coldRow: coldRow{tx.keep(key), epoch}}
	if r := e.sorted.Reader(); r != nil {
		if quick || r.Tells() {
			watch := e.startWatch()
			value, a, err := r.Get(key, false)
			switch {
			case a == tables.WouldWait:
				r.Close()
				return nil
			case a != tables.Unknown && err == nil:
				row.value, row.ok, row.known = tx.keep(value), a == tables.Present, true
			}
			if r.Untold > 0 {
				watch.stop(1, true)
			}
		}
		r.Close()
	}
	if !row.known {
		rows := []loadedRow{row}
		if !quick || e.iterate(rows) != nil {
			return nil
		}
		row = rows[0]
	}
	e.stats.loads.Add(1)
	tx.loaded.add(row)
	return &tx.loaded.rows[len(tx.loaded.rows)-1]
}

// keep returns a copy of b that lasts as long as the transaction.
func (tx *Tx) keep(b []byte) []byte {
	from := len(tx.memory)
	tx.memory = append(tx.memory, b...)
	return tx.memory[from:len(tx.memory):len(tx.memory)]
}

// lookAll looks rows up in the tables, and returns how many are known. Without wait
// it is ErrWouldBlock if one of them has to come from the disk. stores is held.
func (e *Engine) lookAll(rows []loadedRow, wait bool) (n int, err error) {
	r := e.sorted.Reader()
	if r == nil {
		return 0, nil
	}
	defer r.Close()
	watch := e.startWatch()
	for i := range rows {
		row := &rows[i]
		value, a, err := r.Get(row.key, wait || e.opts.mutant.loopWaits)
		if a == tables.WouldWait {
			return n, ErrWouldBlock
		}
		if err != nil || a != tables.Present && a != tables.Absent {
			continue // Pebble meets an error again, and knows whom to tell
		}
		if row.ok = a == tables.Present; row.ok {
			row.value = append(make([]byte, 0, len(value)), value...)
		}
		row.known = true
		n++
	}
	if r.Untold > 0 {
		watch.stop(r.Untold, true)
	}
	return n, nil
}

// stopwatch times looks at the store, to tell whether the disk is asked.
type stopwatch struct {
	e     *Engine
	began time.Time
}

func (e *Engine) startWatch() (w stopwatch) {
	w.e = e
	if e.opts.Now != nil {
		w.began = e.opts.Now()
	}
	return w
}

// stop notes how long n looks took. missed says that the disk may have been asked.
func (w stopwatch) stop(n int, missed bool) {
	if missed && w.e.opts.Now != nil { // the system may have the block in memory
		missed = w.e.opts.Now().Sub(w.began) > quickRead*time.Duration(n)
	}
	w.e.disk.note(missed)
}

// storeChanged has looks at cold rows see what was put into the store: before rows of it
// become clean, and with that evictable.
func (e *Engine) storeChanged() error {
	if !e.opts.mutant.oldTables {
		e.refreshTables()
	}
	if e.opts.mutant.oldReaders {
		return nil
	}
	return e.storeError(e.readers.renew())
}

// refreshTables makes the tables those of the store. Without them looks cost more, that
// is all.
func (e *Engine) refreshTables() {
	limit := shareOf(e.limits.budget.Load()).looks
	if e.opts.iterate {
		limit = 0
	}
	if err := e.sorted.Refresh(e.store, e.storeDir, limit); err != nil {
		e.opts.Logf("the store's tables are not looked at: %v", err)
	}
}
