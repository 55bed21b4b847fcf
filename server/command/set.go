package command

import (
	"slices"

	"cobble/storage"
)

// The key specifications of set commands.
var (
	setSize    = Key(KeyRO, 1, 1, 1)
	setRead    = Key(KeyRO|KeyAccess, 1, 1, 1)
	setInsert  = Key(KeyRW|KeyInsert, 1, 1, 1)
	setDelete  = Key(KeyRW|KeyDelete, 1, 1, 1)
	setTake    = Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1)
	setReadAll = Key(KeyRO|KeyAccess, 1, -1, 1)
	setMove    = slices.Concat(setTake, Key(KeyRW|KeyInsert, 2, 2, 1))
	setInto    = slices.Concat(Key(KeyRW|KeyUpdate, 1, 1, 1), Key(KeyRO|KeyAccess, 2, -1, 1)) // Redis has no reason for RW
	setStore   = slices.Concat(Key(KeyOW|KeyUpdate, 1, 1, 1), Key(KeyRO|KeyAccess, 2, -1, 1))
	setCounted = []KeySpec{{Flags: KeyRO | KeyAccess, Index: 1, KeyNum: 0, FirstKey: 1}}
)

const (
	setWhole = "O(N) where N is the size of the set."
	setCross = "O(N*M) where N is the size of the smallest set and M the number of sets."
	setTotal = "O(N) where N is the number of members in all sets."
)

func setCommands() []Command {
	rows := []Command{
		{Name: "sadd", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: setInsert, Since: "1.0.0",
			Summary: "Adds members to a set, which is created if there is none.", Complexity: "O(N) where N is the number of members added.", Run: sadd},
		{Name: "srem", Arity: -3, Flags: Write | Fast, Keys: setDelete, Since: "1.0.0",
			Summary: "Removes members from a set, and the set with its last member.", Complexity: "O(N) where N is the number of members to be removed.", Run: srem},
		{Name: "scard", Arity: 2, Flags: ReadOnly | Fast, Keys: setSize, Since: "1.0.0",
			Summary: "Returns the number of members of a set.", Complexity: "O(1)", Run: scard},
		{Name: "sismember", Arity: 3, Flags: ReadOnly | Fast, Keys: setSize, Since: "1.0.0",
			Summary: "Tells whether a set has a member.", Complexity: "O(1)", Run: sismember},
		{Name: "smismember", Arity: -3, Flags: ReadOnly | Fast, Keys: setRead, Since: "6.2.0",
			Summary: "Tells of several members whether a set has them.", Complexity: "O(N) where N is the number of members asked for.", Run: smismember},
		{Name: "smembers", Arity: 2, Flags: ReadOnly, Keys: setRead, Since: "1.0.0", Tips: anyOrder,
			Summary: "Returns all members of a set.", Complexity: setWhole, Run: smembers},
		{Name: "spop", Arity: -2, Flags: Write | Fast, Keys: setTake, Since: "1.0.0", Tips: anyOutput,
			Summary: "Returns members of a set chosen at random, and removes them.", Complexity: "O(N) where N is the number of members returned.", Run: spop},
		{Name: "srandmember", Arity: -2, Flags: ReadOnly, Keys: setRead, Since: "1.0.0", Tips: anyOutput,
			Summary: "Returns members of a set chosen at random.", Complexity: "O(N) where N is the number of members returned.", Run: srandmember},
		{Name: "smove", Arity: 4, Flags: Write | Fast, Keys: setMove, Since: "1.0.0",
			Summary: "Moves a member from one set to another.", Complexity: "O(1)", Run: smove},
		{Name: "sscan", Arity: -3, Flags: ReadOnly, Keys: setRead, Since: "2.8.0", Tips: anyOutput,
			Summary:    "Walks over the members of a set, some with each call.",
			Complexity: "O(1) for a call, O(N) for the whole walk, where N is the size of the set.", Run: sscan},
		{Name: "sinter", Arity: -2, Flags: ReadOnly, Keys: setReadAll, Since: "1.0.0", Tips: anyOrder,
			Summary: "Returns the members that all of several sets have.", Complexity: setCross, Run: sinter},
		{Name: "sintercard", Arity: -3, Flags: ReadOnly | MovableKeys, Keys: setCounted, Since: "7.0.0",
			Summary: "Counts the members that all of several sets have, up to a limit.", Complexity: setCross, Check: checkInterCard, Run: sintercard},
		{Name: "sinterstore", long: true, Arity: -3, Flags: Write | DenyOOM, Keys: setInto, Since: "1.0.0",
			Summary: "Stores the members that all of several sets have.", Complexity: setCross, Run: sstore},
		{Name: "sunion", Arity: -2, Flags: ReadOnly, Keys: setReadAll, Since: "1.0.0", Tips: anyOrder,
			Summary: "Returns the members that any of several sets has.", Complexity: setTotal, Run: sunion},
		{Name: "sunionstore", long: true, Arity: -3, Flags: Write | DenyOOM, Keys: setStore, Since: "1.0.0",
			Summary: "Stores the members that any of several sets has.", Complexity: setTotal, Run: sstore},
		{Name: "sdiff", Arity: -2, Flags: ReadOnly, Keys: setReadAll, Since: "1.0.0", Tips: anyOrder,
			Summary: "Returns the members of a set that several others do not have.", Complexity: setTotal, Run: sdiff},
		{Name: "sdiffstore", long: true, Arity: -3, Flags: Write | DenyOOM, Keys: setStore, Since: "1.0.0",
			Summary: "Stores the members of a set that several others do not have.", Complexity: setTotal, Run: sstore},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "set", "@set"
	}
	return rows
}

