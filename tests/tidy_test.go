package tests

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// The architecture as a table. A package may import packages of a lower level only; the longest prefix counts. Of the
// same level it may import only those with a lower part, where both have one: storage stands above its own parts, cmd
// above tools.
var levels = []struct {
	path  string
	level int
	part  int
}{
	{"tests", 5, 3},
	{"cmd", 5, 2},
	{"tools", 5, 1},
	{"server", 4, 0},
	{"server/command", 3, 0},
	{"server/script", 2, 0},
	{"cluster/driver", 3, 0},
	{"server/acl", 2, 0},
	{"server/psync", 2, 0},
	{"cluster/stream", 2, 0},
	{"cluster/wire", 2, 0},
	{"cluster/sim", 2, 0},
	{"storage", 1, 4},
	{"storage/rdb", 1, 3},
	{"storage/effect", 1, 3},
	{"storage/log", 1, 2},
	{"storage/cache", 1, 2},
	{"storage/tables", 1, 2},
	{"storage/dump", 1, 2},
	{"storage/format", 1, 1},
	{"storage/listpack", 1, 1},
	{"storage/intset", 1, 1},
	{"storage/hyperloglog", 1, 1},
	{"cluster", 1, 0},
	{"gossip", 1, 0},
	{"server/config", 1, 0},
	{"server/resp", 1, 0},
	{"server/words", 0, 0},
	{"server/geo", 0, 0},
	{"server/glob", 0, 0},
	{"slots", 0, 0},
	{"pieces", 0, 0},
}

// Trees whose packages may import each other: what is made of parts, with nothing below it that could be crossed.
var sideways = []string{"tests", "tools"}

// Pure packages are functions of their arguments: no clock, no sockets, no disk, no locks, no randomness of their own.
var pure = []string{"slots", "cluster"}

var impure = []string{"net", "os", "time", "sync", "log", "math/rand", "crypto/rand", "io/ioutil", "syscall", "runtime"}

// gossip wraps memberlist and carries opaque bytes; it imports nothing of ours at all.
const alone = "gossip"

// Where the clock may be read: below these, time is an argument.
var clocks = []string{"server", "cluster/driver", "gossip", "tools", "cmd", "tests"}

// Parts of server that, although they are inside it, are given the time.
var clockless = []string{"server/command", "server/script", "server/acl", "server/config", "server/resp"}

const (
	maxFileLines     = 600
	maxFunctionLines = 70
	maxMainLines     = 150
)

var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "misc"}

// source is one parsed Go file of the repository.
type source struct {
	path string // from the root of the repository
	dir  string
	text []byte
	fset *token.FileSet
	file *ast.File
	test bool
}

func (s *source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

func (s *source) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(pos).Line)
}

// imports gives the imports of the file, ours without the module's name.
func (s *source) imports() []string {
	var paths []string
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

func ours(path string) (string, bool) {
	return strings.CutPrefix(path, "cobble/")
}

func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch name := d.Name(); {
			case name == "..":
			case strings.HasPrefix(name, "."), name == "testdata", name == "node_modules", name == "bin", name == "demo-data":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := &source{text: text, fset: token.NewFileSet(), test: strings.HasSuffix(path, "_test.go")}
		s.path, err = filepath.Rel("..", path)
		if err != nil {
			return err
		}
		s.path = filepath.ToSlash(s.path)
		s.dir = filepath.ToSlash(filepath.Dir(s.path))
		s.file, err = parser.ParseFile(s.fset, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found: the walk is broken")
	}
	return all
}

func under(dir, tree string) bool {
	return dir == tree || strings.HasPrefix(dir, tree+"/")
}

func anyUnder(dir string, trees []string) bool {
	for _, tree := range trees {
		if under(dir, tree) {
			return true
		}
	}
	return false
}

func level(dir string) (level, part int, ok bool) {
	longest := -1
	for _, l := range levels {
		if under(dir, l.path) && len(l.path) > longest {
			longest, level, part = len(l.path), l.level, l.part
		}
	}
	return level, part, longest >= 0
}

// crossing says why a file in dir may not import path (both from the root of the module); "" when it may.
func crossing(dir, path string, test bool) string {
	from, fromPart, ok := level(dir)
	if !ok {
		return fmt.Sprintf("package %s is not in the table of levels", dir)
	}
	to, toPart, ok := level(path)
	if !ok {
		return fmt.Sprintf("package %s is not in the table of levels", path)
	}
	switch {
	case dir == path: // an external test package
		return ""
	case dir == alone && !test:
		return alone + " imports nothing of ours"
	case test && anyUnder(path, []string{"tests/proc", "tools/respconn"}):
		return "" // a test of any package may start processes and speak RESP
	case to < from, to == from && 0 < toPart && toPart < fromPart:
		return ""
	}
	for _, tree := range sideways {
		if under(dir, tree) && under(path, tree) {
			return ""
		}
	}
	return fmt.Sprintf("level %d may not import level %d", from, to)
}

func TestTidyImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			if path, ok := ours(path); ok {
				if why := crossing(s.dir, path, s.test); why != "" {
					t.Errorf("%s imports %s: %s", s.path, path, why)
				}
				continue
			}
			if s.test || !isPure(s.dir) {
				continue
			}
			if anyUnder(path, impure) {
				t.Errorf("%s imports %s: package %s is pure", s.path, path, s.dir)
			}
		}
	}
}

