package command

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"cobble/server/script"
	"cobble/slots"
	"cobble/storage"
)

var (
	// errMoreSlots ends a try of a script that needs slots which are not locked: they are now in scripted.more.
	errMoreSlots = errors.New("command: a script needs more slots")
	// errServeFirst ends a try that needs the reply of a command which no slot may be locked for: scripted.wanted.
	errServeFirst = errors.New("command: a script needs an answer first")
	errAgain      = errors.New("command: a script runs again when its rows are there")
)

const (
	errNoScript  Error = "NOSCRIPT No matching script. Please use EVAL."
	errBusy      Error = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	errNotBusy   Error = "NOTBUSY No scripts in execution right now."
	errKilled    Error = "ERR Script killed by user with SCRIPT KILL..." // of functions, too
	errRounds    Error = "ERR The script needs too many slots or answers one after the other"
	scriptRounds       = 1000
)

// scripted is the state of a script while its command runs, over all its tries.
type scripted struct {
	program  *script.Program
	library  *script.Libraries
	function script.Function
	flags    script.Flags
	readOnly bool
	legacy   bool // without a first line that declares it: it may touch keys of several slots

	run      *scriptRun
	more     []slots.Slot // to be locked besides those of the declared keys
	wanted   [][]byte     // to be run while nothing is locked
	prepared []prepared
	rounds   int
	shown    []byte // what monitors see of the commands of the last try
}

// prepared is the reply of a command that ran before its script was tried again.
type prepared struct {
	args  [][]byte
	reply []byte
}

// scriptPatience is how many milliseconds a script may take where others wait for it (NoWait). After that it is tried
// again elsewhere, from the start: nothing has happened yet.
const scriptPatience = 2

// runScript runs EVAL, FCALL and their kin: as often as slots, rows or answers turn out to be needed.
func (c *Call) runScript() (err error) {
	keys, err := c.Cmd.AppendKeys(c.keys[:0], c.Args)
	c.keys = keys
	if err != nil {
		return c.scriptKeysError()
	}
	c.route = slots.Request{}
	if len(keys) > 0 {
		c.route = c.request(keys)
		if err := slots.Route(c.view(), c.route); err != nil && c.route.CrossSlot {
			return err
		}
	}
	s := &scripted{}
	c.script = s
	defer func() {
		c.script = nil
		if err == nil && len(s.shown) > 0 {
			c.Env.Broker.feed(s.shown)
		}
	}()
	if err := c.findScript(s); err != nil {
		return err
	}
	if c.NoWait && s.slow().Load() {
		return storage.ErrWouldBlock
	}
	c.start = c.Out.Len()
	c.route.Write = len(keys) > 0 && s.declaresWrites()
	s.run = c.newScriptRun(s)
	c.Env.Scripts.begin(s.run)
	defer c.Env.Scripts.end(s.run)
	if c.NoWait {
		lsn, err := c.tryScriptAtOnce(s)
		c.seen(lsn)
		return err
	}
	for {
		lsn, err := c.tryScript(s)
		c.seen(lsn)
		if again, fail := c.prepareScript(s, err); fail != nil || !again {
			if fail != nil {
				c.Out.CutTo(c.start)
			}
			return fail
		}
	}
}

// declaresWrites reports whether the script's own words, or their absence in one that has a first line, make it a
// writing command. An EVAL without a first line is routed as a reading one.
func (s *scripted) declaresWrites() bool { return !s.legacy && !s.readOnly }

// slow is the mark of a script that is known to take long.
func (s *scripted) slow() *atomic.Bool {
	if s.program != nil {
		return &s.program.Slow
	}
	lib, _ := s.library.Find(s.function.Name)
	return &lib.Slow
}

// tryScriptAtOnce runs the script where others wait for it: once, on at most one slot, and not for long. What cannot be
// done so is ErrWouldBlock.
func (c *Call) tryScriptAtOnce(s *scripted) (lsn storage.LSN, err error) {
	e := c.Env.Engine
	locked := c.scriptSlots(s)
	c.Env.Scripts.hurry(s.run, true)
	defer c.Env.Scripts.hurry(s.run, false)
	stop := c.Env.Process.AfterFunc(scriptPatience, func() { c.Env.Scripts.interrupt(s.run) })
	op := c.scriptOp(locked)
	switch {
	case len(locked) == 0:
		err = op(nil)
	case len(locked) > 1:
		err = storage.ErrWouldBlock
	case s.readOnly:
		lsn, err = e.TryView(c.Now, locked[0], op)
	default:
		lsn, err = e.TryUpdate(c.Now, locked[0], op)
	}
	if !stop() && err == storage.ErrWouldBlock {
		s.slow().Store(true)
	}
	if err == errMoreSlots || err == errServeFirst || err == errAgain {
		err = storage.ErrWouldBlock
	}
	return lsn, err
}

