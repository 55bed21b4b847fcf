package resp

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"cobble/pieces"
	"cobble/server/words"
)

// Limits bound what a client may send, before memory is spent on it.
type Limits struct {
	Args int   // arguments of a command
	Bulk int64 // bytes of an argument
	// Strict is for a client that has yet to authenticate: at most StrictArgs
	// arguments of at most StrictBulk bytes.
	Strict bool
}

// The fixed limits.
const (
	MaxArgs    = math.MaxInt32
	MaxLine    = 64 << 10 // bytes of an inline command, or of a line that announces a length
	StrictArgs = 10
	StrictBulk = 16 << 10
)

// ProtocolError is input that no command can be read from; the connection has
// to be closed once the client was told. Error is the text of the reply
// without "ERR ".
type ProtocolError struct{ reason string }

func (e *ProtocolError) Error() string { return "Protocol error: " + e.reason }

func broken(reason string) error { return &ProtocolError{reason} }

// Reader splits the bytes of a client into commands. Space and Filled put bytes
// in, Next takes commands out; it holds no connection, and does not care how the
// bytes were cut on their way. It is used by one goroutine at a time.
//
// Unlike redcon.ReadNextCommand (whose results it is tested against) it remembers
// where it stopped, so that a large command that comes in pieces is scanned once,
// and it checks lengths before waiting for what they announce.
type Reader struct {
	Limits Limits

	buf   []byte
	start int // first byte of the command being read
	at    int // next byte to be looked at
	end   int // bytes of buf that are filled

	given int // bytes of large buffers that were given up, see Given

	argc int    // arguments the command announced; 0 between commands
	size int    // length of the argument at at, -1 before its $ line was read
	args []span // the arguments read so far

	out    [][]byte // arguments of the commands in ready
	ready  []span   // commands read, as parts of out
	next   int      // the first of them that Next did not return yet
	failed error    // what Next returns behind them
}

// span is an argument relative to start, so that the buffer may move, or a command
// relative to out.
type span struct{ from, to int }

// Buffered returns how many bytes wait to become commands.
func (r *Reader) Buffered() int { return r.end - r.start }

// Free returns how many bytes of memory are held beyond those.
func (r *Reader) Free() int { return len(r.buf) - r.Buffered() }

// minSpace is the room Space makes at least; keepSpace is the largest buffer
// that outlives the command it was grown for.
// keepArgs is the same for the slices of arguments.
const (
	minSpace  = 4 << 10
	keepSpace = 64 << 10
	keepArgs  = 4096
	firstArgs = 8 // room for arguments made at first
)

// Space returns room for the next bytes. It invalidates what Next returned.
func (r *Reader) Space() []byte {
	if r.next < len(r.ready) { // they need the buffer as it is
		r.buf = append(make([]byte, 0, 2*(r.end-r.start)+minSpace), r.buf[r.start:r.end]...)
		r.at, r.start, r.end = r.at-r.start, 0, len(r.buf)
		r.buf = r.buf[:cap(r.buf)]
	}
	if r.start == r.end {
		full := r.end == len(r.buf) && r.end > 0
		r.giveUp()
		r.start, r.at, r.end = 0, 0, 0
		if full && r.buf != nil && len(r.buf) < keepSpace { // a client that fills its buffer is given a larger one
			r.buf = make([]byte, min(4*len(r.buf), keepSpace))
		}
	}
	if len(r.buf)-r.end >= minSpace {
		return r.buf[r.end:]
	}
	pending, room := r.end-r.start, r.buf
	if r.start > 0 && r.end == len(r.buf) && len(r.buf) < keepSpace { // commands fill it
		room = make([]byte, max(min(4*len(r.buf), keepSpace), r.wanted(pending)))
	} else if r.start == 0 || len(r.buf)-pending < max(minSpace, len(r.buf)/2) {
		room = make([]byte, r.wanted(pending))
	}
	if r.start == 0 { // much, perhaps, and not the same memory
		pieces.Copy(room, r.buf[r.start:r.end])
	} else {
		copy(room, r.buf[r.start:r.end])
	}
	r.move(room, pending)
	return r.buf[r.end:]
}

// Growth returns how many bytes the next call of Space copies to other memory.
func (r *Reader) Growth() int {
	if r.next == len(r.ready) && len(r.buf)-r.end >= minSpace {
		return 0
	}
	return r.end - r.start
}

