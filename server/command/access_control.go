package command

import (
	"sync/atomic"

	"cobble/server/acl"
	"cobble/server/config"
	"cobble/server/words"
)

// AccessControl is who may do what, and what was refused. It is safe from any goroutine.
type AccessControl struct {
	catalog     *acl.Catalog
	users       *acl.Users
	log         acl.Log
	allChannels atomic.Bool     // acl-pubsub-default
	refused     [5]atomic.Int64 // by acl.Denial
}

// start makes the default user, who may do everything with the password of requirepass.
func (a *AccessControl) start(e *Env) {
	a.catalog = e.Table.catalog()
	a.users = acl.NewUsers(a.grammar())
	e.follow("acl-pubsub-default", func(v config.Value) { a.allChannels.Store(v.Text == "allchannels") })
	e.follow("acllog-max-len", func(v config.Value) { a.log.SetMax(v.Int) })
	e.follow("requirepass", func(v config.Value) { a.requirePassword(v.Text) })
	e.Config.RewriteLines("user", e.userLines)
}

func (a *AccessControl) grammar() acl.Grammar {
	return acl.Grammar{Catalog: a.catalog, AllChannels: a.allChannels.Load()}
}

// requirePassword makes a password the only one of the default user; "" makes it nopass.
func (a *AccessControl) requirePassword(password string) {
	g, change := a.grammar(), "nopass"
	if password != "" {
		change = ">" + password
	}
	_, err := a.users.Edit(g, acl.DefaultName, func(r *acl.Rules) (*acl.Rules, error) { return g.Apply(r, "resetpass", change) })
	if err != nil {
		panic(err)
	}
}

// DefaultNeedsNoPassword reports whether the default user is nopass: what protected
// mode protects.
func (a *AccessControl) DefaultNeedsNoPassword() bool { return a.users.Default().Rules().NoPass() }

// passwordNeeded reports whether new clients must authenticate.
func (e *Env) passwordNeeded() bool {
	rules := e.ACL.users.Default().Rules()
	return !rules.NoPass() || !rules.On()
}

// catalog lists the rows of the table as access control knows them: by Command.index,
// under the names that rename-command does not change.
func (t *Table) catalog() *acl.Catalog {
	commands := make([]acl.Command, len(t.all))
	for i, cmd := range t.all {
		c := acl.Command{Name: cmd.FullName(), Container: -1}
		if cmd.container != nil {
			c.Container = cmd.container.index
		}
		for _, category := range cmd.AllCategories() {
			c.Categories = append(c.Categories, category[1:])
		}
		commands[i] = c
	}
	return acl.NewCatalog(commands)
}

// beDefault makes the client the default user's.
func (c *Client) beDefault(e *Env) {
	c.user.Store(e.ACL.users.Default())
	c.authenticated = !e.passwordNeeded()
}

// authenticate makes the client a user's whose password is given.
func (c *Call) authenticate(name string, password []byte) error {
	ok := c.Env.ACL.users.Login(name, password, func(u *acl.User) {
		c.Client.user.Store(u)
		c.Client.authenticated = true
	})
	if !ok {
		c.noteDenial(denial{why: acl.DeniedAuth, object: string(c.Args[0]), user: name, context: c.context()})
		return errWrongPass
	}
	return nil
}

// channelUse is what a command does with the channels among its arguments.
type channelUse uint8

const (
	noChannels channelUse = iota
	listensTo
	listensToPatterns
	publishesTo // the first argument
)

// ask makes of a command the question whether it is allowed. The result is valid
// until the next question.
func (c *Call) ask(cmd *Command, args [][]byte) *acl.Request {
	q := &c.asked
	q.Command, q.Free, q.Args = cmd.index, cmd.Flags&NoAuth != 0, args
	q.Keys, q.Channels, q.Patterns = q.Keys[:0], q.Channels[:0], cmd.channels == listensToPatterns
	c.askKeys(q, cmd)
	last := len(args) - 1
	switch cmd.channels {
	case noChannels:
		return q
	case publishesTo:
		last = min(last, 1)
	}
	for at := 1; at <= last; at++ {
		q.Channels = append(q.Channels, at)
	}
	return q
}

// askKeys adds the keys that the command would run on. Of one that is malformed, and
// will run on none, they are those that Redis finds: that decides which error it gets.
func (c *Call) askKeys(q *acl.Request, cmd *Command) {
	for i := range cmd.Keys {
		spec := &cmd.Keys[i]
		if spec.Flags&KeyNotKey != 0 {
			continue
		}
		found, err := spec.append(c.found[:0], q.Args)
		c.found = found
		if err != nil {
			q.Keys = q.Keys[:0]
			if len(q.Args) >= max(cmd.Arity, -cmd.Arity) {
				for _, k := range cmd.redisKeys(q.Args) {
					q.Keys = append(q.Keys, acl.Key{At: k.at, Access: accessOf(k.flags)})
				}
			}
			return
		}
		flags := spec.Flags
		switch {
		case flags&KeyVariableFlags == 0:
		case cmd.Name == "set":
			flags = setFlags(q.Args)
		case cmd.Name == "bitfield":
			flags = bitfieldFlags(q.Args)
		}
		for _, at := range found {
			q.Keys = append(q.Keys, acl.Key{At: at, Access: accessOf(flags)})
		}
	}
}