// scriptSlots are the slots to lock, ascending: those of the declared keys, and those that turned out to be needed.
func (c *Call) scriptSlots(s *scripted) []slots.Slot {
	locked := slices.Clone(s.more)
	for _, at := range c.keys {
		locked = append(locked, slots.Of(c.Args[at]))
	}
	slices.Sort(locked)
	return slices.Compact(locked)
}

// tryScript runs the script once, or as often as the engine finds rows cold.
func (c *Call) tryScript(s *scripted) (storage.LSN, error) {
	e, locked := c.Env.Engine, c.scriptSlots(s)
	op := c.scriptOp(locked)
	switch {
	case len(locked) == 0:
		return 0, op(nil)
	case s.readOnly && len(locked) == 1:
		return e.View(c.Now, locked[0], op)
	}
	return e.Update(c.Now, locked, op)
}

// scriptOp is a try as an operation on the locked slots.
func (c *Call) scriptOp(locked []slots.Slot) storage.OpFunc {
	return func(tx *storage.Tx) error {
		c.Out.CutTo(c.start)
		if tx != nil {
			c.takeTurn(tx)
		}
		if tx != nil && len(c.keys) > 0 {
			if err := c.routeKeys(tx); err != nil {
				return err
			}
			if err := tx.PrefetchAt(c.Args, c.keys); err != nil {
				return err
			}
		}
		return c.evalIn(tx, locked)
	}
}

// scripted runs a script of EXEC's queue inside its transaction.
func (x *execution) scripted(tx *storage.Tx, i int) error {
	c, q := x.call, x.queue[i]
	c.Cmd, c.Args = q.cmd, q.args
	c.start, c.began = c.Out.Len(), c.Env.Process.Nanos()
	err := x.findScript(i)
	if err == nil {
		c.script = x.scripts[i]
		err = c.evalIn(tx, x.locked)
		c.script = nil
	}
	if tx != nil && tx.Incomplete() || endsTransaction(err) {
		return err
	}
	c.answered(err)
	return nil
}

// findScript finds a queued script at its first try.
func (x *execution) findScript(i int) error {
	if x.scripts[i] != nil {
		return nil
	}
	c := x.call
	if _, err := c.Cmd.AppendKeys(c.keys[:0], c.Args); err != nil {
		return c.scriptKeysError()
	}
	s := &scripted{}
	if err := c.findScript(s); err != nil {
		return err
	}
	s.run = c.newScriptRun(s)
	c.Env.Scripts.begin(s.run)
	x.scripts[i] = s
	return nil
}

func (x *execution) endScripts() {
	for _, s := range x.scripts {
		if s != nil {
			x.call.Env.Scripts.end(s.run)
		}
	}
}

// prepareScripts reports whether a segment has to be tried again, after it has done what its script needs.
func (x *execution) prepareScripts(err error) (again bool, fail error) {
	for _, s := range x.scripts {
		if s != nil && (err == errMoreSlots && len(s.more) > 0 || err == errServeFirst && s.wanted != nil) {
			return x.call.prepareScript(s, err)
		}
	}
	return false, err
}

// prepareScript reports whether a script has to be tried again, after it has done what the next try needs.
func (c *Call) prepareScript(s *scripted, err error) (again bool, fail error) {
	if s.rounds++; s.rounds > scriptRounds {
		return false, errRounds
	}
	switch err {
	case errMoreSlots:
		return true, nil
	case errServeFirst:
		if s.wanted != nil {
			s.prepared = append(s.prepared, prepared{s.wanted, c.serveForScript(s.wanted)})
			s.wanted = nil
		}
		return true, nil
	}
	return false, err
}

// serveForScript runs a command that is not about single keys and returns its reply. No slot is locked.
func (c *Call) serveForScript(args [][]byte) []byte {
	cmd, outer, outerArgs, inExec := c.findNested(args), c.Cmd, c.Args, c.inExec
	from, proto := c.Out.Len(), c.Out.Proto()
	c.inExec = true
	c.Out.SetProto(2)
	c.serveQueued(queued{cmd, args})
	reply := bytes.Clone(c.Out.Since(from))
	c.Out.CutTo(from)
	c.Out.SetProto(proto)
	c.Cmd, c.Args, c.inExec = outer, outerArgs, inExec
	return reply
}

