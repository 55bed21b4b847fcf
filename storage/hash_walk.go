package storage

import "cobble/storage/listpack"

// HashWalk visits the fields of a hash, in the order of the listpack or of the
// fields' hashes. Begin it with Hash.Walk; it must be closed.
type HashWalk struct {
	tx         *Tx
	cursor     listpack.Cursor
	rows       memberRows // rows.it nil: layout Inline
	deadlines  []byte     // of layout Inline
	hideBefore int64      // as in members
	field      []byte
	value      []byte
	err        error
}

// Walk begins a walk over the fields as they are now.
func (h *Hash) Walk() HashWalk {
	w := HashWalk{tx: h.tx, deadlines: h.deadlines, hideBefore: h.hideBefore}
	switch {
	case !h.inline():
		w.rows = h.rows()
	case h.packed != nil:
		w.cursor = listpack.Walk(h.packed)
	default:
		w.cursor = listpack.Walk(emptyListpack[:])
	}
	return w
}

func (h *Hash) walker() walker {
	w := h.Walk()
	return &w
}

var emptyListpack = [...]byte{listpack.MinSize, 0, 0, 0, 0, 0, 0xFF}

// Next moves to the next field; it is false at the end.
func (w *HashWalk) Next() bool {
	if w.rows.it != nil {
		ok := w.rows.next()
		w.field, w.value = w.rows.name, w.rows.value
		return ok
	}
	for w.nextInline() {
		if w.hideBefore == 0 {
			return true
		}
		if at := w.Deadline(); at == 0 || at >= w.hideBefore {
			return true
		}
	}
	return false
}

func (w *HashWalk) nextInline() bool {
	var ok bool
	if w.field, ok = w.cursor.Text(w.tx.digits[1][:0]); !ok {
		return false
	}
	if w.value, ok = w.cursor.Text(w.tx.digits[0][:0]); !ok {
		w.err = listpack.ErrCorrupt
		return false
	}
	return true
}

// Field returns the field's name, valid until the next move.
func (w *HashWalk) Field() []byte { return w.field }

// Value returns its value, valid until the next move.
func (w *HashWalk) Value() []byte { return w.value }

// Deadline returns when the field expires (Unix milliseconds), 0 for never.
func (w *HashWalk) Deadline() int64 {
	if w.rows.it != nil {
		return w.rows.expireAt
	}
	at, err := deadlineIn(w.deadlines, w.field)
	if err != nil && w.err == nil {
		w.err = err
	}
	return at
}

func (w *HashWalk) element() (name, value []byte) { return w.field, w.value }

// Close ends the walk and returns the first error that it met.
func (w *HashWalk) Close() error {
	switch {
	case w.rows.it != nil:
		return w.rows.close()
	case w.err != nil:
		return w.err
	}
	return w.cursor.Err()
}

// Scan calls f with about count fields from cursor on (0 begins) and returns the
// cursor to go on with, 0 at the end. A field that is there from the first call to
// the last is visited exactly once. A small hash is visited whole.
func (h *Hash) Scan(cursor uint64, count int64, f func(field, value []byte)) (next uint64, err error) {
	if !h.inline() {
		return h.scanRows(cursor, count, f)
	}
	w := h.Walk()
	for w.Next() {
		f(w.Field(), w.Value())
	}
	return 0, w.Close()
}

// Random calls f with n fields chosen at random, each field as often as it comes.
func (h *Hash) Random(n int64, f func(field, value []byte)) error {
	return h.random(n, h.Len(), h.walker, f)
}

// RandomDistinct calls f with n different fields chosen at random, or with all if
// there are no more.
func (h *Hash) RandomDistinct(n int64, f func(field, value []byte)) error {
	return h.randomDistinct(n, h.Len(), h.walker, f)
}
