package storage

import (
	"math"
	"slices"
	"strconv"

	"cobble/storage/dump"
	"cobble/storage/format"
)

// dumpZSet appends the value of a sorted set as a payload carries it: last members
// first, as Redis writes them.
func (tx *Tx) dumpZSet(dst []byte, e *Entry) ([]byte, error) {
	z, err := tx.zsetOf(e)
	if err != nil {
		return dst, err
	}
	dst = dump.AppendLength(append(dst, dump.TypeZSet), uint64(z.Len()))
	w := z.Walk(z.ByRank(0, z.Len()), true, 0)
	for w.Next() {
		dst = dump.AppendScore(dump.AppendString(dst, w.Member()), w.Score())
	}
	return dst, w.Close()
}

// restoreZSet makes e a new sorted set of what s has seen.
func (tx *Tx) restoreZSet(e *Entry, p *dump.Payload, s *survey) error {
	entries, _ := tx.engine.encodings.zset()
	if s.n > max(entries, inlineZSetMembers) && (s.rises || s.falls) {
		e.Meta.Type, e.Meta.Enc = format.ZSet, format.EncSkiplist
		z := newZSet(tx, e)
		f := z.beginFill(s.falls)
		err := p.Elements(func(e *dump.Element) error {
			f.add(e.Name, e.Score)
			return tx.err
		})
		if err != nil {
			return err
		}
		return f.finish()
	}
	var all []Scored
	err := p.Elements(func(e *dump.Element) error {
		all = append(all, Scored{e.Name, e.Score})
		return nil
	})
	if err != nil {
		return err
	}
	return tx.fillZSet(e, all, inlineZSetMembers, inlineZSetBytes)
}

// digestZSet mixes the members of a sorted set, without order, into d.
func (tx *Tx) digestZSet(d *Digest, e *Entry) error {
	z, err := tx.zsetOf(e)
	if err != nil {
		return err
	}
	w := z.Walk(z.ByRank(0, z.Len()), false, 0)
	var text []byte
	for w.Next() {
		var pair Digest
		pair.mix(w.Member())
		text = AppendLongText(text[:0], w.Score())
		pair.mix(text)
		d.xor(pair[:])
	}
	return w.Close()
}

// AppendLongText appends a number as C prints it with "%.17g".
func AppendLongText(dst []byte, f float64) []byte {
	if math.IsInf(f, 1) {
		return append(dst, "inf"...)
	}
	if math.IsInf(f, -1) {
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(slices.Grow(dst, 24), f, 'g', 17, 64)
}

// LongText is AppendLongText as a string.
func LongText(f float64) string { return string(AppendLongText(nil, f)) }
