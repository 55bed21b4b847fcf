package script

import (
	"strconv"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/words"
)

const errReadOnly = "Attempt to modify a readonly table"

// interpreter is a Lua state with Redis's environment. One goroutine uses it at a time. What a script can reach of it
// cannot be changed, so nothing is left behind for the next script.
type interpreter struct {
	L       *lua.LState
	env     *lua.LTable                 // what scripts see as _G: empty, and closed to writing
	globals *lua.LTable                 // what env shows
	sealed  map[*lua.LTable]*lua.LTable // the tables that are closed to writing, and what they show
	handler *lua.LFunction              // notes where an error was raised
	run     *Run                        // the run it works for
	raised  place                       // where the last error was raised
	fns     map[string]function         // of the libraries that were loaded into it
	libs    *Libraries                  // that were loaded into it, nil: none

	loading  *Library                                               // the library that is being loaded, and
	register func(f Function, callback *lua.LFunction) (err string) // what takes its functions
}

// place is a line of a script.
type place struct {
	source string
	line   int
}

// hidden are the functions of Lua's base library that scripts do not get.
var hidden = []string{"dofile", "loadfile", "print", "module", "require", "newproxy", "_printregs", "getfenv", "setfenv"}

// maxArray is the first key that the library keeps in a table's hash part. It fills the array part with nils up to the
// key that is set, so seen[50000000] = true cost a gigabyte with the library's own bound of 1 << 26. The length operator
// counts the array part only, so what is longer than this is refused where a reply becomes a table.
const maxArray = 1 << 22

var limitArrays = sync.OnceFunc(func() { lua.MaxArrayIndex = maxArray })

func newInterpreter() *interpreter {
	limitArrays()
	L := lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: 1 << 14, MinimizeStackMemory: true, RegistrySize: 1 << 10, RegistryMaxSize: 1 << 18, RegistryGrowStep: 1 << 14})
	in := &interpreter{L: L, sealed: map[*lua.LTable]*lua.LTable{}, fns: map[string]function{}}
	for _, lib := range []struct {
		name string
		open lua.LGFunction
	}{{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath}, {lua.CoroutineLibName, lua.OpenCoroutine}} {
		L.Push(L.NewFunction(lib.open))
		L.Push(lua.LString(lib.name))
		L.Call(1, 0)
	}
	in.globals = L.G.Global
	for _, name := range hidden {
		in.globals.RawSetString(name, lua.LNil)
	}
	in.handler = L.NewFunction(in.noteError)
	in.base()
	redis := in.redisTable()
	in.globals.RawSetString("cjson", in.seal(newJSON(L)))
	in.globals.RawSetString("cmsgpack", in.seal(newMsgpack(L)))
	in.globals.RawSetString("struct", in.seal(newStruct(L)))
	in.globals.RawSetString("bit", in.seal(newBit(L)))
	closed := in.seal(redis)
	in.globals.RawSetString("redis", closed)
	in.globals.RawSetString("server", closed)
	for _, name := range []string{lua.TabLibName, lua.StringLibName, lua.MathLibName, lua.CoroutineLibName} {
		in.globals.RawSetString(name, in.seal(in.globals.RawGetString(name).(*lua.LTable)))
	}
	in.closeStrings()
	in.env = in.seal(in.globals)
	in.globals.RawSetString("_G", in.env)
	undefined := L.NewTable()
	undefined.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("Script attempted to access nonexistent global variable '%s'", words.C(L.Get(2).String()))
		return 0
	}))
	in.globals.Metatable = undefined
	L.Env = in.env // for functions that loadstring makes
	return in
}

// closeStrings hides the metatable of strings, through which all scripts could be changed.
func (in *interpreter) closeStrings() {
	if mt, ok := in.L.GetMetatable(lua.LString("")).(*lua.LTable); ok {
		mt.RawSetString("__metatable", lua.LFalse)
	}
}

// seal returns an empty table that shows what is in t and takes no writes. (Lua 5.1 has no read-only tables; Redis
// patched its own.)
func (in *interpreter) seal(t *lua.LTable) *lua.LTable {
	closed, mt := in.L.NewTable(), in.L.NewTable()
	mt.RawSetString("__index", t)
	mt.RawSetString("__newindex", in.L.NewFunction(func(L *lua.LState) int {
		L.RaiseError(errReadOnly)
		return 0
	}))
	mt.RawSetString("__metatable", lua.LFalse)
	closed.Metatable = mt
	in.sealed[closed] = t
	return closed
}

