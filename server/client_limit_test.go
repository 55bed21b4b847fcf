package server

import (
	"fmt"
	"strings"
	"testing"
)

// infoNumber reads a field of INFO everything or of CLIENT LIST.
func infoNumber(text, name string) (n int64) {
	_, rest, _ := strings.Cut(text, name)
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// hoards are ways to make the server hold about size bytes for a client.
var hoards = map[string]func(c, other *client, size int){
	"query": func(c, _ *client, size int) {
		c.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$%d\r\n%s", size+1, strings.Repeat("v", size)))
	},
	"reply": func(c, other *client, size int) {
		size += 16 << 20 // some is in the sockets' buffers
		other.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%s\r\n", size, strings.Repeat("v", size)))
		other.reply()
		c.send("GET big\r\n")
	},
	"transaction": func(c, _ *client, size int) {
		c.want("MULTI", "+OK\r\n")
		for range size >> 16 {
			c.want("SET k "+strings.Repeat("v", 1<<16), "+QUEUED\r\n")
		}
	},
	"messages": func(c, other *client, size int) {
		c.send("SUBSCRIBE news\r\n")
		eventually(c.t, "a subscriber", func() bool { return other.do("PUBLISH news first") == ":1\r\n" })
		for range 16 + size>>20 {
			other.want("PUBLISH news "+strings.Repeat("v", 1<<20), ":1\r\n")
		}
	},
	"prefixes": func(c, _ *client, size int) {
		c.want("HELLO 3", c.do("HELLO 3"))
		for i := range size >> 16 {
			c.want(fmt.Sprintf("CLIENT TRACKING on BCAST PREFIX %d%s", 10000+i, strings.Repeat("p", 1<<16)), "+OK\r\n")
		}
	},
}

// Whoever holds most is closed when all hold too much, whatever it holds; the others stay.
func TestLargestClientIsEvicted(t *testing.T) {
	const size = 4 << 20
	for _, driver := range []string{"yes", "no"} {
		for name, hoard := range hoards {
			t.Run(name+" "+driver, func(t *testing.T) {
				n := start(t, "--event-loop", driver, "--client-output-buffer-limit", "pubsub 0 0 0")
				operator, idle, small, large := n.dial(), n.dial(), n.dial(), n.dial()
				idle.want("PING", "+PONG\r\n")
				hoards["transaction"](small, operator, 1<<17)
				large.want("CLIENT SETNAME large", "+OK\r\n")
				hoard(large, operator, size)
				eventually(t, "the client to hold much", func() bool {
					_, line, _ := strings.Cut(operator.do("CLIENT LIST"), "name=large")
					return infoNumber(line, "tot-mem=") >= size && infoNumber(operator.do("INFO memory"), "mem_clients_normal:") >= size
				})
				if got := operator.do("INFO stats"); !strings.Contains(got, "evicted_clients:0\r\n") {
					t.Fatal("a client was evicted without a limit")
				}
				operator.want("CONFIG SET maxmemory 100mb maxmemory-clients 2%", "+OK\r\n")
				eventually(t, "an eviction", func() bool { return infoNumber(operator.do("INFO stats"), "evicted_clients:") == 1 })
				eventually(t, "the client to be gone", func() bool { return !strings.Contains(operator.do("CLIENT LIST"), "name=large") })
				idle.want("PING", "+PONG\r\n")
				small.want("PING", "+QUEUED\r\n")
				if log := n.log.String(); !strings.Contains(log, "* Evicting client: id=") || !strings.Contains(log, "name=large") {
					t.Errorf("the log does not tell of the client: %s", log)
				}
				if got := infoNumber(operator.do("INFO memory"), "mem_clients_normal:"); got >= 2<<20 {
					t.Errorf("%d bytes are held still", got)
				}
				operator.want("CONFIG RESETSTAT", "+OK\r\n")
				if got := operator.do("INFO stats"); !strings.Contains(got, "evicted_clients:0\r\n") {
					t.Error("CONFIG RESETSTAT forgets no evictions")
				}
			})
		}
	}
}

// A client that said NO-EVICT counts, and stays, whoever must go for it.
func TestNoEvict(t *testing.T) {
	n := start(t)
	operator, vip, other := n.dial(), n.dial(), n.dial()
	operator.want("CLIENT NO-EVICT on", "+OK\r\n")
	vip.want("CLIENT NO-EVICT on", "+OK\r\n")
	hoards["transaction"](vip, nil, 4<<20)
	hoards["transaction"](other, nil, 1<<17)
	operator.want("CONFIG SET maxmemory-clients 1mb", "+OK\r\n")
	if _, is := other.closed(); !is {
		t.Error("a client that may be evicted is still there")
	}
	eventually(t, "a word about it", func() bool { return strings.Contains(n.log.String(), "Over client maxmemory") })
	vip.want("PING", "+QUEUED\r\n")
	vip.want("DISCARD", "+OK\r\n")
	vip.want("CLIENT NO-EVICT off", "+OK\r\n")
	hoards["transaction"](vip, nil, 1<<19)
	vip.want("PING", "+QUEUED\r\n") // below the limit
	if got := strings.Count(n.log.String(), "Over client maxmemory"); got != 1 {
		t.Errorf("the log says %d times that all evictable clients are gone", got)
	}
	for range 1 << 10 {
		vip.send("SET k " + strings.Repeat("v", 1<<10) + "\r\n")
		if strings.HasPrefix(vip.reply(), "<") {
			return
		}
	}
	if _, is := vip.closed(); !is {
		t.Error("a client that may be evicted again is still there")
	}
}

// The limit is Redis's: a share of maxmemory if there is one, and never so small that nobody can connect.
func TestClientLimit(t *testing.T) {
	for _, c := range []struct {
		clients, memory string
		want            int64
	}{{"0", "1gb", 0}, {"5%", "0", 0}, {"5%", "1gb", 5 * (1 << 30 / 100)}, {"1%", "50", minClientLimit}, {"10", "0", minClientLimit}, {"3mb", "1mb", 3 << 20}} {
		s := &Server{settings: settings(t, "--maxmemory-clients", c.clients, "--maxmemory", c.memory)}
		if got := s.clientBytes(); got != c.want {
			t.Errorf("maxmemory-clients %s of %s is %d, want %d", c.clients, c.memory, got, c.want)
		}
	}
}

// Buffers that grow fast are looked at before the time for it has come.
func TestGrowthOfClientsIsSeen(t *testing.T) {
	s := &Server{clients: clientLimit{look: make(chan struct{}, 1)}}
	asked := func(grown int64) bool {
		s.clientGrew(grown)
		select {
		case <-s.clients.look:
			return true
		default:
			return false
		}
	}
	if asked(1 << 40) {
		t.Error("growth matters without a limit")
	}
	s.clients.bytes.Store(64 << 20)
	if asked(4<<20) || asked(-1<<40) || !asked(4<<20) || !asked(1) {
		t.Error("growth by an eighth of the limit is not seen, or less is")
	}
}
