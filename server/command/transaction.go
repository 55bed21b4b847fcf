package command

import (
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
