//go:build !race

package cache

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserveMemory reserves address space of n bytes that becomes resident where it is
// written, and that the garbage collector does not know.
func reserveMemory(n int64) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err == nil {
		// Rows are read in no order: with small pages most reads would also miss the
		// TLB. Where the system has no huge pages the small ones do.
		_ = unix.Madvise(mem, unix.MADV_HUGEPAGE)
	}
	return mem, err
}

// releaseMemory gives back the pages of a part of reserved memory. A failure only means
// that they stay resident.
func releaseMemory(part []byte) { _ = unix.Madvise(part, unix.MADV_DONTNEED) }

func unreserveMemory(mem []byte) error { return unix.Munmap(mem) }

// reserveSegments returns the bookkeeping of n segments. What is never used of it is
// not resident, and would count for the garbage collector: it is not Go's memory.
func reserveSegments(n int) ([]segment, []byte, error) {
	mem, err := unix.Mmap(-1, 0, n*int(unsafe.Sizeof(segment{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*segment)(unsafe.Pointer(unsafe.SliceData(mem))), n), mem, nil
}
