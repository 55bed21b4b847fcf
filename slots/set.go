package slots

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Set is a set of slots as a bitmap of 2 KiB. The zero value is empty. It is a
// value: assignment copies, == compares. It is not safe for concurrent writes.
type Set [Count / 64]uint64

// Range is a run of slots, both ends included.
type Range struct{ First, Last Slot }

func (r Range) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

// Add puts slot into the set.
func (s *Set) Add(slot Slot) { s[slot>>6] |= 1 << (slot & 63) }

// Remove takes slot out of the set.
func (s *Set) Remove(slot Slot) { s[slot>>6] &^= 1 << (slot & 63) }

// Has reports whether slot is in the set.
func (s *Set) Has(slot Slot) bool { return s[slot>>6]&(1<<(slot&63)) != 0 }

// AddRange puts every slot of r into the set.
func (s *Set) AddRange(r Range) {
	for i := int(r.First); i <= int(r.Last); i++ {
		s.Add(Slot(i))
	}
}

// Len returns the number of slots in the set.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether the set has no slot.
func (s *Set) Empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// Union adds every slot of o.
func (s *Set) Union(o *Set) {
	for i := range s {
		s[i] |= o[i]
	}
}

// Subtract removes every slot of o.
func (s *Set) Subtract(o *Set) {
	for i := range s {
		s[i] &^= o[i]
	}
}

// Intersects reports whether the two sets share a slot.
func (s *Set) Intersects(o *Set) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// Next returns the first slot ≥ from in the set, and false when there is none.
func (s *Set) Next(from int) (Slot, bool) {
	for i := from; i < Count; {
		w := s[i>>6] >> (i & 63)
		if w != 0 {
			return Slot(i + bits.TrailingZeros64(w)), true
		}
		i = (i>>6 + 1) << 6
	}
	return 0, false
}

// Each calls f for every slot of the set in ascending order until f returns false.
func (s *Set) Each(f func(Slot) bool) {
	for at, ok := s.Next(0); ok; at, ok = s.Next(int(at) + 1) {
		if !f(at) {
			return
		}
	}
}

// Ranges returns the set as maximal ascending ranges.
func (s *Set) Ranges() []Range {
	var out []Range
	s.Each(func(slot Slot) bool {
		if n := len(out); n > 0 && out[n-1].Last+1 == slot {
			out[n-1].Last = slot
		} else {
			out = append(out, Range{slot, slot})
		}
		return true
	})
	return out
}

// String prints maximal ascending ranges as CLUSTER NODES does: "0-5 9".
func (s *Set) String() string {
	ranges := s.Ranges()
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = r.String()
	}
	return strings.Join(words, " ")
}

// ParseRange reads "n" or "a-b".
func ParseRange(text string) (Range, error) {
	first, last, isRange := strings.Cut(text, "-")
	a, err := strconv.ParseUint(first, 10, 16)
	b := a
	if err == nil && isRange {
		b, err = strconv.ParseUint(last, 10, 16)
	}
	if err != nil || a >= Count || b >= Count || a > b {
		return Range{}, fmt.Errorf("slots: %q is not a slot or a range of slots", text)
	}
	return Range{Slot(a), Slot(b)}, nil
}

// Full returns the set of all slots.
func Full() Set {
	var s Set
	for i := range s {
		s[i] = ^uint64(0)
	}
	return s
}
