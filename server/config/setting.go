package config

import "strings"

// Kind says how the words of a directive are read and how its value is printed.
type Kind uint8

const (
	KindBool        Kind = iota // yes or no
	KindInt                     // a decimal integer in [Min, Max]
	KindOctal                   // an octal integer in [Min, Max]
	KindMemory                  // bytes, with the units b k kb m mb g gb
	KindPercent                 // KindMemory, or n% which is kept as −n
	KindEnum                    // one of Choices
	KindFlags                   // several of Choices
	KindText                    // one word, any bytes
	KindWords                   // a list of words
	KindSave                    // "save <seconds> <changes> …", adds up over lines
	KindBuffers                 // "client-output-buffer-limit <class> <hard> <soft> <seconds> …"
	KindNotify                  // classes of keyspace events
	KindHostPort                // "replicaof <host> <port>" or "no one"
	KindPercentiles             // list of floats in [0, 100]
	KindDir                     // an existing directory
)

// Flags of a row.
const (
	Immutable = 1 << iota // can only be set at start
	Hidden                // CONFIG GET names it only when asked for exactly
	Protected             // CONFIG SET needs enable-protected-configs
	Secret                // never printed by logs or docs examples
	Accepted              // known and checked, but without effect here: accepted with a warning
	Own                   // ours, not Redis's
)

// Setting is one row: a directive of redis.conf.
type Setting struct {
	Name     string
	Alias    string // Redis's older or newer name of the same setting, "" if none
	Kind     Kind
	Default  string // as CONFIG GET prints it
	Min, Max int64  // bounds of numbers, both included
	Choices  []string
	Flags    int
	Note     string // one sentence for docs/config.md
	Check    func(words []string) error
}

func (s *Setting) is(flag int) bool { return s.Flags&flag != 0 }

// Value is the parsed value of one setting. It is immutable.
type Value struct {
	Text  string   // as CONFIG GET prints it
	Int   int64    // Bool: 0 or 1; numbers; Enum: index in Choices; Flags: bit set of Choices
	Words []string // lists
}

// rows is the whole table in the order of the documentation; byName finds a
// row by its lower-case name or alias.
var (
	rows   = table()
	byName = index(rows)
)

func table() []Setting {
	var all []Setting
	for _, section := range Sections() {
		all = append(all, section.Settings...)
	}
	return all
}

func index(rows []Setting) map[string]int {
	names := make(map[string]int, 2*len(rows))
	for i := range rows {
		for _, name := range []string{rows[i].Name, rows[i].Alias} {
			if name == "" {
				continue
			}
			if _, twice := names[name]; twice {
				panic("config: two rows are called " + name)
			}
			names[name] = i
		}
	}
	return names
}

// find returns the row of a name, in any case.
func find(name string) (int, bool) {
	i, ok := byName[strings.ToLower(name)]
	return i, ok
}

// Section is a group of rows of docs/config.md.
type Section struct {
	Title    string
	Settings []Setting
}

// Sections returns all rows, grouped. The result must not be changed.
func Sections() []Section {
	return []Section{
		{"Network", network()},
		{"Process", process()},
		{"Memory and disk", memoryAndDisk()},
		{"Durability", durability()},
		{"Replication", replication()},
		{"Cluster", clusterSettings()},
		{"Security", security()},
		{"Clients and commands", clients()},
		{"Encodings", encodings()},
		{"TLS", tls()},
		{"Accepted without effect", accepted()},
	}
}

func yesno(name, def, note string) Setting {
	return Setting{Name: name, Kind: KindBool, Default: def, Note: note}
}

func number(name, def string, low, high int64, note string) Setting {
	return Setting{Name: name, Kind: KindInt, Default: def, Min: low, Max: high, Note: note}
}

func memory(name, def string, low int64, note string) Setting {
	return Setting{Name: name, Kind: KindMemory, Default: def, Min: low, Max: maxInt64, Note: note}
}

func plainText(name, def, note string) Setting {
	return Setting{Name: name, Kind: KindText, Default: def, Note: note}
}

func wordList(name, def, note string) Setting {
	return Setting{Name: name, Kind: KindWords, Default: def, Note: note}
}

func choice(name, def string, choices []string, note string) Setting {
	return Setting{Name: name, Kind: KindEnum, Default: def, Choices: choices, Note: note}
}

func (s Setting) alias(name string) Setting { s.Alias = name; return s }

func (s Setting) flag(flags int) Setting { s.Flags |= flags; return s }

func (s Setting) check(f func([]string) error) Setting { s.Check = f; return s }
