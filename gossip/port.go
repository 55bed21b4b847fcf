package gossip

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// firstByte opens every memberlist stream: the type byte of its label header.
// All our memberlists carry a label, so it tells gossip from the caller's
// protocol on the shared TCP port.
const firstByte = 244

const (
	sniffTimeout  = 5 * time.Second // a connection that sends nothing is closed
	sniffLimit    = 1024            // connections waiting for their first byte; more are closed
	udpReadBuffer = 2 << 20         // asked of the kernel, best effort
	udpPacketSize = 65536
)

// Port is the bus port of a process: on every bind address one UDP socket and
// one TCP listener with the same number. It outlives any one membership, so
// that a reset does not close the door on the caller's own connections.
// All methods may be called from any goroutine.
type Port struct {
	number  int
	tcp     []*net.TCPListener
	udp     []*net.UDPConn
	rpcByte byte
	rpc     func(net.Conn)

	current  atomic.Pointer[transport] // the running membership, nil when none
	sniffing atomic.Int64
	closed   atomic.Bool
	wg       sync.WaitGroup

	cut     atomic.Pointer[func(addr string) bool] // see Cut
	trusted atomic.Pointer[func(net.IP) bool]      // see Trust
}

// Listen opens the bus port on every address of addrs (IP literals; "" is
// every interface). Port number 0 takes a free one. A TCP connection whose
// first byte is rpcByte is handed, that byte consumed and no deadline set, to
// rpc in a goroutine of its own; any other that is not gossip is closed.
// The error wraps the operating system's (a port in use is syscall.EADDRINUSE).
func Listen(addrs []string, number int, rpcByte byte, rpc func(net.Conn)) (*Port, error) {
	if rpcByte == firstByte {
		panic("gossip: the RPC byte is gossip's own")
	}
	if len(addrs) == 0 {
		addrs = []string{""}
	}
	tries := 1
	if number == 0 {
		tries = 20 // the free TCP port we were given may be taken in UDP
	}
	var p *Port
	var err error
	for range tries {
		p = &Port{rpcByte: rpcByte, rpc: rpc}
		if err = p.bind(addrs, number); err == nil {
			break
		}
		p.closeSockets()
	}
	if err != nil {
		return nil, err
	}
	for _, l := range p.tcp {
		p.wg.Go(func() { p.accept(l) })
	}
	for _, c := range p.udp {
		p.wg.Go(func() { p.receive(c) })
	}
	return p, nil
}

func (p *Port) bind(addrs []string, number int) error {
	p.number = number
	for _, a := range addrs {
		var ip net.IP
		family := "" // of an empty address: both
		if a != "" {
			if ip = net.ParseIP(a); ip == nil {
				return fmt.Errorf("gossip: %q is not an IP address", a)
			}
			family = "6" // and not IPv4 through it, that may have a socket of its own
			if ip.To4() != nil {
				family = "4"
			}
		}
		l, err := net.ListenTCP("tcp"+family, &net.TCPAddr{IP: ip, Port: p.number})
		if err != nil {
			return err
		}
		p.tcp = append(p.tcp, l)
		p.number = l.Addr().(*net.TCPAddr).Port
		c, err := net.ListenUDP("udp"+family, &net.UDPAddr{IP: ip, Port: p.number})
		if err != nil {
			return err
		}
		_ = c.SetReadBuffer(udpReadBuffer)
		p.udp = append(p.udp, c)
	}
	return nil
}

// Number is the port number that was bound.
func (p *Port) Number() int { return p.number }

// Close closes the sockets and waits for the goroutines that read them.
// Connections already handed to rpc are the caller's to close.
func (p *Port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.closeSockets()
	p.wg.Wait()
	return nil
}

func (p *Port) closeSockets() {
	for _, l := range p.tcp {
		_ = l.Close()
	}
	for _, c := range p.udp {
		_ = c.Close()
	}
}

func (p *Port) accept(l *net.TCPListener) {
	var delay time.Duration
	for {
		conn, err := l.Accept()
		if err != nil {
			if p.closed.Load() || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: wait, do not spin.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			time.Sleep(delay)
			continue
		}
		delay = 0
		if p.sniffing.Add(1) > sniffLimit {
			p.sniffing.Add(-1)
			_ = conn.Close()
			continue
		}
		go p.sniff(conn)
	}
}

