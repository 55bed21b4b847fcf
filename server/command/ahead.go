package command

import (
	"cobble/slots"
	"cobble/storage"
)

// AppendHint appends what a command that is yet to be executed will look up first.
// It may be wrong: args are not checked.
func (c *Call) AppendHint(hints []storage.Hint, args [][]byte) []storage.Hint {
	cmd := c.last
	if cmd == nil || string(args[0]) != c.lastName {
		cmd = c.Env.Table.Find(args[0])
	}
	if cmd == nil || len(cmd.Keys) == 0 {
		return hints
	}
	spec := &cmd.Keys[0]
	if spec.Keyword != "" || spec.KeyNum >= 0 || spec.Index >= len(args) {
		return hints
	}
	key := args[spec.Index]
	return append(hints, storage.HintOf(slots.Of(key), key))
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
