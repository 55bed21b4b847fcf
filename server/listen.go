package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cobble/server/command"
)

// listen opens the sockets of the bind and port settings. Port 0 opens none.
func (s *Server) listen(addresses []string, port int) ([]net.Listener, error) {
	var open []net.Listener
	if port == 0 {
		return nil, nil
	}
	for _, address := range addresses {
		host, optional := strings.CutPrefix(address, "-")
		network := "tcp4"
		if strings.Contains(host, ":") {
			network = "tcp6"
		}
		switch host {
		case "*":
			host = "0.0.0.0"
		case "::*":
			host = "::"
		}
		lc := net.ListenConfig{KeepAlive: -1} // set per connection
		l, err := lc.Listen(context.Background(), network, net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			open = append(open, l)
			continue
		}
		s.log.Printf(Warning, "Warning: Could not create server TCP listening socket %s:%d: %s", address, port, bindReason(err))
		if optional && errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT) {
			continue
		}
		closeAll(open)
		return nil, err
	}
	return open, nil
}

func bindReason(err error) string {
	var sys syscall.Errno
	if errors.As(err, &sys) {
		reason := sys.Error()
		return "bind: " + strings.ToUpper(reason[:1]) + reason[1:]
	}
	return err.Error()
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

func (s *Server) listenUnix() (net.Listener, error) {
	path := s.settings.Path("unixsocket")
	if path == "" {
		return nil, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if mode := s.settings.Int("unixsocketperm"); mode != 0 {
		if err := os.Chmod(path, os.FileMode(mode)); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// accept takes connections until l is closed.
func (s *Server) accept(l net.Listener) {
	defer s.accepting.Done()
	pause := 5 * time.Millisecond
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 5 * time.Millisecond
			s.admit(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of descriptors, most likely: wait for some to be closed.
		s.log.Printf(Warning, "Accepting client connection: %v", err)
		time.Sleep(pause)
		pause = min(2*pause, time.Second)
	}
}

const protectedText = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
	"In this mode connections are only accepted from the loopback interface. " +
	"If you want to connect from external computers to Redis you may adopt one of the following solutions: " +
	"1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, " +
	"however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. " +
	"2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. " +
	"3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. " +
	"4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"

// admit turns a connection into a session, or refuses it.
func (s *Server) admit(nc net.Conn) {
	client := &command.Client{
		Addr: peerName(nc.RemoteAddr(), s), LocalAddr: peerName(nc.LocalAddr(), s), FD: descriptor(nc),
		Local: isLocal(nc), Created: time.Now().UnixMilli(),
	}
	stats := &s.env.Stats
	switch {
	case int64(s.env.Clients.Len()) >= s.settings.Int("maxclients"):
		stats.RejectedConnections.Add(1)
		refuse(nc, "-ERR max number of clients reached\r\n")
		return
	case !client.Local && s.settings.Bool("protected-mode") && s.env.ACL.DefaultNeedsNoPassword():
		stats.RejectedConnections.Add(1)
		refuse(nc, protectedText)
		return
	}
	stats.Connections.Add(1)
	s.tune(nc)
	if s.loop != nil && s.loop.take(nc, client) {
		return
	}
	c := newConn(s, nc, client)
	if !s.remember(c) { // the server is going down
		nc.Close()
		return
	}
	s.env.Clients.Add(client, s.env)
	s.log.Printf(Verbose, "Accepted %s", client.Addr)
	go c.serve()
}

// refuse sends what fits at once: a client that does not read must not hold up the others.
func refuse(nc net.Conn, text string) {
	_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = nc.Write([]byte(text))
	nc.Close()
}

func (s *Server) tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	if seconds := s.settings.Int("tcp-keepalive"); seconds > 0 {
		idle := time.Duration(seconds) * time.Second
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: max(idle/3, time.Second), Count: 3})
	}
}

func peerName(a net.Addr, s *Server) string {
	if _, ok := a.(*net.UnixAddr); ok {
		return s.settings.Path("unixsocket") + ":0"
	}
	return a.String()
}

func isLocal(nc net.Conn) bool {
	switch a := nc.RemoteAddr().(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}

func descriptor(nc net.Conn) int {
	fd := -1
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(n uintptr) { fd = int(n) })
		}
	}
	return fd
}

// relisten moves the TCP sockets to other addresses or another port; the old ones
// stay until the new ones are open.
func (s *Server) relisten(addresses []string, port int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errors.New("the server is shutting down")
	}
	if s.boundTo == bindKey(addresses, port) {
		return nil
	}
	if port == s.boundPort() { // the same port cannot be bound twice
		closeAll(s.tcp)
		s.tcp, s.boundTo = nil, "" // what is put back after an error has to be bound again
	}
	open, err := s.listen(addresses, port)
	if err != nil {
		return err
	}
	closeAll(s.tcp)
	s.tcp, s.boundTo = open, bindKey(addresses, port)
	for _, l := range open {
		s.accepting.Add(1)
		go s.accept(l)
	}
	return nil
}

func bindKey(addresses []string, port int) string { return fmt.Sprint(addresses, port) }

func (s *Server) boundPort() int {
	if len(s.tcp) == 0 {
		return 0
	}
	return s.tcp[0].Addr().(*net.TCPAddr).Port
}
