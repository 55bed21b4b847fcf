package command

import (
	"math"

	"cobble/storage"
	"cobble/storage/format"
)

// Key specifications that most rows of the string and generic families have.
var (
	readsKey      = Key(KeyRO|KeyAccess, 1, 1, 1)
	asksKey       = Key(KeyRO, 1, 1, 1)
	readsKeys     = Key(KeyRO|KeyAccess, 1, -1, 1)
	changesKey    = Key(KeyRW|KeyAccess|KeyUpdate, 1, 1, 1)
	overwritesKey = Key(KeyOW|KeyUpdate, 1, 1, 1)
	createsKey    = Key(KeyOW|KeyInsert, 1, 1, 1)
	updatesKey    = Key(KeyRW|KeyUpdate, 1, 1, 1)
)

func stringCommands() []Command {
	return append(stringWriteCommands(), []Command{
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Categories: "@string", Keys: readsKey, Group: "string", Since: "1.0.0",
			Summary: "Returns the string value of a key.", Complexity: "O(1)", Run: get},
		{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Categories: "@string", Keys: readsKeys, Group: "string", Since: "1.0.0", Tips: []string{"request_policy:multi_shard"},
			Summary: "Returns the string values of several keys, null where there is none.", Complexity: "O(N) where N is the number of keys.", Run: mget},
		{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Categories: "@string", Keys: asksKey, Group: "string", Since: "2.2.0",
			Summary: "Returns the length of a string value.", Complexity: "O(1)", Run: strlen},
		{Name: "getrange", Arity: 4, Flags: ReadOnly, Categories: "@string", Keys: readsKey, Group: "string", Since: "2.4.0",
			Summary: "Returns a part of a string value.", Complexity: "O(N) where N is the length of the part.", Run: getRange},
		{Name: "substr", Arity: 4, Flags: ReadOnly, Categories: "@string", Keys: readsKey, Group: "string", Since: "1.0.0",
			Summary: "Returns a part of a string value; the old name of GETRANGE.", Complexity: "O(N) where N is the length of the part.", Run: getRange},
		{Name: "lcs", Arity: -3, Flags: ReadOnly, Categories: "@string", Keys: Key(KeyRO|KeyAccess, 1, 2, 1), Group: "string", Since: "7.0.0",
			Summary: "Finds the longest common subsequence of two strings.", Complexity: "O(N*M) where N and M are the lengths of the strings.", Run: lcs},
		{Name: "getdel", Arity: 2, Flags: Write | Fast, Categories: "@string", Keys: Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1), Group: "string", Since: "6.2.0",
			Summary: "Returns the string value of a key and deletes the key.", Complexity: "O(1)", Run: getDel},
		{Name: "getex", Arity: -2, Flags: Write | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "6.2.0",
			Summary: "Returns the string value of a key and changes its expiry.", Complexity: "O(1)", Run: getEx},
	}...)
}

func stringWriteCommands() []Command {
	pairs := []string{"request_policy:multi_shard", "response_policy:all_succeeded"}
	return []Command{
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Categories: "@string", Keys: Key(KeyRW|KeyAccess|KeyUpdate|KeyVariableFlags, 1, 1, 1), Group: "string", Since: "1.0.0",
			Summary: "Sets the string value of a key, whatever it held.", Complexity: "O(1)", Run: set},
		{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: createsKey, Group: "string", Since: "1.0.0",
			Summary: "Sets the string value of a key unless the key exists.", Complexity: "O(1)", Run: setNX},
		{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Categories: "@string", Keys: overwritesKey, Group: "string", Since: "2.0.0",
			Summary: "Sets the string value of a key that expires after some seconds.", Complexity: "O(1)", Run: setEX},
		{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Categories: "@string", Keys: overwritesKey, Group: "string", Since: "2.6.0",
			Summary: "Sets the string value of a key that expires after some milliseconds.", Complexity: "O(1)", Run: setEX},
		{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "1.0.0",
			Summary: "Sets the string value of a key and returns the old one.", Complexity: "O(1)", Run: getSet},
		{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Categories: "@string", Keys: Key(KeyOW|KeyUpdate, 1, -1, 2), Group: "string", Since: "1.0.1", Tips: pairs,
			Summary: "Sets the string values of several keys at once.", Complexity: "O(N) where N is the number of keys.", Run: mset},
		{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Categories: "@string", Keys: Key(KeyOW|KeyInsert, 1, -1, 2), Group: "string", Since: "1.0.1",
			Summary: "Sets the string values of several keys if none of them exists.", Complexity: "O(N) where N is the number of keys.", Run: msetNX},
		{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: Key(KeyRW|KeyInsert, 1, 1, 1), Group: "string", Since: "2.0.0",
			Summary: "Appends to a string value, which is made if there is none.", Complexity: "O(1): of a long value only the last chunk is written.", Run: appendTo},
		{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Categories: "@string", Keys: updatesKey, Group: "string", Since: "2.2.0",
			Summary: "Overwrites a part of a string value, which is padded with zeros to reach it.", Complexity: "O(N) where N is the length of what is written.", Run: setRange},
		{Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "1.0.0",
			Summary: "Adds one to the integer value of a key, which starts at 0.", Complexity: "O(1)", Run: add, addend: addOne},
		{Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "1.0.0",
			Summary: "Takes one from the integer value of a key, which starts at 0.", Complexity: "O(1)", Run: add, addend: takeOne},
		{Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "1.0.0",
			Summary: "Adds to the integer value of a key, which starts at 0.", Complexity: "O(1)", Run: add, addend: increment},
		{Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "1.0.0",
			Summary: "Takes a number from the integer value of a key, which starts at 0.", Complexity: "O(1)", Run: add, addend: decrement},
		{Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: "@string", Keys: changesKey, Group: "string", Since: "2.6.0",
			Summary: "Adds to the floating-point value of a key, which starts at 0.", Complexity: "O(1)", Run: incrByFloat},
	}
}

