package storage

import (
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// A hash of up to inlineHashFields fields whose listpack has up to inlineHashBytes
// bytes stands in its metadata row; each change writes that row whole, which is
// what bounds it. Any other hash has a row for each field (format.AppendHashField),
// and stays so: Count is its fields, Bytes the lengths of fields and values.
const (
	inlineHashFields = 128
	inlineHashBytes  = 2 << 10
)

// Hash is a hash key as a transaction sees it. Changes are in the transaction only
// after Save. It is a value for one command: while it is in use nothing else may
// change the key.
type Hash struct {
	tx      *Tx
	e       Entry
	lp      []byte // layout Inline: the listpack; nil for a hash of no fields
	own     bool   // lp is in tx.build and may be changed in place
	fresh   bool   // layout Rows, begun in this transaction: the store has no row of it
	changed bool
}

// Hash looks key up; a key that does not exist is a hash without fields.
func (tx *Tx) Hash(key []byte) (Hash, error) {
	e, err := tx.LookupType(key, format.HashType)
	if err != nil {
		return Hash{tx: tx}, err
	}
	return tx.hashOf(&e), nil
}

// hashOf returns the hash of a key that holds one, or does not exist.
func (tx *Tx) hashOf(e *Entry) Hash {
	h := Hash{tx: tx, e: *e}
	if e.Live {
		h.lp = e.Meta.Inline
	} else {
		h.e.Meta = format.Meta{Type: format.HashType, Enc: format.EncListpack}
	}
	return h
}

// Live reports whether the key exists.
func (h *Hash) Live() bool { return h.e.Live }

// Len returns the number of fields.
func (h *Hash) Len() int64 {
	if h.inline() {
		return int64(listpack.Count(h.lp) / 2)
	}
	return int64(h.e.Meta.Count)
}

func (h *Hash) inline() bool { return h.e.Meta.Layout == format.Inline }

// Get returns the value of a field. It is valid until the next call of a method.
func (h *Hash) Get(field []byte) (value []byte, ok bool, err error) {
	if !h.inline() {
		return h.row(field)
	}
	if h.lp == nil {
		return nil, false, nil
	}
	v, _, ok, err := listpack.Pair(h.lp, field)
	if err != nil || !ok {
		return nil, false, err
	}
	return h.tx.text(v, 0), true, nil
}

// Has reports whether there is such a field.
func (h *Hash) Has(field []byte) (bool, error) {
	_, ok, err := h.Get(field)
	return ok, err
}

// row reads the row of a field, layout Rows.
func (h *Hash) row(field []byte) (value []byte, ok bool, err error) {
	var row []byte
	if key := h.fieldKey(field); h.fresh {
		var state writeState
		row, state = h.tx.writes.get(key)
		ok = state == written
	} else {
		row, ok, err = h.tx.getRow(key)
	}
	if err != nil || !ok {
		return nil, false, err
	}
	_, value, err = format.SplitHashValue(row)
	return value, err == nil, err
}

// Prefetch brings the rows of fields, every step-th of args, into memory together.
// It returns an error that the operation must return, or nil.
func (h *Hash) Prefetch(args [][]byte, step int) error {
	if h.inline() || len(args) <= step {
		return nil
	}
	for i := 0; i < len(args); i += step {
		if _, _, err := h.tx.getRow(h.fieldKey(args[i])); err != nil && err != errCold {
			return err
		}
	}
	if len(h.tx.cold) > 0 {
		return errCold
	}
	return nil
}

func (h *Hash) fieldKey(field []byte) []byte {
	h.tx.scratch = format.AppendHashField(h.tx.scratch[:0], uint16(h.e.Slot), h.e.Meta.OID, field)
	return h.tx.scratch
}

// text returns a listpack element as bytes that are valid until its next
// call with the same which.
func (tx *Tx) text(e listpack.Element, which int) []byte {
	if !e.IsInt {
		return e.Bytes
	}
	return e.Append(tx.digits[which][:0])
}

// Set sets a field and reports whether it is new. Field and value must not alias
// what Get returned.
func (h *Hash) Set(field, value []byte) (added bool, err error) {
	h.changed = true
	entries, longest := h.tx.engine.encodings.hash()
	if int64(len(field)) > longest || int64(len(value)) > longest {
		h.e.Meta.Enc = format.EncHashtable
	}
	if h.inline() {
		added, err = h.setInline(field, value)
	} else {
		added, err = h.setRow(field, value)
	}
	if added && h.Len() > entries {
		h.e.Meta.Enc = format.EncHashtable
	}
	return added, err
}

func (h *Hash) setInline(field, value []byte) (added bool, err error) {
	var at listpack.PairAt
	found := false
	if h.lp != nil {
		if _, at, found, err = listpack.Pair(h.lp, field); err != nil {
			return false, err
		}
	}
	size := len(h.lp) + listpack.ElementSize(value)
	if found {
		size -= at.End - at.Value
	} else {
		size += listpack.ElementSize(field)
	}
	if size > inlineHashBytes || !found && h.Len() >= inlineHashFields {
		if err := h.toRows(); err != nil {
			return false, err
		}
		return h.setRow(field, value)
	}
	h.makeOwn()
	if found {
		h.lp = listpack.Replace(h.lp, at.Value, at.End, value)
	} else {
		h.lp = listpack.Push(listpack.Push(h.lp, field), value)
	}
	h.tx.build = h.lp
	return !found, nil
}

// makeOwn copies the listpack to where it may be changed.
func (h *Hash) makeOwn() {
	switch {
	case h.own:
		return
	case h.lp == nil:
		h.tx.build = listpack.New(h.tx.build[:0])
	default:
		h.tx.build = append(h.tx.build[:0], h.lp...)
	}
	h.lp, h.own = h.tx.build, true
}

func (h *Hash) setRow(field, value []byte) (added bool, err error) {
	old, found, err := h.row(field)
	if err != nil {
		return false, err
	}
	m := &h.e.Meta
	m.Bytes += uint64(len(value))
	if found {
		m.Bytes -= uint64(len(old))
	} else {
		m.Bytes += uint64(len(field))
		m.Count++
	}
	h.putField(field, value)
	return !found, nil
}

func (h *Hash) putField(field, value []byte) {
	h.tx.value = format.AppendHashValue(h.tx.value[:0], 0, value)
	h.tx.putRow(h.fieldKey(field), h.tx.value)
}

// toRows changes the layout from Inline to Rows.
func (h *Hash) toRows() error {
	m := &h.e.Meta
	m.Layout, m.Inline, m.OID = format.Rows, nil, h.tx.newOID(h.e.Slot)
	m.Count, m.Bytes = 0, 0
	h.fresh = true
	if h.lp == nil {
		return nil
	}
	c := listpack.Walk(h.lp)
	for {
		field, ok := c.Next()
		if !ok {
			return c.Err()
		}
		value, ok := c.Next()
		if !ok {
			return listpack.ErrCorrupt
		}
		name, text := h.tx.text(field, 1), h.tx.text(value, 0)
		h.putField(name, text)
		m.Count++
		m.Bytes += uint64(len(name) + len(text))
	}
}

// Delete deletes a field and reports whether it was there.
func (h *Hash) Delete(field []byte) (bool, error) {
	if !h.inline() {
		return h.deleteRow(field)
	}
	if h.lp == nil {
		return false, nil
	}
	_, at, found, err := listpack.Pair(h.lp, field)
	if err != nil || !found {
		return false, err
	}
	h.changed = true
	h.makeOwn()
	h.lp = listpack.Remove(h.lp, at.Key, at.End)
	h.tx.build = h.lp
	return true, nil
}

func (h *Hash) deleteRow(field []byte) (bool, error) {
	old, found, err := h.row(field)
	if err != nil || !found {
		return false, err
	}
	h.changed = true
	h.e.Meta.Count--
	h.e.Meta.Bytes -= uint64(len(field) + len(old))
	h.tx.delRow(h.fieldKey(field))
	return true, nil
}

// Save writes the changes to the transaction. A hash without fields is deleted.
func (h *Hash) Save() {
	switch {
	case !h.changed:
		return
	case h.Len() == 0:
		h.tx.remove(&h.e)
	default:
		h.e.Meta.Inline = nil
		if h.inline() {
			h.e.Meta.Inline = h.lp
		}
		h.tx.save(&h.e)
	}
	h.changed = false
}
