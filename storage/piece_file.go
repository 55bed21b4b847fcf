package storage

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// filePiece is how much of a sorted table is written at once. Pebble writes block after
// block: 4 KB each. In one piece a page costs a fourth of the CPU to write; and of so
// large a piece, aligned, the file system (ext4 since Linux 6.16, xfs, btrfs) makes one
// folio, which costs less to find for a look at a row and less to remove with the file.
const filePiece = 256 << 10

var piecePool = sync.Pool{New: func() any { return new([filePiece]byte) }}

// pieceFile is a file that is written from its beginning to its end, in large pieces.
// What is not a whole piece yet is written when it is to be synced, or at the end. One
// goroutine uses it at a time. When a write fails it closes the file at once: Pebble's
// writers leave a file open that they cannot sync, and on a full disk its space with it.
type pieceFile struct {
	vfs.File
	piece   *[filePiece]byte // nil: there is nothing in it
	filled  int
	written int64
	err     error // of a write; the file is not whole then, nor ever will be, and closed

	mutantLate bool // see mutants.tailUnsynced
}

// Write implements vfs.File.
func (f *pieceFile) Write(p []byte) (n int, err error) {
	for len(p) > 0 && f.err == nil {
		if f.piece == nil {
			f.piece = piecePool.Get().(*[filePiece]byte)
		}
		c := copy(f.piece[f.filled:], p)
		f.filled += c
		p = p[c:]
		n += c
		if f.filled == filePiece {
			_ = f.flush()
		}
	}
	return n, f.err
}

// flush writes what there is.
func (f *pieceFile) flush() error {
	if f.filled > 0 && f.err == nil {
		var n int
		n, f.err = f.File.Write(f.piece[:f.filled])
		if f.written += int64(n); f.err != nil {
			_ = f.File.Close()
		}
	}
	if f.piece != nil {
		piecePool.Put(f.piece)
	}
	f.piece, f.filled = nil, 0
	return f.err
}

// Sync implements vfs.File.
func (f *pieceFile) Sync() error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData implements vfs.File.
func (f *pieceFile) SyncData() error {
	if f.mutantLate && f.err == nil {
		return f.File.SyncData()
	}
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.SyncData()
}

// SyncTo implements vfs.File. It is about what was written, and promises nothing.
func (f *pieceFile) SyncTo(length int64) (bool, error) {
	if f.err != nil {
		return false, f.err
	}
	full, err := f.File.SyncTo(min(length, f.written))
	return full && f.filled == 0, err
}

// Stat implements vfs.File.
func (f *pieceFile) Stat() (vfs.FileInfo, error) {
	if err := f.flush(); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

// Close implements vfs.File.
func (f *pieceFile) Close() error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Close()
}
