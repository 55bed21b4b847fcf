package cache

// cell is hash<<32 | offset; 0 is an empty cell.
type cell = uint64

const (
	minCells = 8
	// maxCells bounds the work of one growth step (and so a writer's pause);
	// beyond it a slot's index is split in two by the next hash bit.
	maxCells = 4096
)

// region is one open-addressing table with linear probing. All its hashes share
// their upper depth bits; the bits below choose the home cell by
// multiplication, so that any number of cells will do and growth can be gentle.
type region struct {
	cells []cell
	count int32
	depth uint8
}

func (r *region) home(hash uint32) int {
	return int(uint64(hash<<r.depth) * uint64(len(r.cells)) >> 32)
}

// first returns the offset that stands first under hash, 0 if there is none.
func (r *region) first(hash uint32) uint32 {
	for i := r.home(hash); ; {
		c := r.cells[i]
		if c == 0 || uint32(c>>32) == hash {
			return uint32(c)
		}
		if i++; i == len(r.cells) {
			i = 0
		}
	}
}

func (r *region) insert(c cell) {
	if int(r.count+1)*8 > len(r.cells)*7 {
		r.resize(len(r.cells) + growth(len(r.cells)))
	}
	r.place(c)
	r.count++
}

// growth is by how many cells n are increased. Most slots of a small table have some ten rows: eight cells at a time would
// leave a good part of their indexes empty.
func growth(n int) int {
	if n == 0 {
		return minCells
	}
	return max(minCells/2, n/4&^7)
}

func (r *region) place(c cell) {
	i := r.home(uint32(c >> 32))
	for r.cells[i] != 0 {
		if i++; i == len(r.cells) {
			i = 0
		}
	}
	r.cells[i] = c
}

func (r *region) resize(n int) {
	old := r.cells
	r.cells = make([]cell, n)
	for _, c := range old {
		if c != 0 {
			r.place(c)
		}
	}
}

// remove empties cell i and moves later cells of its cluster up, so that no
// tombstones are needed.
func (r *region) remove(i int) {
	n := len(r.cells)
	for j := i; ; {
		if j++; j == n {
			j = 0
		}
		c := r.cells[j]
		if c == 0 {
			break
		}
		// c may move to i unless its home lies cyclically in (i, j].
		fromHome, fromHole := j-r.home(uint32(c>>32)), j-i
		if fromHome < 0 {
			fromHome += n
		}
		if fromHole < 0 {
			fromHole += n
		}
		if fromHome >= fromHole {
			r.cells[i] = c
			i = j
		}
	}
	r.cells[i] = 0
	r.count--
	switch {
	case n > 4*minCells && int(r.count)*4 < n:
		r.resize((int(r.count)*3/2 + minCells) &^ 7)
	case n > minCells && n <= 8*minCells && int(r.count)+minCells/2 < n*5/8: // what a larger bound has left behind
		r.resize(n - minCells/2)
	}
}

// index finds entries of one slot by hash: one region, or a directory of
// regions by the upper bits of the hash (extendible hashing).
type index struct {
	one   region
	dir   []*region
	depth uint8
	bytes int // of all cells and the directory
}

func (x *index) region(hash uint32) *region {
	if x.dir == nil {
		return &x.one
	}
	return x.dir[hash>>(32-x.depth)]
}

// insert adds a cell.
func (x *index) insert(hash, off uint32) {
	r := x.region(hash)
	for r.count*8 >= maxCells*7 && r.depth < 20 {
		x.split(r, hash)
		r = x.region(hash)
	}
	before := len(r.cells)
	r.insert(uint64(hash)<<32 | uint64(off))
	x.bytes += 8 * (len(r.cells) - before)
}

// remove takes the cell that points at off out; it must be there.
func (x *index) remove(hash, off uint32) {
	r, i := x.find(hash, off)
	if r == nil {
		panic("cache: index has no cell for a linked entry")
	}
	before := len(r.cells)
	r.remove(i)
	x.bytes += 8 * (len(r.cells) - before)
}

// move makes the cell of from point at to.
func (x *index) move(hash, from, to uint32) {
	r, i := x.find(hash, from)
	if r == nil {
		panic("cache: index has no cell for a linked entry")
	}
	r.cells[i] = uint64(hash)<<32 | uint64(to)
}

func (x *index) split(r *region, hash uint32) {
	if x.dir == nil {
		one := x.one
		x.one = region{}
		r = &one
		x.dir = []*region{r}
		x.bytes += 8
	}
	if r.depth == x.depth {
		dir := make([]*region, 2*len(x.dir))
		for i, d := range x.dir {
			dir[2*i], dir[2*i+1] = d, d
		}
		x.bytes += 8 * len(x.dir)
		x.dir, x.depth = dir, x.depth+1
	}
	half := (int(r.count)/2*5/4 + minCells) &^ 7
	low := &region{cells: make([]cell, half), depth: r.depth + 1}
	high := &region{cells: make([]cell, half), depth: r.depth + 1}
	for _, c := range r.cells {
		switch {
		case c == 0:
		case uint32(c>>32)<<r.depth>>31 == 0:
			low.insert(c)
		default:
			high.insert(c)
		}
	}
	x.bytes += 8 * (len(low.cells) + len(high.cells) - len(r.cells))
	span := 1 << (x.depth - r.depth)
	first := int(uint64(hash)>>(32-x.depth)) &^ (span - 1)
	for i := range span / 2 {
		x.dir[first+i] = low
		x.dir[first+span/2+i] = high
	}
}

// find returns the region and cell that point at off, to change or remove it.
func (x *index) find(hash, off uint32) (*region, int) {
	r := x.region(hash)
	if len(r.cells) == 0 {
		return nil, 0
	}
	want := uint64(hash)<<32 | uint64(off)
	for i := r.home(hash); ; {
		switch r.cells[i] {
		case want:
			return r, i
		case 0:
			return nil, 0
		}
		if i++; i == len(r.cells) {
			i = 0
		}
	}
}

// each calls f for every offset until f returns false. f must not change the index.
func (x *index) each(f func(hash, off uint32) bool) {
	regions := x.dir
	if regions == nil {
		regions = []*region{&x.one}
	}
	var previous *region
	for _, r := range regions {
		if r == previous {
			continue // neighbouring directory cells may share a region
		}
		previous = r
		for _, c := range r.cells {
			if c != 0 && !f(uint32(c>>32), uint32(c)) {
				return
			}
		}
	}
}
