package log

import "errors"

// ErrPinBroken is what the holder of a pin gets that fell too far behind.
var ErrPinBroken = errors.New("log: pin broken, its holder fell too far behind")

// Pin keeps the records behind its position from being trimmed, for a replica,
// a full sync, a slot move or an archive. Pins are bounded: one that falls
// more than Options.PinBytes behind the end is broken, so that one dead holder
// cannot fill the disk.
type Pin struct {
	log    *Log
	lsn    LSN // guarded by log.mu
	broken chan struct{}
	over   bool // broken or released; guarded by log.mu
}

// Pin holds every record that starts at lsn or later. ErrTruncated if they are
// not all there any more, ErrBeyondEnd if lsn is not reached yet.
func (l *Log) Pin(lsn LSN) (*Pin, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lsn < l.segs[0].first {
		return nil, ErrTruncated
	}
	if lsn > l.End() {
		return nil, ErrBeyondEnd
	}
	p := &Pin{log: l, lsn: lsn, broken: make(chan struct{})}
	l.pins[p] = struct{}{}
	return p, nil
}

// Move raises the pin to lsn; lower values are ignored. ErrPinBroken if it does
// not hold any more.
func (p *Pin) Move(lsn LSN) error {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if p.over {
		return ErrPinBroken
	}
	p.lsn = max(p.lsn, min(lsn, p.log.End()))
	return nil
}

// Broken is closed when the pin breaks.
func (p *Pin) Broken() <-chan struct{} { return p.broken }

// Release ends the pin. It may be called again.
func (p *Pin) Release() {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.over = true
	delete(p.log.pins, p)
}

// breakPins breaks the pins that are too far behind end, where a segment is
// about to begin. mu is held.
func (l *Log) breakPins(end LSN) {
	if l.opts.PinBytes <= 0 {
		return
	}
	for p := range l.pins {
		if int64(end-p.lsn) > l.opts.PinBytes {
			p.over = true
			delete(l.pins, p)
			close(p.broken)
		}
	}
}

// Trim removes the segments of which nobody needs a record: all records ≤
// before (the durable watermark), ≤ every pin, and further behind the end than
// Options.Retain. It returns the lowest position still held. One call at a
// time.
func (l *Log) Trim(before LSN) (LSN, error) {
	for {
		seg := l.trimmable(before)
		if seg == nil {
			return l.Start(), l.Err()
		}
		// Oldest first and one by one, so that a crash leaves no hole.
		if err := l.removeSegment(seg); err != nil {
			return l.Start(), err
		}
	}
}

// trimmable takes the oldest segment out of the list if it can go.
func (l *Log) trimmable(before LSN) *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	seg := l.segs[0]
	// Until the writer has moved on, a crash would leave nothing without seg.
	if l.cutting || len(l.segs) == 1 || seg.end > before || seg.end > LSN(l.writingFrom.Load()) {
		return nil
	}
	if int64(l.End()-seg.end) < l.opts.Retain {
		return nil
	}
	for p := range l.pins {
		if p.lsn < seg.end && !l.opts.mutant.trimIgnoresPins {
			return nil
		}
	}
	l.segs = l.segs[1:]
	return seg
}
