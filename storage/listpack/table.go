package listpack

import (
	"bytes"
	"hash/maphash"
)

// Table finds elements of a listpack that stays as it is by their hashes: the scan that a single search needs is too slow
// for one of each of many. It is an open-addressed hash table (Knuth, The Art of Computer Programming 3, 6.4, algorithm L) of
// offsets. Any number of goroutines may search it at once.
type Table struct {
	lp    []byte
	slots []uint32 // 0: free; at least half of them are
}

var tableSeed = maphash.MakeSeed()

// TableSlots returns how many slots Tabulate needs for n elements.
func TableSlots(n int) int {
	slots := 4
	for slots < 2*n {
		slots *= 2
	}
	return slots
}

// Tabulate makes a table of every stride-th element, from the first on. Slots are TableSlots of their number, or more, all
// 0; the table keeps them, and the listpack.
func Tabulate(lp []byte, stride int, slots []uint32) (Table, error) {
	t := Table{lp, slots}
	var digits [20]byte
	c := Walk(lp)
	for n := 0; ; n++ {
		at := c.At()
		text, ok := c.Text(digits[:0])
		if !ok {
			return t, c.Err()
		}
		if 2*n >= len(slots) {
			return t, ErrCorrupt // it has more elements than it says
		}
		i := t.home(text)
		for t.slots[i] != 0 {
			i = (i + 1) & (len(t.slots) - 1)
		}
		t.slots[i] = uint32(at)
		for range stride - 1 {
			if _, ok := c.Next(); !ok {
				return t, ErrCorrupt
			}
		}
	}
}

// home is the slot where the search for an element begins.
func (t *Table) home(text []byte) int {
	return int(maphash.Bytes(tableSeed, text)) & (len(t.slots) - 1)
}

// Find returns the offset of the first of the elements that is text.
func (t *Table) Find(text []byte) (at int, found bool) {
	for i := t.home(text); t.slots[i] != 0; i = (i + 1) & (len(t.slots) - 1) {
		at = int(t.slots[i])
		if n := short(t.lp, at); n > 0 {
			if string(t.lp[at+1:at+n]) == string(text) {
				return at, true
			}
			continue
		}
		e, _ := decode(t.lp[at:])
		if !e.IsInt {
			if bytes.Equal(e.Bytes, text) {
				return at, true
			}
		} else if v, isInt := ParseInt(text); isInt && v == e.Int {
			return at, true
		}
	}
	return 0, false
}
