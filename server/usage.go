package server

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"cobble/server/command"
)

var peakHeap atomic.Int64

// usage reads what the system counts for this process. It takes some microseconds.
func usage() command.Usage {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(samples)
	u := command.Usage{RSS: residentBytes(), Machine: machineBytes(), Goroutines: runtime.NumGoroutine()}
	u.HeapLimit = int64(samples[3].Value.Uint64())
	u.HeapLive, _ = heapUse()
	u.Heap = int64(samples[0].Value.Uint64()) - int64(samples[1].Value.Uint64()) - int64(samples[2].Value.Uint64())
	for peak := peakHeap.Load(); u.Heap > peak && !peakHeap.CompareAndSwap(peak, u.Heap); peak = peakHeap.Load() {
	}
	u.PeakHeap = peakHeap.Load()
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.UserCPU, u.SystemCPU = seconds(r.Utime), seconds(r.Stime)
	}
	return u
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// machineBytes is the memory this process may hope for: the machine's, or its container's.
func machineBytes() int64 {
	var info syscall.Sysinfo_t
	total := int64(1 << 30)
	if syscall.Sysinfo(&info) == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
			total = min(total, limit)
		}
	}
	return total
}

func operatingSystem() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unameField(u.Sysname[:]) + " " + unameField(u.Release[:]) + " " + unameField(u.Machine[:])
}

func unameField(field []int8) string {
	var b strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}
