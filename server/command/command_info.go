package command

import (
	"bytes"
	"slices"
	"strings"

	"cobble/server/acl"
	"cobble/server/glob"
)

func introspectionCommands() []Command {
	const flags = Loading | Stale
	sub := func(name string, arity int, since, summary string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Categories: "@connection", Group: "server", Since: since, Tips: tips,
			Summary: summary, Complexity: "O(N) where N is the number of commands to look up", Serve: serve}
	}
	const unordered = "nondeterministic_output_order"
	return []Command{{Name: "command", Arity: -1, Flags: flags, Categories: "@connection", Group: "server", Since: "2.8.13",
		Tips: []string{"nondeterministic_output_order"}, Summary: "Returns detailed information about all commands.",
		Complexity: "O(N) where N is the total number of Redis commands", Serve: commandAll,
		Sub: []Command{
			sub("count", 2, "2.8.13", "Returns a count of commands.", commandCount),
			sub("docs", -2, "7.0.0", "Returns documentary information about one, multiple or all commands.", commandDocs, unordered),
			sub("getkeys", -3, "2.8.13", "Extracts the key names from an arbitrary command.", commandGetKeys),
			sub("getkeysandflags", -3, "7.0.0", "Extracts the key names and access flags for an arbitrary command.", commandGetKeysAndFlags),
			sub("help", 2, "5.0.0", "Returns helpful text about the different subcommands.", helpOf("COMMAND", commandHelp)),
			sub("info", -2, "2.8.13", "Returns information about one, multiple or all commands.", commandInfo, unordered),
			sub("list", -2, "7.0.0", "Returns a list of command names.", commandList, unordered),
		}}}
}

func commandAll(c *Call) error {
	rows := c.Env.Table.rows
	c.Out.Array(len(rows))
	for i := range rows {
		c.writeInfo(&rows[i])
	}
	return nil
}

func commandCount(c *Call) error {
	c.Out.Int(int64(len(c.Env.Table.rows)))
	return nil
}

// findFull finds "get" or "client|info".
func (t *Table) findFull(name []byte) *Command {
	container, sub, has := strings.Cut(string(name), "|")
	cmd := t.Find([]byte(container))
	if cmd != nil && has {
		return cmd.FindSub([]byte(sub))
	}
	return cmd
}

