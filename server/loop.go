package server

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"cobble/server/command"
	"cobble/server/config"
	"cobble/server/resp"
	"cobble/storage"
)

// loop drives many sessions with one goroutine and epoll. A round executes
// everything that is readable, makes it durable with one wait, and then sends the
// replies: what one round brought is committed together.
//
// A command that would wait (for a lock, the disk, other nodes) runs on a
// goroutine of its own, and its connection leaves the loop until it is done.
type loop struct {
	srv   *Server
	epoll int
	wake  [2]int      // a pipe: something is in posted
	conns []*loopConn // by descriptor
	open  int         // how many there are
	group []*loopConn // have been read and wait for their turn, see gather
	hints []storage.Hint
	dirty []*loopConn // have replies to send at the end of the round
	lsn   storage.LSN // what the replies of the round wait for
	count traffic     // not yet added to Stats
	rooms resp.Rooms  // of the sessions that are not idle
	gave  bool        // the round gave work to goroutines, which may need this one's processor

	mu     sync.Mutex
	posted []func() // run by the loop
	ended  bool
}

// loopConn is a connection of the loop. Its fields belong to the loop's
// goroutine, or while busy to the one that runs call.Later.
type loopConn struct {
	outputWatch
	loop    *loop
	fd      int
	session session
	unsent  outbox        // replies that the socket did not take
	queued  bool          // stands in loop.dirty
	busy    bool          // call.Later is running, or
	parked  *command.Wait // its command waits for keys
	here    bool          // it stands in loop.conns
	growing bool          // it is busy with making room for a large command
	deaf    bool          // it is busy, gone, and no longer in epoll
	closing bool          // close when unsent is empty
	stop    chan struct{}
	once    sync.Once
	events  uint32
	netIn   int64
	netOut  int64
}

func newLoop(s *Server) (*loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{srv: s, epoll: ep}
	if err := syscall.Pipe2(l.wake[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		syscall.Close(ep)
		return nil, err
	}
	if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, l.wake[0], &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(l.wake[0])}); err != nil {
		l.closeFiles()
		return nil, err
	}
	return l, nil
}

func (l *loop) closeFiles() {
	syscall.Close(l.epoll)
	syscall.Close(l.wake[0])
	syscall.Close(l.wake[1])
}

// post has f run by the loop's goroutine. It reports false when the loop has ended.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.posted = append(l.posted, f)
	if len(l.posted) == 1 {
		_, _ = syscall.Write(l.wake[1], []byte{0}) // a full pipe wakes as well
	}
	return true
}

// take moves an accepted connection into the loop. The descriptor is
// duplicated, so that Go's own poller lets go of it.
func (l *loop) take(nc net.Conn, client *command.Client) bool {
	sc, ok := nc.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	fd := -1
	if raw.Control(func(n uintptr) { fd, err = syscall.Dup(int(n)) }) != nil || err != nil {
		return false
	}
	syscall.CloseOnExec(fd)
	c := &loopConn{loop: l, fd: fd, stop: make(chan struct{}), outputWatch: outputWatch{pending: &client.Unsent}}
	client.Kill, client.FD = c.kill, fd
	client.Notify = func() { l.post(func() { l.mail(c) }) }
	c.session = session{srv: l.srv, client: client, call: command.NewCall(l.srv.env, client)}
	c.session.call.NoWait = true
	if !l.srv.remember(c) {
		syscall.Close(fd)
		return false
	}
	nc.Close() // the duplicate lives on
	l.srv.env.Clients.Add(client, l.srv.env)
	if !l.post(func() { l.add(c) }) {
		l.closed(c)
	}
	return true
}

// connOf returns the connection that has a descriptor, or nil.
func (l *loop) connOf(fd int) *loopConn {
	if fd >= len(l.conns) {
		return nil
	}
	return l.conns[fd]
}

// remove takes a connection out of the loop. Its descriptor may be used again from then on.
func (l *loop) remove(c *loopConn) {
	l.conns[c.fd], c.here = nil, false
	l.open--
}

func (l *loop) add(c *loopConn) {
	select {
	case <-c.stop: // killed before it was here
		l.closed(c)
		return
	default:
	}
	c.events = syscall.EPOLLIN
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, c.fd, &syscall.EpollEvent{Events: c.events, Fd: int32(c.fd)}); err != nil {
		l.closed(c)
		return
	}
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd], c.here = c, true
	l.open++
}

// kill has the loop close the connection; any goroutine may call it.
func (c *loopConn) kill() {
	c.once.Do(func() {
		close(c.stop)
		c.loop.post(func() { c.loop.drop(c) })
	})
}

