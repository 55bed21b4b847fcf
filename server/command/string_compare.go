package command

import (
	"bytes"
	"fmt"

	"cobble/storage"

	"github.com/zeebo/xxh3"
)

// Commands that look at the value first, in one step: DELIFEQ of Valkey 9, and DELEX,
// DIGEST and MSETEX of Redis 8.4. What they do is replicated as SET and DEL are.

var deletesKey = Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1)

func stringCompareCommands() []Command {
	return []Command{
		{Name: "delifeq", Arity: 3, Flags: Write | Fast, Categories: "@string", Keys: deletesKey, Group: "string", Since: "9.0.0",
			Summary: "Deletes a key if its string value equals another.", Complexity: "O(N) where N is the length of the value.", Run: delIfEq},
		{Name: "delex", Arity: -2, Flags: Write | Fast, Categories: "@string", Keys: deletesKey, Group: "string", Since: "8.4.0",
			Summary: "Deletes a key if its string value, or the digest of it, is or is not another.", Complexity: "O(N) where N is the length of the value.", Run: delEx},
		{Name: "digest", Arity: 2, Flags: ReadOnly | Fast, Categories: "@string", Keys: readsKey, Group: "string", Since: "8.4.0",
			Summary: "Returns the XXH3 digest of a string value, 16 hexadecimal digits.", Complexity: "O(N) where N is the length of the value.", Run: digest},
		{Name: "msetex", Arity: -4, Flags: Write | DenyOOM, Categories: "@string", Group: "string", Since: "8.4.0",
			Keys:    []KeySpec{{Flags: KeyOW | KeyUpdate, Index: 1, KeyNum: 0, FirstKey: 1, Step: 2}},
			Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
			Summary: "Sets the string values of several keys, on a condition if there is one, and when they expire.", Complexity: "O(N) where N is the number of keys.",
			Run: msetEx, Check: msetExCheck},
	}
}

const (
	digestLen              = 16
	errDigestLen     Error = "ERR must be exactly 16 hexadecimal characters"
	errNumKeysValue  Error = "ERR invalid numkeys value"
	errNumKeysString Error = "ERR wrong number of key-value pairs"
)

// digestOf is the digest of a value: XXH3 of 64 bits, without a seed.
func digestOf(value []byte) []byte { return fmt.Appendf(nil, "%016x", xxh3.Hash(value)) }

// condition is what IFEQ and its like ask of a value; nil if there is none of them.
func (w setWords) condition() (*storage.Condition, error) {
	if w.options&optCompare == 0 {
		return nil, nil
	}
	other := w.compare // w itself is not kept: SET without a condition allocates nothing
	not := w.options&(optIfNe|optIfDigestNe) != 0
	if w.options&(optIfEq|optIfNe) != 0 {
		return &storage.Condition{Absent: not, Holds: func(value []byte) bool { return bytes.Equal(value, other) != not }}, nil
	}
	if len(other) != digestLen {
		return nil, errDigestLen
	}
	return &storage.Condition{Absent: not, Holds: func(value []byte) bool { return bytes.EqualFold(digestOf(value), other) != not }}, nil
}

func delIfEq(c *Call, tx *storage.Tx) error {
	done, err := tx.StringDelete(c.Args[1], &storage.Condition{Holds: func(value []byte) bool { return bytes.Equal(value, c.Args[2]) }})
	c.intBool(done)
	return err
}

// delEx is DELEX: without a condition it is DEL, of any type.
func delEx(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 2 {
		done, err := tx.Delete(c.Args[1])
		c.intBool(done)
		return err
	}
	if len(c.Args) != 4 {
		return c.wrongArity()
	}
	w, err := parseSetOptions(c.Args[2:], ofDelEx)
	if err != nil {
		return err
	}
	condition, err := w.condition()
	if err != nil {
		return err
	}
	done, err := tx.StringDelete(c.Args[1], condition)
	c.intBool(done)
	return err
}

func digest(c *Call, tx *storage.Tx) error {
	value, ok, err := tx.StringGet(c.Args[1])
	if err != nil || !ok {
		c.Out.Null()
		return err
	}
	c.Out.Bulk(digestOf(value))
	return nil
}

// msetExCheck says what is wrong with the number of keys.
func msetExCheck(c *Call) error {
	n, ok := storage.ParseInt(c.Args[1])
	switch {
	case !ok || n < 1 || n > 1<<30:
		return errNumKeysValue
	case 2*n > int64(len(c.Args)-2):
		return errNumKeysString
	}
	return nil
}

// msetEx is MSETEX numkeys key value … [NX|XX] [expiry]: it sets all or none.
func msetEx(c *Call, tx *storage.Tx) error {
	if err := msetExCheck(c); err != nil {
		return err
	}
	end := 2 + 2*len(c.keys)
	w, err := parseSetOptions(c.Args[end:], ofMSetEx)
	if err != nil {
		return err
	}
	o, err := c.setOptions(w)
	if err != nil {
		return err
	}
	if o.IfAbsent || o.IfPresent {
		for at := 2; at < end; at += 2 {
			entry, err := tx.Lookup(c.Args[at])
			if err != nil {
				return err
			}
			if entry.Live == o.IfAbsent {
				c.Out.Int(0)
				return nil
			}
		}
		o.IfAbsent, o.IfPresent = false, false // which a key that comes twice would not stand
	}
	for at := 2; at < end; at += 2 {
		if _, err := tx.StringSet(c.Args[at], c.Args[at+1], o); err != nil {
			return err
		}
	}
	c.Out.Int(1)
	return nil
}

// tellMSetEx tells of the keys that MSETEX set.
func tellMSetEx(c *Call, tx *storage.Tx, changes []storage.Change) {
	w, err := parseSetOptions(c.Args[2+2*len(c.keys):], ofMSetEx)
	tellSets(tx, changes, err == nil && w.expiry != nil)
}
