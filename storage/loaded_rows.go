package storage

import "bytes"

// loadedRows are the rows that were loaded for a transaction. Many are found by an
// index: a transaction may need hundreds of thousands.
type loadedRows struct {
	rows     []loadedRow
	byKey    map[string]uint32 // the last row of a key; nil while rows are few
	compared int               // keys that find has looked at
}

// Up to so many loaded rows are searched one by one.
const fewLoaded = 16

func (l *loadedRows) add(rows ...loadedRow) {
	from := len(l.rows)
	l.rows = append(l.rows, rows...)
	if len(l.rows) <= fewLoaded {
		return
	}
	if l.byKey == nil {
		l.byKey, from = make(map[string]uint32, len(l.rows)), 0
	}
	for i := from; i < len(l.rows); i++ {
		l.byKey[string(l.rows[i].key)] = uint32(i)
	}
}

// find returns what the store said about a row at the epoch, or nil.
func (l *loadedRows) find(key []byte, epoch uint32) *loadedRow {
	if l.byKey != nil {
		l.compared++
		if i, ok := l.byKey[string(key)]; ok && l.rows[i].epoch == epoch {
			return &l.rows[i]
		}
		return nil
	}
	for i := range l.rows {
		l.compared++
		if r := &l.rows[i]; r.epoch == epoch && bytes.Equal(r.key, key) {
			return r
		}
	}
	return nil
}

// forget empties the set, and lets go of what it holds.
func (l *loadedRows) forget() {
	clear(l.rows)
	l.rows, l.byKey, l.compared = l.rows[:0], nil, 0
	if cap(l.rows) > maxKeptLoaded {
		l.rows = nil
	}
}

// The memory of more rows than these is not kept for the next transaction.
const maxKeptLoaded = 1 << 10
