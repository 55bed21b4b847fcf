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
// change the key.
type Hash struct{ members }

// Hash looks key up; a key that does not exist is a hash without fields.
func (tx *Tx) Hash(key []byte) (Hash, error) {
	e, err := tx.LookupType(key, format.HashType)
	if err != nil {
		return Hash{members{tx: tx}}, err
	}
	return tx.hashOf(&e), nil
}

// hashOf returns the hash of a key that holds one, or does not exist.
func (tx *Tx) hashOf(e *Entry) Hash {
	h := Hash{members{tx: tx, e: *e, sub: format.SubHashField}}
	if e.Live {
		h.packed = e.Meta.Inline
	} else {
		h.e.Meta = format.Meta{Type: format.HashType, Enc: format.EncListpack}
	}
	return h
}

// Len returns the number of fields.
func (h *Hash) Len() int64 {
	if h.inline() {
		return int64(listpack.Count(h.packed) / 2)
	}
	return int64(h.e.Meta.Count)
}

// Get returns the value of a field. It is valid until the next call of a method.
func (h *Hash) Get(field []byte) (value []byte, ok bool, err error) {
	if !h.inline() {
		return h.row(field)
	}
	if h.packed == nil {
		return nil, false, nil
	}
	v, _, ok, err := listpack.Pair(h.packed, field)
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
	if size > inlineHashBytes || !found && h.Len() >= inlineHashFields {
		if err := h.toRows(); err != nil {
			return false, err
		}
		return h.setRow(field, value)
	}
	h.takeOwn(emptyListpack[:])
	if found {
		h.setPacked(listpack.Replace(h.packed, at.Value, at.End, value))
	} else {
		h.setPacked(listpack.Push(listpack.Push(h.packed, field), value))
	}
	return !found, nil
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
	h.tx.putRow(h.rowKey(field), h.tx.value)
}

// toRows changes the layout from Inline to Rows.
func (h *Hash) toRows() error {
	h.beginRows()
	if h.packed == nil {
		return nil
	}
	m := &h.e.Meta
	c := listpack.Walk(h.packed)
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
	if h.packed == nil {
		return false, nil
	}
	_, at, found, err := listpack.Pair(h.packed, field)
	if err != nil || !found {
		return false, err
	}
	h.changed = true
	h.takeOwn(emptyListpack[:])
	h.setPacked(listpack.Remove(h.packed, at.Key, at.End))
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
	h.tx.delRow(h.rowKey(field))
	return true, nil
}

// Save writes the changes to the transaction. A hash without fields is deleted.
func (h *Hash) Save() { h.save(h.Len()) }