// bulkOrNull writes a value that may be absent.
func (c *Call) bulkOrNull(value []byte, ok bool) {
	if ok {
		c.Out.Bulk(value)
	} else {
		c.Out.Null()
	}
}

func get(c *Call, tx *storage.Tx) error {
	return c.stringOf(tx, c.Args[1])
}

// stringOf writes the value of a string key, a long one without another copy.
func (c *Call) stringOf(tx *storage.Tx, key []byte) error {
	value, long, ok, err := tx.StringPeek(key)
	if err != nil {
		return err
	}
	if long == 0 {
		c.bulkOrNull(value, ok)
		return nil
	}
	if err := tx.PatientFor(long); err != nil {
		return err
	}
	return c.Out.BulkOf(int(long), func(dst []byte) ([]byte, error) { return tx.StringAppendTo(dst, key) })
}

func mget(c *Call, tx *storage.Tx) error {
	c.Out.Array(len(c.Args) - 1)
	for _, key := range c.Args[1:] {
		switch err := c.stringOf(tx, key); err {
		case nil:
		case storage.ErrWrongType:
			c.Out.Null()
		default:
			return err
		}
	}
	return nil
}

func strlen(c *Call, tx *storage.Tx) error {
	n, err := tx.StringLen(c.Args[1])
	c.Out.Int(n)
	return err
}

func getRange(c *Call, tx *storage.Tx) error {
	first, ok1 := storage.ParseInt(c.Args[2])
	last, ok2 := storage.ParseInt(c.Args[3])
	if !ok1 || !ok2 {
		return ErrNotInteger
	}
	value, err := tx.StringRange(c.Args[1], first, last)
	c.Out.Bulk(value)
	return err
}

func getDel(c *Call, tx *storage.Tx) error {
	value, ok, err := tx.StringGetDel(c.Args[1])
	c.bulkOrNull(value, ok)
	return err
}

func appendTo(c *Call, tx *storage.Tx) error {
	n, err := tx.StringAppend(c.Args[1], c.Args[2])
	c.Out.Int(n)
	return err
}

const errOffset Error = "ERR offset is out of range"

func setRange(c *Call, tx *storage.Tx) error {
	offset, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	if offset < 0 {
		return errOffset
	}
	n, err := tx.StringSetRange(c.Args[1], offset, c.Args[3])
	c.Out.Int(n)
	return err
}

// add is INCR and its like: what is added follows from the arguments.
func add(c *Call, tx *storage.Tx) error {
	by, err := c.Cmd.addend(c.Args)
	if err != nil {
		return err
	}
	n, err := tx.StringIncr(c.Args[1], by)
	c.Out.Int(n)
	return err
}

func addOne([][]byte) (int64, error)  { return 1, nil }
func takeOne([][]byte) (int64, error) { return -1, nil }

func increment(args [][]byte) (int64, error) {
	by, ok := storage.ParseInt(args[2])
	if !ok {
		return 0, ErrNotInteger
	}
	return by, nil
}

const errDecrOverflow Error = "ERR decrement would overflow"

func decrement(args [][]byte) (int64, error) {
	by, err := increment(args)
	if err == nil && by == math.MinInt64 { // it has no negative
		err = errDecrOverflow
	}
	return -by, err
}

func incrByFloat(c *Call, tx *storage.Tx) error {
	if _, err := tx.LookupType(c.Args[1], format.String); err != nil { // Redis looks at the key first
		return err
	}
	by, ok := storage.ParseLongDouble(c.Args[2])
	if !ok {
		return ErrNotFloat
	}
	defer tx.Touch(tx.Touch(false)) // it counts as one use
	text, err := tx.StringIncrFloat(c.Args[1], by)
	c.Out.Bulk(text)
	return err
}
