package server

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"cobble/server/resp"
)

// What holds for a goroutine per connection holds for the event loop.
func TestSessionsOnTheEventLoop(t *testing.T) {
	onTheLoop(t)
	for name, test := range map[string]func(*testing.T){
		"pieces": TestBytesInAnyPieces, "bad input": TestBadInput, "password": TestPasswordAndItsLimits, "maxclients": TestMaxClients,
		"restart": TestDataSurvivesRestart, "kill": TestKillAndList, "reply": TestReplyModes, "pause": TestPause, "limits": TestLimits,
		"large": TestLargeValue, "go-redis": TestGoRedis, "users": TestUsersEnd,
	} {
		t.Run(name, test)
	}
}

func onTheLoop(t *testing.T) {
	was := *eventLoop
	*eventLoop = true
	t.Cleanup(func() { *eventLoop = was })
}

// A loop whose epoll fails closes what it serves and has the server stop, instead of
// leaving connections that nobody hears any more.
func TestFailedEventLoopLeavesNothing(t *testing.T) {
	onTheLoop(t)
	s := start(t)
	idle, waiting, late := s.dial(), s.dial(), s.dial()
	for _, c := range []*client{idle, waiting, late} {
		c.send("PING\r\n")
		c.reply()
	}
	idle.send("CLIENT PAUSE 100000 WRITE\r\n")
	idle.reply()
	waiting.send("SET k v\r\n") // runs on a goroutine of its own until the pause ends
	for s.env.Stats.InFlight.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.loop.post(func() {
		syscall.Close(s.loop.epoll)
		s.loop.epoll = -1
	})
	for name, c := range map[string]*client{"idle": idle, "waiting": waiting, "late": late} {
		if got := c.reply(); !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
			t.Errorf("the %s connection: %q, not closed", name, got)
		}
	}
	select {
	case <-s.shutdown:
	case <-time.After(time.Minute):
		t.Error("the server goes on without a loop")
	}
	for left := 1; left > 0; time.Sleep(time.Millisecond) { // sessions.Wait is for a server that admits nobody any more
		s.mu.Lock()
		left = len(s.conns)
		s.mu.Unlock()
	}
	if c := s.dial(); !strings.Contains(c.reply(), "EOF") {
		t.Error("a new connection is kept open")
	}
}

// A client that hangs up while its command runs elsewhere is told of once: epoll would
// report it in every round until the command is done.
func TestHangUpBesideALongCommand(t *testing.T) {
	onTheLoop(t)
	s := start(t)
	waiting := s.dial()
	waiting.send("PING\r\n")
	waiting.reply()
	waiting.send("BLPOP k 0\r\n")
	for s.env.Stats.InFlight.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	watched := make(chan error)
	s.loop.post(func() {
		for _, c := range s.loop.conns {
			if c == nil || !c.busy {
				continue
			}
			s.loop.ready(c, syscall.EPOLLHUP, 0)
			watched <- syscall.EpollCtl(s.loop.epoll, syscall.EPOLL_CTL_MOD, c.fd, &syscall.EpollEvent{Fd: int32(c.fd)})
			return
		}
		watched <- nil
	})
	if err := <-watched; err != syscall.ENOENT {
		t.Errorf("epoll still watches a connection that is gone: %v", err)
	}
	if got := waiting.reply(); !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
		t.Errorf("it is told %q", got)
	}
}

// A client that takes a large reply as fast as it is sent has its turn, and no more.
func TestTurnOfALargeReply(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	taken := make(chan int)
	go func() {
		n, room := 0, make([]byte, 1<<20)
		for {
			m, err := syscall.Read(fds[1], room)
			if m <= 0 || err != nil {
				syscall.Close(fds[1])
				taken <- n
				return
			}
			n += m
		}
	}()
	l, c := &loop{}, &loopConn{fd: fds[0]}
	var replies resp.Writer
	for replies.Len() < 64<<20 {
		replies.BulkString(strings.Repeat("v", 300<<10))
	}
	var rest outbox
	size := replies.Len()
	for turn := 0; turn == 0 || rest.size > 0; turn++ {
		before := l.count.out
		if turn == 0 {
			n, _ := l.writeReplies(c, &replies)
			rest.take(&replies, n)
		} else {
			n, _ := l.write(c, rest.first())
			rest.drop(n)
		}
		if n := l.count.out - before; n > writeTurn {
			t.Fatalf("%d bytes were sent in one turn", n)
		}
	}
	syscall.Shutdown(fds[0], syscall.SHUT_WR)
	if n := <-taken; n != size {
		t.Errorf("%d bytes arrived of %d", n, size)
	}
}

// Only after rounds that follow each other within a millisecond or two does the loop keep its processor while it waits.
func TestDenseRounds(t *testing.T) {
	for _, c := range []struct {
		before, now int64
		want        bool
	}{
		{1000, 1000, true}, {1000, 1001, true}, {1000, 1002, false}, {1000, 60_000, false},
		{1000, 999, false}, // the clock was set back
	} {
		if got := dense(c.before, c.now); got != c.want {
			t.Errorf("dense(%d, %d) is %v", c.before, c.now, got)
		}
	}
}
