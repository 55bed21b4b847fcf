package log

import "fmt"

// essentialShare is the part of a segment, 1/n, that is kept for essential
// records while no spare segment can be had.
const essentialShare = 16

// Append adds r at the end of the log and returns its LSN, which it also sets
// in r. Nothing of r is kept. The record is only Buffered: Wait or Park for the
// level that is needed.
//
// It does no I/O and holds only a short mutex, except that it waits for a
// write when the buffer is full and for the next segment when that is not
// prepared yet. On an error nothing has changed; ErrDiskFull clears itself.
func (l *Log) Append(r *Record) (LSN, error) {
	if r.TimeMS < 0 || r.TimeMS > maxTimeMS || !r.Kind.known() {
		panic(fmt.Sprintf("log: record of kind %q at %d ms", byte(r.Kind), r.TimeMS))
	}
	size := r.encodedLen()
	if size > largeRecord {
		l.large.Add(int64(size))
		defer l.large.Add(-int64(size))
	}
	l.mu.Lock()
	if err := l.admit(size, r.Essential || r.Kind == KindTerm); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	start := l.End()
	if r.Kind == KindTerm {
		if err := l.beginTerm(r.Payload, start, false); err != nil {
			l.mu.Unlock()
			return 0, err
		}
	}
	lsn := start + LSN(size)
	l.buf, l.crc = appendRecord(l.buf, r, size, lsn, l.crc)
	l.advance(lsn)
	l.mu.Unlock()
	r.LSN = lsn
	return lsn, nil
}

// largeRecord is the size from which a record that is being appended is told of by Backlog.
const largeRecord = 1 << 20

// Backlog returns how many bytes are appended, or about to be, and not yet written.
func (l *Log) Backlog() int64 {
	return int64(l.end.Load()-l.reached[Written].Load()) + l.large.Load()
}

// AppendTerm begins a new term: it appends the record that says so. The number
// must be above the last one (ErrOldTerm); the first term of a shard is 1.
func (l *Log) AppendTerm(number uint64, id ReplID, timeMS int64) (LSN, error) {
	return l.Append(&Record{Kind: KindTerm, TimeMS: timeMS, Payload: TermPayload(number, id)})
}

// AppendRaw adds one encoded record as it came from the primary. It must start
// at the end of this log and follow its last record, else the error is
// ErrDiverged (or wraps ErrFormat) and nothing has changed.
func (l *Log) AppendRaw(raw []byte) (LSN, error) {
	var r Record
	if err := r.Decode(raw); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	start := l.End()
	crc, err := verify(raw, start, l.crc)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDiverged, err)
	}
	if err := l.admit(len(raw), true); err != nil {
		return 0, err
	}
	if l.End() != start { // somebody else appended while there was no room
		return 0, ErrDiverged
	}
	if r.Kind == KindTerm {
		if err := l.beginTerm(r.Payload, start, true); err != nil {
			return 0, err
		}
	}
	l.buf = append(l.buf, raw...)
	l.crc = crc
	l.advance(r.LSN)
	return r.LSN, nil
}

// advance publishes a record that was just put into the buffer. mu is held.
func (l *Log) advance(lsn LSN) {
	l.end.Store(uint64(lsn))
	seg := l.segs[len(l.segs)-1]
	seg.mark(lsn, l.crc)
}

// beginTerm takes note of a term record about to be appended at start. mu is
// held. A replica may see the term it already has again only from its own
// history, so both sides insist on a rise.
func (l *Log) beginTerm(payload []byte, start LSN, raw bool) error {
	t, err := parseTerm(payload, start)
	if err != nil {
		if raw {
			return err
		}
		panic(err)
	}
	if t.Number <= l.term.Number {
		return fmt.Errorf("%w: %d after %d", ErrOldTerm, t.Number, l.term.Number)
	}
	l.term = t
	l.terms = append(l.terms, t)
	return nil
}

// admit returns when size more bytes have room in the buffer and on disk; mu
// is held, and released meanwhile if that takes time. It appends to l.rolls
// when the record begins a new segment.
func (l *Log) admit(size int, essential bool) error {
	if size > MaxRecordBytes {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	for {
		if err := l.Err(); err != nil {
			return err
		}
		if l.cutting {
			return ErrBusy
		}
		if len(l.buf) > 0 && len(l.buf)+size > l.opts.BufferBytes {
			lsn := l.End()
			l.mu.Unlock()
			err := l.Wait(lsn, Written)
			l.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		ok, err := l.reserve(int64(size), essential)
		if ok || err != nil {
			return err
		}
	}
}

// reserve finds room on disk for size more bytes. It returns false if it had
// to wait, after which everything must be looked at again. mu is held, and
// released while it waits.
func (l *Log) reserve(size int64, essential bool) (bool, error) {
	seg := l.segs[len(l.segs)-1]
	used := int64(l.End() - seg.first)
	keep := int64(0)
	if !essential && used > 0 && l.spare == nil {
		keep = l.opts.SegmentBytes / essentialShare
	}
	switch {
	case seg.capacity-used >= size+keep, l.opts.mutant.appendUnreserved:
		return true, nil
	case used == 0:
		// An empty segment grows in place: a second one would have its name.
		return false, l.awaitRoom(roomRequest{grow: seg, capacity: max(size, l.opts.SegmentBytes)})
	case l.spare == nil || l.spare.capacity < size:
		return false, l.awaitRoom(roomRequest{spare: max(size, l.opts.SegmentBytes)})
	case l.growing == seg: // its file is in use
		l.roomCond.Wait()
		return false, nil
	}
	l.beginSegment()
	return true, nil
}

// beginSegment makes the spare the segment of the next record. mu is held.
func (l *Log) beginSegment() {
	last := l.segs[len(l.segs)-1]
	end := l.End()
	seg := &segment{
		segmentHeader: segmentHeader{first: end, prev: last.first, term: l.term, crcBefore: l.crc},
		capacity:      l.spare.capacity,
		file:          l.spare.file,
		spareName:     l.spare.name,
		verified:      true,
	}
	l.spare = nil
	last.end = end
	l.segs = append(l.segs, seg)
	l.rolls = append(l.rolls, roll{at: end, seg: seg})
	l.breakPins(end)
	l.askRoom(roomRequest{spare: l.opts.SegmentBytes})
}
