package storage

import (
	"slices"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// packedFinder finds members in one inline set or sorted set, which does not change meanwhile: the first few by scans of
// its listpack, then by a hash table of it.
type packedFinder struct {
	asked int
	table listpack.Table
}

const (
	tableAfter = 4  // scans
	tableLeast = 16 // members: fewer are scanned as fast
)

// tabled reports whether there is a table, which it makes when it is time. stride is as in listpack.Tabulate.
func (f *packedFinder) tabled(m *members, n int64, stride int) (bool, error) {
	if f.asked++; f.asked != tableAfter+1 || n < tableLeast {
		return f.asked > tableAfter && n >= tableLeast, nil
	}
	var err error
	f.table, err = listpack.Tabulate(m.packed, stride, m.tx.tableSlots(listpack.TableSlots(int(n))))
	return true, err
}

// has is s.Has.
func (f *packedFinder) has(s *Set, member []byte) (bool, error) {
	if !s.inline() || s.e.Meta.Enc == format.EncIntset || s.packed == nil {
		return s.Has(member)
	}
	tabled, err := f.tabled(&s.members, s.Len(), 1)
	if !tabled || err != nil {
		if err == nil {
			return s.Has(member)
		}
		return false, err
	}
	_, ok := f.table.Find(member)
	return ok, nil
}

// score is z.Score of a sorted set in layout Inline.
func (f *packedFinder) score(z *ZSet, member []byte) (score float64, ok bool, err error) {
	tabled, err := f.tabled(&z.members, z.Len(), 2)
	if !tabled && err == nil {
		return z.Score(member)
	}
	if err != nil {
		return 0, false, err
	}
	at, ok := f.table.Find(member)
	if !ok {
		return 0, false, nil
	}
	c := listpack.WalkFrom(z.packed, at)
	c.Next()
	value, _ := c.Next()
	score, err = inlineScore(value)
	return score, err == nil, err
}

// mostTableSlots are kept for the next run, and used again by no other table of this one.
const mostTableSlots = 1 << 15

// tableSlots returns n slots, all 0, that are used until Run returns.
func (tx *Tx) tableSlots(n int) []uint32 {
	at := len(tx.tables)
	if at+n > mostTableSlots {
		return make([]uint32, n)
	}
	tx.tables = slices.Grow(tx.tables, n)[:at+n]
	slots := tx.tables[at : at+n : at+n]
	clear(slots)
	return slots
}
