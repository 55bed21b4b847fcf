package command

import (
	"encoding/hex"
	"slices"
	"sort"
	"strings"

	"cobble/server/acl"
	"cobble/storage"
)

func aclCommands() []Command {
	const flags = NoScript | Loading | Stale
	sub := func(name string, arity int, more Flags, since, summary, complexity string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: flags | more, Group: "server", Since: since, Summary: summary, Complexity: complexity, Serve: serve, Tips: tips}
	}
	const perUser, nodes, succeeded = "O(N). Where N is the number of configured users.", "request_policy:all_nodes", "response_policy:all_succeeded"
	return []Command{{Name: "acl", Arity: -2, Group: "server", Since: "6.0.0", Summary: "A container for Access List Control commands.",
		Complexity: "Depends on subcommand.", Serve: needsSubcommand,
		Sub: []Command{
			sub("cat", -2, 0, "6.0.0", "Lists the ACL categories, or the commands inside a category.", "O(1) since the categories and commands are a fixed set.", aclCat),
			sub("deluser", -3, Admin, "6.0.0", "Deletes ACL users, and terminates their connections.", "O(1) amortized time considering the typical user.", aclDelUser, nodes, succeeded),
			sub("dryrun", -4, Admin, "7.0.0", "Simulates the execution of a command by a user, without executing the command.", "O(1).", aclDryRun),
			sub("genpass", -2, 0, "6.0.0", "Generates a pseudorandom, secure password that can be used to identify ACL users.", "O(1)", aclGenPass),
			sub("getuser", 3, Admin, "6.0.0", "Lists the ACL rules of a user.", "O(N). Where N is the number of password, command and pattern rules that the user has.", aclGetUser),
			sub("help", 2, 0, "6.0.0", "Returns helpful text about the different subcommands.", "O(1)", helpOf("ACL", aclHelp)).with(Loading | Stale),
			sub("list", 2, Admin, "6.0.0", "Dumps the effective rules in ACL file format.", perUser, aclList),
			sub("load", 2, Admin, "6.0.0", "Reloads the rules from the configured ACL file.", perUser, aclLoad),
			sub("log", -2, Admin, "6.0.0", "Lists recent security events generated due to ACL rules.", "O(N) with N being the number of entries shown.", aclLog),
			sub("save", 2, Admin, "6.0.0", "Saves the effective ACL rules in the configured ACL file.", perUser, aclSave, nodes, succeeded),
			sub("setuser", -3, Admin, "6.0.0", "Creates and modifies an ACL user and its rules.", "O(N). Where N is the number of rules provided.", aclSetUser, nodes, succeeded),
			sub("users", 2, Admin, "6.0.0", "Lists all ACL users.", perUser, aclUsers),
			sub("whoami", 2, 0, "6.0.0", "Returns the authenticated username of the current connection.", "O(1)", aclWhoAmI),
		}}}
}

func (c *Call) badACL() error {
	return errorf("ERR unknown subcommand or wrong number of arguments for '%s'. Try ACL HELP.", c.Args[1])
}

func aclWhoAmI(c *Call) error {
	c.Out.BulkString(c.Client.user.Load().Name())
	return nil
}

func aclUsers(c *Call) error {
	users := c.Env.ACL.users.All()
	c.Out.Array(len(users))
	for _, u := range users {
		c.Out.BulkString(u.Name())
	}
	return nil
}

func aclList(c *Call) error {
	users := c.Env.ACL.users.All()
	c.Out.Array(len(users))
	for _, u := range users {
		c.Out.BulkString("user " + u.Name() + " " + u.Rules().String())
	}
	return nil
}

func aclGetUser(c *Call) error {
	user := c.Env.ACL.users.Find(string(c.Args[2]))
	if user == nil {
		c.Out.Null()
		return nil
	}
	rules := user.Rules()
	c.Out.Map(6)
	c.Out.BulkString("flags")
	flags := rules.Flags()
	c.Out.Set(len(flags))
	for _, f := range flags {
		c.Out.BulkString(f)
	}
	c.Out.BulkString("passwords")
	passwords := rules.Passwords()
	c.Out.Array(len(passwords))
	for _, hash := range passwords {
		c.Out.BulkString(hash)
	}
	selectors := rules.Selectors()
	c.permissions(selectors[0])
	c.Out.BulkString("selectors")
	c.Out.Array(len(selectors) - 1)
	for _, s := range selectors[1:] {
		c.Out.Map(3)
		c.permissions(s)
	}
	return nil
}

func (c *Call) permissions(p acl.Permissions) {
	for _, f := range [][2]string{{"commands", p.Commands}, {"keys", p.Keys}, {"channels", p.Channels}} {
		c.Out.BulkString(f[0])
		c.Out.BulkString(f[1])
	}
}

