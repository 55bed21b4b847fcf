package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (p *process) dial() (net.Conn, error) {
	return net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)))
}

// readReply reads one reply of RESP2 and returns its first line.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("an empty line is no reply")
	}
	switch line[0] {
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return line, err
		}
		_, err = r.Discard(n + 2)
		return line, err
	case '*':
		n, err := strconv.Atoi(line[1:])
		for ; err == nil && n > 0; n-- {
			_, err = readReply(r)
		}
		return line, err
	}
	return line, nil
}

// pipeline sends n commands, a window of them unanswered at most, and checks that none fails.
func (p *process) pipeline(n int, command func(dst []byte, i int) []byte) error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	const window = 64
	room, replies := make(chan struct{}, window), make(chan error, 1)
	go func() {
		r := bufio.NewReaderSize(conn, 1<<16)
		for range n {
			line, err := readReply(r)
			if err == nil && strings.HasPrefix(line, "-") {
				err = fmt.Errorf("%s answered %q", p.name, line)
			}
			if err != nil {
				_ = conn.Close()
				replies <- err
				close(replies)
				return
			}
			<-room
		}
		close(replies)
	}()
	var buf []byte
	for i := range n {
		buf = command(buf[:0], i)
		select {
		case room <- struct{}{}:
		case err := <-replies:
			return err
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
	}
	return <-replies
}

// pings is a client that sends PING again and again.
type pings struct {
	done, ended chan struct{}
	longest     time.Duration
}

func (p *process) watchPings() *pings {
	w := &pings{done: make(chan struct{}), ended: make(chan struct{})}
	conn, err := p.dial()
	if err != nil {
		close(w.ended)
		return w
	}
	go func() {
		defer close(w.ended)
		defer conn.Close()
		r := bufio.NewReader(conn)
		for {
			begin := time.Now()
			if _, err := conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
				return
			}
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
			w.longest = max(w.longest, time.Since(begin))
			select {
			case <-w.done:
				return
			case <-time.After(500 * time.Microsecond):
			}
		}
	}()
	return w
}

// stop ends the client, which waits for its last reply, and returns its longest wait.
func (w *pings) stop() time.Duration {
	close(w.done)
	<-w.ended
	return w.longest
}

// peak returns the most resident memory since the start, or since resetPeak, MiB.
func (p *process) peak() (float64, error) { return p.status("VmHWM:") }

func (p *process) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

func quantiles(all []time.Duration) (p50, p99, longest time.Duration) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
}
