package command

import (
	"strconv"
	"strings"

	"cobble/storage/format"
)

func debugCommands() []Command {
	return []Command{{Name: "debug", Arity: -2, Flags: Admin | NoScript | Loading | Stale | Protected, Group: "server", Since: "1.0.0",
		Summary: "A container for debugging commands.", Complexity: "Depends on subcommand.", Serve: debugCommand}}
}

// debugRow is one of DEBUG's subcommands; Redis does not make rows of them.
type debugRow struct {
	name     string
	min, max int // arguments, DEBUG and its name included
	serve    func(c *Call) error
}

var debugRows = []debugRow{
	{"sleep", 3, 3, debugSleep},
	{"set-active-expire", 3, 3, debugSetActiveExpire},
	{"populate", 3, 5, debugPopulate},
	{"object", 3, 3, debugObject},
	{"digest", 2, 2, debugDigest},
	{"digest-value", 2, 1 << 20, debugDigestValue},
	{"log", 3, 3, debugLog},
	{"error", 3, 3, debugError},
	{"protocol", 3, 3, debugProtocol},
	{"stringmatch-len", 4, 4, debugStringMatchLen},
	{"reload", 2, 8, debugReload},
	{"loadaof", 2, 2, debugReload},
	{"listpack", 3, 3, debugStructure(format.EncListpack, "Listpack", "ERR Not a listpack encoded object.")},
	{"quicklist", 3, 4, debugStructure(format.EncQuicklist, "Quicklist", "ERR Not a quicklist encoded object.")},
	{"htstats", 3, 4, debugTables},
	{"htstats-key", 3, 4, debugTableOf},
	{"sdslen", 3, 3, debugSDSLen},
	{"clusterlink", 5, 5, debugClusterLink},
	{"partition", 2, 1 << 14, debugPartition},
	{"panic", 2, 2, func(*Call) error { panic("DEBUG PANIC was asked for") }},
	{"segfault", 2, 2, func(*Call) error { var p *int; *p = 0; return nil }},
	{"assert", 2, 2, func(*Call) error { panic("assertion failed: DEBUG ASSERT was asked for") }},
	{"help", 2, 2, helpOf("DEBUG", debugHelp)},
	// What has no meaning here is acknowledged.
	{"quicklist-packed-threshold", 3, 3, debugOK}, {"replybuffer", 4, 4, debugOK}, {"dict-resizing", 3, 3, debugOK}, {"pause-cron", 3, 3, debugOK},
	{"set-disable-deny-scripts", 3, 3, debugOK}, {"set-skip-checksum-validation", 3, 3, debugOK}, {"aof-flush-sleep", 3, 3, debugOK},
	{"drop-cluster-packet-filter", 3, 3, debugOK}, {"close-cluster-link-on-packet-drop", 3, 3, debugOK}, {"change-repl-id", 2, 2, debugOK},
	{"jmap", 2, 2, debugOK},
}

const debugHelp = `
CLUSTERLINK KILL <to|from|all> <node-id>
    Checks its arguments: links are made again as soon as they break.
DIGEST
    Output a hex signature representing the current DB content.
DIGEST-VALUE <key> [<key> ...]
    Output a hex signature of the values of all the specified keys.
ERROR <string>
    Return a Redis protocol error with <string> as message.
HTSTATS <dbid>
    How many keys, and keys with a lifetime, there are.
HTSTATS-KEY <key>
    How many elements a value has that Redis keeps in a hash table.
LISTPACK <key>
    Write to the server log what the value of <key> takes.
LOADAOF
    Close the store and open it again from disk.
LOG <message>
    Write <message> to the server log.
OBJECT <key>
    Show how the value of <key> is kept.
PANIC
    Crash the server simulating a panic.
PARTITION [<node-id> ...]
    Cut this node off from the nodes given and no others, as if the network
    between them were broken. Cut both sides.
POPULATE <count> [<prefix>] [<size>]
    Create <count> string keys named <prefix>:<num> (prefix "key") where there
    are none. If <size> is given the value is padded or cut to it.
PROTOCOL <type>
    Reply with a test value of the specified type. <type> can be: string,
    integer, double, bignum, null, array, set, map, attrib, push, verbatim,
    true, false.
QUICKLIST <key>
    Write to the server log what the list at <key> takes.
RELOAD [option ...]
    Close the store and open it again from disk.
SDSLEN <key>
    The lengths of a key and of the string that it has.
SET-ACTIVE-EXPIRE <0|1>
    Setting it to 0 disables expiring keys in background when they are not
    accessed. Setting it to 1 reenables back the default.
SLEEP <seconds>
    Hold every client for <seconds>. Decimals allowed.
STRINGMATCH-LEN <len> <pattern>
    Match a string of <len> times the letter a with <pattern>.`

