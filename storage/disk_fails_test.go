package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cobble/storage/log"
)

// failing is a file system that fails with an error where match says so, while on.
type failing struct {
	on    atomic.Bool
	err   error
	match func(op errorfs.Op) bool
	hits  atomic.Int64
}

func (f *failing) fs(below vfs.FS) vfs.FS {
	return errorfs.Wrap(below, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if f.on.Load() && f.match(op) {
			f.hits.Add(1)
			return f.err
		}
		return nil
	}))
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) logf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

// with counts the lines that have a text in them.
func (l *lines) with(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func table(kind errorfs.OpKind) func(op errorfs.Op) bool {
	return func(op errorfs.Op) bool { return op.Kind == kind && strings.HasSuffix(op.Path, ".sst") }
}

// TestDiskFails lets the disk below the store fail while clients write: growing writes are refused instead of waiting,
// reads go on, nothing is lost, it is told once, and when the disk works again writes are accepted without a restart.
func TestDiskFails(t *testing.T) {
	for name, f := range map[string]*failing{
		"read-only": {err: syscall.EROFS, match: func(op errorfs.Op) bool {
			return !strings.Contains(op.Path, "/log/") && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpLink || op.Kind == errorfs.OpRemove)
		}},
		"creates of tables": {err: syscall.EIO, match: table(errorfs.OpCreate)},
		"writes of tables":  {err: syscall.EIO, match: table(errorfs.OpFileWrite)},
		"syncs of tables": {err: syscall.EIO, match: func(op errorfs.Op) bool {
			return strings.HasSuffix(op.Path, ".sst") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo)
		}},
		"links of tables": {err: syscall.EPERM, match: table(errorfs.OpLink)},
	} {
		t.Run(name, func(t *testing.T) {
			var told lines
			o := smallOptions(f.fs(vfs.NewMem()))
			o.MaxDirtyBytes, o.Logf = 300<<10, told.logf
			o.OnFatal = func(err error) { t.Errorf("the engine stopped: %v", err) }
			e := openTest(t, o)
			const rows = 200
			for i := range rows {
				if err := putOne(e, 1, i, 100); err != nil {
					t.Fatal(err)
				}
			}
			f.on.Store(true)
			go e.Flush()
			accepted := rows
			until(t, "a growing write is refused", func() bool {
				err := putOne(e, 1, accepted, 1000)
				if err == nil {
					accepted++
				} else if !errors.Is(err, ErrDiskFails) {
					t.Fatal(err)
				}
				return err != nil
			})
			if err := e.WriteError(); err != ErrDiskFails {
				t.Errorf("WriteError is %v", err)
			}
			before := e.Stats().FlushErrors
			until(t, "two more attempts", func() bool { return e.Stats().FlushErrors >= before+2 })
			if n := told.with("the store cannot be written"); n != 1 {
				t.Errorf("it is told %d times: %q", n, told.text)
			}
			if got := contents(t, e, 1); len(got) != accepted {
				t.Fatalf("%d rows while the disk fails, want %d", len(got), accepted)
			}
			f.on.Store(false)
			until(t, "a write is accepted again", func() bool { return putOne(e, 1, accepted, 1000) == nil })
			if n := told.with("the store can be written again"); n != 1 || e.WriteError() != nil {
				t.Errorf("that it works again is told %d times; %v", n, e.WriteError())
			}
			comesBack(t, e, o, accepted+1)
		})
	}
}

// writeWhileFailing is a small write after the flusher has failed for a while.
func writeWhileFailing(t *testing.T, m mutants) error {
	f := &failing{err: syscall.EIO, match: table(errorfs.OpCreate)}
	o := smallOptions(f.fs(vfs.NewMem()))
	o.mutant = m
	e := openTest(t, o)
	if err := putOne(e, 1, 0, 100); err != nil {
		t.Fatal(err)
	}
	f.on.Store(true)
	go e.Flush()
	until(t, "the flusher fails", func() bool { return e.Stats().FlushErrors > patientAttempts+1 })
	err := putOne(e, 1, 1, 100)
	f.on.Store(false)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return err
}

// TestWritersWaitMutant: only the refusal keeps writers from waiting for a flusher that does not come.
func TestWritersWaitMutant(t *testing.T) {
	if err := writeWhileFailing(t, mutants{}); !errors.Is(err, ErrDiskFails) {
		t.Fatalf("a write while the disk fails: %v", err)
	}
	if err := writeWhileFailing(t, mutants{writersWait: true}); err != nil {
		t.Fatalf("the mutant refuses: %v", err)
	}
}

// TestCompactionFails: compactions that fail are told of, and flushes go on.
func TestCompactionFails(t *testing.T) {
	f := &failing{err: syscall.EIO, match: func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") && !strings.Contains(op.Path, ingestDir)
	}}
	var told lines
	o := smallOptions(f.fs(vfs.NewMem()))
	o.Logf = told.logf
	e := openTest(t, o)
	f.on.Store(true)
	until(t, "a compaction fails", func() bool {
		if err := putOne(e, 1, int(e.stats.generations.Load())%300, 100); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		return told.with("a compaction failed") > 0
	})
	f.on.Store(false)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLogFails lets the disk below the log fail: writes are refused, those too that wait for the flusher; what was
