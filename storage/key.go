package storage

import (
	"cobble/slots"
	"cobble/storage/format"
)

// Entry is one key as a transaction sees it. Change Meta and call save to write
// it, or call remove to delete it.
type Entry struct {
	Key  []byte
	Slot slots.Slot
	Meta format.Meta
	Live bool // the key exists and has not expired

	hash uint64      // format.Hash(Key)
	row  bool        // a metadata row exists, perhaps of an expired key
	disk format.Meta // that row, as it was read; of one this transaction saved the slices may be stale, but for their lengths
}

// Objects of up to this many element rows are deleted row by row with the command
// that drops them; larger ones are queued for the garbage collector. (Thousands of
// small range tombstones make every later read slow, one large one does not.)
const pointDeleteRows = 512

// Lookup reads the metadata of key. An expired key is not Live, whoever asks; a
// transaction that may write removes it on the way, else the sweeper will. (Only
// primaries run such transactions: a replica hides the key until it is told.)
func (tx *Tx) Lookup(key []byte) (Entry, error) {
	var e Entry
	err := tx.lookup(&e, key)
	return e, err
}

// lookup is Lookup into an entry that is zero: an entry is large, and costs more to copy
// than to find.
func (tx *Tx) lookup(e *Entry, key []byte) error {
	value, err := tx.lookupRow(e, key)
	if err == nil && e.Live {
		return e.Meta.Decode(value) // faster than a copy of what was just stored
	}
	return err
}

// lookupRow is lookup for who replaces the value whatever it is: it returns the row, and leaves Meta as it was.
func (tx *Tx) lookupRow(e *Entry, key []byte) ([]byte, error) {
	e.Key, e.Slot, e.hash = key, tx.slotOf(key), format.Hash(key)
	value, ok, err := tx.getRow(tx.metaKey(e))
	if err != nil || !ok {
		tx.misses++
		return nil, err
	}
	if err := e.disk.Decode(value); err != nil {
		return nil, err
	}
	e.row = true
	if !expired(&e.disk, tx.now) {
		tx.hits++
		e.Live = true
		return value, nil
	}
	tx.misses++
	if tx.writable {
		tx.expired++
		tx.remove(e)
		tx.Note(EventExpired, "expired", key)
	}
	return nil, nil
}

// expired reports whether a key's time is over: in the millisecond that it names it
// still lives, as in Redis (keyIsExpired).
func expired(m *format.Meta, now int64) bool { return m.ExpireAt != 0 && m.ExpireAt < now }

// metaKey builds the row key of e's metadata; it is valid until the next row key is built.
func (tx *Tx) metaKey(e *Entry) []byte {
	tx.scratch = append(format.AppendMetaBound(tx.scratch[:0], uint16(e.Slot), 0, e.hash), e.Key...)
	return tx.scratch
}

// expiryKey builds the key of e's expiry row due at ms, likewise.
func (tx *Tx) expiryKey(e *Entry, ms int64) []byte {
	tx.scratch = format.AppendExpiryKey(tx.scratch[:0], uint16(e.Slot), ms, format.ExpiresKey, 0, e.Key)
	return tx.scratch
}

// fieldsKey builds the key of the row that files the fields of e that expire under ms, likewise.
func (tx *Tx) fieldsKey(e *Entry, ms int64) []byte {
	tx.scratch = format.AppendExpiryKey(tx.scratch[:0], uint16(e.Slot), ms, format.ExpiresField, 0, e.Key)
	return tx.scratch
}

// LookupType is Lookup, and ErrWrongType if the key is live and holds another type.
func (tx *Tx) LookupType(key []byte, want format.Type) (Entry, error) {
	var e Entry
	err := tx.lookupType(&e, key, want)
	return e, err
}

// lookupType is LookupType into an entry that is zero.
func (tx *Tx) lookupType(e *Entry, key []byte, want format.Type) error {
	err := tx.lookup(e, key)
	if err == nil && e.Live && e.Meta.Type != want {
		err = ErrWrongType
	}
	return err
}

// save writes e.Meta as the key's metadata, keeping the counters, the expiry index
// and the element rows of a value that it replaces right. Afterwards e is Live.
func (tx *Tx) save(e *Entry) {
	tx.saveLast(e)
	e.row, e.Live, e.disk = true, true, e.Meta
}

// saveLast is save of an entry that is not used any more.
func (tx *Tx) saveLast(e *Entry) {
	d := tx.deltaOf(e.Slot)
	if !e.row {
		d.keys++
	}
	if e.row && e.disk.Layout != format.Inline && (e.Meta.Layout == format.Inline || e.Meta.OID != e.disk.OID) {
		tx.dropObject(e.Slot, &e.disk)
	}
	if had, has := e.row && e.disk.ExpireAt != 0, e.Meta.ExpireAt != 0; had != has {
		if has {
			d.expires++
		} else {
			d.expires--
		}
	}
	if tx.frozen != nil && e.Meta.Layout != format.Inline {
		tx.frozen.use(e.Slot, e.Meta.OID)
	}
	tx.reindexExpiry(e)
	if e.Meta.FieldsAt != e.disk.FieldsAt {
		tx.refileFields(e, e.Meta.FieldsAt)
	}
	e.Meta.Version = e.disk.Version + 1
	tx.value = e.Meta.Append(tx.value[:0])
	tx.putRow(tx.metaKey(e), tx.value)
	d = tx.deltaOf(e.Slot)
	d.bytes += payload(&e.Meta, len(e.Key))
	if e.row {
		d.bytes -= payload(&e.disk, len(e.Key))
	}
}

