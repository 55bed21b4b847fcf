package log

import "fmt"

// CutTo drops every record behind lsn, a position between two records: a
// rejoining member gives up what its shard never agreed on. What waits for a
// dropped record, and every reader, gets ErrCut; pins behind lsn break. The
// caller sees to it that nobody appends meanwhile (ErrBusy). ErrTruncated if
// lsn is not held. After a crash in the middle the log ends at lsn or later,
// still in one piece; cut again.
func (l *Log) CutTo(lsn LSN) error {
	p, err := l.PositionAt(lsn)
	if err != nil {
		return err
	}
	return l.exclusively(func() error {
		if LSN(l.reached[Written].Load()) < lsn {
			return fmt.Errorf("%w: cut at %d", ErrBeyondEnd, lsn)
		}
		return l.cutTo(p)
	})
}

// exclusively runs f while nothing is appended, written, synced or made. If f
// fails the log does.
func (l *Log) exclusively(f func() error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	if l.cutting {
		l.mu.Unlock()
		return ErrBusy
	}
	l.cutting = true
	for l.growing != nil {
		l.roomCond.Wait()
	}
	l.mu.Unlock()
	err := l.writeRound()
	if err == nil {
		l.syncing.Lock()
		if err = f(); err != nil {
			err = l.fail(err)
		}
		l.syncing.Unlock()
	}
	l.mu.Lock()
	l.cutting = false
	l.mu.Unlock()
	l.tailing.wake()
	return err
}

// cutTo does the work of CutTo: first the later segments go, the newest first,
// so that a crash leaves no hole; then the tail of the one that stays is
// overwritten with zeros.
func (l *Log) cutTo(p Position) error {
	l.generation.Add(1)
	segs := l.segs // nobody else changes it now
	keep := len(segs) - 1
	for segs[keep].first > p.LSN {
		keep--
	}
	seg := segs[keep]
	term, err := l.termAt(seg, p.LSN)
	if err != nil {
		return err
	}
	if !l.opts.mutant.cutKeepsPoint {
		if err := l.point.lower(p.LSN); err != nil {
			return err
		}
	}
	if err := l.removeFrom(keep + 1); err != nil {
		return err
	}
	if err := l.clearFrom(seg.offset(p.LSN)); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.point.raise(p.LSN) // nobody waits for a later sync of it
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segs = segs[: keep+1 : keep+1]
	for n := len(seg.marks); n > 0 && seg.marks[n-1].lsn > p.LSN; n-- {
		seg.marks = seg.marks[:n-1]
	}
	n := len(l.terms)
	for n > 0 && l.terms[n-1].Number >= term.Number {
		n--
	}
	l.term, l.terms = term, append(l.terms[:n:n], term)
	l.giveUpAfter(p.LSN)
	l.resume(seg, p.LSN, p.CRC)
	return nil
}

// clearFrom overwrites what is not zero in the last segment from an offset on.
func (l *Log) clearFrom(from int64) error {
	if l.opts.mutant.keepTornTail {
		return nil
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	to, err := lastByte(l.file, from, info.Size())
	if err != nil {
		return err
	}
	return writeZeros(l.file, from, to)
}

// removeFrom removes the files of the segments from index i on, the newest
// first, and opens the one before them for writing.
func (l *Log) removeFrom(i int) error {
	if i == len(l.segs) {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return err
	}
	for n := len(l.segs) - 1; n >= i; n-- {
		if err := l.removeSegment(l.segs[n]); err != nil {
			return err
		}
	}
	if i == 0 {
		return nil
	}
	seg := l.segs[i-1]
	file, err := l.fs.OpenReadWrite(l.path(segmentName(seg.first)), writeCategory)
	if err != nil {
		return err
	}
	l.file, l.fileSeg, seg.file = file, seg, file
	l.reserveRest(seg, seg.end)
	return nil
}

// giveUpAfter breaks pins and parked calls that hang on records behind lsn. mu
// is held.
func (l *Log) giveUpAfter(lsn LSN) {
	for p := range l.pins {
		if p.lsn > lsn {
			p.over = true
			delete(l.pins, p)
			close(p.broken)
		}
	}
	for level := range l.parked {
		for _, fn := range l.parked[level].takeAbove(lsn) {
			go fn(ErrCut) // mu is held, and fn may look at the log
		}
	}
}

// Reset empties the log and lets it begin at the given place, after a full
// sync brought the rows up to there. Otherwise as CutTo, with every pin
// broken. After a crash in the middle the log is a beginning of the old one,
// or empty: whoever opens it compares its watermark (Follows) and resets again.
func (l *Log) Reset(at Start) error {
	return l.exclusively(func() error {
		l.generation.Add(1)
		if err := l.point.lower(0); err != nil {
			return err
		}
		if err := l.removeFrom(0); err != nil {
			return err
		}
		seg, err := l.makeFirst(at)
		if err != nil {
			return err
		}
		l.point.raise(seg.first)
		l.mu.Lock()
		defer l.mu.Unlock()
		for p := range l.pins {
			p.over = true
			delete(l.pins, p)
			close(p.broken)
		}
		l.giveUpAfter(0)
		l.begin(seg)
		return nil
	})
}