func aclSetUser(c *Call) error {
	name := string(c.Args[2])
	if strings.ContainsAny(name, " \t\n\v\f\r\x00") {
		return Error("ERR Usernames can't contain spaces or null characters")
	}
	changes := make([]string, len(c.Args)-3)
	for i, arg := range c.Args[3:] {
		changes[i] = string(arg)
	}
	g := c.Env.ACL.grammar()
	change, err := c.Env.ACL.users.Edit(g, name, func(r *acl.Rules) (*acl.Rules, error) { return g.Apply(r, changes...) })
	if err != nil {
		return err
	}
	c.killListeners(change)
	c.Out.OK()
	return nil
}

func aclDelUser(c *Call) error {
	var names []string
	for _, arg := range c.Args[2:] {
		if string(arg) == acl.DefaultName {
			return Error("ERR The 'default' user cannot be removed")
		}
		names = append(names, string(arg))
	}
	gone := c.Env.ACL.users.Delete(names...)
	c.killUsers(gone)
	c.Out.Int(int64(len(gone)))
	return nil
}

func aclCat(c *Call) error {
	var names []string
	switch len(c.Args) {
	case 2:
		names = acl.Categories
	case 3:
		category := strings.ToLower(string(c.Args[2]))
		if !slices.Contains(acl.Categories, category) {
			return errorf("ERR Unknown category '%s'", quoted(c.Args[2], 128))
		}
		for _, cmd := range c.Env.Table.all {
			if slices.Contains(cmd.AllCategories(), "@"+category) {
				names = append(names, cmd.FullName())
			}
		}
		sort.Strings(names)
	default:
		return c.badACL()
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

func aclGenPass(c *Call) error {
	const most = 4096
	bits := int64(256)
	switch len(c.Args) {
	case 2:
	case 3:
		var ok bool
		if bits, ok = storage.ParseInt(c.Args[2]); !ok {
			return ErrNotInteger
		}
		if bits <= 0 || bits > most {
			return Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		}
	default:
		return c.badACL()
	}
	digits := (bits + 3) / 4
	random := make([]byte, (digits+1)/2)
	c.Env.Process.ReadRandom(random)
	c.Out.BulkString(hex.EncodeToString(random)[:digits])
	return nil
}

// aclDryRun is ACL DRYRUN username command [arg …].
func aclDryRun(c *Call) error {
	user := c.Env.ACL.users.Find(string(c.Args[2]))
	if user == nil {
		return errorf("ERR User '%s' not found", c.Args[2])
	}
	args := c.Args[3:]
	cmd := c.Env.Table.named(args)
	if cmd == nil {
		return errorf("ERR Command '%s' not found", args[0])
	}
	if n := len(args); n != cmd.Arity && (cmd.Arity >= 0 || n < -cmd.Arity) {
		return Error("ERR wrong number of arguments for '" + cmd.FullName() + "' command")
	}
	if why, at := user.Rules().Check(c.ask(cmd, args)); why != acl.Allowed {
		c.Out.BulkString(denialText(why, user, cmd, args[at], true))
		return nil
	}
	c.Out.OK()
	return nil
}

// aclLog is ACL LOG [count | RESET].
func aclLog(c *Call) error {
	count := int64(10)
	switch {
	case len(c.Args) == 2:
	case len(c.Args) > 3:
		return c.badACL()
	case fold(c.Args[2], "reset"):
		c.Env.ACL.log.Reset()
		c.Out.OK()
		return nil
	default:
		var ok bool
		if count, ok = storage.ParseInt(c.Args[2]); !ok {
			return ErrNotInteger
		}
	}
	entries, now := c.Env.ACL.log.List(count), c.Env.Process.Micros()/1000
	c.Out.Array(len(entries))
	for _, e := range entries {
		c.Out.Map(10)
		c.pair("count", int(e.Count))
		for _, f := range [][2]string{{"reason", e.Why.Reason()}, {"context", e.Context.String()}, {"object", e.Object}, {"username", e.Username}} {
			c.Out.BulkString(f[0])
			c.Out.BulkString(f[1])
		}
		c.Out.BulkString("age-seconds")
		c.Out.Double(float64(now-e.Updated) / 1000)
		c.Out.BulkString("client-info")
		c.Out.BulkString(e.Client)
		c.pair("entry-id", int(e.ID))
		c.pair("timestamp-created", int(e.Created))
		c.pair("timestamp-last-updated", int(e.Updated))
	}
	return nil
}

const errNoACLFile Error = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command " +
	"and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."

func aclLoad(c *Call) error {
	if c.Env.Config.Text("aclfile") == "" {
		return errNoACLFile
	}
	gone, changed, err := c.Env.loadACLFile()
	if err != nil {
		return err
	}
	c.killUsers(gone)
	c.killListeners(changed...)
	c.Out.OK()
	return nil
}

func aclSave(c *Call) error {
	if c.Env.Config.Text("aclfile") == "" {
		return errNoACLFile
	}
	if err := c.Env.saveACLFile(); err != nil {
		c.Env.Process.Log("ACL SAVE failed: " + err.Error())
		return Error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
	}
	c.Out.OK()
	return nil
}
