package server

import (
	"syscall"
	"time"

	"cobble/server/resp"
)

// maxUnsentCopy is how many bytes of replies are copied when the socket does not take
// them; more are sent from where they were built.
const maxUnsentCopy = 64 << 10

// traffic counts what a round has read and sent.
type traffic struct{ in, out, reads, writes int64 }

// endRound makes the round durable, sends its replies, and adds its figures to the server's.
func (l *loop) endRound() {
	l.sendRound()
	if stats := &l.srv.env.Stats; l.count != (traffic{}) {
		stats.NetIn.Add(l.count.in)
		stats.NetOut.Add(l.count.out)
		stats.Reads.Add(l.count.reads)
		stats.Writes.Add(l.count.writes)
		l.count = traffic{}
	}
}

func (l *loop) sendRound() {
	if len(l.dirty) == 0 {
		return
	}
	if l.lsn != 0 {
		err := l.srv.env.Engine.Await(l.lsn)
		l.lsn = 0
		if err != nil {
			l.srv.log.Printf(l.srv.lostLevel(), "Closing %d clients: their commands could not be made durable: %v", len(l.dirty), err)
			for _, c := range l.dirty {
				c.queued = false
				l.drop(c)
			}
			l.clearDirty()
			return
		}
	}
	for _, c := range l.dirty {
		c.queued = false
		if !c.here {
			continue
		}
		out := c.session.call.Out
		limit := l.srv.outputLimit(classOf(c.session.client)).Hard
		if limit > 0 && int64(out.Len()+c.unsent.size) > limit {
			l.srv.outputTooLong(c.session.client)
			l.drop(c)
			continue
		}
		n := 0
		if c.unsent.size == 0 {
			var ok bool
			if n, ok = l.writeReplies(c, out); !ok {
				continue
			}
		}
		c.unsent.take(out, n)
		l.rooms.ReturnReply(c.session.call.Out)
		l.settle(c)
		c.session.client.ReleaseMail()
	}
	l.clearDirty()
}

// clearDirty forgets the connections as well: one that is closed may hold much.
func (l *loop) clearDirty() {
	clear(l.dirty)
	l.dirty = l.dirty[:0]
}

// send goes on with replies that the socket did not take before. It reports
// whether the connection is still there.
func (l *loop) send(c *loopConn) bool {
	n, ok := l.write(c, c.unsent.first())
	if !ok {
		return false
	}
	c.unsent.drop(n)
	if n > maxUnsentCopy {
		l.srv.unused.Add(int64(n))
	}
	l.settle(c)
	if !c.here {
		return false
	}
	if c.unsent.size == 0 && !c.busy { // commands may have waited for this
		l.advance(c, time.Now().UnixMilli())
	}
	return c.here
}

// settle asks epoll for what the connection waits for now.
func (l *loop) settle(c *loopConn) {
	unsent := c.unsent.size
	if !c.busy {
		unsent += c.session.call.Out.Len() // which waits for the outbox to be empty
	}
	l.srv.clientGrew(int64(unsent) - c.pending.Swap(int64(unsent)))
	var events uint32
	switch {
	case c.busy && (c.growing || c.session.call.Brief):
	case c.busy:
		events = syscall.EPOLLRDHUP
	case c.closing && c.unsent.size == 0:
		l.drop(c)
		return
	case c.unsent.size == 0:
		events = syscall.EPOLLIN
	}
	if c.unsent.size > 0 {
		events |= syscall.EPOLLOUT
	}
	l.want(c, events)
}

// writeReplies sends what the socket takes of replies, in one turn, as write does.
func (l *loop) writeReplies(c *loopConn, out *resp.Writer) (n int, ok bool) {
	for i := range out.Pieces() {
		piece := out.Piece(i)
		m, ok := l.write(c, piece[:min(len(piece), writeTurn-n)])
		if n += m; !ok || m < len(piece) {
			return n, ok
		}
	}
	return n, true
}

// writeTurn bounds what one connection is sent in its turn: a client that takes a reply
// of a gigabyte as fast as it is sent would keep the loop from all others.
const writeTurn = 1 << 20

// write sends what the socket takes, in one turn. It reports false when the connection is gone.
func (l *loop) write(c *loopConn, b []byte) (n int, ok bool) {
	for b = b[:min(len(b), writeTurn)]; n < len(b); {
		m, err := rawWrite(c.fd, b[n:])
		switch {
		case err == syscall.EAGAIN:
			return n, true
		case err == syscall.EINTR:
			continue
		case err != nil:
			l.drop(c)
			return n, false
		}
		n += m
		c.netOut += int64(m)
		l.count.out += int64(m)
		l.count.writes++
	}
	return n, true
}

func (l *loop) want(c *loopConn, events uint32) {
	if c.events == events || c.deaf {
		return
	}
	c.events = events
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, c.fd, &syscall.EpollEvent{Events: events, Fd: int32(c.fd)}); err != nil {
		l.srv.log.Printf(Warning, "Closing %s, nothing would be heard of it: epoll: %v", c.name(), err)
		c.kill()
	}
}

// leaveEpoll lets epoll forget a connection that is gone while its command runs
// elsewhere. To want nothing would not do: that a connection has hung up is always
// reported, again and again.
func (l *loop) leaveEpoll(c *loopConn) {
	if !c.deaf {
		c.deaf = true
		_ = syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil) // it is closed soon, whatever this says
	}
}

// mail sends what others have put into the client's mailbox. Replies that are ready go before it, and a command that
// runs elsewhere has nothing on the way.
func (l *loop) mail(c *loopConn) {
	if c.queued {
		l.endRound()
	}
	text := c.session.client.TakeMail()
	if !c.here || len(text) == 0 {
		return
	}
	n := 0
	if c.unsent.size == 0 {
		var ok bool
		if n, ok = l.write(c, text); !ok {
			return
		}
	}
	c.unsent.copy(text[n:])
	if limit := l.srv.outputLimit(classOf(c.session.client)).Hard; limit > 0 && int64(c.unsent.size) > limit {
		l.srv.outputTooLong(c.session.client)
		c.kill()
		return
	}
	l.settle(c)
}
