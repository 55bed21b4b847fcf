package command

import (
	"math"
	"strconv"

	"cobble/storage"
)

// The key specifications of hash commands.
var (
	hashSize    = Key(KeyRO, 1, 1, 1)
	hashRead    = Key(KeyRO|KeyAccess, 1, 1, 1)
	hashUpdate  = Key(KeyRW|KeyUpdate, 1, 1, 1)
	hashInsert  = Key(KeyRW|KeyInsert, 1, 1, 1)
	hashDelete  = Key(KeyRW|KeyDelete, 1, 1, 1)
	hashChange  = Key(KeyRW|KeyAccess|KeyUpdate, 1, 1, 1)
	anyOrder    = []string{"nondeterministic_output_order"}
	anyOutput   = []string{"nondeterministic_output"}
	fieldsAsked = "O(N) where N is the number of fields asked for."
	hashWhole   = "O(N) where N is the size of the hash."
)

const (
	errHashNotInteger Error = "ERR hash value is not an integer"
	errHashNotFloat   Error = "ERR hash value is not a float"
	errNaNOrInfinity  Error = "ERR value is NaN or Infinity"
)

func hashCommands() []Command {
	rows := []Command{
		{Name: "hset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: hashUpdate, Since: "2.0.0",
			Summary: "Sets fields of a hash, which is created if there is none.", Complexity: "O(N) where N is the number of fields set.", Run: hset},
		{Name: "hsetnx", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: hashInsert, Since: "2.0.0",
			Summary: "Sets a field of a hash unless the hash has it.", Complexity: "O(1)", Run: hsetnx},
		{Name: "hmset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: hashUpdate, Since: "2.0.0",
			Summary: "Sets fields of a hash; HSET has replaced it.", Complexity: "O(N) where N is the number of fields set.", Run: hset},
		{Name: "hget", Arity: 3, Flags: ReadOnly | Fast, Keys: hashRead, Since: "2.0.0",
			Summary: "Returns the value of a field of a hash.", Complexity: "O(1)", Run: hget},
		{Name: "hmget", Arity: -3, Flags: ReadOnly | Fast, Keys: hashRead, Since: "2.0.0",
			Summary: "Returns the values of fields of a hash.", Complexity: fieldsAsked, Run: hmget},
		{Name: "hgetall", Arity: 2, Flags: ReadOnly, Keys: hashRead, Since: "2.0.0", Tips: anyOrder,
			Summary: "Returns all fields of a hash with their values.", Complexity: hashWhole, Run: hgetall},
		{Name: "hkeys", Arity: 2, Flags: ReadOnly, Keys: hashRead, Since: "2.0.0", Tips: anyOrder,
			Summary: "Returns the names of all fields of a hash.", Complexity: hashWhole, Run: hgetall},
		{Name: "hvals", Arity: 2, Flags: ReadOnly, Keys: hashRead, Since: "2.0.0", Tips: anyOrder,
			Summary: "Returns the values of all fields of a hash.", Complexity: hashWhole, Run: hgetall},
		{Name: "hdel", Arity: -3, Flags: Write | Fast, Keys: hashDelete, Since: "2.0.0",
			Summary: "Deletes fields of a hash, and the hash with its last field.", Complexity: "O(N) where N is the number of fields to be deleted.", Run: hdel},
		{Name: "hlen", Arity: 2, Flags: ReadOnly | Fast, Keys: hashSize, Since: "2.0.0",
			Summary: "Returns the number of fields of a hash.", Complexity: "O(1)", Run: hlen},
		{Name: "hstrlen", Arity: 3, Flags: ReadOnly | Fast, Keys: hashSize, Since: "3.2.0",
			Summary: "Returns the length of the value of a field of a hash.", Complexity: "O(1)", Run: hstrlen},
		{Name: "hexists", Arity: 3, Flags: ReadOnly | Fast, Keys: hashSize, Since: "2.0.0",
			Summary: "Tells whether a hash has a field.", Complexity: "O(1)", Run: hexists},
		{Name: "hincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: hashChange, Since: "2.0.0",
			Summary: "Adds to the integer value of a field of a hash, which starts at 0.", Complexity: "O(1)", Run: hincrby},
		{Name: "hincrbyfloat", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: hashChange, Since: "2.6.0",
			Summary: "Adds to the floating-point value of a field of a hash, which starts at 0.", Complexity: "O(1)", Run: hincrbyfloat},
		{Name: "hscan", Arity: -3, Flags: ReadOnly, Keys: hashRead, Since: "2.8.0", Tips: anyOutput,
			Summary:    "Walks over the fields of a hash, some with each call.",
			Complexity: "O(1) for a call, O(N) for the whole walk, where N is the size of the hash.", Run: hscan},
		{Name: "hrandfield", Arity: -2, Flags: ReadOnly, Keys: hashRead, Since: "6.2.0", Tips: anyOutput,
			Summary: "Returns fields of a hash chosen at random.", Complexity: "O(N) where N is the number of fields returned.", Run: hrandfield},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "hash", "@hash"
	}
	return rows
}

