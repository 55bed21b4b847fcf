package storage

import (
	"cobble/storage/cache"
	"cobble/storage/format"
)

// expectPop prepares for the elements of two positions to be popped by the next commands: what they wait for is
// memory. An element is found by way of a cell, which must have come first.
func (l *List) expectPop(next, after uint64) {
	if l.tx.hurried { // else there may be no next command
		l.tx.engine.table.PrefetchEntry(l.hint(next))
		l.tx.engine.table.PrefetchCell(l.hint(after))
	}
}

// expectPush prepares for the next command to push an element at the same end.
func (l *List) expectPush(end End) {
	if !l.tx.hurried {
		return
	}
	next := l.x.Head - format.ListStride
	if end == Tail {
		next = l.x.Tail + format.ListStride
	}
	l.tx.engine.table.PrefetchCell(l.hint(next))
}

func (l *List) hint(pos uint64) cache.Hint {
	k := tableKey(l.rowKey(pos))
	return cache.Hint{Slot: k.Slot, Hash: k.Hash}
}