func isPure(dir string) bool {
	for _, p := range pure {
		if dir == p {
			return true
		}
	}
	return false
}

func TestTidyImportTable(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test, ok bool
	}{
		{"storage", "slots", false, true},
		{"storage", "storage/format", false, true},
		{"storage/format", "storage", false, false},
		{"storage", "cluster", false, false},
		{"cluster", "storage", false, false},
		{"cluster/driver", "cluster", false, true},
		{"cluster/driver", "server", false, false},
		{"cluster/wire", "cluster/sim", false, false},
		{"server", "cluster/driver", false, true},
		{"server/command", "server", false, false},
		{"server/command", "server/acl", false, true},
		{"server/resp", "server/config", false, false},
		{"gossip", "slots", false, false},
		{"cmd/cobble", "tools/clustertool", false, true},
		{"tools/a", "tools/b", false, true},
		{"tools/a", "tests/proc", false, false},
		{"tools/a", "tests/proc", true, true},
		{"storage", "tests/proc", true, true},
		{"storage", "server", true, false},
		{"elsewhere", "slots", false, false},
	} {
		if why := crossing(c.from, c.to, c.test); (why == "") != c.ok {
			t.Errorf("%s imports %s (test %v): %q, want allowed %v", c.from, c.to, c.test, why, c.ok)
		}
	}
}

func TestTidySizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		n := bytes.Count(s.text, []byte("\n"))
		if n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFileLines)
		}
		if s.path == "cmd/cobble/main.go" && n > maxMainLines {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxMainLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.lines(f); n > maxFunctionLines {
				t.Errorf("%s: function %s has %d lines, more than %d", s.at(f.Pos()), f.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

func TestTidyNames(t *testing.T) {
	for _, s := range sources(t) {
		names := append(strings.Split(s.dir, "/"), strings.TrimSuffix(s.file.Name.Name, "_test"))
		names = append(names, strings.TrimSuffix(filepath.Base(s.path), ".go"))
		for _, empty := range emptyNames {
			for _, name := range names {
				if name == empty {
					t.Errorf("%s: %q says nothing; name what it owns", s.path, name)
				}
			}
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: an init function; write a table or a constructor", s.at(f.Pos()))
			}
		}
	}
}

func TestTidyPackageDocs(t *testing.T) {
	dirs := map[string]bool{}
	for _, s := range sources(t) {
		has := strings.HasSuffix(s.path, "/doc.go") && s.file.Doc != nil
		dirs[s.dir] = dirs[s.dir] || has
	}
	var missing []string
	for dir, has := range dirs {
		if !has {
			missing = append(missing, dir)
		}
	}
	sort.Strings(missing)
	for _, dir := range missing {
		t.Errorf("%s has no doc.go with a package comment: what it owns and what it refuses to know", dir)
	}
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestTidyComments(t *testing.T) {
	for _, s := range sources(t) {
		for _, g := range s.file.Comments {
			for _, c := range g.List {
				if word := unfinished.FindString(c.Text); word != "" {
					t.Errorf("%s: a %s in a comment: finish it, or open an issue", s.at(c.Pos()), word)
				}
			}
		}
	}
}

func TestTidyFormat(t *testing.T) {
	for _, s := range sources(t) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s is not gofmt'ed", s.path)
		}
	}
}

func TestTidyClocks(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || anyUnder(s.dir, clocks) && !anyUnder(s.dir, clockless) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				switch sel.Sel.Name {
				case "Now", "Since", "Until", "Sleep":
					t.Errorf("%s: time.%s: below server and driver the time is an argument", s.at(sel.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
}
