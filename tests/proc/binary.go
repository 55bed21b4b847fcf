package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Program is which server to run.
type Program int

// The programs.
const (
	Cobble Program = iota
	Redis
)

func (p Program) String() string {
	if p == Redis {
		return "redis-server"
	}
	return "cobble"
}

var binary struct {
	sync.Once
	path string
	err  error
}

// CobbleBinary gives the path of the cobble binary under test: $COBBLE_BIN, or one built from this tree, with the race
// detector when the test has it. It is built once for all test packages that run at the same time.
func CobbleBinary(t testing.TB) string {
	t.Helper()
	binary.Do(func() { binary.path, binary.err = build() })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func build() (string, error) {
	if path := os.Getenv("COBBLE_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Test packages run side by side; the first builds, the others find the result up to date.
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cobble")
	args := []string{"build", "-o", path}
	if RaceEnabled {
		path += "-race"
		args = []string{"build", "-race", "-o", path}
	}
	cmd := exec.Command("go", append(args, "./cmd/cobble")...)
	cmd.Dir = root
	if !RaceEnabled {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released: Pebble's memory is Go's, under its limit
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cobble: %v\n%s", err, out)
	}
	return path, nil
}

// ModuleRoot gives the directory of the tree that is tested.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// moduleRoot climbs from the working directory (a test's is its package's) to the one with go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = up
	}
}

// RedisBinary gives the path of redis-server, and of redis-cli beside it; a test that needs them fails without them,
// for a comparison that was silently skipped proves nothing.
func RedisBinary(t testing.TB) string {
	t.Helper()
	return mustFind(t, "redis-server")
}

// RedisCLI gives the path of redis-cli.
func RedisCLI(t testing.TB) string {
	t.Helper()
	return mustFind(t, "redis-cli")
}

func mustFind(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; `make need` installs it: %v", name, err)
	}
	return path
}
