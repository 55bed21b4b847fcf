package storage

import (
	"sync/atomic"

	"cobble/storage/format"
	"cobble/storage/intset"
	"cobble/storage/listpack"
)

// setEncodings are the sizes that say which encoding of a set is reported.
type setEncodings struct{ ints, entries, value atomic.Int64 } // value − default

const (
	defaultSetInts    = 512
	defaultSetEntries = 128
	defaultSetValue   = 64

	longestInt = 20 // bytes of the decimal form of an int64
)

// SetIntsetEntries sets set-max-intset-entries.
func (e *Engine) SetIntsetEntries(n int64) { e.encodings.sets.ints.Store(n - defaultSetInts) }

// SetSetEntries sets set-max-listpack-entries.
func (e *Engine) SetSetEntries(n int64) { e.encodings.sets.entries.Store(n - defaultSetEntries) }

// SetSetValue sets set-max-listpack-value, bytes.
func (e *Engine) SetSetValue(n int64) { e.encodings.sets.value.Store(n - defaultSetValue) }

// setLimits are the values of the settings: members of an intset, members of a
// listpack, bytes of one of its members.
type setLimits struct{ ints, entries, value int64 }

func (l *encodingLimits) set() setLimits {
	return setLimits{
		ints:    min(l.sets.ints.Load()+defaultSetInts, 1<<30),
		entries: l.sets.entries.Load() + defaultSetEntries,
		value:   l.sets.value.Load() + defaultSetValue,
	}
}

// created is the encoding of a set begun with a command that brings n members
// (setTypeCreate of Redis 7.2).
func (l setLimits) created(first []byte, n int64) format.Enc {
	if _, isInt := listpack.ParseInt(first); isInt && n <= l.ints {
		return format.EncIntset
	}
	if n <= l.entries {
		return format.EncListpack
	}
	return format.EncHashtable
}

// expecting is what becomes of an encoding when a command brings n members
// (setTypeMaybeConvert).
func (l setLimits) expecting(enc format.Enc, n int64) format.Enc {
	if enc == format.EncListpack && n > l.entries || enc == format.EncIntset && n > l.ints {
		return format.EncHashtable
	}
	return enc
}

// grown is what becomes of the encoding of a set of n members when another is
// added (setTypeAddAux). Longest is the length of the longest integer in an intset.
func (l setLimits) grown(enc format.Enc, n int64, member []byte, longest int64) format.Enc {
	switch enc {
	case format.EncIntset:
		if _, isInt := listpack.ParseInt(member); isInt {
			if n+1 > l.ints {
				return format.EncHashtable
			}
			return format.EncIntset
		}
		if longest > l.value {
			return format.EncHashtable
		}
		fallthrough
	case format.EncListpack:
		if n < l.entries && int64(len(member)) <= l.value {
			return format.EncListpack
		}
	}
	return format.EncHashtable
}

// longestMember returns the length of the longest integer of an intset, as far as
// it matters.
func (s *Set) longestMember(l setLimits) int64 {
	if l.value >= longestInt || s.e.Meta.Enc != format.EncIntset || !s.inline() || s.packed == nil || intset.Len(s.packed) == 0 {
		return 0
	}
	first := listpack.Element{IsInt: true, Int: intset.At(s.packed, 0)}
	last := listpack.Element{IsInt: true, Int: intset.At(s.packed, intset.Len(s.packed)-1)}
	return int64(max(first.Len(), last.Len()))
}
