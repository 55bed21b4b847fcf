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
// none. A torn tail, which a crash may leave in the last segment, is kept aside,
// cleared and reported by Recovered. Bad bytes before that, or in what is known
// to have been synced, are a *CorruptError; then nothing was changed, unless
// Options.RecoverDamaged says to go on without.
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
	if err := l.recoverDir(); err != nil {
		return nil, errors.Join(err, l.closeFiles())
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

// recoverDir brings back the log in the directory.
func (l *Log) recoverDir() error {
	if err := syncDir(l.fs, l.fs.PathDir(l.opts.Dir)); err != nil { // Dir may be new
		return err
	}
	point, err := openSyncPoint(l.fs, l.path(syncPointName))
	if err != nil {
		return err
	}
	l.point = point
	if err := l.removeSpares(); err != nil {
		return err
	}
	err = l.recoverSegments()
	for damage := (*CorruptError)(nil); errors.As(err, &damage) && l.opts.RecoverDamaged; {
		if err = l.giveUpDamaged(damage); err != nil {
			break
		}
		err = l.recoverSegments()
	}
	if err == nil {
		l.point.raise(l.End()) // recovery has synced that far
	}
	return err
}

// recoverSegments reads the segments and opens the last one for appending.
func (l *Log) recoverSegments() error {
	segs, err := l.listSegments()
	if err != nil {
		return err
	}
	l.terms, l.term = nil, Term{}
	if len(segs) == 0 {
		if at := l.mustHold(); at > l.opts.VerifyFrom {
			return &CorruptError{File: segmentName(l.opts.VerifyFrom), LSN: l.opts.VerifyFrom, Synced: at,
				Err: errors.New("log: every segment is missing")}
		}
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

// mustHold returns how far the log is known to have been synced once.
func (l *Log) mustHold() LSN {
	if l.opts.mutant.ignoreSyncPoint {
		return l.opts.VerifyFrom
	}
	return max(l.opts.VerifyFrom, l.point.lsn)
}

// removeSpares removes the files that never became segments.
func (l *Log) removeSpares() error {
	names, err := l.fs.List(l.opts.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, spareSuffix) {
			if err := l.fs.Remove(l.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// segmentFiles returns the segments in the directory by their names alone,
// oldest first.
func (l *Log) segmentFiles() ([]*segment, error) {
	names, err := l.fs.List(l.opts.Dir)
	if err != nil {
		return nil, err
	}
	var segs []*segment
	for _, name := range names {
		if first, ok := parseSegmentName(name); ok {
			segs = append(segs, &segment{segmentHeader: segmentHeader{first: first}})
		}
	}
	sort.Slice(segs, func(i, j int) bool { return segs[i].first < segs[j].first })
	return segs, nil
}

// listSegments returns the segments in the directory with their headers.
func (l *Log) listSegments() ([]*segment, error) {
	segs, err := l.segmentFiles()
	if err != nil {
		return nil, err
	}
	for _, seg := range segs {
		name := segmentName(seg.first)
		h, err := l.readHeader(name)
		if err == nil && h.first != seg.first {
			err = fmt.Errorf("%w: header of segment %d", ErrFormat, h.first)
		}
		if errors.Is(err, ErrFormat) {
			err = &CorruptError{File: name, LSN: seg.first, Err: err}
		}
		if err != nil {
			return nil, err
		}
		seg.segmentHeader = h
	}
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
	if err != io.EOF && err != errZero && !errors.Is(err, ErrFormat) {
		return err
	}
	// Also behind zeros there may be records of the crash, beyond a lost page.
	from := seg.offset(c.pos)
	to, tailErr := lastByte(file, from, size)
	if tailErr != nil {
		return tailErr
	}
	if to > from || errors.Is(err, ErrFormat) || c.pos < l.mustHold() {
		if err := l.judgeTail(c, to, err); err != nil {
			return err
		}
	}
	if !l.opts.mutant.keepTornTail {
		if err := writeZeros(file, from, to); err != nil {
			return err
		}
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
	if err := reserveSpace(l.fs, l.opts.Dir, seg.file, segmentHeaderLen+room); err == nil {
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

// judgeTail decides what becomes of the tail that the log cannot use: from the
// cursor, where err stopped it, to offset to. What was synced once is no torn
// tail, whatever the policy is; above that nobody can tell damage from a crash,
// which may keep a later page and lose an earlier one, and the tail is only
// kept aside.
func (l *Log) judgeTail(c *cursor, to int64, err error) error {
	from := c.seg.offset(c.pos)
	seen, readErr := lookBehind(c.file, &c.seg.segmentHeader, from, to)
	if readErr != nil {
		return readErr
	}
	if synced := l.mustHold(); c.pos < synced || l.opts.mutant.refuseTorn && seen.whole > 0 {
		if err == io.EOF {
			err = errors.New("log: the file ends there")
		}
		e := c.corrupt(fmt.Errorf("log: ends before %d, up to where it was synced: %w", synced, err))
		e.Synced, e.Whole, e.Last = synced, seen.whole, seen.last
		return e
	}
	r := &l.recovery
	r.TornFile, r.TornOffset, r.TornBytes = segmentName(c.seg.first), from, max(0, to-from)
	r.Whole, r.Last = seen.whole, seen.last
	if to <= from {
		return nil
	}
	kept, keepErr := l.keepAside(c.seg, from, to)
	if keepErr != nil && (r.Damage != nil || !vfs.IsNoSpaceError(keepErr)) {
		return keepErr // a crash on a full disk must not stop the start
	}
	r.Kept = kept
	return nil
}

// lastByte returns the offset behind the last byte of [from, to) that is not
// zero, or 0.
func lastByte(file vfs.File, from, to int64) (int64, error) {
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
	return l.makeSegment(at, l.opts.SegmentBytes, func(*segment) error { return nil })
}

// makeSegment makes a segment that follows none, with what fill writes into it.
func (l *Log) makeSegment(at Start, capacity int64, fill func(*segment) error) (*segment, error) {
	s, err := makeSpare(l.fs, l.opts.Dir, l.path("first"+spareSuffix), capacity)
	if err != nil {
		if vfs.IsNoSpaceError(err) {
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return nil, err
	}
	h := segmentHeader{first: at.Position.LSN, prev: at.Position.LSN, term: at.Term, crcBefore: at.Position.CRC}
	h.term.Number = at.Position.Term
	seg := &segment{segmentHeader: h, capacity: s.capacity, file: s.file, spareName: s.name}
	err = fill(seg)
	if err == nil {
		err = l.nameSegment(seg)
	}
	if err != nil {
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
