package command

import (
	"bytes"
	"net"
	"slices"

	"cobble/server/acl"
	"cobble/server/resp"
	"cobble/slots"
	"cobble/storage"
)

// Call is one command being run for one session. A session reuses its Call.
type Call struct {
	Env    *Env
	Client *Client
	Cmd    *Command
	Args   [][]byte // Args[0] is the name; they live until the reply is complete
	Out    *resp.Writer
	Now    int64       // Unix milliseconds
	LSN    storage.LSN // what must be Awaited before the reply leaves; only ever raised

	// NoWait is set by a driver that serves other sessions meanwhile: commands
	// that would wait for a lock or the disk set Later instead.
	NoWait bool

	// Follows is set by a driver that will execute a command of the same name right
	// behind this one.
	Follows bool

	// Later is set by a command that has to wait for something. Whoever drives the
	// session sends the replies before it, and then calls Later where waiting does
	// no harm; stop is closed when the client is gone. Afterwards the reply is complete.
	// Brief says that Later waits for this server only, not for other clients or nodes.
	Later func(stop <-chan struct{})
	Brief bool

	// HandOver is set by a command after which the connection speaks another protocol. Whoever drives the session sends
	// the replies before it, and then gives the connection away, with what was read of it: HandOver returns when stop is
	// closed or the connection has ended, which it then closes.
	HandOver func(conn net.Conn, in *resp.Reader, stop <-chan struct{})

	// Warm is what the session has read from disk for this command and those behind it.
	Warm *storage.Warm

	// Wait is set, together with Later, by a command that waits for keys. A driver
	// with many sessions calls Wait.Notify, and Unpark once the wait is over, instead
	// of spending a goroutine on Later.
	Wait *Wait

	serving  bool  // it is served as a Wait: what it replies is the wait's
	deadline int64 // of a wait, Unix milliseconds; 0 = none

	reached storage.LSN // LSN, over all rounds up to the last

	looked  [lookedMost]lookedKey // keys of the commands that were read ahead,
	nLooked int                   // so many,
	atLook  int                   // of which those before it are done with

	fenced   int          // how often the command met ErrFollower
	keys     []int        // positions of the keys in Args
	nested   []int        // room for those of the commands of a script
	slotKeys []int        // scratch of bookSlot
	wider    []slots.Slot // that the command needs beside those of its keys
	start    int          // where the reply begins in Out
	route    slots.Request
	one      [1]slots.Slot

	asked acl.Request // the last question whether something is allowed
	found []int       // scratch of ask

	replyFrom int       // where the reply of this command begins in Out
	began     int64     // Process.Nanos when it began
	clock     int64     // Process.Nanos when the command before it ended; 0: some time ago
	fields    didFields // what it did to fields of a hash
	inExec    bool      // it runs inside EXEC: it must not wait
	last      *Command
	lastName  string // spelled as the client did
	tally     tally  // statistics not yet added to Stats
	untimed   untimed
	script    *scripted // the script that runs
	hits      int64     // keys a reading command found, and did not find
	misses    int64
	over      overwriting
	trimmed   bool // XADD has cut its stream, or XDELEX and XACKDEL have removed entries
}

// Run executes a keyed command: slot, lock, Route, Cmd.Run. The error is yet to be
// written as the reply.
func (c *Call) Run() error {
	keys, err := c.Cmd.AppendKeys(c.keys[:0], c.Args)
	c.keys = keys
	if err != nil {
		return c.noKeys(err)
	}
	c.start = c.Out.Len()
	c.route = slots.Request{Write: c.Cmd.Flags&Write != 0}
	if len(keys) > 0 {
		c.route = c.request(keys)
	}
	if c.route.CrossSlot {
		return c.runAcross()
	}
	lsn, err := c.transact()
	c.seen(lsn)
	return c.ended(err)
}

// ended is the end of a transaction of the command.
func (c *Call) ended(err error) error {
	if err == errWider {
		return c.runWider()
	}
	if err != nil {
		c.Out.CutTo(c.start)
		c.unblock()
	}
	return err
}

// noKeys returns the reply to a command whose keys cannot be found.
func (c *Call) noKeys(err error) error {
	if c.Cmd.Check != nil {
		if wrong := c.Cmd.Check(c); wrong != nil {
			return wrong
		}
	}
	return err
}

// transact runs the command on its slot, waiting for it only if the session may.
func (c *Call) transact() (storage.LSN, error) {
	if c.Cmd.Flags&mayWrite != 0 {
		if lsn, err := c.transactAs(true); err != storage.ErrFollower && err != storage.ErrDiskFull && err != storage.ErrDiskFails {
			return lsn, err
		}
	}
	return c.transactAs(c.route.Write)
}

