package effect

import (
	"errors"
	"fmt"
	"strconv"

	"cobble/slots"
	"cobble/storage/dump"
	"cobble/storage/format"
	"cobble/storage/log"
)

// ErrResync says that what a record did cannot be said in commands, or not by this reader: the follower needs a new copy.
var ErrResync = errors.New("a full copy is needed")

func resync(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrResync, fmt.Sprintf(format, args...))
}

// Translator makes commands of the records of one log, in their order. It is for one goroutine.
type Translator struct {
	shared string
	codes  func(value []byte) ([]string, error)
	slots  [slots.Count]slotState

	out      []byte
	commands int
	rec      *log.Record
	ops      []operation
	notes    []format.Note
	objects  map[objectID]*object
	holders  map[string]*object // of the record's keys
	lost     map[uint16]bool    // slots of whose keys some may have lost their expiry; nil: not known yet

	drafts     map[objectID]*draft // that are being made
	draftBytes int                 // of all of them
	published  map[objectID]bool   // in this record
}

// slotState is what has to be known of a slot at the position of the log.
type slotState struct {
	next uint64 // object id: one that is not below it is new in the record
	keys int64
}

// operation is one of a record's.
type operation struct {
	op         byte
	key, value []byte
}

// New returns a translator that begins where a slot has so many keys and this next object id. The shared value of that
// name holds the codes of functions.
func New(shared string, codes func(value []byte) ([]string, error), slot func(slots.Slot) (keys int64, nextOID uint64, err error)) (*Translator, error) {
	t := &Translator{shared: shared, codes: codes}
	for s := range slots.Slot(slots.Count) {
		var err error
		if t.slots[s].keys, t.slots[s].next, err = slot(s); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Append appends the commands of the next record, as a client sends them: several stand between MULTI and EXEC, and
// there may be none. An error is ErrResync, or one of a broken record; after it nothing more can be said.
func (t *Translator) Append(dst []byte, rec *log.Record) ([]byte, error) {
	t.out, t.commands, t.rec = t.out[:0], 0, rec
	err := t.record(rec)
	t.rec = nil
	if err != nil || t.commands == 0 {
		return dst, err
	}
	if t.commands > 1 {
		dst = append(dst, "*1\r\n$5\r\nMULTI\r\n"...)
	}
	dst = append(dst, t.out...)
	if t.commands > 1 {
		dst = append(dst, "*1\r\n$4\r\nEXEC\r\n"...)
	}
	if cap(t.out) > maxKept {
		t.out = nil
	}
	return dst, nil
}

// maxKept is how many bytes of room are kept from one record for the next.
const maxKept = 1 << 20

func (t *Translator) record(rec *log.Record) error {
	switch rec.Kind {
	case log.KindBatch:
		if err := t.batch(); err != nil {
			return err
		}
		for i := range rec.Deltas {
			d := &rec.Deltas[i]
			s := &t.slots[d.Slot]
			s.next, s.keys = max(s.next, d.NextOID), s.keys+int64(d.Keys)
		}
		return nil
	case log.KindShared:
		return t.functions()
	case log.KindExcise, log.KindImport:
		return t.barrier()
	case log.KindTerm:
		return resync("the shard has a new primary")
	}
	return nil
}

// functions replaces all libraries.
func (t *Translator) functions() error {
	name, value, err := format.DecodeShared(t.rec.Payload)
	if err != nil || name != t.shared {
		return err
	}
	codes, err := t.codes(value)
	if err != nil {
		return err
	}
	if len(codes) == 0 {
		t.say("FUNCTION", "FLUSH")
		return nil
	}
	t.say("FUNCTION", "RESTORE", string(dump.AppendFunctions(nil, codes)), "FLUSH")
	return nil
}

// barrier is a record that replaces slots whole.
func (t *Translator) barrier() error {
	b, err := format.DecodeBarrier(t.rec.Payload, t.rec.Kind == log.KindImport)
	if err != nil {
		return err
	}
	var gone, come, all int64
	for i := range t.slots {
		all += t.slots[i].keys
	}
	b.Each(func(s uint16) {
		gone += t.slots[s].keys
		t.slots[s].keys = 0
		for id := range t.drafts {
			if id.slot == s {
				t.forget(id)
			}
		}
	})
	for i := range t.rec.Deltas {
		d := &t.rec.Deltas[i]
		t.slots[d.Slot].keys, t.slots[d.Slot].next = int64(d.Keys), max(t.slots[d.Slot].next, d.NextOID)
		come += int64(d.Keys)
	}
	switch {
	case come > 0:
		return resync("slots have come with %d keys", come)
	case gone == 0:
	case gone == all:
		t.say("FLUSHALL")
	default:
		return resync("slots have left with %d keys", gone)
	}
	return nil
}

// batch is a write set: its operations come in the order in which commands wrote them, a key's metadata after its rows.
func (t *Translator) batch() error {
	t.ops = t.ops[:0]
	err := format.EachOp(t.rec.Payload, func(op byte, key, value []byte) error {
		t.ops = append(t.ops, operation{op, key, value})
		return nil
	})
	if err != nil {
		return err
	}
	if t.notes, err = format.DecodeNotes(t.rec.Cmd); err != nil {
		return err
	}
	clear(t.objects)
	clear(t.holders)
	t.lost = nil
	if done, err := t.draft(); done || err != nil {
		return err
	}
	defer t.endDrafts()
	for _, op := range t.ops {
		if slot, _, _, _, isMeta := format.SplitMetaKey(op.key); isMeta && slot >= slots.Count {
			return format.ErrCorrupt
		}
	}
	for i := 0; i < len(t.ops); {
		if n := t.note(i); n != nil {
			for _, op := range t.ops[n.First:n.End] {
				t.register(op)
				if id, ok := objectOf(op.key); ok {
					t.object(id).told = true
				}
			}
			if len(n.Args) > 0 {
				t.command(n.Args...)
			}
			i = n.End
			continue
		}
		if err := t.operation(t.ops[i]); err != nil {
			return err
		}
		i++
	}
	for _, o := range t.objects {
		if err := t.leftover(o); err != nil {
			return err
		}
	}
	return nil
}

// note returns the note that begins with operation i, if there is one and it can be said now: an object that is yet to be
// said whole has the effect in its rows.
func (t *Translator) note(i int) *format.Note {
	for len(t.notes) > 0 && t.notes[0].First < i {
		t.notes = t.notes[1:]
	}
	if len(t.notes) == 0 || t.notes[0].First != i || t.notes[0].End > len(t.ops) || t.notes[0].End == i {
		return nil
	}
	n := &t.notes[0]
	for _, op := range t.ops[n.First:n.End] {
		if id, ok := objectOf(op.key); ok {
			if o := t.objects[id]; t.isNew(id) && (o == nil || !o.said) {
				return nil
			}
			break
		}
	}
	return n
}

func (t *Translator) isNew(id objectID) bool { return id.oid >= t.slots[id.slot].next }

// register notes which object a key has after an operation that is explained otherwise.
func (t *Translator) register(op operation) {
	slot, _, _, key, ok := format.SplitMetaKey(op.key)
	if !ok {
		return
	}
	var m format.Meta
	if op.op != format.OpSet || m.Decode(op.value) != nil || m.Layout == format.Inline {
		t.hold(key, nil)
		return
	}
	o := t.object(objectID{slot, m.OID})
	o.key, o.meta, o.live = key, m, true
	t.hold(key, o)
}

// hold says which object a key has now; one that it had before is no key's any more, unless another key took it.
func (t *Translator) hold(key []byte, o *object) {
	if old := t.holders[string(key)]; old != nil && old != o && string(old.key) == string(key) {
		old.live, old.ops = false, nil
	}
	if o == nil {
		delete(t.holders, string(key))
		return
	}
	if t.holders == nil {
		t.holders = map[string]*object{}
	}
	t.holders[string(key)] = o
}

func (t *Translator) operation(op operation) error {
	slot, db, _, key, isMeta := format.SplitMetaKey(op.key)
	switch {
	case !isMeta:
		if id, ok := objectOf(op.key); ok && op.matters() {
			o := t.object(id)
			o.ops = append(o.ops, op)
		}
		if oid, sub, part, ok := format.SplitGarbageKey(op.key); ok && part && sub == format.SubStreamEntry && op.op == format.OpSet {
			if slot = format.SlotOf(op.key); slot >= slots.Count {
				return format.ErrCorrupt
			}
			t.object(objectID{slot, oid}).trimmed = true
		}
		return nil
	case db != 0:
		return resync("a key of database %d", db)
	case op.op == format.OpDelete:
		t.hold(key, nil)
		t.command(word("DEL"), key)
		return nil
	case op.op != format.OpSet:
		return format.ErrCorrupt
	}
	var m format.Meta
	if err := m.Decode(op.value); err != nil {
		return err
	}
	if m.Layout == format.Inline {
		t.hold(key, nil)
		return t.whole(key, &m)
	}
	o := t.object(objectID{slot, m.OID})
	o.key, o.meta, o.live = key, m, true
	t.hold(key, o)
	if t.published[o.id] {
		return t.tellDraft(o)
	}
	return t.tell(o)
}

// whole sets a key to a value that stands in its metadata.
func (t *Translator) whole(key []byte, m *format.Meta) error {
	if m.Type == format.String {
		if m.ExpireAt == 0 {
			t.command(word("SET"), key, m.Inline)
		} else {
			t.command(word("SET"), key, m.Inline, word("PXAT"), number(m.ExpireAt))
		}
		return nil
	}
	if m.FieldsAt != 0 { // a field is there until it is removed
		_, fields, err := format.SplitHashInline(m.Inline)
		if err != nil {
			return err
		}
		m.FieldsAt, m.Inline = 0, fields
	}
	payload, err := dump.AppendInline(nil, m)
	if err != nil {
		return err
	}
	t.restore(key, m.ExpireAt, dump.Seal(payload, 0))
	return nil
}

func (t *Translator) restore(key []byte, expireAt int64, payload []byte) {
	if expireAt == 0 {
		t.command(word("RESTORE"), key, word("0"), payload, word("REPLACE"))
	} else {
		t.command(word("RESTORE"), key, number(expireAt), payload, word("REPLACE"), word("ABSTTL"))
	}
}

// expiry gives a key that was told in part the expiry that it has.
func (t *Translator) expiry(o *object, fresh bool) {
	switch {
	case o.meta.ExpireAt != 0:
		t.command(word("PEXPIREAT"), o.key, number(o.meta.ExpireAt))
	case !fresh && t.mayHaveLost(o.id.slot):
		t.command(word("PERSIST"), o.key)
	}
}

// mayHaveLost reports whether a key of a slot may have lost its expiry with the record: their number tells, unless
// another has got one.
func (t *Translator) mayHaveLost(slot uint16) bool {
	if t.lost == nil {
		t.lost = map[uint16]bool{}
		for i := range t.rec.Deltas {
			if d := &t.rec.Deltas[i]; d.Expires != 0 {
				t.lost[uint16(d.Slot)] = true
			}
		}
		var m format.Meta
		for _, op := range t.ops {
			s, _, _, _, ok := format.SplitMetaKey(op.key)
			if ok && op.op == format.OpSet && m.Decode(op.value) == nil && m.ExpireAt != 0 {
				t.lost[s] = true
			}
		}
	}
	return t.lost[slot]
}

func word(s string) []byte { return []byte(s) }

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// say appends a command of words.
func (t *Translator) say(words ...string) {
	args := make([][]byte, len(words))
	for i, w := range words {
		args[i] = []byte(w)
	}
	t.command(args...)
}

// command appends a command.
func (t *Translator) command(args ...[]byte) {
	t.commands++
	t.out = append(strconv.AppendInt(append(t.out, '*'), int64(len(args)), 10), "\r\n"...)
	for _, arg := range args {
		t.out = append(strconv.AppendInt(append(t.out, '$'), int64(len(arg)), 10), "\r\n"...)
		t.out = append(append(t.out, arg...), "\r\n"...)
	}
}

// A command with many elements is cut after so many words, or bytes.
const (
	chunkWords = 1000
	chunkBytes = 256 << 10
)

// chunked appends a command for each chunk of elements, of which each has so many words.
func (t *Translator) chunked(head [][]byte, each int, elements [][]byte) {
	for len(elements) > 0 {
		n, size := 0, 0
		for n < len(elements) && n < chunkWords && size < chunkBytes {
			for range each {
				size += len(elements[n])
				n++
			}
		}
		t.command(append(append(make([][]byte, 0, len(head)+n), head...), elements[:n]...)...)
		elements = elements[n:]
	}
}
