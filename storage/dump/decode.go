package dump

import (
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// Value is a decoded value. Its slices alias the payload where they can.
type Value struct {
	Type      format.Type // String, List, Set, HashType or ZSet
	Bytes     []byte      // of a string
	Items     [][]byte    // elements, members, or a hash's fields and values in turn
	Deadlines []int64     // of a hash's fields, Unix milliseconds, 0 = none; nil: of none
	Scores    []float64   // of a ZSet's items
	Stream    *Stream     // of a Stream
}

// Decode checks a payload and takes it apart. Its errors are ErrChecksum,
// ErrFormat and ErrUnsupported. Whether members repeat is left to the caller.
func Decode(payload []byte) (Value, error) {
	p, err := Open(payload)
	if err != nil {
		return Value{}, err
	}
	r := p.reader()
	v, known := r.value(p.kind)
	switch {
	case !known:
		return Value{}, ErrUnsupported
	case r.bad || len(r.rest) != 0:
		return Value{}, ErrFormat
	case v.Type != format.String && v.Type != format.Stream && len(v.Items) == 0,
		v.Type == format.HashType && len(v.Items)%2 != 0:
		return Value{}, ErrFormat
	}
	return v, nil
}

func (r *reader) value(kind byte) (v Value, known bool) {
	switch kind {
	case TypeString:
		return Value{Type: format.String, Bytes: r.string()}, true
	case TypeList:
		return Value{Type: format.List, Items: r.strings(r.count(1))}, true
	case TypeSet:
		return Value{Type: format.Set, Items: r.strings(r.count(1))}, true
	case TypeHash:
		return Value{Type: format.HashType, Items: r.strings(2 * r.count(2))}, true
	case TypeZSet, typeZSetText:
		return r.zset(kind), true
	case TypeStream, typeStream1, typeStream3:
		return Value{Type: format.Stream, Stream: r.wholeStream(kind)}, true
	case typeListQuicklist, typeListQuick2:
		return Value{Type: format.List, Items: r.quicklist(kind)}, true
	case typeSetIntset:
		return Value{Type: format.Set, Items: r.intset(r.string())}, true
	case typeSetListpack:
		return Value{Type: format.Set, Items: r.listpack(nil, r.string())}, true
	case typeListZiplist:
		return Value{Type: format.List, Items: r.ziplist(nil, r.string())}, true
	case typeHashZipmap:
		return Value{Type: format.HashType, Items: r.zipmap(r.string())}, true
	case typeHashZiplist:
		return Value{Type: format.HashType, Items: r.ziplist(nil, r.string())}, true
	case typeHashListpack:
		return Value{Type: format.HashType, Items: r.listpack(nil, r.string())}, true
	case TypeHashDeadlines, typeHashEarly:
		return r.hash(kind), true
	case typeHashPackedEx, typeHashPackedEarly:
		return r.hashListpack(kind), true
	case typeZSetZiplist:
		return r.scored(r.ziplist(nil, r.string())), true
	case typeZSetListpack:
		return r.scored(r.listpack(nil, r.string())), true
	}
	return Value{}, false
}

// strings reads n strings. It does not trust n with memory: what is there bounds it.
func (r *reader) strings(n int) [][]byte {
	out := make([][]byte, 0, min(n, 1024))
	for i := 0; i < n && !r.bad; i++ {
		out = append(out, r.string())
	}
	return out
}

func (r *reader) zset(kind byte) Value {
	v := Value{Type: format.ZSet}
	for n := r.count(2); n > 0 && !r.bad; n-- {
		v.Items = append(v.Items, r.string())
		if kind == TypeZSet {
			v.Scores = append(v.Scores, r.score())
		} else {
			v.Scores = append(v.Scores, r.scoreText())
		}
	}
	return v
}

// scored turns members and scores in turn into a sorted set.
func (r *reader) scored(items [][]byte) Value {
	if len(items)%2 != 0 {
		r.fail()
		return Value{Type: format.ZSet}
	}
	v := Value{Type: format.ZSet}
	for i := 0; i+1 < len(items); i += 2 {
		v.Items = append(v.Items, items[i])
		v.Scores = append(v.Scores, r.parseScore(items[i+1]))
	}
	return v
}

// quicklist reads a list of packed lists.
func (r *reader) quicklist(kind byte) (items [][]byte) {
	for n := r.count(1); n > 0 && !r.bad; n-- {
		items = r.quicklistNode(kind, items)
	}
	return items
}

// quicklistNode appends the items of one of them.
func (r *reader) quicklistNode(kind byte, items [][]byte) [][]byte {
	const plain, packed = 1, 2 // containers of a node of typeListQuick2
	container := uint64(packed)
	if kind == typeListQuick2 {
		container = r.size()
	}
	node := r.string()
	switch {
	case r.bad:
		return items
	case container == plain:
		return append(items, node)
	case container != packed:
		r.fail()
		return items
	case kind == typeListQuick2:
		return r.listpack(items, node)
	}
	return r.ziplist(items, node)
}

func (r *reader) listpack(items [][]byte, lp []byte) [][]byte {
	if listpack.Validate(lp) != nil {
		r.fail()
		return nil
	}
	for c := listpack.Walk(lp); ; {
		e, ok := c.Next()
		switch {
		case !ok:
			return items
		case e.IsInt:
			items = append(items, e.Append(nil))
		default:
			items = append(items, e.Bytes)
		}
	}
}
