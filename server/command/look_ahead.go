package command

import (
	"unsafe"

	"cobble/server/acl"
	"cobble/slots"
	"cobble/storage"
)

// AppendHint appends what a command that is yet to be executed will look up first.
// It may be wrong: args are not checked.
func (c *Call) AppendHint(hints []storage.Hint, args [][]byte) []storage.Hint {
	if key, _ := c.firstKey(args); key != nil {
		slot := slots.Of(key)
		if c.nLooked < lookedMost {
			l := &c.looked[c.nLooked]
			l.at, l.size, l.slot = addressOf(key), len(key), slot
			c.nLooked++
			storage.PrefetchLine(unsafe.Pointer(&c.Env.View.Load().Owner[slot])) // for its route
		}
		hints = append(hints, storage.HintOf(slot, key))
	}
	return hints
}

// AppendWarm appends it as a key to read from disk.
func (c *Call) AppendWarm(keys []storage.WarmKey, args [][]byte) []storage.WarmKey {
	if key, cmd := c.firstKey(args); key != nil {
		keys = append(keys, storage.WarmKey{Key: key, Write: cmd.Flags&Write != 0})
	}
	return keys
}

// firstKey returns the first key of a command and its row in the table, nil if they
// are not to be found at once.
func (c *Call) firstKey(args [][]byte) ([]byte, *Command) {
	cmd := c.last
	if cmd == nil || string(args[0]) != c.lastName {
		cmd = c.Env.Table.Find(args[0])
	}
	if cmd == nil || len(cmd.Keys) == 0 {
		return nil, nil
	}
	spec := &cmd.Keys[0]
	if spec.Keyword != "" || spec.KeyNum >= 0 || spec.Index >= len(args) {
		return nil, nil
	}
	return args[spec.Index], cmd
}

// lookedKey remembers the slot of a key, by where the key stands in the input.
type lookedKey struct {
	at   uintptr // only compared: it holds no memory
	size int
	slot slots.Slot
}

func addressOf(key []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(key))) }

const lookedMost = 16

// Look begins a new round of AppendHint: what it saw before is no longer in the input.
func (c *Call) Look() {
	c.nLooked, c.atLook = 0, 0
	c.forgetMany()
}

// keepKeys is how many positions of keys a session has room for between its commands.
const keepKeys = 4096

// forgetMany lets go of what was grown for a command of very many keys: an idle session
// holds no megabytes.
func (c *Call) forgetMany() {
	if max(cap(c.keys), cap(c.nested), cap(c.slotKeys), cap(c.found), cap(c.asked.Keys), cap(c.asked.Channels)) <= keepKeys {
		return
	}
	c.keys, c.nested, c.slotKeys, c.found = nil, nil, nil, nil
	c.asked = acl.Request{}
}

// slotOf returns the slot of a key of the command, which AppendHint may have seen.
func (c *Call) slotOf(key []byte) slots.Slot {
	at := addressOf(key)
	for i := c.atLook; i < c.nLooked; i++ {
		if k := &c.looked[i]; k.at == at && k.size == len(key) {
			c.atLook = i + 1
			return k.slot
		}
	}
	return slots.Of(key)
}

// hintKeys does that for the keys of a command of several, whose slot is locked.
func (c *Call) hintKeys(tx *storage.Tx) {
	const most = 16
	var room [most]storage.Hint
	for keys := c.keys; len(keys) > 0; {
		hints := room[:0]
		for _, at := range keys[:min(most, len(keys))] {
			hints = append(hints, storage.HintOf(c.route.Slot, c.Args[at]))
		}
		tx.PrefetchHints(hints)
		keys = keys[len(hints):]
	}
}