// wanted is the size of the next buffer: a few times what is pending, so that a client
// must send what it announced before it costs memory, but no more than the last
// argument needs, or one that is large beside what is pending. (Were it no more than any
// argument needs, a command of many would be copied once for every few of them.)
func (r *Reader) wanted(pending int) int {
	size := 2*pending + minSpace
	if r.size > keepSpace { // bounded by need below; the old buffer lives until it is copied
		size = 4*pending + minSpace
	}
	if last := len(r.args)+1 == r.argc; r.size >= 0 && (last || r.size >= pending/2) {
		if need := r.at - r.start + r.size + 2 + minSpace; need > pending+minSpace && need < size {
			size = need
		}
	}
	return size
}

// Filled says that n bytes were put into Space.
func (r *Reader) Filled(n int) { r.end += n }

// giveUp lets go of a buffer that was grown for one large command: an idle client holds
// no gigabyte.
func (r *Reader) giveUp() {
	if len(r.buf) > keepSpace {
		r.given += len(r.buf)
		if r.Ready() == 0 {
			clear(r.out[:cap(r.out)])
		}
		r.buf, r.start, r.at, r.end = nil, 0, 0, 0
	}
}

// Given returns how many bytes of large buffers were given up since it was last called.
func (r *Reader) Given() int {
	n := r.given
	r.given = 0
	return n
}

// Next returns the next command, or nil if more bytes are needed for it. Empty
// commands are skipped. The arguments are valid until the next Space; the slice
// that holds them until Next has returned what Ahead read. The error is a
// *ProtocolError, and final.
func (r *Reader) Next() ([][]byte, error) {
	r.Ahead(1)
	if r.next == len(r.ready) {
		if r.argc == 0 && r.at == r.end {
			r.giveUp()
		}
		return nil, r.failed
	}
	args := r.Peek(0)
	r.next++
	return args, nil
}

// Ahead reads commands until n are ready for Next, as far as the bytes go, and
// returns how many are. It does so only when none was left.
func (r *Reader) Ahead(n int) int {
	if left := r.Ready(); left > 0 || r.failed != nil {
		return left
	}
	r.ready, r.next = r.ready[:0], 0
	if r.out = r.out[:0]; cap(r.out) > keepArgs {
		r.out = nil
	}
	for len(r.ready) < n && len(r.out) < keepArgs {
		from := len(r.out)
		done, err := r.read()
		if err != nil {
			r.failed = err
			break
		}
		if !done {
			break
		}
		r.ready = append(r.ready, span{from, len(r.out)})
	}
	return len(r.ready)
}

// Ready returns how many commands were read and not yet returned by Next.
func (r *Reader) Ready() int { return len(r.ready) - r.next }

// Peek returns a command that Ahead has read: the i-th that Next will return, from 0.
func (r *Reader) Peek(i int) [][]byte {
	s := r.ready[r.next+i]
	return r.out[s.from:s.to:s.to]
}

// read appends the arguments of the next command to out, if it is complete.
func (r *Reader) read() (done bool, err error) {
	for {
		if r.argc == 0 {
			r.start = r.at
			if r.at == r.end {
				return false, nil
			}
			if r.buf[r.at] != '*' {
				before := len(r.out)
				done, err := r.inline()
				if err != nil || !done || len(r.out) > before {
					return done, err
				}
				continue // an empty line
			}
			done, err := r.head()
			if err != nil || !done {
				return false, err
			}
			if r.argc == 0 {
				continue
			}
		}
		done, err := r.bulks()
		if err != nil || !done {
			return false, err
		}
		r.take()
		return true, nil
	}
}

// take turns the spans of a complete command into slices.
func (r *Reader) take() {
	r.out = slices.Grow(r.out, len(r.args))
	for _, s := range r.args {
		from, to := r.start+s.from, r.start+s.to
		r.out = append(r.out, r.buf[from:to:to])
	}
	if cap(r.args) > keepArgs {
		r.args = nil
	}
	r.argc = 0
	r.start = r.at
}

// line returns the line at r.at without its CR LF, and moves behind it. Nil
// means that it is not complete.
func (r *Reader) line(tooLong string) ([]byte, error) {
	rest := r.buf[r.at:r.end]
	n := bytes.IndexByte(rest[:min(len(rest), MaxLine+1)], '\r')
	if n < 0 {
		if len(rest) > MaxLine {
			return nil, broken(tooLong)
		}
		return nil, nil
	}
	if n+2 > len(rest) {
		return nil, nil
	}
	r.at += n + 2
	return rest[:n], nil
}

