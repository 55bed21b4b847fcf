package connections

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cobble/tests/proc"
)

// sockets is how many connections a test opens. Both ends of one are open files, each in a process of its own.
func sockets(t *testing.T, unset int) int {
	n := unset
	if os.Getenv("COBBLE_PROCESSES") == "full" {
		n = 15_000
	}
	if asked, err := strconv.Atoi(os.Getenv("COBBLE_CONNECTIONS")); err == nil {
		n = asked
	}
	const others = 3000 // files that are open anyway, and what the server keeps back
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if want := uint64(n + others); limit.Max < want { // only root may
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}); err == nil {
			return n
		}
		few := max(int(limit.Max)-others, int(limit.Max)/4)
		t.Logf("only %d sockets instead of %d: RLIMIT_NOFILE", few, n)
		n = min(n, few)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return n
}

func start(t *testing.T, clients int) *proc.Server {
	o := proc.Options{Standalone: true, Args: []string{"--maxclients", strconv.Itoa(clients + 200), "--protected-mode", "no"}}
	if os.Getenv("COBBLE_PROGRAM") == "redis" {
		o.Program = proc.Redis
	}
	return proc.Start(t, o)
}

// connect opens n connections, from several addresses of this machine: one of them has ports for some 28,000.
func connect(t *testing.T, s *proc.Server, n int) []*net.TCPConn {
	begin := time.Now()
	defer func() { t.Logf("%d connections opened in %v", n, time.Since(begin).Round(time.Millisecond)) }()
	conns := make([]*net.TCPConn, n)
	each(n, func(i int) {
		d := net.Dialer{Control: portLater}
		if i >= 20_000 {
			d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/20_000))}
		}
		c, err := d.Dial("tcp", s.Addr)
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
		conns[i] = c.(*net.TCPConn)
		_ = conns[i].SetLinger(0) // closes at once: thousands that linger make the next ones slow to open
	})
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// portLater leaves the choice of a port to connect, which may take one that is in use with another peer.
func portLater(_, _ string, c syscall.RawConn) error {
	const bindAddressNoPort = 24
	return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, bindAddressNoPort, 1) })
}

// each calls f for 0 … n-1 from a few goroutines.
func each(n int, f func(i int)) {
	const workers = 4
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// ask sends a command on one connection after the other, four at a time, and reads the reply.
func ask(t *testing.T, conns []*net.TCPConn, command, want string) {
	t.Helper()
	each(len(conns), func(i int) {
		if _, err := io.WriteString(conns[i], command); err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
		hear(t, conns[i], want)
	})
	if t.Failed() {
		t.FailNow()
	}
}

func hear(t *testing.T, c *net.TCPConn, want string) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("%.100q, %v; want %.100q", got, err, want)
	}
}

// memory is the anonymous memory of the server's process, in bytes.
func memory(t *testing.T, s *proc.Server) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("no RssAnon in /proc")
	return 0
}

// idle waits until a server to which nobody says anything uses less than an eighth of a core. What it has to do behind
// a load, such as writing and collecting, may take a slow machine seconds; who asks each client in turn never ends.
func idle(t *testing.T, s *proc.Server) {
	t.Helper()
	proc.Eventually(t, time.Minute, "the server to rest", func() error {
		before, begin := s.CPU(), time.Now()
		time.Sleep(time.Second) // nothing is waited for: this is what is measured
		share := (s.CPU() - before).Seconds() / time.Since(begin).Seconds()
		t.Logf("idle: %.1f %% of a core", 100*share)
		if share > 0.125 && !proc.RaceEnabled {
			return fmt.Errorf("it takes %.0f %% of a core", 100*share)
		}
		return nil
	})
}

func TestIdle(t *testing.T) {
	n := sockets(t, 5000)
	s := start(t, n)
	ask(t, connect(t, s, 100), "PING\r\n", "+PONG\r\n") // what the first ones need once is not theirs
	before := memory(t, s)
	conns := connect(t, s, n)
	fresh := memory(t, s)
	ask(t, conns, "*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n", "$-1\r\n")
	one := memory(t, s)
	big := strings.Repeat("v", 20_000)
	ask(t, conns, fmt.Sprintf("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n", len(big), big), fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n", len(big), big))
	idle(t, s)
	after := memory(t, s)
	per := func(bytes int64) int64 { return (bytes - before) / int64(n) }
	grown := (after - one) / int64(n)
	t.Logf("%d connections, bytes each: %d connected, %d after a GET, %d more after a SET and GET of %d bytes", n, per(fresh), per(one), grown, len(big))
	if proc.RaceEnabled {
		return
	}
	if per(one) > 4<<10 {
		t.Errorf("an idle connection takes %d bytes after one command, more than 4 KiB", per(one))
	}
	if grown > 12<<10 { // garbage: who keeps the buffers takes 40 KiB
		t.Errorf("an idle connection takes %d bytes more after a large command, more than 12 KiB", grown)
	}
}

func TestBlocked(t *testing.T) {
	n := sockets(t, 5000)
	s := start(t, n)
	ask(t, connect(t, s, 100), "PING\r\n", "+PONG\r\n")
	before := memory(t, s)
	conns := connect(t, s, n)
	begin, used := time.Now(), s.CPU()
	each(n, func(i int) {
		key := fmt.Sprintf("queue:%06d", i)
		fmt.Fprintf(conns[i], "*3\r\n$5\r\nBLPOP\r\n$%d\r\n%s\r\n$1\r\n0\r\n", len(key), key)
	})
	proc.Eventually(t, time.Minute, "all to be blocked", func() error {
		if info := s.Do("INFO", "clients").Text; !strings.Contains(info, fmt.Sprintf("blocked_clients:%d\r\n", n)) {
			return fmt.Errorf("%s", info)
		}
		return nil
	})
	t.Logf("%d clients blocked in %v, %v of CPU", n, time.Since(begin).Round(time.Millisecond), s.CPU()-used)
	idle(t, s)
	bytes := (memory(t, s) - before) / int64(n)
	t.Logf("%d bytes each", bytes)
	begin, used = time.Now(), s.CPU()
	pusher := s.Conn()
	for i := range n {
		pusher.Send("RPUSH", fmt.Sprintf("queue:%06d", i), "v")
	}
	for range n {
		if r, err := pusher.Receive(); err != nil || r.Err() != nil {
			t.Fatal(r, err)
		}
	}
	each(n, func(i int) { hear(t, conns[i], fmt.Sprintf("*2\r\n$12\r\nqueue:%06d\r\n$1\r\nv\r\n", i)) })
	took := s.CPU() - used
	t.Logf("all woken in %v, %v of CPU each", time.Since(begin).Round(time.Millisecond), took/time.Duration(n))
	if proc.RaceEnabled {
		return
	}
	if bytes > 7<<10 { // 5.4 to 5.8 were measured; a goroutine each would be 2 more
		t.Errorf("a blocked client takes %d bytes, more than 7 KiB", bytes)
	}
}
