package command

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"cobble/server/acl"
	"cobble/server/script"
	"cobble/slots"
	"cobble/storage"
)

// scriptHost is the server as one try of a script sees it: redis.call runs here, in the transaction of the script.
type scriptHost struct {
	call   *Call
	tx     *storage.Tx // nil: no slot is locked
	locked []slots.Slot
	served int  // replies taken from scripted.prepared
	wrote  bool // a command that writes was run

	denials []denial // of this try
}

// servedWithLocks are commands without keys that need no lock, so that they may run inside a script.
var servedWithLocks = map[string]bool{"ping": true, "echo": true, "time": true, "dbsize": true, "lastsave": true, "lolwut": true, "select": true}

// Command implements script.Host.
func (h *scriptHost) Command(args [][]byte, proto int) ([]byte, error) {
	c := h.call
	cmd := c.findNested(args)
	if err := h.admit(cmd, args); err != nil {
		return errorReply(err), nil
	}
	if cmd.Run == nil {
		h.show(cmd, args)
		return h.serve(cmd, args, proto)
	}
	keys, err := cmd.AppendKeys(c.keys[:0], args)
	c.keys = keys
	if err != nil || len(keys) == 0 {
		outer, outerArgs := c.Cmd, c.Args
		c.Cmd, c.Args = cmd, args
		wrong := c.noKeys(errInvalidKeys)
		c.Cmd, c.Args = outer, outerArgs
		return errorReply(wrong), nil
	}
	if err := h.reach(cmd, args, keys); err != nil {
		if errors.Is(err, errMoreSlots) {
			return nil, err
		}
		return errorReply(err), nil
	}
	h.show(cmd, args)
	return h.keyed(cmd, args, proto)
}

// show keeps what monitors are to see of a command.
func (h *scriptHost) show(cmd *Command, args [][]byte) {
	if c := h.call; c.monitored() {
		c.script.shown = c.monitorLine(c.script.shown, "lua", cmd, args)
	}
}

// admit makes the checks that come before a command's turn.
func (h *scriptHost) admit(cmd *Command, args [][]byte) error {
	c := h.call
	switch {
	case cmd == nil:
		return Error("ERR Unknown Redis command called from script")
	case len(args) != cmd.Arity && (cmd.Arity >= 0 || len(args) < -cmd.Arity):
		return Error("ERR Wrong number of args calling Redis command from script")
	case cmd.Flags&NoScript != 0:
		return Error("ERR This Redis command is not allowed from script")
	}
	if why, at := c.allowed(cmd, args); why != acl.Allowed {
		return h.refuse(cmd, args, why, at)
	}
	switch {
	case cmd.Flags&Write == 0:
		return nil
	case c.script.readOnly:
		return Error("ERR Write commands are not allowed from read-only scripts.")
	}
	if c.view().Enabled && c.Env.Engine.Follower() {
		return Error("READONLY You can't write against a read only replica.")
	}
	if gate := c.Env.WriteGate.Load(); gate != nil && !h.wrote {
		return *gate
	}
	if cmd.Flags&DenyOOM != 0 && c.Env.OverMemory.Load() && !h.wrote && c.script.flags&script.AllowOOM == 0 {
		return Error("OOM command not allowed when used memory > 'maxmemory'.")
	}
	return nil
}

// refuse is the error of a command that the user of the script may not run. It enters
// ACL LOG when the script has ended, for it may be tried again.
func (h *scriptHost) refuse(cmd *Command, args [][]byte, why acl.Denial, at int) error {
	user, object := h.call.Client.user.Load(), args[at]
	d := denial{why: why, object: string(object), user: user.Name(), context: acl.InScript}
	if why == acl.DeniedCommand {
		d.object = cmd.FullName()
	}
	h.denials = append(h.denials, d)
	return Error("ERR ACL failure in script: " + denialText(why, user, cmd, object, false))
}

