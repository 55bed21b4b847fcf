package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"cobble/server/words"
)

// Config is the current value of every setting. Reading is lock-free and safe
// from any goroutine; Load is for the start, before the Config is shared.
type Config struct {
	values []atomic.Pointer[Value] // parallel to rows; never nil

	mu       sync.Mutex // serialises Set and Rewrite
	watchers []watcher

	file     string // absolute path of the config file, "" without one
	repeated map[string][][]string
	warnings []string

	checks   map[string]func([]string) error // of repeated directives
	rewrites map[string]func() ([][]string, error)
}

type watcher struct {
	row   int
	apply func(Value) error
}

// New returns the defaults.
func New() *Config {
	c := &Config{
		values: make([]atomic.Pointer[Value], len(rows)), repeated: map[string][][]string{},
		checks: map[string]func([]string) error{}, rewrites: map[string]func() ([][]string, error){},
	}
	for i := range rows {
		c.values[i].Store(rows[i].defaultValue())
	}
	return c
}

func (s *Setting) defaultValue() *Value {
	if s.Kind == KindDir {
		here, err := filepath.Abs(s.Default)
		if err != nil {
			here = s.Default
		}
		return &Value{Text: here}
	}
	v, err := s.parse([]string{s.Default}, nil)
	if err != nil {
		panic("config: default of " + s.Name + ": " + err.Error())
	}
	return v
}

// value panics on a name that is in no row: that is a bug of the caller.
func (c *Config) value(name string) *Value {
	row, ok := byName[name]
	if !ok {
		panic("config: no setting is called " + name)
	}
	return c.values[row].Load()
}

// Bool reads a KindBool setting.
func (c *Config) Bool(name string) bool { return c.value(name).Int != 0 }

// Int reads a number, in the unit its row states.
func (c *Config) Int(name string) int64 { return c.value(name).Int }

// Text reads a setting as CONFIG GET prints it.
func (c *Config) Text(name string) string { return c.value(name).Text }

// Words reads a list. The result must not be changed.
func (c *Config) Words(name string) []string { return c.value(name).Words }

// Path reads a setting that is a path: relative ones start at dir. An empty
// setting stays empty.
func (c *Config) Path(name string) string {
	path := c.Text(name)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Text("dir"), path)
}

// Bytes reads a KindPercent setting; total is what 100 % stands for.
func (c *Config) Bytes(name string, total int64) int64 {
	n := c.Int(name)
	if n < 0 {
		return total / 100 * -n
	}
	return n
}

// File returns the absolute path of the config file, "" if there is none.
func (c *Config) File() string { return c.file }

// Repeated returns the words behind each line of a directive that is not a
// setting: user, rename-command, loadmodule.
func (c *Config) Repeated(directive string) [][]string { return c.repeated[directive] }

// CheckLines has check called with the words behind each line of a repeated directive
// when it is read; an error refuses the line. It must come before Load.
func (c *Config) CheckLines(directive string, check func(words []string) error) {
	c.checks[directive] = check
}

// RewriteLines has Rewrite replace the lines of a repeated directive by those whose
// words lines returns. It must come before the Config is shared.
func (c *Config) RewriteLines(directive string, lines func() ([][]string, error)) {
	c.rewrites[directive] = lines
}

// Warnings returns what the log should say about directives that were accepted without effect.
func (c *Config) Warnings() []string { return c.warnings }

// Watch has apply called with the new value whenever CONFIG SET changes name.
// An error from apply refuses the change and names the setting. apply runs on
// the goroutine of Set, one at a time; it must not call Set.
func (c *Config) Watch(name string, apply func(Value) error) {
	row, ok := byName[name]
	if !ok {
		panic("config: no setting is called " + name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, watcher{row, apply})
}

// Pair is a setting and its value as text.
type Pair struct{ Name, Value string }

// Get returns the settings that patterns name, by name or by alias, each once. A
// pattern without * ? [ is a name in any case, is printed as it was given, and
// finds hidden settings too; others are matched by match, without regard to case.
func (c *Config) Get(patterns []string, match func(pattern, name string) bool) []Pair {
	var found []Pair
	seen := map[string]bool{}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?[") {
			if row, ok := find(pattern); ok && !seen[strings.ToLower(pattern)] {
				seen[strings.ToLower(pattern)] = true
				found = append(found, Pair{pattern, c.values[row].Load().Text})
			}
			continue
		}
		for i := range rows {
			for _, name := range []string{rows[i].Name, rows[i].Alias} {
				if name == "" || rows[i].is(Hidden) || seen[name] || !match(pattern, name) {
					continue
				}
				seen[name] = true
				found = append(found, Pair{name, c.values[i].Load().Text})
			}
		}
	}
	return found
}

// SetError is CONFIG SET's refusal; Error is Redis's text without "ERR ".
type SetError struct{ Name, Reason string }

func (e *SetError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("Unknown option or number of arguments for CONFIG SET - '%s'", words.C(e.Name))
	}
	return fmt.Sprintf("CONFIG SET failed (possibly related to argument '%s') - %s", e.Name, e.Reason)
}

// Set changes all of pairs or none. allowProtected is whether this client may
// change protected settings. The error is a *SetError.
func (c *Config) Set(pairs []Pair, allowProtected bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := make([]int, 0, len(pairs))
	for _, p := range pairs {
		row, ok := find(p.Name)
		if !ok {
			return &SetError{Name: p.Name}
		}
		switch s := &rows[row]; {
		case s.is(Immutable):
			return &SetError{strings.ToLower(p.Name), "can't set immutable config"}
		case s.is(Protected) && !allowProtected:
			return &SetError{strings.ToLower(p.Name), "can't set protected config"}
		}
		for _, before := range changed {
			if before == row {
				return &SetError{p.Name, "duplicate parameter"}
			}
		}
		changed = append(changed, row)
	}
	parsed := make([]*Value, len(pairs))
	for i, p := range pairs {
		v, err := rows[changed[i]].parse([]string{p.Value}, c.values[changed[i]].Load())
		if err != nil {
			return &SetError{strings.ToLower(p.Name), err.Error()}
		}
		parsed[i] = v
	}
	old := make([]*Value, len(pairs))
	for i, row := range changed {
		old[i] = c.values[row].Swap(parsed[i])
	}
	for i, row := range changed {
		if err := c.tell(row); err != nil {
			c.restore(changed, old)
			return &SetError{pairs[i].Name, err.Error()}
		}
	}
	return nil
}

func (c *Config) tell(row int) error {
	for _, w := range c.watchers {
		if w.row == row {
			if err := w.apply(*c.values[row].Load()); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore puts old values back and tells their watchers; a watcher that
// refuses the value it had accepted before cannot be helped.
func (c *Config) restore(changed []int, old []*Value) {
	for i, row := range changed {
		c.values[row].Store(old[i])
	}
	for _, row := range changed {
		_ = c.tell(row)
	}
}
