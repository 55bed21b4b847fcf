package tables

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Large blocks are left to those who may wait, and their memory is not kept.
func TestLargeBlocks(t *testing.T) {
	b := newBench(t, vfs.Default, t.TempDir())
	large, name := make([]byte, 2<<20), []byte("\x00large") // ahead of the others, in a block of its own
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range large {
		large[i] = byte(rng.Uint32())
	}
	rows := map[string][]byte{string(name): large}
	for i := range 100 {
		rows[string(key(i|1))] = []byte("small")
	}
	b.ingest(rows)
	b.refresh(1 << 30)
	r := b.set.Reader()
	if _, a, err := r.Get(name, false); a != WouldWait || err != nil {
		t.Errorf("a large block is copied for one who must not wait: %d, %v", a, err)
	}
	if got, a, err := r.Get(name, true); a != Present || err != nil || !bytes.Equal(got, large) {
		t.Fatal(a, err)
	}
	r.Close()
	if n := len(b.set.readers); n != 0 {
		t.Errorf("%d readers with memory for a large block are kept", n)
	}
	r = b.set.Reader()
	if _, a, err := r.Get(key(1), true); a != Present || err != nil {
		t.Fatal(a, err)
	}
	r.Close()
	if n := len(b.set.readers); n != 1 {
		t.Errorf("%d readers are kept, want one", n)
	}
}

// A table that is damaged anywhere never gives a wrong answer: an error, or nothing certain.
func TestDamagedTable(t *testing.T) {
	fs := vfs.NewMem()
	b := newBench(t, fs, "/store")
	rows := map[string][]byte{}
	for i := range 600 {
		rows[string(key(i))] = fmt.Appendf(bytes.Repeat([]byte{byte(i)}, 60), "%d", i)
	}
	b.ingest(rows)
	levels, err := b.db.SSTables()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	for _, infos := range levels {
		for i := range infos {
			name = fs.PathJoin("/store", fmt.Sprintf("%06d.sst", uint64(infos[i].BackingSSTNum)))
		}
	}
	b.refresh(1 << 30)
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	errs := 0
	for off := int64(0); off < info.Size(); off += 97 {
		var old [1]byte
		for _, step := range []func() error{
			func() error { _, err := f.ReadAt(old[:], off); return err },
			func() error { _, err := f.WriteAt([]byte{old[0] ^ 0x10}, off); return err },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{0, 1, 4, 300, 599, 1000 + int(off)} {
			r := b.set.Reader()
			got, a, err := r.Get(key(i), true)
			want, is := rows[string(key(i))]
			if err != nil {
				errs++
			}
			if err != nil && a != Unknown || a == Present && (!is || !bytes.Equal(got, want)) || a == Absent && is {
				t.Fatalf("byte %d is damaged: key %d: %d, %v", off, i, a, err)
			}
			r.Close()
		}
		if _, err := f.WriteAt(old[:], off); err != nil {
			t.Fatal(err)
		}
	}
	if errs == 0 {
		t.Error("no look has met the damage")
	}
}
