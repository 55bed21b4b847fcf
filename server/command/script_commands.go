package command

import (
	"strings"
)

// scriptKeys are the keys of EVAL and FCALL: a count in the second argument, then so many keys.
func scriptKeys(flags KeyFlags) []KeySpec {
	return []KeySpec{{Flags: flags, Index: 2, Last: 0, Step: 1, KeyNum: 0, FirstKey: 1}}
}

func scriptCommands() []Command {
	const run = NoScript | SkipMonitor | NoMandatoryKeys | Stale | MovableKeys
	const any = KeyRW | KeyAccess | KeyUpdate
	const ro = KeyRO | KeyAccess
	const depends = "Depends on the script that is executed."
	rows := []Command{
		{Name: "eval", Arity: -3, Flags: run | MayReplicate, Keys: scriptKeys(any), Since: "2.6.0", Complexity: depends,
			Summary: "Runs a Lua script on the server."},
		{Name: "evalsha", Arity: -3, Flags: run | MayReplicate, Keys: scriptKeys(any), Since: "2.6.0", Complexity: depends,
			Summary: "Runs a Lua script that the server has, by its SHA-1."},
		{Name: "eval_ro", Arity: -3, Flags: run | ReadOnly, Keys: scriptKeys(ro), Since: "7.0.0", Complexity: depends,
			Summary: "Runs a Lua script that only reads."},
		{Name: "evalsha_ro", Arity: -3, Flags: run | ReadOnly, Keys: scriptKeys(ro), Since: "7.0.0", Complexity: depends,
			Summary: "Runs a Lua script that only reads, by its SHA-1."},
		{Name: "fcall", Arity: -3, Flags: run | MayReplicate, Keys: scriptKeys(any), Since: "7.0.0", Complexity: "Depends on the function that is executed.",
			Summary: "Runs a function of a library."},
		{Name: "fcall_ro", Arity: -3, Flags: run | ReadOnly, Keys: scriptKeys(ro), Since: "7.0.0", Complexity: "Depends on the function that is executed.",
			Summary: "Runs a function of a library that only reads."},
		{Name: "script", Arity: -2, Since: "2.6.0", Complexity: "Depends on subcommand.", Summary: "A container of commands about scripts.", Sub: scriptSubcommands()},
		{Name: "function", Arity: -2, Since: "7.0.0", Complexity: "Depends on subcommand.", Summary: "A container of commands about libraries of functions.", Sub: functionSubcommands()},
	}
	for i := range rows {
		rows[i].Group = "scripting"
		if rows[i].Sub == nil {
			rows[i].Categories, rows[i].Serve, rows[i].script = "@scripting", (*Call).runScript, true
		}
		for j := range rows[i].Sub {
			rows[i].Sub[j].Group, rows[i].Sub[j].Categories = "scripting", "@scripting"
		}
	}
	return rows
}

func scriptSubcommands() []Command {
	return []Command{
		{Name: "debug", Arity: 3, Flags: NoScript, Since: "3.2.0", Complexity: "O(1)",
			Summary: "Sets the mode of the script debugger, which this server does not have.", Serve: scriptDebug},
		{Name: "exists", Arity: -3, Flags: NoScript, Since: "2.6.0", Tips: []string{"request_policy:all_shards", "response_policy:agg_logical_and"},
			Complexity: "O(N) where N is the number of scripts asked for.", Summary: "Tells which scripts the server has.", Serve: scriptExists},
		{Name: "flush", Arity: -2, Flags: NoScript, Since: "2.6.0", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Complexity: "O(N) where N is the number of scripts.", Summary: "Forgets all scripts.", Serve: scriptFlush},
		{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Complexity: "O(1)", Summary: "Returns helpful text about the different subcommands.",
			Serve: helpOf("SCRIPT", scriptHelp)},
		{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Since: "2.6.0", Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"},
			Complexity: "O(1)", Summary: "Stops scripts that run too long, without a trace of what they did.", Serve: killScripts},
		{Name: "load", Arity: 3, Flags: NoScript | Stale, Since: "2.6.0", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Complexity: "O(N) where N is the length of the script.", Summary: "Gives the server a script to keep.", Serve: scriptLoad},
		{Name: "show", Arity: 3, Flags: NoScript, Since: "8.0.0", Complexity: "O(1).", Summary: "Shows a script that the server has, by its SHA-1.", Serve: scriptShow},
	}
}

