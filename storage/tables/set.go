package tables

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// Answer is what a look has found out about a row.
type Answer uint8

// Unknown: only the store can tell. Absent: the store has no such row.
// WouldWait: the row's block has to come from the disk.
const (
	Unknown Answer = iota
	Absent
	Present
	WouldWait
)

// maxOpen bounds the files that are kept open.
var maxOpen = int(MostFiles(Descriptors()))

// MostFiles of limit descriptors are kept open by a set. The rest is for the store and for connections.
func MostFiles(limit uint64) uint64 { return min(limit/8, 1024) }

// Descriptors returns how many the process may have.
func Descriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1 << 20
	}
	return limit.Cur
}

// Set is the tables of a store. Its methods may be called by many goroutines.
type Set struct {
	fs      vfs.FS
	options sstable.ReaderOptions

	refreshing sync.Mutex // one version after the other

	mu      sync.Mutex
	view    *view // nil: nothing is known
	bytes   int64
	readers []*Reader // that nobody uses
}

// New returns a set of no tables.
func New(fs vfs.FS, options sstable.ReaderOptions) *Set {
	return &Set{fs: fs, options: options}
}

// view is the tables of one version of the store. It does not change, but for refs.
type view struct {
	refs   int     // guarded by Set.mu: of the set, and of readers
	levels [][]run // the first: newest first, and they may overlap; the others ascending
	ranges []run   // of range deletions, ascending, apart from each other
	tables map[uint64]*table
	dir    string
	tells  bool
}

// run is the bounds of a table, or of a range deletion.
type run struct {
	first, last []byte
	open        bool   // last is not in it
	table       *table // nil: not one that can be looked at
}

func (r *run) has(key []byte) bool {
	if bytes.Compare(key, r.first) < 0 {
		return false
	}
	c := bytes.Compare(key, r.last)
	return c < 0 || c == 0 && !r.open
}

// Refresh makes the set what the store is now. Filters and indexes take up to limit
// bytes. Where there is no room, in the largest levels, filters are left out, and then
// tables are not looked at. On an error the set is empty.
func (s *Set) Refresh(store *pebble.DB, dir string, limit int64) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	fresh, size, err := s.build(store, dir, limit)
	if err != nil {
		s.Drop()
		return err
	}
	s.mu.Lock()
	old := s.view
	s.view, s.bytes = fresh, size
	s.mu.Unlock()
	closeAll(s.release(old))
	return nil
}

// Drop empties the set.
func (s *Set) Drop() {
	s.mu.Lock()
	old := s.view
	s.view, s.bytes = nil, 0
	free := s.readers
	s.readers = nil
	s.mu.Unlock()
	for _, r := range free {
		r.close()
	}
	closeAll(s.release(old))
}

// Bytes is what filters and indexes take.
func (s *Set) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// build makes a view. Tables that the last one has are taken over.
func (s *Set) build(store *pebble.DB, dir string, limit int64) (*view, int64, error) {
	const attempts = 10
	for attempt := 1; ; attempt++ {
		levels, err := store.SSTables()
		if err != nil {
			return nil, 0, err
		}
		v := &view{refs: 1, dir: dir, tells: true, tables: map[uint64]*table{}, levels: make([][]run, len(levels))}
		size, err := s.fill(v, levels, limit)
		if err == nil {
			return v, size, nil
		}
		closeAll(s.release(v))
		// A compaction may have removed a table since it was named.
		if !isNotExist(err) || attempt == attempts {
			return nil, 0, err
		}
	}
}

func (s *Set) fill(v *view, levels [][]pebble.SSTableInfo, limit int64) (size int64, err error) {
	for l, infos := range levels {
		runs := make([]run, 0, len(infos))
		for i := range infos {
			info := &infos[i]
			t, err := s.tableOf(v, uint64(info.BackingSSTNum), limit-size)
			if err != nil {
				return 0, err
			}
			r := run{first: info.Smallest.UserKey, last: info.Largest.UserKey, open: info.Largest.IsExclusiveSentinel()}
			if t != nil && !t.strange {
				r.table = t
			}
			if t != nil {
				if v.tables[t.number] == nil {
					v.tables[t.number] = t
					size += t.bytes()
					v.ranges = append(v.ranges, t.ranges...)
					v.tells = v.tells && t.fd >= 0
				}
			}
			runs = append(runs, r)
		}
		if l == 0 {
			slices.Reverse(runs)
		}
		v.levels[l] = runs
	}
	v.ranges = merged(v.ranges)
	return size, nil
}

