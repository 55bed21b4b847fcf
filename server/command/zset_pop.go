package command

import "cobble/storage"

var (
	zsetTake      = Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1)
	zsetTakeFirst = []KeySpec{{Flags: KeyRW | KeyAccess | KeyDelete, Index: 1, KeyNum: 0, FirstKey: 1}}
)

const costPop = "O(log(N)*M) where N is the number of members and M that of those popped."

func zsetPopRows() []Command {
	return []Command{
		{Name: "zpopmin", Arity: -2, Flags: Write | Fast, Keys: zsetTake, Since: "5.0.0", Complexity: costPop, Run: zpop,
			Summary: "Returns the members of a sorted set with the lowest scores, and removes them."},
		{Name: "zpopmax", Arity: -2, Flags: Write | Fast, Keys: zsetTake, Since: "5.0.0", Complexity: costPop, Run: zpop,
			Summary: "Returns the members of a sorted set with the highest scores, and removes them."},
		{Name: "zmpop", Arity: -4, Flags: Write | MovableKeys, Keys: zsetTakeFirst, Since: "7.0.0", Run: zmpop, Check: checkMultiPop,
			Complexity: "O(K)+O(M*log(N)) where K is the number of keys, N that of members and M that of those popped.",
			Summary:    "Pops the lowest or highest members of the first of several sorted sets that is there."},
	}
}

// zpop is ZPOPMIN and ZPOPMAX.
func zpop(c *Call, tx *storage.Tx) error {
	count, counted := int64(1), len(c.Args) == 3
	switch {
	case len(c.Args) > 3:
		return ErrSyntax
	case counted:
		n, ok := storage.ParseInt(c.Args[2])
		if !ok || n < 0 {
			return errNotPositive
		}
		count = n
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	count = min(count, z.Len())
	nested := counted && c.Out.Proto() == 3
	if nested {
		c.Out.Array(int(count))
	} else {
		c.Out.Array(int(2 * count))
	}
	return c.zpopMembers(&z, c.Cmd.Name == "zpopmax", count, nested)
}

// zpopMembers removes members at one end and writes them, as pairs if nested.
func (c *Call) zpopMembers(z *storage.ZSet, highest bool, count int64, nested bool) error {
	if err := c.long(count); err != nil {
		return err
	}
	if _, err := z.RemoveRange(z.ByRank(0, z.Len()), highest, count, func(member []byte, score float64) {
		if nested {
			c.Out.Array(2)
		}
		c.Out.Bulk(member)
		c.Out.Double(score)
	}); err != nil {
		return err
	}
	return z.Save()
}

func zmpop(c *Call, tx *storage.Tx) error {
	m, err := c.multiPopArgs(1)
	if err != nil {
		return err
	}
	done, err := c.zpopFirst(tx, m)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}

// zpopFirst pops members of the first of the sorted sets that has any and writes
// its name and them; it reports whether one had.
func (c *Call) zpopFirst(tx *storage.Tx, m multiPop) (bool, error) {
	for _, key := range m.keys {
		if !c.mayAsk(tx, key) {
			continue
		}
		z, err := tx.ZSet(key)
		if err != nil {
			return false, err
		}
		if !z.Live() {
			continue
		}
		count := min(m.count, z.Len())
		c.Out.Array(2)
		c.Out.Bulk(key)
		c.Out.Array(int(count))
		return true, c.zpopMembers(&z, m.end == storage.Tail, count, true)
	}
	return false, nil
}
