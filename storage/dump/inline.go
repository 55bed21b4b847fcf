package dump

import (
	"math"
	"strconv"

	"cobble/storage/format"
	"cobble/storage/intset"
	"cobble/storage/listpack"
)

// AppendInline appends the type and the value of a key that stands whole in its metadata row. ErrUnsupported for one that
// does not, or that no plain type can say; ErrFormat for a broken row.
func AppendInline(dst []byte, m *format.Meta) ([]byte, error) {
	if m.Layout != format.Inline {
		return dst, ErrUnsupported
	}
	switch m.Type {
	case format.String:
		return AppendString(append(dst, TypeString), m.Inline), nil
	case format.List:
		return appendPacked(append(dst, TypeList), m.Inline, 1)
	case format.HashType:
		if m.FieldsAt != 0 {
			return appendFields(dst, m)
		}
		return appendPacked(append(dst, TypeHash), m.Inline, 2)
	case format.Set:
		if m.Enc == format.EncIntset {
			return appendIntset(append(dst, TypeSet), m.Inline)
		}
		return appendPacked(append(dst, TypeSet), m.Inline, 1)
	case format.ZSet:
		return appendScored(append(dst, TypeZSet), m.Inline)
	}
	return dst, ErrUnsupported
}

// appendPacked appends the elements of a listpack, of which each together are counted as one.
func appendPacked(dst, lp []byte, each int) ([]byte, error) {
	dst = AppendLength(dst, uint64(listpack.Count(lp)/each))
	c := listpack.Walk(lp)
	var digits [20]byte
	for {
		e, ok := c.Next()
		if !ok {
			break
		}
		dst = AppendString(dst, elementText(e, digits[:0]))
	}
	if c.Err() != nil {
		return dst, ErrFormat
	}
	return dst, nil
}

func elementText(e listpack.Element, room []byte) []byte {
	if e.IsInt {
		return e.Append(room)
	}
	return e.Bytes
}

func appendIntset(dst, is []byte) ([]byte, error) {
	if !intset.Valid(is) {
		return dst, ErrFormat
	}
	dst = AppendLength(dst, uint64(intset.Len(is)))
	var digits [20]byte
	for i := range intset.Len(is) {
		dst = AppendString(dst, strconv.AppendInt(digits[:0], intset.At(is, i), 10))
	}
	return dst, nil
}

// appendScored appends members with their scores, the last first, as Redis writes them.
func appendScored(dst, lp []byte) ([]byte, error) {
	type scored struct {
		member listpack.Element
		score  float64
	}
	var all []scored
	c := listpack.Walk(lp)
	for {
		member, ok := c.Next()
		if !ok {
			break
		}
		text, ok := c.Next()
		if !ok {
			return dst, ErrFormat
		}
		score := float64(text.Int)
		if !text.IsInt {
			var err error
			if score, err = strconv.ParseFloat(string(text.Bytes), 64); err != nil || math.IsNaN(score) {
				return dst, ErrFormat
			}
		}
		all = append(all, scored{member, score})
	}
	if c.Err() != nil {
		return dst, ErrFormat
	}
	dst = AppendLength(dst, uint64(len(all)))
	var digits [20]byte
	for i := len(all) - 1; i >= 0; i-- {
		dst = AppendScore(AppendString(dst, elementText(all[i].member, digits[:0])), all[i].score)
	}
	return dst, nil
}
