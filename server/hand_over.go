package server

import (
	"net"
	"os"
	"syscall"
)

// handOver takes a connection out of the loop and gives it to its command, on a goroutine of its own. Everything that it
// was to be sent is with the socket.
func (l *loop) handOver(c *loopConn) {
	l.report(c, false)
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil); err != nil {
		l.drop(c)
		return
	}
	l.remove(c)
	file := os.NewFile(uintptr(c.fd), c.name())
	conn, err := net.FileConn(file) // of a duplicate
	file.Close()
	if err != nil {
		l.srv.log.Printf(Warning, "Closing %s, its connection cannot be handed over: %v", c.name(), err)
		l.endSession(c)
		return
	}
	go func() {
		c.session.call.HandOver(conn, &c.session.in, c.stop)
		conn.Close()
		l.endSession(c)
	}()
}
