package storage

import (
	"errors"
	"slices"

	"cobble/storage/dump"
	"cobble/storage/format"
)

// Errors of Restore.
var (
	ErrBusyKey      = errors.New("storage: the key exists already")
	ErrBadPayload   = errors.New("storage: unknown version or wrong checksum of a payload")
	ErrBadValue     = errors.New("storage: malformed value in a payload")
	ErrUnknownValue = errors.New("storage: a payload with a value of a type that is not supported")
)

// Dump appends the payload of key's value, and returns when the key expires (Unix
// milliseconds, 0 = never). Without such a key it reports ok false.
func (tx *Tx) Dump(dst, key []byte) (payload []byte, expireAt int64, ok bool, err error) {
	e, err := tx.Lookup(key)
	if err != nil || !e.Live {
		return dst, 0, false, err
	}
	start := len(dst)
	switch e.Meta.Type {
	case format.String:
		var value []byte
		if value, err = tx.stringBytes(&e); err == nil {
			dst = dump.AppendString(append(dst, dump.TypeString), value)
		}
	case format.HashType:
		h := tx.hashOf(&e)
		if dst, err = h.dump(dst); err == nil && len(dst) == start {
			return dst, 0, false, nil
		}
	case format.List:
		dst, err = tx.dumpList(dst, &e)
	case format.Set:
		dst, err = tx.dumpSet(dst, &e)
	case format.ZSet:
		dst, err = tx.dumpZSet(dst, &e)
	case format.Stream:
		dst, err = tx.dumpStream(dst, &e)
	default:
		err = ErrUnknownValue
	}
	if err != nil {
		return dst[:start], 0, false, err
	}
	return dump.Seal(dst, start), e.Meta.ExpireAt, true, nil
}

// Restore creates key from a payload, to expire at a time (Unix milliseconds, 0 =
// never); one that has passed leaves no key. Unless replace, a key that exists is
// ErrBusyKey.
func (tx *Tx) Restore(key, payload []byte, expireAt int64, replace bool) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	if e.Live && !replace {
		return ErrBusyKey
	}
	if err := tx.Long(0, int64(len(payload))); err != nil { // before anything looks at all of it
		return err
	}
	p, err := dump.Open(payload)
	if err != nil {
		return payloadError(err)
	}
	s, err := tx.survey(&p)
	if err != nil {
		return payloadError(err)
	}
	if err := tx.Long(s.n, s.bytes); err != nil {
		return err
	}
	if expireAt != 0 && expireAt <= tx.now {
		tx.remove(&e)
		return nil
	}
	e.Meta = format.Meta{ExpireAt: expireAt}
	switch p.Type() {
	case format.String:
		tx.fillString(&e, StringEnc(s.text), s.text)
		tx.save(&e)
	case format.HashType:
		err = tx.restoreHash(&e, &p, s.n)
	case format.List:
		err = tx.restoreList(&e, &p)
	case format.Set:
		err = tx.restoreSet(&e, &p, s.n)
	case format.ZSet:
		err = tx.restoreZSet(&e, &p, &s)
	case format.Stream:
		err = tx.restoreStream(&e, &p)
	}
	return payloadError(err)
}

// payloadError makes an error of a payload one of Restore.
func payloadError(err error) error {
	switch {
	case errors.Is(err, dump.ErrChecksum):
		return ErrBadPayload
	case errors.Is(err, dump.ErrUnsupported):
		return ErrUnknownValue
	case errors.Is(err, dump.ErrFormat):
		return ErrBadValue
	}
	return err
}

// survey is what a payload was found to hold before anything of it is written.
type survey struct {
	n           int64  // elements
	bytes       int64  // of them
	text        []byte // of a string
	rises       bool   // a sorted set's members come in order,
	falls       bool   // or in the reverse order
	last        Scored
	hashes      []uint64 // of names that must differ
	hashesNames bool
}

