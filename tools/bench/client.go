package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// traffic is what a client sends: SETs, and a share of GETs, of keys that pick chooses.
type traffic struct {
	reads float64
	pick  func() int
}

// uniform draws from n keys evenly.
func uniform(n int, seed uint64) func() int {
	rng := rand.New(rand.NewPCG(seed, 1))
	return func() int { return rng.IntN(n) }
}

const keyPattern = "key:%012d"

func (t *traffic) append(dst []byte, rng *rand.Rand) []byte {
	key := t.pick()
	if t.reads > 0 && rng.Float64() < t.reads {
		dst = append(dst, "*2\r\n$3\r\nGET\r\n$16\r\n"...)
		return append(appendKey(dst, key), "\r\n"...)
	}
	dst = append(dst, "*3\r\n$3\r\nSET\r\n$16\r\n"...)
	dst = append(appendKey(dst, key), "\r\n$100\r\n"...)
	return append(appendValue(dst, rng), "\r\n"...)
}

// appendValue appends a value of 100 bytes.
func appendValue(dst []byte, rng *rand.Rand) []byte {
	for i := 0; i < 96; i += 16 {
		dst = appendHex(dst, rng.Uint64())
	}
	return append(dst, "tail"...)
}

func appendKey(dst []byte, i int) []byte {
	var digits [12]byte
	for p := len(digits) - 1; p >= 0; p-- {
		digits[p], i = byte('0'+i%10), i/10
	}
	return append(append(dst, "key:"...), digits[:]...)
}

func appendHex(dst []byte, v uint64) []byte {
	for range 16 {
		dst, v = append(dst, "0123456789abcdef"[v&15]), v>>4
	}
	return dst
}

// client drives many connections from one thread. Closed: each sends the next
// pipeline when it has all replies. Paced: commands are sent when their time has
// come, whatever the server does, and are timed from then on (so that a pause of the
// server counts for everything that should have been sent during it).
type client struct {
	traffic traffic
	rng     *rand.Rand
	epoll   int
	timer   int
	conns   []*clientConn
	byFD    map[int32]*clientConn
	blocked int // connections with unsent bytes
	times   []time.Duration
	done    int
	errors  int
	fault   string // the first error reply
}

type clientConn struct {
	fd      int
	out, in []byte
	sent    []time.Duration // when the commands under way were to be sent
}

func newClient(port, conns int, t traffic) (*client, error) {
	c := &client{traffic: t, rng: rand.New(rand.NewPCG(uint64(port), 2)), byFD: map[int32]*clientConn{}, timer: -1}
	var err error
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	for range conns {
		if err = c.connect(port); err != nil {
			break
		}
	}
	if err == nil {
		c.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	}
	if err == nil {
		err = c.watch(c.timer)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) connect(port int) error {
	nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	if failed := raw.Control(func(n uintptr) { fd, err = unix.Dup(int(n)) }); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	conn := &clientConn{fd: fd}
	c.conns = append(c.conns, conn)
	c.byFD[int32(fd)] = conn
	return c.watch(fd)
}

func (c *client) watch(fd int) error {
	return unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = unix.Close(conn.fd)
	}
	if c.timer >= 0 {
		_ = unix.Close(c.timer)
	}
	_ = unix.Close(c.epoll)
}

// outcome is what one run has measured.
type outcome struct {
	perSecond           float64
	p50, p99, p999, max float64 // milliseconds
	done                int
}

// tick is how often a paced client sends.
const tick = 250 * time.Microsecond

