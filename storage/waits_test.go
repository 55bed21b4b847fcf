package storage

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// coldFS has tables of which nothing is in the system's memory: their descriptor has
// no bytes for those who do not wait.
type coldFS struct {
	vfs.FS
	null  *os.File
	reads atomic.Int64 // of tables, that waited
}

type coldFile struct {
	vfs.File
	fs *coldFS
}

func (c *coldFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	return coldFile{f, c}, nil
}

func (f coldFile) Fd() uintptr { return f.fs.null.Fd() }

func (f coldFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.reads.Add(1)
	return f.File.ReadAt(p, off)
}

// A caller that must not wait leaves rows that are on the disk to others, as often as it
// meets them: it does not wait for them when it looks a second time.
func TestTryLeavesTheDiskAlone(t *testing.T) {
	for _, m := range []mutants{{}, {loopWaits: true}} {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		fs := &coldFS{FS: vfs.NewMem(), null: null}
		o := smallOptions(fs)
		o.mutant = m
		e := openTest(t, o)
		const slot = slots.Slot(5)
		mustUpdate(t, e, slot, func(tx *Tx) {
			for i := range 9 {
				tx.putRow(testRow(slot, i), []byte("value"))
			}
		})
		if err := e.Forget(); err != nil {
			t.Fatal(err)
		}
		for rows := 1; rows <= 9; rows += 4 {
			read := OpFunc(func(tx *Tx) error {
				for i := range rows {
					if v, ok, err := tx.getRow(testRow(slot, i)); err != nil || !ok || string(v) != "value" {
						return err
					}
				}
				return nil
			})
			before := fs.reads.Load()
			_, err := e.TryView(testNow, slot, read)
			if waited := fs.reads.Load() > before; (err != ErrWouldBlock || waited) != m.loopWaits {
				t.Errorf("%+v, %d rows: %v, waited for the disk: %v", m.loopWaits, rows, err, waited)
			}
			if m.loopWaits {
				break
			}
		}
		if _, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
			_, _, err := tx.getRow(testRow(slot, 0))
			return err
		})); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		null.Close()
	}
}
