package log

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/cockroachdb/errors/oserror"
)

// Entry is one record as a reader sees it. It is valid until the reader's next
// call.
type Entry struct {
	Record
	Raw []byte // as AppendRaw takes it
	CRC uint32 // of the record; with LSN and the term it makes a Position
}

// Start returns the position before the record.
func (e *Entry) Start() LSN { return e.LSN - LSN(len(e.Raw)) }

// Reader reads the records of a log in order, from disk, into the live tail.
// It returns only records that are Written. It holds no segment: use a Pin for
// that. A Reader is for one goroutine at a time.
type Reader struct {
	log        *Log
	generation uint64
	cur        *cursor
	pos        LSN
	entry      Entry
	wake       chan struct{}
}

// NewReader returns a reader whose first record starts at from, which must be
// a position between two records. The errors: ErrTruncated, ErrBeyondEnd,
// ErrDiverged if no record ends at from, or one of the disk.
func (l *Log) NewReader(from LSN) (*Reader, error) {
	generation := l.generation.Load()
	cur, err := l.seek(from)
	if err != nil {
		return nil, err
	}
	return &Reader{log: l, generation: generation, cur: cur, pos: from, wake: make(chan struct{}, 1)}, nil
}

// Subscribe is NewReader together with a pin at from that the caller moves and
// releases.
func (l *Log) Subscribe(from LSN) (*Reader, *Pin, error) {
	pin, err := l.Pin(from)
	if err != nil {
		return nil, nil, err
	}
	r, err := l.NewReader(from)
	if err != nil {
		pin.Release()
		return nil, nil, err
	}
	return r, pin, nil
}

// Position returns the LSN up to which the reader has read.
func (r *Reader) Position() LSN { return r.pos }

// Close releases the reader's file.
func (r *Reader) Close() {
	r.log.tailing.remove(r)
	r.cur.close()
}

// Next returns the next record, and waits for one at the tail until ctx ends.
// The errors: ctx's, ErrTruncated, ErrCut, *CorruptError, or what stopped the
// log.
func (r *Reader) Next(ctx context.Context) (*Entry, error) {
	for {
		e, err := r.TryNext()
		if err != io.EOF {
			return e, err
		}
		r.log.tailing.add(r)
		// What was written before the reader was in the list did not wake it.
		if LSN(r.log.reached[Written].Load()) > r.pos || r.stale() {
			r.log.tailing.remove(r)
			continue
		}
		if err := r.log.Err(); err != nil {
			r.log.tailing.remove(r)
			return nil, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			r.log.tailing.remove(r)
			return nil, ctx.Err()
		}
	}
}

// stale reports that the log was cut or reset since the reader was made.
func (r *Reader) stale() bool { return r.log.generation.Load() != r.generation }

// TryNext is Next without waiting: it returns io.EOF at the tail.
func (r *Reader) TryNext() (*Entry, error) {
	e, err := r.read()
	if r.stale() { // whatever was read may be half cut
		return nil, ErrCut
	}
	return e, err
}

func (r *Reader) read() (*Entry, error) {
	written := LSN(r.log.reached[Written].Load())
	if r.pos >= written {
		return nil, io.EOF
	}
	limit, err := r.enter()
	if err != nil {
		return nil, err
	}
	start := r.cur.pos
	raw, err := r.cur.next(min(limit, written))
	if err == nil {
		err = r.entry.Decode(raw)
	}
	switch {
	case err == nil:
		r.pos = r.cur.pos
		r.entry.Raw, r.entry.CRC = raw, r.cur.crc
		return &r.entry, nil
	case errors.Is(err, ErrFormat), err == errZero, err == io.EOF:
		r.cur.pos = start
		return nil, r.cur.corrupt(err)
	}
	return nil, err
}

// enter makes sure that the cursor is in the segment that holds what comes at
// pos, and returns where that segment ends, as far as is known.
func (r *Reader) enter() (LSN, error) {
	seg, limit, err := r.log.segmentAt(r.pos)
	if err != nil {
		return 0, err
	}
	if seg != r.cur.seg || r.cur.file == nil {
		r.cur.close()
		cur, err := r.log.openCursor(seg, mark{r.pos, r.cur.crc})
		if err != nil {
			return 0, notHeld(err)
		}
		cur.buf = r.cur.buf
		cur.bufAt = cur.pos
		r.cur = cur
	}
	return limit, nil
}

// notHeld turns the absence of a file that was trimmed meanwhile into
// ErrTruncated.
func notHeld(err error) error {
	if oserror.IsNotExist(err) {
		return ErrTruncated
	}
	return err
}

// segmentAt returns the segment that holds the record that starts at pos, and
// the end of that segment (of the log, for the last one).
func (l *Log) segmentAt(pos LSN) (*segment, LSN, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if pos > l.End() {
		return nil, 0, ErrBeyondEnd
	}
	for i := len(l.segs) - 1; i >= 0; i-- {
		if seg := l.segs[i]; seg.first <= pos {
			if i == len(l.segs)-1 {
				return seg, l.End(), nil
			}
			return seg, seg.end, nil
		}
	}
	return nil, 0, ErrTruncated
}

// seek returns a cursor at lsn, which is Written when it returns.
func (l *Log) seek(lsn LSN) (*cursor, error) {
	if lsn > l.End() {
		return nil, ErrBeyondEnd
	}
	if l.Reached(Written) < lsn {
		if err := l.Wait(lsn, Written); err != nil {
			return nil, err
		}
	}
	seg, limit, err := l.segmentAt(lsn)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	m := seg.markBefore(lsn)
	l.mu.Unlock()
	if seg.first == lsn { // not on disk yet if nothing of it was written
		return &cursor{seg: seg, pos: lsn, crc: seg.crcBefore, skipCRC: l.opts.mutant.skipCRC}, nil
	}
	c, err := l.openCursor(seg, m)
	if err != nil {
		return nil, notHeld(err)
	}
	for c.pos < lsn {
		_, err := c.next(min(limit, LSN(l.reached[Written].Load())))
		if errors.Is(err, ErrFormat) || err == errZero || err == io.EOF {
			err = c.corrupt(err)
		}
		if err != nil {
			c.close()
			return nil, err
		}
	}
	if c.pos != lsn {
		c.close()
		return nil, ErrDiverged
	}
	return c, nil
}

// tailers are the readers that wait for something to be written.
type tailers struct {
	mu      sync.Mutex
	readers map[*Reader]struct{}
}

func (t *tailers) add(r *Reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers == nil {
		t.readers = map[*Reader]struct{}{}
	}
	t.readers[r] = struct{}{}
}

func (t *tailers) remove(r *Reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.readers, r)
}

// wake wakes and forgets all of them.
func (t *tailers) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for r := range t.readers {
		kick(r.wake)
	}
	clear(t.readers)
}
