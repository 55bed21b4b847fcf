package tables

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// randomStore is a store to which everything happens that may happen to one, with
// blocks and tables so small that there are many of all kinds.
type randomStore struct {
	t     *testing.T
	rng   *rand.Rand
	fs    vfs.FS
	dir   string
	o     *pebble.Options
	db    *pebble.DB
	set   *Set
	keys  [][]byte // ascending
	snaps []*pebble.Snapshot
	files int
	count [4]int // answers
}

// randomKeys have common beginnings of all lengths, and zeros where others end.
func randomKeys(rng *rand.Rand, n int) (keys [][]byte) {
	beginnings := []string{"", "\x00", "a", "ab\x00", "eight by", "sixteen bytes aa", "sixteen bytes ab", "long beginning of more than sixteen bytes "}
	for range n {
		k := []byte(beginnings[rng.IntN(len(beginnings))])
		for range 1 + rng.IntN(4) {
			k = append(k, "\x00\x01b\xff"[rng.IntN(4)])
		}
		keys = append(keys, fmt.Appendf(k, "%d", rng.IntN(30)))
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

func newRandomStore(t *testing.T, seed uint64) *randomStore {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := &randomStore{t: t, rng: rng, fs: vfs.NewMem(), dir: "/store", keys: randomKeys(rng, 3000)}
	if seed%4 == 0 {
		s.fs, s.dir = vfs.Default, t.TempDir()
	}
	formats := []pebble.FormatMajorVersion{pebble.FormatValueSeparation, pebble.FormatValueSeparation, pebble.FormatTableFormatV6, pebble.FormatColumnarBlocks, pebble.FormatVirtualSSTables}
	s.o = &pebble.Options{
		FS: s.fs, FormatMajorVersion: formats[rng.IntN(len(formats))], DisableWAL: true, MemTableSize: 1 << 20,
		L0CompactionThreshold: 2 + rng.IntN(8), Logger: quiet{t},
	}
	compressions := []*block.CompressionProfile{block.NoCompression, block.SnappyCompression, block.ZstdCompression, block.MinLZCompression, block.GoodCompression}
	for i := range s.o.Levels {
		l := &s.o.Levels[i]
		l.BlockSize, l.IndexBlockSize = 32<<rng.IntN(6), 32<<rng.IntN(9)
		if rng.IntN(6) > 0 {
			l.FilterPolicy, l.FilterType = bloom.FilterPolicy(1+rng.IntN(12)), pebble.TableFilter
		}
		kind := compressions[rng.IntN(len(compressions))]
		l.Compression = func() *sstable.CompressionProfile { return kind }
	}
	s.o.TargetFileSizes[0] = 2 << 10 << rng.IntN(6)
	s.o.EnsureDefaults()
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *randomStore) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *randomStore) open() {
	db, err := pebble.Open(s.dir, s.o)
	s.must(err)
	s.db, s.set = db, New(s.fs, s.o.MakeReaderOptions())
}

func (s *randomStore) close() {
	s.set.Drop()
	for _, snap := range s.snaps {
		s.must(snap.Close())
	}
	s.snaps = nil
	s.must(s.db.Close())
}

// span returns two keys, the first below the second, not far from each other.
func (s *randomStore) span() (first, last []byte) {
	n := s.rng.IntN(len(s.keys) - 1)
	return s.keys[n], s.keys[min(len(s.keys)-1, n+1+s.rng.IntN(1+len(s.keys)>>s.rng.IntN(9)))]
}

// value ends with the key, so that a row that stands elsewhere shows.
func (s *randomStore) value(key []byte) []byte {
	n := s.rng.IntN(60)
	if s.rng.IntN(60) == 0 {
		n = s.rng.IntN(20000)
	}
	return append(append(bytes.Repeat([]byte{byte(s.rng.Uint32())}, n), strconv.Itoa(s.rng.IntN(1000))...), key...)
}

// table writes a table to ingest.
func (s *randomStore) table(first, last []byte) string {
	path := s.fs.PathJoin(s.dir, fmt.Sprintf("new-%d", s.files))
	s.files++
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	s.must(err)
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.o.MakeWriterOptions(s.rng.IntN(6), s.db.TableFormat()))
	if s.rng.IntN(30) == 0 {
		s.must(w.DeleteRange(first, last))
	}
	some := 1 + s.rng.IntN(20)
	for _, k := range s.keys {
		if bytes.Compare(k, first) < 0 || bytes.Compare(k, last) >= 0 || s.rng.IntN(some) > 0 {
			continue
		}
		if s.rng.IntN(4) == 0 {
			s.must(w.Delete(k))
		} else {
			s.must(w.Set(k, s.value(k)))
		}
	}
	s.must(w.Close())
	return path
}

