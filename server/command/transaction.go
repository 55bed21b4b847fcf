package command

import (
	"slices"

	"cobble/slots"
	"cobble/storage"
)

// transaction is a session's MULTI and its watched keys.
type transaction struct {
	on, dirty bool // dirty: a command could not be queued, so EXEC fails
	queue     []queued
	bytes     int   // of queue
	flags     Flags // of all queued commands
	watch     storage.Watcher
	watched   []slots.Slot // slots of the watched keys
}

type queued struct {
	cmd  *Command
	args [][]byte
}

func transactionCommands() []Command {
	const flags = NoScript | Loading | Stale | Fast | AllowBusy | runsInMulti
	return []Command{
		{Name: "multi", Arity: 1, Flags: flags, Categories: "@transaction", Group: "transactions", Since: "1.2.0",
			Summary: "Starts a transaction.", Complexity: "O(1)", Serve: multi},
		{Name: "exec", Arity: 1, Flags: NoScript | Loading | Stale | SkipSlowlog | runsInMulti, Categories: "@transaction", Group: "transactions", Since: "1.2.0",
			Summary: "Executes all commands in a transaction.", Complexity: "Depends on commands in the transaction", Serve: execMulti},
		{Name: "discard", Arity: 1, Flags: flags, Categories: "@transaction", Group: "transactions", Since: "2.0.0",
			Summary: "Discards a transaction.", Complexity: "O(N), when N is the number of queued commands", Serve: discard},
		{Name: "watch", Arity: -2, Flags: flags, Categories: "@transaction", Keys: Key(KeyRO, 1, -1, 1), Group: "transactions", Since: "2.2.0",
			Summary: "Monitors changes to keys to determine the execution of a transaction.", Complexity: "O(1) for every key.", Serve: watch},
		{Name: "unwatch", Arity: 1, Flags: flags &^ runsInMulti, Categories: "@transaction", Group: "transactions", Since: "2.2.0",
			Summary: "Forgets about watched keys of a transaction.", Complexity: "O(1)", Serve: unwatch},
	}
}

func multi(c *Call) error {
	if c.Client.multi.on {
		return Error("ERR MULTI calls can not be nested")
	}
	c.Client.multi.on = true
	c.Out.OK()
	return nil
}

func discard(c *Call) error {
	if !c.Client.multi.on {
		return Error("ERR DISCARD without MULTI")
	}
	c.discard()
	c.Out.OK()
	return nil
}

func unwatch(c *Call) error {
	c.unwatch()
	c.Out.OK()
	return nil
}

// discard ends the transaction and forgets the watched keys.
func (c *Call) discard() {
	t := &c.Client.multi
	t.on, t.dirty, t.flags = false, false, 0
	t.queue, t.bytes = nil, 0
	c.unwatch()
}

func (c *Call) unwatch() {
	t := &c.Client.multi
	if !t.watch.Empty() || t.watch.Dirty() {
		c.Env.Engine.Unwatch(&t.watch)
	}
	t.watched = t.watched[:0]
}

// watch adds keys; each is looked at under the lock of its slot.
func watch(c *Call) error {
	t := &c.Client.multi
	if t.on {
		if c.Env.View.Load().Enabled && c.crosses(c.Args[1:]) { // routing comes first, and spoils the transaction
			t.dirty = true
			return slots.CrossSlot
		}
		return Error("ERR WATCH inside MULTI is not allowed")
	}
	for _, key := range c.Args[1:] {
		c.keys = append(c.keys[:0], 1)
		slot := slots.Of(key)
		c.route = slots.Request{Slot: slot, ReadOnly: c.Client.ReadOnly, Asking: c.Client.Asking}
		if len(c.Args) > 2 && c.crosses(c.Args[1:]) {
			c.route.CrossSlot = true
		}
		lsn, err := c.Env.Engine.View(c.Now, slot, storage.OpFunc(func(tx *storage.Tx) error {
			if err := slots.Route(c.view(), c.route); err != nil {
				return err
			}
			tx.Touch(false)
			return tx.Watch(&t.watch, key)
		}))
		c.LSN = max(c.LSN, lsn)
		if err != nil {
			return err
		}
		t.watched = append(t.watched, slot)
	}
	c.Out.OK()
	return nil
}

func (c *Call) crosses(keys [][]byte) bool {
	for _, key := range keys[1:] {
		if slots.Of(key) != slots.Of(keys[0]) {
			return true
		}
	}
	return false
}

// queue keeps a command for EXEC. A command that would be redirected spoils the
// transaction at once.
func (c *Call) queue() {
	if err := c.routeQueued(); err != nil {
		c.reject(err)
		return
	}
	t := &c.Client.multi
	if t.dirty || t.watch.Dirty() { // EXEC will fail whatever else is queued
		c.Out.Status("QUEUED")
		return
	}
	t.queue = append(t.queue, queued{c.Cmd, cloneArgs(c.Args)})
	t.bytes += queuedBytes + queuedArgSize*len(c.Args)
	for _, arg := range c.Args {
		t.bytes += len(arg)
	}
	t.flags |= c.Cmd.Flags
	c.Out.Status("QUEUED")
}

// cloneArgs copies arguments: their own memory is the session's read buffer.
func cloneArgs(args [][]byte) [][]byte {
	size := 0
	for _, arg := range args {
		size += len(arg)
	}
	arena := make([]byte, 0, size)
	clone := make([][]byte, len(args))
	for i, arg := range args {
		from := len(arena)
		arena = append(arena, arg...)
		clone[i] = arena[from:len(arena):len(arena)]
	}
	return clone
}

