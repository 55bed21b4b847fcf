package log

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the log in opts.Dir, or begins one at opts.Start if there is
// none. A torn tail, which a crash may leave in the last segment, is cleared
// and reported by Recovered. Bad bytes before that are a *CorruptError; then
// nothing was changed.
func Open(opts Options) (*Log, error) {
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = DefaultSegmentBytes
	}
	if opts.BufferBytes == 0 {
		opts.BufferBytes = DefaultBufferBytes
	}
	l := &Log{
		opts:       opts,
		fs:         opts.FS,
		pins:       map[*Pin]struct{}{},
		kickWriter: make(chan struct{}, 1),
		kickSyncer: make(chan struct{}, 1),
		kickRoom:   make(chan struct{}, 1),
		closing:    make(chan struct{}),
	}
	l.roomCond.L = &l.mu
	l.SetPolicy(opts.Policy)
	if err := l.fs.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := l.fs.OpenDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	l.dir = dir
	if err := syncDir(l.fs, l.fs.PathDir(opts.Dir)); err != nil { // Dir may be new
		return nil, errors.Join(err, dir.Close())
	}
	if err := l.recoverSegments(); err != nil {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		return nil, errors.Join(err, dir.Close())
	}
	if opts.mutant.afterRecovery != nil {
		opts.mutant.afterRecovery(l)
	}
	l.mu.Lock()
	l.askRoom(roomRequest{spare: opts.SegmentBytes})
	l.mu.Unlock()
	l.loops.Add(3)
	go l.writerLoop()
	go l.syncerLoop()
	go l.roomLoop()
	return l, nil
}

func syncDir(fs vfs.FS, name string) error {
	d, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// recoverSegments reads what is in the directory and opens the last segment
// for appending.
func (l *Log) recoverSegments() error {
	segs, err := l.listSegments()
	if err != nil {
		return err
	}
	if len(segs) == 0 {
		return l.create(l.opts.Start)
	}
	if segs, err = l.dropBeforeGap(segs); err != nil {
		return err
	}
	l.segs, l.term = segs, segs[0].term
	for i, seg := range segs[:len(segs)-1] {
		seg.end = segs[i+1].first
		seg.capacity = int64(seg.end - seg.first)
		if seg.end <= l.opts.VerifyFrom {
			continue
		}
		if err := l.verifySegment(seg); err != nil {
			return err
		}
	}
	return l.recoverLast(segs[len(segs)-1])
}

// listSegments returns the segments in the directory, oldest first, and
// removes spares.
func (l *Log) listSegments() ([]*segment, error) {
	names, err := l.fs.List(l.opts.Dir)
	if err != nil {
		return nil, err
	}
	var segs []*segment
	for _, name := range names {
		if strings.HasSuffix(name, spareSuffix) {
			if err := l.fs.Remove(l.path(name)); err != nil {
				return nil, err
			}
			continue
		}
		first, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		h, err := l.readHeader(name)
		if err == nil && h.first != first {
			err = fmt.Errorf("%w: header of segment %d", ErrFormat, h.first)
		}
		if errors.Is(err, ErrFormat) {
			err = &CorruptError{File: name, LSN: first, Err: err}
		}
		if err != nil {
			return nil, err
		}
		segs = append(segs, &segment{segmentHeader: h})
	}
	sort.Slice(segs, func(i, j int) bool { return segs[i].first < segs[j].first })
	return segs, nil
}

func (l *Log) readHeader(name string) (segmentHeader, error) {
	file, err := l.fs.Open(l.path(name))
	if err != nil {
		return segmentHeader{}, err
	}
	defer file.Close()
	var b [segmentHeaderLen]byte
	n, err := file.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return segmentHeader{}, err
	}
	return parseSegmentHeader(b[:n])
}

// dropBeforeGap returns the newest segments that follow each other without a
// hole. What is before a hole is removed if nobody can need it, since the rows
// up to VerifyFrom are safe elsewhere; else the log is corrupt.
func (l *Log) dropBeforeGap(segs []*segment) ([]*segment, error) {
	from := len(segs) - 1
	for from > 0 && segs[from].prev == segs[from-1].first {
		from--
	}
	if from == 0 {
		return segs, nil
	}
	if h := segs[from]; h.first > l.opts.VerifyFrom {
		return nil, &CorruptError{File: segmentName(h.first), LSN: h.prev,
			Err: fmt.Errorf("log: segment %s before it is missing", segmentName(h.prev))}
	}
	for _, seg := range segs[:from] {
		if err := l.removeSegment(seg); err != nil {
			return nil, err
		}
	}
	return segs[from:], nil
}

// removeSegment removes a segment's file for good. One at a time is made
// durable, so that a crash leaves no hole.
func (l *Log) removeSegment(seg *segment) error {
	if err := l.fs.Remove(l.path(segmentName(seg.first))); err != nil {
		return err
	}
	return l.dir.Sync()
}

// verifySegment reads all of a segment that is not the last.
func (l *Log) verifySegment(seg *segment) error {
	c, err := l.openCursor(seg, mark{seg.first, seg.crcBefore})
	if err != nil {
		return err
	}
	defer c.close()
	l.noteTerm(seg)
	if err := l.scan(c, seg.end); err != io.EOF {
		return c.corrupt(err)
	}
	return nil
}

