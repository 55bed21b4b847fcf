package storage

import "cobble/storage/format"

// StringGet returns the value of a string key. A long value is assembled in new memory.
func (tx *Tx) StringGet(key []byte) (value []byte, ok bool, err error) {
	var e Entry
	err = tx.lookupType(&e, key, format.String)
	if err != nil || !e.Live {
		return nil, false, err
	}
	if e.Meta.Layout == format.Inline {
		return e.Meta.Inline, true, nil
	}
	value, err = tx.stringBytes(&e)
	return value, true, err
}

// StringPeek is StringGet for a value that stands in one row. Of a longer one it
// returns the length, for StringAppendTo.
func (tx *Tx) StringPeek(key []byte) (value []byte, long int64, ok bool, err error) {
	var e Entry
	err = tx.lookupType(&e, key, format.String)
	if err != nil || !e.Live {
		return nil, 0, false, err
	}
	if e.Meta.Layout == format.Inline {
		return e.Meta.Inline, 0, true, nil
	}
	return nil, int64(e.Meta.Bytes), true, nil
}

// StringAppendTo appends the value of a string to dst. It belongs to a StringPeek
// and is not counted as another lookup.
func (tx *Tx) StringAppendTo(dst, key []byte) ([]byte, error) {
	hits, misses := tx.hits, tx.misses
	e, err := tx.LookupType(key, format.String)
	tx.hits, tx.misses = hits, misses
	if err != nil || !e.Live {
		return dst, err
	}
	return tx.appendRange(dst, &e, 0, stringLen(&e.Meta))
}

// StringLen returns the length of a string, 0 for no key.
func (tx *Tx) StringLen(key []byte) (int64, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return 0, err
	}
	return stringLen(&e.Meta), nil
}

// StringRange returns the bytes first to last, both included, of a string;
// negative positions count from its end.
func (tx *Tx) StringRange(key []byte, first, last int64) ([]byte, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return nil, err
	}
	if first < 0 && last < 0 && first > last {
		return nil, nil
	}
	first, last, ok := clampRange(first, last, stringLen(&e.Meta))
	if !ok {
		return nil, nil
	}
	if e.Meta.Layout == format.Inline {
		return e.Meta.Inline[first : last+1], nil
	}
	return tx.appendRange(make([]byte, 0, last+1-first), &e, first, last+1)
}

// clampRange makes positions, negative ones from the end, fit a length; ok is
// false if nothing is between them.
func clampRange(first, last, length int64) (int64, int64, bool) {
	if first < 0 {
		first = max(first+length, 0)
	}
	if last < 0 {
		last = max(last+length, 0)
	}
	last = min(last, length-1)
	return first, last, first <= last && length > 0
}
