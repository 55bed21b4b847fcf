package command

import (
	"cobble/storage"
)

func genericCommands() []Command {
	sums := []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	removesKeys, asksKeys := Key(KeyRM|KeyDelete, 1, -1, 1), Key(KeyRO, 1, -1, 1)
	moves := func(target KeyFlags) []KeySpec {
		return append(Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1), Key(KeyOW|target, 2, 2, 1)...)
	}
	rows := []Command{
		{Name: "del", Arity: -2, Flags: Write, Categories: "@keyspace", Keys: removesKeys, Group: "generic", Since: "1.0.0", Tips: sums,
			Summary: "Deletes keys.", Complexity: "O(N) where N is the number of keys: the rows of a large value are deleted later.", Run: del},
		{Name: "unlink", Arity: -2, Flags: Write | Fast, Categories: "@keyspace", Keys: removesKeys, Group: "generic", Since: "4.0.0", Tips: sums,
			Summary: "Deletes keys, as DEL does.", Complexity: "O(N) where N is the number of keys.", Run: del},
		{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Categories: "@keyspace", Keys: asksKeys, Group: "generic", Since: "1.0.0", Tips: sums,
			Summary: "Counts which of the keys exist; a key named twice counts twice.", Complexity: "O(N) where N is the number of keys.", Run: exists},
		{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Categories: "@keyspace", Keys: asksKeys, Group: "generic", Since: "3.2.1", Tips: sums,
			Summary: "Counts which of the keys exist, as if they had been used.", Complexity: "O(N) where N is the number of keys.", Run: exists},
		{Name: "type", Arity: 2, Flags: ReadOnly | Fast, Categories: "@keyspace", Keys: asksKey, Group: "generic", Since: "1.0.0",
			Summary: "Names the type of a key's value.", Complexity: "O(1)", Run: typeOf},
		{Name: "rename", Arity: 3, Flags: Write, Categories: "@keyspace", Keys: moves(KeyUpdate), Group: "generic", Since: "1.0.0",
			Summary: "Gives a key another name, over whatever has that name.", Complexity: "O(1)", Run: rename},
		{Name: "renamenx", Arity: 3, Flags: Write | Fast, Categories: "@keyspace", Keys: moves(KeyInsert), Group: "generic", Since: "1.0.0",
			Summary: "Gives a key another name unless a key has that name.", Complexity: "O(1)", Run: renameNX},
		{Name: "copy", long: true, Arity: -3, Flags: Write | DenyOOM, Categories: "@keyspace", Keys: append(Key(KeyRO|KeyAccess, 1, 1, 1), Key(KeyOW|KeyUpdate, 2, 2, 1)...), Group: "generic", Since: "6.2.0",
			Summary: "Copies the value of a key to another key.", Complexity: "O(N) where N is the number of elements of the value.", Run: copyKey},
		{Name: "move", Arity: 3, Flags: Write | Fast, Categories: "@keyspace", Keys: changesKey, Group: "generic", Since: "1.0.0",
			Summary: "Moves a key to another database, where there is one.", Complexity: "O(1)", Run: move},
		{Name: "object", Arity: -2, Group: "generic", Since: "2.2.3", Summary: "Tells how the values of keys are kept.", Complexity: "Depends on the subcommand.", Sub: objectCommands()},
	}
	return append(append(rows, expireCommands()...), keyspaceCommands()...)
}

func del(c *Call, tx *storage.Tx) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		ok, err := tx.Delete(key)
		if err != nil {
			return err
		}
		if ok {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

// exists is EXISTS and TOUCH, which differ in whether the keys count as used.
func exists(c *Call, tx *storage.Tx) error {
	if c.Cmd.Name != "touch" {
		defer tx.Touch(tx.Touch(false))
	}
	n := int64(0)
	for _, key := range c.Args[1:] {
		entry, err := tx.Lookup(key)
		if err != nil {
			return err
		}
		if entry.Live {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func typeOf(c *Call, tx *storage.Tx) error {
	defer tx.Touch(tx.Touch(false))
	entry, err := tx.Lookup(c.Args[1])
	c.Out.Status(entry.Meta.Type.String())
	return err
}

func rename(c *Call, tx *storage.Tx) error {
	if _, err := tx.Rename(c.Args[1], c.Args[2], false); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func renameNX(c *Call, tx *storage.Tx) error {
	done, err := tx.Rename(c.Args[1], c.Args[2], true)
	c.intBool(done)
	return err
}

const (
	errDBIndex     Error = "ERR DB index is out of range"
	errCopyDB      Error = "ERR Copying to another database is not allowed in cluster mode"
	errMoveCluster Error = "ERR MOVE is not allowed in cluster mode"
	errSameObject  Error = "ERR source and destination objects are the same"
)

// move is MOVE, which has no other database to move a key to.
func move(c *Call, _ *storage.Tx) error {
	if c.Env.View.Load().Enabled {
		return errMoveCluster
	}
	n, err := parseInt32(c.Args[2])
	if err != nil {
		return err
	}
	if n != 0 {
		return errDBIndex
	}
	return errSameObject
}

func copyKey(c *Call, tx *storage.Tx) error {
	replace, db := false, int64(0)
	for i := 3; i < len(c.Args); i++ {
		switch {
		case fold(c.Args[i], "REPLACE"):
			replace = true
		case fold(c.Args[i], "DB") && i+1 < len(c.Args):
			i++
			n, err := parseInt32(c.Args[i])
			if err != nil {
				return err
			}
			if n < 0 || n >= c.Env.Config.Int("databases") {
				return errDBIndex
			}
			db = n
		default:
			return ErrSyntax
		}
	}
	if db != 0 { // there is one database
		return errCopyDB
	}
	if string(c.Args[1]) == string(c.Args[2]) {
		return errSameObject
	}
	done, err := tx.Copy(c.Args[1], c.Args[2], replace)
	c.intBool(done)
	return err
}
