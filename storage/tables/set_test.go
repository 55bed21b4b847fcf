package tables

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// bench is a store that only ingests, and what should be in it.
type bench struct {
	t     testing.TB
	fs    vfs.FS
	dir   string
	db    *pebble.DB
	o     *pebble.Options
	set   *Set
	model map[string][]byte
	files int
}

func newBench(t testing.TB, fs vfs.FS, dir string) *bench {
	t.Helper()
	o := &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatValueSeparation, DisableWAL: true, L0CompactionThreshold: 4, Logger: quiet{t}}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy, o.Levels[i].FilterType = bloom.FilterPolicy(10), pebble.TableFilter
	}
	o.TargetFileSizes[0] = 64 << 10
	o.EnsureDefaults()
	db, err := pebble.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, fs: fs, dir: dir, db: db, o: o, set: New(fs, o.MakeReaderOptions()), model: map[string][]byte{}}
	t.Cleanup(func() {
		b.set.Drop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

type quiet struct{ t testing.TB }

func (quiet) Infof(string, ...any)          {}
func (q quiet) Errorf(f string, a ...any)   { q.t.Errorf(f, a...) }
func (q quiet) Fatalf(f string, a ...any)   { q.t.Fatalf(f, a...) }
func (quiet) Eventf(string, ...interface{}) {}

// key number i: most have beginnings of their own, some share eight bytes with many, and
// some so many that no index tells their blocks apart.
func key(i int) []byte {
	switch i % 8 {
	case 0:
		return fmt.Appendf(nil, "shared prefix %06d", i)
	case 4:
		return fmt.Appendf(nil, "shared8 %06d", i)
	}
	return binary.BigEndian.AppendUint64([]byte{byte(i), byte(i >> 3)}, uint64(i)*0x9E3779B97F4A7C15)
}

// ingest puts rows into the store; nil values are deletions.
func (b *bench) ingest(rows map[string][]byte, deleted ...[2]string) {
	b.t.Helper()
	path := b.fs.PathJoin(b.dir, fmt.Sprintf("new-%d", b.files))
	b.files++
	f, err := b.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		b.t.Fatal(err)
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), b.o.MakeWriterOptions(0, b.db.TableFormat()))
	for _, d := range deleted {
		if err := w.DeleteRange([]byte(d[0]), []byte(d[1])); err != nil {
			b.t.Fatal(err)
		}
		for k := range b.model {
			if k >= d[0] && k < d[1] {
				delete(b.model, k)
			}
		}
	}
	names := make([]string, 0, len(rows))
	for k := range rows {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		if rows[k] == nil {
			err = w.Delete([]byte(k))
			delete(b.model, k)
		} else {
			err = w.Set([]byte(k), rows[k])
			b.model[k] = rows[k]
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.db.Ingest(context.Background(), []string{path}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) refresh(limit int64) {
	b.t.Helper()
	if err := b.set.Refresh(b.db, b.dir, limit); err != nil {
		b.t.Fatal(err)
	}
}

// check looks at keys below n and returns how many looks ended in each answer.
func (b *bench) check(n int) (count [4]int) {
	b.t.Helper()
	r := b.set.Reader()
	defer r.Close()
	for i := range n {
		k := key(i)
		got, a, err := r.Get(k, true)
		if err != nil {
			b.t.Fatal(err)
		}
		want, is := b.model[string(k)]
		if a == Present && (!is || !bytes.Equal(got, want)) || a == Absent && is || a == WouldWait {
			b.t.Fatalf("key %d: answer %d, %q, want %q %v", i, a, got, want, is)
		}
		count[a]++
	}
	return count
}

func TestLooksAgreeWithWhatWasIngested(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, fs, t.TempDir())
			rng := rand.New(rand.NewPCG(7, 1))
			const keys = 8000
			for round := range 24 {
				rows := map[string][]byte{}
				for range 1500 {
					value := bytes.Repeat([]byte{byte(round), byte(rng.Uint32())}, 1+rng.IntN(80)*(1+rng.IntN(2)*9))
					if rng.IntN(5) == 0 {
						value = nil
					}
					rows[string(key(rng.IntN(keys)))] = value
				}
				b.ingest(rows)
				if round%5 == 3 {
					if err := b.db.Compact(context.Background(), []byte{0}, []byte{255}, false); err != nil {
						t.Fatal(err)
					}
				}
				if round == 17 {
					if err := b.db.Excise(context.Background(), pebble.KeyRange{Start: []byte{40}, End: []byte{90}}); err != nil {
						t.Fatal(err)
					}
					for k := range b.model {
						if k[0] >= 40 && k[0] < 90 {
							delete(b.model, k)
						}
					}
				}
				b.refresh(1 << 30)
				if n := b.check(keys + 1000); n[Unknown] > keys/8 {
					t.Fatalf("round %d: %d looks of %d said nothing", round, n[Unknown], keys+1000)
				}
			}
			b.ingest(nil, [2]string{"shared", "shared prefix 004000"})
			b.refresh(1 << 30)
			b.check(keys)
		})
	}
}

