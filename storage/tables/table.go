package tables

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// table is what is in memory of one sorted table. Only refs changes.
type table struct {
	number uint64
	refs   int // by views, guarded by Set.mu
	file   vfs.File
	fd     int // -1: the file is not the system's

	strange  bool   // of a kind that is not looked at
	filter   filter // without a block: none, every row may be here
	left     int64  // bytes of a filter for which there was no room
	checksum block.ChecksumType
	// ends has the first eight bytes of a key that is not below those of block i and
	// below those of the next; more the eight bytes after them, if the first do not tell
	// all blocks apart. Block i is at starts[i], and ends with its trailer at starts[i+1].
	ends, more []uint64
	starts     []uint32
	ranges     []run // of range deletions
}

func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }

// prefix is the first sixteen bytes of a key, so that they compare as keys do, unless
// they are equal.
func prefix(key []byte) (high, low uint64) {
	if len(key) >= 16 {
		return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	}
	var b [16]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
}

func (t *table) bytes() int64 {
	return int64(len(t.filter.block) + 8*(cap(t.ends)+cap(t.more)) + 4*cap(t.starts))
}

// openTable opens a table and reads what is to be kept of it.
func openTable(fs vfs.FS, path string, options sstable.ReaderOptions, room int64) (*table, error) {
	f, err := fs.Open(path, vfs.RandomReadsOption)
	if err != nil {
		return nil, err
	}
	t := &table{file: f, fd: -1}
	if fd := f.Fd(); fd != vfs.InvalidFd {
		t.fd = int(fd)
	}
	if err := t.load(options, room); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func (t *table) load(options sstable.ReaderOptions, room int64) error {
	ctx := context.Background()
	readable, err := sstable.NewSimpleReadable(t.file)
	if err != nil {
		return err
	}
	// It is not closed: the file is not its own.
	r, err := sstable.NewReader(ctx, readable, options)
	if err != nil {
		return err
	}
	layout, err := r.Layout()
	if err != nil {
		return err
	}
	if err := t.loadRanges(ctx, r); err != nil {
		return err
	}
	if layout.Format < sstable.TableFormatPebblev5 || layout.Format > sstable.TableFormatPebblev7 || layout.ValueIndex.Length != 0 || layout.BlobReferenceIndex.Length != 0 {
		t.strange = true
		return nil
	}
	blocks := r.BlockReader()
	t.checksum = blocks.ChecksumType()
	t.ends, t.more = make([]uint64, 0, len(layout.Data)), make([]uint64, 0, len(layout.Data))
	t.starts = make([]uint32, 0, len(layout.Data)+1)
	for _, at := range layout.Index {
		if err := t.loadIndex(ctx, r, at); err != nil || t.strange {
			return err
		}
	}
	alike := false
	for i := 1; i < len(t.ends) && !alike; i++ {
		alike = t.ends[i] == t.ends[i-1]
	}
	if !alike {
		t.more = nil
	}
	return t.loadFilter(ctx, blocks, layout, room)
}

func (t *table) loadFilter(ctx context.Context, blocks *block.Reader, layout *sstable.Layout, room int64) error {
	for i := range layout.Filter {
		if n := int64(layout.Filter[i].Length); n > room-t.bytes() {
			t.left = n
			break
		}
		h, err := blocks.Read(ctx, block.NoReadEnv, nil, layout.Filter[i].Handle, blockkind.Filter, anyBlock)
		if err != nil {
			return err
		}
		t.filter = newFilter(slices.Clone(h.BlockData()))
		h.Release()
	}
	return nil
}

func anyBlock(*block.Metadata, []byte) error { return nil }

// loadIndex appends the blocks of a part of the index.
func (t *table) loadIndex(ctx context.Context, r *sstable.Reader, at block.Handle) error {
	h, err := r.BlockReader().Read(ctx, block.NoReadEnv, nil, at, blockkind.Index, colblk.InitIndexBlockMetadata)
	if err != nil {
		return err
	}
	var it colblk.IndexIter
	if err := it.InitHandle(r.Comparer, h, block.NoTransforms); err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		b, err := it.BlockHandleWithProperties()
		if err != nil {
			return err
		}
		end := b.Offset + b.Length + block.TrailerLen
		n := len(t.starts)
		if end > 1<<32-1 || n > 0 && uint64(t.starts[n-1]) != b.Offset {
			t.strange = true // blocks that do not follow each other
			return nil
		}
		if n == 0 {
			t.starts = append(t.starts, uint32(b.Offset))
		}
		t.starts = append(t.starts, uint32(end))
		high, low := prefix(it.Separator())
		t.ends, t.more = append(t.ends, high), append(t.more, low)
	}
	return nil
}

// loadRanges notes the table's range deletions.
func (t *table) loadRanges(ctx context.Context, r *sstable.Reader) error {
	it, err := r.NewRawRangeDelIter(ctx, sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		first, last := slices.Clone(span.Start), slices.Clone(span.End)
		if n := len(t.ranges); n > 0 && slices.Equal(t.ranges[n-1].last, first) {
			t.ranges[n-1].last = last
			continue
		}
		t.ranges = append(t.ranges, run{first: first, last: last, open: true})
	}
	return err
}

// seek returns the first block that may have a key of such a prefix, and whether the
// next one may have it as well.
func (t *table) seek(high, low uint64) (i int, next bool) {
	i = t.seekHigh(high)
	if i == len(t.ends) || t.ends[i] != high {
		return i, false
	}
	if t.more == nil {
		return i, true
	}
	to := i + sort.Search(len(t.ends)-i, func(n int) bool { return t.ends[i+n] != high })
	i += sort.Search(to-i, func(n int) bool { return t.more[i+n] >= low })
	return i, i < to && t.more[i] == low
}

// seekHigh returns the first block whose end is not below high. Keys are spread evenly
// over most of a table, so a guess from the ends leaves few steps.
func (t *table) seekHigh(p uint64) int {
	lo, hi := 0, len(t.ends) // ends[lo-1] < p <= ends[hi]
	for guesses := 0; hi-lo > 8 && guesses < 4; guesses++ {
		a, b := t.ends[lo], t.ends[hi-1]
		if p <= a {
			return lo
		}
		if p > b {
			return hi
		}
		mid := lo + int(float64(p-a)/float64(b-a)*float64(hi-1-lo))
		// A little to either side, so that the place is most likely between the two.
		margin := (hi - lo) >> 5
		if left := mid - margin; left > lo && t.ends[left-1] < p {
			lo = left
		} else if left > lo {
			hi = left - 1
			continue
		}
		if right := mid + margin; right < hi-1 && t.ends[right] >= p {
			hi = right
		} else if right < hi-1 {
			lo = right + 1
		}
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if t.ends[mid] < p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
