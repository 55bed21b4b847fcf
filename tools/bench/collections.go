package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// bigCommand is a command that is timed on a collection of one key.
type bigCommand struct {
	name  string
	times int
	args  func(i int, rng *rand.Rand) []string
}

// bigType is a type, how its key is filled, and what is timed then.
type bigType struct {
	name string
	// fill appends the command that brings the elements from ≤ i < to of n.
	fill     func(dst []byte, from, to, n int) []byte
	batch    int // elements of one such command
	commands func(n int) []bigCommand
}

const bigKey = "{c}big"

// measureTypes returns the page of what was asked of collections.
func measureTypes(s *settings, page string) (string, error) {
	page = strings.Replace(page, "# Benchmarks", "# Benchmarks of collections", 1)
	if s.small {
		small, err := measureSmall(s)
		if err != nil {
			return "", err
		}
		page += small
	}
	if s.collections > 0 {
		big, err := measureCollections(s)
		if err != nil {
			return "", err
		}
		page += "\n" + big
	}
	return page, nil
}

// measureCollections fills one key of each type on both servers and times commands.
func measureCollections(s *settings) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, `## Collections of %d elements

One key of each type, filled in pipelines of scattered elements; then each command alone on one connection, on both servers by
turns (everysec). "Longest PING" is the longest that another client waited for PING meanwhile, milliseconds, and "memory" by how
much the server's resident memory grew at its peak while the commands of the line ran, MiB.

`, s.collections)
	chosen := list(s.collectionTypes)
	for _, typ := range bigTypes() {
		if len(chosen) > 0 && !contains(chosen, typ.name) {
			continue
		}
		text, err := measureCollection(s, &typ)
		if err != nil {
			return "", fmt.Errorf("%s: %w", typ.name, err)
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func measureCollection(s *settings, typ *bigType) (string, error) {
	var out strings.Builder
	line := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		out.WriteString(text)
		fmt.Fprint(os.Stderr, text)
	}
	line("### %s\n\n| server | filled in s | CPU s | RSS MiB | peak MiB | longest PING ms |\n|---|---|---|---|---|---|\n", typ.name)
	var servers []*process
	for _, name := range []string{"redis", "cobble"} {
		p, err := s.startEmpty(name, "everysec")
		if err != nil {
			return "", err
		}
		defer p.remove()
		text, err := fillCollection(p, typ, s.collections)
		if err != nil {
			return "", err
		}
		line("%s", text)
		servers = append(servers, p)
	}
	line("\n| command | times | p50 µs redis / cobble | p99 µs redis / cobble | longest ms redis / cobble | longest PING ms redis / cobble | memory MiB redis / cobble | reply of cobble |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range typ.commands(s.collections) {
		var took [2]timed
		for i, p := range servers {
			var err error
			if took[i], err = timeCommand(p, &c); err != nil {
				return "", fmt.Errorf("%s against %s: %w", c.name, p.name, err)
			}
		}
		r, o := &took[0], &took[1]
		differs := ""
		if r.reply != o.reply && (strings.HasPrefix(o.reply, "-") || strings.HasPrefix(r.reply, "-")) {
			differs = fmt.Sprintf("%.60s / %.60s", r.reply, o.reply)
		}
		line("| %s | %d | %d / %d | %d / %d | %.1f / %.1f | %.1f / %.1f | %.0f / %.0f | %s |\n", c.name, c.times, r.p50.Microseconds(), o.p50.Microseconds(),
			r.p99.Microseconds(), o.p99.Microseconds(), ms(r.longest), ms(o.longest), ms(r.ping), ms(o.ping), r.memory, o.memory, differs)
	}
	line("\n")
	return out.String(), nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fillCollection fills the key and returns a line of the table.
func fillCollection(p *process, typ *bigType, n int) (string, error) {
	before, err := p.cpu()
	if err != nil {
		return "", err
	}
	begin := time.Now()
	pings := p.watchPings()
	err = p.pipeline((n+typ.batch-1)/typ.batch, func(dst []byte, i int) []byte {
		return typ.fill(dst, i*typ.batch, min((i+1)*typ.batch, n), n)
	})
	took := time.Since(begin)
	longest := pings.stop()
	if err != nil {
		return "", err
	}
	after, err := p.cpu()
	if err != nil {
		return "", err
	}
	rss, err := p.rss()
	if err != nil {
		return "", err
	}
	peak, err := p.peak()
	return fmt.Sprintf("| %s | %.1f | %.1f | %.0f | %.0f | %.1f |\n", p.name, took.Seconds(), (after - before).Seconds(), rss, peak, ms(longest)), err
}

// timed is what a command took.
type timed struct {
	p50, p99, longest, ping time.Duration
	memory                  float64 // MiB more at the peak
	reply                   string  // first line of the last reply
}

func timeCommand(p *process, c *bigCommand) (timed, error) {
	conn, err := p.dial()
	if err != nil {
		return timed{}, err
	}
	defer conn.Close()
	r, rng := bufio.NewReaderSize(conn, 1<<16), rand.New(rand.NewPCG(7, 7))
	if err := p.resetPeak(); err != nil {
		return timed{}, err
	}
	before, err := p.rss()
	if err != nil {
		return timed{}, err
	}
	var x timed
	pings := p.watchPings()
	var all []time.Duration
	for i := range c.times {
		request := encode(nil, c.args(i, rng)...)
		begin := time.Now()
		if _, err := conn.Write(request); err != nil {
			return x, err
		}
		if x.reply, err = readReply(r); err != nil {
			return x, err
		}
		all = append(all, time.Since(begin))
	}
	x.ping = pings.stop()
	x.p50, x.p99, x.longest = quantiles(all)
	peak, err := p.peak()
	x.memory = max(peak-before, 0)
	return x, err
}
