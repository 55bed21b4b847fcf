package tables

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"golang.org/x/sys/unix"
)

func newReader(s *Set) *Reader {
	r := &Reader{set: s}
	r.pool.Init(2)
	schema := colblk.DefaultKeySchema(pebble.DefaultComparer, 16)
	r.schema = &schema
	r.it.InitOnce(r.schema, pebble.DefaultComparer, nil)
	return r
}

func (r *Reader) close() {
	_ = r.it.Close() // gives the block back; it has no errors
	r.pool.Release()
}

// ambiguous is how many blocks are looked at whose ends may share a prefix.
const ambiguous = 3

// look looks for a row in one table whose filter does not exclude it. found is false if the table says nothing about it.
func (r *Reader) look(t *table, key []byte, wait bool) (value []byte, a Answer, found bool, err error) {
	high, low := prefix(key)
	from, next := t.seek(high, low)
	for i := from; i < len(t.ends); i++ {
		if i == from+ambiguous {
			return nil, Unknown, true, nil
		}
		if ok, err := r.open(t, i, wait); err != nil {
			return nil, Unknown, true, err
		} else if !ok {
			return nil, WouldWait, true, nil
		}
		kv := r.it.SeekGE(key, 0)
		switch {
		case kv == nil:
			if next {
				continue
			}
			return nil, Absent, false, nil
		case !bytes.Equal(kv.K.UserKey, key):
			return nil, Absent, false, nil
		}
		switch kv.K.Kind() {
		case pebble.InternalKeyKindSet, pebble.InternalKeyKindSetWithDelete:
			return kv.InPlaceValue(), Present, true, nil
		case pebble.InternalKeyKindDelete, pebble.InternalKeyKindDeleteSized:
			return nil, Absent, true, nil
		}
		return nil, Unknown, true, nil
	}
	return nil, Absent, false, nil
}

const (
	keptBlock    = 256 << 10 // readers of larger blocks are not kept: their memory never shrinks
	patientBlock = 1 << 20   // whoever must not wait does not copy more
)

// alloc returns memory for a block.
func (r *Reader) alloc(n int) block.Value {
	r.large = r.large || n > keptBlock
	return block.Alloc(n, &r.pool)
}

// open brings block i of a table into memory; false if that would wait.
func (r *Reader) open(t *table, i int, wait bool) (bool, error) {
	r.it.Invalidate()
	h := block.Handle{Offset: uint64(t.starts[i]), Length: uint64(t.starts[i+1]-t.starts[i]) - block.TrailerLen}
	if !wait && h.Length > patientBlock {
		return false, nil
	}
	raw := r.alloc(int(h.Length) + block.TrailerLen)
	ok, err := r.read(t, raw.BlockData(), int64(h.Offset), wait)
	if err == nil && ok {
		err = block.ValidateChecksum(t.checksum, raw.BlockData(), h)
	}
	if err != nil || !ok {
		raw.Release()
		return false, err
	}
	kind := block.CompressionIndicator(raw.BlockData()[h.Length])
	raw.Truncate(int(h.Length))
	if kind != block.NoCompressionIndicator {
		if raw, err = r.decompress(kind, raw); err != nil {
			return false, err
		}
	}
	if err := colblk.InitDataBlockMetadata(r.schema, raw.BlockMetadata(), raw.BlockData()); err != nil {
		raw.Release()
		return false, err
	}
	return true, r.it.InitHandle(pebble.DefaultComparer, raw.MakeHandle(), block.NoTransforms)
}

func (r *Reader) decompress(kind block.CompressionIndicator, raw block.Value) (block.Value, error) {
	defer raw.Release()
	n, err := block.DecompressedLen(kind, raw.BlockData())
	if err != nil {
		return block.Value{}, err
	}
	out := r.alloc(n)
	if err := block.DecompressInto(kind, raw.BlockData(), out.BlockData()); err != nil {
		out.Release()
		return block.Value{}, err
	}
	return out, nil
}

// cannotTell says that the system does not answer reads only from memory.
var cannotTell atomic.Bool

// read fills b from a table; false if it would have to wait, for the disk as far as
// that can be told, and was not to.
func (r *Reader) read(t *table, b []byte, off int64, wait bool) (bool, error) {
	if t.fd >= 0 && !cannotTell.Load() {
		// Not a call that the runtime is told of: it cannot block.
		r.vector.Base = unsafe.SliceData(b)
		r.vector.SetLen(len(b))
		n, _, errno := unix.RawSyscall6(unix.SYS_PREADV2, uintptr(t.fd), uintptr(unsafe.Pointer(&r.vector)), 1, uintptr(off), 0, unix.RWF_NOWAIT)
		r.vector.Base = nil
		switch {
		case errno == 0 && int(n) == len(b):
			return true, nil
		case errno == 0 || errno == unix.EAGAIN || errno == unix.EINTR:
			if !wait {
				return false, nil
			}
		case errno == unix.EOPNOTSUPP || errno == unix.ENOSYS || errno == unix.EINVAL || errno == unix.EPERM:
			cannotTell.Store(true) // the kernel, the file system, or what filters system calls
		case !wait: // whoever may wait meets the error
			return false, nil
		}
	}
	if t.fd < 0 || cannotTell.Load() {
		r.Untold++
	}
	n, err := t.file.ReadAt(b, off)
	if n == len(b) && errors.Is(err, io.EOF) {
		err = nil
	}
	return err == nil, err
}
