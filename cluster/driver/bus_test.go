package driver

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/cluster"
	"cobble/gossip"
	"cobble/tests/proc"
)

// station is a bus with a port and a book of what it delivers.
type station struct {
	*bus
	id   cluster.ID
	port *gossip.Port

	sick  atomic.Bool
	mu    sync.Mutex
	heard []cluster.Event
	casts []string
	lines []string
}

func newStation(t *testing.T, number byte, port int, change ...func(*busConfig)) *station {
	t.Helper()
	s := &station{}
	s.id[0] = number
	c := busConfig{
		me:      func() identity { return identity{s.id, 1} },
		healthy: func() bool { return !s.sick.Load() },
		deliver: func(e cluster.Event) { s.mu.Lock(); s.heard = append(s.heard, e); s.mu.Unlock() },
		cast: func(_ cluster.ID, kind byte, body []byte) {
			s.mu.Lock()
			s.casts = append(s.casts, string(kind)+string(body))
			s.mu.Unlock()
		},
		stream: func(_ cluster.ID, header []byte, conn net.Conn) {
			_, _ = conn.Write(append([]byte("got "), header...))
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		},
		logf: func(_ byte, format string, args ...any) {
			s.mu.Lock()
			s.lines = append(s.lines, format)
			for _, a := range args {
				if err, is := a.(error); is {
					s.lines = append(s.lines, err.Error())
				}
			}
			s.mu.Unlock()
		},
	}
	for _, f := range change {
		f(&c)
	}
	s.bus = newBus(c)
	p, err := gossip.Listen([]string{"127.0.0.1"}, port, rpcByte, s.bus.accept)
	if err != nil {
		t.Fatal(err)
	}
	s.port = p
	t.Cleanup(s.stop)
	return s
}

func (s *station) stop() {
	_ = s.port.Close()
	s.bus.close()
}

func (s *station) addr() cluster.Addr {
	return cluster.Addr{IP: "127.0.0.1", BusPort: uint16(s.port.Number())}
}

func (s *station) epochs() (out []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.heard {
		if r, is := e.(cluster.Receive); is {
			out = append(out, r.Msg.Epoch)
		}
	}
	return out
}

// links returns the reports about a peer, in order.
func (s *station) reports(id cluster.ID) (out []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.heard {
		if l, is := e.(cluster.Link); is && l.ID == id {
			out = append(out, l.Up)
		}
	}
	return out
}

func (s *station) logged(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.lines, "\n"), part)
}

func (s *station) message(epoch uint64) *cluster.Message {
	return &cluster.Message{From: s.id, Boot: 1, Epoch: epoch, Body: cluster.Verify{}}
}

func TestMessagesArriveInOrder(t *testing.T) {
	t.Parallel()
	a, b := newStation(t, 1, 0), newStation(t, 2, 0)
	const n = 500 // less than a queue holds
	for i := range uint64(n) {
		a.send(b.id, b.addr(), a.message(i))
	}
	eventually(t, "all are there", func() bool { return len(b.epochs()) == n })
	for i, e := range b.epochs() {
		if e != uint64(i) {
			t.Fatalf("message %d in place %d", e, i)
		}
	}
	b.mu.Lock()
	r := b.heard[0].(cluster.Receive)
	b.mu.Unlock()
	if r.RemoteIP != "127.0.0.1" || r.LocalIP != "127.0.0.1" {
		t.Fatalf("%+v", r)
	}
}

