package respconn

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// ReceiveRaw sends what is buffered and appends the next reply, or push message, to dst as it came on the wire.
func (c *Conn) ReceiveRaw(dst []byte) ([]byte, error) {
	if err := c.Flush(); err != nil {
		return dst, err
	}
	deadline := time.Time{}
	if c.Timeout > 0 {
		deadline = time.Now().Add(c.Timeout)
	}
	c.SetReadDeadline(deadline)
	return readRaw(c.r, dst, 0)
}

func readRaw(r *bufio.Reader, dst []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fmt.Errorf("%w: nested deeper than %d", errProtocol, maxDepth)
	}
	line, err := readLine(r)
	if err != nil {
		return dst, err
	}
	if len(line) == 0 {
		return dst, fmt.Errorf("%w: an empty line", errProtocol)
	}
	kind, rest := Kind(line[0]), line[1:]
	dst = append(append(dst, line...), '\r', '\n')
	switch kind {
	case Bulk, Verbatim, BlobErr:
		n, err := length(rest, maxBulk)
		if err != nil || n < 0 {
			return dst, err
		}
		return copyRaw(r, dst, n+2)
	case Array, Set, Push, Map, '|':
		n, err := length(rest, maxElems)
		if err != nil {
			return dst, err
		}
		if kind == Map || kind == '|' {
			n *= 2
		}
		if kind == '|' {
			n++ // what the attributes are of
		}
		for range n {
			if dst, err = readRaw(r, dst, depth+1); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func copyRaw(r *bufio.Reader, dst []byte, n int) ([]byte, error) {
	for n > 0 {
		b, err := r.Peek(min(n, r.Size()))
		if len(b) == 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return dst, err
		}
		dst = append(dst, b...)
		n -= len(b)
		if _, err := r.Discard(len(b)); err != nil {
			return dst, err
		}
	}
	return dst, nil
}
