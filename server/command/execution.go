package command

import (
	"slices"

	"cobble/slots"
	"cobble/storage"
)

// execution is the state of one EXEC.
type execution struct {
	call    *Call
	from    int // where the reply of EXEC begins
	watch   bool
	failed  bool // a watched key was changed
	queue   []queued
	reply   int // where the replies of this segment begin
	route   slots.Request
	routed  bool
	replies [][]byte    // of commands without keys, which must run once only
	scripts []*scripted // of the commands that run scripts
	locked  []slots.Slot
	checked []bool   // the command's turn has come once, and
	refused []string // it was not allowed: for all tries alike
}

// segment runs commands in one transaction of the engine. If that writes more than a record holds nothing of it is
// applied: EXEC has failed, or if parts of it ran before, each command of this one.
func (x *execution) segment(queue []queued, later bool) error {
	c := x.call
	x.queue, x.reply, x.routed, x.replies = queue, c.Out.Len(), false, make([][]byte, len(queue))
	x.scripts, x.checked, x.refused = make([]*scripted, len(queue)), make([]bool, len(queue)), make([]string, len(queue))
	defer x.endScripts()
	for again := true; again; {
		var err error
		if err = x.attempt(); err == nil {
			break
		}
		switch again, err = x.prepareScripts(err); {
		case err == storage.ErrRecordLimit && later:
			x.refuse(ErrorText(err))
		case err == storage.ErrRecordLimit:
			return Error("EXECABORT Transaction discarded because of: " + ErrorText(err))
		case err != nil:
			return err
		}
	}
	x.watch = false
	return nil
}

// refuse answers each command of a segment that was not applied with an error.
func (x *execution) refuse(text string) {
	x.call.Out.CutTo(x.reply)
	for i := range x.queue {
		x.call.Out.Error(text)
		x.refused[i] = text
	}
}

// show appends what monitors see of the segment that has run.
func (x *execution) show(lines []byte) []byte {
	for i, q := range x.queue {
		if x.refused[i] != "" {
			continue
		}
		lines = x.call.monitorLine(lines, x.call.Client.Addr, q.cmd, q.args)
		if s := x.scripts[i]; s != nil {
			lines = append(lines, s.shown...)
		}
	}
	return lines
}

// attempt runs the segment once, or as often as the engine finds rows cold.
func (x *execution) attempt() error {
	c := x.call
	if err := x.plan(); err != nil {
		return err
	}
	var lsn storage.LSN
	var err error
	switch {
	case len(x.locked) == 0:
		err = x.Run(nil)
	case x.route.Write || len(x.locked) > 1:
		lsn, err = c.Env.Engine.Update(c.Now, x.locked, x)
	default:
		lsn, err = c.Env.Engine.View(c.Now, x.locked[0], x)
	}
	c.LSN = max(c.LSN, lsn)
	return err
}

// plan finds the slots to lock and the request that Route decides about: a
// transaction is routed as one command with all the keys.
func (x *execution) plan() error {
	c := x.call
	var locked []slots.Slot
	x.route = slots.Request{ReadOnly: c.Client.ReadOnly, Asking: c.Client.Asking}
	x.routed = false
	for i, q := range x.queue {
		if !q.cmd.keyed() {
			continue
		}
		if s := x.scripts[i]; s != nil {
			locked = append(locked, s.more...)
		}
		keys, err := q.cmd.AppendKeys(c.keys[:0], q.args)
		c.keys = keys
		if err != nil {
			continue // the command itself replies with it
		}
		x.route.Write = x.route.Write || q.cmd.Flags&Write != 0 || q.cmd.script && q.cmd.Flags&ReadOnly == 0
		for _, at := range keys {
			slot := slots.Of(q.args[at])
			if !x.routed {
				x.route.Slot, x.routed = slot, true
			}
			x.route.CrossSlot = x.route.CrossSlot || slot != x.route.Slot
			locked = append(locked, slot)
		}
	}
	if x.watch {
		locked = append(locked, c.Client.multi.watched...)
	}
	slices.Sort(locked)
	x.locked = slices.Compact(locked)
	return nil
}

