package command

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// manuals says of every command what COMMAND DOCS tells beyond its row, and is read when that is first asked. A line
// that begins with a name is a command and its arguments, those that begin with a tab belong to it: "syscmd",
// "deprecated VERSION INSTEAD", "note N TEXT" about its key specification N, "differs TEXT" (how the command
// differs from Redis 7.2 and why, for docs/commands.md only), or "VERSION WHAT CHANGED".
//
// An argument is
//
//	name:type [@keyspec] [=TOKEN] [~display] [^since] [!deprecated] [?] [*] [+] [(arguments)]
//
// without the blanks: ? is optional, * may come again, + repeats its token, too. Type "token" is Redis's pure-token,
// which stands for its name in capitals where no =TOKEN is given; "oneof" and "block" have arguments. TOKEN and display
// are quoted as in Go where they are not just letters, digits and "-".
//
//go:embed data/manuals.txt
var manuals string

// argument is one argument of a command as COMMAND DOCS tells of it.
type argument struct {
	name, kind        string
	keySpec           int // -1: none
	token             string
	hasToken          bool // a token may be empty
	display           string
	since, deprecated string
	flags             []string
	args              []argument // of a oneof or a block
}

// manual is what COMMAND DOCS says of one command beyond what its row knows.
type manual struct {
	args                   []argument
	history                [][2]string // version, what changed
	deprecated, replacedBy string
	system                 bool
	differs                string         // from Redis 7.2, and why
	notes                  map[int]string // by the index of a key specification
}

// docFlags are the doc_flags of COMMAND DOCS.
func (m *manual) docFlags() []string {
	switch {
	case m.deprecated != "":
		return []string{"deprecated"}
	case m.system:
		return []string{"syscmd"}
	}
	return nil
}

// note is what there is to say about key specification i; m may be nil.
func (m *manual) note(i int) string {
	if m == nil {
		return ""
	}
	return m.notes[i]
}

// manualOf finds the manual of a command, by its name as in COMMAND INFO; nil if there is none.
func manualOf(name string) *manual { return readManuals()[name] }

var readManuals = sync.OnceValue(func() map[string]*manual {
	all, err := parseManuals(manuals)
	if err != nil {
		panic(fmt.Sprintf("command: data/manuals.txt: %v", err))
	}
	return all
})

func parseManuals(text string) (map[string]*manual, error) {
	all := map[string]*manual{}
	var m *manual
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		word, rest, _ := strings.Cut(strings.TrimPrefix(line, "\t"), " ")
		var err error
		switch {
		case !strings.HasPrefix(line, "\t"):
			if all[word] != nil {
				return nil, fmt.Errorf("line %d: %s has two manuals", n+1, word)
			}
			m = &manual{}
			all[word] = m
			m.args, err = parseArguments(rest)
		case m == nil:
			err = fmt.Errorf("no command")
		case word == "syscmd":
			m.system = true
		case word == "deprecated":
			m.deprecated, m.replacedBy, _ = strings.Cut(rest, " ")
		case word == "differs":
			m.differs = rest
		case word == "note":
			err = m.addNote(rest)
		default:
			m.history = append(m.history, [2]string{word, rest})
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return all, nil
}

func (m *manual) addNote(text string) error {
	number, note, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	if m.notes == nil {
		m.notes = map[int]string{}
	}
	m.notes[n] = note
	return err
}

func parseArguments(text string) ([]argument, error) {
	p := argumentParser{rest: text}
	args := p.list()
	if p.err == nil && p.rest != "" {
		p.fail("a parenthesis too many")
	}
	return args, p.err
}

// argumentParser reads a list of arguments; rest is what it has not read.
type argumentParser struct {
	rest string
	err  error
}

func (p *argumentParser) fail(why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s before %q", why, p.rest)
	}
	p.rest = ""
}

// list reads arguments to the end, or to the parenthesis that closes them.
func (p *argumentParser) list() []argument {
	var all []argument
	for p.rest != "" && p.rest[0] != ')' {
		all = append(all, p.argument())
		p.rest = strings.TrimPrefix(p.rest, " ")
	}
	return all
}

func (p *argumentParser) has(mark string) bool {
	rest, ok := strings.CutPrefix(p.rest, mark)
	if ok {
		p.rest = rest
	}
	return ok
}

// word reads letters, digits, "-" and ".", or a quoted string.
func (p *argumentParser) word() string {
	if quoted, err := strconv.QuotedPrefix(p.rest); err == nil {
		p.rest = p.rest[len(quoted):]
		text, _ := strconv.Unquote(quoted)
		return text
	}
	end := strings.IndexFunc(p.rest, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.'
	})
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		p.fail("no word")
		return ""
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

var argumentTypes = map[string]string{
	"string": "string", "integer": "integer", "double": "double", "key": "key", "pattern": "pattern",
	"unix-time": "unix-time", "token": "pure-token", "oneof": "oneof", "block": "block",
}

func (p *argumentParser) argument() argument {
	a := argument{name: p.word(), keySpec: -1}
	if !p.has(":") {
		p.fail("no type")
	}
	word := p.word()
	if a.kind = argumentTypes[word]; a.kind == "" {
		p.fail("no type is called " + word)
	}
	compound := a.kind == "oneof" || a.kind == "block"
	if p.has("@") {
		n, err := strconv.Atoi(p.word())
		if err != nil {
			p.fail("no number of a key specification")
		}
		a.keySpec = n
	}
	if p.has("=") {
		a.hasToken, a.token = true, p.word()
	} else if a.kind == "pure-token" {
		a.hasToken, a.token = true, strings.ToUpper(a.name)
	}
	if !compound {
		a.display = a.name
	}
	if p.has("~") {
		a.display = p.word()
	}
	if p.has("^") {
		a.since = p.word()
	}
	if p.has("!") {
		a.deprecated = p.word()
	}
	for _, f := range [...][2]string{{"?", "optional"}, {"*", "multiple"}, {"+", "multiple_token"}} {
		if p.has(f[0]) {
			a.flags = append(a.flags, f[1])
		}
	}
	if compound {
		if !p.has("(") {
			p.fail("no arguments")
		}
		a.args = p.list()
		if !p.has(")") {
			p.fail("no closing parenthesis")
		}
	}
	return a
}
