package badinput

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

const segments = "data/log/*.log"

// last is the last of the names.
func last(names []string) string { return names[len(names)-1] }

// TestDamagedLogTail damages the last record of a log that was never synced, in each way a crash may: the server starts
// with all before it, and keeps the rest aside.
func TestDamagedLogTail(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"a flipped byte":      func(b []byte) []byte { b[used(b)-1] ^= 0x20; return b },
		"a missing byte":      func(b []byte) []byte { return b[:used(b)-1] },
		"missing bytes":       func(b []byte) []byte { return b[:used(b)-20] },
		"a half record more":  func(b []byte) []byte { n := used(b); return append(b[:n:n], b[n-30:n-3]...) },
		"garbage behind":      func(b []byte) []byte { return append(b[:used(b):used(b)], strings.Repeat("garbage", 9000)...) },
		"a repeat of the end": func(b []byte) []byte { n := used(b); return append(b[:n:n], b[n-200:n]...) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "--appendfsync", "no")
			fill(t, s, 0, 300)
			s.Do("SET", "last", "x")
			s.Kill9()
			damage(t, last(files(t, s.Dir, segments)), change)
			s.Restart()
			has(t, s, 0, 300)
			s.WaitLog("kept in " + filepath.Base(last(files(t, s.Dir, "data/log/*.torn-*"))))
			if got := s.Do("GET", "last").Text; got != "x" && got != "" {
				t.Errorf("the damaged record reads as %q", got)
			}
			fill(t, s, 300, 400) // what comes behind the cut is kept too
			s.Kill9()
			s.Restart()
			has(t, s, 0, 400)
		})
	}
}

// TestDamagedSyncedTail damages the last record of a log, which was synced before it was acknowledged: the server names
// the place and does not start, unless it is told to go on without.
func TestDamagedSyncedTail(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, Args: []string{"--appendfsync", "always"}}))
	fill(t, s, 0, 300)
	s.Do("SET", "last", "x")
	s.Kill9()
	segment := last(files(t, s.Dir, segments))
	flip := func(b []byte) []byte { b[used(b)-1] ^= 0x20; return b }
	damage(t, segment, flip)
	s.Launch()
	exited(t, s, "corrupt record", filepath.Base(segment), "at offset ", "are at risk", "log-recover-damaged yes")
	damage(t, segment, flip)
	s.Restart()
	if got := s.Do("GET", "last").Text; got != "x" {
		t.Errorf("with the right byte back: %q", got)
	}
	s.Do("SET", "last", "y")
	s.Kill9()
	damage(t, segment, flip)
	over := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, Dir: s.Dir, Args: []string{"--log-recover-damaged", "yes"}}))
	has(t, over, 0, 300)
	if got := over.Do("GET", "last").Text; got != "x" {
		t.Errorf("without the damaged record: %q", got)
	}
	over.WaitLog("the log was damaged")
	files(t, s.Dir, "data/log/*.damaged-*")
}

// TestDamagedLogMiddle damages a record that was synced and that the rows already hold: the server refuses to guess.
func TestDamagedLogMiddle(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true}))
	fill(t, s, 0, 500)
	s.Stop() // writes the rows out: the log is known to be good up to here
	s.Restart()
	fill(t, s, 500, 600)
	s.Kill9()
	segment := files(t, s.Dir, segments)[0]
	flip := func(b []byte) []byte { b[2000] ^= 1; return b }
	damage(t, segment, flip)
	s.Launch()
	exited(t, s, "corrupt record", filepath.Base(segment), "at offset ")
	damage(t, segment, flip) // and it changed nothing: with the right byte all is back
	s.Restart()
	has(t, s, 0, 600)
}

// TestDamagedTables damages the tables that hold the rows: a key gives its value or an error, or the server says why it
// does not start.
func TestDamagedTables(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"a flipped byte at the start": func(b []byte) []byte { b[len(b)/20] ^= 1; return b },
		"a flipped byte inside":       func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a flipped byte at the end":   func(b []byte) []byte { b[len(b)-60] ^= 1; return b },
		"cut short":                   func(b []byte) []byte { return b[:len(b)/2] },
		"empty":                       func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true}))
			fill(t, s, 0, 3000)
			s.Stop() // which writes the rows into tables
			for _, table := range files(t, s.Dir, "data/rows-*/*.sst") {
				damage(t, table, change)
			}
			s.Launch()
			if !comesUp(t, s) {
				exited(t, s, "Fatal error opening the store", ".sst")
				return
			}
			c, refused := s.Conn(), ""
			for i := range 3000 {
				r, err := c.Do("GET", "key:"+itoa(i))
				var e respconn.ReplyError
				switch {
				case err != nil:
					exited(t, s, "damaged")
					return
				case errors.As(r.Err(), &e):
					refused = e.Error()
				case r.Text != value(i):
					t.Fatalf("key:%d is %q", i, r)
				}
			}
			if refused == "" {
				t.Error("every key was read from damaged tables")
			}
			t.Log(refused)
		})
	}
}

// TestOtherVersion starts on a directory that says another format, and on one that is no directory.
func TestOtherVersion(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true}))
	fill(t, s, 0, 10)
	s.Stop()
	version := filepath.Join(s.Dir, "data/VERSION")
	right, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, version, func([]byte) []byte { return []byte("cobble storage 99\n") })
	s.Launch()
	exited(t, s, "cobble storage 99", "start it with the version that wrote it")
	damage(t, version, func([]byte) []byte { return right })
	s.Restart()
	has(t, s, 0, 10)

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	refuses(t, proc.Options{Standalone: true, Dir: dir}, filepath.Join(dir, "data"))
}

