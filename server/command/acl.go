package command

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// There is one user, default, who may do everything once the password is given.
func aclCommands() []Command {
	const flags = NoScript | Loading | Stale
	sub := func(name string, arity int, more Flags, summary string, serve func(*Call) error) Command {
		return Command{Name: name, Arity: arity, Flags: flags | more, Group: "server", Since: "6.0.0", Summary: summary, Complexity: "O(N)", Serve: serve}
	}
	return []Command{{Name: "acl", Arity: -2, Group: "server", Since: "6.0.0", Summary: "A container for Access List Control commands.",
		Complexity: "Depends on subcommand.", Serve: needsSubcommand,
		Sub: []Command{
			sub("cat", -2, 0, "Lists the ACL categories, or the commands inside a category.", aclCat),
			sub("getuser", 3, Admin, "Lists the ACL rules of a user.", aclGetUser),
			sub("help", 2, 0, "Returns helpful text about the different subcommands.", helpOf("ACL", aclHelp)).with(Loading | Stale),
			sub("list", 2, Admin, "Dumps the effective rules in ACL file format.", aclList),
			sub("users", 2, Admin, "Lists all ACL users.", aclUsers),
			sub("whoami", 2, 0, "Returns the authenticated username of the current connection.", aclWhoAmI),
		}}}
}

func aclWhoAmI(c *Call) error {
	c.Out.BulkString("default")
	return nil
}

func aclUsers(c *Call) error {
	c.Out.Array(1)
	c.Out.BulkString("default")
	return nil
}

func aclList(c *Call) error {
	c.Out.Array(1)
	if c.Env.passwordNeeded() {
		c.Out.BulkString("user default on #(hidden) ~* &* +@all")
	} else {
		c.Out.BulkString("user default on nopass ~* &* +@all")
	}
	return nil
}

func aclGetUser(c *Call) error {
	if string(c.Args[2]) != "default" {
		c.Out.Null()
		return nil
	}
	flags := []string{"on"}
	if !c.Env.passwordNeeded() {
		flags = append(flags, "nopass")
	}
	c.Out.Map(6)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, f := range flags {
		c.Out.BulkString(f)
	}
	c.Out.BulkString("passwords")
	c.Out.Array(0)
	for _, f := range [][2]string{{"commands", "+@all"}, {"keys", "~*"}, {"channels", "&*"}} {
		c.Out.BulkString(f[0])
		c.Out.BulkString(f[1])
	}
	c.Out.BulkString("selectors")
	c.Out.Array(0)
	return nil
}

// categories are all of Redis 7.2's, in its order.
var categories = []string{"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
	"stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting"}

func aclCat(c *Call) error {
	var names []string
	switch len(c.Args) {
	case 2:
		names = categories
	case 3:
		category := strings.ToLower(string(c.Args[2]))
		if !slices.Contains(categories, category) {
			return Error(fmt.Sprintf("ERR Unknown category '%s'", c.Args[2]))
		}
		for _, cmd := range c.Env.Table.all {
			if slices.Contains(cmd.AllCategories(), "@"+category) {
				names = append(names, cmd.FullName())
			}
		}
		sort.Strings(names)
	default:
		return Error("ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.")
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}
