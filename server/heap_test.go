package server

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
)

var heapTestSink []byte

// The collector has its slack whatever the runtime holds beside objects, here the stacks
// of many goroutines, and however small the budget is. (Counted in collections, not in
// time: it ran some hundred times a second when the slack was less than the stacks.)
func TestCollectorHasSlack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	const goroutines, stack = 600, 64 << 10
	stop := make(chan struct{})
	var deep, gone sync.WaitGroup
	deep.Add(goroutines)
	gone.Add(goroutines)
	for range goroutines {
		go func() {
			defer gone.Done()
			useStack(stack/2, func() { deep.Done(); <-stop })
		}()
	}
	deep.Wait()
	defer gone.Wait()
	defer close(stop)
	runtime.GC()
	if _, beside := heapUse(); beside < goroutines*stack/2+heapSlack/4 {
		t.Fatalf("only %d bytes are held beside objects: the test shows nothing", beside)
	}
	h := heapLimit{}
	h.govern(1<<30, 1<<30) // all of it is rows
	before := collections()
	const garbage = 4 * heapSlack
	for n := 0; n < garbage; n += 64 << 10 {
		heapTestSink = make([]byte, 64<<10)
	}
	if n := collections() - before; n > 12 {
		t.Errorf("%d collections for garbage of four times the slack", n)
	}
}

// useStack calls f on a stack that has at least so many bytes.
//
//go:noinline
func useStack(bytes int, f func()) byte {
	var frame [1 << 10]byte
	if bytes <= 0 {
		f()
		return frame[0]
	}
	frame[bytes%len(frame)] = useStack(bytes-len(frame), f)
	return frame[0]
}

func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