func (c *Call) transactAs(write bool) (storage.LSN, error) {
	e, slot := c.Env.Engine, c.route.Slot
	if c.NoWait && c.large() {
		return 0, storage.ErrWouldBlock
	}
	if !c.NoWait {
		if err := c.waitForScripts(); err != nil {
			return 0, err
		}
	}
	switch {
	case c.NoWait && write:
		return e.TryUpdate(c.Now, slot, (*keyedOp)(c))
	case c.NoWait:
		return e.TryView(c.Now, slot, (*keyedOp)(c))
	case write:
		c.one[0] = slot
		return e.Update(c.Now, c.one[:], (*keyedOp)(c))
	}
	return e.View(c.Now, slot, (*keyedOp)(c))
}

// A command with more arguments, or more bytes in them, takes too long for a driver
// that serves others meanwhile.
const (
	briefArgs  = 1024
	briefBytes = 256 << 10
)

func (c *Call) large() bool {
	if len(c.Args) > briefArgs {
		return true
	}
	n := 0
	for _, arg := range c.Args {
		n += len(arg)
	}
	return n > briefBytes
}

// runAcross executes a command with keys in several slots. A cluster refuses it,
// and needs no lock for that; a server on its own locks them all.
func (c *Call) runAcross() error {
	if err := slots.Route(c.view(), c.route); err != nil {
		return err
	}
	if c.NoWait {
		return storage.ErrWouldBlock
	}
	var locked []slots.Slot
	for _, at := range c.keys {
		locked = append(locked, slots.Of(c.Args[at]))
	}
	slices.Sort(locked)
	lsn, err := c.Env.Engine.Update(c.Now, slices.Compact(locked), (*keyedOp)(c))
	c.seen(lsn)
	return c.ended(err)
}

// runWider executes a command that found out which slots it needs beside those of
// its keys, and perhaps finds out more. Only a server on its own has such commands.
func (c *Call) runWider() error {
	c.Out.CutTo(c.start)
	if c.NoWait {
		return storage.ErrWouldBlock
	}
	var locked []slots.Slot
	for {
		for _, at := range c.keys {
			locked = append(locked, slots.Of(c.Args[at]))
		}
		locked = append(locked, c.wider...)
		slices.Sort(locked)
		locked = slices.Compact(locked)
		lsn, err := c.Env.Engine.Update(c.Now, locked, (*keyedOp)(c))
		c.seen(lsn)
		if err == errWider {
			continue
		}
		return c.ended(err)
	}
}

// keyedOp is a Call as an Op, without an allocation.
type keyedOp Call

func (op *keyedOp) Run(tx *storage.Tx) error {
	c := (*Call)(op)
	c.Out.CutTo(c.start)
	c.takeTurn(tx)
	c.wider = c.wider[:0]
	c.unblock()
	if c.Warm != nil {
		tx.Use(c.Warm)
	}
	if len(c.keys) > 0 {
		if err := c.routeKeys(tx); err != nil {
			return err
		}
		if len(c.keys) > 1 {
			c.hintKeys(tx)
			if err := tx.PrefetchAt(c.Args, c.keys); err != nil {
				return err
			}
		}
	}
	if c.Client.noTouch && c.Cmd.Name != "touch" {
		tx.Touch(false)
	}
	if c.Cmd.long {
		c.goInPieces(tx)
	}
	err := c.runIn(tx)
	if c.Cmd.Flags&ReadOnly != 0 {
		c.hits, c.misses = tx.Lookups()
	}
	return err
}

// goInPieces lets a command that may take long go on without the lock of its slot. Before anybody sees its effect, whoever
// serves the slot is asked for again.
func (c *Call) goInPieces(tx *storage.Tx) {
	if c.NoWait {
		return
	}
	keys := make([][]byte, len(c.keys))
	for i, at := range c.keys {
		keys[i] = c.Args[at]
	}
	open := c.view().IsOpen(c.route.Slot)
	tx.InPieces(keys, func() error {
		view := c.viewAt(c.Env.Process.Micros() / 1000)
		if view.Serves(c.route.Slot) {
			return nil
		}
		route := c.route
		if route.Present, route.Missing = len(keys), 0; !open { // a key that it makes may be the new owner's by now
			route.Present, route.Missing = 1, len(keys)
		}
		return slots.Route(view, route)
	})
}

