package gossip

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var loopback = net.IPv4(127, 0, 0, 1)

// patience bounds every wait; the tests assert conditions, not times.
const patience = 3 * time.Minute

func id(n int) string { return fmt.Sprintf("%040x", n+1) }

// node is one member under test, with the table a driver would keep.
type node struct {
	t    *testing.T
	id   string
	port *Port
	g    *Gossip
	rpc  chan net.Conn

	mu       sync.Mutex
	known    map[string]bool
	up       map[string]bool // by id, from hints only
	boots    map[string]uint64
	payloads []string
	taken    chan struct{}
	stop     chan struct{}
}

func newNode(t *testing.T, n int) *node {
	t.Helper()
	nd := &node{t: t, id: id(n), rpc: make(chan net.Conn, 4), known: map[string]bool{}}
	p, err := Listen([]string{"127.0.0.1"}, 0, 'C', func(c net.Conn) { nd.rpc <- c })
	if err != nil {
		t.Fatal(err)
	}
	nd.port = p
	t.Cleanup(func() { nd.halt(0); p.Close() })
	return nd
}

// start begins boot; quick settings, since the tests wait for detection.
func (nd *node) start(boot uint64, change ...func(*Config)) {
	nd.t.Helper()
	c := Config{
		Port: nd.port, Self: Member{nd.id, boot}, IP: loopback, Number: nd.port.Number(),
		Meta: []byte("meta of " + nd.id[36:]),
		Admit: func(m Member) error {
			nd.mu.Lock()
			defer nd.mu.Unlock()
			if !nd.known[m.ID] {
				return errors.New("unknown node")
			}
			return nil
		},
		ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond,
		GossipInterval: 20 * time.Millisecond, ToTheDead: 200 * time.Millisecond,
		RejoinInterval: 100 * time.Millisecond, RejoinMax: 400 * time.Millisecond,
	}
	for _, f := range change {
		f(&c)
	}
	g, err := Start(c)
	if err != nil {
		nd.t.Fatal(err)
	}
	nd.g, nd.taken, nd.stop = g, make(chan struct{}), make(chan struct{})
	nd.mu.Lock()
	nd.up, nd.boots = map[string]bool{}, map[string]uint64{}
	nd.mu.Unlock()
	go nd.take(g, nd.taken, nd.stop)
}

func (nd *node) take(g *Gossip, taken, stop chan struct{}) {
	defer close(taken)
	for {
		select {
		case <-g.Wait():
		case <-stop:
			return
		}
		hints, payloads := g.Take()
		nd.mu.Lock()
		for _, h := range hints {
			nd.up[h.Member.ID] = h.Up
			nd.boots[h.Member.ID] = h.Member.Boot
		}
		for _, p := range payloads {
			nd.payloads = append(nd.payloads, string(p))
		}
		nd.mu.Unlock()
	}
}

func (nd *node) halt(leave time.Duration) {
	if nd.g == nil {
		return
	}
	nd.g.Stop(leave)
	close(nd.stop)
	<-nd.taken
	nd.g = nil
}

func (nd *node) sees(other *node) bool {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	return nd.up[other.id]
}

func (nd *node) bootOf(other *node) uint64 {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	return nd.boots[other.id]
}

func (nd *node) got(payload string) bool {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	return slices.Contains(nd.payloads, payload)
}

// meet writes each node into the table of every other.
func meet(nodes []*node) {
	for _, a := range nodes {
		var peers []Peer
		a.mu.Lock()
		for _, b := range nodes {
			if a != b {
				a.known[b.id] = true
				peers = append(peers, Peer{b.id, loopback, b.port.Number()})
			}
		}
		a.mu.Unlock()
		if a.g != nil {
			a.g.SetPeers(peers)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func allSee(nodes []*node, want func(a, b *node) bool) func() bool {
	return func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && a.sees(b) != want(a, b) {
					return false
				}
			}
		}
		return true
	}
}

func everybody(a, b *node) bool { return true }

func cluster(t *testing.T, n int) []*node {
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = newNode(t, i)
		nodes[i].start(1)
	}
	meet(nodes)
	eventually(t, "everybody sees everybody", allSee(nodes, everybody))
	return nodes
}

