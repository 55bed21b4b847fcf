package effect

import (
	"encoding/binary"

	"cobble/slots"
	"cobble/storage/format"
)

// An object may come in several records: the first has nothing but its row in the garbage queue, those that follow its
// rows, with notes that they change no value, and the last takes the first row away and gives the object to a key. If the
// last record does not say by which command, the first has no note: then the rows are kept until then, as they are
// logged. Who has not seen the first cannot say what the last one does.

// draft is what has come of such an object.
type draft struct {
	pieces [][]byte // write sets
	bytes  int
}

// maxDraftBytes is how much is kept of all of them. A follower of more needs a new copy.
const maxDraftBytes = 256 << 20

// garbageOf returns the object that a row of the garbage queue names.
func garbageOf(row []byte) (objectID, bool) {
	if len(row) != 11 || row[2] != format.KindGarbage || format.SlotOf(row) >= slots.Count {
		return objectID{}, false
	}
	return objectID{format.SlotOf(row), binary.BigEndian.Uint64(row[3:])}, true
}

// draft looks for beginnings and pieces of drafts, of which there is nothing to say yet: done. Of other records it finds
// out which drafts they end.
func (t *Translator) draft() (done bool, err error) {
	clear(t.published)
	if len(t.ops) == 1 && t.ops[0].op == format.OpSet && len(t.notes) == 0 {
		if id, ok := garbageOf(t.ops[0].key); ok && t.isNew(id) {
			if t.drafts == nil {
				t.drafts = map[objectID]*draft{}
			}
			t.drafts[id] = &draft{}
			return true, nil
		}
	}
	if len(t.drafts) > 0 && len(t.ops) > 0 {
		if id, ok := objectOf(t.ops[0].key); ok && t.drafts[id] != nil && t.piece(id) {
			return true, t.keep(t.drafts[id])
		}
	}
	for i := range t.ops {
		if id, ok := garbageOf(t.ops[i].key); ok && t.ops[i].op == format.OpDelete {
			if t.published == nil {
				t.published = map[objectID]bool{}
			}
			t.published[id] = true
		}
	}
	return false, nil
}

// piece reports whether a record has rows of one draft, and nothing else.
func (t *Translator) piece(id objectID) bool {
	for i := range t.ops {
		if of, ok := objectOf(t.ops[i].key); !ok || of != id || t.ops[i].op == format.OpDeleteRange {
			return false
		}
	}
	return true
}

func (t *Translator) keep(d *draft) error {
	if t.draftBytes += len(t.rec.Payload); t.draftBytes > maxDraftBytes {
		return resync("more than %d bytes of values are under way", maxDraftBytes)
	}
	d.bytes += len(t.rec.Payload)
	d.pieces = append(d.pieces, append([]byte(nil), t.rec.Payload...))
	return nil
}

func (t *Translator) forget(id objectID) {
	if d := t.drafts[id]; d != nil {
		t.draftBytes -= d.bytes
		delete(t.drafts, id)
	}
}

// endDrafts forgets drafts that have a key now, or were swept.
func (t *Translator) endDrafts() {
	for id := range t.published {
		t.forget(id)
	}
}

// tellDraft says what a key has got with the last record of a draft.
func (t *Translator) tellDraft(o *object) error {
	d := t.drafts[o.id]
	if d == nil || len(d.pieces) == 0 {
		return resync("a value was begun before")
	}
	var all []operation
	for i, piece := range d.pieces {
		if o.meta.Type != format.Stream {
			all = all[:0]
		}
		err := format.EachOp(piece, func(op byte, key, value []byte) error {
			if o := (operation{op, key, value}); o.matters() {
				all = append(all, o)
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case o.meta.Type == format.Stream:
		case o.meta.Type == format.List && i > 0:
			err = t.append(o, all)
		default:
			err = t.change(o, all, i == 0, false)
		}
		if err != nil {
			return err
		}
	}
	o.said = true
	if o.meta.Type == format.Stream {
		return t.wholeStream(o, all)
	}
	t.expiry(o, true)
	return nil
}

// append pushes elements behind those of a list that were told of.
func (t *Translator) append(o *object, ops []operation) error {
	c := listChange{places: map[uint64]place{}}
	for i := range ops {
		if err := c.add(&ops[i]); err != nil {
			return err
		}
	}
	t.push("RPUSH", o.key, &c, c.sorted(func(p place) bool { return p.is }))
	return nil
}
