package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"time"

	"cobble/cluster"
	"cobble/storage/log"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Store is what a stream needs of the storage engine; *storage.Engine is one.
type Store interface {
	Log() *log.Log
	// Checkpoint makes dir a copy of the store as of the position returned,
	// from which on the log is pinned.
	Checkpoint(dir string) (log.LSN, *log.Pin, error)
	// ApplyRecord appends one record to the log and applies it.
	ApplyRecord(raw []byte) (log.LSN, error)
	// NextStoreDir says where a store is put together for ReplaceWith.
	NextStoreDir() (string, error)
	// ReplaceWith makes what is in NextStoreDir the store and lets the log begin
	// at its position.
	ReplaceWith() (log.LSN, error)
	// SideFile returns the path of a file that import records name.
	SideFile(name string) string
}

// Clock is the time for one end of a stream.
type Clock func() time.Time

// Defaults of the options of both ends.
const (
	DefaultTimeout = 60 * time.Second // repl-timeout
	DefaultBeat    = 100 * time.Millisecond
	DefaultKeep    = 60 * time.Second
)

// mutants are rules that tests switch off one at a time to prove that they would
// notice.
type mutants struct {
	continueAlways bool // go on without the follow check
	trustPart      bool // go on behind a part of a file without comparing it
	ackAtOnce      bool // acknowledge what is only buffered
	countOffline   bool // count acknowledgements of a replica that is not online
	streamUnpinned bool // let go of the log while a replica needs it
	keepSyncFile   bool // the files stay those of a checkpoint when they are opened
	anyTerm        bool // serve, and follow, whatever the term
}

// link is one connection, for one reading and several writing goroutines.
type link struct {
	conn    net.Conn
	now     Clock
	timeout time.Duration

	in  *bufio.Reader
	buf []byte // of the last frame read

	mu  sync.Mutex // one frame is written at a time
	out []byte
}

func newLink(conn net.Conn, now Clock, timeout time.Duration) *link {
	return &link{conn: conn, now: now, timeout: timeout, in: bufio.NewReaderSize(conn, 256<<10)}
}

// read returns the next frame. The body is valid until the next call. Silence
// for longer than the timeout is an error.
func (l *link) read() (kind byte, body []byte, err error) {
	if err := l.conn.SetReadDeadline(l.now().Add(l.timeout)); err != nil {
		return 0, nil, err
	}
	var head [frameHeaderLen]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return 0, nil, err
	}
	kind = head[4]
	limit, err := frameLimit(kind)
	if err != nil {
		return 0, nil, err
	}
	size := int64(binary.LittleEndian.Uint32(head[:])) - 1
	if size < 0 || size > int64(limit) {
		return 0, nil, fmt.Errorf("%w: %d bytes of kind %q", errFrame, size, kind)
	}
	if err := l.readBody(int(size)); err != nil {
		return 0, nil, err
	}
	return kind, l.buf, nil
}

// readBody fills buf with size bytes. Memory grows with what arrives, not with
// what is claimed, and one giant frame does not stay.
func (l *link) readBody(size int) error {
	const step = 1 << 20
	if cap(l.buf) > 4*step && size < step {
		l.buf = nil
	}
	l.buf = l.buf[:0]
	for len(l.buf) < size {
		n := min(size-len(l.buf), step)
		at := len(l.buf)
		if cap(l.buf) < at+n {
			l.buf = append(make([]byte, 0, max(at+n, min(2*cap(l.buf), size))), l.buf...)
		}
		l.buf = l.buf[:at+n]
		if _, err := io.ReadFull(l.in, l.buf[at:]); err != nil {
			return err
		}
		if size > step {
			if err := l.conn.SetReadDeadline(l.now().Add(l.timeout)); err != nil {
				return err
			}
		}
	}
	return nil
}

// idle reports that no frame has begun to arrive that was not read yet.
func (l *link) idle() bool { return l.in.Buffered() == 0 }

// write sends one frame, whose body is what fill appends and then tail.
func (l *link) write(kind byte, fill func([]byte) []byte, tail []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out[:0], 0, 0, 0, 0, kind)
	if fill != nil {
		l.out = fill(l.out)
	}
	binary.LittleEndian.PutUint32(l.out, uint32(len(l.out)-4+len(tail)))
	if err := l.conn.SetWriteDeadline(l.now().Add(l.timeout)); err != nil {
		return err
	}
	if len(tail) == 0 {
		_, err := l.conn.Write(l.out)
		return err
	}
	parts := net.Buffers{l.out, tail}
	_, err := parts.WriteTo(l.conn)
	return err
}

// refuse tells the replica why it is not served and returns the error.
func (l *link) refuse(reason Reason, format string, args ...any) error {
	err := &RefusedError{Reason: reason, Text: fmt.Sprintf(format, args...)}
	werr := l.write(frameRefused, func(b []byte) []byte { return append(append(b, byte(reason)), err.Text...) }, nil)
	return errors.Join(err, werr)
}

func parseRefused(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: refused", errFrame)
	}
	return &RefusedError{Reason: Reason(body[0]), Text: string(body[1:])}
}

// writeData sends the bytes b of a file at offset.
func (l *link) writeData(offset int64, b []byte) error {
	return l.write(frameData, func(out []byte) []byte {
		out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(b, castagnoli))
		return binary.LittleEndian.AppendUint64(out, uint64(offset))
	}, b)
}

func parseData(body []byte) (offset int64, b []byte, err error) {
	p := parser{b: body}
	crc, at := p.uint32(), p.uint64()
	if p.bad || at > 1<<62 {
		return 0, nil, fmt.Errorf("%w: data", errFrame)
	}
	if crc32.Checksum(p.b, castagnoli) != crc {
		return 0, nil, fmt.Errorf("%w: CRC of data", errFrame)
	}
	return int64(at), p.b, nil
}

// short is how log lines name a node.
func short(id cluster.ID) string { return id.String()[:8] }
