package command

import (
	"math"
	"sync"

	"cobble/server/resp"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/format"
)

// How a command blocks.
//
// Run of a blocking command looks at its keys in order, and at those only for which
// c.mayAsk says yes. If one has what it wants it takes that, replies and returns nil
// like any other command. If none has, it returns c.block(tx, …), with what it waits
// for. Everything else is done here:
//
//   - inside EXEC, or where nobody may wait, block writes the reply of a wait that
//     timed out;
//   - else the call is parked under the locks that it holds, so that no change is
//     missed; nothing runs and no goroutine waits for it meanwhile;
//   - whoever changes one of the keys so that it holds a value of the type, calls
//     Run again, inside the same hold of the slot lock, after the change is
//     committed: before anybody else can see the value, waiters in the order of
//     their arrival. Run then has c.serving set and the reply is its own. If it
//     calls block again, the call keeps its place and waits on;
//   - a time-out, CLIENT UNBLOCK, the end of the client, a slot that moved away, a
//     cluster that is down and a change of role end the wait.
//
// A command that wants to know that its key is gone or has changed its type
// (XREADGROUP) sets waitFor.orGone: its Run is called then too, and should return
// the error.
//
// Blocking rows have the flag Blocking; those that write have Write as well.

// waitFor is what a command waits for.
type waitFor struct {
	keys   [][]byte
	holds  format.Type // what a key has to hold
	orGone bool        // to hear when a key is gone or of another type, too
	same   string      // as storage.Wants.Same
	// timeout is in milliseconds, 0 for ever.
	timeout int64
	empty   func(*resp.Writer) // the reply when there was nothing; nil: a null array
}

// unblock takes back what block did: the transaction has failed, or runs again.
func (c *Call) unblock() {
	if c.Wait != nil {
		c.Env.Engine.Unpark(&c.Wait.waiter)
		c.Wait = nil
	}
}

// errParked is what block returns when the call waits now; it is no reply.
const errParked Error = "parked"

// block is the end of a Run that found nothing. See above.
func (c *Call) block(tx *storage.Tx, f waitFor) error {
	if f.empty == nil {
		f.empty = (*resp.Writer).NullArray
	}
	if c.serving {
		return errParked
	}
	if c.inExec {
		f.empty(c.Out)
		return nil
	}
	c.Args = cloneArgs(c.Args) // what they were read into serves others meanwhile
	w := &Wait{env: c.Env, client: c.Client, empty: f.empty}
	w.call = Call{Env: c.Env, Client: c.Client, Cmd: c.Cmd, Args: c.Args, Out: &resp.Writer{}, Now: c.Now, serving: true}
	w.call.Out.SetProto(c.Out.Proto())
	w.route = slots.Request{Slot: c.route.Slot, Write: c.route.Write, ReadOnly: c.route.ReadOnly}
	if c.deadline == 0 && f.timeout > 0 {
		c.deadline = c.Now + f.timeout
	}
	c.Wait = w
	tx.Park(&w.waiter, w, storage.Wants{Type: f.holds, OrGone: f.orGone, Same: f.same}, f.keys...)
	return nil
}

// mayAsk reports whether a blocking command may look at a key: one that is served
// while another's change holds the locks sees only the slots of that change.
func (c *Call) mayAsk(tx *storage.Tx, key []byte) bool { return !c.serving || tx.Locks(key) }

// errRunAgain ends the turn of a served command that needs a key for which mayAsk
// says no: it is run from the start, by its own session.
const errRunAgain Error = "run again"

// Wait is a blocked command.
type Wait struct {
	env    *Env
	client *Client
	waiter storage.Waiter
	call   Call // runs the command; its Out takes the reply
	route  slots.Request
	empty  func(*resp.Writer)
	closes bool // the connection is closed behind the reply

	rejected bool // the command was not allowed when its turn came: it did not run

	mu     sync.Mutex
	over   bool
	again  bool // the command is to be run from the start
	failed error
	lsn    storage.LSN
	notify func()
	disarm func() bool // stops the timer
}

// Serve implements storage.Parked.
func (w *Wait) Serve(tx *storage.Tx) storage.Outcome {
	c := &w.call
	if c.Cmd.Flags&Write != 0 && !tx.Writable() {
		return storage.StillWaiting
	}
	c.Out.Reset()
	c.Now = tx.Now()
	if err := c.refusal(); err != nil { // the user's rules changed meanwhile
		w.refuse(err)
		w.rejected = true
		return storage.Refused
	}
	switch err := c.runIn(tx); err {
	case nil:
		return storage.Served
	case errParked:
		return storage.StillWaiting
	case errRunAgain:
		return storage.RunAgain
	default:
		w.refuse(err)
		return storage.Refused
	}
}

func (w *Wait) refuse(err error) {
	w.call.Out.Reset()
	w.call.Out.Error(ErrorText(err))
	w.failed = err
}

// Ended implements storage.Parked.
func (w *Wait) Ended(outcome storage.Outcome, lsn storage.LSN, err error) {
	if err != nil {
		w.refuse(err)
	}
	w.again, w.lsn = outcome == storage.RunAgain, lsn
	w.end()
}

// end lets the session go on. The wait has left its queues.
func (w *Wait) end() {
	w.mu.Lock()
	w.over = true
	notify, disarm := w.notify, w.disarm
	w.mu.Unlock()
	w.client.unblock.Store(nil)
	if disarm != nil {
		disarm()
	}
	if notify != nil {
		notify()
	}
}

