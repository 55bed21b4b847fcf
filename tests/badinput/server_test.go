package badinput

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

const exitTimeout = time.Minute

// wellAfter checks, when the test ends, that s answers if it runs, and that no process of its place panicked.
func wellAfter(t *testing.T, s *proc.Server) *proc.Server {
	t.Helper()
	t.Cleanup(func() {
		if s.Alive() {
			if r, err := s.Try("PING"); err != nil || r.Text != "PONG" {
				t.Errorf("PING: %s, %v", r, err)
			}
		}
		for _, word := range []string{"panic", "goroutine "} {
			if strings.Contains(s.Log(), word) {
				t.Errorf("the log has %q:\n%.4000s", word, s.Log())
			}
		}
	})
	return s
}

// start runs a standalone server, which must be up when the test ends.
func start(t *testing.T, args ...string) *proc.Server {
	t.Helper()
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, Args: args}))
	t.Cleanup(func() {
		if !s.Alive() {
			t.Error("the server is down")
		}
	})
	return s
}

// refuses launches a server that must exit with code 1 and say each of the texts.
func refuses(t *testing.T, o proc.Options, says ...string) {
	t.Helper()
	s := wellAfter(t, proc.Launch(t, o))
	exited(t, s, says...)
}

func exited(t *testing.T, s *proc.Server, says ...string) {
	t.Helper()
	if code := s.WaitExit(exitTimeout); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, text := range says {
		if !strings.Contains(s.Log(), text) {
			t.Errorf("the log does not say %q:\n%s", text, s.Log())
		}
	}
}

// errorOf is the error reply of a command, or "" when there is none.
func errorOf(s *proc.Server, args ...string) string {
	_, err := s.Try(args...)
	if err != nil {
		return err.Error()
	}
	return ""
}

func value(i int) string { return fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", 50)) }

// fill writes keys key:from up to key:to-1, each acknowledged.
func fill(t *testing.T, s *proc.Server, from, to int) {
	t.Helper()
	var commands [][]string
	for i := from; i < to; i++ {
		commands = append(commands, []string{"SET", fmt.Sprintf("key:%d", i), value(i)})
	}
	replies, err := s.Conn().Pipeline(commands)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range replies {
		if r.Err() != nil {
			t.Fatalf("key:%d: %v", from+i, r.Err())
		}
	}
}

// has checks the keys that fill wrote.
func has(t *testing.T, s *proc.Server, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if got := s.Do("GET", fmt.Sprintf("key:%d", i)).Text; got != value(i) {
			t.Fatalf("key:%d is %.40q", i, got)
		}
	}
}

// files are the non-empty files below dir that match a pattern, in order of their names.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range all {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no %s in %s", pattern, dir)
	}
	return out
}

// damage changes the bytes of a file.
func damage(t *testing.T, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, change(b), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// used is how many bytes of b come before the zeros at its end.
func used(b []byte) int { return len(strings.TrimRight(string(b), "\x00")) }

// comesUp waits until s answers, or has ended.
func comesUp(t *testing.T, s *proc.Server) bool {
	t.Helper()
	proc.Eventually(t, exitTimeout, "an answer or an end", func() error {
		if !s.Alive() {
			return nil
		}
		_, err := s.Try("PING")
		return err
	})
	return s.Alive()
}
