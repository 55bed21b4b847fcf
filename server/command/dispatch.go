package command

import (
	"strings"

	"cobble/server/words"
	"cobble/storage"
)

// Execute runs one command of the session, or queues it in a transaction, and
// writes the reply. If it sets Later, the reply is only complete when Later has
// run. Args must stay unchanged until the reply is complete.
func (c *Call) Execute(args [][]byte) {
	c.Args, c.Later, c.fenced, c.deadline = args, nil, 0, 0
	c.replyFrom = c.Out.Len()
	if err := c.admit(); err != nil {
		c.reject(err)
		c.finish()
		return
	}
	if c.monitored() {
		c.showMonitors()
	}
	if c.Env.Pause.active.Load() && c.paused() {
		c.Later = func(stop <-chan struct{}) {
			goOn := c.Env.Pause.wait(c, stop)
			c.resume()
			c.Now = c.Env.Process.Micros() / 1000 // keys have expired meanwhile, and perhaps the view has lapsed
			if goOn {
				c.performLate()
			}
		}
		return
	}
	if c.Cmd.Flags&DenyOOM != 0 && c.Env.Evictor.over() {
		c.Brief = true
		c.Later = c.afterEviction
		return
	}
	c.perform()
}

// perform runs an admitted command, or queues it.
func (c *Call) perform() {
	if c.Client.multi.on && c.Cmd.Flags&runsInMulti == 0 {
		c.queue()
		c.finish()
		return
	}
	if c.began = c.clock; c.began == 0 {
		c.began = c.Env.Process.Nanos()
	}
	if c.Client.track.on {
		c.Client.holdMail()
	}
	err := c.invoke()
	if err == storage.ErrWouldBlock {
		c.Out.CutTo(c.replyFrom)
		c.Brief = true
		c.Later = func(<-chan struct{}) {
			c.resume()
			c.NoWait = false
			c.performLate()
			c.NoWait = true
		}
		return
	}
	if err == storage.ErrFollower && c.fenced < fencedTries {
		c.Out.CutTo(c.replyFrom)
		c.Later = c.again
		return
	}
	if err == nil && c.Wait != nil {
		c.park()
		return
	}
	if err == nil && c.Later != nil {
		later := c.Later
		c.Client.ReleaseMail()
		c.Later = func(stop <-chan struct{}) {
			c.resume()
			later(stop)
			c.account(nil)
			c.finish()
		}
		return
	}
	if err != nil {
		c.Out.CutTo(c.replyFrom)
		c.Out.Error(ErrorText(err))
	}
	if err != nil || !c.leaveUntimed() {
		c.account(err)
	}
	c.finish()
}

// A write that found the log closed to this node's own writes is tried again, so
// often and after so many milliseconds each, for the node's role is about to change
// or a manual failover holds it back.
const (
	fencedTries = 400
	fencedWait  = 5
)

// again runs a fenced command once more: by then it is let in, or redirected.
func (c *Call) again(stop <-chan struct{}) {
	c.Later = nil
	c.fenced++
	if c.Env.Pause.active.Load() && c.paused() {
		c.Env.Pause.wait(c, stop)
	} else {
		select {
		case <-c.Env.Process.After(fencedWait):
		case <-stop:
		}
	}
	c.Now = c.Env.Process.Micros() / 1000
	c.Restart()
	c.performLate()
}

// performLate runs a command that was admitted some time ago, if its user may still run it.
func (c *Call) performLate() {
	if err := c.refusal(); err != nil {
		c.reject(err)
		c.finish()
		return
	}
	c.perform()
}

// resume goes on with a command in Later: the replies before it were sent meanwhile.
func (c *Call) resume() {
	c.Later, c.Brief = nil, false
	c.Restart()
	c.replyFrom = c.Out.Len()
}

// invoke runs the command itself.
func (c *Call) invoke() error {
	if c.Cmd.Run != nil {
		if c.Cmd.overwrites && c.overwrite() {
			return nil
		}
		return c.Run()
	}
	if c.NoWait && !c.Cmd.script && c.Cmd.Group != "connection" && c.Cmd.Name != "multi" && c.Cmd.Name != "discard" {
		return storage.ErrWouldBlock // it may look at every slot, at files, at the cluster
	}
	return c.Cmd.Serve(c)
}