// manyElements is how many elements a command looks at, or replies, at most while
// it holds up the other clients of its event loop.
const manyElements = 4096

// long returns the error that makes a command go on where it holds up nobody, if it
// is to look at n elements; else nil.
func (c *Call) long(n int64) error {
	if c.NoWait && !c.inExec && n > manyElements {
		return storage.ErrWouldBlock
	}
	return nil
}

func sadd(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	members := c.Args[2:]
	if err := s.Prefetch(members, 1); err != nil {
		return err
	}
	s.Expect(members[0], int64(len(members)))
	added := int64(0)
	for _, member := range members {
		isNew, err := s.Add(member)
		if err != nil {
			return err
		}
		if isNew {
			added++
		}
	}
	s.Save()
	c.Out.Int(added)
	return nil
}

func srem(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	if err := s.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	removed := int64(0)
	for _, member := range c.Args[2:] {
		had, err := s.Delete(member)
		if err != nil {
			return err
		}
		if had {
			removed++
		}
	}
	s.Save()
	c.Out.Int(removed)
	return nil
}

func scard(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	c.Out.Int(s.Len())
	return nil
}

func sismember(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	has, err := s.Has(c.Args[2])
	c.intBool(has)
	return err
}

func smismember(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	if err := s.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		has, err := s.Has(member)
		if err != nil {
			return err
		}
		c.intBool(has)
	}
	return nil
}

func smembers(c *Call, tx *storage.Tx) error {
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	if err := c.long(s.Len()); err != nil {
		return err
	}
	c.Out.Set(int(s.Len()))
	w := s.Walk()
	for w.Next() {
		c.Out.Bulk(w.Member())
	}
	return w.Close()
}

func smove(c *Call, tx *storage.Tx) error {
	from, to, member := c.Args[1], c.Args[2], c.Args[3]
	source, err := tx.Set(from)
	if err != nil || !source.Live() {
		c.Out.Int(0)
		return err
	}
	target, err := tx.Set(to)
	if err != nil {
		return err
	}
	if string(from) == string(to) {
		has, err := source.Has(member)
		c.intBool(has)
		return err
	}
	moved, err := source.Delete(member)
	c.intBool(moved)
	if err != nil || !moved {
		return err
	}
	source.Save()
	if !target.Live() {
		target.Expect(member, 1)
	}
	_, err = target.Add(member)
	target.Save()
	return err
}

func sscan(c *Call, tx *storage.Tx) error {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		return errCursor
	}
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	return c.scanElements(s.Live(), func(count int64, f func(name, value []byte)) (uint64, error) {
		return s.Scan(cursor, count, func(member []byte) { f(member, nil) })
	})
}
