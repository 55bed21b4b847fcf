package command

import (
	"math/rand/v2"
	"strconv"

	"cobble/server/glob"
	"cobble/server/resp"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/format"
)

// The commands about all keys go slot by slot, one lock at a time: what they see
// is exact for each slot, and no slot waits for another.

func keyspaceCommands() []Command {
	flush := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []Command{
		{Name: "keys", Arity: 2, Flags: ReadOnly, Categories: "@keyspace @dangerous", Group: "generic", Since: "1.0.0", Tips: []string{"request_policy:all_shards", "nondeterministic_output_order"},
			Summary: "Lists the keys that match a pattern.", Complexity: "O(N) where N is the number of keys on the node.", Serve: keys},
		{Name: "scan", Arity: -2, Flags: ReadOnly, Categories: "@keyspace", Group: "generic", Since: "2.8.0", Tips: []string{"nondeterministic_output", "request_policy:special", "response_policy:special"},
			Summary: "Walks over the keys of the node, some at a time.", Complexity: "O(N) where N is COUNT; O(1) without a server-side state.", Serve: scan},
		{Name: "randomkey", Arity: 1, Flags: ReadOnly, Categories: "@keyspace", Group: "generic", Since: "1.0.0", Tips: []string{"request_policy:all_shards", "response_policy:special", "nondeterministic_output"},
			Summary: "Returns a key at random.", Complexity: "O(1)", Serve: randomKey},
		{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast, Categories: "@keyspace", Group: "server", Since: "1.0.0", Tips: []string{"request_policy:all_shards", "response_policy:agg_sum"},
			Summary: "Returns the number of keys.", Complexity: "O(1)", Serve: dbSize},
		{Name: "flushall", Arity: -1, Flags: Write, Categories: "@keyspace @dangerous", Group: "server", Since: "1.0.0", Tips: flush,
			Summary: "Deletes all keys.", Complexity: "O(N) where N is the number of files that hold them.", Serve: flushAll},
		{Name: "flushdb", Arity: -1, Flags: Write, Categories: "@keyspace @dangerous", Group: "server", Since: "1.0.0", Tips: flush,
			Summary: "Deletes all keys of the database.", Complexity: "O(N) where N is the number of files that hold them.", Serve: flushAll},
	}
}

// seen raises the position that must be durable before the reply leaves.
func (c *Call) seen(lsn storage.LSN) {
	if lsn > c.LSN {
		c.LSN = lsn
	}
}

// viewSlot runs f on one slot for a command that is not about keys.
func (c *Call) viewSlot(slot slots.Slot, f func(tx *storage.Tx) error) error {
	lsn, err := c.Env.Engine.View(c.Now, slot, storage.OpFunc(f))
	c.seen(lsn)
	return err
}

// eachSlot calls f for the slots from `from` on that this node holds and that have
// keys, until it returns false.
func (c *Call) eachSlot(from int, f func(slot slots.Slot, keys int64) (bool, error)) error {
	view := c.Env.View.Load()
	for i := from; i < slots.Count; i++ {
		slot := slots.Slot(i)
		if !view.Holds(slot) {
			continue
		}
		if n := c.Env.Engine.KeysIn(slot); n > 0 {
			if more, err := f(slot, n); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

func keys(c *Call) error {
	if name, ok := glob.Literal(c.Args[1]); ok {
		return c.keysLiteral(name)
	}
	var found resp.Writer
	count := 0
	err := c.eachSlot(0, func(slot slots.Slot, _ int64) (bool, error) {
		start, before := found.Len(), count
		return true, c.viewSlot(slot, func(tx *storage.Tx) error {
			found.CutTo(start)
			count = before
			return tx.EachKey(slot, 0, func(_ uint64, key []byte, _ *format.Meta) bool {
				if glob.Match(c.Args[1], key) {
					found.Bulk(key)
					count++
				}
				return true
			})
		})
	})
	if err != nil {
		return err
	}
	c.Out.Array(count)
	c.Out.Raw(found.Bytes())
	return nil
}

// keysLiteral is KEYS with a pattern that only one key can match.
func (c *Call) keysLiteral(name []byte) error {
	slot, live := slots.Of(name), false
	if c.Env.View.Load().Holds(slot) {
		if err := c.viewSlot(slot, func(tx *storage.Tx) error {
			entry, err := tx.Lookup(name)
			live = entry.Live
			return err
		}); err != nil {
			return err
		}
	}
	if !live {
		c.Out.Array(0)
		return nil
	}
	c.Out.Array(1)
	c.Out.Bulk(name)
	return nil
}

func randomKey(c *Call) error {
	const tries = 100 // slots may hold nothing but expired keys
	for range tries {
		total := int64(0)
		if err := c.eachSlot(0, func(_ slots.Slot, n int64) (bool, error) {
			total += n
			return true, nil
		}); err != nil || total == 0 {
			c.Out.Null()
			return err
		}
		at := rand.Int64N(total)
		var key []byte
		found := false
		err := c.eachSlot(0, func(slot slots.Slot, n int64) (bool, error) {
			if at -= n; at >= 0 {
				return true, nil
			}
			return false, c.viewSlot(slot, func(tx *storage.Tx) (err error) {
				key, found, err = tx.RandomKey(slot, rand.Uint64())
				return err
			})
		})
		if err != nil {
			return err
		}
		if found {
			c.Out.Bulk(key)
			return nil
		}
	}
	c.Out.Null()
	return nil
}

func dbSize(c *Call) error {
	total := int64(0)
	err := c.eachSlot(0, func(_ slots.Slot, n int64) (bool, error) {
		total += n
		return true, nil
	})
	c.Out.Int(total)
	return err
}

const errReadOnly Error = "READONLY You can't write against a read only replica."

// flushAll is FLUSHALL and FLUSHDB. Both return when the keys are gone; ASYNC has
// nothing to add, since the files are freed in the background anyway.
func flushAll(c *Call) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !fold(c.Args[1], "SYNC") && !fold(c.Args[1], "ASYNC") {
		return ErrSyntax
	}
	if view := c.Env.View.Load(); view.Enabled && view.Primary != slots.NoNode {
		return errReadOnly
	}
	lsn, err := c.Env.Engine.FlushSlots(c.Now, slots.Full())
	c.seen(lsn)
	if err != nil {
		return err
	}
	all := slots.Full()
	c.Env.Engine.SignalGone(c.Now, &all)
	c.Out.OK()
	return nil
}

// populate makes the keys of DEBUG POPULATE: prefix:0 and so on, where they are not
// there, each with its number in a value that is padded to size with zeros.
func (c *Call) populate(count int64, prefix string, size int) error {
	var key, value []byte
	for i := range count {
		key = strconv.AppendInt(append(append(key[:0], prefix...), ':'), i, 10)
		value = strconv.AppendInt(append(value[:0], "value:"...), i, 10)
		if size > 0 {
			value = append(value, make([]byte, max(0, size-len(value)))...)[:size]
		}
		slot := slots.Of(key)
		if !c.Env.View.Load().Holds(slot) {
			continue
		}
		lsn, err := c.Env.Engine.Update(c.Now, []slots.Slot{slot}, storage.OpFunc(func(tx *storage.Tx) error {
			_, err := tx.StringSet(key, value, storage.SetOptions{IfAbsent: true})
			return err
		}))
		c.seen(lsn)
		if err != nil {
			return err
		}
	}
	return nil
}
