package respconn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is one connection. It is for one goroutine at a time.
//
// Every call fails with a transport error (and the connection is then useless) or gives what the server said; an error
// reply is a Reply, not an error of the call. Push messages that arrive between replies are kept in Pushed.
type Conn struct {
	net.Conn
	// Timeout bounds each Receive and each flush; 0 waits for ever. It may be changed between calls.
	Timeout time.Duration
	// Pushed holds RESP3 push messages that came while a reply was waited for, oldest first.
	Pushed []Reply

	r *bufio.Reader
	w *bufio.Writer
}

// maxBulk and maxDepth bound what a broken server can make us hold.
const (
	maxBulk  = 1 << 30
	maxElems = 64 << 20
	maxDepth = 64
)

// Dial connects within timeout, which becomes the connection's Timeout.
func Dial(addr string, timeout time.Duration) (*Conn, error) {
	d := net.Dialer{Timeout: timeout}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return New(c, timeout), nil
}

// New speaks RESP over a connection that is already made.
func New(c net.Conn, timeout time.Duration) *Conn {
	return &Conn{Conn: c, Timeout: timeout, r: bufio.NewReaderSize(c, 64<<10), w: bufio.NewWriterSize(c, 64<<10)}
}

// Finish closes the connection once the server is through with what it was sent, or after Timeout. After a Close alone
// the server may execute commands whose replies nobody waited for later than what other connections send it next.
func (c *Conn) Finish() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.Flush() == nil && half.CloseWrite() == nil {
		deadline := time.Time{}
		if c.Timeout > 0 {
			deadline = time.Now().Add(c.Timeout)
		}
		c.SetReadDeadline(deadline)
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	c.Close()
}

// Do sends one command and returns its reply.
func (c *Conn) Do(args ...string) (Reply, error) {
	c.Send(args...)
	return c.Receive()
}

// Pipeline sends the commands in one go and returns their replies in order.
func (c *Conn) Pipeline(commands [][]string) ([]Reply, error) {
	for _, args := range commands {
		c.Send(args...)
	}
	replies := make([]Reply, 0, len(commands))
	for range commands {
		r, err := c.Receive()
		if err != nil {
			return replies, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

// Send buffers one command; the next Receive or Flush sends it. Its error, if any, shows there.
func (c *Conn) Send(args ...string) {
	var num [24]byte
	header := func(mark byte, n int) {
		b := append(num[:0], mark)
		b = strconv.AppendInt(b, int64(n), 10)
		c.w.Write(append(b, '\r', '\n'))
	}
	c.armWrite()
	header('*', len(args))
	for _, a := range args {
		header('$', len(a))
		c.w.WriteString(a)
		c.w.WriteString("\r\n")
	}
}

// armWrite lets the writes that a full buffer causes time out too.
func (c *Conn) armWrite() {
	if c.Timeout > 0 && c.w.Buffered() == 0 {
		c.SetWriteDeadline(time.Now().Add(c.Timeout))
	}
}

// Flush sends what is buffered.
func (c *Conn) Flush() error {
	if c.w.Buffered() == 0 {
		return nil
	}
	if c.Timeout > 0 {
		c.SetWriteDeadline(time.Now().Add(c.Timeout))
	}
	return c.w.Flush()
}

// Receive sends what is buffered and reads the next reply that is not a push message.
func (c *Conn) Receive() (Reply, error) {
	for {
		r, err := c.ReceiveAny()
		if err != nil || r.Kind != Push {
			return r, err
		}
		c.Pushed = append(c.Pushed, r)
	}
}

// ReceiveAny sends what is buffered and reads the next reply, push messages included.
func (c *Conn) ReceiveAny() (Reply, error) {
	if err := c.Flush(); err != nil {
		return Reply{}, err
	}
	deadline := time.Time{}
	if c.Timeout > 0 {
		deadline = time.Now().Add(c.Timeout)
	}
	c.SetReadDeadline(deadline)
	return Read(c.r)
}

var errProtocol = errors.New("not RESP")

// Read reads one reply of either protocol version. Attributes are read and dropped.
func Read(r *bufio.Reader) (Reply, error) { return read(r, 0) }

func read(r *bufio.Reader, depth int) (Reply, error) {
	if depth > maxDepth {
		return Reply{}, fmt.Errorf("%w: nested deeper than %d", errProtocol, maxDepth)
	}
	line, err := readLine(r)
	if err != nil {
		return Reply{}, err
	}
	if len(line) == 0 {
		return Reply{}, fmt.Errorf("%w: an empty line", errProtocol)
	}
	reply := Reply{Kind: Kind(line[0])}
	rest := line[1:]
	switch reply.Kind {
	case Simple, Error, Integer, Null, Boolean, Double, Big:
		reply.Text = string(rest)
		return reply, nil
	case Bulk, Verbatim, BlobErr:
		n, err := length(rest, maxBulk)
		if err != nil {
			return Reply{}, err
		}
		if n < 0 {
			reply.Absent = true
			return reply, nil
		}
		reply.Text, err = readBulk(r, n)
		return reply, err
	case Array, Set, Push, Map, '|':
		n, err := length(rest, maxElems)
		if err != nil {
			return Reply{}, err
		}
		if n < 0 {
			reply.Absent = true
			return reply, nil
		}
		if reply.Kind == Map || reply.Kind == '|' {
			n *= 2
		}
		for range n {
			e, err := read(r, depth+1)
			if err != nil {
				return Reply{}, err
			}
			reply.Elems = append(reply.Elems, e)
		}
		if reply.Kind == '|' {
			return read(r, depth)
		}
		return reply, nil
	}
	return Reply{}, fmt.Errorf("%w: a line that begins with %q", errProtocol, line[0])
}

func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		// Long error lines happen (a script's); copy what there is and go on to the end of the line.
		long := append([]byte(nil), line...)
		for err == bufio.ErrBufferFull && len(long) < maxBulk {
			line, err = r.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if err != nil {
		return nil, err
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, fmt.Errorf("%w: a line without a carriage return", errProtocol)
	}
	return line[:len(line)-2], nil
}

func length(text []byte, limit int) (int, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < -1 || n > limit {
		return 0, fmt.Errorf("%w: a length of %q", errProtocol, text)
	}
	return n, nil
}

func readBulk(r *bufio.Reader, n int) (string, error) {
	const chunk = 1 << 20 // a length is only believed as far as bytes come
	body := make([]byte, 0, min(n, chunk)+2)
	for want := n + 2; len(body) < want; {
		m := len(body)
		body = append(body, make([]byte, min(want-m, max(chunk, m)))...)
		if _, err := io.ReadFull(r, body[m:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
	if body[n] != '\r' || body[n+1] != '\n' {
		return "", fmt.Errorf("%w: a string longer than its length", errProtocol)
	}
	return string(body[:n]), nil
}
