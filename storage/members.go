package storage

import (
	"math/rand/v2"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// members is what the types whose elements have names share: a small value stands
// packed in its metadata row, a larger one has a row for each element, found by
// name (format/member.go). How a value is packed, and what its rows count for, is
// the type's.
//
// A change is in the transaction only after save. While a members is in use nothing
// else may change the key.
type members struct {
	tx      *Tx
	e       Entry
	sub     byte   // of the rows
	packed  []byte // layout Inline; nil: no elements
	own     bool   // packed is in tx.build and may be changed in place
	fresh   bool   // layout Rows, begun in this transaction: the store has no row of it
	changed bool

	// Elements with a deadline before this are not there for anybody (Unix
	// milliseconds); 0: no element has such a deadline. Hashes only.
	hideBefore int64
}

// Live reports whether the key exists.
func (m *members) Live() bool { return m.e.Live }

func (m *members) inline() bool { return m.e.Meta.Layout == format.Inline }

// Size returns the bytes of the elements, about.
func (m *members) Size() int64 {
	if m.inline() {
		return int64(len(m.packed))
	}
	return int64(m.e.Meta.Bytes)
}

// rowKey builds the key of an element's row, valid until the next key is built.
func (m *members) rowKey(name []byte) []byte {
	m.tx.scratch = format.AppendMember(m.tx.scratch[:0], uint16(m.e.Slot), m.e.Meta.OID, m.sub, name)
	return m.tx.scratch
}

// row reads the value of an element's row.
func (m *members) row(name []byte) (value []byte, ok bool, err error) {
	key := m.rowKey(name)
	if !m.fresh {
		return m.tx.getRow(key)
	}
	value, state := m.tx.writes.get(key)
	return value, state == written, nil
}

// Prefetch brings the rows of elements, every step-th of args, into memory
// together. It returns an error that the operation must return, or nil.
func (m *members) Prefetch(args [][]byte, step int) error {
	if m.inline() || len(args) <= step {
		return nil
	}
	for i := 0; i < len(args); i += step {
		if _, _, err := m.tx.getRow(m.rowKey(args[i])); err != nil && err != errCold {
			return err
		}
	}
	if len(m.tx.cold) > 0 {
		return errCold
	}
	return nil
}

// takeOwn copies what is packed, or begin if that is nothing, to where it may be changed.
func (m *members) takeOwn(begin []byte) {
	if m.own {
		return
	}
	if m.packed == nil {
		m.packed = begin
	}
	m.setPacked(append(m.tx.build[:0], m.packed...))
	m.own = true
}

func (m *members) setPacked(b []byte) { m.tx.build, m.packed = b, b }

// beginRows changes the layout to that of an object without rows; what was packed
// is left to the caller.
func (m *members) beginRows() {
	meta := &m.e.Meta
	meta.Layout, meta.Inline, meta.OID = format.Rows, nil, m.tx.newOID(m.e.Slot)
	meta.Count, meta.Bytes = 0, 0
	m.fresh = true
}

// save writes the changes of a value that now has n elements to the transaction.
// One without elements is deleted.
func (m *members) save(n int64) {
	switch {
	case !m.changed:
		return
	case n == 0:
		m.tx.remove(&m.e)
	default:
		m.e.Meta.Inline = nil
		if m.inline() {
			m.e.Meta.Inline = m.packed
		}
		m.tx.save(&m.e)
	}
	m.changed = false
}

// text returns a listpack element as bytes that are valid until its next
// call with the same which.
func (tx *Tx) text(e listpack.Element, which int) []byte {
	if !e.IsInt {
		return e.Bytes
	}
	return e.Append(tx.digits[which][:0])
}

// memberRows walks the rows of elements in the order of their hashes. It must be closed.
type memberRows struct {
	it          *rowIter
	sub         byte
	begun       bool
	hideBefore  int64  // as in members
	name, value []byte // of the row it stands at, until the next move
	expireAt    int64  // of a hash's field, 0 = never
	err         error
}

// rows returns a walk that stands before the first row.
func (m *members) rows() memberRows {
	lo := format.AppendElement(nil, uint16(m.e.Slot), m.e.Meta.OID, m.sub)
	hi := format.AppendElement(nil, uint16(m.e.Slot), m.e.Meta.OID, m.sub+1)
	return memberRows{it: m.tx.iter(lo, hi), sub: m.sub, hideBefore: m.hideBefore}
}

// next moves to the next row that is not hidden.
func (r *memberRows) next() bool {
	for r.step() {
		if !r.hidden() {
			return true
		}
	}
	return false
}

// step moves to the next row.
func (r *memberRows) step() bool {
	if !r.begun {
		r.begun = true
		return r.at(r.it.First())
	}
	return r.at(r.it.Next())
}

// hidden reports whether the row at which it stands is there for nobody.
func (r *memberRows) hidden() bool { return r.expireAt != 0 && r.expireAt < r.hideBefore }

// seek moves to the first row ≥ key.
func (r *memberRows) seek(key []byte) bool {
	r.begun = true
	return r.at(r.it.SeekGE(key))
}

// at takes apart the row that the iterator is at, if it is ok.
func (r *memberRows) at(ok bool) bool {
	if !ok || r.err != nil {
		return false
	}
	r.value = r.it.Value()
	if _, r.name, r.err = format.SplitMember(r.it.Key(), r.sub); r.err == nil && r.sub == format.SubHashField {
		r.expireAt, r.value, r.err = format.SplitHashValue(r.value)
	}
	return r.err == nil
}

// hash returns the hash of the name at which it stands.
func (r *memberRows) hash() uint64 {
	h, _, _ := format.SplitMember(r.it.Key(), r.sub)
	return h
}

func (r *memberRows) close() error {
	if err := r.it.Close(); r.err == nil {
		r.err = err
	}
	return r.err
}

// cursorBits is how much of a name's hash a cursor of HSCAN and its like holds: as
// many as a double counts exactly.
const cursorBits = 52

// scanRows calls f with about count elements from cursor on (0 begins) and returns
// the cursor to go on with, 0 at the end. An element that is there from the first
// call to the last is visited exactly once.
func (m *members) scanRows(cursor uint64, count int64, f func(name, value []byte)) (next uint64, err error) {
	if cursor >= 1<<cursorBits {
		return 0, nil
	}
	const drop = 64 - cursorBits
	r := m.rows()
	last := uint64(0)
	for ok := r.seek(format.AppendMemberBound(nil, uint16(m.e.Slot), m.e.Meta.OID, m.sub, cursor<<drop)); ok; ok = r.step() {
		at := r.hash() >> drop
		if count <= 0 && at != last {
			next = at // not 0: it is more than last
			if m.tx.engine.opts.mutant.setScanSkips {
				next++
			}
			break
		}
		last = at
		count--
		if !r.hidden() {
			f(r.name, r.value)
		}
	}
	return next, r.close()
}

// walker visits the elements of a value. Its slices are valid until the next move.
type walker interface {
	Next() bool
	element() (name, value []byte)
	Close() error
}

// random calls f with n of the size elements chosen at random, each as often as it
// comes; walk begins a walk over all.
func (m *members) random(n, size int64, walk func() walker, f func(name, value []byte)) error {
	switch {
	case size == 0 || n <= 0:
		return nil
	case !m.inline() && n*3 < size:
		return m.randomRows(n, f)
	case n == 1:
		return sample(1, size, walk(), f)
	}
	w := walk()
	type element struct{ name, value []byte }
	all := make([]element, 0, size)
	var arena []byte
	for w.Next() {
		name, value := w.element()
		at := len(arena)
		arena = append(append(arena, name...), value...)
		mid := at + len(name)
		all = append(all, element{arena[at:mid:mid], arena[mid:len(arena):len(arena)]})
	}
	err := w.Close()
	for ; err == nil && n > 0 && len(all) > 0; n-- {
		e := all[rand.IntN(len(all))]
		f(e.name, e.value)
	}
	return err
}

// randomDistinct calls f with n different elements of the size that there are, or
// with all if there are no more.
func (m *members) randomDistinct(n, size int64, walk func() walker, f func(name, value []byte)) error {
	if m.inline() || n*3 >= size {
		return sample(n, size, walk(), f)
	}
	seen := make(map[string]struct{}, n)
	for int64(len(seen)) < n {
		if err := m.randomRows(n-int64(len(seen)), func(name, value []byte) {
			if _, again := seen[string(name)]; !again {
				seen[string(name)] = struct{}{}
				f(name, value)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// sample calls f with n of the size elements of a walk, any n as likely as any
// others (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S), and ends
// the walk.
func sample(n, size int64, w walker, f func(name, value []byte)) error {
	for left := size; n > 0 && left > 0 && w.Next(); left-- {
		if chosen(n, left) {
			f(w.element())
			n--
		}
	}
	return w.Close()
}

// chosen says, n times for left calls with left going down, yes.
func chosen(n, left int64) bool { return n >= left || rand.Int64N(left) < n }

// randomRows picks n times: a random place in the order of hashes, and one of the
// next few elements there, wrapping around. The choice among neighbours makes up
// for most of the unequal gaps between hashes.
func (m *members) randomRows(n int64, f func(name, value []byte)) error {
	const neighbours = 16
	r := m.rows()
	var key []byte
	for ; n > 0 && r.err == nil; n-- {
		key = format.AppendMemberBound(key[:0], uint16(m.e.Slot), m.e.Meta.OID, m.sub, rand.Uint64())
		ok := r.it.SeekGE(key)
		for skip, ends := rand.IntN(neighbours), 0; ; skip-- {
			if !ok {
				ends++
			}
			if !ok && !r.it.First() || ends > neighbours {
				r.err = format.ErrCorrupt // somebody says there are elements
				break
			}
			if skip <= 0 && r.at(true) && !r.hidden() {
				f(r.name, r.value)
				break
			}
			if r.err != nil {
				break
			}
			ok = r.it.Next()
		}
	}
	return r.close()
}