// routeQueued asks Route about a command that is only queued. Which keys are
// there is left to EXEC, under the lock.
func (c *Call) routeQueued() error {
	view := c.view()
	if !view.Enabled || !c.Cmd.keyed() {
		return nil
	}
	keys, err := c.Cmd.AppendKeys(c.keys[:0], c.Args)
	c.keys = keys
	if err != nil || len(keys) == 0 {
		return nil // EXEC answers with the error of the command itself
	}
	return slots.Route(view, c.request(keys))
}

// request is what Route has to know of the command of c, but for which keys are there.
func (c *Call) request(keys []int) slots.Request {
	r := slots.Request{
		Slot: c.slotOf(c.Args[keys[0]]), Write: c.Cmd.Flags&Write != 0, ReadOnly: c.Client.ReadOnly,
		Asking: c.Client.Asking || c.Cmd.Flags&Asking != 0, Migrate: c.Cmd.Name == "migrate",
	}
	for _, at := range keys[1:] {
		r.CrossSlot = r.CrossSlot || slots.Of(c.Args[at]) != r.Slot
	}
	return r
}

// execMulti is EXEC: it runs the queue. All keyed commands up to one that needs the whole
// keyspace, or the server, are one transaction of the engine: one lock, one log
// record. WATCH is checked inside the first.
func execMulti(c *Call) error {
	t := &c.Client.multi
	if !t.on {
		return Error("ERR EXEC without MULTI")
	}
	cmd, args := c.Cmd, c.Args
	again := false
	var shown []byte // what monitors see of the queue
	defer func() {
		if !again {
			if c.monitored() {
				c.Env.Broker.feed(c.monitorLine(shown, c.Client.Addr, cmd, args))
			}
			c.discard()
		}
		c.Cmd, c.Args, c.inExec = cmd, args, false
	}()
	if c.queueCrosses() {
		return slots.CrossSlot
	}
	if t.dirty {
		return Error("EXECABORT Transaction discarded because of previous errors.")
	}
	if err := c.execAllowed(); err != nil {
		return err
	}
	c.inExec = true
	run := &execution{call: c, from: c.Out.Len(), watch: !t.watch.Empty() || t.watch.Dirty()}
	c.Out.Array(len(t.queue))
	rest := t.queue
	for len(rest) > 0 || run.watch {
		n := 0
		for n < len(rest) && (rest[n].cmd.keyed() || rest[n].cmd.Group == "connection") {
			n++
		}
		if n > 0 || run.watch {
			if err := run.segment(rest[:n], len(rest) < len(t.queue)); err != nil {
				again = err == storage.ErrFollower && len(rest) == len(t.queue) && c.fenced < fencedTries
				if err == storage.ErrFollower && !again {
					return Error(ErrorText(err)) // a part was executed, or the tries are over: EXEC is not run again
				}
				return err
			}
			if run.failed {
				c.Out.CutTo(run.from)
				c.Out.NullArray()
				return nil
			}
			if c.monitored() {
				shown = run.show(shown)
			}
			rest = rest[n:]
			continue
		}
		if refused := c.execRefusal(rest[0]); refused != "" {
			c.Out.Error(refused)
		} else {
			if c.monitored() {
				shown = c.monitorLine(shown, c.Client.Addr, rest[0].cmd, rest[0].args)
			}
			c.serveQueued(rest[0])
		}
		rest = rest[1:]
	}
	return nil
}

// queueCrosses reports whether the queue has keys of several slots, which a node of a cluster refuses whatever else is
// wrong with the transaction.
func (c *Call) queueCrosses() bool {
	if !c.Env.View.Load().Enabled {
		return false
	}
	first, some := slots.Slot(0), false
	for _, q := range c.Client.multi.queue {
		if !q.cmd.keyed() {
			continue
		}
		keys, err := q.cmd.AppendKeys(c.keys[:0], q.args)
		c.keys = keys
		if err != nil {
			continue
		}
		for _, at := range keys {
			slot := slots.Of(q.args[at])
			if some && slot != first {
				return true
			}
			first, some = slot, true
		}
	}
	return false
}

// execAllowed makes the checks that Redis makes of a whole transaction again at EXEC.
func (c *Call) execAllowed() error {
	t := &c.Client.multi
	if t.flags&DenyOOM != 0 && c.Env.Evictor.refuses() {
		return Error("EXECABORT Transaction discarded because of: " + string(errOOM))
	}
	if gate := c.Env.WriteGate.Load(); gate != nil && t.flags&Write != 0 {
		return Error("EXECABORT Transaction discarded because of: " + string(*gate))
	}
	return nil
}

// serveQueued runs a command that is not about single keys, between the parts of EXEC.
func (c *Call) serveQueued(q queued) {
	c.Cmd, c.Args, c.Later = q.cmd, q.args, nil
	from := c.Out.Len()
	c.start, c.began = from, c.Env.Process.Nanos()
	err := q.cmd.Serve(c)
	if err == nil && c.Later != nil { // nobody waits inside EXEC
		done := make(chan struct{})
		close(done)
		later := c.Later
		c.Later = nil
		later(done)
	}
	if err != nil {
		c.Out.CutTo(from)
		c.Out.Error(ErrorText(err))
	}
	c.account(err)
}

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