func (c *loopConn) name() string { return c.session.client.Addr }

func (c *loopConn) class() config.Class { return classOf(c.session.client) }

// run is the loop. It ends when the server closes, after all connections are gone.
func (l *loop) run() {
	defer l.srv.cron.Done()
	events := make([]syscall.EpollEvent, 256)
	several := runtime.GOMAXPROCS(0) > 1
	before, now := int64(0), int64(0)
	for {
		n, err := poll(l.epoll, events, several && !l.gave && dense(before, now))
		l.gave = false
		if err != nil && !errors.Is(err, syscall.EINTR) {
			l.fail(err)
			return
		}
		before, now = now, time.Now().UnixMilli()
		woken := false
		for i := range max(n, 0) {
			fd := int(events[i].Fd)
			if fd == l.wake[0] {
				woken = true
			} else if c := l.connOf(fd); c != nil {
				l.ready(c, events[i].Events, now)
			}
		}
		l.advanceGroup(now)
		l.endRound()
		if woken && !l.runPosted() {
			return
		}
	}
}

// runPosted runs what other goroutines posted. It reports false when the loop is to end.
func (l *loop) runPosted() bool {
	var drain [64]byte
	_, _ = syscall.Read(l.wake[0], drain[:])
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range posted {
		f()
	}
	l.endRound()
	if !l.srv.isClosing() || l.open > 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.posted) > 0 {
		return true
	}
	l.ended = true
	l.closeFiles()
	return false
}

// fail ends a loop that hears nothing any more: its connections are closed, those
// whose command runs elsewhere when that is done, and the server stops, for it
// could serve nobody.
func (l *loop) fail(err error) {
	l.srv.log.Printf(Warning, "Stopping, the event loop cannot go on: epoll: %v", err)
	l.mu.Lock()
	l.ended = true
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range posted {
		f()
	}
	for _, c := range l.conns {
		if c != nil {
			c.kill() // for what waits elsewhere
			l.drop(c)
		}
	}
	l.closeFiles()
	l.srv.askToStop(command.ShutdownRequest{NoSave: true, Now: true})
}

func (l *loop) ready(c *loopConn, events uint32, now int64) {
	if c.busy {
		switch {
		case events&(syscall.EPOLLHUP|syscall.EPOLLERR|syscall.EPOLLRDHUP) != 0:
			c.kill()
			l.leaveEpoll(c)
		case events&syscall.EPOLLOUT != 0:
			l.send(c)
		}
		return
	}
	if events&syscall.EPOLLOUT != 0 && !l.send(c) {
		return
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && c.unsent.size == 0 && !c.busy && l.read(c) {
		l.gather(c, now)
	}
}

// read takes in what the client sent. It reports whether that was anything.
func (l *loop) read(c *loopConn) bool {
	s := &c.session
	s.in.Limits = resp.Limits{Bulk: l.srv.maxBulk.Load()}
	l.rooms.Lend(&s.in)
	if s.in.Growth() > growAtOnce {
		l.grow(c)
		return false
	}
	n, err := rawRead(c.fd, s.in.Space())
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		l.rooms.Return(&s.in)
		return false
	case err != nil || n <= 0:
		l.drop(c)
		return false
	}
	c.netIn += int64(n)
	l.count.in += int64(n)
	l.count.reads++
	s.in.Filled(n)
	return true
}

// gather lets connections wait until together they have some commands to run: the
// waits for the memory that these touch then overlap.
func (l *loop) gather(c *loopConn, now int64) {
	l.group = append(l.group, c)
	if l.hints = c.session.look(l.hints); len(l.hints) >= lookAhead {
		l.advanceGroup(now)
	}
}

func (l *loop) advanceGroup(now int64) {
	if len(l.hints) > 1 {
		l.srv.env.Engine.Prefetch(l.hints)
	}
	l.hints = l.hints[:0]
	for _, c := range l.group {
		if c.here && !c.busy { // one before it may have ended the server's patience with it
			l.advance(c, now)
		}
	}
	clear(l.group)
	l.group = l.group[:0]
}