func TestProbeTellsHowTheNodeIs(t *testing.T) {
	t.Parallel()
	a, b := newStation(t, 1, 0), newStation(t, 2, 0)
	probe := func(want cluster.Outcome, timeout time.Duration, when string) {
		t.Helper()
		if got := a.probe(b.id, b.addr(), timeout); got != want {
			t.Fatalf("%s: outcome %d, want %d", when, got, want)
		}
	}
	probe(cluster.ProbeOK, patience, "no connection yet")
	a.setStanding([]peer{{b.id, b.addr()}})
	eventually(t, "the link is up", func() bool { r := a.reports(b.id); return len(r) == 1 && r[0] })
	probe(cluster.ProbeOK, patience, "over the open connection")
	if a.counts.sent[sortPing].Load() == 0 {
		t.Fatal("the open connection was not used")
	}
	var other cluster.ID
	other[0] = 9
	if got := a.probe(other, b.addr(), patience); got != cluster.ProbeOther {
		t.Fatalf("another node's address: %d", got)
	}
	b.sick.Store(true)
	probe(cluster.ProbeTimeout, 50*time.Millisecond, "a node that does not think")
	b.sick.Store(false)
	b.stop()
	eventually(t, "its death is reported", func() bool { r := a.reports(b.id); return len(r) >= 2 && !r[1] })
	probe(cluster.ProbeRefused, patience, "a dead process")
}

func TestStandingLinkComesBack(t *testing.T) {
	t.Parallel()
	port := proc.FreePort(t) // nobody takes it in between
	a, b := newStation(t, 1, 0), newStation(t, 2, port)
	a.setStanding([]peer{{b.id, b.addr()}})
	eventually(t, "up", func() bool { return len(a.reports(b.id)) == 1 })
	b.stop()
	eventually(t, "down", func() bool { return len(a.reports(b.id)) == 2 })
	b2 := newStation(t, 2, port)
	eventually(t, "up again", func() bool { r := a.reports(b.id); return len(r) == 3 && r[2] })
	a.send(b2.id, b2.addr(), a.message(7))
	eventually(t, "and used", func() bool { return len(b2.epochs()) == 1 })
}