// TestSameDirectory starts a second process on the directory of a running one, in both modes.
func TestSameDirectory(t *testing.T) {
	for _, standalone := range []bool{true, false} {
		s := wellAfter(t, proc.Start(t, proc.Options{Standalone: standalone}))
		refuses(t, proc.Options{Standalone: standalone, Dir: s.Dir}, s.Dir+" is already used by a different server process")
		if !s.Alive() {
			t.Error("the first process ended")
		}
	}
}

// TestFullDisk fills the file system below a server: writes that grow are refused, reads and deletions are not, and
// when there is space again all goes on.
func TestFullDisk(t *testing.T) {
	dir := tmpfs(t, "320m")
	ballast := putBallast(t, dir)
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, Dir: dir}))
	fill(t, s, 0, 1000)
	block, stored := fillWithBlocks(t, s)
	has(t, s, 0, 1000)
	if got := s.Do("GET", "block:0").Text; got != block {
		t.Errorf("block:0 has %d bytes", len(got))
	}
	if got := errorOf(s, "DEL", "key:999"); got != "" {
		t.Errorf("DEL on a full disk: %q", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	proc.Eventually(t, exitTimeout, "writes to be taken again", func() error {
		_, err := s.Try("SET", "block:new", block)
		return err
	})
	s.Kill9()
	s.Restart()
	has(t, s, 0, 999)
	for i := range stored {
		if n, _ := s.Do("STRLEN", "block:"+itoa(i)).Int(); int(n) != len(block) {
			t.Fatalf("block:%d has %d bytes after kill -9", i, n)
		}
	}
	if n, _ := s.Do("EXISTS", "key:999").Int(); n != 0 {
		t.Error("the key deleted on the full disk is back")
	}
}

// TestFullDiskOfANode fills the file system below a node of a cluster, first until its log takes nothing more, then to
// the last byte, so that not even its table of the cluster can be saved: it must stop and say why rather than go on
// with what it would forget, and with space it is again who it was, with all it had acknowledged.
func TestFullDiskOfANode(t *testing.T) {
	dir := tmpfs(t, "320m")
	ballast := putBallast(t, dir)
	s := wellAfter(t, proc.Start(t, proc.Options{Dir: dir}))
	s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16382")
	s.Do("CONFIG", "SET", "cluster-require-full-coverage", "no")
	id := s.Do("CLUSTER", "MYID").Text
	fill(t, s, 0, 1000)
	block, stored := fillWithBlocks(t, s)
	// The log holds back before the disk is full: the cluster's own files can still be written.
	s.Do("CLUSTER", "ADDSLOTS", "16383")
	has(t, s, 0, 1000)

	filler := filepath.Join(dir, "filler")
	fillUp(t, filler)
	// The journal may have room for this change in a block that it has; what is confirmed is kept.
	epoch := "0"
	if r, err := s.Try("CLUSTER", "BUMPEPOCH"); err == nil {
		_, epoch, _ = strings.Cut(r.Text, " ")
	}
	s.WaitExit(exitTimeout)
	for _, text := range []string{"can't update cluster config file", "no space left on device"} {
		if !strings.Contains(s.Log(), text) {
			t.Errorf("the log does not say %q:\n%.4000s", text, s.Log())
		}
	}
	for _, name := range []string{filler, ballast} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s.Restart()
	proc.WaitOK(t, s)
	if got := s.Do("CLUSTER", "MYID").Text; got != id {
		t.Errorf("the node was %s and is %s", id, got)
	}
	if info := s.Do("CLUSTER", "INFO").Text; !strings.Contains(info, "cluster_slots_assigned:16384\r") ||
		epoch != "0" && !strings.Contains(info, "cluster_my_epoch:"+epoch+"\r") {
		t.Errorf("after the restart, with epoch %s confirmed:\n%s", epoch, info)
	}
	has(t, s, 0, 1000)
	for i := range stored {
		if n, _ := s.Do("STRLEN", "block:"+itoa(i)).Int(); int(n) != len(block) {
			t.Fatalf("block:%d has %d bytes", i, n)
		}
	}
	fill(t, s, 1000, 1100)
}

// tmpfs gives a directory on a file system of its own.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("NOT TESTED, a full disk: mounting a tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes a file until nothing more goes onto its file system.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for b := make([]byte, 1<<20); len(b) > 0; {
		if _, err := f.Write(b); errors.Is(err, syscall.ENOSPC) {
			b = b[:len(b)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// putBallast takes 200 MB of dir's file system, to be given back later.
func putBallast(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	if err := os.WriteFile(name, make([]byte, 200<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// fillWithBlocks writes keys block:0, block:1 … until the server refuses for want of space, and gives their value and number.
func fillWithBlocks(t *testing.T, s *proc.Server) (block string, stored int) {
	t.Helper()
	block = strings.Repeat("0123456789abcdef", 1<<16)
	for ; stored < 400; stored++ {
		got := errorOf(s, "SET", "block:"+itoa(stored), block)
		if strings.HasPrefix(got, "MISCONF Errors writing") {
			break
		}
		if got != "" {
			t.Fatalf("block %d: %q", stored, got)
		}
	}
	t.Logf("%d MB stored", stored)
	if stored == 400 || stored == 0 {
		t.Fatalf("%d blocks of 1 MB went onto a disk of 120 MB", stored)
	}
	return block, stored
}
