package script

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/resp"
	"cobble/server/words"
)

// Host is the server as a script sees it. Its methods are called from within Run.Program and Run.Function, by the
// same goroutine.
type Host interface {
	// Command runs a command and returns its reply in RESP of the given version, valid until the next call. An error
	// is not a reply: it ends the script, whatever the script does to catch it, and is what the run returns.
	Command(args [][]byte, proto int) (reply []byte, err error)
	// MayCall reports whether the client's user may call a command.
	MayCall(args [][]byte) (bool, error)
	// Log writes a line into the server's log. Level is 0 (debug) to 3 (warning).
	Log(level int, text string)
}

// Run is one run of a script. It must not be used again.
type Run struct {
	Host Host
	Keys [][]byte
	Args [][]byte

	name  string // as errors name it
	proto int    // of the replies that redis.call returns
	stop  error  // ends the script
	end   context.CancelCauseFunc
	mu    sync.Mutex
	over  bool
}

// Stop ends the script with an error, from any goroutine. A script that is already over does not notice.
func (r *Run) Stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.stop != nil {
		return
	}
	r.stop = err
	if r.end != nil {
		r.end(err)
	}
}

// Over reports whether the script has ended. Any goroutine may ask.
func (r *Run) Over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

func (r *Run) stopped() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop
}

// Program runs a program and writes what it returns to out. An error is what stopped it; an error that the script made
// itself is a reply, and is returned as Error.
func (r *Run) Program(s *Store, p *Program, out *resp.Writer) error {
	in := s.take(nil)
	fn := in.L.NewFunctionFromProto(p.proto)
	fn.Env = in.env
	in.globals.RawSetString("KEYS", in.list(r.Keys))
	in.globals.RawSetString("ARGV", in.list(r.Args))
	r.name = p.SHA
	err, sound := r.call(in, fn, nil, out)
	in.globals.RawSetString("KEYS", lua.LNil)
	in.globals.RawSetString("ARGV", lua.LNil)
	if sound {
		s.give(nil, in)
	}
	return err
}

// Function runs a function of a library; name must be in libs.
func (r *Run) Function(s *Store, libs *Libraries, name string, out *resp.Writer) error {
	in := s.take(libs)
	if err := in.loadAll(libs); err != nil {
		return err
	}
	r.name = name
	err, sound := r.call(in, in.fns[name].callback, []lua.LValue{in.list(r.Keys), in.list(r.Args)}, out)
	if sound {
		s.give(libs, in)
	}
	return err
}

// runChunk runs the text of a library. The error is the reply.
func (in *interpreter) runChunk(fn *lua.LFunction, run *Run) error {
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	run.mu.Lock()
	run.end = end
	run.mu.Unlock()
	in.L.SetContext(ctx)
	in.L.Push(fn)
	failed := in.protected(0, 0)
	in.L.RemoveContext()
	in.L.SetTop(0)
	run.mu.Lock()
	run.over = true
	run.mu.Unlock()
	if err := run.stopped(); err != nil {
		return err
	}
	if failed != nil {
		return Error("ERR Error registering functions: " + registerFailure(failed))
	}
	return nil
}

func registerFailure(failed error) string {
	e, ok := failed.(*lua.ApiError)
	if !ok {
		return trimmedLine(failed.Error())
	}
	if t, isTable := e.Object.(*lua.LTable); isTable {
		return oneLine(lua.LVAsString(t.RawGetString("err")))
	}
	return "ERR " + trimmedLine(lua.LVAsString(e.Object))
}

// call runs a Lua function to its end. sound says that the interpreter may be used again.
func (r *Run) call(in *interpreter, fn *lua.LFunction, args []lua.LValue, out *resp.Writer) (err error, sound bool) {
	L := in.L
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	r.mu.Lock()
	r.end, r.proto = end, 2
	stopped := r.stop
	r.mu.Unlock()
	if stopped != nil {
		return stopped, true
	}
	L.SetContext(ctx)
	in.run, in.raised = r, place{}
	L.Push(fn)
	for _, arg := range args {
		L.Push(arg)
	}
	failed := in.protected(len(args), 1)
	L.RemoveContext()
	in.run = nil
	r.mu.Lock()
	r.over = true
	stopped = r.stop
	r.mu.Unlock()
	switch {
	case stopped != nil:
		return stopped, false
	case failed != nil:
		return r.failure(in, failed), false
	}
	value := L.Get(-1)
	L.SetTop(0)
	return reply(L, out, value, r.proto, 0), true
}

