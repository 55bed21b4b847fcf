package dump

import (
	"encoding/binary"

	"cobble/storage/format"
)

// Payload is a payload whose checksum is right, to be taken apart an element at a time: its value may be much larger in
// pieces than it is packed.
type Payload struct {
	kind    byte
	version int // of RDB
	body    []byte
}

// Element is an element of a list, a member of a set, one of a sorted set with its score, or a field of a hash with its
// value and when it expires (Unix milliseconds, 0 = never). What it holds may alias the payload, and is not used again.
type Element struct {
	Name, Value []byte
	Deadline    int64
	Score       float64
}

// Open checks the footer of a payload. The error is ErrChecksum, ErrFormat, or ErrUnsupported for a value of another type.
func Open(payload []byte) (Payload, error) {
	body, err := open(payload)
	if err != nil {
		return Payload{}, err
	}
	p := Payload{body[0], int(binary.LittleEndian.Uint16(payload[len(body):])), body[1:]}
	if p.Type() == 0 {
		return p, ErrUnsupported
	}
	return p, nil
}

func (p *Payload) reader() *reader { return &reader{rest: p.body, version: p.version} }

// Type is that of the value; 0: not known.
func (p *Payload) Type() format.Type {
	switch p.kind {
	case TypeString:
		return format.String
	case TypeList, typeListZiplist, typeListQuicklist, typeListQuick2:
		return format.List
	case TypeSet, typeSetIntset, typeSetListpack:
		return format.Set
	case TypeHash, typeHashZipmap, typeHashZiplist, typeHashListpack, TypeHashDeadlines, typeHashPackedEx, typeHashEarly, typeHashPackedEarly:
		return format.HashType
	case TypeZSet, typeZSetText, typeZSetZiplist, typeZSetListpack:
		return format.ZSet
	case TypeStream, typeStream1, typeStream3:
		return format.Stream
	}
	return 0
}

// String returns the value of a string.
func (p *Payload) String() ([]byte, error) {
	r := p.reader()
	value := r.string()
	if r.bad || len(r.rest) != 0 {
		return nil, ErrFormat
	}
	return value, nil
}

// Elements calls f with the elements of a value that is neither a string nor a stream, until it returns an error. Without
// elements, or behind those of a value that is broken further on, it returns ErrFormat.
func (p *Payload) Elements(f func(e *Element) error) error {
	r := p.reader()
	n, err := 0, error(nil)
	var e Element
	give := func() {
		if n++; err == nil && !r.bad {
			err = f(&e)
		}
	}
	each := func(least uint64, read func()) {
		for left := r.count(least); left > 0 && !r.bad && err == nil; left-- {
			read()
			give()
		}
	}
	switch p.kind {
	case TypeList, TypeSet:
		each(1, func() { e.Name = r.string() })
	case TypeHash:
		each(2, func() { e.Name, e.Value = r.string(), r.string() })
	case TypeHashDeadlines:
		first := r.first()
		each(3, func() { e.Deadline, e.Name, e.Value = r.deadline(first), r.string(), r.string() })
	case TypeZSet:
		each(2, func() { e.Name, e.Score = r.string(), r.score() })
	case typeZSetText:
		each(2, func() { e.Name, e.Score = r.string(), r.scoreText() })
	case typeListQuicklist, typeListQuick2:
		for left := r.count(1); left > 0 && !r.bad && err == nil; left-- {
			for _, e.Name = range r.quicklistNode(p.kind, nil) {
				give()
			}
		}
	default: // packed in one string, or of an early server
		v, _ := r.value(p.kind)
		each, left := v.each(), v.Items
		for i := 0; len(left) >= each && err == nil; i++ {
			e = v.element(i)
			left = left[each:]
			give()
		}
		if len(left) > 0 {
			r.fail()
		}
	}
	if err == nil && (n == 0 || r.bad || len(r.rest) != 0) {
		err = ErrFormat
	}
	return err
}

// each is how many items make an element.
func (v *Value) each() int {
	if v.Type == format.HashType {
		return 2
	}
	return 1
}

func (v *Value) element(i int) Element {
	switch {
	case v.Type == format.ZSet:
		return Element{Name: v.Items[i], Score: v.Scores[i]}
	case v.Type != format.HashType:
		return Element{Name: v.Items[i]}
	}
	e := Element{Name: v.Items[2*i], Value: v.Items[2*i+1]}
	if v.Deadlines != nil {
		e.Deadline = v.Deadlines[i]
	}
	return e
}

// Stream calls f with the entries of a stream, until it returns an error, and returns the rest of it.
func (p *Payload) Stream(f func(e *StreamEntry) error) (*Stream, error) {
	r := p.reader()
	s, err := r.stream(p.kind, f)
	if err == nil && (r.bad || len(r.rest) != 0) {
		err = ErrFormat
	}
	return s, err
}
