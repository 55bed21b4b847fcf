package storage

import (
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// A list of up to inlineListElements elements whose listpack has up to
// inlineListBytes bytes stands in its metadata row, which each change writes whole.
// Any other list has a row for each element (format.AppendListElement), and stays
// so: Count is its elements, Bytes what they would take in a listpack.
const (
	inlineListElements = 128
	inlineListBytes    = 1 << 10
)

// List is a list key as a transaction sees it. Changes are in the transaction only
// after Save. It is a value for one command: while it is in use nothing else may
// change the key, nor may another inline value be changed.
type List struct {
	tx      *Tx
	e       Entry
	lp      []byte // layout Inline: the listpack; nil for a list of no elements
	own     bool   // lp is in tx.build and may be changed in place
	changed bool
	dropped bool             // layout Rows: all elements went, their rows did not
	x       format.ListExtra // layout Rows, if Count > 0
	leaves  leafChanges      // layout Rows; dir is nil until it is needed
}

// List looks key up; a key that does not exist is a list without elements.
func (tx *Tx) List(key []byte) (l List, err error) {
	l.tx = tx
	if err = tx.lookupType(&l.e, key, format.List); err == nil {
		err = l.open()
	}
	return l, err
}

// listOf returns the list of a key that holds one, or does not exist.
func (tx *Tx) listOf(e *Entry) (List, error) {
	l := List{tx: tx, e: *e}
	return l, l.open()
}

// open takes apart what e says.
func (l *List) open() error {
	switch {
	case !l.e.Live:
		l.e.Meta = format.Meta{Type: format.List, Enc: format.EncListpack}
	case l.inline():
		l.lp = l.e.Meta.Inline
	default:
		return l.x.Decode(l.e.Meta.Extra)
	}
	return nil
}

// Live reports whether the key exists.
func (l *List) Live() bool { return l.e.Live }

// Len returns the number of elements.
func (l *List) Len() int64 {
	if l.inline() {
		return int64(listpack.Count(l.lp))
	}
	return int64(l.e.Meta.Count)
}

// Size returns the bytes of the elements, about.
func (l *List) Size() int64 { return l.lpBytes() }

func (l *List) inline() bool { return l.e.Meta.Layout == format.Inline }

func (l *List) dense() bool { return l.e.Meta.Flags&format.FlagListDense != 0 }

// End is one of the two ends of a list.
type End bool

// The ends.
const (
	Head End = false
	Tail End = true
)

// Push puts values at an end, one after the other. They must not alias what a
// method of the list returned.
func (l *List) Push(end End, values ...[]byte) error {
	l.changed = true
	l.grow(values...)
	for _, value := range values {
		if l.inline() {
			size := max(len(l.lp), listpack.MinSize) + listpack.ElementSize(value)
			if size <= inlineListBytes && l.Len() < inlineListElements {
				l.makeOwn()
				at := listpack.HeaderSize
				if end == Tail {
					at = len(l.lp) - 1
				}
				l.replace(at, at, value)
				continue
			}
			if err := l.toRows(); err != nil {
				return err
			}
		}
		if l.atLimit(end) {
			if err := l.renumber(); err != nil {
				return err
			}
		}
		if err := l.pushRow(end, value); err != nil {
			return err
		}
	}
	if !l.inline() {
		l.expectPush(end)
	}
	return nil
}

// pushRow is Push, layout Rows.
func (l *List) pushRow(end End, value []byte) error {
	m := &l.e.Meta
	pos := uint64(format.ListMiddle)
	switch {
	case m.Count == 0 && l.x.High == 0:
		l.x = format.ListExtra{Head: pos, Tail: pos, Low: pos, High: pos}
	case m.Count == 0: // the last element went in this command, its object and what may be left around it did not
		l.x.Head, l.x.Tail, l.x.Low, l.x.High = pos, pos, min(pos, l.x.Low), max(pos, l.x.High)
	case end == Tail:
		pos = l.x.Tail + format.ListStride
		if err := l.clear(l.x.Tail+1, min(pos, l.x.High)); err != nil {
			return err
		}
		l.x.Tail, l.x.High = pos, max(pos, l.x.High)
	default:
		pos = l.x.Head - format.ListStride
		if err := l.clear(max(pos, l.x.Low), l.x.Head-1); err != nil {
			return err
		}
		l.x.Head, l.x.Low = pos, min(pos, l.x.Low)
	}
	l.tx.putRow(l.rowKey(pos), value)
	m.Count++
	m.Bytes += uint64(listpack.ElementSize(value))
	return l.count(pos, 1)
}

// atLimit reports whether there is no position left beyond an end.
func (l *List) atLimit(end End) bool {
	if l.e.Meta.Count == 0 {
		return false
	}
	if end == Head {
		return l.x.Head < 2*format.ListStride
	}
	return l.x.Tail > 1<<64-1-2*format.ListStride
}

func (l *List) rowKey(pos uint64) []byte {
	l.tx.scratch = format.AppendListElement(l.tx.scratch[:0], uint16(l.e.Slot), l.e.Meta.OID, pos)
	return l.tx.scratch
}

// replace puts value between two offsets of the listpack, which the list owns.
func (l *List) replace(at, to int, value []byte) {
	l.lp = listpack.Replace(l.lp, at, to, value)
	l.tx.build = l.lp
}

// makeOwn copies the listpack to where it may be changed.
func (l *List) makeOwn() {
	switch {
	case l.own:
		return
	case l.lp == nil:
		l.tx.build = listpack.New(l.tx.build[:0])
	default:
		l.tx.build = append(l.tx.build[:0], l.lp...)
	}
	l.lp, l.own = l.tx.build, true
}

// toRows changes the layout from Inline to Rows.
func (l *List) toRows() error {
	lp := l.lp
	l.begin()
	if lp == nil {
		return nil
	}
	c := listpack.Walk(lp)
	for {
		v, ok := c.Next()
		if !ok {
			return c.Err()
		}
		if err := l.pushRow(Tail, l.tx.text(v, 0)); err != nil {
			return err
		}
	}
}

// begin makes the list an empty one of layout Rows with an object id of its own.
func (l *List) begin() {
	m := &l.e.Meta
	m.Layout, m.Inline, m.OID = format.Rows, nil, l.tx.newOID(l.e.Slot)
	m.Flags = m.Flags&^format.FlagListAbout | format.FlagListDense
	m.Count, m.Bytes = 0, 0
	l.lp, l.own = nil, false
	l.x, l.leaves = format.ListExtra{}, leafChanges{}
}

// renumber copies the elements to positions of their own, in the middle again.
func (l *List) renumber() error { return l.move(0, l.Len()) }

// Index returns the element at an index, from the tail if it is negative. It is
// valid until the next call of a method.
func (l *List) Index(i int64) (value []byte, ok bool, err error) {
	n := l.Len()
	end := Head
	if i < 0 {
		end, i = Tail, -(i + 1)
	}
	if i >= n {
		return nil, false, nil
	}
	w := l.Walk(end, i, 1)
	if w.Next() {
		value, ok = l.tx.keep(w.Value()), true // the walk's own value ends with it
	}
	return value, ok, w.Close()
}

// Set replaces the element at an index, from the tail if it is negative, and
// reports whether there is one.
func (l *List) Set(i int64, value []byte) (bool, error) {
	if n := l.Len(); i >= n || i < -n {
		return false, nil
	}
	l.grow(value)
	if i < 0 {
		i += l.Len()
	}
	at, err := l.seek(i)
	if err != nil {
		return false, err
	}
	l.changed = true
	if l.inline() {
		if len(l.lp)-(at.end-at.start)+listpack.ElementSize(value) <= inlineListBytes {
			l.makeOwn()
			l.replace(at.start, at.end, value)
			return true, l.shrink()
		}
		if err := l.toRows(); err != nil {
			return false, err
		}
		if at, err = l.seek(i); err != nil {
			return false, err
		}
	}
	l.e.Meta.Bytes += uint64(listpack.ElementSize(value))
	l.less(uint64(at.size))
	mark := l.tx.Mark()
	l.tx.putRow(l.rowKey(at.pos), value)
	l.tx.explain(mark, []byte("LSET"), l.e.Key, decimal(i), value)
	return true, l.shrink()
}

// listPlace says where an element is.
type listPlace struct {
	size       int    // of the element, as listpack.ElementSize has it
	pos        uint64 // layout Rows
	start, end int    // layout Inline: offsets in the listpack
}

// seek finds the element with index i, which there is.
func (l *List) seek(i int64) (at listPlace, err error) {
	end := Head
	if back := l.Len() - 1 - i; back < i && !l.inline() {
		end, i = Tail, back
	}
	w := l.Walk(end, i, 1)
	if w.Next() {
		at = w.place()
	}
	if err := w.Close(); err != nil {
		return at, err
	}
	return at, nil
}

// Save writes the changes to the transaction. A list without elements is deleted.
func (l *List) Save() {
	if !l.changed {
		return
	}
	l.changed = false
	m := &l.e.Meta
	switch {
	case l.Len() > 0 && l.inline():
		m.Inline = l.lp
	case l.Len() > 0:
		if err := l.saveLeaves(); err != nil {
			l.tx.fail(err)
			return
		}
		l.tx.extra = l.x.Append(l.tx.extra[:0])
		m.Extra = l.tx.extra
	case l.inline() || l.dropped:
		l.tx.remove(&l.e)
		return
	default:
		l.dropLeafRows()
		l.tx.detach(&l.e) // the rows of its elements are deleted already
		return
	}
	l.tx.save(&l.e)
}

// lpBytes is the size of the elements as one listpack.
func (l *List) lpBytes() int64 {
	if l.inline() {
		return int64(max(len(l.lp), listpack.MinSize))
	}
	return listpack.MinSize + int64(l.e.Meta.Bytes)
}

// grow decides about the encoding before values come in: Redis asks whether one
// node of a quicklist would take them all, their bare lengths added.
func (l *List) grow(values ...[]byte) {
	if l.e.Meta.Enc != format.EncListpack {
		return
	}
	size, count := l.lpBytes(), l.Len()+int64(len(values))
	for _, v := range values {
		size += int64(len(v))
	}
	maxBytes, maxCount := l.tx.engine.encodings.listNode()
	if size > maxBytes || count > maxCount {
		l.e.Meta.Enc = format.EncQuicklist
	}
}

// shrink decides about the encoding after elements went: half a node is a listpack
// again. (Redis also asks whether they are in one node still; here they always are.)
func (l *List) shrink() error {
	if err := l.measure(); err != nil || l.e.Meta.Enc != format.EncQuicklist {
		return err
	}
	maxBytes, maxCount := l.tx.engine.encodings.listNode()
	if l.lpBytes() <= maxBytes/2 && l.Len() <= maxCount/2 {
		l.e.Meta.Enc = format.EncListpack
	}
	return nil
}

// settle decides about the encoding of a new list, which depends on its size only.
func (l *List) settle() {
	maxBytes, maxCount := l.tx.engine.encodings.listNode()
	l.e.Meta.Enc = format.EncListpack
	if l.lpBytes() > maxBytes || l.Len() > maxCount {
		l.e.Meta.Enc = format.EncQuicklist
	}
}
