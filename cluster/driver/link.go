package driver

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"cobble/cluster"
)

const (
	dialTimeout  = 2 * time.Second        // connect and greet
	writeTimeout = 5 * time.Second        // a peer that takes no bytes for so long is disconnected
	redialFirst  = 50 * time.Millisecond  // pause after a failed dial, doubled up to redialLast
	redialLast   = 1 * time.Second        // of a standing link; a peer that is back is noticed within it
	idleTimeout  = 30 * time.Second       // of a link that is not standing
	guestTimeout = 2 * time.Second        // of a handshake's link: the real one takes its place
	wrongPause   = 500 * time.Millisecond // before asking again an address where another node answers
)

// errWrongNode: somebody else answers at the peer's address.
var errWrongNode = errors.New("another node answers at this address")

// link is the connection on which this node speaks to one peer. Its goroutine
// dials when there is something to send, or always when standing, and writes
// what waits in the queue.
type link struct {
	bus  *bus
	to   cluster.ID // zero: a handshake, whoever answers is right
	addr string
	q    *queue
	done chan struct{}
	kick chan struct{} // capacity 1: do not wait for the end of the pause
	once sync.Once

	mu       sync.Mutex
	conn     net.Conn // nil: not connected
	since    time.Time
	standing bool
	reported bool // the state last told to the machine
	told     bool // a state was told at all
	pings    map[uint64]chan pong
}

func (b *bus) newLink(to cluster.ID, addr string) *link {
	l := &link{
		bus: b, to: to, addr: addr, q: newQueue(b.conf.bulkLimit),
		done: make(chan struct{}), kick: make(chan struct{}, 1), pings: map[uint64]chan pong{},
	}
	b.wg.Go(l.run)
	return l
}

// close ends the link; what waits is dropped. It may be called twice.
func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.conn != nil {
			_ = l.conn.Close()
		}
	})
}

func (l *link) setStanding(on bool) {
	l.mu.Lock()
	changed := l.standing != on
	l.standing = on
	l.mu.Unlock()
	if changed {
		l.q.wake()
	}
}

func (l *link) isStanding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.standing
}

func (l *link) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

func (l *link) run() {
	pause := redialFirst
	for {
		if !l.waitForWork() {
			return
		}
		err := l.connectAndWrite()
		switch {
		case err == nil: // it was connected, and broke or idled
			pause = redialFirst
		case errors.Is(err, errWrongNode):
			pause = wrongPause
		default:
			pause = min(2*pause, redialLast)
		}
		l.q.clear()
		if !l.sleep(pause/2 + rand.N(pause/2)) {
			return
		}
	}
}

// waitForWork returns when a connection is wanted, false at the end.
func (l *link) waitForWork() bool {
	for {
		if _, empty := l.q.waiting(); !empty || l.isStanding() {
			return true
		}
		select {
		case <-l.done:
			return false
		case <-l.q.signal:
		}
	}
}

func (l *link) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.done:
		return false
	case <-l.kick:
	case <-t.C:
	}
	return true
}

// connectAndWrite is one life of the connection. Its error is nil when the
// greeting was complete.
func (l *link) connectAndWrite() error {
	conn, them, err := l.bus.dial(l.addr, dialTimeout)
	if err == nil && !l.to.IsZero() && them.id != l.to {
		_ = conn.Close()
		err = errWrongNode
	}
	if err != nil {
		l.bus.noteRefusal(l.addr, err)
		l.report(false)
		return err
	}
	l.mu.Lock()
	l.conn, l.since = conn, time.Now()
	l.mu.Unlock()
	select {
	case <-l.done: // closed while we dialled
		_ = conn.Close()
	default:
	}
	l.report(true)
	broken := make(chan struct{})
	go l.read(conn, broken)
	l.write(conn, broken)
	_ = conn.Close()
	<-broken
	l.mu.Lock()
	l.conn = nil
	for token, c := range l.pings {
		close(c)
		delete(l.pings, token)
	}
	l.mu.Unlock()
	l.report(false)
	return nil
}

// write sends what waits until the connection breaks, the link ends, or a link
// that is not standing idles.
func (l *link) write(conn net.Conn, broken chan struct{}) {
	w := bufio.NewWriterSize(conn, 32<<10)
	patience := idleTimeout
	if l.to.IsZero() {
		patience = guestTimeout
	}
	idle := time.NewTimer(patience)
	defer idle.Stop()
	for {
		frames := l.q.take()
		if len(frames) == 0 {
			select {
			case <-l.done:
				return
			case <-broken:
				return
			case <-l.q.signal:
			case <-idle.C:
				if !l.isStanding() {
					return
				}
				idle.Reset(patience)
			}
			continue
		}
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		for _, f := range frames {
			if _, err := w.Write(f); err != nil {
				return
			}
		}
		if err := w.Flush(); err != nil {
			return
		}
		idle.Reset(patience)
	}
}

// read takes the answers, and notices at once when the peer is gone.
func (l *link) read(conn net.Conn, broken chan struct{}) {
	defer close(broken)
	r := bufio.NewReader(conn)
	for {
		kind, body, err := readFrame(r, greetingLimit)
		if err != nil {
			return
		}
		switch kind {
		case framePong:
			p, err := parsePong(body)
			if err != nil {
				return
			}
			l.bus.counts.received[sortPong].Add(1)
			l.mu.Lock()
			if c := l.pings[p.token]; c != nil {
				delete(l.pings, p.token)
				c <- p
			}
			l.mu.Unlock()
		case frameRefused:
			l.bus.noteRefusal(l.addr, &refusedError{string(body)})
			return
		default:
			return
		}
	}
}

// ping asks over the open connection. The channel gives the answer, or is
// closed when the connection breaks; nil when there is no connection.
func (l *link) ping(token uint64) <-chan pong {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	c := make(chan pong, 1)
	l.pings[token] = c
	l.bus.counts.sent[sortPing].Add(1)
	l.q.put(appendPing(token))
	return c
}

func (l *link) forgetPing(token uint64) {
	l.mu.Lock()
	delete(l.pings, token)
	l.mu.Unlock()
}

// report tells the machine when the state is another than the one last told.
func (l *link) report(up bool) {
	if l.to.IsZero() {
		return
	}
	l.mu.Lock()
	news := !l.told || l.reported != up
	l.told, l.reported = true, up
	l.mu.Unlock()
	select {
	case <-l.done: // our own doing, no news about the peer
	default:
		if news {
			l.bus.deliver(cluster.Link{ID: l.to, Up: up})
		}
	}
}