// admit looks the command up and makes every check that comes before its turn.
// The order is Redis's, since the first failed check is the reply.
func (c *Call) admit() error {
	cmd := c.lookup()
	if cmd == nil {
		c.Cmd = nil
		return c.unknown()
	}
	c.Cmd = cmd
	if n := len(c.Args); n != cmd.Arity && (cmd.Arity >= 0 || n < -cmd.Arity) {
		return Error("ERR wrong number of arguments for '" + cmd.FullName() + "' command")
	}
	if cmd.Flags&Protected != 0 {
		if err := c.allowedProtected(); err != nil {
			return err
		}
	}
	if cmd.Flags&NoAuth == 0 && !c.Client.authenticated && c.Env.passwordNeeded() {
		return Error("NOAUTH Authentication required.")
	}
	if cmd.Flags&NoMulti != 0 && c.Client.multi.on {
		return Error("ERR Command not allowed inside a transaction")
	}
	if err := c.refusal(); err != nil {
		return err
	}
	if cmd.Flags&(Write|DenyOOM) != 0 {
		if err := c.writesAllowed(); err != nil {
			return err
		}
	}
	return c.mayRunSubscribed()
}

// lookup finds the row; a session often repeats its last command.
func (c *Call) lookup() *Command {
	name := c.Args[0]
	if c.last != nil && string(name) == c.lastName {
		return c.last
	}
	cmd := c.Env.Table.Find(name)
	if cmd == nil || len(cmd.Sub) == 0 {
		if cmd != nil {
			c.last, c.lastName = cmd, string(name)
		}
		return cmd
	}
	if len(c.Args) < 2 {
		return cmd
	}
	return cmd.FindSub(c.Args[1])
}

func (c *Call) unknown() error {
	if cmd := c.Env.Table.Find(c.Args[0]); cmd != nil {
		return errorf("ERR unknown subcommand '%s'. Try %s HELP.", quoted(c.Args[1], 128), strings.ToUpper(cmd.Name))
	}
	var rest strings.Builder
	for _, arg := range c.Args[1:] {
		if rest.Len() >= 128 {
			break
		}
		rest.WriteString("'" + words.C(string(quoted(arg, 128-rest.Len()))) + "' ")
	}
	return errorf("ERR unknown command '%s', with args beginning with: %s", quoted(c.Args[0], 128), rest.String())
}

func (c *Call) allowedProtected() error {
	name := c.Cmd.Name
	if c.Cmd.container != nil {
		name = c.Cmd.container.Name
	}
	option := "enable-" + name + "-command"
	if c.mayUse(option) {
		return nil
	}
	return errorf("ERR %s command not allowed. If the %s option is set to \"local\", "+
		"you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
		strings.ToUpper(name), option)
}

// mayUse reads a no/yes/local setting for this client.
func (c *Call) mayUse(option string) bool {
	switch c.Env.Config.Text(option) {
	case "yes":
		return true
	case "local":
		return c.Client.Local
	}
	return false
}

func (c *Call) writesAllowed() error {
	if c.Cmd.Flags&DenyOOM != 0 && c.Env.Evictor.refuses() {
		return errOOM
	}
	if c.Cmd.Flags&Write != 0 {
		if gate := c.Env.WriteGate.Load(); gate != nil {
			return *gate
		}
	}
	return nil
}

// reject replies to a command that is not run, and spoils the transaction it
// was meant for.
func (c *Call) reject(err error) {
	if c.Client.multi.on {
		c.Client.multi.dirty = true
	}
	text := ErrorText(err)
	if c.Cmd != nil {
		c.Env.Stats.of(c.Cmd).rejected.Add(1)
		if c.Cmd.Name == "exec" { // it ends the transaction, whatever is wrong with it
			c.discard()
			text = "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "ERR ")
		}
	}
	c.Out.Error(text)
	c.Env.Stats.countError(err)
}

// finish applies what outlasts the reply: CLIENT REPLY and ASKING.
func (c *Call) finish() {
	client := c.Client
	if client.Asking && !client.multi.on && (c.Cmd == nil || c.Cmd.Name != "asking") {
		client.Asking = false
	}
	if client.track.caching && !client.multi.on && (c.Cmd == nil || c.Cmd.container == nil || c.Cmd.container.Name != "client") {
		client.track.caching = false
	}
	switch client.reply {
	case replyOn:
	case replyOff, replySkip:
		c.Out.CutTo(c.replyFrom)
		if client.reply == replySkip {
			client.reply = replyOn
		}
	case replySkipNext:
		c.Out.CutTo(c.replyFrom)
		client.reply = replySkip
	}
}