func (c *Call) findNested(args [][]byte) *Command {
	cmd := c.Env.Table.Find(args[0])
	if cmd != nil && len(cmd.Sub) > 0 {
		if len(args) < 2 {
			return nil
		}
		cmd = cmd.FindSub(args[1])
	}
	return cmd
}

// evalIn runs the script within a transaction, or without one if it is not known yet to need slots. Errors of the
// script itself are its reply: what it wrote before them stays written, as in Redis.
func (c *Call) evalIn(tx *storage.Tx, locked []slots.Slot) error {
	s := c.script
	s.shown = nil
	numKeys, _ := strconv.Atoi(string(c.Args[2]))
	run := &script.Run{Keys: c.Args[3 : 3+numKeys], Args: c.Args[3+numKeys:]}
	host := &scriptHost{call: c, tx: tx, locked: locked}
	run.Host = host
	if s.run != nil {
		c.Env.Scripts.try(s.run, run, locked)
		defer c.Env.Scripts.try(s.run, nil, nil)
	}
	cmd, args, keys, start, replyFrom, inExec := c.Cmd, c.Args, c.keys, c.start, c.replyFrom, c.inExec
	proto, from := c.Out.Proto(), c.Out.Len()
	c.inExec = true
	c.keys = c.nested[:0] // its own are needed again when it runs again
	var err error
	if s.program != nil {
		err = run.Program(&c.Env.Scripts.store, s.program, c.Out)
	} else {
		err = run.Function(&c.Env.Scripts.store, s.library, s.function.Name, c.Out)
	}
	c.nested = c.keys
	c.Cmd, c.Args, c.keys, c.start, c.replyFrom, c.inExec = cmd, args, keys, start, replyFrom, inExec
	c.Out.SetProto(proto)
	if err == nil || errors.As(err, new(script.Error)) {
		if tx == nil || !tx.Incomplete() { // else it runs again
			for _, d := range host.denials {
				c.noteDenial(d)
			}
		}
	}
	var raised script.Error
	if errors.As(err, &raised) {
		c.Out.CutTo(from)
		c.Out.Error(string(raised))
		c.Env.Stats.countError(raised)
		return nil
	}
	return err
}

// scriptKeysError says what is wrong with the number of keys.
func (c *Call) scriptKeysError() error {
	if c.Cmd.Name[0] == 'f' {
		if err := c.findFunction(&scripted{}); err == errNoFunction {
			return err
		}
	}
	if strings.HasPrefix(c.Cmd.Name, "evalsha") && len(c.Args[1]) != 40 {
		return errNoScript
	}
	n, ok := storage.ParseInt(c.Args[2])
	switch {
	case !ok && c.Cmd.Name[0] == 'f':
		return Error("ERR Bad number of keys provided")
	case !ok:
		return ErrNotInteger
	case n < 0:
		return Error("ERR Number of keys can't be negative")
	}
	return Error("ERR Number of keys can't be greater than number of args")
}

// findScript finds what is to run, and whether it may run now.
func (c *Call) findScript(s *scripted) error {
	scripts := &c.Env.Scripts
	s.readOnly = strings.HasSuffix(c.Cmd.Name, "_ro")
	var err error
	switch c.Cmd.Name {
	case "eval", "eval_ro":
		if s.program, err = scripts.store.Put(c.Args[1], false); err != nil {
			return err
		}
	case "evalsha", "evalsha_ro":
		if s.program = scripts.store.Get(string(c.Args[1])); s.program == nil {
			return errNoScript
		}
	default:
		return c.findFunction(s)
	}
	s.flags, s.legacy = s.program.Flags, !s.program.Shebang
	return c.scriptMayRun(s)
}

// scriptMayRun makes the checks that Redis makes of a script's flags before it runs.
func (c *Call) scriptMayRun(s *scripted) error {
	if s.legacy {
		return nil
	}
	if s.flags&script.NoWrites != 0 {
		s.readOnly = true
	} else if s.readOnly {
		return Error("ERR Can not execute a script with write flag using *_ro command.")
	}
	view := c.view()
	if s.flags&script.NoCluster != 0 && view.Enabled {
		return Error("ERR Can not run script on cluster, 'no-cluster' flag is set.")
	}
	if !s.readOnly {
		if gate := c.Env.WriteGate.Load(); gate != nil {
			return *gate
		}
		if c.Env.OverMemory.Load() && s.flags&script.AllowOOM == 0 {
			return Error("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'")
		}
	}
	return nil
}