func TestSixConvergeAndCarryPayloads(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 6)
	// A rumour is sent a few times and may be lost every time; whoever means it says it again.
	tell := repeat(t, func() {
		for i, nd := range nodes {
			if err := nd.g.Broadcast("k", []byte(fmt.Sprint("fact ", i))); err != nil {
				t.Error(err)
			}
		}
	})
	eventually(t, "every payload is everywhere", func() bool {
		tell()
		for _, a := range nodes {
			for i, b := range nodes {
				if a != b && !a.got(fmt.Sprint("fact ", i)) {
					return false
				}
			}
		}
		return true
	})
	if err := nodes[0].g.Broadcast("", make([]byte, MaxBroadcast+1)); err != ErrTooLarge {
		t.Fatalf("oversized broadcast: %v", err)
	}
	big := strings.Repeat("x", MaxBroadcast)
	tell = repeat(t, func() {
		if err := nodes[0].g.Broadcast("k", []byte(big)); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the largest payload travels", func() bool { tell(); return nodes[5].got(big) })
}

// repeat returns a function that calls f the first time, and again when two seconds have passed since it last did.
func repeat(t *testing.T, f func()) func() {
	var last time.Time
	return func() {
		t.Helper()
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			f()
		}
	}
}

func TestDeadNodeIsHintedAndNewBootAccepted(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4)
	dead := nodes[3]
	dead.halt(0)
	eventually(t, "the others are told it is gone", func() bool {
		return !nodes[0].sees(dead) && !nodes[1].sees(dead) && !nodes[2].sees(dead)
	})
	// The same id comes back on another port: an address change of a name
	// SWIM knows would be refused.
	back := newNode(t, 3)
	nodes[3] = back
	meet(nodes)
	back.start(2)
	meet(nodes)
	eventually(t, "the new boot is seen", allSee(nodes, everybody))
	if b := nodes[0].bootOf(back); b != 2 {
		t.Fatalf("boot %d, want 2", b)
	}
}

func TestLeaveAndRestartOnTheSamePort(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	nodes[2].halt(time.Second)
	eventually(t, "it left", func() bool { return !nodes[0].sees(nodes[2]) && !nodes[1].sees(nodes[2]) })
	nodes[2].start(2)
	meet(nodes)
	eventually(t, "it is back", allSee(nodes, everybody))
}

// A cut longer than suspicion and gossip to the dead leaves memberlist split
// for ever; the rejoin loop must mend it.
func TestLongPartitionHeals(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 6)
	side := func(n *node) bool { return n == nodes[0] || n == nodes[1] || n == nodes[2] }
	for _, a := range nodes {
		far := map[string]bool{}
		for _, b := range nodes {
			if side(a) != side(b) {
				far[hostPort(loopback, b.port.Number())] = true
			}
		}
		a.port.Cut(func(addr string) bool { return far[addr] })
	}
	eventually(t, "each side sees only itself", allSee(nodes, func(a, b *node) bool { return side(a) == side(b) }))
	// Gossip to the dead must have ended too, or that would do the mending.
	time.Sleep(300 * time.Millisecond)
	for _, a := range nodes {
		a.port.Cut(nil)
	}
	eventually(t, "whole again", allSee(nodes, everybody))
}

// Two clusters and one node that knows both must not merge.
func TestStrangersAreNotAdmitted(t *testing.T) {
	t.Parallel()
	left, right := cluster(t, 2), []*node{newNode(t, 10), newNode(t, 11)}
	right[0].start(1)
	right[1].start(1)
	meet(right)
	eventually(t, "right side whole", allSee(right, everybody))
	// left[0] and right[0] know each other; left[1] and right[1] know nobody new.
	for _, p := range [][2]*node{{left[0], right[0]}, {right[0], left[0]}} {
		p[0].mu.Lock()
		p[0].known[p[1].id] = true
		p[0].mu.Unlock()
		p[0].g.SetPeers([]Peer{{p[1].id, loopback, p[1].port.Number()}})
	}
	eventually(t, "the two that know each other meet", func() bool {
		return left[0].sees(right[0]) && right[0].sees(left[0])
	})
	// A broadcast now reaches the far side's friend only through members; that
	// it does shows gossip has had time to carry the membership too.
	tell := repeat(t, func() { _ = left[1].g.Broadcast("k", []byte("passed on")) })
	eventually(t, "gossip flows within the left", func() bool { tell(); return left[0].got("passed on") })
	if left[1].sees(right[0]) || left[1].sees(right[1]) || left[0].sees(right[1]) || right[1].sees(left[0]) {
		t.Fatal("a join merged nodes that no table holds")
	}
}

func TestSecretKeepsOthersOut(t *testing.T) {
	t.Parallel()
	secret := func(s string) func(*Config) { return func(c *Config) { c.Secret = []byte(s) } }
	var warned atomic.Bool
	a, b, c := newNode(t, 0), newNode(t, 1), newNode(t, 2)
	a.start(1, secret("one"))
	b.start(1, secret("one"))
	c.start(1, secret("two"), func(c *Config) {
		c.Logf = func(level, line string) { warned.Store(true) }
	})
	meet([]*node{a, b, c})
	eventually(t, "same secret", func() bool { return a.sees(b) && b.sees(a) })
	eventually(t, "the stranger is refused aloud", warned.Load)
	if a.sees(c) || c.sees(a) {
		t.Fatal("admitted with another secret")
	}
}