// Notify has f called once the wait is over: at once if it is already. f must not
// block: locks of others may be held.
func (w *Wait) Notify(f func()) {
	w.mu.Lock()
	over := w.over
	w.notify = f
	w.mu.Unlock()
	if over {
		f()
	}
}

// finish ends the wait with a reply, unless it has ended.
func (w *Wait) finish(reply func(*resp.Writer)) bool {
	if !w.env.Engine.Unpark(&w.waiter) {
		return false
	}
	w.call.Out.Reset()
	reply(w.call.Out)
	w.end()
	return true
}

// Cancel ends the wait because the client is gone.
func (w *Wait) Cancel() { w.finish(func(*resp.Writer) {}) }

// fail ends the wait with an error.
func (w *Wait) fail(err error) bool {
	return w.finish(func(*resp.Writer) { w.refuse(err) })
}

// arm starts what may end the wait from outside. The call is parked already and
// may be over.
func (w *Wait) arm(left int64) {
	unblock := func(reason string) bool {
		if reason == "ERROR" {
			return w.fail(errUnblocked)
		}
		return w.finish(w.empty)
	}
	w.client.unblock.Store(&unblock)
	var disarm func() bool
	if left > 0 {
		disarm = w.env.Process.AfterFunc(left, func() { w.finish(w.empty) })
	}
	w.mu.Lock()
	over := w.over
	w.disarm = disarm
	w.mu.Unlock()
	if over { // before it could be disarmed
		w.client.unblock.Store(nil)
		if disarm != nil {
			disarm()
		}
	}
}

const (
	errUnblocked Error = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	// ErrDemoted ends all waits on a primary that was replaced; the connection is
	// closed behind it.
	ErrDemoted Error = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)

// park makes the session wait, after the command has blocked. When the wait is over
// Later goes on without waiting.
func (c *Call) park() {
	w := c.Wait
	c.Client.ReleaseMail()
	left := int64(0)
	if c.deadline != 0 {
		left = max(c.deadline-c.Env.Process.Micros()/1000, 1)
	}
	w.arm(left)
	c.reroute(w)
	c.Later = func(stop <-chan struct{}) {
		over := make(chan struct{})
		w.Notify(func() { close(over) })
		select {
		case <-over:
		case <-stop:
			w.Cancel()
			<-over
		}
		c.Unpark()
	}
}

// Unpark goes on with a command whose Wait is over. As after Later, the reply is
// complete unless the command has to wait again.
func (c *Call) Unpark() {
	w := c.Wait
	c.resume()
	c.Wait = nil
	c.Now = c.Env.Process.Micros() / 1000
	if w.again {
		c.performLate()
		return
	}
	c.began = c.Env.Process.Nanos()
	c.LSN = max(c.LSN, w.lsn)
	c.Out.Raw(w.call.Out.Bytes())
	if w.closes {
		c.Client.Closing = true
	}
	if w.rejected {
		c.Env.Stats.of(c.Cmd).rejected.Add(1)
		c.Env.Stats.countError(w.failed)
	} else {
		c.account(w.failed)
	}
	c.finish()
}

// reroute ends the wait if its slot is not served here any more.
func (c *Call) reroute(w *Wait) {
	if err := w.misplaced(c.Env.View.Load()); err != nil {
		w.fail(err)
	}
}

// misplaced returns the redirection or refusal that ends a wait under a view. (Redis:
// "clusterRedirectBlockedClientIfNeeded". A slot that is about to leave, or to come,
// leaves its waiters alone.)
func (w *Wait) misplaced(view *slots.View) error {
	if !view.Enabled {
		return nil
	}
	if view.Down {
		return slots.StateDown
	}
	r := w.route
	r.Asking = true // a slot that is imported
	r.Present = 1   // and one that is exported
	return slots.Route(view, r)
}

// Reroute ends the waits for keys that this node does not serve under the view that
// was just stored, as Redis does.
func (e *Env) Reroute() {
	view := e.View.Load()
	e.Engine.EachParked(func(_ slots.Slot, op storage.Parked) {
		if w := op.(*Wait); w.misplaced(view) != nil {
			w.fail(w.misplaced(view))
		}
	})
}

// EndWaits ends all waits because this node is no primary any more; their
// connections are closed.
func (e *Env) EndWaits() {
	e.Engine.EachParked(func(_ slots.Slot, op storage.Parked) {
		w := op.(*Wait)
		w.finish(func(*resp.Writer) {
			w.refuse(ErrDemoted)
			w.closes = true
		})
	})
}

// timeoutSeconds reads the time-out of a blocking command, a number of seconds that
// need not be whole, as milliseconds.
func (c *Call) timeoutSeconds(arg []byte) (int64, error) {
	v, ok := storage.ParseLongDouble(arg)
	if !ok {
		return 0, Error("ERR timeout is not a float or out of range")
	}
	ms, ok := v.Ceil(1000)
	if !ok {
		return 0, errTimeoutRange
	}
	return c.timeout(ms)
}

// timeoutMillis reads the time-out of XREAD's BLOCK.
func (c *Call) timeoutMillis(arg []byte) (int64, error) {
	ms, ok := storage.ParseInt(arg)
	if !ok {
		return 0, Error("ERR timeout is not an integer or out of range")
	}
	return c.timeout(min(ms, math.MaxInt64-c.Now)) // nobody waits to see the difference
}

const errTimeoutRange Error = "ERR timeout is out of range"

func (c *Call) timeout(ms int64) (int64, error) {
	switch {
	case ms < 0:
		return 0, Error("ERR timeout is negative")
	case ms > math.MaxInt64-c.Now:
		return 0, errTimeoutRange
	}
	return ms, nil
}
