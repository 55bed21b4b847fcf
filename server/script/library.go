package script

import (
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/words"
)

// Function is a function of a library, as FUNCTION LIST shows it.
type Function struct {
	Name, Description string
	Flags             Flags
}

// Library is the code of a library and what it registers. It is immutable.
type Library struct {
	Name, Code string
	Functions  []Function  // by name
	Slow       atomic.Bool // as Program.Slow, of any of its functions
	proto      *lua.FunctionProto
}

// Libraries are all libraries of a server. It is immutable: a change makes another.
type Libraries struct {
	All    []*Library // by name
	byName map[string]*Library
	Owner  map[string]*Library // of each function, by its name in small letters
}

// function is a registered function in one interpreter.
type function struct {
	callback *lua.LFunction
}

// Find returns the library of a function and the function, or nil. Names of functions may be in any case, as in Redis.
func (l *Libraries) Find(name string) (*Library, Function) {
	lib := l.Owner[strings.ToLower(name)]
	if lib == nil {
		return nil, Function{}
	}
	at := slices.IndexFunc(lib.Functions, func(f Function) bool { return strings.EqualFold(f.Name, name) })
	return lib, lib.Functions[at]
}

// Library returns a library by name, or nil.
func (l *Libraries) Library(name string) *Library { return l.byName[name] }

// With returns the libraries with another one added, or put in the place of one of its name. The error is the reply.
func (l *Libraries) With(lib *Library) (*Libraries, error) {
	var all []*Library
	for _, other := range l.All {
		if other.Name != lib.Name {
			all = append(all, other)
		}
	}
	return NewLibraries(append(all, lib)) // last, for the error to name its function
}

// Without returns the libraries without one.
func (l *Libraries) Without(name string) *Libraries {
	var all []*Library
	for _, other := range l.All {
		if other.Name != name {
			all = append(all, other)
		}
	}
	rest, _ := NewLibraries(all)
	return rest
}

