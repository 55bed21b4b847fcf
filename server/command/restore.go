package command

import (
	"math"

	"cobble/storage"
)

const (
	errBusyKey     Error = "BUSYKEY Target key name already exists."
	errBadPayload  Error = "ERR DUMP payload version or checksum are wrong"
	errBadValue    Error = "ERR Bad data format"
	errUnknown     Error = "ERR Bad data format: the payload holds a type that this server does not support"
	errRestoreTTL  Error = "ERR Invalid TTL value, must be >= 0"
	errRestoreIdle Error = "ERR Invalid IDLETIME value, must be >= 0"
	errRestoreFreq Error = "ERR Invalid FREQ value, must be >= 0 and <= 255"
	errDumpUnknown Error = "ERR the value is of a type that cannot be dumped"
)

func dumpCommands() []Command {
	restoreKey := Key(KeyOW|KeyUpdate, 1, 1, 1)
	const restoreCost = "O(N*M) where N is the number of elements of the value and M their average size."
	return []Command{
		{Name: "dump", Arity: 2, Flags: ReadOnly, Categories: "@keyspace", Keys: readsKey, Group: "generic", Since: "2.6.0", Tips: []string{"nondeterministic_output"},
			Summary: "Returns the value of a key as bytes that RESTORE takes.", Complexity: "O(N*M) where N is the number of elements of the value and M their average size.", Run: dumpKey},
		{Name: "restore", long: true, Arity: -4, Flags: Write | DenyOOM, Categories: "@keyspace @dangerous", Keys: restoreKey, Group: "generic", Since: "2.6.0",
			Summary: "Creates a key from the bytes that DUMP returned.", Complexity: restoreCost, Run: restoreKeyCommand},
		{Name: "restore-asking", long: true, Arity: -4, Flags: Write | DenyOOM | Asking, Categories: "@keyspace @dangerous", Keys: restoreKey, Group: "server", Since: "3.0.0",
			Summary: "Creates a key while its slot is being moved; MIGRATE sends it.", Complexity: restoreCost, Run: restoreKeyCommand},
	}
}

func dumpKey(c *Call, tx *storage.Tx) error {
	payload, _, ok, err := tx.Dump(nil, c.Args[1])
	if err == storage.ErrUnknownValue {
		return errDumpUnknown
	}
	c.bulkOrNull(payload, ok)
	return err
}

type restoreOptions struct {
	replace, absTTL bool
	idle, frequency int64 // -1: not given
}

// parseRestore reads the options of RESTORE.
func parseRestore(args [][]byte) (o restoreOptions, err error) {
	o.idle, o.frequency = -1, -1
	for i := 0; i < len(args); i++ {
		last := i+1 == len(args)
		switch {
		case fold(args[i], "REPLACE"):
			o.replace = true
		case fold(args[i], "ABSTTL"):
			o.absTTL = true
		case fold(args[i], "IDLETIME") && !last && o.frequency == -1:
			i++
			n, ok := storage.ParseInt(args[i])
			if !ok {
				return o, ErrNotInteger
			}
			if o.idle = n; n < 0 {
				return o, errRestoreIdle
			}
		case fold(args[i], "FREQ") && !last && o.idle == -1:
			i++
			n, ok := storage.ParseInt(args[i])
			if !ok {
				return o, ErrNotInteger
			}
			if o.frequency = n; n < 0 || n > 255 {
				return o, errRestoreFreq
			}
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

// noteUsage keeps what IDLETIME or FREQ say where the policy asks for it, as Redis does.
func (o *restoreOptions) noteUsage(c *Call, tx *storage.Tx) {
	switch lfu := c.lfu(); {
	case lfu && o.frequency >= 0:
		tx.SetUsage(c.Args[1], -1, o.frequency)
	case lfu:
		tx.SetUsage(c.Args[1], -1, storage.NewFrequency) // whatever was replaced
	case o.idle >= 0:
		tx.SetUsage(c.Args[1], o.idle, -1)
	}
}

// restoreKeyCommand is RESTORE and RESTORE-ASKING.
func restoreKeyCommand(c *Call, tx *storage.Tx) error {
	o, err := parseRestore(c.Args[4:])
	if err != nil {
		return err
	}
	if !o.replace { // Redis looks at the key before the other arguments
		entry, err := tx.Lookup(c.Args[1])
		if err != nil {
			return err
		}
		if entry.Live {
			return errBusyKey
		}
	}
	ttl, ok := storage.ParseInt(c.Args[2])
	switch {
	case !ok:
		return ErrNotInteger
	case ttl < 0:
		return errRestoreTTL
	case ttl > 0 && !o.absTTL && ttl > math.MaxInt64-c.Now:
		return errRestoreTTL // C would wrap around
	case ttl > 0 && !o.absTTL:
		ttl += c.Now
	}
	switch err := tx.Restore(c.Args[1], c.Args[3], ttl, o.replace); err {
	case nil:
		o.noteUsage(c, tx)
		c.Out.OK()
		return nil
	case storage.ErrBusyKey:
		return errBusyKey
	case storage.ErrBadPayload:
		return errBadPayload
	case storage.ErrBadValue:
		return errBadValue
	case storage.ErrUnknownValue:
		return errUnknown
	default:
		return err
	}
}