// Run is the segment as an Op. It may run more than once.
func (x *execution) Run(tx *storage.Tx) error {
	c := x.call
	c.Out.CutTo(x.reply)
	if tx != nil {
		c.takeTurn(tx)
	}
	if x.watch {
		t := &c.Client.multi
		x.failed = t.watch.Dirty()
		if !x.failed && tx != nil {
			var err error
			if x.failed, err = tx.WatchedExpired(&t.watch); err != nil {
				return err
			}
		}
		if x.failed {
			return nil
		}
	}
	if err := x.routeKeys(tx); err != nil {
		return err
	}
	for i, q := range x.queue {
		if !x.checked[i] {
			x.checked[i], x.refused[i] = true, c.execRefusal(q)
		}
		if x.refused[i] != "" {
			c.Out.Error(x.refused[i])
			continue
		}
		if q.cmd.script {
			if err := x.scripted(tx, i); err != nil {
				return err
			}
			continue
		}
		if q.cmd.Run == nil {
			x.once(i, q)
			continue
		}
		if err := x.keyed(tx, q); err != nil {
			return err
		}
	}
	return nil
}

// once runs a command without keys the first time, and repeats its reply after.
func (x *execution) once(i int, q queued) {
	c := x.call
	if x.replies[i] != nil {
		c.Out.Raw(x.replies[i])
		return
	}
	from := c.Out.Len()
	c.serveQueued(q)
	x.replies[i] = slices.Clone(c.Out.Since(from))
}

// keyed runs one command. Its error is its reply, and takes back its writes
// alone; errors of the engine itself end the transaction.
func (x *execution) keyed(tx *storage.Tx, q queued) error {
	c := x.call
	c.Cmd, c.Args = q.cmd, q.args
	keys, err := q.cmd.AppendKeys(c.keys[:0], q.args)
	c.keys, c.start = keys, c.Out.Len()
	c.began = c.Env.Process.Nanos()
	switch {
	case err != nil:
		err = c.noKeys(err)
	case tx == nil: // a keyed command that was given no keys
		err = c.noKeys(errInvalidKeys)
	default:
		err = x.saved(tx, q)
	}
	if tx != nil && tx.Incomplete() {
		return nil // it will run again; go on, so that all rows that are missing are known
	}
	if tx != nil && tx.Overflown() != nil {
		err = tx.Overflown()
	}
	if endsTransaction(err) {
		return err
	}
	c.answered(err)
	return nil
}

// answered ends one command of a transaction: an error is its reply, instead of what it wrote.
func (c *Call) answered(err error) {
	if err != nil {
		c.Out.CutTo(c.start)
		c.Out.Error(ErrorText(err))
	}
	c.account(err)
}

func (x *execution) saved(tx *storage.Tx, q queued) error {
	if q.cmd.Flags&Write == 0 {
		return x.call.runIn(tx)
	}
	mark := tx.Savepoint()
	err := x.call.runIn(tx)
	if err != nil {
		tx.RollbackTo(mark)
	}
	return err
}

// routeKeys asks Route about the transaction as a whole.
func (x *execution) routeKeys(tx *storage.Tx) error {
	c := x.call
	view := c.view()
	if !view.Enabled || !x.routed {
		return nil
	}
	if view.IsOpen(x.route.Slot) {
		x.route.Present, x.route.Missing = 0, 0
		for _, q := range x.queue {
			if !q.cmd.keyed() {
				continue
			}
			keys, err := q.cmd.AppendKeys(c.keys[:0], q.args)
			c.keys = keys
			if err != nil {
				continue
			}
			if err := countPresent(tx, &x.route, keys, q.args); err != nil {
				return err
			}
		}
	}
	return slots.Route(view, x.route)
}

// endsTransaction reports whether an error is the engine's, not the command's.
func endsTransaction(err error) bool {
	switch err {
	case storage.ErrDiskFull, storage.ErrDiskFails, storage.ErrRecordLimit, storage.ErrClosed, storage.ErrUnavailable, errMoreSlots, errServeFirst:
		return true
	}
	return false
}
