package storage

import (
	"cobble/slots"
	"cobble/storage/format"
)

// Delete deletes key and reports whether it was there.
func (tx *Tx) Delete(key []byte) (bool, error) {
	e, err := tx.Lookup(key)
	if err != nil || !e.Live {
		return false, err
	}
	tx.remove(&e)
	return true, nil
}

// Rename gives the value of from, with its expiry, to the key to, whatever that
// held; with ifAbsent only if that is not there. It reports whether it did, or
// ErrNoKey. Within a slot only metadata rows are written.
func (tx *Tx) Rename(from, to []byte, ifAbsent bool) (bool, error) {
	source, err := tx.Lookup(from)
	if err != nil {
		return false, err
	}
	if !source.Live {
		return false, ErrNoKey
	}
	if string(from) == string(to) {
		return !ifAbsent, nil
	}
	target, err := tx.Lookup(to)
	if err != nil || ifAbsent && target.Live {
		return false, err
	}
	if source.Slot != target.Slot {
		if err := tx.copyValue(&source, &target); err != nil {
			return false, err
		}
		tx.remove(&source)
		return true, nil
	}
	target.Meta = source.Meta
	if tx.engine.table.Counts() {
		_, frequency, _ := tx.IdleTime(from)
		tx.SetUsage(to, -1, int64(frequency))
	}
	mark := tx.Mark()
	tx.detach(&source)
	tx.save(&target)
	if target.Meta.Layout != format.Inline {
		tx.explain(mark, []byte("RENAME"), from, to)
	}
	return true, nil
}

// Copy gives a copy of the value of from, with its expiry, to the key to, which
// must be another; unless replace, only if that is not there. It reports whether
// it did.
func (tx *Tx) Copy(from, to []byte, replace bool) (bool, error) {
	source, err := tx.Lookup(from)
	if err != nil || !source.Live {
		return false, err
	}
	target, err := tx.Lookup(to)
	if err != nil || target.Live && !replace {
		return false, err
	}
	if m := &source.Meta; m.Layout != format.Inline {
		if err := tx.Long(int64(m.Count), int64(m.Bytes), []byte("COPY"), from, to, []byte("REPLACE")); err != nil {
			return false, err
		}
	}
	if tx.engine.table.Counts() {
		tx.SetUsage(to, -1, NewFrequency)
	}
	return true, tx.copyValue(&source, &target)
}

// copyValue saves in target what source holds. Element rows are copied as they
// are, under a new object id: no type keeps its slot or its id in them.
func (tx *Tx) copyValue(source, target *Entry) error {
	if tx.frozen == nil && tooLargeToCopy(&source.Meta, tx.engine.opts.RecordBytes) {
		return ErrRecordLimit
	}
	target.Meta = source.Meta
	if source.Meta.Layout != format.Inline {
		target.Meta.OID = tx.newOID(target.Slot)
		ranges, err := objectRanges(source.Slot, &source.Meta)
		if err != nil {
			return err
		}
		if tx.engine.opts.mutant.trimCopied {
			ranges = []rowRange{{format.AppendObject(nil, uint16(source.Slot), source.Meta.OID), format.AppendObject(nil, uint16(source.Slot), source.Meta.OID+1)}}
		}
		for _, r := range ranges {
			if err := tx.copyRows(r, target); err != nil {
				return err
			}
		}
	}
	tx.save(target)
	return nil
}

// tooLargeToCopy reports whether the copy of a value is sure to need more than one
// record: then it is refused at once, not when so much is in memory.
func tooLargeToCopy(m *format.Meta, limit int64) bool {
	rows, bytes := m.Count, m.Bytes
	if m.Type == format.ZSet {
		rows, bytes = 2*rows, 2*bytes
	}
	return m.Layout != format.Inline && rows*(format.ElementPrefix+3)+bytes > uint64(limit)
}

// copyRows copies rows of an object to that of target.
func (tx *Tx) copyRows(r rowRange, target *Entry) error {
	it := tx.iter(r.lo, r.hi)
	key := format.AppendObject(nil, uint16(target.Slot), target.Meta.OID)
	prefix := len(key)
	for ok := it.First(); ok && tx.err == nil; ok = it.Next() {
		key = append(key[:prefix], it.Key()[prefix:]...)
		tx.putRow(key, it.Value())
	}
	return it.Close()
}

// EachKey calls f for the live keys of slot in the order of their hashes, from
// hash on, until f returns false. Key and m are valid during the call.
func (tx *Tx) EachKey(slot slots.Slot, hash uint64, f func(hash uint64, key []byte, m *format.Meta) bool) error {
	lo := format.AppendMetaBound(nil, uint16(slot), 0, hash)
	it := tx.iter(lo, format.AppendKind(nil, uint16(slot), format.KindMeta+1))
	var m format.Meta
	for ok := it.First(); ok; ok = it.Next() {
		_, db, h, key, isMeta := format.SplitMetaKey(it.Key())
		if !isMeta || db != 0 {
			break
		}
		if err := m.Decode(it.Value()); err != nil {
			_ = it.Close()
			return err
		}
		if expired(&m, tx.now) {
			continue
		}
		if !f(h, key, &m) {
			break
		}
	}
	return it.Close()
}

// KeysInSlot returns copies of up to limit live keys of slot.
func (tx *Tx) KeysInSlot(slot slots.Slot, limit int) ([][]byte, error) {
	var keys [][]byte
	if limit <= 0 {
		return nil, nil
	}
	err := tx.EachKey(slot, 0, func(_ uint64, key []byte, _ *format.Meta) bool {
		keys = append(keys, append([]byte(nil), key...))
		return len(keys) < limit
	})
	return keys, err
}

// RandomKey returns a live key of slot: one of the first few that follow random in
// hash order, so that a key behind a gap is not favoured much.
func (tx *Tx) RandomKey(slot slots.Slot, random uint64) (key []byte, ok bool, err error) {
	const neighbours = 16
	var keys [][]byte
	take := func(_ uint64, key []byte, _ *format.Meta) bool {
		keys = append(keys, append([]byte(nil), key...))
		return len(keys) < neighbours
	}
	if err := tx.EachKey(slot, random, take); err != nil {
		return nil, false, err
	}
	if len(keys) < neighbours { // around the end, to where it began
		err := tx.EachKey(slot, 0, func(hash uint64, key []byte, m *format.Meta) bool {
			return hash < random && take(hash, key, m)
		})
		if err != nil {
			return nil, false, err
		}
	}
	if len(keys) == 0 {
		return nil, false, nil
	}
	return keys[random%uint64(len(keys))], true, nil
}
