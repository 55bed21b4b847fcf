package storage

import (
	"bytes"

	"cobble/storage/format"
)

// Scores is one of the inputs of a union, intersection or difference: a sorted set,
// or a set, whose members have the score 1. It must be closed.
type Scores struct {
	zset   ZSet
	set    Set
	of     format.Type
	probe  memberRows // layout Rows; it is nil until Find needs it
	opened bool
	packed packedFinder // layout Inline
}

// Scores looks up a key that holds a sorted set or a set, or does not exist.
func (tx *Tx) Scores(key []byte) (Scores, error) {
	e, err := tx.Lookup(key)
	s := Scores{of: format.ZSet}
	switch {
	case err != nil:
	case e.Live && e.Meta.Type == format.Set:
		s.of = format.Set
		s.set, err = tx.setOf(&e)
	case e.Live && e.Meta.Type != format.ZSet:
		err = ErrWrongType
	default:
		s.zset, err = tx.zsetOf(&e)
	}
	return s, err
}

// Len returns the number of members.
func (s *Scores) Len() int64 {
	if s.of == format.Set {
		return s.set.Len()
	}
	return s.zset.Len()
}

// Size returns the bytes of the members, about.
func (s *Scores) Size() int64 { return s.members().Size() }

func (s *Scores) members() *members {
	if s.of == format.Set {
		return &s.set.members
	}
	return &s.zset.members
}

// Each calls f with every member, in an order that suits Find of other inputs, until
// f is false.
func (s *Scores) Each(f func(member []byte, score float64) (bool, error)) error {
	m := s.members()
	switch {
	case s.Len() == 0:
		return nil
	case !m.inline():
		return s.eachRow(f)
	case s.of == format.Set:
		w := s.set.Walk()
		for more := true; more && w.Next(); {
			var err error
			if more, err = f(w.Member(), 1); err != nil {
				_ = w.Close()
				return err
			}
		}
		return w.Close()
	}
	items, err := s.zset.load()
	for i, more := 0, true; more && err == nil && i < len(items); i++ {
		more, err = f(items[i].Member, items[i].Score)
	}
	return err
}

func (s *Scores) eachRow(f func(member []byte, score float64) (bool, error)) error {
	r := s.members().rows()
	for more := true; more && r.next(); {
		score, err := s.scoreOf(r.value)
		if err == nil {
			more, err = f(r.name, score)
		}
		if err != nil {
			_ = r.close()
			return err
		}
	}
	return r.close()
}

// scoreOf reads the value of a member's row.
func (s *Scores) scoreOf(value []byte) (float64, error) {
	if s.of == format.Set {
		return 1, nil
	}
	return format.ZSetScore(value)
}

// Find returns the score of a member. Of many members it is asked for, those of
// large inputs that are not in memory are found by one iterator, and best in the
// order of Each.
func (s *Scores) Find(member []byte) (score float64, ok bool, err error) {
	m := s.members()
	switch {
	case s.Len() == 0:
		return 0, false, nil
	case m.inline() && s.of == format.Set:
		ok, err = s.packed.has(&s.set, member)
		return 1, ok, err
	case m.inline():
		return s.packed.score(&s.zset, member)
	}
	key := m.rowKey(member)
	if row, ok, known := m.tx.knownRow(key); known && !ok {
		return 0, false, nil
	} else if known {
		score, err = s.scoreOf(row)
		return score, err == nil, err
	}
	if !s.opened {
		s.probe, s.opened = m.rows(), true
		key = m.rowKey(member)
	}
	if !s.probe.seek(key) || !bytes.Equal(s.probe.it.Key(), key) {
		return 0, false, s.probe.err
	}
	score, err = s.scoreOf(s.probe.value)
	return score, err == nil, err
}

// Close ends what Find has begun.
func (s *Scores) Close() error {
	if !s.opened {
		return nil
	}
	s.opened = false
	return s.probe.close()
}