// takeTurn has a command that may have waited for its slots, or for the disk, happen now that it has them: what it
// stores for a second lives for one, and it sees what another command, run meanwhile, saw to have expired.
func (c *Call) takeTurn(tx *storage.Tx) {
	if c.NoWait {
		return
	}
	c.Now = max(c.Now, c.Env.Process.Micros()/1000)
	tx.Delay(c.Now)
}

// view is who serves which slot, to route by. Once ServeUntil is past it says that
// the cluster is down: who was paused, or has not thought for long, does not know
// whether others have taken its slots over meanwhile.
func (c *Call) view() *slots.View { return c.viewAt(c.Now) }

// viewAt is view at a time in Unix milliseconds, which may be later than the command's.
func (c *Call) viewAt(now int64) *slots.View {
	view := c.Env.View.Load()
	if until := c.Env.ServeUntil.Load(); until != 0 && now > until && view.Enabled {
		return lapsed(view)
	}
	return view
}

// lapsed is a view of which nobody knows whether it still holds. It is 32 KB large, and
// inlined it would be in the frame of every command.
//
//go:noinline
func lapsed(view *slots.View) *slots.View {
	down := *view
	down.Down = true
	return &down
}

// routeKeys decides, with the slot locked, whether the command is served here.
func (c *Call) routeKeys(tx *storage.Tx) error {
	view := c.view()
	if view.Serves(c.route.Slot) && !c.route.CrossSlot {
		return nil
	}
	if view.IsOpen(c.route.Slot) {
		c.route.Present, c.route.Missing = 0, 0
		if err := countPresent(tx, &c.route, c.keys, c.Args); err != nil {
			return err
		}
	}
	return slots.Route(view, c.route)
}

// countPresent counts which of the keys, of which it is given the places in args, are there and which are not.
func countPresent(tx *storage.Tx, route *slots.Request, keys []int, args [][]byte) error {
	for _, at := range keys {
		entry, err := tx.Lookup(args[at])
		switch {
		case err != nil:
			return err
		case entry.Live:
			route.Present++
		default:
			route.Missing++
		}
	}
	return nil
}

// AppendKeys appends the positions of the keys in args.
func (c *Command) AppendKeys(dst []int, args [][]byte) ([]int, error) {
	for i := range c.Keys {
		var err error
		if dst, err = c.Keys[i].append(dst, args); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

const errInvalidKeys Error = "ERR Invalid arguments specified for command"

// find returns the position after the keyword, searched forwards or, from a negative
// start, backwards; 0 if it is not there.
func (s *KeySpec) find(args [][]byte) int {
	at, step := s.StartFrom, 1
	if at < 0 {
		at, step = len(args)+at, -1
	}
	for ; at > 0 && at < len(args)-1; at += step {
		if bytes.EqualFold(args[at], []byte(s.Keyword)) {
			return at + 1
		}
	}
	return 0
}

func (s *KeySpec) append(dst []int, args [][]byte) ([]int, error) {
	begin := s.Index
	if s.Search != nil {
		if begin = s.Search(args); begin > 0 {
			dst = append(dst, begin)
		}
		return dst, nil
	}
	if s.Keyword != "" {
		if begin = s.find(args); begin == 0 {
			return dst, nil
		}
	} else if len(args) > begin && len(args[begin]) == 0 && s.mayBeEmpty {
		return dst, nil
	}
	if s.KeyNum >= 0 {
		at := begin + s.KeyNum
		if at >= len(args) {
			return dst, errInvalidKeys
		}
		n, ok := storage.ParseInt(args[at])
		first := begin + s.FirstKey
		step := max(s.Step, 1)
		if !ok || n < 0 || n > int64(len(args)-first)/int64(step) {
			return dst, errInvalidKeys
		}
		dst = slices.Grow(dst, int(n))
		for i := range int(n) {
			dst = append(dst, first+i*step)
		}
		return dst, nil
	}
	last := begin + s.Last
	if s.Last < 0 {
		last = len(args) + s.Last
		if s.Limit > 1 { // the keys are only the first part of what is left
			if (last-begin+1)%s.Limit != 0 {
				return dst, nil
			}
			last = begin + (last-begin+1)/s.Limit - 1
		}
	}
	step := max(s.Step, 1)
	last = min(last, len(args)-1)
	if last > begin {
		dst = slices.Grow(dst, (last-begin)/step+1)
	}
	for i := begin; i <= last; i += step {
		dst = append(dst, i)
	}
	return dst, nil
}
