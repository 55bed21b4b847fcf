package storage

import (
	"bytes"
	"math/bits"

	"cobble/pieces"
	"cobble/storage/format"
)

type writeState uint8

const (
	unwritten writeState = iota
	written
	deleted
)

// writeSet is the private effect of one transaction, in order. A row written
// twice stands in it twice; the later one wins.
type writeSet struct {
	ops   []writeOp
	arena []byte
	index opIndex // last op of a row; empty while the set is small
	// ranges says that there may be deletions of ranges.
	ranges bool
}

type writeOp struct {
	op         byte
	key, value uint32 // start in arena
	klen, vlen uint32
}

const (
	// Up to this many operations a backward scan is cheaper than a map.
	smallWriteSet = 12
	// A larger arena is not kept for the next transaction.
	maxKeptArena = 1 << 20
)

func uvarintLen(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

func (w *writeSet) len() int { return len(w.ops) }

func (w *writeSet) reset() {
	if cap(w.arena) > maxKeptArena {
		w.arena = nil
	}
	w.ops, w.ranges = w.ops[:0], false
	w.index.clear()
	w.arena = format.AppendWriteSetHeader(w.arena[:0])
}

// payload is the write set as a log record carries it: arena is built in that format.
func (w *writeSet) payload() []byte { return w.arena }

func (w *writeSet) keyOf(o writeOp) []byte { return w.arena[o.key : o.key+o.klen : o.key+o.klen] }
func (w *writeSet) valueOf(o writeOp) []byte {
	return w.arena[o.value : o.value+o.vlen : o.value+o.vlen]
}

func (w *writeSet) add(op byte, key, value []byte) {
	w.arena = pieces.Grow(w.arena, 1+uvarintLen(len(key))+len(key)+uvarintLen(len(value))+len(value))
	switch op {
	case format.OpSet:
		w.arena = format.AppendSet(w.arena, key, value)
	case format.OpDelete:
		w.arena = format.AppendDelete(w.arena, key)
	default:
		w.arena = format.AppendDeleteRange(w.arena, key, value)
	}
	end := len(w.arena)
	o := writeOp{op: op, value: uint32(end - len(value)), klen: uint32(len(key)), vlen: uint32(len(value))}
	o.key = o.value - o.klen
	if op != format.OpDelete {
		o.key -= uint32(uvarintLen(len(value)))
	}
	w.ops = append(w.ops, o)
	if w.index.used > 0 {
		w.note(len(w.ops) - 1)
	} else if len(w.ops) > smallWriteSet {
		w.reindex()
	}
}

func (w *writeSet) note(i int) {
	o := w.ops[i]
	if o.op == format.OpDeleteRange {
		return // get looks at range deletes by itself
	}
	w.index.put(w, w.keyOf(o), uint32(i))
}

func (w *writeSet) reindex() {
	w.index.clear()
	for i := range w.ops {
		w.note(i)
	}
}

// reserve makes room for n more bytes at once.
func (w *writeSet) reserve(n int) { w.arena = pieces.Grow(w.arena, n) }

func (w *writeSet) put(key, value []byte) { w.add(format.OpSet, key, value) }
func (w *writeSet) del(key []byte)        { w.add(format.OpDelete, key, nil) }

func (w *writeSet) delRange(lo, hi []byte) {
	w.ranges = true
	w.add(format.OpDeleteRange, lo, hi)
}

func (w *writeSet) get(key []byte) ([]byte, writeState) {
	if w.index.used > 0 {
		i, ok := w.index.find(w, key)
		if !ok {
			return nil, unwritten
		}
		return w.result(w.ops[i])
	}
	for i := len(w.ops) - 1; i >= 0; i-- {
		if o := w.ops[i]; o.op != format.OpDeleteRange && bytes.Equal(w.keyOf(o), key) {
			return w.result(o)
		}
	}
	return nil, unwritten
}

func (w *writeSet) result(o writeOp) ([]byte, writeState) {
	if o.op == format.OpDelete {
		return nil, deleted
	}
	return w.valueOf(o), written
}

func (w *writeSet) cut(n int) {
	if n == len(w.ops) {
		return
	}
	w.ops = w.ops[:n]
	if n == 0 {
		w.reset()
		return
	}
	last := w.ops[n-1]
	w.arena = w.arena[:last.value+last.vlen]
	if w.index.used > 0 {
		w.reindex()
	}
}
