package effect

import (
	"slices"

	"cobble/storage/format"
)

// place is what a record did to one position of a list.
type place struct {
	was, is bool   // there before, and after
	value   []byte // after
}

// list is a list with a row for each element. Without a note a command only takes elements off its ends and pushes
// others there, each a stride from the end; so positions tell what happened, if one looks from the ends of what is there
// now (head and tail of the metadata):
//
//	head → |  pushed, a stride apart  | what was there before and still is |  pushed  | ← tail
//
// and what is gone stood on the left, or on the right, of what still is.
func (t *Translator) list(o *object, ops []operation, fresh bool) error {
	var x format.ListExtra
	if err := x.Decode(o.meta.Extra); err != nil {
		return err
	}
	c := listChange{places: map[uint64]place{}}
	for i := range ops {
		if err := c.add(&ops[i]); err != nil {
			return err
		}
	}
	now := c.sorted(func(p place) bool { return p.is })
	if fresh || uint64(len(now)) == o.meta.Count {
		t.command(word("DEL"), o.key)
		t.push("RPUSH", o.key, &c, now)
		return nil
	}
	first, last := x.Head, x.Tail // of what was there before and still is
	var left, right []uint64
	for ; c.places[first].is; first += format.ListStride {
		left = append(left, first)
	}
	for ; c.places[last].is; last -= format.ListStride {
		right = append(right, last)
	}
	if len(left)+len(right) != len(now) || first > last {
		return resync("a list has changed in the middle")
	}
	var fromLeft, fromRight int64
	for _, pos := range c.sorted(func(p place) bool { return p.was }) {
		switch {
		case pos < first:
			fromLeft++
		case pos > last:
			fromRight++
		default:
			return resync("an element in the middle of a list is gone")
		}
	}
	if fromLeft > 0 {
		t.command(word("LPOP"), o.key, number(fromLeft))
	}
	if fromRight > 0 {
		t.command(word("RPOP"), o.key, number(fromRight))
	}
	slices.Reverse(left)
	slices.Reverse(right)
	t.push("LPUSH", o.key, &c, left)
	t.push("RPUSH", o.key, &c, right)
	return nil
}

func (t *Translator) push(command string, key []byte, c *listChange, positions []uint64) {
	values := make([][]byte, len(positions))
	for i, pos := range positions {
		values[i] = c.places[pos].value
	}
	t.chunked([][]byte{word(command), key}, 1, values)
}

// listChange is what happened to the positions of a list.
type listChange struct{ places map[uint64]place }

func (c *listChange) add(op *operation) error {
	pos, err := format.SplitListElement(op.key)
	if err != nil {
		return err
	}
	p, seen := c.places[pos]
	switch op.op {
	case format.OpDelete:
		p.was, p.is, p.value = p.was || !seen, false, nil
	case format.OpSet:
		p.is, p.value = true, op.value
	default:
		return resync("a range of a list is gone")
	}
	c.places[pos] = p
	return nil
}

// sorted returns the positions of which f holds, in their order.
func (c *listChange) sorted(f func(place) bool) []uint64 {
	var out []uint64
	for pos, p := range c.places {
		if f(p) {
			out = append(out, pos)
		}
	}
	slices.Sort(out)
	return out
}
