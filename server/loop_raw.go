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

// rawRead reads from a socket that does not block. (recvfrom and sendto pass fewer
// layers of the kernel than read and write.)
func rawRead(fd int, p []byte) (int, error) {
	p = p[:min(len(p), rawChunk)]
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// rawWrite writes to one, likewise.
func rawWrite(fd int, p []byte) (int, error) {
	p = p[:min(len(p), rawChunk)]
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// briefly is how many milliseconds poll waits without telling the runtime, which costs
// a hand-over to another thread and back, and wakes the runtime's monitor. It is longer
// than a tick of most kernels: a timer that is due before the next tick is given to the
// hardware when the wait begins and taken back when it ends, which a virtual machine
// pays with two exits a round (docs/decisions/0014).
//
// The goroutine's processor runs nothing else meanwhile. What stops the world, or has
// waited long for a processor, ends the wait with the runtime's preemption signal.
const briefly = 5

// dense reports whether rounds at these times, in milliseconds, follow each other so
// fast that the next one will not be long in coming.
func dense(before, now int64) bool { return now-before <= 1 && now >= before }

// poll returns what is ready, and waits until something is: at first, if brief, in a
// call that the runtime is not told of.
func poll(epoll int, events []syscall.EpollEvent, brief bool) (int, error) {
	wait := uintptr(0)
	if brief {
		wait = briefly
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), wait, 0, 0)
	if errno == 0 && n > 0 {
		return int(n), nil
	}
	return syscall.EpollWait(epoll, events, -1)
}
