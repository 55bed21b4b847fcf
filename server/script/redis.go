package script

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/words"
)

// Version is the version of Redis whose scripting this is.
const (
	Version    = "7.2.4"
	VersionNum = 0x00070204
)

// redisTable makes the redis object.
func (in *interpreter) redisTable() *lua.LTable {
	t := in.L.NewTable()
	for name, fn := range map[string]lua.LGFunction{
		"call": in.call, "pcall": in.pcall, "log": in.log, "sha1hex": sha1hex, "error_reply": errorReply, "status_reply": statusReply,
		"setresp": in.setRESP, "set_repl": setRepl, "replicate_commands": replicateCommands, "acl_check_cmd": in.aclCheck,
		"register_function": in.registerFunction, "breakpoint": breakpoint, "debug": func(*lua.LState) int { return 0 },
	} {
		t.RawSetString(name, in.L.NewFunction(fn))
	}
	for name, n := range map[string]int{"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3, "REDIS_VERSION_NUM": VersionNum} {
		t.RawSetString(name, lua.LNumber(n))
	}
	t.RawSetString("REDIS_VERSION", lua.LString(Version))
	return t
}

// raise raises an error of this library, which scripts see as a table, with the place where they made it.
func (in *interpreter) raise(L *lua.LState, text string) int {
	L.Error(in.errorTable(L, text), 0)
	return 0
}

func (in *interpreter) errorTable(L *lua.LState, text string) *lua.LTable {
	at := in.here(L, 1)
	t := L.CreateTable(0, 4)
	t.RawSetString("err", lua.LString(text))
	t.RawSetString("source", lua.LString("@"+at.source))
	t.RawSetString("line", lua.LNumber(at.line))
	t.RawSetString("ignore_error_stats_update", lua.LTrue)
	return t
}

func (in *interpreter) call(L *lua.LState) int {
	value := in.command(L)
	if t, ok := value.(*lua.LTable); ok && t.RawGetString("err") != lua.LNil {
		L.Error(t, 0)
	}
	L.Push(value)
	return 1
}

func (in *interpreter) pcall(L *lua.LState) int {
	L.Push(in.command(L))
	return 1
}

// command runs the command that is on the stack, and returns its reply or a table with an error.
func (in *interpreter) command(L *lua.LState) lua.LValue {
	if in.run == nil {
		return in.errorTable(L, "ERR redis.call/pcall can only be called inside a script invocation")
	}
	args, problem := arguments(L)
	if problem != "" {
		return in.errorTable(L, problem)
	}
	reply, err := in.run.Host.Command(args, in.run.proto)
	if err != nil {
		in.run.Stop(err)
		L.RaiseError("stopped") // whoever catches it is stopped at the next instruction
	}
	if len(reply) > 0 && reply[0] == '-' {
		return in.errorTable(L, string(reply[1:len(reply)-2]))
	}
	value, _ := toLua(L, reply)
	return value
}

func arguments(L *lua.LState) (args [][]byte, problem string) {
	n := L.GetTop()
	if n == 0 {
		return nil, "ERR Please specify at least one argument for this redis lib call"
	}
	args = make([][]byte, n)
	for i := range n {
		switch v := L.Get(i + 1).(type) {
		case lua.LString:
			args[i] = []byte(v)
		case lua.LNumber:
			args[i] = argumentNumber(float64(v))
		default:
			return nil, "ERR Lua redis lib command arguments must be strings or integers"
		}
	}
	return args, ""
}

// argumentNumber prints a number for a command: integers whole, others with 17 digits.
func argumentNumber(f float64) []byte {
	if f == float64(int64(f)) && f >= -1<<62 && f <= 1<<62 {
		return strconv.AppendInt(nil, int64(f), 10)
	}
	return []byte(formatG(f, 17))
}

func (in *interpreter) log(L *lua.LState) int {
	if L.GetTop() < 2 {
		return in.raise(L, "ERR redis.log() requires two arguments or more.")
	}
	level, ok := L.Get(1).(lua.LNumber)
	if !ok {
		return in.raise(L, "ERR First argument must be a number (log level).")
	}
	if level < 0 || level > 3 {
		return in.raise(L, "ERR Invalid debug level.")
	}
	text := ""
	for i := 2; i <= L.GetTop(); i++ {
		if i > 2 {
			text += " "
		}
		text += lua.LVAsString(L.Get(i))
	}
	if in.run != nil {
		in.run.Host.Log(int(level), text)
	}
	return 0
}

func sha1hex(L *lua.LState) int {
	if L.GetTop() != 1 {
		return raisePlain(L, "ERR wrong number of arguments")
	}
	L.Push(lua.LString(SHA1([]byte(lua.LVAsString(L.Get(1))))))
	return 1
}

func raisePlain(L *lua.LState, text string) int {
	t := L.NewTable()
	t.RawSetString("err", lua.LString(text))
	L.Error(t, 0)
	return 0
}

// badArguments returns an error, which the script may return in turn, and does not raise it.
func badArguments(L *lua.LState) int {
	t := L.NewTable()
	t.RawSetString("err", lua.LString("ERR wrong number or type of arguments"))
	L.Push(t)
	return 1
}

func errorReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if L.GetTop() != 1 || !ok {
		return badArguments(L)
	}
	text = lua.LString(words.C(string(text)))
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	text = lua.LString(strings.Trim(string(text), "\r\n"))
	if !strings.Contains(string(text), " ") { // it has no code
		text = "ERR " + text
	}
	t := L.NewTable()
	t.RawSetString("err", text)
	L.Push(t)
	return 1
}

func statusReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if L.GetTop() != 1 || !ok {
		return badArguments(L)
	}
	t := L.NewTable()
	t.RawSetString("ok", text)
	L.Push(t)
	return 1
}

func (in *interpreter) setRESP(L *lua.LState) int {
	if L.GetTop() != 1 {
		return in.raise(L, "ERR redis.setresp() requires one argument.")
	}
	version, _ := L.Get(1).(lua.LNumber)
	if version != 2 && version != 3 {
		return in.raise(L, "ERR RESP version must be 2 or 3.")
	}
	if in.run != nil {
		in.run.proto = int(version)
	}
	return 0
}

// setRepl checks its argument and does no more: what a script writes is one record of the log, which replicas follow.
func setRepl(L *lua.LState) int {
	if L.GetTop() != 1 {
		return raisePlain(L, "ERR redis.set_repl() requires one argument.")
	}
	if flags := lua.LVAsNumber(L.Get(1)); flags < 0 || flags > 3 { // what is no number is 0
		return raisePlain(L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	return 0
}

func replicateCommands(L *lua.LState) int {
	L.Push(lua.LTrue)
	return 1
}

func breakpoint(L *lua.LState) int {
	L.Push(lua.LFalse)
	return 1
}

func (in *interpreter) aclCheck(L *lua.LState) int {
	args, problem := arguments(L)
	if problem != "" {
		return in.raise(L, problem)
	}
	if in.run == nil {
		return in.raise(L, "ERR redis.acl_check_cmd can only be called inside a script invocation")
	}
	may, err := in.run.Host.MayCall(args)
	if err != nil {
		return in.raise(L, "ERR Invalid command passed to redis.acl_check_cmd()")
	}
	L.Push(lua.LBool(may))
	return 1
}