func accessOf(flags KeyFlags) (access acl.Access) {
	if flags&KeyAccess != 0 {
		access = acl.Read
	}
	if flags&(KeyInsert|KeyDelete|KeyUpdate) != 0 {
		access |= acl.Write
	}
	return access
}

// allowed decides whether the client's user may run a command. at is the argument
// that is refused. For who may do everything it costs two loads and a test.
func (c *Call) allowed(cmd *Command, args [][]byte) (why acl.Denial, at int) {
	rules := c.Client.user.Load().Rules()
	if rules.Everything() {
		return acl.Allowed, 0
	}
	return rules.Check(c.ask(cmd, args))
}

// refusal is the error of a command that is not allowed where it stands, nil if it is.
func (c *Call) refusal() error {
	why, at := c.allowed(c.Cmd, c.Args)
	if why == acl.Allowed {
		return nil
	}
	c.noteDenial(c.denialOf(why, at, c.context()))
	return Error("NOPERM " + denialText(why, c.Client.user.Load(), c.Cmd, c.Args[at], false))
}

// mayMakeUpKeys reports whether the command may read any key, whatever its name.
func (c *Call) mayMakeUpKeys() bool {
	rules := c.Client.user.Load().Rules()
	return rules.Everything() || rules.Unrestricted(c.ask(c.Cmd, c.Args), acl.Read)
}

// denialText says why something is refused, with the names of keys and channels if verbose.
func denialText(why acl.Denial, user *acl.User, cmd *Command, object []byte, verbose bool) string {
	what := map[acl.Denial]string{acl.DeniedKey: "key", acl.DeniedChannel: "channel"}[why]
	switch {
	case why == acl.DeniedCommand:
		return "User " + user.Name() + " has no permissions to run the '" + cmd.FullName() + "' command"
	case verbose:
		return "User " + user.Name() + " has no permissions to access the '" + words.C(string(object)) + "' " + what
	}
	return "No permissions to access a " + what
}

// denial is a refused request that is to enter ACL LOG.
type denial struct {
	why          acl.Denial
	object, user string
	context      acl.Context
}

func (c *Call) context() acl.Context {
	if c.Client.multi.on {
		return acl.InMulti
	}
	return acl.TopLevel
}

func (c *Call) denialOf(why acl.Denial, at int, context acl.Context) denial {
	d := denial{why: why, object: string(c.Args[at]), user: c.Client.user.Load().Name(), context: context}
	if why == acl.DeniedCommand {
		d.object = c.Cmd.FullName()
	}
	return d
}

// noteDenial enters a denial into ACL LOG and INFO.
func (c *Call) noteDenial(d denial) {
	a, now := &c.Env.ACL, c.Env.Process.Micros()/1000
	a.refused[d.why].Add(1)
	if !c.serving { // else others run the command for the client
		c.showSelf(now)
	}
	a.log.Add(acl.Entry{Why: d.why, Context: d.context, Object: d.object, Username: d.user, Client: c.Client.describe(now, c.Env), Updated: now})
}

// execRefusal is what EXEC replies to a queued command that is not allowed any more,
// "" if it is.
func (c *Call) execRefusal(q queued) string {
	why, at := c.allowed(q.cmd, q.args)
	if why == acl.Allowed {
		return ""
	}
	c.Cmd, c.Args = q.cmd, q.args
	c.noteDenial(c.denialOf(why, at, acl.InMulti))
	reason := map[acl.Denial]string{
		acl.DeniedCommand: "no permission to execute the command or subcommand",
		acl.DeniedKey:     "no permission to touch the specified keys",
		acl.DeniedChannel: "no permission to access one of the channels used as arguments",
	}[why]
	err := Error("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
		"This command is no longer allowed for the following reason: " + reason)
	c.Env.Stats.countError(err)
	return string(err)
}

// kill closes the connection of a client: the caller's own after the reply.
func (c *Call) kill(client *Client) {
	if client == c.Client {
		client.Closing = true
		return
	}
	client.gone.Store(true)
	client.Kill()
}

// killUsers closes the connections of users that were deleted.
func (c *Call) killUsers(gone []*acl.User) {
	if len(gone) == 0 {
		return
	}
	deleted := map[*acl.User]bool{}
	for _, u := range gone {
		deleted[u] = true
	}
	for _, client := range c.Env.Clients.All() {
		if deleted[client.user.Load()] {
			c.kill(client)
		}
	}
}

// killListeners closes the connections that listen to what their users may not hear
// any more.
func (c *Call) killListeners(changes ...acl.Change) {
	less := map[*acl.User]*acl.Rules{}
	for _, change := range changes {
		if change.Old.LosesChannels(change.New) {
			less[change.User] = change.New
		}
	}
	if len(less) == 0 {
		return
	}
	for _, client := range c.Env.Clients.All() {
		if rules := less[client.user.Load()]; rules != nil && !c.Env.Broker.mayKeep(client, rules) {
			c.kill(client)
		}
	}
}

// mayKeep reports whether rules allow all subscriptions of a client.
func (b *Broker) mayKeep(client *Client, rules *acl.Rules) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.of[client]
	if s == nil {
		return true
	}
	for kind := range s {
		for topic := range s[kind] {
			if !rules.MayListen([]byte(topic), topicKind(kind) == topicPattern) {
				return false
			}
		}
	}
	return true
}
