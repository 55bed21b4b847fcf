package command

import (
	"math"

	"cobble/storage"
)

// What becomes of entries that groups still refer to when they are removed: XDELEX, XACKDEL and the options KEEPREF,
// DELREF and ACKED of XADD and XTRIM (Redis 8.2). Followers are told of XACK, XDEL and XTRIM.

type references uint8

const (
	keepReferences   references = iota // they stay, as XDEL leaves them
	dropReferences                     // they go with the entry
	needAcknowledged                   // the entry stays while there are any
)

func referencesOf(word []byte) (references, bool) {
	switch {
	case equalFold(word, "keepref"):
		return keepReferences, true
	case equalFold(word, "delref"):
		return dropReferences, true
	case equalFold(word, "acked"):
		return needAcknowledged, true
	}
	return 0, false
}

const (
	errIDsNumber Error = "ERR Number of IDs must be a positive integer"
	errIDsCount  Error = "ERR The `numids` parameter must match the number of arguments"
)

func streamRefsCommands() []Command {
	const each = "O(1) for each ID, regardless of the stream size; O(G) with DELREF and ACKED, G being the number of groups."
	return []Command{
		{Name: "xdelex", Arity: -5, Flags: Write | Fast, Categories: "@stream", Keys: Key(KeyRW|KeyDelete, 1, 1, 1), Group: "stream", Since: "8.2.0",
			Summary: "Removes entries of a stream, and what groups know of them if that is wished.", Complexity: each, Run: xdelex},
		{Name: "xackdel", Arity: -6, Flags: Write | Fast, Categories: "@stream", Keys: Key(KeyRW|KeyUpdate|KeyDelete, 1, 1, 1), Group: "stream", Since: "8.2.0",
			Summary: "Tells that a consumer has dealt with entries, and removes them from the stream.", Complexity: each, Run: xackdel},
	}
}

// removedIDs reads "[KEEPREF|DELREF|ACKED] IDS n id …", in either order.
func (c *Call) removedIDs(at int) (refs references, ids []storage.StreamID, err error) {
	given := false
	for ; at < len(c.Args); at++ {
		if word, ok := referencesOf(c.Args[at]); ok && !given {
			refs, given = word, true
			continue
		}
		if !equalFold(c.Args[at], "ids") || ids != nil || at+1 == len(c.Args) {
			return 0, nil, ErrSyntax
		}
		n, ok := storage.ParseInt(c.Args[at+1])
		if !ok || n < 1 {
			return 0, nil, errIDsNumber
		}
		at += 2
		if n > int64(len(c.Args)-at) {
			return 0, nil, errIDsCount
		}
		if ids, err = strictIDs(c.Args[at : at+int(n)]); err != nil {
			return 0, nil, err
		}
		at += int(n) - 1
	}
	if ids == nil {
		return 0, nil, ErrSyntax
	}
	return refs, ids, nil
}

// What XDELEX and XACKDEL reply for an ID.
const (
	entryNotThere = -1
	entryRemoved  = 1
	entryNeeded   = 2 // it stays, though it was acknowledged
)

func xdelex(c *Call, tx *storage.Tx) error {
	return c.removeEntries(tx, 2, func(_ *storage.Referrers, s *storage.Stream, id storage.StreamID) (bool, error) { return s.Has(id) })
}

// xackdel is XACKDEL: what is not pending in the group is not there.
func xackdel(c *Call, tx *storage.Tx) error {
	return c.removeEntries(tx, 3, func(r *storage.Referrers, _ *storage.Stream, id storage.StreamID) (bool, error) {
		return r.Acknowledge(c.Args[2], id)
	})
}

// removeEntries removes the entries that the arguments from a place on name, if isThere says that they are.
func (c *Call) removeEntries(tx *storage.Tx, at int, isThere func(*storage.Referrers, *storage.Stream, storage.StreamID) (bool, error)) error {
	c.trimmed = false
	refs, ids, err := c.removedIDs(at)
	if err != nil {
		return err
	}
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	groups, err := s.Referrers()
	if err != nil {
		return err
	}
	c.Out.Array(len(ids))
	for _, id := range ids {
		ok, err := isThere(groups, s, id)
		if err != nil {
			return err
		}
		if !ok {
			c.Out.Int(entryNotThere)
			continue
		}
		stays, removed, err := c.removeEntry(s, groups, refs, id)
		if err != nil {
			return err
		}
		c.trimmed = c.trimmed || removed
		if stays {
			c.Out.Int(entryNeeded)
		} else {
			c.Out.Int(entryRemoved)
		}
	}
	groups.Save()
	s.Save()
	return nil
}

// removeEntry removes an entry unless it is needed. It may be gone already, and only be referred to.
func (c *Call) removeEntry(s *storage.Stream, groups *storage.Referrers, refs references, id storage.StreamID) (needed, removed bool, err error) {
	switch refs {
	case dropReferences:
		err = groups.Drop(id)
	case needAcknowledged:
		needed, err = groups.Need(id)
	}
	if err != nil || needed {
		return needed, false, err
	}
	removed, err = s.Delete(id)
	return false, removed, err
}

// cut removes up to n entries from the beginning of a stream and none after last, as the options say of references.
func (t *trimming) cut(s *storage.Stream, n int64, last storage.StreamID) (int64, error) {
	if t.refs == keepReferences || n <= 0 {
		return s.Trim(n, last)
	}
	groups, err := s.Referrers()
	if err != nil {
		return 0, err
	}
	if t.refs == dropReferences && groups.None() {
		return s.Trim(n, last)
	}
	look := int64(math.MaxInt64) // entries to look at
	if t.refs == dropReferences || t.approximate {
		look = n
	}
	removed := int64(0)
	w := s.Walk(storage.StreamID{}, last, false)
	for ; look > 0 && removed < n && err == nil && w.Next(); look-- {
		needed := false
		if t.refs == dropReferences {
			err = groups.Drop(w.ID()) // Trim is to remove the entry
		} else if needed, err = groups.Need(w.ID()); err == nil && !needed {
			_, err = s.Delete(w.ID())
		}
		if err == nil && !needed {
			removed++
		}
	}
	if e := w.Close(); err == nil {
		err = e
	}
	if err != nil || t.refs == needAcknowledged {
		return removed, err
	}
	groups.Save()
	return s.Trim(n, last)
}

// tellXDelete tells of entries that are gone; that some were acknowledged is told to nobody.
func tellXDelete(c *Call, tx *storage.Tx, changes []storage.Change) {
	if !c.trimmed {
		return
	}
	for _, change := range changes {
		tellChange(tx, change, eventStream, "xdel")
	}
}
