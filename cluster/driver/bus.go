package driver

import (
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// busConfig is what the bus needs of its driver. The functions may be called
// from any goroutine; deliver may block while the inbox is full.
type busConfig struct {
	secret      []byte
	trustRemote bool // without a secret, talk to other hosts all the same
	bulkLimit   int  // bytes of casts that may wait for a peer; 0: default

	me      func() identity
	healthy func() bool // the machine is being stepped: a ping may be answered
	deliver func(cluster.Event)
	stream  func(from cluster.ID, header []byte, conn net.Conn)
	cast    func(from cluster.ID, kind byte, body []byte)
	logf    func(level byte, format string, args ...any)
}

// bus is every connection of this node with other nodes, gossip apart.
type bus struct {
	conf busConfig
	wg   sync.WaitGroup
	done chan struct{}
	cut  atomic.Pointer[cut] // who is out of reach, for tests

	mu      sync.Mutex
	closed  bool
	links   map[cluster.ID]*link // by peer
	guests  map[string]*link     // handshakes, by address
	inbound map[*inbound]struct{}
	streams map[*streamConn]struct{} // given away and not yet closed
	refused map[string]time.Time     // addresses whose refusal was logged, and when

	tokens atomic.Uint64
	counts counts
}

func newBus(conf busConfig) *bus {
	return &bus{
		conf: conf, done: make(chan struct{}),
		links: map[cluster.ID]*link{}, guests: map[string]*link{},
		inbound: map[*inbound]struct{}{}, streams: map[*streamConn]struct{}{}, refused: map[string]time.Time{},
	}
}

func busAddr(a cluster.Addr) string { return net.JoinHostPort(a.IP, strconv.Itoa(int(a.BusPort))) }

// deliver hands an event to the machine, unless the bus is closing.
func (b *bus) deliver(e cluster.Event) {
	select {
	case <-b.done:
	default:
		b.conf.deliver(e)
	}
}

// send queues a message. It never blocks; what cannot be delivered is dropped.
func (b *bus) send(to cluster.ID, addr cluster.Addr, m *cluster.Message) {
	if l := b.linkTo(to, addr); l != nil {
		b.counts.sent[sortOf(m.Body)].Add(1)
		l.q.put(appendFrame(nil, frameMessage, wire.Append(nil, m)))
	}
}

// cast queues a publication for a known peer; false when it was dropped.
func (b *bus) cast(to cluster.ID, addr cluster.Addr, kind byte, body []byte) bool {
	l := b.linkTo(to, addr)
	b.counts.sent[sortPublish].Add(1)
	return l != nil && l.q.putBulk(appendFrame(nil, frameCast, []byte{kind}, body))
}

// linkTo returns the link to a peer at its address of now, making it if need be.
func (b *bus) linkTo(to cluster.ID, a cluster.Addr) *link {
	if a.IP == "" || a.BusPort == 0 {
		return nil
	}
	addr := busAddr(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	if to.IsZero() {
		l := b.guests[addr]
		if l == nil {
			b.sweepGuests()
			l = b.newLink(to, addr)
			b.guests[addr] = l
		}
		return l
	}
	l := b.links[to]
	if l != nil && l.addr != addr {
		l.close()
		l = nil
	}
	if l == nil {
		l = b.newLink(to, addr)
		b.links[to] = l
	}
	return l
}

// sweepGuests ends the handshake links that are not connected, once there are
// many. Called with mu held.
func (b *bus) sweepGuests() {
	if len(b.guests) < 64 {
		return
	}
	for addr, l := range b.guests {
		if !l.isUp() {
			l.close()
			delete(b.guests, addr)
		}
	}
}

// peer is a node of the table, with its address.
type peer struct {
	id   cluster.ID
	addr cluster.Addr
}

// setStanding keeps connections to these peers open at all times, so that the
// death of one is noticed as it happens. Links to others close when they idle:
// a forgotten node may still be an elector, and then is spoken to.
func (b *bus) setStanding(peers []peer) {
	standing := map[cluster.ID]bool{}
	for _, p := range peers {
		if l := b.linkTo(p.id, p.addr); l != nil {
			l.setStanding(true)
			standing[p.id] = true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, l := range b.links {
		if standing[id] {
			continue
		}
		l.setStanding(false)
		if _, empty := l.q.waiting(); empty && !l.isUp() {
			l.close()
			delete(b.links, id)
		}
	}
}

// disconnect closes the connections with a node, both ways.
func (b *bus) disconnect(id cluster.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.links[id]; l != nil {
		l.close()
		delete(b.links, id)
	}
	for in := range b.inbound {
		if in.from.id == id {
			_ = in.conn.Close()
		}
	}
	b.endStreams(func(peer cluster.ID) bool { return peer == id })
}

// disconnectAll closes every connection: this node is another one from now on.
func (b *bus) disconnectAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, l := range b.links {
		l.close()
		delete(b.links, id)
	}
	for addr, l := range b.guests {
		l.close()
		delete(b.guests, addr)
	}
	for in := range b.inbound {
		_ = in.conn.Close()
	}
	b.endStreams(func(cluster.ID) bool { return true })
}

// close ends all connections and waits for their goroutines, those of stream
// handlers excepted.
func (b *bus) close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	close(b.done)
	b.mu.Unlock()
	b.disconnectAll()
	b.wg.Wait()
}

var errUntrusted = errors.New("without cluster-secret the bus talks to loopback addresses only")

// trusted reports whether we may talk to a host, over the bus or by gossip: with
// a secret each proves itself, without one only this machine is believed, unless
// the operator said otherwise.
func (b *bus) trusted(ip net.IP) bool {
	return len(b.conf.secret) > 0 || b.conf.trustRemote || ip.IsLoopback()
}

func (b *bus) dial(addr string, timeout time.Duration) (net.Conn, identity, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, identity{}, err
	}
	if ip := net.ParseIP(host); ip != nil && !b.trusted(ip) {
		return nil, identity{}, errUntrusted
	}
	if b.isCut(addr) {
		return nil, identity{}, errCut
	}
	return dialBus(addr, timeout, b.conf.me(), b.conf.secret)
}

// probe looks at a peer once: over the open connection if there is one, and by
// a fresh one if there is none or it breaks, for a connection that breaks tells
// nothing but a refused one tells that no process listens. It blocks for at
// most timeout.
func (b *bus) probe(target cluster.ID, a cluster.Addr, timeout time.Duration) cluster.Outcome {
	deadline := time.Now().Add(timeout)
	b.mu.Lock()
	l := b.links[target]
	b.mu.Unlock()
	if l != nil && l.addr == busAddr(a) {
		token := b.tokens.Add(1)
		if answer := l.ping(token); answer != nil {
			defer l.forgetPing(token)
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			select {
			case p, ok := <-answer:
				if ok {
					return sameNode(p.id, target)
				}
			case <-timer.C:
				return cluster.ProbeTimeout
			case <-b.done:
				return cluster.ProbeTimeout
			}
		}
	}
	conn, them, err := b.dial(busAddr(a), max(time.Until(deadline), time.Millisecond))
	switch {
	case err == nil:
		_ = conn.Close()
		if l != nil {
			select {
			case l.kick <- struct{}{}: // it is there: connect again now
			default:
			}
		}
		return sameNode(them.id, target)
	case errors.Is(err, syscall.ECONNREFUSED):
		return cluster.ProbeRefused
	}
	b.noteRefusal(busAddr(a), err)
	return cluster.ProbeTimeout
}

func sameNode(got, want cluster.ID) cluster.Outcome {
	if got == want {
		return cluster.ProbeOK
	}
	return cluster.ProbeOther
}

// noteRefusal logs, once a minute and address, that a peer or we ourselves
// will not talk: an operator's mistake, unlike a node that is down.
func (b *bus) noteRefusal(addr string, err error) {
	var r *refusedError
	if !errors.As(err, &r) && !errors.Is(err, errSecret) && !errors.Is(err, errUntrusted) {
		return
	}
	b.mu.Lock()
	last, known := b.refused[addr]
	now := time.Now()
	quiet := known && now.Sub(last) < time.Minute
	if !quiet {
		if len(b.refused) > 1024 {
			clear(b.refused)
		}
		b.refused[addr] = now
	}
	b.mu.Unlock()
	if !quiet {
		b.conf.logf('#', "Cluster bus with %s: %v", addr, err)
	}
}

func appendPing(token uint64) []byte {
	var body [8]byte
	binary.BigEndian.PutUint64(body[:], token)
	return appendFrame(nil, framePing, body[:])
}

// linkInfo is one entry of CLUSTER LINKS.
type linkInfo struct {
	to        bool // we speak on it
	id        cluster.ID
	since     time.Time
	allocated int
	used      int
}

func (b *bus) list() []linkInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []linkInfo
	for id, l := range b.links {
		l.mu.Lock()
		up, since := l.conn != nil, l.since
		l.mu.Unlock()
		if up {
			bytes, _ := l.q.waiting()
			out = append(out, linkInfo{to: true, id: id, since: since, allocated: bytes, used: bytes})
		}
	}
	for in := range b.inbound {
		out = append(out, linkInfo{id: in.from.id, since: in.since})
	}
	return out
}
