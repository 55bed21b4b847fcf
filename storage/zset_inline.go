package storage

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// inlineScore reads a score from a listpack.
func inlineScore(e listpack.Element) (float64, error) {
	if e.IsInt {
		return float64(e.Int), nil
	}
	score, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(e.Bytes), len(e.Bytes)), 64)
	if err != nil || math.IsNaN(score) {
		return 0, format.ErrCorrupt
	}
	return score, nil
}

// appendScore appends the text of a score that inlineScore reads.
func appendScore(dst []byte, score float64) []byte {
	switch {
	case score == math.Trunc(score) && math.Abs(score) < 1<<53 && (score != 0 || !math.Signbit(score)):
		return strconv.AppendInt(dst, int64(score), 10)
	case math.IsInf(score, 1):
		return append(dst, "inf"...)
	case math.IsInf(score, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, score, 'g', -1, 64)
}

// setList takes a changed listpack.
func (z *ZSet) setList(lp []byte) {
	z.setPacked(lp)
	z.items = nil
}

// setInline gives a member a score; at is where it is now, if found.
func (z *ZSet) setInline(member []byte, score float64, at listpack.PairAt, found bool) error {
	var room [32]byte
	text := appendScore(room[:0], score)
	size := len(z.packed) + listpack.ElementSize(member) + listpack.ElementSize(text)
	if found {
		size -= at.End - at.Key
	}
	if size > inlineZSetBytes || !found && z.Len() >= inlineZSetMembers {
		old := 0.0
		if found {
			var err error
			if old, _, _, err = z.find(member); err != nil {
				return err
			}
		}
		if err := z.toRows(); err != nil {
			return err
		}
		return z.setRow(member, score, old, found)
	}
	z.takeOwn(emptyListpack[:])
	if found {
		z.setList(listpack.Remove(z.packed, at.Key, at.End))
	}
	place, err := inlinePlace(z.packed, member, score)
	if err != nil {
		return err
	}
	z.setList(listpack.Replace(z.packed, place, place, text))
	z.setList(listpack.Replace(z.packed, place, place, member))
	return nil
}

// inlinePlace returns where a member that is not in the listpack belongs.
func inlinePlace(lp, member []byte, score float64) (int, error) {
	var digits [20]byte
	for c := listpack.Walk(lp); ; {
		at := c.At()
		name, ok := c.Next()
		if !ok {
			return len(lp) - 1, c.Err()
		}
		value, ok := c.Next()
		if !ok {
			return 0, listpack.ErrCorrupt
		}
		there, err := inlineScore(value)
		if err != nil {
			return 0, err
		}
		if there < score {
			continue
		}
		if there > score {
			return at, nil
		}
		text := name.Bytes
		if name.IsInt {
			text = name.Append(digits[:0])
		}
		if bytes.Compare(text, member) > 0 {
			return at, nil
		}
	}
}

// load returns the members of the listpack, in order. They are valid until a change.
func (z *ZSet) load() ([]Scored, error) {
	if z.items != nil || z.packed == nil {
		return z.items, nil
	}
	tx := z.tx
	from := len(tx.scored)
	for c := listpack.Walk(z.packed); ; {
		name, ok := c.Next()
		if !ok {
			z.items = tx.scored[from:len(tx.scored):len(tx.scored)]
			return z.items, c.Err()
		}
		value, ok := c.Next()
		if !ok {
			return nil, listpack.ErrCorrupt
		}
		score, err := inlineScore(value)
		if err != nil {
			return nil, err
		}
		member := name.Bytes
		if name.IsInt {
			at := len(tx.texts)
			tx.texts = name.Append(tx.texts)
			member = tx.texts[at:len(tx.texts):len(tx.texts)]
		}
		tx.scored = append(tx.scored, Scored{member, score})
	}
}

// cut removes the members from one index to before another from the listpack.
func (z *ZSet) cut(from, to int64) error {
	z.takeOwn(emptyListpack[:])
	c := listpack.Walk(z.packed)
	start := c.At()
	for i := int64(0); i < to; i++ {
		if i == from {
			start = c.At()
		}
		if _, ok := c.Next(); !ok {
			return listpack.ErrCorrupt
		}
		if _, ok := c.Next(); !ok {
			return listpack.ErrCorrupt
		}
	}
	z.setList(listpack.Remove(z.packed, start, c.At()))
	z.changed = true
	return nil
}

// toRows changes the layout from Inline to Rows.
func (z *ZSet) toRows() error {
	items, err := z.load()
	if err != nil {
		return err
	}
	z.beginRows()
	m := &z.e.Meta
	m.Count = uint64(len(items))
	for i := range items {
		m.Bytes += uint64(len(items[i].Member)) + zsetScoreBytes
		z.putMember(items[i].Member, items[i].Score)
	}
	return nil
}