// base replaces functions of the base and table libraries that would look past or get around sealed tables, and those
// whose words or results differ from Lua's own.
func (in *interpreter) base() {
	L := in.L
	next := L.NewFunction(func(L *lua.LState) int {
		key, value := in.shown(L.CheckTable(1)).Next(L.Get(2))
		if key == lua.LNil {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(key)
		L.Push(value)
		return 2
	})
	in.globals.RawSetString("next", next)
	in.globals.RawSetString("pairs", L.NewFunction(func(L *lua.LState) int {
		t := L.CheckTable(1)
		L.Push(next)
		L.Push(t)
		L.Push(lua.LNil)
		return 3
	}))
	in.globals.RawSetString("rawget", L.NewFunction(func(L *lua.LState) int {
		L.Push(in.shown(L.CheckTable(1)).RawGet(L.CheckAny(2)))
		return 1
	}))
	in.globals.RawSetString("tostring", L.NewFunction(func(L *lua.LState) int {
		if n, ok := L.CheckAny(1).(lua.LNumber); ok {
			L.Push(lua.LString(numberText(float64(n))))
			return 1
		}
		L.Push(L.ToStringMeta(L.Get(1)))
		return 1
	}))
	in.globals.RawSetString("tonumber", L.NewFunction(toNumber(in.globals.RawGetString("tonumber").(*lua.LFunction).GFunction)))
	in.globals.RawSetString("gcinfo", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LNumber(0))
		return 1
	}))
	in.globals.RawSetString("pcall", L.NewFunction(pcallFlat(in.globals.RawGetString("pcall").(*lua.LFunction).GFunction)))
	limit(L, in.globals, "unpack", "too many results to unpack", func(L *lua.LState) int {
		return L.OptInt(3, L.CheckTable(1).Len()) - L.OptInt(2, 1)
	})
	limit(L, in.globals.RawGetString(lua.StringLibName).(*lua.LTable), "byte", "string slice too long", func(L *lua.LState) int {
		n := len(L.CheckString(1))
		from, to := L.OptInt(2, 1), L.OptInt(3, L.OptInt(2, 1))
		if from < 0 {
			from += n + 1
		}
		if to < 0 {
			to += n + 1
		}
		return min(to, n) - max(from, 1)
	})
	in.guard(in.globals, "rawset", "setmetatable")
	in.guard(in.globals.RawGetString(lua.TabLibName).(*lua.LTable), "insert", "remove", "sort")
}

// maxResults is how many values one function may put on the stack, as in C's Lua.
const maxResults = 8000

// limit makes a function refuse to return too many values.
func limit(L *lua.LState, lib *lua.LTable, name, problem string, count func(*lua.LState) int) {
	original := lib.RawGetString(name).(*lua.LFunction).GFunction
	lib.RawSetString(name, L.NewFunction(func(L *lua.LState) int {
		if count(L) >= maxResults {
			L.RaiseError("%s", problem)
		}
		return original(L)
	}))
}

// pcallFlat is pcall as Redis has it: of an error table, what is caught is the text.
func pcallFlat(original lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		n := original(L)
		if n == 2 && L.Get(-2) == lua.LFalse {
			if t, ok := L.Get(-1).(*lua.LTable); ok {
				if text, ok := t.RawGetString("err").(lua.LString); ok {
					L.Pop(1)
					L.Push(text)
				}
			}
		}
		return n
	}
}

// guard makes functions refuse a sealed table as their first argument.
func (in *interpreter) guard(lib *lua.LTable, names ...string) {
	for _, name := range names {
		fn, ok := lib.RawGetString(name).(*lua.LFunction)
		if !ok {
			continue
		}
		original := fn.GFunction
		lib.RawSetString(name, in.L.NewFunction(func(L *lua.LState) int {
			if t, ok := L.Get(1).(*lua.LTable); ok && in.sealed[t] != nil {
				L.Error(lua.LString(errReadOnly), 0)
			}
			return original(L)
		}))
	}
}

// shown returns what a table shows: of a sealed one, what it hides.
func (in *interpreter) shown(t *lua.LTable) *lua.LTable {
	if hides := in.sealed[t]; hides != nil {
		return hides
	}
	return t
}

// noteError is the error handler of every run: it remembers where the error was raised, which Redis tells the client.
func (in *interpreter) noteError(L *lua.LState) int {
	in.raised = in.here(L, 0)
	L.SetTop(1)
	return 1
}

// here is the innermost line of Lua at or above a level of the stack.
func (in *interpreter) here(L *lua.LState, level int) place {
	for ; ; level++ {
		frame, ok := L.GetStack(level)
		if !ok {
			return place{}
		}
		if _, err := L.GetInfo("Sl", frame, lua.LNil); err == nil && frame.CurrentLine > 0 {
			return place{frame.Source, frame.CurrentLine}
		}
	}
}

// numberText prints a number as Lua 5.1 does, "%.14g".
func numberText(f float64) string {
	if f == float64(int64(f)) && f < 1e14 && f > -1e14 {
		return strconv.FormatInt(int64(f), 10)
	}
	return formatG(f, 14)
}