func commandInfo(c *Call) error {
	if len(c.Args) == 2 {
		return commandAll(c)
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if cmd := c.Env.Table.findFull(name); cmd != nil {
			c.writeInfo(cmd)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

// flagNames are the flags in the order in which COMMAND INFO prints them.
var flagNames = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"}, {NoScript, "noscript"},
	{Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"}, {SkipMonitor, "skip_monitor"}, {SkipSlowlog, "skip_slowlog"},
	{Asking, "asking"}, {Fast, "fast"}, {NoAuth, "no_auth"}, {NoMandatoryKeys, "no_mandatory_keys"},
	{NoAsyncLoading, "no_async_loading"}, {NoMulti, "no_multi"}, {MovableKeys, "movablekeys"}, {AllowBusy, "allow_busy"},
}

func (f Flags) names() []string {
	var names []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

var keyFlagNames = []string{"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags"}

func (f KeyFlags) names() []string {
	var names []string
	for i, name := range keyFlagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// AllCategories returns the ACL categories of the row: its own, and those that its
// flags imply.
func (c *Command) AllCategories() []string {
	names := strings.Fields(c.Categories)
	add := func(is bool, name string) {
		if is && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	scripting := slices.Contains(names, "@scripting")
	add(c.Flags&Write != 0, "@write")
	add(c.Flags&ReadOnly != 0 && !scripting, "@read")
	add(c.Flags&Admin != 0, "@admin")
	add(c.Flags&Admin != 0, "@dangerous")
	add(c.Flags&PubSub != 0, "@pubsub")
	add(c.Flags&Blocking != 0, "@blocking")
	add(c.Flags&Fast != 0, "@fast")
	add(c.Flags&Fast == 0, "@slow")
	slices.SortFunc(names, func(a, b string) int {
		return slices.Index(acl.Categories, a[1:]) - slices.Index(acl.Categories, b[1:])
	})
	return names
}

func (c *Call) statusSet(names []string) {
	c.Out.Set(len(names))
	for _, name := range names {
		c.Out.Status(name)
	}
}

// firstLastStep is the old summary of key positions: the ranges that begin at a
// fixed index, as one.
func (c *Command) firstLastStep() (first, last, step int) {
	for i := range c.Keys {
		s := &c.Keys[i]
		if s.Search != nil || s.Keyword != "" || s.KeyNum >= 0 {
			continue
		}
		end := s.Last
		if end >= 0 {
			end += s.Index
		}
		if first == 0 {
			first, last, step = s.Index, end, max(s.Step, 1)
		} else if end < 0 || last >= 0 && end > last {
			last = end
		}
	}
	return first, last, step
}

func (c *Call) writeInfo(cmd *Command) {
	c.Out.Array(10)
	c.Out.BulkString(cmd.FullName())
	c.Out.Int(int64(cmd.Arity))
	c.statusSet(cmd.Flags.names())
	first, last, step := cmd.firstLastStep()
	c.Out.Int(int64(first))
	c.Out.Int(int64(last))
	c.Out.Int(int64(step))
	c.statusSet(cmd.AllCategories())
	c.Out.Set(len(cmd.Tips))
	for _, tip := range cmd.Tips {
		c.Out.BulkString(tip)
	}
	c.Out.Set(len(cmd.Keys))
	for i := range cmd.Keys {
		c.writeKeySpec(&cmd.Keys[i], manualOf(cmd.FullName()).note(i))
	}
	c.Out.Set(len(cmd.Sub))
	for i := range cmd.Sub {
		c.writeInfo(&cmd.Sub[i])
	}
}

func (c *Call) writeKeySpec(s *KeySpec, note string) {
	if note == "" {
		c.Out.Map(3)
	} else {
		c.Out.Map(4)
		c.Out.BulkString("notes")
		c.Out.BulkString(note)
	}
	c.Out.BulkString("flags")
	c.statusSet(s.Flags.names())
	c.Out.BulkString("begin_search")
	if s.Search != nil {
		c.writeSpec("unknown", func() { c.Out.Map(0) })
		c.Out.BulkString("find_keys")
		c.writeSpec("unknown", func() { c.Out.Map(0) })
		return
	}
	if s.Keyword != "" {
		c.writeSpec("keyword", func() {
			c.Out.Map(2)
			c.Out.BulkString("keyword")
			c.Out.BulkString(s.Keyword)
			c.pair("startfrom", s.StartFrom)
		})
	} else {
		c.writeSpec("index", func() {
			c.Out.Map(1)
			c.pair("index", s.Index)
		})
	}
	c.Out.BulkString("find_keys")
	if s.KeyNum >= 0 {
		c.writeSpec("keynum", func() {
			c.Out.Map(3)
			c.pair("keynumidx", s.KeyNum)
			c.pair("firstkey", s.FirstKey)
			c.pair("keystep", max(s.Step, 1))
		})
	} else {
		c.writeSpec("range", func() {
			c.Out.Map(3)
			c.pair("lastkey", s.Last)
			c.pair("keystep", max(s.Step, 1))
			c.pair("limit", s.Limit)
		})
	}
}

func (c *Call) writeSpec(kind string, spec func()) {
	c.Out.Map(2)
	c.Out.BulkString("type")
	c.Out.BulkString(kind)
	c.Out.BulkString("spec")
	spec()
}

func (c *Call) pair(name string, n int) {
	c.Out.BulkString(name)
	c.Out.Int(int64(n))
}

func commandList(c *Call) error {
	keep := func(*Command) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 5 && equalFold(c.Args[2], "filterby"):
		what := strings.ToLower(string(c.Args[4]))
		switch {
		case equalFold(c.Args[3], "module"):
			keep = func(*Command) bool { return false }
		case equalFold(c.Args[3], "aclcat"):
			keep = func(cmd *Command) bool { return slices.Contains(cmd.AllCategories(), "@"+what) }
		case equalFold(c.Args[3], "pattern"):
			keep = func(cmd *Command) bool { return matchFold(what, cmd.FullName()) }
		default:
			return ErrSyntax
		}
	default:
		return ErrSyntax
	}
	var names []string
	for _, cmd := range c.Env.Table.all {
		if keep(cmd) {
			names = append(names, cmd.FullName())
		}
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

// matchFold is Redis's glob matching without regard to case.
func matchFold(pattern, name string) bool {
	return glob.Match(bytes.ToLower([]byte(pattern)), bytes.ToLower([]byte(name)))
}