// merged sorts ranges and joins those that touch.
func merged(ranges []run) []run {
	slices.SortFunc(ranges, func(a, b run) int { return bytes.Compare(a.first, b.first) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n == 0 || bytes.Compare(r.first, out[n-1].last) > 0 {
			out = append(out, r)
		} else if bytes.Compare(r.last, out[n-1].last) > 0 {
			out[n-1].last = r.last
		}
	}
	return out
}

// tableOf returns a table with a reference for the view, unless the view has it; nil
// if there is no room.
func (s *Set) tableOf(v *view, number uint64, room int64) (*table, error) {
	if t := v.tables[number]; t != nil {
		return t, nil
	}
	if len(v.tables) >= maxOpen || room <= 0 {
		return nil, nil
	}
	s.mu.Lock()
	if s.view != nil && s.view.dir == v.dir {
		if t := s.view.tables[number]; t != nil && t.bytes() <= room && (t.left == 0 || t.left > room-t.bytes()) {
			t.refs++
			s.mu.Unlock()
			return t, nil
		}
	}
	s.mu.Unlock()
	t, err := openTable(s.fs, s.fs.PathJoin(v.dir, fmt.Sprintf("%06d.sst", number)), s.options, room)
	if err != nil {
		return nil, err
	}
	t.number, t.refs = number, 1
	return t, nil
}

// release gives a reference back, and returns tables whose files nobody needs any more.
func (s *Set) release(v *view) (unused []*table) {
	if v == nil {
		return nil
	}
	s.mu.Lock()
	if v.refs--; v.refs == 0 {
		for _, t := range v.tables {
			if t.refs--; t.refs == 0 {
				unused = append(unused, t)
			}
		}
	}
	s.mu.Unlock()
	return unused
}

func closeAll(unused []*table) {
	for _, t := range unused {
		_ = t.file.Close() // it was only read
	}
}

// Reader looks at rows, as the store was when Reader was called at the earliest. One
// goroutine uses it, and gives it back with Close.
type Reader struct {
	// Untold counts reads that may have waited for the disk although they were not to:
	// the system does not say what it has in memory.
	Untold int

	set    *Set
	view   *view
	pool   block.BufferPool
	it     colblk.DataBlockIter
	schema *colblk.KeySchema
	vector unix.Iovec
	// candidates are of the look under way, and hold nothing that the view does not.
	candidates []candidate

	large bool // its memory is more than is kept
}

// Reader returns a reader; nil if the set is empty.
func (s *Set) Reader() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		return nil
	}
	s.view.refs++
	var r *Reader
	if n := len(s.readers); n > 0 {
		r, s.readers = s.readers[n-1], s.readers[:n-1]
	} else {
		r = newReader(s)
	}
	r.view, r.Untold = s.view, 0
	return r
}

// Close ends the use of a reader.
func (r *Reader) Close() {
	const keep = 8
	v, s := r.view, r.set
	r.view = nil
	clear(r.candidates) // their tables may go
	s.mu.Lock()
	kept := len(s.readers) < keep && s.view != nil && !r.large
	if kept {
		s.readers = append(s.readers, r)
	}
	s.mu.Unlock()
	if !kept {
		r.close()
	}
	// Most of them were removed by a compaction: with its last descriptor the system lets go of a file's
	// pages, half a millisecond of CPU a table, and of waiting. The caller may be the event loop.
	if unused := s.release(v); len(unused) > 0 {
		go closeAll(unused)
	}
}

// Get looks a row up. With wait it may wait for the disk, and without it a large block
// is left to others as if it were there. The value is valid until
// the next call of Get or Close. An error says that a table could not be read; the
// answer is Unknown then.
func (r *Reader) Get(key []byte, wait bool) (value []byte, a Answer, err error) {
	if len(r.view.ranges) > 0 && len(only(r.view.ranges, key)) > 0 {
		return nil, Unknown, nil
	}
	hash := filterHash(key)
	r.gather(key, hash)
	for _, c := range r.candidates {
		if c.table == nil {
			return nil, Unknown, nil
		}
		if c.first == 0 || !c.table.filter.mayContain(hash) {
			continue
		}
		value, a, found, err := r.look(c.table, key, wait)
		if found || err != nil {
			return value, a, err
		}
	}
	return nil, Absent, nil
}

// candidate is a table whose bounds have the key that is looked up.
type candidate struct {
	table *table // nil: not one that can be looked at
	first byte   // what its filter's first probe says
}

// gather sets candidates, in the order in which they are to be asked.
func (r *Reader) gather(key []byte, hash uint32) {
	r.candidates = r.candidates[:0]
	for l, runs := range r.view.levels {
		if l > 0 {
			runs = only(runs, key)
		}
		for i := range runs {
			if !runs[i].has(key) {
				continue
			}
			c := candidate{table: runs[i].table}
			if c.table != nil {
				c.first = c.table.filter.first(hash)
			}
			r.candidates = append(r.candidates, c)
		}
	}
}

// only returns the one of ascending runs that may have key, if there is one.
func only(runs []run, key []byte) []run {
	i := sort.Search(len(runs), func(i int) bool {
		c := bytes.Compare(runs[i].last, key)
		return c > 0 || c == 0 && !runs[i].open
	})
	if i == len(runs) || !runs[i].has(key) {
		return nil
	}
	return runs[i : i+1]
}

// Tells reports whether Get without wait does not wait: else it may, and counts in Untold.
func (r *Reader) Tells() bool { return r.view.tells && !cannotTell.Load() }
