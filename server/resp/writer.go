package resp

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"

	"cobble/pieces"
)

// Writer builds replies in memory, in the protocol version of the session. It is
// used by one goroutine at a time; the zero value writes RESP2.
//
// Large replies are built in pieces. One buffer would be copied to a larger one again
// and again: twice the memory, and copies of hundreds of megabytes within which the
// runtime can stop nothing, so that the garbage collector, and whoever waits for that,
// waits for them.
type Writer struct {
	buf   []byte   // the last piece
	full  [][]byte // the pieces before it
	size  int      // bytes of those
	resp3 bool
	given int // bytes of large buffers that were given up, see Given
}

// pieceBytes is from where on a piece is full; it may be larger by one bulk string.
const pieceBytes = 1 << 20

// turn begins another piece if the last one is full.
func (w *Writer) turn() {
	if len(w.buf) >= pieceBytes {
		w.newPiece(pieceBytes + pieceBytes/16)
	}
}

func (w *Writer) newPiece(room int) {
	if len(w.buf) > 0 {
		w.full = append(w.full, w.buf)
		w.size += len(w.buf)
	}
	w.buf = make([]byte, 0, room)
}

// keepReply is the largest buffer that outlives the replies it was grown for.
const keepReply = 1 << 20

// SetProto switches to protocol version 2 or 3.
func (w *Writer) SetProto(version int) { w.resp3 = version == 3 }

// Proto returns 2 or 3.
func (w *Writer) Proto() int {
	if w.resp3 {
		return 3
	}
	return 2
}

// Bytes returns what was written since the last Reset, in one piece. It is valid until
// the next write.
func (w *Writer) Bytes() []byte {
	if len(w.full) > 0 {
		all := make([]byte, 0, w.Len())
		for i := range w.Pieces() {
			all = pieces.Append(all, w.Piece(i))
		}
		w.buf, w.full, w.size = all, nil, 0
	}
	return w.buf
}

// Since returns what was written since Len returned from, in one piece, and leaves what
// stands before it where it is. It is valid until the next write.
func (w *Writer) Since(from int) []byte {
	if from >= w.size {
		return w.buf[from-w.size:]
	}
	all := make([]byte, 0, w.Len()-from)
	for i := range w.Pieces() {
		piece := w.Piece(i)
		skip := min(from, len(piece))
		from -= skip
		all = pieces.Append(all, piece[skip:])
	}
	return all
}

// Pieces returns in how many pieces the replies are, at least one.
func (w *Writer) Pieces() int { return len(w.full) + 1 }

// Piece returns one of them, which is valid until the next write.
func (w *Writer) Piece(i int) []byte {
	if i < len(w.full) {
		return w.full[i]
	}
	return w.buf
}

// Len returns the number of bytes written.
func (w *Writer) Len() int { return w.size + len(w.buf) }

// CutTo takes back everything after the first n bytes.
func (w *Writer) CutTo(n int) {
	for n < w.size {
		last := len(w.full) - 1
		w.buf, w.full[last] = w.full[last], nil
		w.full = w.full[:last]
		w.size -= len(w.buf)
	}
	w.buf = w.buf[:n-w.size]
}

// Reset empties the writer and keeps its memory, unless that is large.
func (w *Writer) Reset() {
	if cap(w.buf) > keepReply || w.size > 0 {
		w.given += w.size + cap(w.buf)
		w.buf, w.full, w.size = nil, nil, 0
	}
	w.buf = w.buf[:0]
}

// Detach empties the writer and hands its pieces to the caller.
func (w *Writer) Detach() [][]byte {
	pieces := append(w.full, w.buf)
	w.buf, w.full, w.size = nil, nil, 0
	return pieces
}

// Given returns how many bytes of large buffers were given up since it was last called.
func (w *Writer) Given() int {
	n := w.given
	w.given = 0
	return n
}

// Raw writes bytes that are RESP already.
func (w *Writer) Raw(b []byte) {
	w.turn()
	w.buf = pieces.Append(w.buf, b)
}

// OK writes +OK.
func (w *Writer) OK() {
	w.turn()
	w.buf = append(w.buf, "+OK\r\n"...)
}

// Status writes a simple string; s has no CR or LF.
func (w *Writer) Status(s string) {
	w.turn()
	w.buf = redcon.AppendString(w.buf, s)
}

// Error writes an error reply: text begins with its code ("ERR …"). Line ends behind it are dropped, those in it
// become spaces.
func (w *Writer) Error(text string) {
	w.turn()
	w.buf = redcon.AppendError(w.buf, strings.TrimRight(text, "\r\n"))
}

// Int writes an integer.
func (w *Writer) Int(n int64) {
	w.turn()
	w.buf = redcon.AppendInt(w.buf, n)
}

// Bulk writes a bulk string.
func (w *Writer) Bulk(b []byte) {
	w.turn()
	if len(b) > pieces.Size {
		w.long(b)
		return
	}
	w.buf = redcon.AppendBulk(w.buf, b)
}

