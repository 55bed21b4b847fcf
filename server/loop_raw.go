package server

import (
	"syscall"
	"unsafe"
)

// System calls of the loop that never block. The runtime is not told of them: what
// it does for a call that may block (its monitor wakes fifty thousand times a second
// once it has found a goroutine in one for too long) costs up to a tenth of the CPU
// of a command without a pipeline.

// rawChunk bounds what one call copies, for it delays a stop of the world.
const rawChunk = 256 << 10

// rawRead is read(2) on a descriptor that does not block.
func rawRead(fd int, p []byte) (int, error) {
	p = p[:min(len(p), rawChunk)]
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// rawWrite is write(2), likewise.
func rawWrite(fd int, p []byte) (int, error) {
	p = p[:min(len(p), rawChunk)]
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// poll returns what is ready. Only when nothing is does it wait, in a call that the
// runtime knows of.
func poll(epoll int, events []syscall.EpollEvent) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n), nil
	}
	return syscall.EpollWait(epoll, events, -1)
}
