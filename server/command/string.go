package command

import "cobble/storage"

func stringCommands() []Command {
	return []Command{
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Categories: "@string", Keys: Key(KeyRO|KeyAccess, 1, 1, 1), Group: "string", Since: "1.0.0",
			Summary: "Returns the string value of a key.", Complexity: "O(1)", Run: get},
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Categories: "@string", Keys: Key(KeyRW|KeyAccess|KeyUpdate|KeyVariableFlags, 1, 1, 1), Group: "string", Since: "1.0.0",
			Summary: "Sets the string value of a key, whatever it held.", Complexity: "O(1)", Run: set},
	}
}

func get(c *Call, tx *storage.Tx) error {
	value, ok, err := tx.StringGet(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	c.Out.Bulk(value)
	return nil
}

func set(c *Call, tx *storage.Tx) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	if err := tx.StringSet(c.Args[1], c.Args[2]); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}