// survey looks at a whole payload. What names an element must do so once: a draft does not see what it has written.
func (tx *Tx) survey(p *dump.Payload) (s survey, err error) {
	s.rises, s.falls = true, true
	switch p.Type() {
	case format.String:
		s.text, err = p.String()
		s.bytes = int64(len(s.text))
		return s, err
	case format.Stream:
		_, err = p.Stream(func(e *dump.StreamEntry) error {
			s.n++
			for _, f := range e.Fields {
				s.bytes += int64(len(f))
			}
			return nil
		})
		return s, err
	case format.ZSet:
		s.hashesNames = true
	case format.Set, format.HashType:
		s.hashesNames = tx.frozen != nil
	}
	if err = p.Elements(s.see); err != nil || !s.hashesNames {
		return s, err
	}
	slices.Sort(s.hashes)
	same := map[uint64]bool{}
	for i := 1; i < len(s.hashes); i++ {
		if s.hashes[i] == s.hashes[i-1] {
			same[s.hashes[i]] = true
		}
	}
	s.hashes = nil
	if len(same) == 0 {
		return s, nil
	}
	seen := map[string]bool{}
	return s, p.Elements(func(e *dump.Element) error {
		if same[format.Hash(e.Name)] {
			if seen[string(e.Name)] {
				return dump.ErrFormat // no server writes one twice
			}
			seen[string(e.Name)] = true
		}
		return nil
	})
}

func (s *survey) see(e *dump.Element) error {
	at := Scored{e.Name, e.Score}
	if s.n > 0 {
		c := CompareScored(s.last, at)
		s.rises, s.falls = s.rises && c < 0, s.falls && c > 0
	}
	s.n++
	s.bytes += int64(len(e.Name) + len(e.Value))
	if s.last = at; s.hashesNames {
		s.hashes = append(s.hashes, format.Hash(e.Name))
	}
	return nil
}

// dump appends the payload of a hash, or nothing if all of its fields have expired.
func (h *Hash) dump(dst []byte) ([]byte, error) {
	n, first := h.Len(), int64(0)
	if n == 0 {
		return dst, nil
	}
	if h.e.Meta.FieldsAt != 0 {
		var err error
		if first, err = h.nextDeadline(h.hideBefore); err != nil {
			return dst, err
		}
	}
	dst = dump.AppendHash(dst, uint64(n), first)
	w := h.Walk()
	for w.Next() {
		at := int64(0)
		if first != 0 {
			at = w.Deadline()
		}
		dst = dump.AppendField(dst, w.Field(), w.Value(), at, first)
	}
	return dst, w.Close()
}

// restoreHash makes e a new hash of n fields. Those that have expired are left out; if all have, there will be no key.
func (tx *Tx) restoreHash(e *Entry, p *dump.Payload, n int64) error {
	e.Meta.Type, e.Meta.Enc = format.HashType, format.EncListpack
	h := Hash{members: members{tx: tx, e: *e, sub: format.SubHashField}}
	if n > inlineHashFields {
		if err := h.toRows(); err != nil {
			return err
		}
	}
	err := p.Elements(func(e *dump.Element) error {
		if e.Deadline > MaxFieldDeadline {
			return ErrBadValue
		}
		if e.Deadline != 0 && e.Deadline < tx.now {
			return nil
		}
		added, err := h.SetUntil(e.Name, e.Value, e.Deadline)
		if err == nil && !added {
			return ErrBadValue // no server writes a field twice
		}
		return err
	})
	h.changed = true
	if err == nil {
		h.Save()
	}
	return err
}

func (tx *Tx) dumpList(dst []byte, e *Entry) ([]byte, error) {
	l, err := tx.listOf(e)
	if err != nil {
		return dst, err
	}
	dst = dump.AppendLength(append(dst, dump.TypeList), uint64(l.Len()))
	w := l.Walk(Head, 0, l.Len())
	for w.Next() {
		dst = dump.AppendString(dst, w.Value())
	}
	return dst, w.Close()
}

// StoreList makes key a list of n values, in place of whatever it was; none leave no key.
func (tx *Tx) StoreList(key []byte, n int, value func(i int) []byte) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	if n == 0 {
		tx.remove(&e)
		return nil
	}
	e.Meta = format.Meta{}
	l := tx.newList(&e)
	for i := range n {
		if err := l.Push(Tail, value(i)); err != nil {
			return err
		}
	}
	l.settle()
	l.Save()
	return nil
}

// newList returns a list without elements that takes the place of what e has.
func (tx *Tx) newList(e *Entry) List {
	e.Meta.Type, e.Meta.Enc = format.List, format.EncListpack
	return List{tx: tx, e: *e}
}

// restoreList makes e a new list.
func (tx *Tx) restoreList(e *Entry, p *dump.Payload) error {
	l := tx.newList(e)
	if err := p.Elements(func(e *dump.Element) error { return l.Push(Tail, e.Name) }); err != nil {
		return err
	}
	l.settle()
	l.Save()
	return nil
}
