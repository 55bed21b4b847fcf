package log

import "sort"

// Tip returns the position at the end of the log. Between two appends of one
// caller it is exact; it is what a watermark at that LSN should remember.
func (l *Log) Tip() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position{LSN: l.End(), Term: l.term.Number, CRC: l.crc}
}

// Term returns the term in force at the end of the log; zero if none began.
func (l *Log) Term() Term {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// Terms returns the terms of the log from the one in force where this process
// began to read it, oldest first.
func (l *Log) Terms() []Term {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Term(nil), l.terms...)
}

// PositionAt returns the position at lsn, between two records. Errors as
// NewReader. It may read up to 256 KiB of log, a segment at worst.
func (l *Log) PositionAt(lsn LSN) (Position, error) {
	if tip := l.Tip(); tip.LSN == lsn {
		return tip, nil
	}
	c, err := l.seek(lsn)
	if err != nil {
		return Position{}, err
	}
	defer c.close()
	term, err := l.termAt(c.seg, lsn)
	return Position{LSN: lsn, Term: term.Number, CRC: c.crc}, err
}

// termAt returns the term in force at lsn, which is in seg.
func (l *Log) termAt(seg *segment, lsn LSN) (Term, error) {
	l.mu.Lock()
	known, terms := seg.verified, l.terms
	l.mu.Unlock()
	if known {
		i := sort.Search(len(terms), func(i int) bool { return terms[i].Start >= lsn })
		if i > 0 && terms[i-1].Start >= seg.first {
			return terms[i-1], nil
		}
		return seg.term, nil
	}
	c, err := l.openCursor(seg, mark{seg.first, seg.crcBefore})
	if err != nil {
		return Term{}, notHeld(err)
	}
	defer c.close()
	term := seg.term
	for c.pos < lsn {
		start := c.pos
		raw, err := c.next(lsn)
		if err != nil {
			return Term{}, c.corrupt(err)
		}
		var r Record
		if err := r.Decode(raw); err != nil {
			return Term{}, err
		}
		if r.Kind == KindTerm {
			if term, err = parseTerm(r.Payload, start); err != nil {
				return Term{}, err
			}
		}
	}
	return term, nil
}

// Follows is the follow check: nil if a log that ends at p can go on with the
// records of this one behind p, because both hold the same bytes up to there.
// ErrDiverged if they do not, ErrTruncated if this log no longer reaches back
// to p, ErrBeyondEnd if p is ahead of it.
func (l *Log) Follows(p Position) error {
	own, err := l.PositionAt(p.LSN)
	if err != nil {
		return err
	}
	if own != p {
		return ErrDiverged
	}
	return nil
}
