package storage

import (
	"strconv"

	"cobble/storage/format"
)

// SetOptions are the conditions and the expiry of StringSet.
type SetOptions struct {
	IfAbsent, IfPresent bool
	ReturnOld           bool  // fail with ErrWrongType unless the old value is a string
	KeepTTL             bool  // keep the expiry that the key has
	ExpireAt            int64 // Unix milliseconds; 0 = never
	If                  *Condition
}

// Condition is what the value of a key must be like, for a change to happen; a value
// that is no string is ErrWrongType.
type Condition struct {
	Absent bool // there may be none
	Holds  func(value []byte) bool
}

// holds reports whether the condition is met by the value of e; nil always is.
func (tx *Tx) holds(c *Condition, e *Entry) (bool, error) {
	if c == nil || !e.Live {
		return c == nil || c.Absent, nil
	}
	if e.Meta.Type != format.String {
		return false, ErrWrongType
	}
	value, err := tx.stringBytes(e)
	return err == nil && c.Holds(value), err
}

// StringDelete deletes a key whose string value is as asked; it reports whether it did.
func (tx *Tx) StringDelete(key []byte, c *Condition) (bool, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return false, err
	}
	holds, err := tx.holds(c, &e)
	if err != nil || !holds {
		return false, err
	}
	tx.remove(&e)
	return true, nil
}

// SetResult is what StringSet found and did.
type SetResult struct {
	Old  []byte // with ReturnOld
	Had  bool   // there was a value
	Done bool   // the conditions held and the value was set
}

// StringSet sets key to value. An expiry that has passed deletes the key.
func (tx *Tx) StringSet(key, value []byte, o SetOptions) (r SetResult, err error) {
	var e Entry
	old, err := tx.lookupRow(&e, key)
	if err == nil && e.Live {
		if o.ReturnOld || o.If != nil {
			err = e.Meta.Decode(old)
		}
		e.Meta.ExpireAt = e.disk.ExpireAt
	}
	if err != nil {
		return r, err
	}
	r.Had = e.Live
	if o.ReturnOld && e.Live {
		if e.Meta.Type != format.String {
			return r, ErrWrongType
		}
		if r.Old, err = tx.stringBytes(&e); err != nil {
			return r, err
		}
	}
	if o.IfAbsent && e.Live || o.IfPresent && !e.Live {
		return r, nil
	}
	if o.If != nil {
		if holds, err := tx.holds(o.If, &e); err != nil || !holds {
			return r, err
		}
	}
	r.Done = true
	if o.ExpireAt != 0 && o.ExpireAt < tx.now {
		tx.remove(&e)
		return r, nil
	}
	if !o.KeepTTL {
		e.Meta.ExpireAt = o.ExpireAt
	}
	tx.fillString(&e, StringEnc(value), value)
	tx.saveLast(&e)
	return r, nil
}

// StringGetDel returns the value of a string and deletes it.
func (tx *Tx) StringGetDel(key []byte) (value []byte, ok bool, err error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return nil, false, err
	}
	if value, err = tx.stringBytes(&e); err != nil {
		return nil, false, err
	}
	tx.remove(&e)
	return value, true, nil
}

// StringAppend appends value to a string and returns the new length.
func (tx *Tx) StringAppend(key, value []byte) (int64, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil {
		return 0, err
	}
	if !e.Live {
		tx.fillString(&e, StringEnc(value), value)
		tx.save(&e)
		return int64(len(value)), nil
	}
	length := stringLen(&e.Meta)
	if err := tx.fits(length, int64(len(value))); err != nil {
		return 0, err
	}
	if err := tx.patchString(&e, length, value, format.EncRaw); err != nil {
		return 0, err
	}
	return length + int64(len(value)), nil
}

// StringSetRange writes value at offset ≥ 0 and returns the length of the string.
// An empty value writes nothing.
func (tx *Tx) StringSetRange(key []byte, offset int64, value []byte) (int64, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil {
		return 0, err
	}
	length := int64(0)
	if e.Live {
		length = stringLen(&e.Meta)
	}
	if len(value) == 0 {
		return length, nil
	}
	if err := tx.fits(offset, int64(len(value))); err != nil {
		return 0, err
	}
	return max(length, offset+int64(len(value))), tx.patchString(&e, offset, value, format.EncRaw)
}

// StringIncr adds by to the integer that a string holds and returns the sum.
func (tx *Tx) StringIncr(key []byte, by int64) (int64, error) {
	var e Entry
	if err := tx.lookupType(&e, key, format.String); err != nil {
		return 0, err
	}
	n := int64(0)
	if e.Live {
		var ok bool
		if n, ok = ParseInt(e.Meta.Inline); !ok {
			return 0, ErrNotInteger
		}
	}
	sum, ok := addInts(n, by)
	if !ok {
		return 0, ErrOverflow
	}
	tx.build = strconv.AppendInt(tx.build[:0], sum, 10)
	tx.fillString(&e, format.EncInt, tx.build)
	tx.saveLast(&e)
	return sum, nil
}

// StringIncrFloat adds by to the number that a string holds and returns the sum's text.
func (tx *Tx) StringIncrFloat(key []byte, by LongDouble) ([]byte, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil {
		return nil, err
	}
	var n LongDouble
	if e.Live {
		text, err := tx.stringBytes(&e)
		if err != nil {
			return nil, err
		}
		var ok bool
		if n, ok = ParseLongDouble(text); !ok {
			return nil, ErrNotFloat
		}
	}
	sum, ok := n.Add(by)
	if !ok {
		return nil, ErrNaN
	}
	text := sum.Append(nil)
	enc := format.EncEmbstr
	if len(text) > embstrLimit {
		enc = format.EncRaw
	}
	tx.fillString(&e, enc, text)
	tx.save(&e)
	return text, nil
}