// reach makes sure that the keys of a command are served here and that their slots are locked.
func (h *scriptHost) reach(cmd *Command, args [][]byte, keys []int) error {
	c := h.call
	view := c.view()
	missing := false
	if view.Enabled && slices.ContainsFunc(keys, func(at int) bool { return slots.Of(args[at]) != slots.Of(args[keys[0]]) }) {
		return Error("ERR Command '" + cmd.FullName() + "' in script attempted to access keys that don't hash to the same slot")
	}
	for _, at := range keys {
		slot := slots.Of(args[at])
		if view.Enabled && !c.script.legacy && c.script.flags&script.AllowCrossSlot == 0 && len(h.locked) > 0 && !slices.Contains(h.locked, slot) {
			return Error("ERR Script attempted to access keys that do not hash to the same slot")
		}
		if slices.Contains(h.locked, slot) {
			continue
		}
		request := slots.Request{Slot: slot, Write: cmd.Flags&Write != 0, ReadOnly: c.Client.ReadOnly, Asking: c.Client.Asking}
		if slots.Route(view, request) != nil || view.Enabled && view.IsOpen(slot) {
			return Error("ERR Script attempted to access a non local key in a cluster node")
		}
		missing = true
		if !slices.Contains(c.script.more, slot) {
			c.script.more = append(c.script.more, slot)
		}
	}
	if missing {
		return errMoreSlots
	}
	return nil
}

// keyed runs a command on its keys, as a part of the script's transaction. An error undoes what the command itself did.
func (h *scriptHost) keyed(cmd *Command, args [][]byte, proto int) ([]byte, error) {
	c, tx := h.call, h.tx
	from := c.Out.Len()
	c.Cmd, c.Args, c.start, c.replyFrom = cmd, args, from, from
	defer c.Out.SetProto(c.Out.Proto())
	c.Out.SetProto(proto)
	write := cmd.Flags&Write != 0
	var mark storage.Savepoint
	if write {
		mark = tx.Savepoint()
	}
	err := c.runIn(tx)
	switch {
	case tx.Incomplete():
		return nil, errAgain
	case tx.Overflown() != nil:
		return nil, tx.Overflown()
	case endsTransaction(err):
		return nil, err
	case err != nil:
		if write {
			tx.RollbackTo(mark)
		}
		c.Out.CutTo(from)
		return errorReply(err), nil
	}
	h.wrote = h.wrote || write
	reply := c.Out.Since(from)
	c.Out.CutTo(from)
	return reply, nil
}

// serve answers a command that is not about single keys: at once if it needs no lock, else from what was prepared
// while none was held.
func (h *scriptHost) serve(cmd *Command, args [][]byte, proto int) ([]byte, error) {
	c := h.call
	if servedWithLocks[cmd.Name] && cmd.container == nil {
		from := c.Out.Len()
		c.Cmd, c.Args, c.start = cmd, args, from
		defer c.Out.SetProto(c.Out.Proto())
		c.Out.SetProto(proto)
		err := cmd.Serve(c)
		reply := c.Out.Since(from)
		c.Out.CutTo(from)
		switch {
		case err != nil:
			return errorReply(err), nil
		case cmd.Name == "dbsize" && h.tx != nil: // what the script itself made and deleted counts
			n, _ := storage.ParseInt(reply[1 : len(reply)-2])
			c.Out.Int(n + h.tx.KeysAdded())
			reply = c.Out.Since(from)
			c.Out.CutTo(from)
		}
		return reply, nil
	}
	if cmd.Flags&Write != 0 && h.wrote {
		return errorReply(Error("ERR " + cmd.FullName() + " must come before other writes of a script")), nil
	}
	s := c.script
	if h.served < len(s.prepared) && slices.EqualFunc(s.prepared[h.served].args, args, bytes.Equal) {
		h.served++
		return s.prepared[h.served-1].reply, nil
	}
	s.prepared = s.prepared[:h.served]
	s.wanted = nil
	for _, arg := range args {
		s.wanted = append(s.wanted, bytes.Clone(arg))
	}
	return nil, errServeFirst
}

// MayCall implements script.Host.
func (h *scriptHost) MayCall(args [][]byte) (bool, error) {
	cmd := h.call.Env.Table.named(args)
	if cmd == nil {
		return false, errInvalidKeys
	}
	why, _ := h.call.allowed(cmd, args)
	return why == acl.Allowed, nil
}

// Log implements script.Host.
func (h *scriptHost) Log(_ int, text string) { h.call.Env.Process.Log(text) }

func errorReply(err error) []byte {
	text := strings.NewReplacer("\r", " ", "\n", " ").Replace(strings.TrimRight(ErrorText(err), "\r\n"))
	return append(append([]byte{'-'}, text...), '\r', '\n')
}
