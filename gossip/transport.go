package gossip

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport lends the bus port to one memberlist. It is detached, not closed,
// when that memberlist stops.
type transport struct {
	port    *Port
	ip      net.IP
	number  int
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func (p *Port) attach(ip net.IP, number int) *transport {
	t := &transport{
		port: p, ip: ip, number: number,
		packets: make(chan *memberlist.Packet, 64),
		streams: make(chan net.Conn, 16),
		done:    make(chan struct{}),
	}
	p.current.Store(t)
	return t
}

// takePacket and takeStream run in the port's goroutines and never outlive
// the membership: after Shutdown they drop.
func (t *transport) takePacket(b []byte, from net.Addr, at time.Time) {
	select {
	case t.packets <- &memberlist.Packet{Buf: b, From: from, Timestamp: at}:
	case <-t.done:
	}
}

func (t *transport) takeStream(c net.Conn) bool {
	select {
	case t.streams <- c:
		return true
	case <-t.done:
		return false
	}
}

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.ip, t.number, nil
}

func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	err := t.port.send(b, addr)
	return time.Now(), err
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.port.dial(addr, timeout)
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.port.dial(a.Addr, timeout)
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.streams }

func (t *transport) Shutdown() error {
	t.once.Do(func() {
		close(t.done)
		t.port.current.CompareAndSwap(t, nil)
	})
	return nil
}