// payload is what a key counts for in its slot's bytes.
func payload(m *format.Meta, keyLen int) int64 {
	if m.Layout == format.Inline {
		return int64(keyLen + len(m.Inline))
	}
	return int64(keyLen) + int64(m.Bytes)
}

// reindexExpiry writes an expiry row only when the key now expires earlier than
// the row it has says; the sweeper re-files a row that fires too early. A sliding
// expiry so costs one index write a period, not one a touch.
func (tx *Tx) reindexExpiry(e *Entry) {
	at, indexed := e.Meta.ExpireAt, int64(0)
	if e.row {
		indexed = e.disk.IndexAt
	}
	e.Meta.IndexAt = indexed
	if at != 0 && indexed != 0 && indexed <= at || at == 0 && indexed == 0 {
		return
	}
	if indexed != 0 {
		tx.delRow(tx.expiryKey(e, indexed))
	}
	if at != 0 {
		tx.putRow(tx.expiryKey(e, at), nil)
	}
	e.Meta.IndexAt = at
}

// refileFields changes under which time the fields of a hash that expire are
// filed, 0 for none, from what the metadata row says.
func (tx *Tx) refileFields(e *Entry, at int64) {
	d, old := tx.deltaOf(e.Slot), e.disk.FieldsAt
	if old != 0 {
		tx.delRow(tx.fieldsKey(e, old))
		d.subExpires--
	}
	if at != 0 {
		tx.putRow(tx.fieldsKey(e, at), nil)
		d.subExpires++
	}
}

// remove deletes the key, live or expired, with everything it owns.
func (tx *Tx) remove(e *Entry) {
	if e.row && e.disk.Layout != format.Inline {
		tx.dropObject(e.Slot, &e.disk)
	}
	tx.detach(e)
}

// detach deletes the key but leaves its element rows to another.
func (tx *Tx) detach(e *Entry) {
	if !e.row {
		return
	}
	d := tx.deltaOf(e.Slot)
	d.keys--
	d.bytes -= payload(&e.disk, len(e.Key))
	if e.disk.ExpireAt != 0 {
		d.expires--
	}
	if e.disk.IndexAt != 0 {
		tx.delRow(tx.expiryKey(e, e.disk.IndexAt))
	}
	if e.disk.FieldsAt != 0 {
		tx.refileFields(e, 0)
	}
	tx.delRow(tx.metaKey(e))
	e.row, e.Live, e.Meta, e.disk = false, false, format.Meta{}, format.Meta{Version: e.disk.Version}
}

// dropObject deletes the element rows of an object that nothing will reach any more.
func (tx *Tx) dropObject(slot slots.Slot, m *format.Meta) {
	trimmed := false // a part of it waits for the collector
	var err error
	if m.Type == format.Stream {
		_, trimmed, err = tx.getRow(format.AppendGarbagePart(nil, uint16(slot), m.OID, format.SubStreamEntry))
		tx.fail(err)
	}
	if m.Count > pointDeleteRows || trimmed {
		tx.putRow(format.AppendGarbageKey(nil, uint16(slot), m.OID), nil)
		return
	}
	ranges, err := objectRanges(slot, m)
	tx.fail(err)
	for _, r := range ranges {
		it := tx.iter(r.lo, r.hi)
		for ok := it.First(); ok; ok = it.Next() {
			tx.delRow(it.Key())
		}
		tx.fail(it.Close())
	}
}

// objectRanges returns the ranges that the rows of an object are in, its elements in
// the last. A queue has left many deleted rows outside of them, and a stream
// entries that were trimmed.
func objectRanges(slot slots.Slot, m *format.Meta) ([]rowRange, error) {
	if m.Type == format.Stream {
		return streamRanges(slot, m)
	}
	if m.Type != format.List {
		return []rowRange{{format.AppendObject(nil, uint16(slot), m.OID), format.AppendObject(nil, uint16(slot), m.OID+1)}}, nil
	}
	var x format.ListExtra
	err := x.Decode(m.Extra)
	elements := rowRange{format.AppendListElement(nil, uint16(slot), m.OID, x.Head), append(format.AppendListElement(nil, uint16(slot), m.OID, x.Tail), 0)}
	if x.Leaves == 0 {
		return []rowRange{elements}, err
	}
	leaves := rowRange{format.AppendElement(nil, uint16(slot), m.OID, format.SubLeaf), format.AppendElement(nil, uint16(slot), m.OID, format.SubLeaf+1)}
	return []rowRange{leaves, elements}, err
}

// streamRanges is objectRanges of a stream.
func streamRanges(slot slots.Slot, m *format.Meta) ([]rowRange, error) {
	var x format.StreamExtra
	if err := x.Decode(m.Extra); err != nil {
		return nil, err
	}
	entries := format.AppendElement(nil, uint16(slot), m.OID, format.SubStreamEntry)
	others := format.AppendElement(nil, uint16(slot), m.OID, format.SubStreamEntry+1)
	first := format.AppendStreamID(entries, x.First)
	if m.Count == 0 {
		first = others
	}
	return []rowRange{{others, format.AppendObject(nil, uint16(slot), m.OID+1)}, {first, others}}, nil
}
