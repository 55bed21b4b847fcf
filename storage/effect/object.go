package effect

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"cobble/slots"
	"cobble/storage/format"
)

// objectID names what the element rows of a key belong to.
type objectID struct {
	slot uint16
	oid  uint64
}

// object is one whose rows a record has changed.
type object struct {
	id   objectID
	key  []byte // that has it, once a metadata row has said so
	meta format.Meta
	live bool // a key has it
	said bool // a follower has it
	told bool // a note has said what happened, of which no row is left to say
	ops  []operation

	trimmed bool // entries of a stream went that the record does not name
}

// The sub bytes of rows that hold values; the others are indexes to them.
const (
	subChunk  = 'c'
	objectKey = 2 + 1 + 8 + 1 // length of a row key up to its sub byte
)

// objectOf returns the object of an element row.
func objectOf(row []byte) (objectID, bool) {
	if len(row) < objectKey || row[2] != format.KindElement || format.SlotOf(row) >= slots.Count {
		return objectID{}, false
	}
	return objectID{format.SlotOf(row), binary.BigEndian.Uint64(row[3:])}, true
}

func (op *operation) sub() byte { return op.key[objectKey-1] }

// rest is the row key after the sub byte.
func (op *operation) rest() []byte { return op.key[objectKey:] }

// matters reports whether an element row holds something of a value.
func (op *operation) matters() bool {
	switch op.sub() {
	case subChunk, format.SubHashField, format.SubMember, format.SubListElement,
		format.SubStreamGroup, format.SubStreamConsumer, format.SubStreamPending:
		return true
	}
	return false
}

func (t *Translator) object(id objectID) *object {
	o := t.objects[id]
	if o == nil {
		if t.objects == nil {
			t.objects = map[objectID]*object{}
		}
		o = &object{id: id}
		t.objects[id] = o
	}
	return o
}

// tell says what has changed of an object since it was told of last, or all of it if it is new.
func (t *Translator) tell(o *object) error {
	fresh := t.isNew(o.id) && !o.said
	o.said = true
	ops, told := o.ops, o.told
	o.ops, o.told = nil, false
	if o.meta.Type == format.Stream && fresh {
		return t.wholeStream(o, ops)
	}
	err := t.change(o, ops, fresh, told)
	if err == nil {
		t.expiry(o, fresh)
	}
	return err
}

// change says what operations have changed of an object.
func (t *Translator) change(o *object, ops []operation, fresh, told bool) error {
	switch o.meta.Type {
	case format.String:
		return t.chunks(o, ops, fresh)
	case format.HashType:
		return t.named(o, ops, fresh, "HSET", "HDEL", func(dst [][]byte, name, row []byte) ([][]byte, error) {
			_, value, err := format.SplitHashValue(row)
			return append(dst, name, value), err
		})
	case format.Set:
		return t.named(o, ops, fresh, "SADD", "SREM", func(dst [][]byte, name, _ []byte) ([][]byte, error) {
			return append(dst, name), nil
		})
	case format.ZSet:
		return t.named(o, ops, fresh, "ZADD", "ZREM", func(dst [][]byte, name, row []byte) ([][]byte, error) {
			score, err := format.ZSetScore(row)
			return append(dst, scoreText(score), name), err
		})
	case format.List:
		return t.list(o, ops, fresh)
	case format.Stream:
		return t.stream(o, ops, told)
	}
	return resync("a value of type %d", o.meta.Type)
}

// leftover is told of an object of which rows were written after the metadata, or without it.
func (t *Translator) leftover(o *object) error {
	if len(o.ops) == 0 {
		return nil
	}
	if o.live {
		return t.tell(o)
	}
	for i := range o.ops { // rows of what is deleted go; when a consumer was seen is not told
		if op := &o.ops[i]; op.op == format.OpSet && op.sub() != format.SubStreamConsumer {
			return resync("rows of an object of no key")
		}
	}
	return nil
}

// named is a value of elements that have a name: what each is in the end counts. What is new comes before what is gone,
// so that the value is never empty in between.
func (t *Translator) named(o *object, ops []operation, fresh bool, add, remove string, element func(dst [][]byte, name, row []byte) ([][]byte, error)) error {
	if fresh {
		t.command(word("DEL"), o.key)
	}
	last := make(map[string]int, len(ops))
	for i := range ops {
		if ops[i].op == format.OpDeleteRange {
			return resync("a range of elements is gone")
		}
		last[string(ops[i].rest())] = i
	}
	var put, gone [][]byte
	words := 0
	for i := range ops {
		op := &ops[i]
		if last[string(op.rest())] != i {
			continue
		}
		_, name, err := format.SplitMember(op.key, op.sub())
		if err != nil {
			return err
		}
		if op.op == format.OpDelete {
			gone = append(gone, name)
			continue
		}
		before := len(put)
		if put, err = element(put, name, op.value); err != nil {
			return err
		}
		words = len(put) - before
	}
	t.chunked([][]byte{word(add), o.key}, words, put)
	if !fresh {
		t.chunked([][]byte{word(remove), o.key}, 1, gone)
	}
	return nil
}

// scoreText is a score as ZADD takes it, exactly.
func scoreText(f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return word("inf")
	case math.IsInf(f, -1):
		return word("-inf")
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64)
}

// A string's chunks have this size, but for the last one and for zeros that are not stored.
const chunkSize = 8 << 10

// chunks is a string of chunks. Neighbours are sent together.
func (t *Translator) chunks(o *object, ops []operation, fresh bool) error {
	last := map[uint64][]byte{}
	var order []uint64
	for i := range ops {
		op := &ops[i]
		rest := op.rest()
		if op.op == format.OpDeleteRange || len(rest) != 4 {
			return resync("chunks of a string are gone")
		}
		idx := uint64(binary.BigEndian.Uint32(rest))
		if _, seen := last[idx]; !seen {
			order = append(order, idx)
		}
		value := op.value
		if op.op == format.OpDelete {
			value = make([]byte, min(chunkSize, o.meta.Bytes-min(o.meta.Bytes, idx*chunkSize)))
		}
		last[idx] = value
	}
	if fresh {
		t.command(word("DEL"), o.key)
	}
	end := false
	length := uint64(0) // that the follower's string has at least
	for i := 0; i < len(order); {
		from := order[i] * chunkSize
		end = end || from+chunkSize >= o.meta.Bytes
		text := last[order[i]]
		for i++; i < len(order) && order[i]*chunkSize == from+uint64(len(text)) && len(text) < chunkBytes; i++ {
			text = append(bytes.Clone(text), last[order[i]]...)
			end = end || (order[i]+1)*chunkSize >= o.meta.Bytes
		}
		if len(text) > 0 {
			t.command(word("SETRANGE"), o.key, number(int64(from)), text)
		}
		length = max(length, from+uint64(len(text)))
	}
	if length < o.meta.Bytes && (fresh || end) {
		t.command(word("SETRANGE"), o.key, number(int64(o.meta.Bytes-1)), []byte{0})
	}
	return nil
}