// length reads a line of the mark and a few digits, as nearly every such line is, and
// moves behind it. It returns -1, and stays, if the line is any other.
func (r *Reader) length(mark byte) int {
	const digits = 9
	rest := r.buf[r.at:r.end]
	if len(rest) < 4 || rest[0] != mark || rest[1] == '0' && rest[2] != '\r' {
		return -1
	}
	n := 0
	for i, c := range rest[1:min(len(rest)-1, digits+2)] {
		if c == '\r' && i > 0 {
			r.at += i + 3
			return n
		}
		if c -= '0'; c > 9 {
			return -1
		}
		n = 10*n + int(c)
	}
	return -1
}

// head reads "*<count>".
func (r *Reader) head() (done bool, err error) {
	n, ok := int64(r.length('*')), true
	if n < 0 {
		line, err := r.line("too big mbulk count string")
		if line == nil || err != nil {
			return false, err
		}
		n, ok = parseLength(line[1:])
	}
	switch {
	case !ok || n > int64(r.maxArgs()):
		return false, broken("invalid multibulk length")
	case n > StrictArgs && r.Limits.Strict:
		return false, broken("unauthenticated multibulk length")
	case n < 0:
		n = 0
	}
	r.argc, r.size, r.args = int(n), -1, r.args[:0]
	return true, nil
}

func (r *Reader) maxArgs() int {
	if r.Limits.Args > 0 {
		return r.Limits.Args
	}
	return MaxArgs
}

// bulks reads "$<length>" and the argument behind it, until the command is complete.
func (r *Reader) bulks() (done bool, err error) {
	for len(r.args) < r.argc {
		if r.size < 0 {
			n := r.length('$')
			if n >= 0 {
				err = r.checkBulk(int64(n), true)
			} else {
				line, lineErr := r.line("too big bulk count string")
				if line == nil || lineErr != nil {
					return false, lineErr
				}
				n, err = r.bulkSize(line)
			}
			if err != nil {
				return false, err
			}
			r.size = n
		}
		if r.end-r.at < r.size+2 {
			return false, nil
		}
		from := r.at - r.start
		if n := len(r.args); n == cap(r.args) { // of what is announced, no more than twice what came
			r.args = slices.Grow(r.args, min(r.argc-n, max(n, firstArgs)))
		}
		r.args = append(r.args, span{from, from + r.size})
		r.at += r.size + 2
		r.size = -1
	}
	return true, nil
}

func (r *Reader) bulkSize(line []byte) (int, error) {
	if len(line) == 0 || line[0] != '$' {
		got := byte('\r')
		if len(line) > 0 {
			got = line[0]
		}
		return 0, broken(fmt.Sprintf("expected '$', got '%c'", got))
	}
	n, ok := parseLength(line[1:])
	return int(n), r.checkBulk(n, ok)
}

// checkBulk judges the length of an argument; ok is false if it was no number.
func (r *Reader) checkBulk(n int64, ok bool) error {
	switch {
	case !ok || n < 0 || r.Limits.Bulk > 0 && n > r.Limits.Bulk || n > maxBulk:
		return broken("invalid bulk length")
	case n > StrictBulk && r.Limits.Strict:
		return broken("unauthenticated bulk length")
	}
	return nil
}

// maxBulk keeps sums of offsets far from overflow, whatever Limits say.
const maxBulk = 1 << 40

// parseLength reads a decimal number as strictly as Redis: no plus sign, no
// leading zeros.
func parseLength(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 || b[0] == '0' && (len(b) > 1 || negative) {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// inline reads a line of words, as typed into telnet.
func (r *Reader) inline() (done bool, err error) {
	rest := r.buf[r.at:r.end]
	n := bytes.IndexByte(rest[:min(len(rest), MaxLine+1)], '\n')
	if n < 0 {
		if len(rest) > MaxLine {
			return false, broken("too big inline request")
		}
		return false, nil
	}
	parts, ok := words.Split(strings.TrimSuffix(string(rest[:n]), "\r"))
	if !ok {
		return false, broken("unbalanced quotes in request")
	}
	r.at += n + 1
	r.start = r.at
	for _, word := range parts {
		r.out = append(r.out, []byte(word))
	}
	return true, nil
}
