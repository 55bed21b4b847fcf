package storage

// ExpireIf is a condition of Expire on the expiry that the key has; none counts
// as an infinite one for the comparisons.
type ExpireIf uint8

// The conditions. XX may be combined with GT or LT.
const (
	ExpireAlways ExpireIf = 0
	ExpireNX     ExpireIf = 1 << (iota - 1) // it has none
	ExpireXX                                // it has one
	ExpireGT                                // the new one is later
	ExpireLT                                // the new one is earlier
)

// holds reports whether an expiry may be replaced by another; 0: there is none.
func (cond ExpireIf) holds(old, at int64) bool {
	switch {
	case cond&ExpireNX != 0 && old != 0,
		cond&ExpireXX != 0 && old == 0,
		cond&ExpireGT != 0 && (old == 0 || at <= old),
		cond&ExpireLT != 0 && old != 0 && at >= old:
		return false
	}
	return true
}

// Expire makes key expire at a time (Unix milliseconds), at once if that has
// passed. It reports whether there was a key and the condition held.
func (tx *Tx) Expire(key []byte, at int64, cond ExpireIf) (bool, error) {
	e, err := tx.Lookup(key)
	if err != nil || !e.Live {
		return false, err
	}
	if !cond.holds(e.Meta.ExpireAt, at) {
		return false, nil
	}
	if at <= tx.now {
		tx.remove(&e)
		return true, nil
	}
	e.Meta.ExpireAt = at
	tx.save(&e)
	return true, nil
}

// Persist takes the expiry from key and reports whether it had one.
func (tx *Tx) Persist(key []byte) (bool, error) {
	e, err := tx.Lookup(key)
	if err != nil || !e.Live || e.Meta.ExpireAt == 0 {
		return false, err
	}
	e.Meta.ExpireAt = 0
	tx.save(&e)
	return true, nil
}