// run sends for d: at rate commands a second, or if that is 0 as fast as the server
// answers. depth is how many commands go to one connection at a time.
func (c *client) run(d time.Duration, rate float64, depth int) (outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.times, c.done, c.errors = c.times[:0], 0, 0
	if rate > 0 {
		every := unix.NsecToTimespec(int64(tick))
		if err := unix.TimerfdSettime(c.timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
			return outcome{}, err
		}
		defer func() { _ = unix.TimerfdSettime(c.timer, 0, &unix.ItimerSpec{}, nil) }()
	}
	begin := time.Now()
	if rate == 0 {
		for _, conn := range c.conns {
			c.ask(conn, depth, 0)
		}
	}
	next := 0 // commands that were sent
	events := make([]unix.EpollEvent, 256)
	for ended := false; ; {
		wait := 1000
		if c.blocked > 0 {
			wait = 1
		}
		n, err := unix.EpollWait(c.epoll, events, wait)
		if err != nil && err != unix.EINTR {
			return outcome{}, err
		}
		now := time.Since(begin)
		ended = ended || now >= d
		for i := range max(n, 0) {
			conn := c.byFD[events[i].Fd]
			if conn == nil {
				var drain [8]byte
				_, _ = unix.Read(c.timer, drain[:])
				continue
			}
			if err := c.read(conn, begin); err != nil {
				return outcome{}, err
			}
			if rate == 0 && len(conn.sent) == 0 && !ended {
				c.ask(conn, depth, now)
			}
		}
		if rate > 0 && !ended {
			next = c.send(next, rate, depth, now)
		}
		c.unblock()
		if now > d+time.Minute {
			return outcome{}, errors.New("replies do not come")
		}
		if ended && c.idle() {
			return c.outcome(now), c.err()
		}
	}
}

// send sends what is due; next is the number of the first command that was not sent.
func (c *client) send(next int, rate float64, depth int, now time.Duration) int {
	for {
		at := time.Duration(float64(next) / rate * float64(time.Second))
		at = (at + tick - 1) / tick * tick
		if at > now {
			return next
		}
		c.ask(c.conns[next/depth%len(c.conns)], depth, at)
		next += depth
	}
}

func (c *client) idle() bool {
	for _, conn := range c.conns {
		if len(conn.sent) > 0 {
			return false
		}
	}
	return true
}

func (c *client) ask(conn *clientConn, depth int, at time.Duration) {
	waiting := len(conn.out) > 0
	for range depth {
		conn.out = c.traffic.append(conn.out, c.rng)
		conn.sent = append(conn.sent, at)
	}
	if waiting {
		return
	}
	if c.flush(conn); len(conn.out) > 0 {
		c.blocked++
	}
}

func (c *client) flush(conn *clientConn) {
	for len(conn.out) > 0 {
		n, err := unix.SendmsgN(conn.fd, conn.out, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != nil || n <= 0 {
			return // full; a broken one is met by read
		}
		conn.out = conn.out[:copy(conn.out, conn.out[n:])]
	}
}

func (c *client) unblock() {
	if c.blocked == 0 {
		return
	}
	c.blocked = 0
	for _, conn := range c.conns {
		if c.flush(conn); len(conn.out) > 0 {
			c.blocked++
		}
	}
}

func (c *client) read(conn *clientConn, begin time.Time) error {
	const room = 64 << 10
	conn.in = slices.Grow(conn.in, room)
	n, _, err := unix.Recvfrom(conn.fd, conn.in[len(conn.in):len(conn.in)+room], unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n <= 0 {
		return fmt.Errorf("the server closed a connection (%v)", err)
	}
	conn.in = conn.in[:len(conn.in)+n]
	now := time.Since(begin)
	rest := conn.in
	for {
		length := c.reply(rest)
		if length == 0 {
			break
		}
		c.times = append(c.times, now-conn.sent[0])
		conn.sent = conn.sent[1:]
		rest = rest[length:]
		c.done++
	}
	conn.in = conn.in[:copy(conn.in, rest)]
	return nil
}

// reply returns the length of the first reply, 0 if it is not complete.
func (c *client) reply(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0
	}
	line := b[:end]
	switch {
	case line[0] == '-':
		if c.errors++; c.errors == 1 {
			c.fault = string(line)
		}
	case line[0] == '$' && line[1] != '-':
		n, _ := strconv.Atoi(string(bytes.TrimSuffix(line[1:], []byte("\r"))))
		if end += n + 2; end >= len(b) {
			return 0
		}
	}
	return end + 1
}

func (c *client) err() error {
	if c.errors > 0 {
		return fmt.Errorf("%d error replies, the first: %s", c.errors, c.fault)
	}
	return nil
}

func (c *client) outcome(took time.Duration) outcome {
	slices.Sort(c.times)
	at := func(q float64) float64 {
		if len(c.times) == 0 {
			return 0
		}
		return c.times[min(int(q*float64(len(c.times))), len(c.times)-1)].Seconds() * 1000
	}
	return outcome{done: c.done, perSecond: float64(c.done) / took.Seconds(), p50: at(.5), p99: at(.99), p999: at(.999), max: at(1)}
}
