package driver

import (
	"net"
	"sync"

	"cobble/cluster"
)

// Cut makes the network towards these nodes as if broken: nothing is sent to
// them and nothing of theirs is heard, over the bus, its streams and gossip, until
// the next Cut; without nodes it is whole again. For tests of partitions; a cut
// should be made on both sides, as gossip's own connections are recognized by
// the address they are made to only.
func (d *Driver) Cut(nodes []cluster.ID) {
	ids, addrs := map[cluster.ID]bool{}, map[string]bool{}
	for _, id := range nodes {
		ids[id] = true
		if n := d.View().Node(id); n != nil {
			addrs[busAddr(n.Addr)] = true
		}
	}
	d.bus.cut.Store(&cut{ids, addrs})
	d.port.Cut(func(addr string) bool { return addrs[addr] })
	for _, id := range nodes {
		d.bus.disconnect(id)
	}
}

// cut is who is out of reach.
type cut struct {
	ids   map[cluster.ID]bool
	addrs map[string]bool
}

func (b *bus) isCut(addr string) bool {
	c := b.cut.Load()
	return c != nil && c.addrs[addr]
}

func (b *bus) isCutFrom(id cluster.ID) bool {
	c := b.cut.Load()
	return c != nil && c.ids[id]
}

// streamConn is a connection that was given away, and still ends with its peer's.
type streamConn struct {
	*net.TCPConn
	bus  *bus
	peer cluster.ID
	once sync.Once
}

// giveAway hands a connection to the user of a stream.
func (b *bus) giveAway(conn net.Conn, peer cluster.ID) net.Conn {
	tcp, is := conn.(*net.TCPConn)
	if !is {
		return conn
	}
	s := &streamConn{TCPConn: tcp, bus: b, peer: peer}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = tcp.Close()
		return s
	}
	b.streams[s] = struct{}{}
	return s
}

// Close closes the connection; it may be called more than once.
func (s *streamConn) Close() error {
	s.once.Do(func() {
		s.bus.mu.Lock()
		delete(s.bus.streams, s)
		s.bus.mu.Unlock()
	})
	return s.TCPConn.Close()
}

// endStreams closes streams with a peer, or all; their users see them break.
// Called with mu held.
func (b *bus) endStreams(with func(cluster.ID) bool) {
	for s := range b.streams {
		if with(s.peer) {
			_ = s.TCPConn.Close()
		}
	}
}
