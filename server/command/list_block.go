package command

import (
	"cobble/storage"
	"cobble/storage/format"
)

func listBlockingCommands() []Command {
	several := Key(KeyRW|KeyAccess|KeyDelete, 1, -2, 1)
	rows := []Command{
		{Name: "blpop", Arity: -3, Flags: Write | Blocking, Keys: several, Since: "2.0.0",
			Summary: "Takes an element off the head of the first of several lists that has any, or waits for one.", Complexity: "O(N) where N is the number of keys.", Run: blpop},
		{Name: "brpop", Arity: -3, Flags: Write | Blocking, Keys: several, Since: "2.0.0",
			Summary: "Takes an element off the tail of the first of several lists that has any, or waits for one.", Complexity: "O(N) where N is the number of keys.", Run: blpop},
		{Name: "brpoplpush", Arity: 4, Flags: Write | DenyOOM | Blocking, Keys: listMove, Since: "2.2.0",
			Summary: "Moves the last element of a list to the head of another and returns it, or waits for one.", Complexity: "O(1)", Run: blmove},
		{Name: "blmove", Arity: 6, Flags: Write | DenyOOM | Blocking, Keys: listMove, Since: "6.2.0",
			Summary: "Moves an element from an end of a list to an end of another and returns it, or waits for one.", Complexity: "O(1)", Run: blmove},
		{Name: "blmpop", Arity: -5, Flags: Write | Blocking | MovableKeys,
			Keys: []KeySpec{{Flags: KeyRW | KeyAccess | KeyDelete, Index: 2, FirstKey: 1, Step: 1}}, Since: "7.0.0",
			Summary:    "Takes elements off the first of several lists that has any, or waits for some.",
			Complexity: "O(N+M) where N is the number of keys and M the number of elements returned.", Check: checkBlockingMultiPop, Run: blmpop},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "list", "@list"
	}
	return rows
}

// blpop is BLPOP and BRPOP.
func blpop(c *Call, tx *storage.Tx) error {
	last := len(c.Args) - 1
	timeout, err := c.timeoutSeconds(c.Args[last])
	if err != nil {
		return err
	}
	end := storage.Head
	if c.Cmd.Name[1] == 'r' {
		end = storage.Tail
	}
	keys := c.Args[1:last]
	for _, key := range keys {
		if !c.mayAsk(tx, key) {
			continue
		}
		l, err := tx.List(key)
		if err != nil {
			return err
		}
		if !l.Live() {
			continue
		}
		c.Out.Array(2)
		c.Out.Bulk(key)
		if err := l.Pop(end, 1, func(v []byte) { c.Out.Bulk(v) }); err != nil {
			return err
		}
		l.Save()
		return nil
	}
	return c.block(tx, waitFor{keys: keys, holds: format.List, timeout: timeout})
}

// blmove is BLMOVE and BRPOPLPUSH.
func blmove(c *Call, tx *storage.Tx) error {
	from, to := storage.Tail, storage.Head
	if c.Cmd.Name == "blmove" {
		var err error
		if from, err = c.end(c.Args[3]); err != nil {
			return err
		}
		if to, err = c.end(c.Args[4]); err != nil {
			return err
		}
	}
	timeout, err := c.timeoutSeconds(c.Args[len(c.Args)-1])
	if err != nil {
		return err
	}
	if !c.mayAsk(tx, c.Args[1]) || !c.mayAsk(tx, c.Args[2]) {
		return errRunAgain
	}
	value, ok, err := tx.ListMove(c.Args[1], c.Args[2], from, to)
	switch {
	case err != nil:
		return err
	case ok:
		c.Out.Bulk(value)
		return nil
	case c.inExec:
		c.Out.Null()
		return nil
	}
	return c.block(tx, waitFor{keys: c.Args[1:2], holds: format.List, timeout: timeout})
}

// blockingMultiPopArgs reads the arguments of BLMPOP.
func (c *Call) blockingMultiPopArgs() (m multiPop, timeout int64, err error) {
	if m, err = c.multiPopArgs(2); err == nil {
		timeout, err = c.timeoutSeconds(c.Args[1])
	}
	return m, timeout, err
}

func checkBlockingMultiPop(c *Call) error {
	_, _, err := c.blockingMultiPopArgs()
	return err
}

func blmpop(c *Call, tx *storage.Tx) error {
	m, timeout, err := c.blockingMultiPopArgs()
	if err != nil {
		return err
	}
	done, err := c.popFirst(tx, m)
	if err != nil || done {
		return err
	}
	return c.block(tx, waitFor{keys: m.keys, holds: format.List, timeout: timeout})
}