func debugCommand(c *Call) error {
	for i := range debugRows {
		row := &debugRows[i]
		if equalFold(c.Args[1], row.name) && len(c.Args) >= row.min && len(c.Args) <= row.max {
			return row.serve(c)
		}
	}
	return c.badSubcommand()
}

func debugOK(c *Call) error {
	c.Out.OK()
	return nil
}

// debugSleep holds every client, as a server that is busy would.
func debugSleep(c *Call) error {
	seconds, _ := strconv.ParseFloat(string(c.Args[2]), 64) // as Redis: nonsense is zero
	ms := int64(seconds * 1000)
	if ms <= 0 || ms > 1<<40 {
		c.Out.OK()
		return nil
	}
	c.Env.Pause.All(c.Env.Process.Micros()/1000 + ms)
	c.Later = func(stop <-chan struct{}) {
		select {
		case <-c.Env.Process.After(ms):
		case <-stop:
		}
		c.Out.OK()
	}
	return nil
}

func debugSetActiveExpire(c *Call) error {
	c.Env.activeSweep.Store(string(c.Args[2]) != "0")
	c.Out.OK()
	return nil
}

func debugLog(c *Call) error {
	c.Env.Process.Log("DEBUG LOG: " + string(c.Args[2]))
	c.Out.OK()
	return nil
}

func debugError(c *Call) error {
	return Error(strings.NewReplacer("\r", " ", "\n", " ").Replace(string(c.Args[2])))
}

func debugStringMatchLen(c *Call) error {
	n, err := strconv.ParseInt(string(c.Args[2]), 10, 64)
	if err != nil || n < 0 || n > 1<<20 {
		return ErrNotInteger
	}
	found := int64(0)
	if matchFold(string(c.Args[3]), strings.Repeat("a", int(n))) {
		found = 1
	}
	c.Out.Int(found)
	return nil
}

// debugReload closes the store and opens it again. The words of Redis's RELOAD
// (MERGE, NOFLUSH, NOSAVE) are about its RDB file.
func debugReload(c *Call) error {
	for _, arg := range c.Args[2:] {
		if !equalFold(arg, "merge") && !equalFold(arg, "noflush") && !equalFold(arg, "nosave") {
			return Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
		}
	}
	if c.Env.Process.Reload == nil {
		return Error("ERR the store cannot be reopened while the server runs")
	}
	if err := c.Env.Process.Reload(); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func debugProtocol(c *Call) error {
	out := c.Out
	three := func(each func(i int64)) {
		for i := range int64(3) {
			each(i)
		}
	}
	switch strings.ToLower(string(c.Args[2])) {
	case "string":
		out.BulkString("Hello World")
	case "integer":
		out.Int(12345)
	case "double":
		out.Double(3.141)
	case "null":
		out.Null()
	case "array":
		out.Array(3)
		three(out.Int)
	case "set":
		out.Set(3)
		three(out.Int)
	case "map":
		out.Map(3)
		three(func(i int64) { out.Int(i); out.Bool(i == 1) })
	case "attrib":
		if out.Attribute(1) {
			out.BulkString("key-popularity")
			out.Array(2)
			out.BulkString("key:123")
			out.Int(90)
		}
		out.BulkString("Some real reply following the attribute")
	case "push":
		if out.Proto() < 3 {
			return Error("ERR RESP2 is not supported by this command")
		}
		out.Push(2)
		out.BulkString("server-cpu-usage")
		out.Int(42)
		out.BulkString("Some real reply following the push reply")
	case "bignum":
		out.BigNumber("1234567999999999999999999999999999999")
	case "true":
		out.Bool(true)
	case "false":
		out.Bool(false)
	case "verbatim":
		out.Verbatim("txt", "This is a verbatim\nstring")
	default:
		return Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
	return nil
}
