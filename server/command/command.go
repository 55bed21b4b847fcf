package command

import (
	"fmt"

	"cobble/server/words"
	"cobble/slots"
	"cobble/storage"
)

// Flags are a command's properties, as COMMAND INFO names them.
type Flags uint32

// The flags.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate // COMMAND INFO does not show it
	NoMandatoryKeys
	NoMulti
	MovableKeys
	AllowBusy
	NoAsyncLoading
	Protected

	mayWrite    Flags = 1 << 30 // a reading command that writes what it found where this node may write
	runsInMulti Flags = 1 << 31 // runs at once inside MULTI too, like EXEC; COMMAND INFO does not show it
)

// KeyFlags are the properties of a key specification.
type KeyFlags uint16

// The key flags, as COMMAND INFO names them.
const (
	KeyRO KeyFlags = 1 << iota
	KeyRW
	KeyOW
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	KeyNotKey
	KeyIncomplete
	KeyVariableFlags
)

// KeySpec says where keys are among the arguments (Redis "key specifications").
// Begin: Index ≥ 1, or after Keyword searched from StartFrom. Find: a range (Last,
// Step, Limit), or if KeyNum ≥ 0 a count at that offset followed by the keys.
type KeySpec struct {
	Flags             KeyFlags
	Index             int
	Keyword           string
	StartFrom         int
	Last, Step, Limit int
	KeyNum            int // -1: a range
	FirstKey          int // offset of the first key after the begin, with KeyNum

	// Search finds the only key of what Redis calls an unknown specification; 0 = there is none.
	Search func(args [][]byte) int

	mayBeEmpty bool // an empty argument at Index is no key (MIGRATE)
}

// Key is the specification of one key (or a run of them): arguments first to last
// (negative: from the end) in steps.
func Key(flags KeyFlags, first, last, step int) []KeySpec {
	if last >= 0 {
		last -= first
	}
	return []KeySpec{{Flags: flags, Index: first, Last: last, Step: step, KeyNum: -1}}
}

// Command is a row of the table. Rows are never changed after the table is built.
type Command struct {
	Name       string // lower case; "get", or for a subcommand "info" within "client"
	Arity      int    // as Redis: counts the name; negative = at least
	Flags      Flags
	Categories string // ACL categories beyond those that flags imply, "@string @fast"
	Keys       []KeySpec
	Group      string // "string", "generic", … as in COMMAND DOCS
	Since      string
	Summary    string
	Complexity string
	Tips       []string
	Sub        []Command // a container's subcommands

	// Run is the command on its keys. It runs with their slot locked, perhaps more
	// than once, so it must only read tx, write tx and write c.Out. An error undoes
	// the writes of tx and replaces what was written to c.Out.
	Run func(c *Call, tx *storage.Tx) error
	// Check looks at the arguments of a command with Run when its keys cannot be
	// found among them, for the error that Redis has then. Optional.
	Check func(c *Call) error
	// Serve is a command that is not about keys, or about all of them.
	Serve func(c *Call) error

	// addend returns what a command adds to the integer that a string holds, if it is one of those.
	addend func(args [][]byte) (int64, error)

	container  *Command
	channels   channelUse
	script     bool // it runs a script: keyed, but which keys and whether it writes shows only when it runs
	long       bool // it may take long, on its keys alone: then it goes on in pieces
	short      bool // it takes about as long as another of its name
	overwrites bool // it is SET, or adds
	index      int  // of its CommandStats
}

// keyed reports whether the command is about keys, so that it runs in a transaction of the engine.
func (c *Command) keyed() bool { return c.Run != nil || c.script }

// FullName is the name that COMMAND INFO prints: "client|info" for a subcommand.
func (c *Command) FullName() string {
	if c.container != nil {
		return c.container.Name + "|" + c.Name
	}
	return c.Name
}

// Error is an error reply: its text, with the code in front.
type Error string

func (e Error) Error() string { return string(e) }

// errorf is an error reply that quotes words of clients: as Redis does, to their first NUL.
func errorf(format string, args ...any) Error {
	for i, arg := range args {
		switch arg := arg.(type) {
		case []byte:
			args[i] = words.C(string(arg))
		case string:
			args[i] = words.C(arg)
		}
	}
	return Error(fmt.Sprintf(format, args...))
}

// quoted is at most n bytes of a word for errorf.
func quoted(word []byte, n int) []byte { return word[:min(len(word), n)] }

// Error replies that many commands share.
const (
	ErrSyntax     Error = "ERR syntax error"
	ErrNotInteger Error = "ERR value is not an integer or out of range"
	ErrNotFloat   Error = "ERR value is not a valid float"
	ErrOutOfRange Error = "ERR value is out of range"
	ErrNoKey      Error = "ERR no such key"
	ErrWrongType  Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
)

// ErrorText is the one function that turns an error into the text of an error reply.
func ErrorText(err error) string {
	switch err {
	case storage.ErrWrongType:
		return string(ErrWrongType)
	case storage.ErrNotInteger:
		return string(ErrNotInteger)
	case storage.ErrNotFloat:
		return string(ErrNotFloat)
	case storage.ErrOverflow:
		return "ERR increment or decrement would overflow"
	case storage.ErrNaN:
		return "ERR increment would produce NaN or Infinity"
	case storage.ErrScoreNaN:
		return "ERR resulting score is not a number (NaN)"
	case storage.ErrTooLarge:
		return "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	case storage.ErrRecordLimit:
		return "ERR the command or transaction changes more than one record of the log holds, nothing of it was applied"
	case storage.ErrNoKey:
		return string(ErrNoKey)
	case storage.ErrNotSketch:
		return "WRONGTYPE Key is not a valid HyperLogLog string value."
	case storage.ErrCorruptSketch:
		return "INVALIDOBJ Corrupted HLL object detected"
	case storage.ErrFollower:
		return "READONLY You can't write against a read only replica."
	case storage.ErrDiskFull:
		return "MISCONF Errors writing to the log: the disk is full. Commands that add data are disabled until space is freed."
	case storage.ErrDiskFails:
		return "MISCONF Errors writing to the log: the disk cannot be written, see the server's log. Commands that add data are disabled until it can be."
	}
	switch e := err.(type) {
	case Error:
		return string(e)
	case interface{ ReplyText() string }:
		return e.ReplyText()
	}
	if text := redirectText(err); text != "" {
		return text
	}
	return "ERR " + err.Error()
}

// redirectText returns the reply of Route's errors, which are replies as they stand.
func redirectText(err error) string {
	switch e := err.(type) {
	case *slots.Redirect:
		return e.Error()
	case slots.Unavailable:
		return e.Error()
	}
	return ""
}
