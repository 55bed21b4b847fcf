package tests

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// What servers leave in their directory. A test whose directory is not its own leaves it among the sources.
var leftovers = []string{"*.sst", "*.log", "*.rdb", "*.aof", "*.pid", "LOCK", "CURRENT", "MANIFEST-*", "cobble.lock", "nodes*.conf"}

func isLeftover(file string) bool {
	if strings.Contains(file, "/testdata/") {
		return false
	}
	for _, pattern := range leftovers {
		if ok, err := path.Match(pattern, path.Base(file)); ok || err != nil {
			return true
		}
	}
	return false
}

func TestTidyLeftovers(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "bin" || d.Name() == "demo-data"):
			return filepath.SkipDir
		case !d.IsDir():
			seen++
			if isLeftover(filepath.ToSlash(file)) {
				t.Errorf("%s: a file that a server left", file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no files found: the walk is broken")
	}
	for file, want := range map[string]bool{
		"../cluster/stream/node-1/CURRENT":                  true,
		"../cluster/stream/node-1/rows-000001/000004.sst":   true,
		"../cluster/stream/node-1/log/0000000000000000.log": true,
		"../server/command/testdata/replies/MANIFEST-1":     false,
		"../storage/log/segment.go":                         false,
		"../cluster/stream/node-1/rows-1/MANIFEST-000001":   true,
		"../tests/clients/node/package.json":                false,
		"../cluster/driver/nodes.conf":                      true,
		"../cluster/driver/nodes_test.go":                   false,
		"../storage/testdata/000001.sst":                    false,
	} {
		if isLeftover(file) != want {
			t.Errorf("%s counts as a leftover: %v, want %v", file, !want, want)
		}
	}
}