func TestSomebodyElseAtTheAddress(t *testing.T) {
	t.Parallel()
	a, b := newStation(t, 1, 0), newStation(t, 2, 0)
	var gone cluster.ID
	gone[0] = 9
	a.send(gone, b.addr(), a.message(1))
	eventually(t, "reported as down", func() bool { r := a.reports(gone); return len(r) == 1 && !r[0] })
	if len(b.epochs()) != 0 {
		t.Fatal("the message went to another node")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	with := func(s string) func(*busConfig) { return func(c *busConfig) { c.secret = []byte(s) } }
	a, b, c := newStation(t, 1, 0, with("x")), newStation(t, 2, 0, with("x")), newStation(t, 3, 0)
	if got := a.probe(b.id, b.addr(), patience); got != cluster.ProbeOK {
		t.Fatalf("same secret: %d", got)
	}
	for _, pair := range [][2]*station{{a, c}, {c, a}} {
		if got := pair[0].probe(pair[1].id, pair[1].addr(), patience); got != cluster.ProbeTimeout {
			t.Fatalf("other secret: %d", got)
		}
		if !pair[0].logged(errSecret.Error()) {
			t.Fatal("nobody told the operator")
		}
	}
}

func TestRemoteHostsNeedASecret(t *testing.T) {
	b := newBus(busConfig{})
	if !b.trusted(net.IPv4(127, 0, 0, 1)) || b.trusted(net.IPv4(10, 0, 0, 1)) {
		t.Fatal("without a secret only loopback is trusted")
	}
	if _, _, err := b.dial("10.0.0.1:7000", time.Second); !errors.Is(err, errUntrusted) {
		t.Fatal(err)
	}
	if !newBus(busConfig{secret: []byte("x")}).trusted(net.IPv4(10, 0, 0, 1)) {
		t.Fatal("with a secret everybody may try")
	}
}

func TestStreamsAndCasts(t *testing.T) {
	t.Parallel()
	a, b := newStation(t, 1, 0), newStation(t, 2, 0)
	conn, err := a.dialStream(b.id, b.addr(), []byte("header"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 10)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "got header" {
		t.Fatalf("%q %v", buf, err)
	}
	if _, err := conn.Write([]byte("raw bytes!")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "raw bytes!" {
		t.Fatalf("%q %v", buf, err)
	}
	if !a.cast(b.id, b.addr(), 'p', []byte("hello")) {
		t.Fatal("dropped")
	}
	eventually(t, "the cast is there", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.casts) == 1 && b.casts[0] == "phello"
	})
}

func TestDisconnectClosesBothWays(t *testing.T) {
	t.Parallel()
	a, b := newStation(t, 1, 0), newStation(t, 2, 0)
	a.send(b.id, b.addr(), a.message(1))
	b.send(a.id, a.addr(), b.message(1))
	eventually(t, "connected both ways", func() bool { return len(a.list()) == 2 && len(b.list()) == 2 })
	a.disconnect(b.id)
	eventually(t, "nothing is left at a", func() bool { return len(a.list()) == 0 })
}

func TestQueueBounds(t *testing.T) {
	q := newQueue(10)
	for i := range controlFrames + 5 {
		q.put([]byte{byte(i), byte(i >> 8)})
	}
	if !q.putBulk([]byte("12345")) || !q.putBulk([]byte("67890")) || q.putBulk([]byte("1")) {
		t.Fatal("bulk does not keep its bound")
	}
	first := q.take()
	if len(first) != controlFrames || first[0][0] != 5 {
		t.Fatalf("%d control frames, the first %v", len(first), first[0])
	}
	second, third := q.take(), q.take()
	if len(second) != 1 || len(third) != 1 {
		t.Fatal("bulk frames come one by one, behind control")
	}
	if n, empty := q.waiting(); n != 0 || !empty {
		t.Fatalf("%d bytes left", n)
	}
	if !q.putBulk([]byte("1234567890")) {
		t.Fatal("the bound does not fall again")
	}
}

func TestFrameBytes(t *testing.T) {
	h := hello{boot: 0x0102}
	for i := range h.nonce {
		h.nonce[i] = 0xaa
	}
	h.id[0], h.id[19] = 0xbb, 0xcc
	p := pong{token: 5, id: h.id, boot: 6}
	golden := []struct{ got, want string }{
		{hex.EncodeToString(appendFrame(nil, frameHello, h.append(nil))),
			"0000002d01" + strings.Repeat("aa", 16) + "bb" + strings.Repeat("00", 18) + "cc" + "0000000000000102"},
		{hex.EncodeToString(appendPing(7)), "00000009060000000000000007"},
		{hex.EncodeToString(appendFrame(nil, framePong, p.append(nil))),
			"00000025070000000000000005" + "bb" + strings.Repeat("00", 18) + "cc" + "0000000000000006"},
	}
	for _, g := range golden {
		if g.got != g.want {
			t.Errorf("\n got %s\nwant %s", g.got, g.want)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(appendPing(1))
	f.Add(appendFrame(nil, frameCast, []byte("x")))
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		kind, body, err := readFrame(r, 1<<16)
		if err != nil {
			return
		}
		again := appendFrame(nil, kind, body)
		if !bytes.Equal(again, b[:len(b)-r.Len()]) {
			t.Fatalf("%x read as %d %x", b, kind, body)
		}
		if h, err := parseHello(body); err == nil && !bytes.Equal(h.append(nil), body) {
			t.Fatal("hello")
		}
		if p, err := parsePong(body); err == nil && !bytes.Equal(p.append(nil), body) {
			t.Fatal("pong")
		}
	})
}

// A stranger that sends anything at all must neither hang a goroutine nor
// bring the node down.
func FuzzStranger(f *testing.F) {
	f.Add([]byte("BUS\x01"))
	f.Add([]byte("BUS\x02"))
	f.Add(append([]byte("BUS\x01"), appendFrame(nil, frameHello, make([]byte, helloSize))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		us, them := net.Pipe()
		go func() {
			_ = them.SetDeadline(time.Now().Add(time.Second))
			go io.Copy(io.Discard, them)
			_, _ = them.Write(b)
			_ = them.Close()
		}()
		_ = us.SetDeadline(time.Now().Add(time.Second))
		if _, err := answer(us, identity{}, []byte("secret"), func(cluster.ID) bool { return false }); err == nil {
			t.Fatal("admitted")
		}
		_ = us.Close()
	})
}
