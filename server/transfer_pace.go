package server

import (
	"sync"
	"sync/atomic"
	"time"
)

// transfers bounds what the server sends in bulk beside its clients' traffic: full
// copies for replicas and keys that MIGRATE moves share one rate
// (background-transfer-rate), for they read the same disk and fill the same network.
// Its methods may be called from any goroutine.
type transfers struct {
	rate  func() int64 // bytes per second, 0 for no bound
	bytes atomic.Int64
	waits atomic.Int64 // microseconds

	mu   sync.Mutex
	paid time.Time // when what was sent so far is paid for
}

// transferBurst is what may be sent at once after a rest, in time at the rate.
const transferBurst = 50 * time.Millisecond

// book notes n bytes that were sent at now, and returns how long whoever sent them is
// to wait: those who come at the same time wait one behind the other.
func (t *transfers) book(n int, now time.Time) time.Duration {
	t.bytes.Add(int64(n))
	rate := t.rate()
	if rate <= 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if earliest := now.Add(-transferBurst); t.paid.Before(earliest) {
		t.paid = earliest
	}
	t.paid = t.paid.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return max(t.paid.Sub(now), 0)
}

// pace books n bytes and waits; no longer than until stop is closed.
func (t *transfers) pace(n int, stop <-chan struct{}) {
	wait := t.book(n, time.Now())
	if wait == 0 {
		return
	}
	t.waits.Add(wait.Microseconds())
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
}
