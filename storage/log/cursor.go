package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const readAhead = 256 << 10

// errZero is returned where a segment holds zeros instead of a record: the
// normal end of what was written.
var errZero = errors.New("log: nothing written here")

// offset returns where LSN at is in the segment's file.
func (h *segmentHeader) offset(at LSN) int64 { return segmentHeaderLen + int64(at-h.first) }

// cursor reads the records of one segment file in order and checks them.
type cursor struct {
	file    vfs.File
	seg     *segment
	pos     LSN    // start of the next record
	crc     uint32 // of the record before pos
	skipCRC bool

	buf   []byte // bytes of the file from LSN bufAt on
	bufAt LSN
}

// close closes the file, if there is one.
func (c *cursor) close() {
	if c.file != nil {
		c.file.Close() // read only: nothing can be lost
		c.file = nil
	}
	c.buf = c.buf[:0]
}

// next returns the record at pos and moves behind it. It reads nothing at or
// beyond limit. The errors: io.EOF at limit, errZero, one that wraps ErrFormat
// for bytes that are no valid record, or one of the disk. The record aliases a
// buffer and is valid until the next call.
func (c *cursor) next(limit LSN) ([]byte, error) {
	if c.pos >= limit {
		return nil, io.EOF
	}
	head, err := c.peek(4, limit)
	if err != nil {
		return nil, err
	}
	if len(head) < 4 || binary.LittleEndian.Uint32(head) == 0 {
		for _, b := range head {
			if b != 0 {
				return nil, fmt.Errorf("%w: cut off in the length", ErrFormat)
			}
		}
		return nil, errZero
	}
	n, err := RecordLen(head)
	if err != nil {
		return nil, err
	}
	if limit-c.pos < LSN(n) {
		return nil, fmt.Errorf("%w: %d bytes claimed, %d are there", ErrFormat, n, limit-c.pos)
	}
	raw, err := c.peek(n, limit)
	if err != nil {
		return nil, err
	}
	crc, err := verify(raw, c.pos, c.crc)
	if err != nil {
		if !c.skipCRC {
			return nil, err
		}
		crc = rawCRC(raw)
	}
	c.pos += LSN(n)
	c.crc = crc
	return raw, nil
}

// peek returns the n bytes at pos, fewer only at the end of the file.
func (c *cursor) peek(n int, limit LSN) ([]byte, error) {
	if have := int(c.pos - c.bufAt); c.pos >= c.bufAt && have+n <= len(c.buf) {
		return c.buf[have : have+n], nil
	}
	want := min(max(n, readAhead), int(limit-c.pos))
	if cap(c.buf) < want || cap(c.buf) > 4*readAhead && want <= readAhead {
		c.buf = make([]byte, want)
	}
	got, err := c.file.ReadAt(c.buf[:want], c.seg.offset(c.pos))
	c.buf, c.bufAt = c.buf[:got], c.pos
	if err != nil && err != io.EOF {
		c.buf = c.buf[:0]
		return nil, err
	}
	return c.buf[:min(n, got)], nil
}

// corrupt describes err at the cursor's place.
func (c *cursor) corrupt(err error) *CorruptError {
	return &CorruptError{File: segmentName(c.seg.first), Offset: c.seg.offset(c.pos), LSN: c.pos, Err: err}
}

// openCursor returns a cursor at the remembered position m of seg.
func (l *Log) openCursor(seg *segment, m mark) (*cursor, error) {
	file, err := l.fs.Open(l.path(segmentName(seg.first)))
	if err != nil {
		return nil, err
	}
	return &cursor{file: file, seg: seg, pos: m.lsn, crc: m.crc, skipCRC: l.opts.mutant.skipCRC}, nil
}
