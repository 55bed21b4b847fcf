package storage

import (
	"math/rand/v2"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// HashWalk visits the fields of a hash, in the order of the listpack or of the
// fields' hashes. Begin it with Hash.Walk; it must be closed.
type HashWalk struct {
	tx     *Tx
	cursor listpack.Cursor
	rows   *rowIter // nil: layout Inline
	first  bool     // rows is before its first row
	field  []byte
	value  []byte
	err    error
}

// Walk begins a walk over the fields as they are now.
func (h *Hash) Walk() HashWalk {
	w := HashWalk{tx: h.tx}
	switch {
	case !h.inline():
		w.rows, w.first = h.iter(), true
	case h.lp != nil:
		w.cursor = listpack.Walk(h.lp)
	default:
		w.cursor = listpack.Walk(emptyListpack[:])
	}
	return w
}

var emptyListpack = [...]byte{listpack.MinSize, 0, 0, 0, 0, 0, 0xFF}

// iter opens an iterator over the rows of the fields.
func (h *Hash) iter() *rowIter {
	lo := format.AppendElement(nil, uint16(h.e.Slot), h.e.Meta.OID, format.SubHashField)
	hi := format.AppendElement(nil, uint16(h.e.Slot), h.e.Meta.OID, format.SubHashField+1)
	return h.tx.iter(lo, hi)
}

// Next moves to the next field; it is false at the end.
func (w *HashWalk) Next() bool {
	if w.rows != nil {
		ok := false
		if w.first {
			ok, w.first = w.rows.First(), false
		} else {
			ok = w.rows.Next()
		}
		return ok && w.read()
	}
	field, ok := w.cursor.Next()
	if !ok {
		return false
	}
	value, ok := w.cursor.Next()
	if !ok {
		w.err = listpack.ErrCorrupt
		return false
	}
	w.field = w.tx.text(field, 1)
	w.value = w.tx.text(value, 0)
	return true
}

// read takes apart the row that the iterator is at.
func (w *HashWalk) read() bool {
	if _, w.field, w.err = format.SplitHashField(w.rows.Key()); w.err == nil {
		_, w.value, w.err = format.SplitHashValue(w.rows.Value())
	}
	return w.err == nil
}

// Field returns the field's name, valid until the next move.
func (w *HashWalk) Field() []byte { return w.field }

// Value returns its value, valid until the next move.
func (w *HashWalk) Value() []byte { return w.value }

// Close ends the walk and returns the first error that it met.
func (w *HashWalk) Close() error {
	err := w.err
	if w.rows != nil {
		if closed := w.rows.Close(); err == nil {
			err = closed
		}
	} else if err == nil {
		err = w.cursor.Err()
	}
	return err
}

// cursorBits is how much of a field's hash a HSCAN cursor holds: as many as a
// double counts exactly.
const cursorBits = 52

// Scan calls f with about count fields from cursor on (0 begins) and returns the
// cursor to go on with, 0 at the end. A field that is there from the first call to
// the last is visited exactly once. A small hash is visited whole.
func (h *Hash) Scan(cursor uint64, count int64, f func(field, value []byte)) (next uint64, err error) {
	if h.inline() {
		w := h.Walk()
		for w.Next() {
			f(w.Field(), w.Value())
		}
		return 0, w.Close()
	}
	if cursor >= 1<<cursorBits {
		return 0, nil
	}
	const drop = 64 - cursorBits
	w := HashWalk{tx: h.tx, rows: h.iter()}
	last := uint64(0)
	ok := w.rows.SeekGE(format.AppendHashBound(nil, uint16(h.e.Slot), h.e.Meta.OID, cursor<<drop))
	for ; ok && w.read(); ok = w.rows.Next() {
		at, _, _ := format.SplitHashField(w.rows.Key())
		at >>= drop
		if count <= 0 && at != last {
			next = at // not 0: it is more than last
			break
		}
		last = at
		count--
		f(w.Field(), w.Value())
	}
	return next, w.Close()
}

// Random calls f with n fields chosen at random, each field as often as it comes.
func (h *Hash) Random(n int64, f func(field, value []byte)) error {
	size := h.Len()
	if size == 0 || n <= 0 {
		return nil
	}
	if !h.inline() && n*3 < size {
		return h.randomRows(n, f)
	}
	all, err := h.pairs()
	for ; err == nil && n > 0; n-- {
		p := all[rand.IntN(len(all))]
		f(p.field, p.value)
	}
	return err
}

// RandomDistinct calls f with n different fields chosen at random, or with all if
// there are no more.
func (h *Hash) RandomDistinct(n int64, f func(field, value []byte)) error {
	size := h.Len()
	if !h.inline() && n*3 < size {
		seen := make(map[string]struct{}, n)
		for int64(len(seen)) < n {
			if err := h.randomRows(n-int64(len(seen)), func(field, value []byte) {
				if _, again := seen[string(field)]; !again {
					seen[string(field)] = struct{}{}
					f(field, value)
				}
			}); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := h.pairs()
	for i := 0; err == nil && i < len(all) && int64(i) < n; i++ {
		j := i
		if n < size {
			j += rand.IntN(len(all) - i)
		}
		all[i], all[j] = all[j], all[i]
		f(all[i].field, all[i].value)
	}
	return err
}

type hashPair struct{ field, value []byte }

// pairs returns copies of all fields and values.
func (h *Hash) pairs() ([]hashPair, error) {
	all := make([]hashPair, 0, h.Len())
	var arena []byte
	w := h.Walk()
	for w.Next() {
		at := len(arena)
		arena = append(append(arena, w.Field()...), w.Value()...)
		mid := at + len(w.Field())
		all = append(all, hashPair{arena[at:mid:mid], arena[mid:len(arena):len(arena)]})
	}
	return all, w.Close()
}

// randomRows picks n times: a random place in the order of hashes, and one of the
// next few fields there, wrapping around. The choice among neighbours makes up for
// most of the unequal gaps between hashes.
func (h *Hash) randomRows(n int64, f func(field, value []byte)) error {
	const neighbours = 16
	w := HashWalk{tx: h.tx, rows: h.iter()}
	var key []byte
	for ; n > 0 && w.err == nil; n-- {
		key = format.AppendHashBound(key[:0], uint16(h.e.Slot), h.e.Meta.OID, rand.Uint64())
		ok := w.rows.SeekGE(key)
		for skip := rand.IntN(neighbours); ; skip-- {
			if !ok && !w.rows.First() {
				w.err = format.ErrCorrupt // Count says there are fields
				break
			}
			if skip == 0 {
				break
			}
			ok = w.rows.Next()
		}
		if w.err == nil && w.read() {
			f(w.Field(), w.Value())
		}
	}
	return w.Close()
}
