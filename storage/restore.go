package storage

import (
	"errors"

	"cobble/storage/dump"
	"cobble/storage/format"
)

// Errors of Restore.
var (
	ErrBusyKey      = errors.New("storage: the key exists already")
	ErrBadPayload   = errors.New("storage: unknown version or wrong checksum of a payload")
	ErrBadValue     = errors.New("storage: malformed value in a payload")
	ErrUnknownValue = errors.New("storage: a payload with a value of a type that is not supported")
)

// Dump appends the payload of key's value, and returns when the key expires (Unix
// milliseconds, 0 = never). Without such a key it reports ok false.
func (tx *Tx) Dump(dst, key []byte) (payload []byte, expireAt int64, ok bool, err error) {
	e, err := tx.Lookup(key)
	if err != nil || !e.Live {
		return dst, 0, false, err
	}
	start := len(dst)
	switch e.Meta.Type {
	case format.String:
		var value []byte
		if value, err = tx.stringBytes(&e); err == nil {
			dst = dump.AppendString(append(dst, dump.TypeString), value)
		}
	case format.HashType:
		h := tx.hashOf(&e)
		if dst, err = h.dump(dst); err == nil && len(dst) == start {
			return dst, 0, false, nil
		}
	case format.List:
		dst, err = tx.dumpList(dst, &e)
	case format.Set:
		dst, err = tx.dumpSet(dst, &e)
	case format.ZSet:
		dst, err = tx.dumpZSet(dst, &e)
	case format.Stream:
		dst, err = tx.dumpStream(dst, &e)
	default:
		err = ErrUnknownValue
	}
	if err != nil {
		return dst[:start], 0, false, err
	}
	return dump.Seal(dst, start), e.Meta.ExpireAt, true, nil
}

// Restore creates key from a payload, to expire at a time (Unix milliseconds, 0 =
// never); one that has passed leaves no key. Unless replace, a key that exists is
// ErrBusyKey.
func (tx *Tx) Restore(key, payload []byte, expireAt int64, replace bool) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	if e.Live && !replace {
		return ErrBusyKey
	}
	v, err := dump.Decode(payload)
	switch {
	case errors.Is(err, dump.ErrChecksum):
		return ErrBadPayload
	case errors.Is(err, dump.ErrUnsupported):
		return ErrUnknownValue
	case err != nil:
		return ErrBadValue
	}
	if expireAt != 0 && expireAt <= tx.now {
		tx.remove(&e)
		return nil
	}
	e.Meta = format.Meta{ExpireAt: expireAt}
	switch v.Type {
	case format.String:
		tx.fillString(&e, StringEnc(v.Bytes), v.Bytes)
		tx.save(&e)
		return nil
	case format.HashType:
		return tx.restoreHash(&e, v.Items, v.Deadlines)
	case format.List:
		return tx.restoreList(&e, v.Items)
	case format.Set:
		return tx.restoreSet(&e, v.Items)
	case format.ZSet:
		return tx.restoreZSet(&e, v.Items, v.Scores)
	case format.Stream:
		return tx.restoreStream(&e, v.Stream)
	}
	return ErrUnknownValue
}

// dump appends the payload of a hash, or nothing if all of its fields have expired.
func (h *Hash) dump(dst []byte) ([]byte, error) {
	n, first := h.Len(), int64(0)
	if n == 0 {
		return dst, nil
	}
	if h.e.Meta.FieldsAt != 0 {
		var err error
		if first, err = h.nextDeadline(h.hideBefore); err != nil {
			return dst, err
		}
	}
	dst = dump.AppendHash(dst, uint64(n), first)
	w := h.Walk()
	for w.Next() {
		at := int64(0)
		if first != 0 {
			at = w.Deadline()
		}
		dst = dump.AppendField(dst, w.Field(), w.Value(), at, first)
	}
	return dst, w.Close()
}

// restoreHash makes e a new hash of fields and values in turn. Fields that have expired
// are left out; if all have, there will be no key.
func (tx *Tx) restoreHash(e *Entry, items [][]byte, deadlines []int64) error {
	e.Meta.Type, e.Meta.Enc = format.HashType, format.EncListpack
	h := Hash{members: members{tx: tx, e: *e, sub: format.SubHashField}}
	if len(items) > 2*inlineHashFields {
		if err := h.toRows(); err != nil {
			return err
		}
	}
	for i := 0; i < len(items); i += 2 {
		until := int64(0)
		if deadlines != nil {
			until = deadlines[i/2]
		}
		if until > MaxFieldDeadline {
			return ErrBadValue
		}
		if until != 0 && until < tx.now {
			continue
		}
		added, err := h.SetUntil(items[i], items[i+1], until)
		if err != nil {
			return err
		}
		if !added {
			return ErrBadValue // no server writes a field twice
		}
	}
	h.changed = true
	h.Save()
	return nil
}

func (tx *Tx) dumpList(dst []byte, e *Entry) ([]byte, error) {
	l, err := tx.listOf(e)
	if err != nil {
		return dst, err
	}
	dst = dump.AppendLength(append(dst, dump.TypeList), uint64(l.Len()))
	w := l.Walk(Head, 0, l.Len())
	for w.Next() {
		dst = dump.AppendString(dst, w.Value())
	}
	return dst, w.Close()
}

// StoreList makes key a list of n values, in place of whatever it was; none leave no key.
func (tx *Tx) StoreList(key []byte, n int, value func(i int) []byte) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	if n == 0 {
		tx.remove(&e)
		return nil
	}
	e.Meta = format.Meta{}
	l := tx.newList(&e)
	for i := range n {
		if err := l.Push(Tail, value(i)); err != nil {
			return err
		}
	}
	l.settle()
	l.Save()
	return nil
}

// newList returns a list without elements that takes the place of what e has.
func (tx *Tx) newList(e *Entry) List {
	e.Meta.Type, e.Meta.Enc = format.List, format.EncListpack
	return List{tx: tx, e: *e}
}

// restoreList makes e a new list of items.
func (tx *Tx) restoreList(e *Entry, items [][]byte) error {
	l := tx.newList(e)
	if err := l.Push(Tail, items...); err != nil {
		return err
	}
	l.settle()
	l.Save()
	return nil
}
