package server

import (
	"strings"
	"syscall"
	"testing"
	"time"
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
	case <-time.After(20 * time.Second):
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
