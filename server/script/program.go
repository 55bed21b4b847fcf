package script

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Flags are what a script says of itself in its first line, or a function when it is registered.
type Flags uint8

// The flags, as Redis names them.
const (
	NoWrites       Flags = 1 << iota // no-writes
	AllowOOM                         // allow-oom
	AllowStale                       // allow-stale
	NoCluster                        // no-cluster
	AllowCrossSlot                   // allow-cross-slot-keys
)

var flagNames = []string{"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"}

// Names returns the names of the flags that are set.
func (f Flags) Names() (names []string) {
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func flagOf(name string) (Flags, bool) {
	for i, known := range flagNames {
		if name == known {
			return 1 << i, true
		}
	}
	return 0, false
}

// Program is a compiled script. It is immutable, and shared by all interpreters.
type Program struct {
	SHA     string // SHA-1 of the text, 40 hex digits
	Body    string
	Flags   Flags
	Shebang bool // the text has a first line that says what it is; without one it may do as scripts always could
	// Slow is set once the script has taken longer than a server that does other work meanwhile can wait.
	Slow  atomic.Bool
	proto *lua.FunctionProto
}

// SHA1 returns the name of a script.
func SHA1(body []byte) string {
	sum := sha1.Sum(body)
	return hex.EncodeToString(sum[:])
}

// Error is an error whose text is the reply.
type Error string

func (e Error) Error() string { return string(e) }

// ReplyText is the reply.
func (e Error) ReplyText() string { return string(e) }

// Compile makes a program of a script's text. The error is the reply.
func Compile(body []byte) (*Program, error) {
	p := &Program{SHA: SHA1(body), Body: string(body)}
	source := p.Body
	if strings.HasPrefix(source, "#!") {
		p.Shebang = true
		line, _, found := strings.Cut(source, "\n")
		if !found {
			return nil, Error("ERR Invalid script shebang")
		}
		if err := p.shebang(line); err != nil {
			return nil, err
		}
		source = source[len(line):] // the line end stays, so that lines are counted as the user does
	}
	proto, err := compile(source, "user_script")
	if err != nil {
		return nil, Error("ERR Error compiling script (new function): " + err.Error())
	}
	p.proto = proto
	return p, nil
}

// shebang reads "#!lua flags=a,b".
func (p *Program) shebang(line string) error {
	words := strings.Fields(line)
	if words[0] != "#!lua" {
		return Error("ERR Unexpected engine in script shebang: " + words[0])
	}
	for _, word := range words[1:] {
		list, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			return Error("ERR Unknown lua shebang option: " + word)
		}
		for _, name := range strings.Split(list, ",") {
			if name == "" {
				continue
			}
			flag, ok := flagOf(name)
			if !ok {
				return Error("ERR Unexpected flag in script shebang: " + name)
			}
			p.Flags |= flag
		}
	}
	return nil
}

// compile parses Lua and words its errors as Lua does: "name:line: what near 'token'".
func compile(source, name string) (*lua.FunctionProto, error) {
	chunk, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		if e, ok := err.(*parse.Error); ok {
			token := e.Token
			if e.Pos.Line == parse.EOF || token == "" {
				token = "<eof>"
			}
			line := e.Pos.Line
			if line < 1 {
				line = strings.Count(source, "\n") + 1
			}
			return nil, fmt.Errorf("%s:%d: %s near '%s'", name, line, syntaxMessage(e.Message), token)
		}
		return nil, fmt.Errorf("%s:1: %s", name, trimmedLine(err.Error()))
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, fmt.Errorf("%s", trimmedLine(err.Error()))
	}
	return proto, nil
}

func syntaxMessage(text string) string {
	if text == "" || text == "syntax error" {
		return "unexpected symbol"
	}
	return trimmedLine(text)
}

var spaces = strings.NewReplacer("\n", " ", "\r", " ")

// oneLine makes a text fit for a reply, as Redis does: byte for byte.
func oneLine(text string) string { return spaces.Replace(text) }

// trimmedLine does so with a text of the interpreter, which may end with an empty line.
func trimmedLine(text string) string { return oneLine(strings.TrimSpace(text)) }
