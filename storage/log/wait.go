package log

import (
	"sync"
	"sync/atomic"
)

// Wait returns when every record up to lsn has level, or with the error that
// stopped the log. If nobody else is doing the I/O that is needed, the caller
// does it, for all who wait: that is the group commit.
func (l *Log) Wait(lsn LSN, level Level) error {
	if l.Reached(level) >= lsn {
		return l.closedErr()
	}
	level = l.resolve(level)
	if err := l.lead(lsn, level); err != nil {
		return err
	}
	if LSN(l.reached[level].Load()) >= lsn {
		return nil
	}
	w := waiters.Get().(*waiter)
	l.Park(lsn, level, w.fn)
	err := <-w.ch
	waiters.Put(w)
	return err
}

// ParkSynced is Park for records on the disk.
func (l *Log) ParkSynced(lsn LSN, fn func(error)) { l.Park(lsn, Synced, fn) }

// IsSynced reports whether every record up to lsn is on the disk.
func (l *Log) IsSynced(lsn LSN) bool { return l.Reached(Synced) >= lsn }

// Park calls fn once, when every record up to lsn has level (nil), or when
// that will not happen any more (the error). fn runs on any goroutine, also on
// the caller's before Park returns; it must not block.
func (l *Log) Park(lsn LSN, level Level, fn func(error)) {
	if l.Reached(level) >= lsn {
		fn(l.closedErr())
		return
	}
	level = l.resolve(level)
	l.parked[level].push(lsn, fn)
	// What was reached, or failed, before the push did not see it.
	if LSN(l.reached[level].Load()) >= lsn || l.Err() != nil {
		l.wake(level)
		return
	}
	switch level {
	case Written:
		kick(l.kickWriter)
	case Synced:
		kick(l.kickSyncer)
	}
}

// waiter is a parked goroutine.
type waiter struct {
	ch chan error
	fn func(error)
}

var waiters = sync.Pool{New: func() any {
	w := &waiter{ch: make(chan error, 1)}
	w.fn = func(err error) { w.ch <- err }
	return w
}}

// lead does one round of the I/O that lsn needs to get to level, unless
// another goroutine is at it.
func (l *Log) lead(lsn LSN, level Level) error {
	if level == Committed {
		return nil
	}
	if LSN(l.reached[Written].Load()) < lsn {
		if !l.writing.TryLock() {
			return nil
		}
		err := l.writeRound()
		l.writing.Unlock()
		if err != nil {
			return err
		}
	}
	if level == Written || !l.syncing.TryLock() {
		return nil
	}
	err := l.syncRound()
	l.syncing.Unlock()
	return err
}

// wanted reports whether an appended record is waited for at level.
func (l *Log) wanted(level Level) bool {
	reached := LSN(l.reached[level].Load())
	return l.Err() == nil && l.End() > reached && l.parked[level].waiting.Load() > 0
}

// wake calls those parked at level whose time has come, or all of them if the
// log has stopped. No lock may be held.
func (l *Log) wake(level Level) {
	q := &l.parked[level]
	if q.waiting.Load() == 0 {
		return
	}
	for {
		fn := q.pop(LSN(l.reached[level].Load()), l.Err() != nil)
		if fn == nil {
			return
		}
		fn(l.Err())
	}
}

// parkQueue holds the parked calls of one level in a binary heap by LSN; calls
// come nearly in order, so a push rarely moves anything.
type parkQueue struct {
	waiting atomic.Int64
	mu      sync.Mutex
	calls   []parkedCall
}

type parkedCall struct {
	lsn LSN
	fn  func(error)
}

func (q *parkQueue) push(lsn LSN, fn func(error)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.insert(parkedCall{lsn, fn})
	q.waiting.Store(int64(len(q.calls)))
}

// insert sifts c up from the end. mu is held.
func (q *parkQueue) insert(c parkedCall) {
	q.calls = append(q.calls, c)
	i := len(q.calls) - 1
	for ; i > 0 && q.calls[(i-1)/2].lsn > c.lsn; i = (i - 1) / 2 {
		q.calls[i] = q.calls[(i-1)/2]
	}
	q.calls[i] = c
}

// pop takes out one call that waits for lsn or less, or any if all is set.
func (q *parkQueue) pop(lsn LSN, all bool) func(error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.calls) == 0 || !all && q.calls[0].lsn > lsn {
		return nil
	}
	fn := q.calls[0].fn
	n := len(q.calls) - 1
	c := q.calls[n]
	q.calls[n] = parkedCall{}
	q.calls = q.calls[:n]
	if n > 0 { // sift the last one down from the top
		i := 0
		for {
			child := 2*i + 1
			if child+1 < n && q.calls[child+1].lsn < q.calls[child].lsn {
				child++
			}
			if child >= n || q.calls[child].lsn >= c.lsn {
				break
			}
			q.calls[i] = q.calls[child]
			i = child
		}
		q.calls[i] = c
	}
	q.waiting.Store(int64(n))
	return fn
}

// takeAbove takes out all calls that wait for more than lsn.
func (q *parkQueue) takeAbove(lsn LSN) []func(error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []func(error)
	old := q.calls
	q.calls = nil
	for _, c := range old {
		if c.lsn > lsn {
			out = append(out, c.fn)
		} else {
			q.insert(c)
		}
	}
	q.waiting.Store(int64(len(q.calls)))
	return out
}