// acknowledged can still be read, and is there after a restart.
func TestLogFails(t *testing.T) {
	for name, kinds := range map[string][]errorfs.OpKind{
		"writes": {errorfs.OpFileWriteAt},
		"syncs":  {errorfs.OpFileSyncData, errorfs.OpFileSync},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := &failing{err: syscall.EIO, match: func(op errorfs.Op) bool {
				return strings.Contains(op.Path, "/log/") && slices.Contains(kinds, op.Kind)
			}}
			tick := make(chan time.Time)
			var told lines
			o := smallOptions(f.fs(mem))
			o.MaxDirtyBytes, o.Logf, o.Tick = 100<<10, told.logf, tick
			o.OnFatal = func(err error) { t.Errorf("the engine stopped: %v", err) }
			e := openTest(t, o)
			const rows = 100
			last := LSN(0)
			for i := range rows {
				last = mustUpdate(t, e, 1, func(tx *Tx) { tx.putRow(testRow(1, i), []byte("x")) })
			}
			if err := e.Await(last); err != nil {
				t.Fatal(err)
			}
			f.on.Store(true)
			accepted := rows
			until(t, "a write is refused", func() bool {
				err := putOne(e, 1, accepted, 1000)
				if err == nil {
					accepted++
					tick <- time.Time{}
				} else if !errors.Is(err, ErrDiskFails) {
					t.Fatal(err)
				}
				return err != nil
			})
			tick <- time.Time{}
			tick <- time.Time{} // the first one was dealt with
			if n := told.with("the log cannot be written"); n != 1 || e.WriteError() != ErrDiskFails {
				t.Errorf("told %d times; %v", n, e.WriteError())
			}
			if err := e.Await(last); err != nil {
				t.Errorf("what was written before: %v", err)
			}
			if got := contents(t, e, 1); len(got) != accepted {
				t.Errorf("%d rows, want %d", len(got), accepted)
			}
			f.on.Store(false)
			if err := putOne(e, 1, accepted, 100); !errors.Is(err, ErrDiskFails) {
				t.Errorf("a later write: %v", err)
			}
			if err := e.Close(); err == nil {
				t.Error("Close is content")
			}
			o.Tick = make(chan time.Time)
			e = openTest(t, o)
			if got := contents(t, e, 1); len(got) < rows {
				t.Errorf("%d rows after a restart, want %d", len(got), rows)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestLogCannotGrow takes from the log the directory for another segment: writes are refused, reads go on, and when there
// can be segments again writes are accepted without a restart.
func TestLogCannotGrow(t *testing.T) {
	f := &failing{err: syscall.EROFS, match: func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "/log/")
	}}
	tick := make(chan time.Time)
	var told lines
	o := smallOptions(f.fs(vfs.NewMem()))
	o.Logf, o.Tick = told.logf, tick
	e := openTest(t, o)
	f.on.Store(true)
	accepted := 0
	until(t, "a write is refused", func() bool {
		err := putOne(e, 1, accepted, 1000)
		if err == nil {
			accepted++
		} else if !errors.Is(err, ErrDiskFails) {
			t.Fatal(err)
		}
		return err != nil
	})
	for range 3 { // the last is not dealt with yet
		tick <- time.Time{}
	}
	if n := told.with("the log cannot grow"); n != 1 || e.WriteError() != ErrDiskFails {
		t.Errorf("told %d times; %v", n, e.WriteError())
	}
	if got := contents(t, e, 1); len(got) != accepted {
		t.Errorf("%d rows, want %d", len(got), accepted)
	}
	f.on.Store(false)
	until(t, "a write is accepted again", func() bool { return putOne(e, 1, accepted, 1000) == nil })
	until(t, "nothing is amiss", func() bool { tick <- time.Time{}; return e.WriteError() == nil })
	for range 2 {
		tick <- time.Time{}
	}
	if n := told.with("the log can grow again"); n != 1 {
		t.Errorf("told %d times; %v", n, e.WriteError())
	}
	o.Tick = make(chan time.Time)
	comesBack(t, e, o, accepted+1)
}

// TestLogFailsAlways: where replies wait for syncs a log that fails stops the engine.
func TestLogFailsAlways(t *testing.T) {
	f := &failing{err: syscall.EIO, match: func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSyncData }}
	tick, fatal := make(chan time.Time), make(chan error, 1)
	o := smallOptions(f.fs(vfs.NewMem()))
	o.Policy, o.Tick, o.OnFatal = log.Always, tick, func(err error) { fatal <- err }
	e := openTest(t, o)
	f.on.Store(true)
	lsn := mustUpdate(t, e, 1, func(tx *Tx) { tx.putRow(testRow(1, 1), []byte("x")) })
	if err := e.Await(lsn); !errors.Is(err, ErrDiskFails) {
		t.Errorf("a write that was not synced: %v", err)
	}
	tick <- time.Time{}
	if err := <-fatal; !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.EIO) {
		t.Errorf("the owner was told %v", err)
	}
	if err := e.Close(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Close returned %v", err)
	}
}
