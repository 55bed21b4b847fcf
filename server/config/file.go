package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cobble/server/words"
)

// Version is the version of Redis whose configuration this is.
const Version = "7.2.4"

// FileError is a directive that cannot be accepted. Error is what Redis prints
// on standard error, several lines without the last newline.
type FileError struct {
	Line   int    // 1-based; 0 when the error belongs to no line
	Text   string // the line
	Reason string
}

func (e *FileError) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("Reading the configuration file, at line %d\n>>> '%s'\n", e.Line, e.Text)
	}
	return fmt.Sprintf("\n*** FATAL CONFIG FILE ERROR (Redis %s) ***\n%s%s", Version, where, e.Reason)
}

// OpenError is a config file that cannot be read.
type OpenError struct{ Path, Reason string }

func (e *OpenError) Error() string {
	return fmt.Sprintf("Fatal error, can't open config file '%s': %s", e.Path, e.Reason)
}

// maxIncludes bounds how deep files include files, so that a file that includes itself ends.
const maxIncludes = 16

// loader reads directives into a Config; some add up over their lines.
type loader struct {
	config *Config
	saved  bool // a save line was seen, so the default is gone
	warned map[string]bool
	depth  int
}

// file reads the config file at path.
func (l *loader) file(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return &OpenError{path, PlainReason(err)}
	}
	return l.text(string(content))
}

// text reads the lines of a file.
func (l *loader) text(content string) error {
	for i, line := range strings.Split(content, "\n") {
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		parts, ok := words.Split(line)
		if !ok {
			return &FileError{i + 1, line, "Unbalanced quotes in configuration line"}
		}
		if len(parts) == 0 {
			continue
		}
		if err := l.directive(strings.ToLower(parts[0]), parts[1:]); err != nil {
			var inner *FileError
			var open *OpenError
			if errors.As(err, &inner) || errors.As(err, &open) {
				return err
			}
			return &FileError{i + 1, line, err.Error()}
		}
	}
	return nil
}

var errDirective error = Refusal("Bad directive or wrong number of arguments")

func (l *loader) directive(name string, in []string) error {
	switch name {
	case "include":
		if len(in) != 1 {
			return errDirective
		}
		return l.include(in[0])
	case "rename-command":
		if len(in) != 2 {
			return errDirective
		}
		l.config.repeated[name] = append(l.config.repeated[name], in)
		return nil
	case "user":
		return l.user(in)
	case "loadmodule":
		if len(in) == 0 {
			return errDirective
		}
		l.config.repeated[name] = append(l.config.repeated[name], in)
		l.warn(name, "modules cannot be loaded")
		return nil
	case "list-max-ziplist-entries", "list-max-ziplist-value": // gone since Redis 3.2, still accepted by it
		if len(in) != 1 {
			return errDirective
		}
		l.warn(name, "it has no effect")
		return nil
	}
	row, ok := find(name)
	if !ok {
		return errDirective
	}
	return l.setting(row, in)
}

// user takes a user and rules, which are not understood here.
func (l *loader) user(in []string) error {
	if len(in) == 0 {
		return errDirective
	}
	if check := l.config.checks["user"]; check != nil {
		if err := check(in); err != nil {
			return err
		}
	}
	l.config.repeated["user"] = append(l.config.repeated["user"], in)
	return nil
}

func (l *loader) setting(row int, in []string) error {
	s := &rows[row]
	old := l.config.values[row].Load()
	if s.Kind == KindSave {
		if !l.saved || len(in) == 1 && in[0] == "" {
			old = &Value{}
		}
		l.saved = true
		in = append(append([]string(nil), old.Words...), in...)
	}
	if len(in) == 0 && s.Kind != KindWords {
		return errWords
	}
	v, err := s.parse(in, old)
	if err != nil {
		return err
	}
	l.config.values[row].Store(v)
	if s.is(Accepted) && v.Text != rows[row].Default && s.Kind != KindSave {
		l.warn(s.Name, "it has no effect")
	}
	return nil
}

func (l *loader) warn(name, why string) {
	if !l.warned[name] {
		l.warned[name] = true
		l.config.warnings = append(l.config.warnings, fmt.Sprintf("Directive '%s' is accepted: %s here.", name, why))
	}
}

// include reads the files that pattern matches, in order of name. A pattern
// without * ? [ must be a file; one with them may match nothing.
func (l *loader) include(pattern string) error {
	if l.depth >= maxIncludes {
		return fmt.Errorf("includes are nested more than %d deep", maxIncludes)
	}
	l.depth++
	defer func() { l.depth-- }()
	if !strings.ContainsAny(pattern, "*?[") {
		return l.file(pattern)
	}
	paths, err := filepath.Glob(pattern) // sorted by name
	if err != nil {
		return fmt.Errorf("include pattern '%s': %v", pattern, err)
	}
	for _, path := range paths {
		if err := l.file(path); err != nil {
			return err
		}
	}
	return nil
}

// Load reads what stands behind "cobble server": [CONFIGFILE] [-] [--name value …].
// The file comes first, then stdin (for "-"), then the arguments, so that
// later ones win. Errors are *FileError, *OpenError or a sentence.
func (c *Config) Load(args []string, stdin io.Reader) error {
	l := &loader{config: c, warned: map[string]bool{}}
	if len(args) > 0 && args[0] != "-" && !strings.HasPrefix(args[0], "--") {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return &OpenError{args[0], PlainReason(err)}
		}
		if err := l.file(path); err != nil {
			return err
		}
		c.file = path
		args = args[1:]
	}
	if n := len(args); n > 0 && (args[0] == "-" || args[n-1] == "-") {
		content, err := io.ReadAll(stdin)
		if err != nil {
			return fmt.Errorf("reading the configuration from standard input: %w", err)
		}
		if err := l.text(string(content)); err != nil {
			return err
		}
		if args[0] == "-" {
			args = args[1:]
		} else {
			args = args[:n-1]
		}
	}
	if err := l.text(argumentLines(args)); err != nil {
		return err
	}
	return c.checkTogether()
}

// checkTogether refuses values that exclude each other.
func (c *Config) checkTogether() error {
	if c.Bool("cluster-enabled") && c.Text("replicaof") != "" {
		return &FileError{Reason: "replicaof directive not allowed in cluster mode"}
	}
	return nil
}

// argumentLines turns --name value … into the lines of a config file as Redis
// does: the first line is empty; words that do not start with -- are values
// and are quoted; the word after an option that stands alone is its value even
// if it starts with --, except that --save may stand alone.
func argumentLines(args []string) string {
	var out strings.Builder
	maybeValue := false // the option before still needs its first value
	for i, arg := range args {
		if !strings.HasPrefix(arg, "--") || maybeValue {
			out.WriteString(" " + words.Quote(arg))
			maybeValue = false
			continue
		}
		out.WriteString("\n" + arg[2:])
		parts, ok := words.Split(arg)
		if !ok || len(parts) != 1 {
			continue
		}
		last := i == len(args)-1
		if strings.EqualFold(parts[0], "--save") && (last || strings.HasPrefix(args[i+1], "--")) {
			out.WriteString(` ""`)
			continue
		}
		maybeValue = !last
	}
	return out.String()
}