// sniff reads the first byte and hands the connection to its owner.
func (p *Port) sniff(conn net.Conn) {
	var first [1]byte
	_ = conn.SetReadDeadline(time.Now().Add(sniffTimeout))
	_, err := io.ReadFull(conn, first[:])
	p.sniffing.Add(-1)
	_ = conn.SetReadDeadline(time.Time{})
	switch {
	case err != nil || p.closed.Load():
		_ = conn.Close()
	case first[0] == p.rpcByte:
		p.rpc(conn)
	case first[0] == firstByte && p.trusts(conn.RemoteAddr().String()):
		if t := p.current.Load(); t == nil || !t.takeStream(&unreadConn{Conn: conn, first: first[0], pending: true}) {
			_ = conn.Close()
		}
	default:
		_ = conn.Close()
	}
}

func (p *Port) receive(c *net.UDPConn) {
	buf := make([]byte, udpPacketSize)
	for {
		n, from, err := c.ReadFromUDP(buf)
		if err != nil {
			if p.closed.Load() || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier send; the socket lives
		}
		if t := p.current.Load(); n > 0 && t != nil && !p.isCut(from.String()) && p.trusts(from.String()) {
			t.takePacket(append([]byte(nil), buf[:n]...), from, time.Now())
		}
	}
}

// send writes one packet from the socket that can reach addr.
func (p *Port) send(b []byte, addr string) error {
	if p.isCut(addr) {
		return nil // lost in the network: the sender cannot know
	}
	if !p.trusts(addr) {
		return errUntrusted
	}
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return err
	}
	_, err = p.socketFor(to.IP).WriteToUDP(b, to)
	return err
}

// socketFor prefers a socket bound to every address, then one of the same
// family and the same side of the loopback divide.
func (p *Port) socketFor(to net.IP) *net.UDPConn {
	for _, c := range p.udp {
		ip := c.LocalAddr().(*net.UDPAddr).IP
		if ip.IsUnspecified() && (ip.To4() == nil || to.To4() != nil) {
			return c
		}
		if ip.IsLoopback() == to.IsLoopback() && (ip.To4() == nil) == (to.To4() == nil) {
			return c
		}
	}
	return p.udp[0]
}

var errUntrusted = errors.New("gossip: not a trusted host")

func (p *Port) dial(addr string, timeout time.Duration) (net.Conn, error) {
	if p.isCut(addr) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("cut")}
	}
	if !p.trusts(addr) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errUntrusted}
	}
	return net.DialTimeout("tcp", addr, timeout)
}

// Trust limits gossip to hosts for which trusted is true: what others send is
// dropped unread, and nothing is sent to them. The caller's own connections are
// the caller's to judge. To be called before the first membership starts; without
// it all hosts are trusted.
func (p *Port) Trust(trusted func(net.IP) bool) { p.trusted.Store(&trusted) }

// trusts judges an address as Dial and RemoteAddr write it.
func (p *Port) trusts(addr string) bool {
	f := p.trusted.Load()
	if f == nil {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (*f)(net.ParseIP(host))
}

// Cut drops packets to and from the addresses for which out is true, and refuses
// to dial them, until the next Cut; nil lifts it. For tests of partitions.
func (p *Port) Cut(out func(addr string) bool) {
	if out == nil {
		p.cut.Store(nil)
		return
	}
	p.cut.Store(&out)
}

func (p *Port) isCut(addr string) bool {
	f := p.cut.Load()
	return f != nil && (*f)(addr)
}

// unreadConn gives the sniffed byte back to the first reader.
type unreadConn struct {
	net.Conn
	first   byte
	pending bool
}

func (c *unreadConn) Read(b []byte) (int, error) {
	if c.pending && len(b) > 0 {
		b[0], c.pending = c.first, false
		return 1, nil
	}
	return c.Conn.Read(b)
}

// hostPort joins without resolving.
func hostPort(ip net.IP, port int) string {
	return net.JoinHostPort(ip.String(), strconv.Itoa(port))
}