func TestPortSharesTCPByFirstByte(t *testing.T) {
	t.Parallel()
	nd := newNode(t, 0)
	addr := hostPort(loopback, nd.port.Number())
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("Chello")); err != nil {
		t.Fatal(err)
	}
	in := <-nd.rpc
	defer in.Close()
	buf := make([]byte, 5)
	if _, err := in.Read(buf); err != nil || string(buf) != "hello" {
		t.Fatalf("%q %v", buf, err)
	}
	other, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, _ = other.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	_ = other.SetReadDeadline(time.Now().Add(patience))
	if _, err := other.Read(buf); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a stranger's connection was not closed: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	nd := newNode(t, 0)
	_, err := Listen([]string{"127.0.0.1"}, nd.port.Number(), 'C', nil)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
}

func TestMemberName(t *testing.T) {
	m := Member{id(7), 42}
	if got, err := ParseMember(m.String()); err != nil || got != m {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range []string{"", "x", id(1), id(1) + ".", id(1) + ".-1", id(1) + ".01", strings.ToUpper(id(10)) + ".1", id(1)[1:] + ".1"} {
		if _, err := ParseMember(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A late rumour about a boot that has been replaced must not speak for the
// node, and the newest rumour replaces the ones not yet taken.
func TestHintsOfOldBootsAreDropped(t *testing.T) {
	b := newInbox()
	n := func(boot uint64) *memberNode { return fakeNode(Member{id(1), boot}) }
	b.note(n(1), true)
	b.note(n(2), true)
	b.note(n(1), false)
	hints, _ := b.take()
	if len(hints) != 1 || !hints[0].Up || hints[0].Member.Boot != 2 || !b.isUp(id(1)) {
		t.Fatalf("%+v", hints)
	}
	b.note(n(2), false)
	if hints, _ = b.take(); len(hints) != 1 || hints[0].Up || b.isUp(id(1)) {
		t.Fatalf("%+v", hints)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	b := newInbox()
	for i := range messageLimit + 3 {
		b.put([]byte{byte(i), byte(i >> 8)})
	}
	_, m := b.take()
	if len(m) != messageLimit || b.dropped != 3 || m[0][0] != 3 {
		t.Fatalf("%d kept, %d dropped, first %v", len(m), b.dropped, m[0])
	}
}

func TestEchoesAreDroppedAndRepeatsAreNot(t *testing.T) {
	s, now := newSeen(), time.Unix(1000, 0)
	if !s.first([]byte("a"), now) || s.first([]byte("a"), now) || !s.first([]byte("b"), now) {
		t.Fatal("echo taken or news dropped")
	}
	if s.first([]byte("a"), now.Add(seenSpan)) {
		t.Fatal("forgotten within a span")
	}
	if !s.first([]byte("a"), now.Add(3*seenSpan)) {
		t.Fatal("a later announcement was dropped")
	}
}

// Without a shared secret only some hosts are believed: packets and streams of
// others are dropped, and nothing is sent to them.
func TestPortDropsWhomItDoesNotTrust(t *testing.T) {
	t.Parallel()
	nd := newNode(t, 0)
	stranger := net.IPv4(127, 0, 0, 2)
	nd.port.Trust(func(ip net.IP) bool { return !ip.Equal(stranger) })
	tr := nd.port.attach(loopback, nd.port.Number())
	defer tr.Shutdown()
	addr := hostPort(loopback, nd.port.Number())
	for _, from := range []net.IP{stranger, loopback} { // in this order: what arrives first is the friend's
		u, err := net.DialUDP("udp4", &net.UDPAddr{IP: from}, &net.UDPAddr{IP: loopback, Port: nd.port.Number()})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		if _, err := u.Write([]byte(from.String())); err != nil {
			t.Fatal(err)
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		c, err := d.Dial("tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte{firstByte}); err != nil {
			t.Fatal(err)
		}
		if from.Equal(stranger) {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("a stranger's stream is not closed: %v", err)
			}
		}
	}
	if p := <-tr.packets; string(p.Buf) != loopback.String() {
		t.Errorf("took a packet of %s", p.Buf)
	}
	if c := <-tr.streams; !strings.HasPrefix(c.RemoteAddr().String(), loopback.String()+":") {
		t.Errorf("took a stream of %v", c.RemoteAddr())
	}
	if err := nd.port.send([]byte("x"), "127.0.0.2:1"); !errors.Is(err, errUntrusted) {
		t.Errorf("a packet to a stranger: %v", err)
	}
	if _, err := nd.port.dial("127.0.0.2:1", time.Second); !errors.Is(err, errUntrusted) {
		t.Errorf("a stream to a stranger: %v", err)
	}
}
