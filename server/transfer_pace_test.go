package server

import (
	"testing"
	"time"
)

// Whoever sends, together they keep to the rate: over any stretch no more is let
// through than the rate and one burst.
func TestTransfersShareOneRate(t *testing.T) {
	const rate = 1 << 20
	tr := &transfers{rate: func() int64 { return rate }}
	now := time.Unix(100, 0)
	senders := []time.Time{now, now, now} // when each may send again
	const piece = 10_000
	sent := 0
	for end := now.Add(10 * time.Second); ; {
		next := 0
		for i := range senders {
			if senders[i].Before(senders[next]) {
				next = i
			}
		}
		at := senders[next]
		if at.After(end) {
			break
		}
		sent += piece
		senders[next] = at.Add(tr.book(piece, at))
	}
	low, high := 10*rate-len(senders)*piece, 10*rate+rate/20+len(senders)*piece
	if sent < low || sent > high {
		t.Errorf("%d bytes in 10 s, expected %d to %d", sent, low, high)
	}
	// After a rest a little is free, and not all of what was not used.
	later := now.Add(time.Hour)
	if wait := tr.book(rate/20, later); wait != 0 {
		t.Errorf("a burst after a rest waits %v", wait)
	}
	if wait := tr.book(rate, later); wait < 990*time.Millisecond || wait > 1010*time.Millisecond {
		t.Errorf("a second's worth behind it waits %v", wait)
	}
	if tr.bytes.Load() != int64(sent+rate+rate/20) {
		t.Errorf("%d bytes are counted", tr.bytes.Load())
	}
	tr.rate = func() int64 { return 0 }
	if wait := tr.book(1<<40, later); wait != 0 {
		t.Errorf("without a rate it waits %v", wait)
	}
}

// A wait ends with the server.
func TestTransfersEndWithTheServer(t *testing.T) {
	tr := &transfers{rate: func() int64 { return 1 }}
	stop := make(chan struct{})
	close(stop)
	tr.pace(1<<30, stop)
}
