package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// A probe is a process of its own, this program run with -probe: a client that asks
// for one key, or changes it, every millisecond and writes down how long it waited. Each line that it
// is sent asks for a report of what was seen since the last.

// probePeriod is how often a probe asks. What it would have asked while it waited
// counts as asked then: a pause of 100 ms is a hundred waits of 1 to 100 ms.
const probePeriod = time.Millisecond

// noted is from how long on a wait is reported by itself, with the time at which it began.
const noted = time.Millisecond

// wait is a time for which a probe had no answer.
type wait struct{ from, to int64 } // nanoseconds of a clock that all processes of the machine share

func (w wait) long() time.Duration { return time.Duration(w.to - w.from) }

// runProbe asks the server at port for key, or writes it, until its input ends.
func runProbe(port int, key string, write bool, in io.Reader, out io.Writer) error {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	asked := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			asked <- struct{}{}
		}
		close(asked)
	}()
	r, request := bufio.NewReader(conn), encode(nil, "GET", key)
	if write {
		request = encode(nil, "SET", key, "x")
	}
	var all []time.Duration
	var long []wait
	for {
		select {
		case _, more := <-asked:
			if !more {
				return nil
			}
			if err := writeProbe(out, all, long); err != nil {
				return err
			}
			all, long = all[:0], long[:0]
		default:
		}
		begin := time.Now()
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if _, err := readReply(r); err != nil {
			return err
		}
		took := time.Since(begin)
		for d := took; d > 0; d -= probePeriod {
			all = append(all, d)
		}
		if took >= noted {
			end := monotonic()
			long = append(long, wait{end - int64(took), end})
		}
		time.Sleep(probePeriod - took)
	}
}

// writeProbe writes a report: quantiles, the number of long waits, and these.
func writeProbe(out io.Writer, all []time.Duration, long []wait) error {
	if len(all) == 0 {
		all = append(all, 0)
	}
	slices.Sort(all)
	text := fmt.Appendf(nil, "%d %d %d %d\n", all[len(all)/2], all[len(all)*999/1000], all[len(all)-1], len(long))
	for _, w := range long {
		text = fmt.Appendf(text, "%d %d\n", w.from, w.to)
	}
	_, err := out.Write(text)
	return err
}

// probe is a probe under way.
type probe struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// seen is the report of a probe.
type seen struct {
	p50, p999, longest time.Duration
	long               []wait
}

func startProbe(port int, key string, write bool) (*probe, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &probe{cmd: exec.Command(self, "-probe", strconv.Itoa(port), "-probe-key", key, fmt.Sprint("-probe-write=", write))}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// report returns what the probe saw since the last report. A wait that is under way is waited for.
func (p *probe) report() (seen, error) {
	var s seen
	var n int
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return s, err
	}
	if _, err := fmt.Fscanln(p.out, &s.p50, &s.p999, &s.longest, &n); err != nil {
		return s, err
	}
	for range n {
		var w wait
		if _, err := fmt.Fscanln(p.out, &w.from, &w.to); err != nil {
			return s, err
		}
		s.long = append(s.long, w)
	}
	return s, nil
}

func (p *probe) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// longestBeside returns the longest of the waits, without the time for which the
// control waited as well: who has nothing to do and does not answer either is not
// given the processor.
func longestBeside(long, control []wait) time.Duration {
	var longest time.Duration
	for _, w := range long {
		own := w.long()
		for _, c := range control {
			if both := min(w.to, c.to) - max(w.from, c.from); both > 0 {
				own -= time.Duration(both)
			}
		}
		longest = max(longest, own)
	}
	return longest
}