// advance executes what the connection has sent.
func (l *loop) advance(c *loopConn, now int64) {
	s := &c.session
	for {
		l.rooms.LendReply(s.call.Out)
		next := s.advance(now)
		s.call.Flush()
		l.lsn = max(l.lsn, s.call.LSN)
		s.call.LSN = 0
		switch {
		case c.queued:
		case s.call.Out.Len() > 0:
			c.queued = true
			l.dirty = append(l.dirty, c)
		default:
			l.rooms.ReturnReply(s.call.Out)
			s.client.ReleaseMail()
		}
		switch next {
		case stepInput:
			l.rooms.Return(&s.in)
			l.report(c, false)
			if int64(s.in.Buffered()) > l.srv.maxQuery.Load() {
				l.srv.queryTooLong(s.client)
				l.drop(c)
			}
			return
		case stepFlush:
			l.endRound()
			if !c.here || c.unsent.size > 0 {
				return // send goes on with it
			}
		case stepLater:
			l.report(c, !s.call.Brief)
			l.leave(c)
			return
		case stepHandOver:
			l.endRound()
			if c.here {
				l.handOver(c)
			}
			return
		case stepClose:
			c.closing = true
			if s.broken != nil {
				l.srv.log.Printf(Verbose, "Protocol error from client %s: %v", s.client.Addr, s.broken)
			}
			if !c.queued {
				l.drop(c)
			}
			return
		case stepDrop:
			l.drop(c)
			return
		}
	}
}

// leave runs call.Later on a goroutine; the connection is back when it is done.
func (l *loop) leave(c *loopConn) {
	l.endRound() // the replies before it must not wait for it
	if !c.here {
		return
	}
	c.busy = true
	l.settle(c)
	if wait := c.session.call.Wait; wait != nil {
		l.rooms.Return(&c.session.in) // a parked command has its arguments for itself
		l.park(c, wait)
		return
	}
	l.gave = true
	waiting := int64(1)
	if c.session.call.Brief {
		waiting = 0
		l.rooms.LendReply(c.session.call.Out) // for the replies behind this one, too
	}
	l.srv.env.Stats.InFlight.Add(waiting)
	go func() {
		c.session.call.Later(c.stop)
		c.settleLog()
		l.srv.env.Stats.InFlight.Add(-waiting)
		if !l.post(func() { l.back(c) }) {
			l.closed(c) // the loop has failed
		}
	}()
}

// settleLog waits for the log where it is far behind, which the loop would have to do
// before it sends the reply.
func (c *loopConn) settleLog() {
	engine := c.loop.srv.env.Engine
	if lsn := c.session.call.LSN; lsn != 0 && engine.Backlogged() {
		_ = engine.Await(lsn) // the loop meets the error again
	}
}

// growAtOnce is how many bytes of an unfinished command the loop moves to a larger
// buffer by itself.
const growAtOnce = 1 << 20

// grow moves more of them on a goroutine; the connection is back when that is done.
func (l *loop) grow(c *loopConn) {
	c.busy, c.growing, l.gave = true, true, true
	l.settle(c)
	go func() {
		c.session.in.Space()
		if !l.post(func() {
			c.growing = false
			l.back(c)
		}) {
			l.closed(c)
		}
	}()
}

// park lets the connection be until its command has waited enough.
func (l *loop) park(c *loopConn, wait *command.Wait) {
	c.parked = wait
	l.srv.env.Stats.InFlight.Add(1)
	wait.Notify(func() {
		l.post(func() {
			l.srv.env.Stats.InFlight.Add(-1)
			c.parked = nil
			c.session.call.Unpark()
			l.back(c)
		})
	})
	select {
	case <-c.stop: // before it was parked
		wait.Cancel()
	default:
	}
}

func (l *loop) back(c *loopConn) {
	if c.session.call.Later != nil { // it ran as far as it can without waiting for others
		l.leave(c)
		return
	}
	c.busy = false
	select {
	case <-c.stop:
		l.drop(c)
		return
	default:
	}
	l.settle(c)
	if c.here && c.unsent.size == 0 {
		l.advance(c, time.Now().UnixMilli())
	}
}

// drop closes the connection. One that is busy is closed when it is back.
func (l *loop) drop(c *loopConn) {
	if !c.here {
		return
	}
	if c.parked != nil {
		c.parked.Cancel()
	}
	if c.busy {
		return
	}
	l.remove(c)
	l.closed(c)
}

func (l *loop) closed(c *loopConn) {
	syscall.Close(c.fd)
	l.srv.unused.Add(int64(c.unsent.size + c.session.call.Out.Len() + c.session.in.Buffered()))
	c.unsent = outbox{}
	l.endSession(c)
}

// endSession ends the session of a connection that is closed.
func (l *loop) endSession(c *loopConn) {
	c.once.Do(func() { close(c.stop) })
	c.session.call.Leave()
	l.report(c, false)
	l.srv.env.Clients.Remove(c.session.client)
	l.srv.forget(c)
}

func (l *loop) report(c *loopConn, blocked bool) {
	c.session.report(c.netIn, c.netOut, blocked)
	c.netIn, c.netOut = 0, 0
}
