package storage

import (
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// A hash of up to inlineHashFields fields whose listpack has up to inlineHashBytes
// bytes stands in its metadata row; each change writes that row whole, which is
// what bounds it. Any other hash has a row for each field (members),
// and stays so: Count is its fields, Bytes the lengths of fields and values.
const (
	inlineHashFields = 128
	inlineHashBytes  = 2 << 10
)

// Hash is a hash key as a transaction sees it. Changes are in the transaction only
// after Save. It is a value for one command: while it is in use nothing else may
// change the key. How its fields expire is in hash_expire.go.
type Hash struct {
	members
	deadlines []byte // layout Inline: listpack of fields and deadlines in turn; nil: no field has one
	expiring  uint64 // layout Rows: fields that have a deadline
}

// Hash looks key up; a key that does not exist is a hash without fields.
func (tx *Tx) Hash(key []byte) (h Hash, err error) {
	h.tx, h.sub = tx, format.SubHashField
	if err = tx.lookupType(&h.e, key, format.HashType); err == nil {
		h.open()
	}
	return h, err
}

// hashOf returns the hash of a key that holds one, or does not exist.
func (tx *Tx) hashOf(e *Entry) Hash {
	h := Hash{members: members{tx: tx, e: *e, sub: format.SubHashField}}
	h.open()
	return h
}

// open takes apart what e says.
func (h *Hash) open() {
	if h.e.Live {
		h.packed = h.e.Meta.Inline
	} else {
		h.e.Meta = format.Meta{Type: format.HashType, Enc: format.EncListpack}
	}
	if h.e.Meta.FieldsAt != 0 {
		h.openDeadlines()
	}
}

// fields returns the number of fields, those included that have expired and are
// not yet removed.
func (h *Hash) fields() int64 {
	if h.inline() {
		return int64(listpack.Count(h.packed) / 2)
	}
	return int64(h.e.Meta.Count)
}

// Len returns the number of fields.
func (h *Hash) Len() int64 {
	n := h.fields()
	if h.hideBefore != 0 {
		n -= h.due()
	}
	return n
}

// Get returns the value of a field. It is valid until the next call of a method.
func (h *Hash) Get(field []byte) (value []byte, ok bool, err error) {
	value, at, ok, err := h.find(field)
	if at != 0 && at < h.hideBefore {
		return nil, false, err
	}
	return value, ok, err
}

// find is Get, of expired fields too. at is the deadline of the field; it may be 0
// for any that has not expired.
func (h *Hash) find(field []byte) (value []byte, at int64, ok bool, err error) {
	if !h.inline() {
		return h.findRow(field)
	}
	if h.packed == nil {
		return nil, 0, false, nil
	}
	v, _, ok, err := listpack.Pair(h.packed, field)
	if err != nil || !ok {
		return nil, 0, false, err
	}
	if h.hideBefore != 0 {
		if at, err = h.deadlineInline(field); err != nil {
			return nil, 0, false, err
		}
	}
	return h.tx.text(v, 0), at, true, nil
}

func (h *Hash) findRow(field []byte) (value []byte, at int64, ok bool, err error) {
	row, ok, err := h.row(field)
	if err != nil || !ok {
		return nil, 0, false, err
	}
	at, value, err = format.SplitHashValue(row)
	return value, at, err == nil, err
}

// Has reports whether there is such a field.
func (h *Hash) Has(field []byte) (bool, error) {
	_, ok, err := h.Get(field)
	return ok, err
}

// Set sets a field, which will not expire, and reports whether it is new. Field and
// value must not alias what Get returned.
func (h *Hash) Set(field, value []byte) (added bool, err error) { return h.SetUntil(field, value, 0) }

// SetKeep is Set of a field that goes on to expire when it did.
func (h *Hash) SetKeep(field, value []byte) (added bool, err error) {
	at := int64(0)
	if h.e.Meta.FieldsAt != 0 {
		if at, _, err = h.Deadline(field); err != nil {
			return false, err
		}
	}
	return h.SetUntil(field, value, at)
}

// SetUntil is Set of a field that expires at a time that has not passed (Unix
// milliseconds, 0 = never).
func (h *Hash) SetUntil(field, value []byte, at int64) (added bool, err error) {
	h.changed = true
	entries, longest := h.tx.engine.encodings.hash()
	if int64(len(field)) > longest || int64(len(value)) > longest {
		h.e.Meta.Enc = format.EncHashtable
	}
	if h.inline() {
		added, err = h.setInline(field, value, at)
	} else {
		added, err = h.setRow(field, value, at)
	}
	if added && h.fields() > entries {
		h.e.Meta.Enc = format.EncHashtable
	}
	return added, err
}

func (h *Hash) setInline(field, value []byte, until int64) (added bool, err error) {
	var at listpack.PairAt
	found, expired := false, false
	if h.packed != nil {
		if _, at, found, err = listpack.Pair(h.packed, field); err != nil {
			return false, err
		}
	}
	size := len(h.packed) + listpack.ElementSize(value)
	if found {
		size -= at.End - at.Value
	} else {
		size += listpack.ElementSize(field)
	}
	if until != 0 || h.deadlines != nil {
		size += h.deadlinesSize(field, until)
	}
	if size > inlineHashBytes || !found && h.fields() >= inlineHashFields {
		if err := h.toRows(); err != nil {
			return false, err
		}
		return h.setRow(field, value, until)
	}
	if until != 0 || h.deadlines != nil {
		if expired, err = h.setDeadlineInline(field, until); err != nil {
			return false, err
		}
	}
	h.takeOwn(emptyListpack[:])
	if found {
		h.setPacked(listpack.Replace(h.packed, at.Value, at.End, value))
	} else {
		h.setPacked(listpack.Push(listpack.Push(h.packed, field), value))
	}
	return !found || expired, nil
}

func (h *Hash) setRow(field, value []byte, until int64) (added bool, err error) {
	old, at, found, err := h.findRow(field)
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
	if at != until {
		h.moveDeadline(field, at, until)
	}
	h.putField(field, value, until)
	return !found || at != 0 && at < h.hideBefore, nil
}

func (h *Hash) putField(field, value []byte, until int64) {
	h.tx.value = format.AppendHashValue(h.tx.value[:0], until, value)
	h.tx.putRow(h.rowKey(field), h.tx.value)
}

// toRows changes the layout from Inline to Rows.
func (h *Hash) toRows() error {
	packed, deadlines := h.packed, h.deadlines
	h.beginRows()
	h.deadlines, h.expiring = nil, 0
	if packed == nil {
		return nil
	}
	m := &h.e.Meta
	c := listpack.Walk(packed)
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
		at, err := deadlineIn(deadlines, name)
		if err != nil {
			return err
		}
		if at != 0 && !h.tx.engine.opts.mutant.deadlinesInline {
			h.moveDeadline(name, 0, at)
		}
		h.putField(name, text, at)
		m.Count++
		m.Bytes += uint64(len(name) + len(text))
	}
}

