package storage

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cobble/slots"
)

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func putOne(e *Engine, slot slots.Slot, i, size int) error {
	_, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
		tx.putRow(testRow(slot, i), bytes.Repeat([]byte{'x'}, size))
		tx.deltaOf(slot).bytes = int64(size)
		return nil
	}))
	return err
}

// TestDiskFull fills the disk below the store while clients write: growing writes
// are refused, reads and deletions go on, nothing is lost, and when there is space
// again writes are accepted without a restart.
func TestDiskFull(t *testing.T) {
	for _, where := range []struct {
		name  string
		match func(op errorfs.Op) bool
	}{
		{"new tables", func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst")
		}},
		{"writes of tables", func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst")
		}},
		{"the manifest", func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "MANIFEST-")
		}},
		{"everything", func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpFileWrite && !strings.Contains(op.Path, "/log/")
		}},
	} {
		t.Run(where.name, func(t *testing.T) {
			var full atomic.Bool
			o := smallOptions(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if full.Load() && where.match(op) {
					return syscall.ENOSPC
				}
				return nil
			})))
			o.MaxDirtyBytes = 300 << 10
			o.OnFatal = func(err error) { t.Errorf("the engine stopped: %v", err) }
			e := openTest(t, o)
			const rows = 200
			for i := range rows {
				if err := putOne(e, 1, i, 100); err != nil {
					t.Fatal(err)
				}
			}
			full.Store(true)
			go e.Flush()
			accepted := rows
			if where.name != "the manifest" { // there writers only wait
				until(t, "a growing write is refused", func() bool {
					err := putOne(e, 1, accepted, 1000)
					if err == nil {
						accepted++
					} else if !errors.Is(err, ErrDiskFull) {
						t.Fatal(err)
					}
					return err != nil
				})
			}
			if got := contents(t, e, 1); len(got) != accepted {
				t.Fatalf("%d rows while the disk is full, want %d", len(got), accepted)
			}
			full.Store(false)
			until(t, "a write is accepted again", func() bool { return putOne(e, 1, accepted, 1000) == nil })
			comesBack(t, e, o, accepted+1)
		})
	}
}

// TestManifestError: any other error of the MANIFEST stops the engine: the log is
// synced, the owner is told, transactions get a typed error, Close returns, and
// the next start has everything.
func TestManifestError(t *testing.T) {
	mem := vfs.NewMem()
	var broken atomic.Bool
	o := smallOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.Contains(op.Path, "MANIFEST-") && op.Kind == errorfs.OpFileSync {
			return syscall.EIO
		}
		return nil
	})))
	told := make(chan error, 1)
	o.OnFatal = func(err error) { told <- err }
	e := openTest(t, o)
	for i := range 50 {
		if err := putOne(e, 1, i, 100); err != nil {
			t.Fatal(err)
		}
	}
	broken.Store(true)
	go e.Flush()
	select {
	case err := <-told:
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("the owner was told %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the owner was not told")
	}
	if err := putOne(e, 1, 50, 100); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a write returned %v", err)
	}
	if err := e.Close(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Close returned %v", err)
	}
	o.FS = vfs.NewMem() // the old store still holds its own lock in mem
	copyTree(t, mem, o.FS, o.Dir)
	e = openTest(t, o)
	if got := contents(t, e, 1); len(got) != 50 {
		t.Errorf("%d rows after a restart, want 50", len(got))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyTree(t *testing.T, from, to vfs.FS, dir string) {
	t.Helper()
	ok, err := vfs.Clone(from, to, dir, dir)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// TestCorruptTable: a damaged table is an error of the reads that need it, with a
// type of its own.
func TestCorruptTable(t *testing.T) {
	mem := vfs.NewMem()
	o := smallOptions(mem)
	e := openTest(t, o)
	for i := range 300 {
		if err := putOne(e, 1, i, 200); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List(mem.PathJoin(o.Dir, firstStore))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		b, err := mem.UnsafeGetFileDataBuffer(mem.PathJoin(o.Dir, firstStore, name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(b)/2, 4000) {
			b[i] ^= 0x55
		}
		damaged++
	}
	e, err = Open(o)
	if err != nil {
		if !errors.Is(err, ErrCorruptStore) {
			t.Fatalf("Open returned %v", err)
		}
		return // the headers were hit too
	}
	defer e.Close()
	failed := 0
	for i := range 300 {
		_, err := e.View(testNow, 1, OpFunc(func(tx *Tx) error { _, _, err := tx.getRow(testRow(1, i)); return err }))
		if errors.Is(err, ErrCorruptStore) {
			failed++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Fatalf("%d tables were damaged, and no read failed", damaged)
	}
	t.Logf("%d of 300 reads failed", failed)
}

// comesBack closes an engine and opens it again: slot 1 has so many rows.
func comesBack(t *testing.T, e *Engine, o Options, rows int) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, o)
	if got := contents(t, e, 1); len(got) != rows {
		t.Fatalf("%d rows after a restart, want %d", len(got), rows)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
