package cache

import (
	"slices"
	"testing"
)

// removed is what a table without cell i must look like: the rule that may move a cell up is taken from its definition, with
// divisions.
func removed(r region, i int) []cell {
	n := len(r.cells)
	cells := slices.Clone(r.cells)
	for j := (i + 1) % n; cells[j] != 0; j = (j + 1) % n {
		home := r.home(uint32(cells[j] >> 32))
		if (j-home+n)%n >= (j-i+n)%n {
			cells[i], i = cells[j], j
		}
	}
	cells[i] = 0
	return cells
}

// TestRemovalFromSmallRegions: for every way in which rows may be at home in a small region, beyond its end and back to its
// beginning too, and for each that goes, what is left stands where it is found.
func TestRemovalFromSmallRegions(t *testing.T) {
	for n := 2; n <= 6; n++ {
		for rows := 1; rows < n; rows++ {
			ways := 1
			for range rows {
				ways *= n
			}
			for way := range ways {
				x := index{one: region{cells: make([]cell, n), count: int32(rows)}}
				hashes := make([]uint32, rows)
				for off, rest := 0, way; off < rows; off, rest = off+1, rest/n {
					hashes[off] = uint32((uint64(rest%n)<<32 + uint64(n) - 1) / uint64(n))
					if home := x.one.home(hashes[off]); home != rest%n {
						t.Fatalf("hash %x is at home in %d of %d, want %d", hashes[off], home, n, rest%n)
					}
					x.one.place(cell(hashes[off])<<32 | cell(off+1))
				}
				before := region{cells: slices.Clone(x.one.cells), count: int32(rows)}
				for gone := range rows {
					x.one = region{cells: slices.Clone(before.cells), count: before.count}
					_, at := x.find(hashes[gone], uint32(gone+1))
					want := removed(before, at)
					x.one.remove(at)
					if !slices.Equal(x.one.cells, want) || x.one.count != int32(rows-1) {
						t.Fatalf("%x without cell %d became %x, want %x", before.cells, at, x.one.cells, want)
					}
					for off, hash := range hashes {
						if r, _ := x.find(hash, uint32(off+1)); (r != nil) != (off != gone) {
							t.Fatalf("%x without cell %d: row %d found: %v", before.cells, at, off+1, r != nil)
						}
					}
				}
			}
		}
	}
}
