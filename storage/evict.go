package storage

import (
	"encoding/binary"

	"cobble/slots"
	"cobble/storage/format"
)

// keyOverhead is what a key counts for in DataBytes beside its name and value.
const keyOverhead = 48

func dataShare(keys, bytes int64) int64 { return keys*keyOverhead + bytes }

// DataBytes returns what maxmemory bounds: the bytes of all keys and values, in
// memory or not, and a fixed share for each key. It takes no lock.
func (e *Engine) DataBytes() int64 { return e.dataBytes.Load() }

// CountUses says whether the uses of keys are counted for an LFU policy, and how:
// lfu-log-factor and lfu-decay-time (minutes).
func (e *Engine) CountUses(on bool, logFactor, decayMinutes uint32) {
	e.table.SetFrequency(on, logFactor, decayMinutes)
}

// EvictionOrder says which keys go first.
type EvictionOrder uint8

// The orders of Redis's maxmemory policies.
const (
	EvictRandom EvictionOrder = iota
	EvictLRU                  // longest not used
	EvictLFU                  // least often used
	EvictTTL                  // next to expire
)

// Candidate is a key that may be evicted. The greatest Score goes first.
type Candidate struct {
	Slot  slots.Slot
	Key   []byte
	Score uint64
}

// unused is the score of a key whose row is not in memory: everything that was used
// lately is.
const unused = 1 << 32

// Candidates returns up to n keys of slot from a random place on; with volatile only
// keys that expire. The place is chosen by random.
func (e *Engine) Candidates(now int64, slot slots.Slot, order EvictionOrder, volatile bool, n int, random uint64) ([]Candidate, error) {
	op := &sampleOp{slot: slot, order: order, n: n, random: random}
	run := op.all
	if volatile {
		run = op.volatile
	}
	_, err := e.View(now, slot, OpFunc(run))
	return op.found, err
}

// sampleOp gathers candidates.
type sampleOp struct {
	slot   slots.Slot
	order  EvictionOrder
	n      int
	random uint64
	found  []Candidate
}

// all takes the keys that follow a random hash, and goes around the end.
func (op *sampleOp) all(tx *Tx) error {
	op.found = op.found[:0]
	take := func(_ uint64, key []byte, m *format.Meta) bool {
		op.add(tx, key, m.ExpireAt)
		return len(op.found) < op.n
	}
	err := tx.EachKey(op.slot, op.random, take)
	if err == nil && len(op.found) < op.n {
		err = tx.EachKey(op.slot, 0, func(hash uint64, key []byte, m *format.Meta) bool {
			return hash < op.random && take(hash, key, m)
		})
	}
	return err
}

// volatile takes keys from the expiry index: the first for EvictTTL, else those
// that follow a random time between the first and the last.
func (op *sampleOp) volatile(tx *Tx) error {
	op.found = op.found[:0]
	lo := format.AppendKind(nil, uint16(op.slot), format.KindExpiry)
	it := tx.iter(lo, format.AppendKind(nil, uint16(op.slot), format.KindExpiry+1))
	ok := it.First()
	if ok && op.order != EvictTTL {
		_, first, _, _, _, _ := format.SplitExpiryKey(it.Key())
		it.Last()
		_, last, _, _, _, _ := format.SplitExpiryKey(it.Key())
		from := first + int64(op.random%uint64(last-first+1))
		ok = it.SeekGE(binary.BigEndian.AppendUint64(lo, uint64(from)))
	}
	for ; ok && len(op.found) < op.n; ok = it.Next() {
		if _, at, what, _, key, is := format.SplitExpiryKey(it.Key()); is && what == format.ExpiresKey {
			op.add(tx, key, at)
		}
	}
	return it.Close()
}

func (op *sampleOp) add(tx *Tx, key []byte, expireAt int64) {
	c := Candidate{Slot: op.slot, Key: append([]byte(nil), key...)}
	idle, frequency, known := tx.IdleTime(key)
	switch {
	case op.order == EvictTTL:
		c.Score = ^uint64(expireAt)
	case op.order == EvictRandom:
		c.Score = op.random
	case !known:
		c.Score = unused
	case op.order == EvictLRU:
		c.Score = uint64(idle)
	default:
		c.Score = uint64(255 - frequency)
	}
	op.found = append(op.found, c)
}

// Evict deletes a candidate, as DEL does, and reports whether it did. With
// volatile it leaves a key that does not expire any more, and always one that is held:
// all who need room would wait for who holds it.
func (e *Engine) Evict(now int64, c Candidate, volatile bool) (evicted bool, err error) {
	_, err = e.Update(now, []slots.Slot{c.Slot}, OpFunc(func(tx *Tx) error {
		evicted = false
		if e.holds.has(c.Key) {
			return nil
		}
		tx.Touch(false)
		entry, err := tx.Lookup(c.Key)
		if err != nil || !entry.Live || volatile && entry.Meta.ExpireAt == 0 {
			return err
		}
		tx.remove(&entry)
		tx.Note(EventEvicted, "evicted", c.Key)
		evicted = true
		return nil
	}))
	return evicted && err == nil, err
}
