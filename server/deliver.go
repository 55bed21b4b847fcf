package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"cobble/server/command"
)

// Connections to the servers that MIGRATE sends keys to are kept for the next keys
// of a slot: so many of them, idle for so long at most.
const (
	maxDeliveries    = 64
	deliveryIdleTime = 10 * time.Second
)

// deliveryError is what MIGRATE replies when the target cannot be talked to.
type deliveryError string

func (e deliveryError) Error() string { return "IOERR error or timeout " + string(e) }

// The errors, in Redis's words.
const (
	errConnecting deliveryError = "connecting to the client"
	errWriting    deliveryError = "writing to target instance"
	errReading    deliveryError = "reading to target instance"
)

// delivery is one connection to a target, used by one MIGRATE at a time.
type delivery struct {
	net.Conn
	in   *bufio.Reader
	name string // of its target, with the user that it may be logged in as
	db   int64  // selected there; -1 = not known
	idle time.Time
}

// deliveries are the connections that are not in use. Its methods may be called
// from any goroutine; none is held up by another's network.
type deliveries struct {
	mu     sync.Mutex
	idle   []*delivery // the longest idle first
	prune  *time.Timer
	closed bool
}

// deliver is command.Deliver. A kept connection that turns out to be dead before
// any reply came is replaced once; what is sent then was not executed before,
// unless the target died of it.
func (d *deliveries) deliver(to command.Target, requests []byte, replies int) (refusals []string, err error) {
	for {
		conn := d.take(nameOf(to))
		kept := conn != nil
		if !kept {
			if conn, err = dialTarget(to); err != nil {
				return nil, err
			}
		}
		refusals, err = conn.exchange(to, requests, replies)
		if err == nil {
			d.keep(conn)
			return refusals, nil
		}
		conn.Close()
		var cause *timeoutError
		if !kept || len(refusals) > 0 || errors.As(err, &cause) {
			return refusals, reason(err)
		}
	}
}

// timeoutError says that a step took too long.
type timeoutError struct{ deliveryError }

func reason(err error) error {
	var slow *timeoutError
	if errors.As(err, &slow) {
		return slow.deliveryError
	}
	return err
}

func (d *deliveries) take(name string) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.idle) - 1; i >= 0; i-- {
		if conn := d.idle[i]; conn.name == name {
			d.idle = append(d.idle[:i], d.idle[i+1:]...)
			return conn
		}
	}
	return nil
}

func (d *deliveries) keep(conn *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		conn.Close()
		return
	}
	conn.idle = time.Now()
	d.idle = append(d.idle, conn)
	if len(d.idle) > maxDeliveries {
		d.idle[0].Close()
		d.idle = d.idle[1:]
	}
	if d.prune == nil {
		d.prune = time.AfterFunc(deliveryIdleTime, d.closeIdle)
	}
}

// closeIdle closes connections that nobody used for long, and comes again while
// there are others.
func (d *deliveries) closeIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.idle) > 0 && time.Since(d.idle[0].idle) >= deliveryIdleTime {
		d.idle[0].Close()
		d.idle = d.idle[1:]
	}
	d.prune = nil
	if len(d.idle) > 0 {
		d.prune = time.AfterFunc(deliveryIdleTime, d.closeIdle)
	}
}

func (d *deliveries) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, conn := range d.idle {
		conn.Close()
	}
	d.idle = nil
	if d.prune != nil {
		d.prune.Stop()
	}
}

func nameOf(to command.Target) string {
	return strings.Join([]string{to.Host, to.Port, to.User, strconv.FormatBool(to.Auth)}, "\n")
}

// dialTarget connects. Redis notices a refused connection only when it writes.
func dialTarget(to command.Target) (*delivery, error) {
	dialer := net.Dialer{Timeout: timeout(to)}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(to.Host, to.Port))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, errWriting
	case err != nil:
		return nil, errConnecting
	}
	return &delivery{Conn: conn, in: bufio.NewReader(conn), name: nameOf(to), db: -1}, nil
}

func timeout(to command.Target) time.Duration {
	const most = 1 << 40 // milliseconds, so that it fits a Duration
	return time.Duration(min(to.TimeoutMS, most)) * time.Millisecond
}

// exchange sends what has to go first and the requests, and reads all replies. A
// refused AUTH or SELECT is the answer to everything behind it, as in Redis.
func (d *delivery) exchange(to command.Target, requests []byte, replies int) (refusals []string, err error) {
	var first []byte
	before := 0
	if to.Auth {
		args := [][]byte{[]byte("AUTH"), []byte(to.Password)}
		if to.User != "" {
			args = [][]byte{[]byte("AUTH"), []byte(to.User), []byte(to.Password)}
		}
		first, before = command.AppendRequest(first, args...), before+1
	}
	if d.db != to.DB {
		first, before = command.AppendRequest(first, []byte("SELECT"), strconv.AppendInt(nil, to.DB, 10)), before+1
	}
	if err := d.send(to, first, requests); err != nil {
		return nil, err
	}
	refused := ""
	for i := range before + replies {
		line, err := d.line(to)
		if err != nil {
			return refusals, err
		}
		text, isError := strings.CutPrefix(line, "-")
		switch {
		case i < before && isError && refused == "":
			refused = text
		case i >= before && refused != "":
			refusals = append(refusals, refused)
		case i >= before && isError:
			refusals = append(refusals, text)
		case i >= before:
			refusals = append(refusals, "")
		}
	}
	d.db = to.DB
	if refused != "" {
		d.db = -1
	}
	return refusals, nil
}

func (d *delivery) send(to command.Target, parts ...[]byte) error {
	const chunk = 64 << 10
	for _, b := range parts {
		for len(b) > 0 {
			n := min(chunk, len(b))
			_ = d.SetWriteDeadline(time.Now().Add(timeout(to)))
			if _, err := d.Write(b[:n]); err != nil {
				return failure(err, errWriting)
			}
			b = b[n:]
		}
	}
	return nil
}

// line reads one reply; those to AUTH, SELECT and RESTORE are one line each.
func (d *delivery) line(to command.Target) (string, error) {
	_ = d.SetReadDeadline(time.Now().Add(timeout(to)))
	line, err := d.in.ReadSlice('\n')
	if err != nil {
		return "", failure(err, errReading)
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" || text[0] != '+' && text[0] != '-' {
		return "", failure(io.ErrUnexpectedEOF, errReading)
	}
	return text, nil
}

func failure(err error, step deliveryError) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return &timeoutError{step}
	}
	return step
}