// NewLibraries returns a set of libraries. It is an error if two register a function of one name.
func NewLibraries(all []*Library) (*Libraries, error) {
	l := &Libraries{All: all, byName: map[string]*Library{}, Owner: map[string]*Library{}}
	for _, lib := range all {
		l.byName[lib.Name] = lib
		for _, f := range lib.Functions {
			if l.Owner[strings.ToLower(f.Name)] != nil {
				return nil, Error("ERR Function " + f.Name + " already exists")
			}
			l.Owner[strings.ToLower(f.Name)] = lib
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return l, nil
}

func validName(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// LibraryName reads the name that the text of a library gives it. The error is the reply.
func LibraryName(code []byte) (string, error) {
	lib := &Library{Code: string(code)}
	_, err := lib.header()
	return lib.Name, err
}

// LoadLibrary compiles the text of a library and runs it once, to see what it registers. watch, if not nil, is given
// the run before it begins, to end it with Stop if it takes too long. The error is the reply.
func LoadLibrary(code []byte, watch func(*Run)) (*Library, error) {
	lib := &Library{Code: string(code)}
	source, err := lib.header()
	if err != nil {
		return nil, err
	}
	if lib.proto, err = compile(source, "user_function"); err != nil {
		return nil, Error("ERR Error compiling function: " + err.Error())
	}
	in := newInterpreter()
	defer in.L.Close()
	run := &Run{name: lib.Name}
	if watch != nil {
		watch(run)
	}
	if err := in.load(lib, run, true); err != nil {
		return nil, err
	}
	if len(lib.Functions) == 0 {
		return nil, Error("ERR No functions registered")
	}
	sort.Slice(lib.Functions, func(i, j int) bool { return lib.Functions[i].Name < lib.Functions[j].Name })
	return lib, nil
}

// header reads "#!lua name=lib" and returns the source behind it.
func (lib *Library) header() (source string, err error) {
	line, _, found := strings.Cut(lib.Code, "\n")
	if !strings.HasPrefix(line, "#!") {
		return "", Error("ERR Missing library metadata")
	}
	fields, ok := words.Split(line[2:])
	if !found || !ok || strings.Contains(line, "\x00") { // where C's string would end
		return "", Error("ERR Invalid library metadata")
	}
	engine := ""
	if len(fields) > 0 {
		engine, fields = fields[0], fields[1:]
	}
	for _, field := range fields {
		key, name, ok := strings.Cut(field, "=")
		if !ok || !strings.EqualFold(key, "name") {
			return "", Error("ERR Invalid metadata value given: " + field)
		}
		if lib.Name != "" {
			return "", Error("ERR Invalid metadata value, name argument was given multiple times")
		}
		lib.Name = name
	}
	if lib.Name == "" {
		return "", Error("ERR Library name was not given")
	}
	if !validName(lib.Name) {
		return "", Error("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
	}
	if !strings.EqualFold(engine, "lua") {
		return "", Error("ERR Engine '" + engine + "' not found")
	}
	return lib.Code[len(line):], nil
}

// load runs the text of a library in an interpreter. With learn the library is told what it registered.
func (in *interpreter) load(lib *Library, run *Run, learn bool) error {
	fn := in.L.NewFunctionFromProto(lib.proto)
	fn.Env = in.env
	in.loading = lib
	if learn {
		lib.Functions = nil
	}
	var registered []Function
	in.register = func(f Function, callback *lua.LFunction) string {
		if slices.ContainsFunc(registered, func(other Function) bool { return strings.EqualFold(other.Name, f.Name) }) {
			return "ERR Function already exists in the library"
		}
		in.fns[f.Name] = function{callback}
		registered = append(registered, f)
		return ""
	}
	defer func() { in.loading, in.register = nil, nil }()
	if err := in.runChunk(fn, run); err != nil {
		return err
	}
	if learn {
		lib.Functions = registered
	}
	return nil
}

// loadAll loads libraries into an interpreter that has none.
func (in *interpreter) loadAll(libs *Libraries) error {
	if in.libs == libs {
		return nil
	}
	for _, lib := range libs.All {
		if err := in.load(lib, &Run{name: lib.Name}, false); err != nil {
			return err
		}
	}
	in.libs = libs
	return nil
}

const (
	errRegisterArgs  = "ERR wrong number of arguments to redis.register_function"
	errRegisterNamed = "ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
)

// registerFunction is redis.register_function: name and callback, or a table of named arguments.
func (in *interpreter) registerFunction(L *lua.LState) int {
	if in.loading == nil {
		return in.raise(L, "ERR redis.register_function can only be called on FUNCTION LOAD command")
	}
	var f Function
	var callback *lua.LFunction
	problem := ""
	switch L.GetTop() {
	case 1:
		t, ok := L.Get(1).(*lua.LTable)
		if !ok {
			return in.raise(L, errRegisterNamed)
		}
		f, callback, problem = namedArguments(t)
	case 2:
		name, ok := L.Get(1).(lua.LString)
		if !ok {
			return in.raise(L, "ERR first argument to redis.register_function must be a string")
		}
		if callback, ok = L.Get(2).(*lua.LFunction); !ok {
			return in.raise(L, "ERR second argument to redis.register_function must be a function")
		}
		f.Name = string(name)
	default:
		return in.raise(L, errRegisterArgs)
	}
	if problem == "" && !validName(f.Name) {
		problem = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
	}
	if problem == "" {
		problem = in.register(f, callback)
	}
	if problem != "" {
		return in.raise(L, problem)
	}
	return 0
}

func namedArguments(t *lua.LTable) (f Function, callback *lua.LFunction, problem string) {
	t.ForEach(func(k, v lua.LValue) {
		if problem != "" {
			return
		}
		key, ok := k.(lua.LString)
		if !ok {
			problem = "ERR named argument key given to redis.register_function is not a string"
			return
		}
		switch key {
		case "function_name":
			if v.Type() != lua.LTString {
				problem = "ERR function_name argument given to redis.register_function must be a string"
			}
			f.Name = lua.LVAsString(v)
		case "description":
			if v.Type() != lua.LTString {
				problem = "ERR description argument given to redis.register_function must be a string"
			}
			f.Description = lua.LVAsString(v)
		case "callback":
			if callback, ok = v.(*lua.LFunction); !ok {
				problem = "ERR callback argument given to redis.register_function must be a function"
			}
		case "flags":
			f.Flags, problem = flagList(v)
		default:
			problem = "ERR unknown argument given to redis.register_function"
		}
	})
	switch {
	case problem != "":
	case f.Name == "":
		problem = "ERR redis.register_function must get a function name argument"
	case callback == nil:
		problem = "ERR redis.register_function must get a callback argument"
	}
	return f, callback, problem
}

func flagList(v lua.LValue) (flags Flags, problem string) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return 0, "ERR flags argument to redis.register_function must be a table representing function flags"
	}
	for i := 1; t.RawGetInt(i) != lua.LNil; i++ {
		flag, ok := flagOf(lua.LVAsString(t.RawGetInt(i)))
		if !ok {
			return 0, "ERR unknown flag given"
		}
		flags |= flag
	}
	return flags, ""
}
