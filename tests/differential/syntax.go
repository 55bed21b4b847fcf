package differential

import (
	"slices"
	"strconv"
	"strings"

	"cobble/tools/respconn"
)

// The family "syntax" is made of what COMMAND DOCS says of the arguments of every command: each option and each branch
// comes up, also those that no line of the grammar has. Keys are mostly of the command's own type.

// outside are commands that the syntax family leaves out: they end, wait, tell what is the server's own, or are compared
// by families that know more of them.
var outside = []string{"acl", "client", "cluster", "config", "function", "script", "latency", "memory", "slowlog", "module", "command", "pubsub",
	"debug", "monitor", "quit", "reset", "shutdown", "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "sync", "psync",
	"replconf", "replicaof", "slaveof", "failover", "migrate", "restore", "restore-asking", "asking", "wait", "waitaof", "eval", "evalsha", "eval_ro",
	"evalsha_ro", "fcall", "fcall_ro", "info", "lolwut", "time", "role", "save", "bgsave", "bgrewriteaof", "lastsave", "hello", "auth", "select", "swapdb",
	"move", "dbsize", "readonly", "readwrite", "multi", "exec", "discard", "watch", "unwatch", "pfselftest", "spop", "flushall", "flushdb", "publish", "spublish"}

// syntaxFamily reads the manuals of a server.
func syntaxFamily(c *respconn.Conn, lacks func(name string) bool) (*family, error) {
	r, err := c.Do("COMMAND", "DOCS")
	if err != nil {
		return nil, err
	}
	f := &family{name: "syntax", percent: 300}
	f.addManuals(r, "", lacks)
	f.addFill()
	return f, r.Err()
}

// addFill adds commands that fill keys of each type, so that the others find something.
func (f *family) addFill() {
	fill := &family{commands: []string{
		"40 SET {t}string1 value", "20 RPUSH {t}list1 member...", "20 RPUSH {t}list0 number...", "20 SADD {t}set1 member...", "20 SADD {t}set2 number...",
		"20 HSET {t}hash1 (field value)...", "20 HSET {t}hash0 (field number)...", "20 ZADD {t}sorted-set1 (score member)...", "20 ZADD {t}sorted-set2 (0 member)...",
		"20 XADD {t}stream1 smallid (field value)...", "20 XADD {t}stream2 entryid field value", "10 XGROUP CREATE {t}stream1 group 0", "10 XGROUP CREATE {t}stream2 group 0",
		"10 GEOADD {t}geo1 (longitude latitude member)...", "10 PFADD {t}hyperloglog1 member...",
	}}
	fill.prepare()
	f.rows = append(f.rows, fill.rows...)
	f.total += fill.total
}

func (f *family) addManuals(docs reply, container string, lacks func(string) bool) {
	for i := 0; i+1 < len(docs.Elems); i += 2 {
		name, manual := docs.Elems[i].Text, docs.Elems[i+1]
		if slices.Contains(outside, name) || lacks(strings.ToUpper(name)) {
			continue
		}
		if subs, ok := manual.Field("subcommands"); ok && container == "" {
			f.addManuals(subs, name, lacks)
			continue
		}
		group, _ := manual.Field("group")
		args, _ := manual.Field("arguments")
		words := strings.Split(strings.ToUpper(name), "|")
		r := row{name: words[0], weight: 4}
		var all inOrder
		for _, sub := range words[1:] {
			all = append(all, literal(sub))
		}
		r.args = append(all, manualList(args, group.Text)...)
		f.rows = append(f.rows, r)
		f.total += r.weight
	}
}

func manualList(args reply, group string) inOrder {
	var all inOrder
	for i := 0; i < len(args.Elems); i++ {
		name, _ := args.Elems[i].Field("name")
		if name.Text == "numkeys" && i+1 < len(args.Elems) {
			all = append(all, counted{typedKey(group)})
			i++
			continue
		}
		all = append(all, manualArgument(args.Elems[i], group))
	}
	return all
}

// counted is a number and so many of a node.
type counted struct{ node }

func (c counted) expand(g *generator, out []string) []string {
	n := 1 + g.rand.IntN(3)
	out = append(out, strconv.Itoa(n))
	for range n {
		out = c.node.expand(g, out)
	}
	return out
}

// typedKey is a key that mostly holds the type of a group of commands.
type typedKey string

func (k typedKey) expand(g *generator, out []string) []string {
	switch {
	case g.rand.IntN(12) == 0, k == "generic" || k == "bitmap" || k == "server" || k == "scripting":
		k = []typedKey{"string", "list", "set", "hash", "sorted-set", "stream", "geo", "hyperloglog"}[g.rand.IntN(8)]
		if g.rand.IntN(2) == 0 {
			k = "string"
		}
	}
	return append(out, "{t}"+string(k)+strconv.Itoa(g.rand.IntN(3)))
}

func manualArgument(arg reply, group string) node {
	text := func(name string) string { r, _ := arg.Field(name); return r.Text }
	has := func(flag string) bool {
		flags, _ := arg.Field("flags")
		return slices.ContainsFunc(flags.Elems, func(e reply) bool { return e.Text == flag })
	}
	var n node
	sub, _ := arg.Field("arguments")
	switch text("type") {
	case "oneof":
		var all choice
		for _, e := range sub.Elems {
			all = append(all, manualArgument(e, group))
		}
		n = all
	case "block":
		n = manualList(sub, group)
	case "pure-token":
		n = inOrder{}
	case "key":
		n = typedKey(group)
	default:
		n = value(kindOf(text("type"), text("name"), text("token"), group))
	}
	token, hasToken := arg.Field("token")
	if hasToken && has("multiple_token") {
		n = inOrder{literal(token.Text), n}
		hasToken = false
	}
	if has("multiple") {
		n = repeat{n}
	}
	if hasToken {
		n = inOrder{literal(token.Text), n}
	}
	if has("optional") {
		n = optional{n}
	}
	return n
}

// kindOf chooses the kind of value for an argument that is no key.
func kindOf(kind, name, token, group string) string {
	switch {
	case token == "BLOCK", name == "timeout":
		return "wait"
	case kind == "unix-time" && strings.Contains(name, "milli"):
		return "atmilli"
	case kind == "unix-time":
		return "atsecond"
	case kind == "pattern":
		return "pattern"
	case name == "seconds":
		return "seconds"
	case name == "milliseconds":
		return "millis"
	case group == "geo" && (name == "longitude" || name == "latitude"):
		return name
	case kind == "double" && (group == "geo" || name == "width"):
		return "distance"
	case kind == "double" && (name == "min" || name == "max"):
		return "scorebound"
	case kind == "double":
		return "float"
	case group == "stream" && strings.Contains(name, "id"):
		return "entryid"
	case name == "group" || name == "consumer" || name == "min-idle-time":
		return name
	case strings.HasSuffix(name, "lex") || group == "sorted-set" && (name == "min" || name == "max"):
		return "lexbound"
	case kind == "integer" && (name == "start" || name == "end" || name == "stop" || name == "index"):
		return "index"
	case name == "offset" && group == "bitmap":
		return "bitpos"
	case name == "encoding":
		return "bittype"
	case name == "bit" || name == "value" && kind == "integer" && group == "bitmap":
		return "bit"
	case name == "cursor":
		return "zero"
	case name == "increment", name == "decrement":
		return "int"
	case kind == "integer":
		return "small"
	case name == "field":
		return "field"
	case name == "member" || name == "element" || name == "pivot":
		return "member"
	}
	return "value"
}
