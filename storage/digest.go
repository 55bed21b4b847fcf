package storage

import (
	"crypto/sha1"
	"encoding/binary"

	"cobble/slots"
	"cobble/storage/format"
)

// Digest sums up a value, or a data set, as DEBUG DIGEST-VALUE and DEBUG DIGEST of
// Redis do, bit for bit: it depends on the contents and on whether there is an
// expiry, not on the order or the layout in which they are kept.
type Digest [sha1.Size]byte

// xor mixes b in so that order does not matter.
func (d *Digest) xor(b []byte) {
	sum := sha1.Sum(b)
	for i := range d {
		d[i] ^= sum[i]
	}
}

// mix mixes b in so that order matters.
func (d *Digest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:])
}

// The numbers of types in a digest are those of Redis's OBJ_… constants.
var digestType = [...]uint32{format.String: 0, format.List: 1, format.Set: 2, format.ZSet: 3, format.HashType: 4, format.Stream: 6}

// DigestValue returns the digest of a key's value, zeros if there is no such key.
func (tx *Tx) DigestValue(key []byte) (Digest, error) {
	var d Digest
	e, err := tx.Lookup(key)
	if err != nil || !e.Live {
		return d, err
	}
	err = tx.digest(&d, &e)
	return d, err
}

// digest mixes a live value into d.
func (tx *Tx) digest(d *Digest, e *Entry) error {
	var number [4]byte
	if int(e.Meta.Type) >= len(digestType) {
		return format.ErrCorrupt
	}
	binary.BigEndian.PutUint32(number[:], digestType[e.Meta.Type])
	d.mix(number[:])
	switch e.Meta.Type {
	case format.String:
		value, err := tx.stringBytes(e)
		if err != nil {
			return err
		}
		d.mix(value)
	case format.HashType:
		h := tx.hashOf(e)
		w := h.Walk()
		for w.Next() {
			var pair Digest
			pair.mix(w.Field())
			pair.mix(w.Value())
			if e.Meta.FieldsAt != 0 && w.Deadline() != 0 {
				pair.xor([]byte("!!hexpire!!"))
			}
			d.xor(pair[:])
		}
		if err := w.Close(); err != nil {
			return err
		}
	case format.List:
		l, err := tx.listOf(e)
		if err != nil {
			return err
		}
		w := l.Walk(Head, 0, l.Len())
		for w.Next() {
			d.mix(w.Value())
		}
		if err := w.Close(); err != nil {
			return err
		}
	case format.Set:
		s, err := tx.setOf(e)
		if err != nil {
			return err
		}
		w := s.Walk()
		for w.Next() {
			d.xor(w.Member())
		}
		if err := w.Close(); err != nil {
			return err
		}
	case format.Stream:
		if err := tx.digestStream(d, e); err != nil {
			return err
		}
	case format.ZSet:
		if err := tx.digestZSet(d, e); err != nil {
			return err
		}
	default:
		return ErrUnknownValue
	}
	if e.Meta.ExpireAt != 0 {
		d.xor([]byte("!!expire!!"))
	}
	return nil
}

// Digest returns the digest of all keys of the slots for which in is true (nil:
// all), and the position to be Awaited before it is told to anybody. Each slot is
// seen at one moment; the slots are not all seen at the same one.
func (e *Engine) Digest(now int64, in func(slots.Slot) bool) (Digest, LSN, error) {
	var all Digest
	var last LSN
	found := false
	for slot := range slots.Slot(slots.Count) {
		if in != nil && !in(slot) || e.KeysIn(slot) == 0 {
			continue
		}
		var part Digest
		lsn, err := e.View(now, slot, OpFunc(func(tx *Tx) (err error) {
			part, err = tx.digestSlot(slot)
			return err
		}))
		if err != nil {
			return all, last, err
		}
		last = max(last, lsn)
		for i := range all {
			all[i] ^= part[i]
		}
		found = found || part != Digest{}
	}
	if found {
		var database Digest
		database.mix(make([]byte, 4)) // the number of the only one
		for i := range all {
			all[i] ^= database[i]
		}
	}
	return all, last, nil
}

// digestSlot returns the keys of a slot, mixed without order.
func (tx *Tx) digestSlot(slot slots.Slot) (Digest, error) {
	var sum Digest
	var failed error
	err := tx.EachKey(slot, 0, func(_ uint64, key []byte, m *format.Meta) bool {
		var one Digest
		one.mix(key)
		failed = tx.digest(&one, &Entry{Key: key, Slot: slot, Meta: *m, Live: true})
		sum.xor(one[:])
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	return sum, err
}