// recoverLast finds the end of the log in the last segment, clears what is
// behind it, and opens the segment for appending.
func (l *Log) recoverLast(seg *segment) error {
	file, err := l.fs.OpenReadWrite(l.path(segmentName(seg.first)), writeCategory)
	if err != nil {
		return err
	}
	l.file, l.fileSeg, seg.file = file, seg, file
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := max(info.Size(), segmentHeaderLen)
	limit := seg.first + LSN(size-segmentHeaderLen)
	c := &cursor{file: file, seg: seg, pos: seg.first, crc: seg.crcBefore, skipCRC: l.opts.mutant.skipCRC}
	l.noteTerm(seg)
	err = l.scan(c, limit)
	switch {
	case errors.Is(err, ErrFormat):
		l.recovery = Recovery{TornFile: segmentName(seg.first), TornOffset: seg.offset(c.pos)}
	case err != io.EOF && err != errZero:
		return err
	}
	if c.pos < l.opts.VerifyFrom { // that far the log once was synced
		return c.corrupt(fmt.Errorf("log: ends before the watermark %d: %w", l.opts.VerifyFrom, err))
	}
	// Also behind zeros there may be records of the crash, beyond a lost page.
	lastByte, err := l.clearTail(file, seg.offset(c.pos), size)
	if err != nil {
		return err
	}
	if lastByte > 0 {
		l.recovery = Recovery{TornFile: segmentName(seg.first), TornOffset: seg.offset(c.pos),
			TornBytes: lastByte - seg.offset(c.pos)}
	}
	// What was read may still be in the page cache only: a record that
	// survived this crash must not be lost by the next one.
	if err := file.Sync(); err != nil {
		return err
	}
	l.reserveRest(seg, c.pos)
	l.resume(seg, c.pos, c.crc)
	return nil
}

// reserveRest makes room in seg for what comes behind at. If it cannot, the
// next record asks for a spare, and gets the error.
func (l *Log) reserveRest(seg *segment, at LSN) {
	seg.capacity = int64(at - seg.first)
	room := max(l.opts.SegmentBytes, seg.capacity)
	if err := reserveSpace(seg.file, segmentHeaderLen+room); err == nil {
		seg.capacity = room
	}
}

// resume makes (at, crc) the end of the log, in seg, the last segment. Either
// no other goroutine is at work, or mu, writing and syncing are held.
func (l *Log) resume(seg *segment, at LSN, crc uint32) {
	seg.verified = true
	l.crc, l.bufStart = crc, at
	l.end.Store(uint64(at))
	l.writingFrom.Store(uint64(seg.first))
	for level := Written; level < levels; level++ {
		l.reached[level].Store(uint64(at))
	}
	if l.opts.InSync {
		l.reached[Committed].Store(0)
	}
}

// scan reads records up to limit and remembers positions and terms.
func (l *Log) scan(c *cursor, limit LSN) error {
	var r Record
	for {
		start := c.pos
		raw, err := c.next(limit)
		if err != nil {
			c.seg.verified = err == io.EOF
			return err
		}
		if err := r.Decode(raw); err != nil {
			c.pos = start
			return err
		}
		c.seg.mark(c.pos, c.crc)
		if r.Kind == KindTerm {
			t, err := parseTerm(r.Payload, start)
			if err != nil {
				return err
			}
			l.term = t
			l.terms = append(l.terms, t)
		}
	}
}

// noteTerm takes over the term in force at the start of seg.
func (l *Log) noteTerm(seg *segment) {
	if seg.term.Number > l.term.Number || len(l.terms) == 0 {
		l.term = seg.term
		l.terms = append(l.terms, seg.term)
	}
}

// clearTail overwrites what is not zero in the bytes [from, to) of file, and
// returns the offset behind the last such byte, or 0.
func (l *Log) clearTail(file vfs.File, from, to int64) (int64, error) {
	if l.opts.mutant.keepTornTail {
		return 0, nil
	}
	last := int64(0)
	buf := make([]byte, 64<<10)
	for from < to {
		n, err := file.ReadAt(buf[:min(to-from, int64(len(buf)))], from)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if n == 0 {
			break
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] != 0 {
				last = from + int64(i) + 1
				if err := writeZeros(file, from, last); err != nil {
					return 0, err
				}
				break
			}
		}
		from += int64(n)
	}
	return last, nil
}

// create begins a log in an empty directory.
func (l *Log) create(at Start) error {
	seg, err := l.makeFirst(at)
	if err != nil {
		return err
	}
	l.begin(seg)
	return nil
}

// makeFirst makes the only segment of a log on disk.
func (l *Log) makeFirst(at Start) (*segment, error) {
	s, err := makeSpare(l.fs, l.path("first"+spareSuffix), l.opts.SegmentBytes)
	if err != nil {
		if vfs.IsNoSpaceError(err) {
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return nil, err
	}
	h := segmentHeader{first: at.Position.LSN, prev: at.Position.LSN, term: at.Term, crcBefore: at.Position.CRC}
	h.term.Number = at.Position.Term
	seg := &segment{segmentHeader: h, capacity: s.capacity, file: s.file, spareName: s.name}
	if err := l.nameSegment(seg); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return seg, nil
}

// begin makes seg the only segment of the log. Locks as for resume.
func (l *Log) begin(seg *segment) {
	l.file, l.fileSeg, l.segs = seg.file, seg, []*segment{seg}
	l.term, l.terms = seg.term, []Term{seg.term}
	l.resume(seg, seg.first, seg.crcBefore)
}
