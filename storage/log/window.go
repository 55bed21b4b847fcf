package log

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// windowBytes is how much of a segment is mapped at a time: what is mapped and
	// touched counts as memory of the process.
	windowBytes = 1 << 20
	// maxStored is the largest chunk that is stored through the window. A page that is
	// stored to for the first time costs as much as half a write(2): measured, rounds of
	// 190 bytes cost 1.3 µs instead of 2.8, rounds of 3 KB the same.
	maxStored = 4 << 10
)

// window is a part of the segment that is written to, mapped shared into memory. A
// store into it is as good as a write(2): both put the bytes into the page cache,
// which outlives the process, and a sync or a read of the file sees either. It costs
// no system call but for one page fault every few records.
//
// The file has room on disk wherever records go (reserveSpace), and is made as long
// as the window before anything is stored, for a store behind the end, or where no
// block can be had, is a SIGBUS. If one comes all the same (a failing disk, a file
// cut by another process), it is an error like that of a write.
//
// Who writes (Log.writing) owns it.
type window struct {
	file vfs.File // nil: nothing is mapped
	mem  []byte
	from int64 // offset in file of mem
	size int64 // of file, at least
	off  bool  // this file system cannot be mapped
}

// store puts b at offset of the segment's file. It reports false if that is a
// matter for write(2).
func (w *window) store(l *Log, b []byte, at int64) (bool, error) {
	if len(b) > maxStored || w.off {
		w.size = max(w.size, at+int64(len(b))) // if it fails the log does
		return false, nil
	}
	for len(b) > 0 {
		if (w.file != l.file && !l.opts.mutant.windowStays) || w.file == nil || at < w.from || at >= w.from+int64(len(w.mem)) {
			if err := w.move(l, at); err != nil {
				w.off = w.off || errors.Is(err, errors.ErrUnsupported)
				if w.off {
					return false, nil // nothing of b was stored but what write(2) will repeat
				}
				return false, err
			}
		}
		n, err := storeAt(w.mem[at-w.from:], b)
		if err != nil {
			return false, err
		}
		at, b = at+int64(n), b[n:]
	}
	return true, nil
}

// move maps the window that has offset at of the current file in it.
func (w *window) move(l *Log, at int64) error {
	if w.file != l.file {
		w.size = 0
	}
	w.close()
	fd := l.file.Fd()
	if l.fs != vfs.Default || fd == vfs.InvalidFd {
		return errors.ErrUnsupported
	}
	if w.size == 0 {
		info, err := l.file.Stat()
		if err != nil {
			return err
		}
		w.size = info.Size()
	}
	page := int64(os.Getpagesize())
	from := at &^ (page - 1)
	end := from + windowBytes
	if end > w.size && !l.opts.mutant.windowBeyondEnd {
		if err := unix.Ftruncate(int(fd), end); err != nil {
			return fmt.Errorf("lengthen: %w", err)
		}
		w.size = end
	}
	mem, err := unix.Mmap(int(fd), from, windowBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("%w: map: %w", errors.ErrUnsupported, err)
	}
	w.file, w.mem, w.from = l.file, mem, from
	return nil
}

// close unmaps the window. What was stored stays in the file.
func (w *window) close() {
	if w.file != nil {
		_ = unix.Munmap(w.mem) // fails only for what was never mapped
		w.file, w.mem = nil, nil
	}
}

// storeAt copies as copy does, and turns a fault of the memory into an error.
func storeAt(mem, b []byte) (n int, err error) {
	was := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(was)
		if fault := recover(); fault != nil {
			err = fmt.Errorf("store into the mapped file: %v", fault)
		}
	}()
	return copy(mem, b), nil
}
