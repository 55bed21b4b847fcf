package command

import (
	"cobble/storage"
	"cobble/storage/format"
)

func zsetBlockingRows() []Command {
	several := Key(KeyRW|KeyAccess|KeyDelete, 1, -2, 1)
	const cost = "O(N+log(M)) where N is the number of keys and M that of members."
	return []Command{
		{Name: "bzpopmin", Arity: -3, Flags: Write | Blocking | Fast, Keys: several, Since: "5.0.0", Complexity: cost, Run: bzpop,
			Summary: "Pops the lowest member of the first of several sorted sets that is there, or waits for one."},
		{Name: "bzpopmax", Arity: -3, Flags: Write | Blocking | Fast, Keys: several, Since: "5.0.0", Complexity: cost, Run: bzpop,
			Summary: "Pops the highest member of the first of several sorted sets that is there, or waits for one."},
		{Name: "bzmpop", Arity: -5, Flags: Write | Blocking | MovableKeys, Since: "7.0.0", Run: bzmpop, Check: checkBlockingMultiPop,
			Keys:       []KeySpec{{Flags: KeyRW | KeyAccess | KeyDelete, Index: 2, FirstKey: 1, Step: 1}},
			Complexity: "O(K)+O(M*log(N)) where K is the number of keys, N that of members and M that of those popped.",
			Summary:    "Pops the lowest or highest members of the first of several sorted sets that is there, or waits for one."},
	}
}

// bzpop is BZPOPMIN and BZPOPMAX.
func bzpop(c *Call, tx *storage.Tx) error {
	last := len(c.Args) - 1
	timeout, err := c.timeoutSeconds(c.Args[last])
	if err != nil {
		return err
	}
	keys := c.Args[1:last]
	for _, key := range keys {
		if !c.mayAsk(tx, key) {
			continue
		}
		z, err := tx.ZSet(key)
		if err != nil {
			return err
		}
		if z.Live() {
			c.Out.Array(3)
			c.Out.Bulk(key)
			return c.zpopMembers(&z, c.Cmd.Name == "bzpopmax", 1, false)
		}
	}
	return c.block(tx, waitFor{keys: keys, holds: format.ZSet, timeout: timeout})
}

func bzmpop(c *Call, tx *storage.Tx) error {
	m, timeout, err := c.blockingMultiPopArgs()
	if err != nil {
		return err
	}
	done, err := c.zpopFirst(tx, m)
	if err != nil || done {
		return err
	}
	return c.block(tx, waitFor{keys: m.keys, holds: format.ZSet, timeout: timeout})
}
