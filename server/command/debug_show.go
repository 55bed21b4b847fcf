package command

import (
	"fmt"
	"math/bits"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/format"
)

// The subcommands here show Redis's own structures. Rigs ask them for an encoding's sake, and for counts: those are
// right, sizes of tables are what Redis would have.

// debugValue looks up the key of a DEBUG subcommand, which does not count as a use.
func (c *Call) debugValue(show func(tx *storage.Tx, e *storage.Entry) error) error {
	key := c.Args[2]
	return c.viewSlot(slots.Of(key), func(tx *storage.Tx) error {
		tx.Touch(false)
		entry, err := tx.Lookup(key)
		if err != nil {
			return err
		}
		if !entry.Live {
			return ErrNoKey
		}
		c.Out.CutTo(c.replyFrom)
		return show(tx, &entry)
	})
}

// debugStructure is DEBUG LISTPACK and QUICKLIST: a line of the log, for keys of that encoding.
func debugStructure(enc format.Enc, name, refusal string) func(c *Call) error {
	return func(c *Call) error {
		return c.debugValue(func(_ *storage.Tx, e *storage.Entry) error {
			if e.Meta.Enc != enc {
				return Error(refusal)
			}
			c.Env.Process.Log(fmt.Sprintf("DEBUG: %q is a %s of %d bytes", c.Args[2], enc, max(e.Meta.Bytes, uint64(len(e.Meta.Inline)))))
			c.Out.Status(name + " structure printed on stdout")
			return nil
		})
	}
}

func debugSDSLen(c *Call) error {
	return c.debugValue(func(_ *storage.Tx, e *storage.Entry) error {
		if e.Meta.Type != format.String || e.Meta.Enc == format.EncInt {
			return Error("ERR Not an sds encoded string.")
		}
		key, value := uint64(len(c.Args[2])), max(e.Meta.Bytes, uint64(len(e.Meta.Inline)))
		c.Out.Status(fmt.Sprintf("key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d", key, key, value, value))
		return nil
	})
}

// tableText describes a hash table of n elements, as DEBUG HTSTATS does.
func tableText(n int64) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("Hash table 0 stats (main hash table):\n table size: %d\n number of elements: %d\n", max(4, uint64(1)<<bits.Len64(uint64(n-1))), n)
}

func debugTables(c *Call) error {
	db, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	if db < 0 || db >= c.Env.Config.Int("databases") {
		return Error("ERR Out of range database")
	}
	var keys, expires int64
	if db == 0 {
		keys, expires, _, _ = c.Env.counts()
	}
	c.Out.Verbatim("txt", "[Dictionary HT]\n"+tableText(keys)+"[Expires HT]\n"+tableText(expires))
	return nil
}

func debugTableOf(c *Call) error {
	if len(c.Args) == 4 && !equalFold(c.Args[3], "full") {
		return c.badSubcommand()
	}
	return c.debugValue(func(tx *storage.Tx, e *storage.Entry) error {
		if e.Meta.Enc != format.EncHashtable && e.Meta.Enc != format.EncSkiplist {
			return Error("ERR The value stored at the specified key is not represented using an hash table")
		}
		n, err := elements(tx, c.Args[2], e.Meta.Type)
		c.Out.Verbatim("txt", tableText(n))
		return err
	})
}

// elements counts those of a set, a hash or a sorted set.
func elements(tx *storage.Tx, key []byte, t format.Type) (int64, error) {
	switch t {
	case format.Set:
		s, err := tx.Set(key)
		return s.Len(), err
	case format.HashType:
		h, err := tx.Hash(key)
		return h.Len(), err
	default:
		z, err := tx.ZSet(key)
		return z.Len(), err
	}
}

// debugClusterLink is DEBUG CLUSTERLINK KILL TO|FROM|ALL node-id. Links are made again as soon as they break; they are left alone.
func debugClusterLink(c *Call) error {
	if c.Env.Cluster == nil {
		return Error("ERR Debug option only available for cluster mode enabled setup!")
	}
	if !equalFold(c.Args[2], "kill") || !equalFold(c.Args[3], "to") && !equalFold(c.Args[3], "from") && !equalFold(c.Args[3], "all") {
		return c.badSubcommand()
	}
	if _, err := c.knownNode(c.Args[4]); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}
