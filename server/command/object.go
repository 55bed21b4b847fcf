package command

import (
	"strings"

	"cobble/storage"
	"cobble/storage/format"
)

func objectCommands() []Command {
	row := func(name, since, summary string, run func(*Call, *storage.Tx) error) Command {
		return Command{Name: name, Arity: 3, Flags: ReadOnly, Categories: "@keyspace", Keys: Key(KeyRO, 2, 2, 1), Group: "generic", Since: since,
			Tips: []string{"nondeterministic_output"}, Summary: summary, Complexity: "O(1)", Run: run}
	}
	return []Command{
		row("encoding", "2.2.3", "Names the encoding of a key's value.", objectEncoding),
		row("freq", "4.0.0", "Returns the logarithmic counter of a key's uses, under an LFU policy.", objectFreq),
		row("idletime", "2.2.3", "Returns the seconds since a key was last used.", objectIdleTime),
		row("refcount", "2.2.3", "Returns how many references a value has, as Redis would count them.", objectRefCount),
		{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: "@keyspace", Group: "generic", Since: "6.2.0", Summary: "Lists the subcommands of OBJECT.", Complexity: "O(1)", Serve: objectHelp},
	}
}

// object looks up the key of an OBJECT subcommand, which does not count as a use;
// if there is none it writes null.
func (c *Call) object(tx *storage.Tx) (entry storage.Entry, ok bool, err error) {
	defer tx.Touch(tx.Touch(false))
	entry, err = tx.Lookup(c.Args[2])
	if err == nil && !entry.Live {
		c.Out.Null()
	}
	return entry, entry.Live, err
}

func objectEncoding(c *Call, tx *storage.Tx) error {
	entry, ok, err := c.object(tx)
	if ok {
		c.Out.BulkString(entry.Meta.Enc.String())
	}
	return err
}

const (
	errNoLFU Error = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. " +
		"Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	errLFU Error = "ERR An LFU maxmemory policy is selected, idle time not tracked. " +
		"Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
)

func (c *Call) lfu() bool { return strings.HasSuffix(c.Env.Config.Text("maxmemory-policy"), "-lfu") }

func objectFreq(c *Call, tx *storage.Tx) error {
	if _, ok, err := c.object(tx); !ok {
		return err
	}
	if !c.lfu() {
		return errNoLFU
	}
	_, frequency, _ := tx.IdleTime(c.Args[2])
	c.Out.Int(int64(frequency))
	return nil
}

func objectIdleTime(c *Call, tx *storage.Tx) error {
	if _, ok, err := c.object(tx); !ok {
		return err
	}
	if c.lfu() {
		return errLFU
	}
	seconds, _, _ := tx.IdleTime(c.Args[2])
	c.Out.Int(int64(seconds))
	return nil
}

// Redis shares one object among all keys that hold the same small integer.
const (
	sharedIntegers = 10000
	sharedCount    = 1<<31 - 1
)

func objectRefCount(c *Call, tx *storage.Tx) error {
	entry, ok, err := c.object(tx)
	if !ok {
		return err
	}
	count := int64(1)
	if entry.Meta.Type == format.String && entry.Meta.Enc == format.EncInt {
		if n, _ := storage.ParseInt(entry.Meta.Inline); n >= 0 && n < sharedIntegers {
			count = sharedCount
		}
	}
	c.Out.Int(count)
	return nil
}

func objectHelp(c *Call) error {
	lines := []string{
		"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"ENCODING <key>", "    Name the encoding of the value.",
		"FREQ <key>", "    Return the counter of uses, under an LFU policy.",
		"IDLETIME <key>", "    Return the seconds since the key was last used.",
		"REFCOUNT <key>", "    Return the number of references to the value.",
		"HELP", "    Print this text.",
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Status(line)
	}
	return nil
}