// What was ingested since the last refresh is not seen, which is why there must be one;
// and tables that a compaction has removed are still read.
func TestSetIsOfOneVersion(t *testing.T) {
	b := newBench(t, vfs.Default, t.TempDir())
	rows := map[string][]byte{}
	for i := range 1000 {
		rows[string(key(i))] = []byte("old")
	}
	b.ingest(rows)
	b.refresh(1 << 30)
	r := b.set.Reader()
	b.ingest(map[string][]byte{string(key(1)): []byte("new")})
	if err := b.db.Compact(context.Background(), []byte{0}, []byte{255}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"old", "new"} {
		if got, a, err := r.Get(key(1), true); a != Present || string(got) != want || err != nil {
			t.Fatalf("%q, %d, %v; want %q", got, a, err, want)
		}
		r.Close()
		b.refresh(1 << 30)
		r = b.set.Reader()
	}
	r.Close()
	if b.set.Bytes() <= 0 {
		t.Error("the set takes no memory")
	}
	b.refresh(0) // no room for any table
	if n := b.check(1000); n[Unknown] != 1000 {
		t.Errorf("answers %v of a set without tables", n)
	}
	b.set.Drop()
	if b.set.Reader() != nil {
		t.Error("a reader of a set that was dropped")
	}
}

// Looks for rows in a table allocate nothing.
func TestLooksDoNotAllocate(t *testing.T) {
	b := newBench(t, vfs.Default, t.TempDir())
	rows := map[string][]byte{}
	for i := range 5000 {
		rows[string(key(i))] = bytes.Repeat([]byte{byte(i)}, 100)
	}
	b.ingest(rows)
	b.refresh(1 << 30)
	r := b.set.Reader()
	defer r.Close()
	var keys [][]byte
	for i := range 5000 {
		keys = append(keys, key(i|1))
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i += 7
		if _, a, err := r.Get(keys[i%5000], true); a != Present || err != nil {
			t.Fatal(a, err)
		}
	}); n > 0 {
		t.Errorf("%g allocations a look", n)
	}
}

func TestSeek(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	for range 300 {
		ends := make([]uint64, rng.IntN(500))
		for i := range ends {
			ends[i] = rng.Uint64() >> (rng.UintN(2) * rng.UintN(60))
		}
		slices.Sort(ends)
		tab := &table{ends: ends}
		for range 200 {
			p := rng.Uint64() >> (rng.UintN(2) * rng.UintN(60))
			if len(ends) > 0 && rng.UintN(2) == 0 {
				p = ends[rng.IntN(len(ends))]
			}
			if want, _ := slices.BinarySearch(ends, p); tab.seekHigh(p) != want {
				t.Fatalf("seek(%d) = %d, want %d of %v", p, tab.seekHigh(p), want, ends)
			}
		}
	}
}

func BenchmarkLook(b *testing.B) {
	x := newBench(b, vfs.Default, b.TempDir())
	const keys = 400_000
	rows := map[string][]byte{}
	for i := range keys {
		rows[string(key(i|1))] = bytes.Repeat([]byte{byte(i), byte(rand.Uint32())}, 50)
	}
	x.ingest(rows)
	x.refresh(1 << 30)
	r := x.set.Reader()
	defer r.Close()
	names := make([][]byte, 1<<16)
	for i := range names {
		names[i] = key(rand.IntN(keys) | 1)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if _, a, err := r.Get(names[i&(1<<16-1)], false); a != Present || err != nil {
			b.Fatal(a, err)
		}
	}
}
