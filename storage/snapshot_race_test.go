package storage

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/rdb"
)

// pausingWriter says when the first bytes have come, and waits then.
type pausingWriter struct {
	begun, goOn chan struct{}
	paused      bool
}

func (w *pausingWriter) Write(b []byte) (int, error) {
	if !w.paused {
		w.paused = true
		close(w.begun)
		<-w.goOn
	}
	return len(b), nil
}

func fillStrings(t *testing.T, e *Engine, n int) {
	t.Helper()
	for i := range n {
		key := fmt.Appendf(nil, "key:%06d", i)
		update(t, e, string(key), func(tx *Tx) error {
			_, err := tx.StringSet(key, make([]byte, 3000), SetOptions{})
			return err
		})
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
}

// exportSlowly begins to export a view of the engine, and returns when that is under way.
func exportSlowly(t *testing.T, e *Engine) (w *pausingWriter, exported chan error) {
	t.Helper()
	snap, err := e.Snapshot(slots.Full())
	if err != nil {
		t.Fatal(err)
	}
	w = &pausingWriter{begun: make(chan struct{}), goOn: make(chan struct{})}
	exported = make(chan error, 1)
	go func() {
		err := snap.Export(rdb.NewWriter(w, true))
		exported <- errors.Join(err, snap.Close())
	}()
	<-w.begun
	return w, exported
}

// The store is replaced while a file is made of a view of it: the file is given up, and
// the old store goes only then. (Pebble panicked, and the process with it: a replica that
// was copied to a Redis replica, or to redis-cli --rdb, while it took a full copy itself.)
func TestStoreReplacedDuringExport(t *testing.T) {
	fs := vfs.NewMem()
	po, ro := smallOptions(fs), smallOptions(fs)
	po.Dir, ro.Dir = "primary", "replica"
	p, r := openTest(t, po), openTest(t, ro)
	defer p.Close()
	fillStrings(t, p, 10)
	fillStrings(t, r, 1000)
	w, exported := exportSlowly(t, r)
	next, err := r.NextStoreDir()
	if err != nil {
		t.Fatal(err)
	}
	_, pin, err := p.Checkpoint(next)
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Release()
	if _, err := r.ReplaceWith(); err != nil {
		t.Fatal(err)
	}
	if n := r.KeysIn(slots.Of([]byte("key:000001"))); n != 1 {
		t.Errorf("%d keys in a slot of the new store, want 1", n)
	}
	close(w.goOn)
	if err := <-exported; !errors.Is(err, ErrClosed) {
		t.Errorf("the export ended with %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List("replica")
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(names, " "); strings.Contains(all, firstStore) || !strings.Contains(all, nextStore(firstStore)) {
		t.Errorf("the directory has %s", all)
	}
}

// The engine is closed while a file is made of a view of it: it waits for the end of that.
func TestEngineClosedDuringExport(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	fillStrings(t, e, 1000)
	w, exported := exportSlowly(t, e)
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	for e.isOpen() {
		select {
		case err := <-closed:
			t.Fatalf("closed although a view is read: %v", err)
		default:
			runtime.Gosched()
		}
	}
	close(w.goOn)
	if err := <-exported; !errors.Is(err, ErrClosed) {
		t.Errorf("the export ended with %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func (e *Engine) isOpen() bool {
	e.stores.RLock()
	defer e.stores.RUnlock()
	return e.store != nil
}

// A process that ended before it had removed a replaced store does that at its next start.
func TestReplacedStoreIsRemoved(t *testing.T) {
	fs := vfs.NewMem()
	o := smallOptions(fs)
	e := openTest(t, o)
	fillStrings(t, e, 10)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(fs, o.Dir, currentFile, "rows-000007\n"); err != nil {
		t.Fatal(err)
	}
	if err := fs.Rename(fs.PathJoin(o.Dir, firstStore), fs.PathJoin(o.Dir, "rows-000007")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rows-000005", "rows-000006", "rows-000008"} {
		if err := fs.MkdirAll(fs.PathJoin(o.Dir, name, "inside"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	e = openTest(t, o)
	defer e.Close()
	for name, stays := range map[string]bool{"rows-000005": false, "rows-000006": false, "rows-000007": true, "rows-000008": true} {
		f, err := fs.Stat(fs.PathJoin(o.Dir, name))
		if stays != (err == nil) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if n := e.KeysIn(slots.Of([]byte("key:000001"))); n != 1 {
		t.Errorf("%d keys in a slot, want 1", n)
	}
}
