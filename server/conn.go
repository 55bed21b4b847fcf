package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cobble/server/command"
	"cobble/server/config"
	"cobble/server/resp"
)

// conn drives one session with one goroutine: it reads what is there, executes
// all of it, waits once until that is durable, and sends the replies.
type conn struct {
	srv     *Server
	net     net.Conn
	session session
	stop    chan struct{} // closed by kill
	turn    sync.Mutex    // held while commands run and replies are sent: no message comes between
	once    sync.Once

	outputWatch
	netIn  int64
	netOut int64
	mailed atomic.Int64 // bytes of messages
}

// connection is a session with its socket, whoever drives it.
type connection interface {
	kill() // closes it; any goroutine may call it, more than once
	watch() *outputWatch
	name() string
	class() config.Class
}

// outputWatch is what the output limits look at.
type outputWatch struct {
	pending   *atomic.Int64 // reply bytes that the socket has not taken yet: Client.Unsent
	softSince atomic.Int64  // Unix milliseconds since pending exceeds the soft limit, 0 if it does not
}

func (w *outputWatch) watch() *outputWatch { return w }

func (c *conn) name() string { return c.session.client.Addr }

func (c *conn) class() config.Class { return classOf(c.session.client) }

func newConn(srv *Server, nc net.Conn, client *command.Client) *conn {
	c := &conn{srv: srv, net: nc, stop: make(chan struct{}), outputWatch: outputWatch{pending: &client.Unsent}}
	client.Kill = c.kill
	client.Notify = func() { go c.mail() }
	c.session = session{srv: srv, client: client, call: command.NewCall(srv.env, client)}
	return c
}

// kill closes the connection; any goroutine may call it.
func (c *conn) kill() {
	c.once.Do(func() {
		close(c.stop)
		c.net.Close()
	})
}

// serve runs the session until its connection ends.
func (c *conn) serve() {
	defer c.leave()
	s := &c.session
	for {
		s.in.Limits = resp.Limits{Bulk: c.srv.maxBulk.Load()}
		n, err := c.net.Read(s.in.Space())
		if n > 0 {
			c.netIn += int64(n)
			c.srv.env.Stats.Reads.Add(1)
			s.in.Filled(n)
			c.turn.Lock()
			goesOn := c.round()
			c.turn.Unlock()
			if !goesOn {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// round executes what was read, in the session's turn. It reports whether the connection goes on.
func (c *conn) round() bool {
	s := &c.session
	for {
		next := s.advance(time.Now().UnixMilli())
		if next == stepDrop {
			return false
		}
		if !c.flush() {
			return false
		}
		switch next {
		case stepInput:
			c.report(false)
			return c.queryFits()
		case stepClose:
			if s.broken != nil {
				c.srv.log.Printf(Verbose, "Protocol error from client %s: %v", s.client.Addr, s.broken)
			}
			return false
		case stepLater:
			if !c.later() {
				return false
			}
		case stepHandOver:
			c.report(false)
			c.session.call.HandOver(c.net, &s.in, c.stop)
			return false
		}
	}
}

// flush makes what the session has seen and done durable, and sends the replies.
func (c *conn) flush() bool {
	call := c.session.call
	call.Flush()
	defer c.session.client.ReleaseMail()
	out := call.Out.Len()
	if out == 0 {
		return true
	}
	if call.LSN != 0 {
		if err := c.srv.env.Engine.Await(call.LSN); err != nil {
			c.srv.log.Printf(c.srv.lostLevel(), "Closing %s: its commands could not be made durable: %v", c.session.client.Addr, err)
			return false
		}
		call.LSN = 0
	}
	if limit := c.srv.outputLimit(classOf(c.session.client)).Hard; limit > 0 && int64(out) > limit {
		c.srv.outputTooLong(c.session.client)
		return false
	}
	c.pending.Store(int64(out))
	c.srv.clientGrew(int64(out))
	var err error
	for i := 0; i < call.Out.Pieces() && err == nil; i++ {
		var n int
		n, err = c.net.Write(call.Out.Piece(i))
		c.netOut += int64(n)
	}
	c.pending.Store(0)
	c.srv.env.Stats.Writes.Add(1)
	call.Out.Reset()
	return err == nil
}

// later waits with the session in a command that waits, and watches for the
// client to go away meanwhile.
func (c *conn) later() bool {
	s := &c.session
	c.report(true)
	c.srv.env.Stats.InFlight.Add(1)
	defer c.srv.env.Stats.InFlight.Add(-1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if c.peerGone() {
			c.kill()
		}
	}()
	c.turn.Unlock() // nothing is half sent
	for later := s.call.Later; later != nil; later = s.call.Later {
		later(c.stop)
	}
	c.turn.Lock()
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // ends peerGone
	<-watched
	_ = c.net.SetReadDeadline(time.Time{})
	select {
	case <-c.stop:
		return false
	default:
		return true
	}
}

// peerGone blocks until the client has closed its side (true), has sent more
// commands, or the read deadline passed (false).
func (c *conn) peerGone() bool {
	sc, ok := c.net.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			return false
		}
		gone = err != nil || n == 0
		return true
	})
	return err == nil && gone
}

// queryFits closes clients that send faster than complete commands come of it.
func (c *conn) queryFits() bool {
	if int64(c.session.in.Buffered()) <= c.srv.maxQuery.Load() {
		return true
	}
	c.srv.queryTooLong(c.session.client)
	return false
}

func (c *conn) report(blocked bool) {
	out := c.netOut + c.mailed.Swap(0)
	c.srv.env.Stats.NetIn.Add(c.netIn)
	c.srv.env.Stats.NetOut.Add(out)
	c.session.report(c.netIn, out, blocked)
	c.netIn, c.netOut = 0, 0
}

func (c *conn) leave() {
	c.kill()
	c.session.call.Leave()
	c.report(false)
	c.srv.env.Clients.Remove(c.session.client)
	c.srv.forget(c)
}

// mail sends what others have put into the client's mailbox.
func (c *conn) mail() {
	c.turn.Lock()
	defer c.turn.Unlock()
	text := c.session.client.TakeMail()
	if len(text) == 0 {
		return
	}
	if limit := c.srv.outputLimit(classOf(c.session.client)).Hard; limit > 0 && int64(len(text)) > limit {
		c.srv.outputTooLong(c.session.client)
		c.kill()
		return
	}
	c.pending.Store(int64(len(text)))
	c.srv.clientGrew(int64(len(text)))
	n, err := c.net.Write(text)
	c.pending.Store(0)
	c.mailed.Add(int64(n))
	if err != nil {
		c.kill()
	}
}

// classOf says which output limits hold for a client.
func classOf(client *command.Client) config.Class {
	if client.Listens() {
		return config.ClassPubsub
	}
	return config.ClassNormal
}
