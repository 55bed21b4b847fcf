package command

import (
	"cobble/storage"
)

const (
	errNumKeys     Error = "ERR numkeys should be greater than 0"
	errTooManyKeys Error = "ERR Number of keys can't be greater than number of args"
	errLimit       Error = "ERR LIMIT can't be negative"
)

// sets looks keys up. It is an error that one holds another type, and that it would
// take long to look at all members here.
func (c *Call) sets(tx *storage.Tx, keys [][]byte) ([]storage.Set, error) {
	sets := make([]storage.Set, len(keys))
	for i, key := range keys {
		var err error
		if sets[i], err = tx.Set(key); err != nil {
			return nil, err
		}
	}
	total, _ := c.combined(len(sets), func(i int) (int64, int64) { return sets[i].Len(), sets[i].Size() })
	return sets, c.long(total)
}

// combined returns how many elements of n inputs, and bytes of them, a command that combines them
// looks at, about: a union at all of them, a difference at those of the first input, an
// intersection at those of the smallest, which the other inputs are asked for.
func (c *Call) combined(n int, input func(i int) (elements, size int64)) (elements, size int64) {
	how := c.Cmd.Name[1:4]
	for i := range n {
		e, s := input(i)
		switch {
		case i == 0 || how == "int" && e < elements:
			elements, size = e, s
		case how == "uni":
			elements, size = elements+e, size+s
		}
	}
	if how != "uni" {
		elements *= int64(n)
	}
	return elements, size
}

func sinter(c *Call, tx *storage.Tx) error { return c.replyMembers(tx, storage.Intersect) }
func sunion(c *Call, tx *storage.Tx) error { return c.replyMembers(tx, storage.Union) }
func sdiff(c *Call, tx *storage.Tx) error  { return c.replyMembers(tx, storage.Subtract) }

// replyMembers replies what compute calls its function with.
func (c *Call) replyMembers(tx *storage.Tx, compute func([]storage.Set, func(member []byte) bool) error) error {
	sets, err := c.sets(tx, c.Args[1:])
	if err != nil {
		return err
	}
	start, n := c.Out.Len(), 0
	err = compute(sets, func(member []byte) bool {
		c.Out.Bulk(member)
		n++
		return true
	})
	c.Out.SetSince(start, n)
	return err
}

// sstore is SINTERSTORE, SUNIONSTORE and SDIFFSTORE.
func sstore(c *Call, tx *storage.Tx) error {
	sets, err := c.sets(tx, c.Args[2:])
	if err != nil {
		return err
	}
	rows, size := c.combined(len(sets), func(i int) (int64, int64) { return sets[i].Len(), sets[i].Size() })
	if err := tx.Long(rows, size, c.Args...); err != nil {
		return err
	}
	store := tx.StoreIntersection
	switch c.Cmd.Name {
	case "sunionstore":
		store = tx.StoreUnion
	case "sdiffstore":
		store = tx.StoreDifference
	}
	n, err := store(c.Args[1], sets)
	c.Out.Int(n)
	return err
}

// parseInterCard returns SINTERCARD's keys and limit, 0 for none.
func (c *Call) parseInterCard() (keys [][]byte, limit int64, err error) {
	numKeys, ok := storage.ParseInt(c.Args[1])
	if !ok || numKeys < 1 {
		return nil, 0, errNumKeys
	}
	if numKeys > int64(len(c.Args)-2) {
		return nil, 0, errTooManyKeys
	}
	for options := c.Args[2+numKeys:]; len(options) > 0; options = options[2:] {
		if !fold(options[0], "LIMIT") || len(options) == 1 {
			return nil, 0, ErrSyntax
		}
		if limit, ok = storage.ParseInt(options[1]); !ok || limit < 0 {
			return nil, 0, errLimit
		}
	}
	return c.Args[2 : 2+numKeys], limit, nil
}

func checkInterCard(c *Call) error {
	_, _, err := c.parseInterCard()
	return err
}

func sintercard(c *Call, tx *storage.Tx) error {
	keys, limit, err := c.parseInterCard()
	if err != nil {
		return err
	}
	sets, err := c.sets(tx, keys)
	if err != nil {
		return err
	}
	n := int64(0)
	err = storage.Intersect(sets, func([]byte) bool {
		n++
		return n != limit
	})
	c.Out.Int(n)
	return err
}
