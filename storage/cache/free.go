package cache

// freeSegments are segments that were used before, a heap with the lowest first. Segments
// in use gather at low addresses so: the system makes huge pages of ranges in which
// anything is resident, and if used segments were strewn over all that the table ever
// took, that would bring back the pages of those that were given back.
type freeSegments []uint32

func (f *freeSegments) add(id uint32) {
	h := append(*f, id)
	for i := len(h) - 1; i > 0; {
		above := (i - 1) / 2
		if h[above] <= h[i] {
			break
		}
		h[above], h[i] = h[i], h[above]
		i = above
	}
	*f = h
}

// take removes the lowest; there must be one.
func (f *freeSegments) take() uint32 {
	h := *f
	lowest, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	*f = h
	return lowest
}