// batch changes rows by way of the memtable, of which nothing is left.
func (s *randomStore) batch() {
	b := s.db.NewBatch()
	for range s.rng.IntN(200) {
		k := s.keys[s.rng.IntN(len(s.keys))]
		switch n := s.rng.IntN(40); {
		case n == 0 && s.rng.IntN(50) == 0:
			first, last := s.span()
			s.must(b.DeleteRange(first, last, nil))
		case n == 1 && s.rng.IntN(20) == 0:
			s.must(b.Merge(k, s.value(k), nil))
		case n < 6:
			s.must(b.Delete(k, nil))
		case n < 10:
			s.must(b.DeleteSized(k, 100, nil))
		default:
			s.must(b.Set(k, s.value(k), nil))
		}
	}
	s.must(b.Commit(pebble.NoSync))
	s.must(s.db.Flush())
}

func (s *randomStore) step() {

	ctx := context.Background()
	first, last := s.span()
	switch n := s.rng.IntN(20); {
	case n < 9:
		s.must(s.db.Ingest(ctx, []string{s.table(first, last)}))
	case n < 12:
		s.batch()
	case n < 14:
		s.must(s.db.Excise(ctx, pebble.KeyRange{Start: first, End: last}))
	case n == 14:
		_, err := s.db.IngestAndExcise(ctx, []string{s.table(first, last)}, nil, nil, pebble.KeyRange{Start: first, End: last})
		s.must(err)
	case n < 17:
		s.must(s.db.Compact(ctx, first, last, false))
	case n == 17 && len(s.snaps) < 5:
		s.snaps = append(s.snaps, s.db.NewSnapshot())
	case n == 18 && len(s.snaps) > 0:
		s.must(s.snaps[0].Close())
		s.snaps = s.snaps[1:]
	case n == 19 && s.rng.IntN(4) == 0:
		s.close()
		s.open()
	}
}

// check holds every answer against what an iterator says.
func (s *randomStore) check() {
	limit := int64(1) << 30
	if s.rng.IntN(4) == 0 {
		limit = 1 << s.rng.IntN(18)
	}
	s.must(s.set.Refresh(s.db, s.dir, limit))
	r := s.set.Reader()
	defer r.Close()
	it, err := s.db.NewIter(nil)
	s.must(err)
	defer it.Close()
	for _, k := range s.keys {
		is := it.SeekGE(k) && bytes.Equal(it.Key(), k)
		got, a, err := r.Get(k, s.rng.IntN(2) == 0)
		s.must(err)
		if a == Present && (!is || !bytes.Equal(got, it.Value())) || a == Absent && is {
			s.t.Fatalf("%q: answer %d, %q; the iterator has it: %v", k, a, got, is)
		}
		s.count[a]++
	}
	s.must(it.Error())
}

// beside looks at rows while the store changes, a hundred each turn: it must find rows of the key.
func (s *randomStore) beside(set *Set, turns chan struct{}) (err error) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range turns {
		for range 5 {
			if r := set.Reader(); r != nil && err == nil {
				err = s.besideOnce(r, rng)
			}
		}
	}
	return err
}

func (s *randomStore) besideOnce(r *Reader, rng *rand.Rand) error {
	defer r.Close()
	for range 20 {
		k := s.keys[rng.IntN(len(s.keys))]
		if v, a, err := r.Get(k, true); err != nil || a == Present && !bytes.HasSuffix(v, k) {
			return fmt.Errorf("%q: %q, %d, %w", k, v, a, err)
		}
	}
	return nil
}

// TestRandomStores holds looks against iterators in stores of all formats, kinds of
// compression and sizes of blocks. COBBLE_SEEDS=n runs n stores.
func TestRandomStores(t *testing.T) {
	seeds := 4
	if n, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil && n > 0 {
		seeds = n
	}
	var count [4]int
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newRandomStore(t, seed)
			for range 4 {
				turns, set := make(chan struct{}), s.set
				var beside sync.WaitGroup
				beside.Go(func() {
					if err := s.beside(set, turns); err != nil {
						t.Error(err)
					}
				})
				for range 12 {
					turns <- struct{}{}
					s.step()
					s.check()
				}
				close(turns)
				beside.Wait()
			}
			for a, n := range s.count {
				count[a] += n
			}
		})
	}
	t.Logf("unknown, absent, present, on the disk: %d", count)
	if count[Absent] == 0 || count[Present] == 0 || count[Unknown] == 0 {
		t.Error("an answer was never given")
	}
}
