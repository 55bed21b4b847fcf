package badinput

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cobble/tests/proc"
)

// refusal writes blocks until the server refuses one, and returns how many it has taken.
func refusal(t *testing.T, s *proc.Server, block string) (stored int) {
	t.Helper()
	for ; stored < 200; stored++ {
		switch got := errorOf(s, "SET", "block:"+itoa(stored), block); {
		case strings.HasPrefix(got, "MISCONF Errors writing"):
			return stored
		case strings.Contains(got, "EOF") || strings.Contains(got, "reset"): // of the log it is not known what it has
			return stored
		case got != "":
			t.Fatalf("block %d: %q", stored, got)
		}
	}
	t.Fatalf("%d blocks of %d bytes were taken", stored, len(block))
	return 0
}

// tells looks at what INFO says of the last write, and how often the log says text.
func tells(t *testing.T, s *proc.Server, status, text string) {
	t.Helper()
	s.WaitLog(text)
	if info := s.Do("INFO", "persistence").Text; !strings.Contains(info, "aof_last_write_status:"+status+"\r") {
		t.Errorf("INFO does not say that the last write is %s:\n%s", status, info)
	}
	if n := strings.Count(s.Log(), text); n != 1 {
		t.Errorf("the log says %d times %q", n, text)
	}
}

// TestStoreFails takes away the directory in which a server makes its tables: growing writes are refused instead of
// waiting, reads are not, and when it is back all goes on.
func TestStoreFails(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, Args: []string{"--memory-budget", "64mb"}}))
	fill(t, s, 0, 1000)
	dir := filepath.Join(s.Dir, "data/ingest")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	block := strings.Repeat("0123456789abcdef", 1<<16)
	stored := refusal(t, s, block)
	tells(t, s, "err", "the store cannot be written")
	has(t, s, 0, 1000)
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	proc.Eventually(t, exitTimeout, "writes to be taken again", func() error {
		_, err := s.Try("SET", "block:new", block)
		return err
	})
	tells(t, s, "ok", "the store can be written again")
	s.Kill9()
	s.Restart()
	has(t, s, 0, 1000)
	hasBlocks(t, s, stored, len(block))
}

func hasBlocks(t *testing.T, s *proc.Server, stored, size int) {
	t.Helper()
	for i := range stored {
		if n, _ := s.Do("STRLEN", "block:"+itoa(i)).Int(); int(n) != size {
			t.Fatalf("block:%d has %d bytes after a restart", i, n)
		}
	}
}

// TestLogFails makes writes of a server's log fail, by the limit of a file's size: it refuses writes, goes on for
// readers, and has what it acknowledged after a restart.
func TestLogFails(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true}))
	fill(t, s, 0, 1000)
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4 << 20, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
	block := strings.Repeat("0123456789abcdef", 1<<15)
	stored := refusal(t, s, block)
	s.WaitLog("the log cannot be written, writes are refused until a restart")
	for i := range 10 {
		if got := errorOf(s, "SET", fmt.Sprintf("more:%d", i), "x"); !strings.HasPrefix(got, "MISCONF Errors writing") {
			t.Fatalf("a write to a log that has failed: %q", got)
		}
	}
	tells(t, s, "err", "the log cannot be written")
	has(t, s, 0, 1000)
	s.Kill9()
	s.Restart()
	has(t, s, 0, 1000)
	hasBlocks(t, s, stored, len(block))
	fill(t, s, 1000, 1100)
}
