package server

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// Whoever begins to listen hears the reply first, though others speak all the time.
func TestReplyComesBeforeWhatIsHeard(t *testing.T) {
	onTheLoop(t)
	s := start(t)
	var over atomic.Bool
	done := make(chan struct{})
	for range 2 {
		speaker := s.dial()
		go func() {
			defer func() { done <- struct{}{} }()
			for !over.Load() {
				speaker.send(strings.Repeat("PUBLISH c m\r\n", 20))
				for range 20 {
					speaker.reply()
				}
			}
		}()
	}
	for range 150 {
		for line, reply := range map[string]string{"MONITOR": "+OK\r\n", "SUBSCRIBE c": "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"} {
			listener := s.dial()
			if got := listener.do(line); got != reply {
				t.Errorf("%s: %q comes first", line, got)
			}
			listener.reply() // and then something is heard
			listener.Close()
		}
	}
	over.Store(true)
	<-done
	<-done
}

// Replies that wait for their client are seen as its memory, and when it is killed
// nothing is left of them.
func TestUnsentRepliesAreCounted(t *testing.T) {
	onTheLoop(t)
	s := start(t)
	c := s.dial()
	const size, clients = 16 << 20, 4
	c.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%s\r\n", size, strings.Repeat("v", size)))
	c.reply()
	for range clients {
		slow := s.dial()
		slow.want("CLIENT SETNAME slow", "+OK\r\n")
		slow.send("GET big\r\nPING\r\n")
	}
	slow := func() (lines []string) {
		for _, line := range strings.Split(c.do("CLIENT LIST"), "\n") {
			if strings.Contains(line, "name=slow") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	eventually(t, "all clients to have much unsent", func() bool {
		n := 0
		for _, line := range slow() {
			if omem := infoNumber(line, " omem="); omem > size/4 && infoNumber(line, " tot-mem=") >= omem {
				n++
			}
		}
		return n == clients
	})
	if n := infoNumber(c.do("INFO memory"), "mem_clients_normal:"); n < clients*size/4 {
		t.Errorf("INFO counts %d bytes of clients", n)
	}
	if n := infoNumber(c.do("INFO clients"), "client_recent_max_output_buffer:"); n < size/4 {
		t.Errorf("INFO says that the largest output buffer has %d bytes", n)
	}
	held := make(chan int)
	s.loop.post(func() {
		n := 0
		for _, conn := range s.loop.conns {
			if conn != nil {
				n += conn.unsent.size
			}
		}
		held <- n
	})
	if n := <-held; n < clients*size/4 {
		t.Errorf("the loop holds %d bytes", n)
	}
	for _, line := range slow() {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		c.want("CLIENT KILL ID "+id[strings.LastIndex(id, "=")+1:], ":1\r\n")
	}
	eventually(t, "the clients to be gone", func() bool { return len(slow()) == 0 })
	s.loop.post(func() {
		n := 0
		for _, conn := range s.loop.dirty[:cap(s.loop.dirty)] {
			if conn != nil {
				n++
			}
		}
		held <- n
	})
	if n := <-held; n != 0 {
		t.Errorf("the loop holds on to %d connections that have nothing to send", n)
	}
	if n := infoNumber(c.do("INFO memory"), "mem_clients_normal:"); n > size/4 {
		t.Errorf("INFO counts %d bytes of clients that are gone", n)
	}
}
