package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func fixedValue() string { return payload }

// randomValue returns values that differ, or compression would make a store smaller
// than it is.
func randomValue() func() string {
	rng := rand.New(rand.NewPCG(1, 4))
	b := make([]byte, 0, len(payload))
	return func() string {
		b = appendValue(b[:0], rng)
		return string(b)
	}
}

// load writes n keys named by pattern, in order, pipelined over one connection.
func (p *process) load(n int, pattern string, value func() string) error {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	replies := make(chan error, 1)
	go func() {
		r := bufio.NewReaderSize(conn, 1<<16)
		for range n {
			line, err := r.ReadSlice('\n')
			if err == nil && string(line) != "+OK\r\n" {
				err = fmt.Errorf("%s answered %q", p.name, line)
			}
			if err != nil {
				replies <- err
				return
			}
		}
		replies <- nil
	}()
	w := bufio.NewWriterSize(conn, 1<<16)
	for i := range n {
		if _, err := w.Write(encode(nil, "SET", fmt.Sprintf(pattern, i), value())); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return <-replies
}

// measureMemory loads the keys into each server, then stops and starts it, gently
// and with kill -9, and reports memory and the time to the first correct reply.
func measureMemory(s *settings) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "%d keys of 100 bytes, everysec\n\n| server | RSS MiB after load | load s | clean restart to first correct reply s | after kill -9 s | RSS MiB after restart |\n|---|---|---|---|---|---|\n", s.memoryKeys)
	for _, name := range []string{"redis", "cobble"} {
		line, err := memoryOf(s, name)
		if err != nil {
			return "", err
		}
		out.WriteString(line)
		fmt.Print(line)
	}
	return out.String(), nil
}

func memoryOf(s *settings, name string) (string, error) {
	p, err := s.startEmpty(name, "everysec")
	if err != nil {
		return "", err
	}
	defer p.remove()
	begin := time.Now()
	if err := p.load(s.memoryKeys, keyPattern, fixedValue); err != nil {
		return "", err
	}
	loaded := time.Since(begin)
	rss, err := p.rss()
	if err != nil {
		return "", err
	}
	var took [2]time.Duration
	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.stop(sig)
		begin := time.Now()
		if err := p.start(); err != nil {
			return "", err
		}
		if err := p.firstReply(fmt.Sprintf(keyPattern, s.memoryKeys-1)); err != nil {
			return "", err
		}
		took[i] = time.Since(begin)
	}
	after, err := p.rss()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %.0f | %.1f | %.2f | %.2f | %.0f |\n", name, rss, loaded.Seconds(), took[0].Seconds(), took[1].Seconds(), after), nil
}

// firstReply waits until key is answered with its value.
func (p *process) firstReply(key string) error {
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		reply, err := p.do("GET", key)
		if err == nil && reply == payload {
			return nil
		}
		if err != nil && err != io.EOF && p.cmd.ProcessState != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("%s did not answer correctly; its files are in %s", p.name, p.dir)
}
