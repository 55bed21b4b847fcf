package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic returns nanoseconds of a clock that all processes of the machine share.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// pauseTag is the hash tag of what scenarios work on, and of what the probe of the
// same slot asks for.
const pauseTag = "{c}"

const pausePage = `## What others wait for

One client does what the row says with keys of %d elements in slot %s (everysec); meanwhile one other client gets a
small key of another slot every millisecond, and one sets a small key of the same slot. A control asks an idle redis-server: what it waits for, the
machine is to blame for. "Own" is the longest wait without the time for which the control waited too. Milliseconds, redis / cobble,
by turns.

| meanwhile | takes s | other slot: p99.9 | longest | own | same slot: longest | own | control: longest |
|---|---|---|---|---|---|---|---|
`

// watched is a server with its probes.
type watched struct {
	*process
	others, same, control *probe
}

// measurePauses runs the scenarios and returns the page's section.
func measurePauses(s *settings) (string, error) {
	idle, err := s.startEmpty("redis", "none")
	if err != nil {
		return "", err
	}
	defer idle.remove()
	var servers []*watched
	for _, name := range []string{"redis", "cobble"} {
		p, err := s.startEmpty(name, "everysec")
		if err != nil {
			return "", err
		}
		defer p.remove()
		for _, key := range []string{"probe", "probe" + pauseTag} {
			if err := p.ask("SET", key, "x"); err != nil {
				return "", err
			}
		}
		w := &watched{process: p}
		for _, x := range []struct {
			at    **probe
			port  int
			key   string
			write bool
		}{{&w.others, p.port, "probe", false}, {&w.same, p.port, "probe" + pauseTag, true}, {&w.control, idle.port, "probe", false}} {
			if *x.at, err = startProbe(x.port, x.key, x.write); err != nil {
				return "", err
			}
			defer (*x.at).stop()
		}
		servers = append(servers, w)
	}
	var out strings.Builder
	fmt.Fprintf(&out, pausePage, s.elements, pauseTag)
	fmt.Fprint(os.Stderr, out.String())
	for _, sc := range pauseScenarios(s) {
		if !s.wants(&sc) {
			continue
		}
		line, err := runScenario(s, &sc, servers)
		if err != nil { // the others say something all the same
			line = fmt.Sprintf("| %s | failed: %v |\n", sc.name, err)
		}
		out.WriteString(line)
		fmt.Fprint(os.Stderr, line)
	}
	return out.String(), nil
}

// wants reports whether a scenario was asked for. What fills keys is always run.
func (s *settings) wants(sc *scenario) bool {
	if s.pausesOnly == "" {
		return true
	}
	for _, name := range list(s.pausesOnly) {
		if strings.Contains(sc.name, name) || strings.HasPrefix(sc.name, "filling") && contains(sc.fills, name) {
			return true
		}
	}
	return false
}

// paused is what the probes saw of a scenario on one server.
type paused struct {
	took                  time.Duration
	others, same, control seen
}

func runScenario(s *settings, sc *scenario, servers []*watched) (string, error) {
	var saw [2]paused
	for i, w := range servers {
		if sc.before != nil {
			if err := sc.before(w.process); err != nil {
				return "", fmt.Errorf("before it, on %s: %w", w.name, err)
			}
		}
		for _, p := range []*probe{w.others, w.same, w.control} {
			if _, err := p.report(); err != nil {
				return "", err
			}
		}
		x := &saw[i]
		begin := time.Now()
		if err := sc.run(w.process); err != nil {
			return "", fmt.Errorf("on %s: %w", w.name, err)
		}
		x.took = time.Since(begin)
		time.Sleep(s.settle())
		var e1, e2, e3 error
		x.others, e1 = w.others.report()
		x.same, e2 = w.same.report()
		x.control, e3 = w.control.report()
		if err := errors.Join(e1, e2, e3); err != nil {
			return "", err
		}
	}
	both := func(f func(x *paused) time.Duration) string {
		return fmt.Sprintf("%.1f / %.1f", ms(f(&saw[0])), ms(f(&saw[1])))
	}
	return fmt.Sprintf("| %s | %.1f / %.1f | %s | %s | %s | %s | %s | %s |\n", sc.name, saw[0].took.Seconds(), saw[1].took.Seconds(),
		both(func(x *paused) time.Duration { return x.others.p999 }),
		both(func(x *paused) time.Duration { return x.others.longest }),
		both(func(x *paused) time.Duration { return longestBeside(x.others.long, x.control.long) }),
		both(func(x *paused) time.Duration { return x.same.longest }),
		both(func(x *paused) time.Duration { return longestBeside(x.same.long, x.control.long) }),
		both(func(x *paused) time.Duration { return x.control.longest })), nil
}

// settle is how long after a scenario the probes go on: what it has left behind may be seen then.
func (s *settings) settle() time.Duration { return 500 * time.Millisecond }

// ask sends one command and reads its reply to the end, however large.
func (p *process) ask(args ...string) error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	return askOn(conn, bufio.NewReaderSize(conn, 1<<18), encode(nil, args...), 1)
}

// askOn sends a request of n commands and drains the replies. An error reply fails.
func askOn(conn net.Conn, r *bufio.Reader, request []byte, n int) error {
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(request)
		sent <- err
	}()
	for range n {
		if err := drain(r); err != nil {
			return err
		}
	}
	return <-sent
}

// drain reads one reply, without an allocation for each part.
func drain(r *bufio.Reader) error {
	for parts := 1; parts > 0; parts-- {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch line[0] {
		case '-':
			return fmt.Errorf("the server answered %q", line)
		case '$', '*':
			n := 0
			for _, c := range line[1:] {
				if c < '0' || c > '9' {
					break
				}
				n = 10*n + int(c-'0')
			}
			switch {
			case line[0] == '*':
				parts += n
			case line[1] != '-':
				if _, err := r.Discard(n + 2); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