// hset is HSET and HMSET.
func hset(c *Call, tx *storage.Tx) error {
	if len(c.Args)%2 != 0 {
		return c.wrongArity()
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if err := h.Prefetch(c.Args[2:], 2); err != nil {
		return err
	}
	created := int64(0)
	for i := 2; i < len(c.Args); i += 2 {
		added, err := h.Set(c.Args[i], c.Args[i+1])
		if err != nil {
			return err
		}
		if added {
			created++
		}
	}
	h.Save()
	if c.Cmd.Name == "hmset" {
		c.Out.OK()
	} else {
		c.Out.Int(created)
	}
	return nil
}

func hsetnx(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	has, err := h.Has(c.Args[2])
	if err != nil {
		return err
	}
	c.intBool(!has)
	if has {
		return nil
	}
	_, err = h.Set(c.Args[2], c.Args[3])
	h.Save()
	return err
}

func hget(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	value, ok, err := h.Get(c.Args[2])
	c.bulkOrNull(value, ok)
	return err
}

func hmget(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if err := h.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		value, ok, err := h.Get(field)
		if err != nil {
			return err
		}
		c.bulkOrNull(value, ok)
	}
	return nil
}

// hgetall is HGETALL, HKEYS and HVALS.
func hgetall(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	names, values := c.Cmd.Name != "hvals", c.Cmd.Name != "hkeys"
	if names && values {
		c.Out.Map(int(h.Len()))
	} else {
		c.Out.Array(int(h.Len()))
	}
	if !h.Live() {
		return nil
	}
	w := h.Walk()
	for w.Next() {
		if names {
			c.Out.Bulk(w.Field())
		}
		if values {
			c.Out.Bulk(w.Value())
		}
	}
	return w.Close()
}

func hdel(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if err := h.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	deleted := int64(0)
	for _, field := range c.Args[2:] {
		had, err := h.Delete(field)
		if err != nil {
			return err
		}
		if had {
			deleted++
		}
	}
	h.Save()
	c.Out.Int(deleted)
	return nil
}

func hlen(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	c.Out.Int(h.Len())
	return err
}

func hstrlen(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	value, _, err := h.Get(c.Args[2])
	c.Out.Int(int64(len(value)))
	return err
}

func hexists(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	has, err := h.Has(c.Args[2])
	c.intBool(has)
	return err
}

func hincrby(c *Call, tx *storage.Tx) error {
	by, ok := storage.ParseInt(c.Args[3])
	if !ok {
		return ErrNotInteger
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	text, found, err := h.Get(c.Args[2])
	if err != nil {
		return err
	}
	n := int64(0)
	if found {
		if n, ok = storage.ParseInt(text); !ok {
			return errHashNotInteger
		}
	}
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return storage.ErrOverflow
	}
	n += by
	var sum [20]byte
	_, err = h.SetKeep(c.Args[2], strconv.AppendInt(sum[:0], n, 10))
	h.Save()
	c.Out.Int(n)
	return err
}

func hincrbyfloat(c *Call, tx *storage.Tx) error {
	by, ok := storage.ParseLongDouble(c.Args[3])
	if !ok {
		return ErrNotFloat
	}
	if !by.IsFinite() {
		return errNaNOrInfinity
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	text, found, err := h.Get(c.Args[2])
	if err != nil {
		return err
	}
	var n storage.LongDouble
	if found {
		if n, ok = storage.ParseLongDouble(text); !ok {
			return errHashNotFloat
		}
	}
	total, ok := n.Add(by)
	if !ok {
		return storage.ErrNaN
	}
	sum := total.Append(nil)
	_, err = h.SetKeep(c.Args[2], sum)
	h.Save()
	c.Out.Bulk(sum)
	return err
}