// long writes a long bulk string.
func (w *Writer) long(b []byte) {
	if len(b) > pieceBytes {
		w.newPiece(len(b) + 32)
	}
	w.head('$', len(b))
	w.buf = append(pieces.Append(w.buf, b), '\r', '\n')
}

// BulkOf writes a bulk string of n bytes that fill appends.
func (w *Writer) BulkOf(n int, fill func(dst []byte) ([]byte, error)) error {
	if n > pieceBytes {
		w.newPiece(n + 32)
	}
	w.head('$', n)
	w.buf = slices.Grow(w.buf, n+2)
	from := len(w.buf)
	var err error
	if w.buf, err = fill(w.buf); err == nil && len(w.buf) != from+n {
		err = io.ErrShortWrite
	}
	w.buf = append(w.buf, '\r', '\n')
	return err
}

// BulkString writes a bulk string.
func (w *Writer) BulkString(s string) {
	w.turn()
	w.buf = redcon.AppendBulkString(w.buf, s)
}

// BulkInt writes n as a bulk string.
func (w *Writer) BulkInt(n int64) {
	w.turn()
	w.buf = redcon.AppendBulkInt(w.buf, n)
}

// Null writes the absence of a value: $-1 in RESP2.
func (w *Writer) Null() { w.null("$-1\r\n") }

// NullArray writes the absence of an array: *-1 in RESP2.
func (w *Writer) NullArray() { w.null("*-1\r\n") }

func (w *Writer) null(resp2 string) {
	if w.resp3 {
		resp2 = "_\r\n"
	}
	w.turn()
	w.buf = append(w.buf, resp2...)
}

func (w *Writer) head(mark byte, n int) {
	w.turn()
	w.buf = append(w.buf, mark)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	w.buf = append(w.buf, '\r', '\n')
}

// Array starts an array of n replies.
func (w *Writer) Array(n int) { w.head('*', n) }

// Map starts a map of n pairs: in RESP2 an array of 2n.
func (w *Writer) Map(n int) {
	if w.resp3 {
		w.head('%', n)
	} else {
		w.head('*', 2*n)
	}
}

// Set starts a set of n members: in RESP2 an array.
func (w *Writer) Set(n int) {
	if w.resp3 {
		w.head('~', n)
	} else {
		w.head('*', n)
	}
}

// SetSince makes a set of the n replies that were written since the length was start.
func (w *Writer) SetSince(start, n int) {
	end := w.Len()
	w.Set(n)
	var room [24]byte
	head := room[:copy(room[:], w.buf[end-w.size:])]
	w.CutTo(end)
	w.insert(start, head)
}

// insert puts a few bytes where at bytes stand before them.
func (w *Writer) insert(at int, head []byte) {
	if at >= w.size {
		w.buf = slices.Insert(w.buf, at-w.size, head...)
		return
	}
	i := 0
	for ; at > len(w.full[i]); i++ {
		at -= len(w.full[i])
	}
	w.full[i] = slices.Insert(w.full[i], at, head...)
	w.size += len(head)
}

// Push starts an out-of-band message of n parts: in RESP2 an array.
func (w *Writer) Push(n int) {
	if w.resp3 {
		w.head('>', n)
	} else {
		w.head('*', n)
	}
}

// Bool writes a boolean: in RESP2 the integer 0 or 1.
func (w *Writer) Bool(b bool) {
	w.turn()
	switch {
	case w.resp3 && b:
		w.buf = append(w.buf, "#t\r\n"...)
	case w.resp3:
		w.buf = append(w.buf, "#f\r\n"...)
	case b:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Double writes a floating-point number: in RESP2 a bulk string.
func (w *Writer) Double(f float64) {
	var room [32]byte
	text := AppendDouble(room[:0], f)
	if w.resp3 {
		w.turn()
		w.buf = append(w.buf, ',')
		w.buf = append(w.buf, text...)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	w.Bulk(text)
}

// BigNumber writes an integer of any size, given in decimal: in RESP2 a bulk string.
func (w *Writer) BigNumber(digits string) {
	if !w.resp3 {
		w.BulkString(digits)
		return
	}
	w.turn()
	w.buf = append(w.buf, '(')
	w.buf = append(w.buf, digits...)
	w.buf = append(w.buf, '\r', '\n')
}

// Attribute starts n pairs that describe the reply that follows them. RESP2 has
// none: it reports false and nothing must be written.
func (w *Writer) Attribute(n int) bool {
	if w.resp3 {
		w.head('|', n)
	}
	return w.resp3
}

// Verbatim writes text with a three-letter format ("txt", "mkd"): in RESP2 a bulk string.
func (w *Writer) Verbatim(format, text string) {
	if !w.resp3 {
		w.BulkString(text)
		return
	}
	w.head('=', len(text)+4)
	w.buf = append(w.buf, format...)
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// ArrayAt puts the start of an array of n replies in front of what was written since
// Len returned begin: those replies, which are now known to be n.
func (w *Writer) ArrayAt(begin, n int) {
	var room [24]byte
	head := append(strconv.AppendInt(append(room[:0], '*'), int64(n), 10), '\r', '\n')
	w.insert(begin, head)
}