// Delete deletes a field and reports whether it was there.
func (h *Hash) Delete(field []byte) (bool, error) {
	if !h.inline() {
		old, at, found, err := h.findRow(field)
		if err != nil || !found || at != 0 && at < h.hideBefore {
			return false, err
		}
		h.dropRow(field, len(old), at)
		return true, nil
	}
	if h.packed == nil {
		return false, nil
	}
	_, at, found, err := listpack.Pair(h.packed, field)
	if err != nil || !found {
		return false, err
	}
	if h.hideBefore != 0 {
		if until, err := h.deadlineInline(field); err != nil || until != 0 && until < h.hideBefore {
			return false, err
		}
	}
	return true, h.dropInline(field, at)
}

// dropRow deletes the row of a field that has a value of some length and a deadline.
func (h *Hash) dropRow(field []byte, length int, at int64) {
	h.changed = true
	h.e.Meta.Count--
	h.e.Meta.Bytes -= uint64(len(field) + length)
	if at != 0 {
		h.moveDeadline(field, at, 0)
	}
	h.tx.delRow(h.rowKey(field))
}

func (h *Hash) dropInline(field []byte, at listpack.PairAt) (err error) {
	h.changed = true
	if h.deadlines != nil {
		_, err = h.setDeadlineInline(field, 0)
	}
	h.takeOwn(emptyListpack[:])
	h.setPacked(listpack.Remove(h.packed, at.Key, at.End))
	return err
}

// Save writes the changes to the transaction. A hash without fields is deleted.
func (h *Hash) Save() {
	n, packed := h.fields(), h.packed
	if h.changed && n > 0 && h.e.Meta.FieldsAt|h.e.disk.FieldsAt != 0 {
		h.sealDeadlines()
	}
	h.save(n)
	h.packed = packed
}
