package storage

import "cobble/storage/format"

// StringGet returns the value of a string key.
func (tx *Tx) StringGet(key []byte) (value []byte, ok bool, err error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return nil, false, err
	}
	return e.Meta.Inline, true, nil
}

// StringSet sets key to value and removes its expiry.
func (tx *Tx) StringSet(key, value []byte) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	e.Meta = format.Meta{Type: format.String, Enc: format.EncRaw, Inline: value}
	tx.save(&e)
	return nil
}
