package command

import (
	"encoding/json"
	"strings"

	"cobble/server/script"
	"cobble/storage/dump"
)

// sharedFunctions is the shared value of the engine that holds the codes of all libraries, as a JSON list of strings.
const sharedFunctions = "functions"

// functions returns the libraries as the shard has them: a replica's change when its primary's do.
func (e *Env) functions() (*script.Libraries, error) {
	s := &e.Scripts
	version := e.Engine.SharedVersion()
	if l := s.libraries.Load(); l != nil && s.version.Load() == version {
		return l, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	return e.readFunctions()
}

// readFunctions compiles what the engine has. loading is held.
func (e *Env) readFunctions() (*script.Libraries, error) {
	s := &e.Scripts
	version := e.Engine.SharedVersion()
	if l := s.libraries.Load(); l != nil && s.version.Load() == version {
		return l, nil
	}
	codes, err := libraryCodes(e.Engine.Shared(sharedFunctions))
	if err != nil {
		return nil, Error("ERR The stored functions cannot be read: " + err.Error())
	}
	libs, err := librariesOf(codes, nil)
	if err != nil {
		return nil, err
	}
	s.libraries.Store(libs)
	s.version.Store(version)
	return libs, nil
}

// libraryCodes reads the shared value of the functions, nil if there are none.
func libraryCodes(value []byte) (codes []string, err error) {
	if value != nil {
		err = json.Unmarshal(value, &codes)
	}
	return codes, err
}

func librariesOf(codes []string, watch func(*script.Run)) (*script.Libraries, error) {
	var all []*script.Library
	for _, code := range codes {
		lib, err := script.LoadLibrary([]byte(code), watch)
		if err != nil {
			return nil, err
		}
		all = append(all, lib)
	}
	return script.NewLibraries(all)
}

// changeFunctions replaces the libraries by what change makes of them, for the shard and for good.
func (c *Call) changeFunctions(change func(*script.Libraries) (*script.Libraries, error)) error {
	s := &c.Env.Scripts
	s.loading.Lock()
	defer s.loading.Unlock()
	old, err := c.Env.readFunctions()
	if err != nil {
		old, _ = script.NewLibraries(nil) // what cannot be read can at least be replaced
	}
	libs, err := change(old)
	if err != nil {
		return err
	}
	var value []byte
	if len(libs.All) > 0 {
		codes := make([]string, len(libs.All))
		for i, lib := range libs.All {
			codes[i] = lib.Code
		}
		if value, err = json.Marshal(codes); err != nil {
			return err
		}
	}
	lsn, err := c.Env.Engine.SetShared(c.Now, sharedFunctions, value)
	if err != nil {
		return err
	}
	c.LSN = max(c.LSN, lsn)
	s.libraries.Store(libs)
	s.version.Store(c.Env.Engine.SharedVersion())
	return nil
}

// findFunction finds what FCALL is to run, and whether it may run now.
const errNoFunction Error = "ERR Function not found"

func (c *Call) findFunction(s *scripted) error {
	libs, err := c.Env.functions()
	if err != nil {
		return err
	}
	lib, f := libs.Find(string(c.Args[1]))
	if lib == nil {
		return errNoFunction
	}
	s.library, s.function, s.flags = libs, f, f.Flags
	return c.scriptMayRun(s)
}

func functionSubcommands() []Command {
	const write = NoScript | Write
	everyShard := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []Command{
		{Name: "delete", Arity: 3, Flags: write, Since: "7.0.0", Tips: everyShard, Complexity: "O(1)", Summary: "Deletes a library and its functions.", Serve: functionDelete},
		{Name: "dump", Arity: 2, Flags: NoScript, Since: "7.0.0", Complexity: "O(N) where N is the number of functions",
			Summary: "Returns all libraries in a form that FUNCTION RESTORE takes.", Serve: functionDump},
		{Name: "flush", Arity: -2, Flags: write, Since: "7.0.0", Tips: everyShard, Complexity: "O(N) where N is the number of functions deleted",
			Summary: "Deletes all libraries and functions.", Serve: functionFlush},
		{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "7.0.0", Complexity: "O(1)", Summary: "Returns helpful text about the different subcommands.",
			Serve: helpOf("FUNCTION", functionHelp)},
		{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Since: "7.0.0", Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"},
			Complexity: "O(1)", Summary: "Stops functions that run too long, without a trace of what they did.", Serve: killScripts},
		{Name: "list", Arity: -2, Flags: NoScript, Since: "7.0.0", Tips: []string{"nondeterministic_output_order"}, Complexity: "O(N) where N is the number of functions",
			Summary: "Returns what libraries and functions there are.", Serve: functionList},
		{Name: "load", Arity: -3, Flags: write | DenyOOM, Since: "7.0.0", Tips: everyShard, Complexity: "O(1) (considering compilation time is redundant)",
			Summary: "Adds a library.", Serve: functionLoad},
		{Name: "restore", Arity: -3, Flags: write | DenyOOM, Since: "7.0.0", Tips: everyShard, Complexity: "O(N) where N is the number of functions on the payload",
			Summary: "Adds the libraries of a payload that FUNCTION DUMP made.", Serve: functionRestore},
		{Name: "stats", Arity: 2, Flags: NoScript | AllowBusy, Since: "7.0.0", Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Complexity: "O(1)", Summary: "Returns what function runs, and how many there are.", Serve: functionStats},
	}
}

// functionsWritable refuses a change on a replica, in Redis's words.
func (c *Call) functionsWritable() error {
	if c.view().Enabled && c.Env.Engine.Follower() {
		return Error("READONLY You can't write against a read only replica.")
	}
	return nil
}

func functionLoad(c *Call) error {
	if err := c.functionsWritable(); err != nil {
		return err
	}
	at, replace := 2, false
	for ; at < len(c.Args)-1; at++ {
		if !equalFold(c.Args[at], "replace") {
			return errorf("ERR Unknown option given: %s", c.Args[at])
		}
		replace = true
	}
	if name, err := script.LibraryName(c.Args[at]); err == nil && !replace { // which is told before what does not compile
		if libs, err := c.Env.functions(); err == nil && libs.Library(name) != nil {
			return Error("ERR Library '" + name + "' already exists")
		}
	}
	lib, err := script.LoadLibrary(c.Args[at], c.limitLoad())
	if err != nil {
		return err
	}
	err = c.changeFunctions(func(old *script.Libraries) (*script.Libraries, error) {
		if old.Library(lib.Name) != nil && !replace {
			return nil, Error("ERR Library '" + lib.Name + "' already exists")
		}
		return old.With(lib)
	})
	if err != nil {
		return err
	}
	c.Out.BulkString(lib.Name)
	return nil
}

// limitLoad bounds how long the text of a library may run, as Redis does: half a second.
func (c *Call) limitLoad() func(*script.Run) {
	return func(run *script.Run) {
		began := c.Env.Process.Nanos()
		go func() {
			for !run.Over() {
				if c.Env.Process.Nanos()-began > 500_000_000 {
					run.Stop(Error("ERR FUNCTION LOAD timeout"))
					return
				}
				<-c.Env.Process.After(10)
			}
		}()
	}
}

func functionDelete(c *Call) error {
	if err := c.functionsWritable(); err != nil {
		return err
	}
	name := string(c.Args[2])
	err := c.changeFunctions(func(old *script.Libraries) (*script.Libraries, error) {
		if old.Library(name) == nil {
			return nil, Error("ERR Library not found")
		}
		return old.Without(name), nil
	})
	if err == nil {
		c.Out.OK()
	}
	return err
}

func functionFlush(c *Call) error {
	if len(c.Args) > 3 {
		return c.badSubcommand()
	}
	if len(c.Args) == 3 && !equalFold(c.Args[2], "async") && !equalFold(c.Args[2], "sync") {
		return Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	}
	if err := c.functionsWritable(); err != nil {
		return err
	}
	err := c.changeFunctions(func(*script.Libraries) (*script.Libraries, error) { return script.NewLibraries(nil) })
	if err == nil {
		c.Out.OK()
	}
	return err
}

func functionDump(c *Call) error {
	libs, err := c.Env.functions()
	if err != nil {
		return err
	}
	var codes []string
	for _, lib := range libs.All {
		codes = append(codes, lib.Code)
	}
	c.Out.Bulk(dump.AppendFunctions(nil, codes))
	return nil
}

func functionRestore(c *Call) error {
	policy := "append"
	if len(c.Args) > 4 {
		return c.badSubcommand()
	}
	if len(c.Args) == 4 {
		policy = strings.ToLower(string(c.Args[3]))
		if policy != "append" && policy != "replace" && policy != "flush" {
			return Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
		}
	}
	codes, err := dump.DecodeFunctions(c.Args[2])
	switch {
	case err == dump.ErrChecksum:
		return Error("ERR DUMP payload version or checksum are wrong")
	case err != nil:
		return Error("ERR given type is not a function")
	}
	if err := c.functionsWritable(); err != nil {
		return err
	}
	var added []*script.Library
	for _, code := range codes {
		lib, err := script.LoadLibrary(code, c.limitLoad())
		if err != nil {
			return err
		}
		added = append(added, lib)
	}
	err = c.changeFunctions(func(libs *script.Libraries) (*script.Libraries, error) {
		if policy == "flush" {
			return script.NewLibraries(added)
		}
		var err error
		for _, lib := range added {
			if policy == "append" && libs.Library(lib.Name) != nil {
				return nil, Error("ERR Library " + lib.Name + " already exists")
			}
			if libs, err = libs.With(lib); err != nil {
				return nil, err
			}
		}
		return libs, nil
	})
	if err == nil {
		c.Out.OK()
	}
	return err
}

func functionList(c *Call) error {
	code, named, pattern := false, false, ""
	for i := 2; i < len(c.Args); i++ {
		switch {
		case !code && equalFold(c.Args[i], "withcode"):
			code = true
		case !named && equalFold(c.Args[i], "libraryname"):
			named = true
			if i++; i == len(c.Args) {
				return Error("ERR library name argument was not given")
			}
			pattern = string(c.Args[i])
		default:
			return errorf("ERR Unknown argument %s", c.Args[i])
		}
	}
	libs, err := c.Env.functions()
	if err != nil {
		return err
	}
	var shown []*script.Library
	for _, lib := range libs.All {
		if !named || matchFold(pattern, lib.Name) {
			shown = append(shown, lib)
		}
	}
	c.Out.Array(len(shown))
	for _, lib := range shown {
		c.listLibrary(lib, code)
	}
	return nil
}

func (c *Call) listLibrary(lib *script.Library, code bool) {
	fields := 3
	if code {
		fields++
	}
	c.Out.Map(fields)
	c.Out.BulkString("library_name")
	c.Out.BulkString(lib.Name)
	c.Out.BulkString("engine")
	c.Out.BulkString("LUA")
	c.Out.BulkString("functions")
	c.Out.Array(len(lib.Functions))
	for _, f := range lib.Functions {
		c.Out.Map(3)
		c.Out.BulkString("name")
		c.Out.BulkString(f.Name)
		c.Out.BulkString("description")
		if f.Description == "" {
			c.Out.Null()
		} else {
			c.Out.BulkString(f.Description)
		}
		c.Out.BulkString("flags")
		names := f.Flags.Names()
		c.Out.Set(len(names))
		for _, name := range names {
			c.Out.Status(name)
		}
	}
	if code {
		c.Out.BulkString("library_code")
		c.Out.BulkString(lib.Code)
	}
}

func functionStats(c *Call) error {
	libs, err := c.Env.functions()
	if err != nil {
		return err
	}
	c.Out.Map(2)
	c.Out.BulkString("running_script")
	if r := c.Env.Scripts.running(); r != nil {
		c.Out.Map(3)
		c.Out.BulkString("name")
		c.Out.BulkString(r.name)
		c.Out.BulkString("command")
		c.Out.Array(len(r.args))
		for _, arg := range r.args {
			c.Out.BulkString(arg)
		}
		c.Out.BulkString("duration_ms")
		c.Out.Int((c.Env.Process.Nanos() - r.began) / 1_000_000)
	} else {
		c.Out.Null()
	}
	c.Out.BulkString("engines")
	c.Out.Map(1)
	c.Out.BulkString("LUA")
	c.Out.Map(2)
	c.Out.BulkString("libraries_count")
	c.Out.Int(int64(len(libs.All)))
	c.Out.BulkString("functions_count")
	c.Out.Int(int64(len(libs.Owner)))
	return nil
}

// running returns the function that runs for the longest time, or nil.
func (s *Scripts) running() (first *scriptRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.runs {
		if r.fcall && (first == nil || r.began < first.began) {
			first = r
		}
	}
	return first
}

const functionHelp = `
LOAD [REPLACE] <FUNCTION CODE>
    Create a new library with the given library name and code.
DELETE <LIBRARY NAME>
    Delete the given library.
LIST [LIBRARYNAME PATTERN] [WITHCODE]
    Return general information on all the libraries:
    * Library name
    * The engine used to run the Library
    * Library description
    * Functions list
    * Library code (if WITHCODE is given)
    It also possible to get only function that matches a pattern using LIBRARYNAME argument.
STATS
    Return information about the current function running:
    * Function name
    * Command used to run the function
    * Duration in MS that the function is running
    If no function is running, return nil
    In addition, returns a list of available engines.
KILL
    Kill the current running function.
FLUSH [ASYNC|SYNC]
    Delete all the libraries.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the libraries.
    * SYNC: Synchronously flush the libraries.
DUMP
    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command
RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]
    Restore the libraries represented by the given payload, it is possible to give a restore policy to
    control how to handle existing libraries (default APPEND):
    * FLUSH: delete all existing libraries.
    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.
    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old
      libraries with the new libraries (notice that even on this option there is a chance of failure
      in case of functions name collision with another library).`