func scriptDebug(c *Call) error {
	switch strings.ToLower(string(c.Args[2])) {
	case "no":
		c.Out.OK()
		return nil
	case "yes", "sync":
		return Error("ERR The script debugger is not available")
	}
	return Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
}

func scriptExists(c *Call) error {
	c.Out.Array(len(c.Args) - 2)
	for _, sha := range c.Args[2:] {
		n := int64(0)
		if c.Env.Scripts.store.Get(string(sha)) != nil {
			n = 1
		}
		c.Out.Int(n)
	}
	return nil
}

// scriptShow is SCRIPT SHOW of Valkey 8.
func scriptShow(c *Call) error {
	program := c.Env.Scripts.store.Get(string(c.Args[2]))
	if program == nil {
		return Error("NOSCRIPT No matching script.")
	}
	c.Out.BulkString(program.Body)
	return nil
}

func scriptFlush(c *Call) error {
	if len(c.Args) > 3 || len(c.Args) == 3 && !equalFold(c.Args[2], "async") && !equalFold(c.Args[2], "sync") {
		return Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
	}
	c.Env.Scripts.store.Flush()
	c.Out.OK()
	return nil
}

func scriptLoad(c *Call) error {
	p, err := c.Env.Scripts.store.Put(c.Args[2], true)
	if err != nil {
		return err
	}
	c.Out.BulkString(p.SHA)
	return nil
}

// killScripts is SCRIPT KILL and FUNCTION KILL. Scripts are killed that have become busy; while one runs that has not,
// the command waits for that. A script that wrote can be killed as well, since nothing of it is done before its end.
func killScripts(c *Call) error {
	s := &c.Env.Scripts
	functions := c.Cmd.container.Name == "function"
	killed, soonest := s.kill(c.Env.Process.Nanos(), functions)
	switch {
	case killed:
		c.Out.OK()
		return nil
	case soonest == 0 || c.inExec:
		return errNotBusy
	}
	c.Later = func(stop <-chan struct{}) {
		for !killed && soonest != 0 {
			select {
			case <-stop:
				return
			case <-c.Env.Process.After(min(10, (soonest-c.Env.Process.Nanos())/1_000_000+1)):
			}
			killed, soonest = s.kill(c.Env.Process.Nanos(), functions)
		}
		if killed {
			c.Out.OK()
			return
		}
		c.Out.Error(string(errNotBusy))
	}
	return nil
}

const scriptHelp = `
DEBUG (YES|SYNC|NO)
    Set the debug mode for subsequent scripts executed.
EXISTS <sha1> [<sha1> ...]
    Return information about the existence of the scripts in the script cache.
FLUSH [ASYNC|SYNC]
    Flush the Lua scripts cache. Very dangerous on replicas.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the scripts cache.
    * SYNC: Synchronously flush the scripts cache.
KILL
    Kill the currently executing Lua script.
LOAD <script>
    Load a script into the scripts cache without executing it.`

// scriptMemory is what scripts and functions take: their texts.
type scriptMemory struct {
	programs, functions, libraries int64
	scriptBytes, functionBytes     int64
}

func (e *Env) scriptMemory() (m scriptMemory) {
	programs, bytes := e.Scripts.store.Usage()
	m.programs, m.scriptBytes = int64(programs), bytes
	if libs := e.Scripts.libraries.Load(); libs != nil {
		m.functions, m.libraries = int64(len(libs.Owner)), int64(len(libs.All))
		for _, lib := range libs.All {
			m.functionBytes += int64(len(lib.Code))
		}
	}
	return m
}

// scripts writes the lines of INFO memory about scripts.
func (b *infoText) scripts(e *Env) {
	m := e.scriptMemory()
	b.zeros("used_memory_vm_eval")
	b.str("used_memory_lua_human", human(0))
	b.num("used_memory_scripts_eval", m.scriptBytes)
	b.num("number_of_cached_scripts", m.programs)
	b.num("number_of_functions", m.functions)
	b.num("number_of_libraries", m.libraries)
	b.zeros("used_memory_vm_functions")
	b.bytes("used_memory_vm_total", 0)
	b.num("used_memory_functions", m.functionBytes)
	b.bytes("used_memory_scripts", m.scriptBytes+m.functionBytes)
}