// failure words an error that the script raised, as Redis does: what, in which script, where.
func (r *Run) failure(in *interpreter, failed error) error {
	at := in.raised
	text := ""
	e, ok := failed.(*lua.ApiError)
	switch {
	case !ok:
		text = "ERR " + trimmedLine(failed.Error())
	default:
		if t, isTable := e.Object.(*lua.LTable); isTable {
			said, isText := t.RawGetString("err").(lua.LString)
			if line, ok := t.RawGetString("line").(lua.LNumber); ok {
				at = place{lua.LVAsString(t.RawGetString("source")), int(line)}
			}
			if text = words.C(string(said)); !isText {
				text = "ERR unknown error"
			}
			break
		}
		if text = lua.LVAsString(e.Object); text == "" {
			text = trimmedLine(e.Error())
		}
		text = "ERR " + words.C(text)
	}
	text = badArgument.ReplaceAllString(oneLine(text), "bad argument #$1 to '$2' (")
	if at.line == 0 {
		return Error(fmt.Sprintf("%s script: %s", text, r.name))
	}
	return Error(fmt.Sprintf("%s script: %s, on @%s:%d.", text, r.name, strings.TrimPrefix(at.source, "@"), at.line))
}

// protected is PCall that also survives a stack which is too full even for the error handler.
func (in *interpreter) protected(args, results int) (failed error) {
	defer func() {
		if problem := recover(); problem != nil {
			failed = fmt.Errorf("%v", problem)
		}
	}()
	return in.L.PCall(args, results, in.handler)
}

// badArgument is how the library words what Lua says with quotes.
var badArgument = regexp.MustCompile(`bad argument #(\d+) to ([^\s']+) \(`)

func (in *interpreter) list(values [][]byte) *lua.LTable {
	t := in.L.CreateTable(len(values), 0)
	for i, v := range values {
		t.RawSetInt(i+1, lua.LString(v))
	}
	return t
}

// Store keeps compiled scripts and idle interpreters. Its methods may be called from any goroutine.
type Store struct {
	mu       sync.Mutex
	programs map[string]*Program
	loaded   map[string]bool // by SCRIPT LOAD: not dropped when there are too many
	order    []string        // of programs that only EVAL brought, oldest first
	bytes    int64
	idle     []*interpreter
	idleLibs []*interpreter // with the libraries of idleOf loaded
	idleOf   *Libraries
}

const (
	maxIdle     = 16
	maxPrograms = 500 // that only EVAL brought
)

// take returns an interpreter, for libs if they are not nil.
func (s *Store) take(libs *Libraries) *interpreter {
	s.mu.Lock()
	defer s.mu.Unlock()
	pool := &s.idle
	if libs != nil {
		if s.idleOf != libs {
			s.idleOf, s.idleLibs = libs, nil
		}
		pool = &s.idleLibs
	}
	if n := len(*pool); n > 0 {
		in := (*pool)[n-1]
		*pool = (*pool)[:n-1]
		return in
	}
	return newInterpreter()
}

func (s *Store) give(libs *Libraries, in *interpreter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case libs == nil && len(s.idle) < maxIdle:
		s.idle = append(s.idle, in)
	case libs != nil && s.idleOf == libs && len(s.idleLibs) < maxIdle:
		s.idleLibs = append(s.idleLibs, in)
	}
}

// Get returns the program of that SHA-1 (in any case), or nil.
func (s *Store) Get(sha string) *Program {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.programs[strings.ToLower(sha)]
}

// Put returns the program of a text, compiled if it is new. Programs that were loaded on purpose stay until Flush; of
// those that only ran once the oldest give way.
func (s *Store) Put(body []byte, load bool) (*Program, error) {
	sha := SHA1(body)
	s.mu.Lock()
	p := s.programs[sha]
	s.mu.Unlock()
	if p == nil {
		var err error
		if p, err = Compile(body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.programs == nil {
		s.programs, s.loaded = map[string]*Program{}, map[string]bool{}
	}
	if s.programs[sha] == nil {
		s.programs[sha] = p
		s.bytes += int64(len(p.Body))
		s.order = append(s.order, sha)
	}
	if load {
		s.loaded[sha] = true
	}
	s.trim()
	return p, nil
}

func (s *Store) trim() {
	for len(s.order) > maxPrograms {
		oldest := s.order[0]
		s.order = s.order[1:]
		if !s.loaded[oldest] {
			s.bytes -= int64(len(s.programs[oldest].Body))
			delete(s.programs, oldest)
		}
	}
}

// Flush forgets all programs.
func (s *Store) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programs, s.loaded, s.order, s.bytes, s.idle = nil, nil, nil, 0, nil
}

// Usage returns how many programs are kept, and the bytes of their texts.
func (s *Store) Usage() (programs int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.programs), s.bytes
}
