package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is one repetition of one cell.
type sample struct {
	perSecond float64
	p50, p99  float64 // milliseconds
	cpu       float64 // server CPU microseconds per operation
	rss       float64 // MiB, afterwards
}

var payload = strings.Repeat("x", 100)

// commandOf returns the command that a test sends; __rand_int__ is redis-benchmark's.
func commandOf(test string) ([]string, error) {
	switch test {
	case "get":
		return []string{"GET", "key:__rand_int__"}, nil
	case "set":
		return []string{"SET", "key:__rand_int__", payload}, nil
	case "incr":
		return []string{"INCR", "counter:__rand_int__"}, nil
	case "hset":
		return []string{"HSET", "hash:__rand_int__", "field", payload}, nil
	case "sadd":
		return []string{"SADD", "set", "element:__rand_int__"}, nil
	case "hget":
		return []string{"HGET", "hash:__rand_int__", "field"}, nil
	case "mget":
		args := []string{"MGET"}
		for range 10 {
			args = append(args, "{m}:__rand_int__")
		}
		return args, nil
	}
	if t, ok := findSmall(test); ok {
		return t.command, nil
	}
	return nil, fmt.Errorf("no test is called %q", test)
}

func writes(test string) bool {
	return test == "set" || test == "incr" || test == "hset" || test == "sadd"
}

// peers are the names of the servers; Cobble is the last.
func (s *settings) peers() []string {
	if s.valkey != "" {
		return []string{"redis", "valkey", "cobble"}
	}
	return []string{"redis", "cobble"}
}

func measureSpeed(s *settings) (string, error) {
	var out strings.Builder
	names := strings.Join(s.peers(), " / ")
	head := []string{"test", "keys", "P", "durability", "CPU efficiency (redis ÷ Cobble), median [range]"}
	if s.valkey != "" {
		head = append(head, "valkey ÷ Cobble")
	}
	head = append(head, "CPU µs/op "+names, "ops/s "+names, "p50 ms "+names, "p99 ms "+names, "RSS MiB "+names)
	fmt.Fprintf(&out, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	fmt.Fprint(os.Stderr, out.String())
	for _, durability := range s.durability {
		if err := speedOf(s, durability, &out); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func speedOf(s *settings, durability string, out *strings.Builder) error {
	var servers []*process
	for _, name := range s.peers() {
		p, err := newProcess(s, name, durability)
		if err != nil {
			return err
		}
		defer p.remove()
		if err := p.start(); err != nil {
			return err
		}
		if err := p.join(); err != nil {
			return err
		}
		if err := p.load(s.keyspace, keyPattern, fixedValue); err != nil {
			return err
		}
		if err := p.load(100_000, "{m}:%012d", fixedValue); err != nil {
			return err
		}
		servers = append(servers, p)
	}
	for _, test := range s.tests {
		if durability != "none" && !writes(test) && len(s.durability) > 1 {
			continue // a read costs the same whatever the log does
		}
		spaces := []int{s.keyspace}
		if test == "set" && s.hot > 0 {
			spaces = append(spaces, s.hot)
		}
		for _, keys := range spaces {
			for _, depth := range s.pipelines {
				line, err := measureCell(s, servers, cell{test, depth, keys}, durability)
				if err != nil {
					return err
				}
				out.WriteString(line)
				fmt.Fprint(os.Stderr, line)
			}
		}
	}
	return nil
}

// cell is one line of the table.
type cell struct {
	test        string
	depth, keys int
}

// title is how a table names the test.
func (c *cell) title() string {
	if _, small := findSmall(c.test); small {
		return c.test
	}
	return strings.ToUpper(c.test)
}

// measureCell measures one line: repetitions by turns, medians. The order of the
// servers alternates.
func measureCell(s *settings, servers []*process, c cell, durability string) (string, error) {
	if c.test == "mget" {
		c.keys = 100_000
	}
	n := 20_000 * min(c.depth, 8)
	for i, p := range servers { // find out how many operations fill the time
		probe, err := measureOnce(s, p, c, n)
		if err != nil {
			return "", err
		}
		if i == 0 || int(probe.perSecond*s.seconds) < n {
			n = max(int(probe.perSecond*s.seconds), 1000)
		}
	}
	samples := make([][]sample, len(servers))
	for rep := range s.reps {
		for i := range servers {
			if rep%2 == 1 {
				i = len(servers) - 1 - i
			}
			x, err := measureOnce(s, servers[i], c, n)
			if err != nil {
				return "", err
			}
			samples[i] = append(samples[i], x)
		}
	}
	ours := samples[len(samples)-1]
	columns := []string{c.title(), strconv.Itoa(c.keys), strconv.Itoa(c.depth), durability}
	for _, theirs := range samples[:len(samples)-1] {
		var ratios []float64
		for i := range theirs {
			ratios = append(ratios, theirs[i].cpu/ours[i].cpu)
		}
		columns = append(columns, fmt.Sprintf("**%.2f** [%.2f–%.2f]", median(ratios), slices.Min(ratios), slices.Max(ratios)))
	}
	for _, f := range []struct {
		format string
		of     func(sample) float64
	}{
		{"%.2f", func(x sample) float64 { return x.cpu }}, {"%.0f", func(x sample) float64 { return x.perSecond }},
		{"%.2f", func(x sample) float64 { return x.p50 }}, {"%.2f", func(x sample) float64 { return x.p99 }},
		{"%.0f", func(x sample) float64 { return x.rss }},
	} {
		var medians []string
		for i := range samples {
			var v []float64
			for _, x := range samples[i] {
				v = append(v, f.of(x))
			}
			medians = append(medians, fmt.Sprintf(f.format, median(v)))
		}
		columns = append(columns, strings.Join(medians, " / "))
	}
	return "| " + strings.Join(columns, " | ") + " |\n", nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func bounds(v []float64) (low, high float64) { return slices.Min(v), slices.Max(v) }

func measureOnce(s *settings, p *process, c cell, n int) (sample, error) {
	command, err := commandOf(c.test)
	if err != nil {
		return sample{}, err
	}
	args := append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-c", strconv.Itoa(s.clients), "-n", strconv.Itoa(n), "-P", strconv.Itoa(c.depth),
		"-r", strconv.Itoa(c.keys), "--csv"}, command...)
	if t, _ := findSmall(c.test); t.before != nil {
		if err := p.repeat(t.before, n, c.keys); err != nil {
			return sample{}, err
		}
	}
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	text, err := exec.Command("redis-benchmark", args...).Output()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark against %s: %w", p.name, err)
	}
	after, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(rows) < 2 || len(rows[1]) < 8 {
		return sample{}, fmt.Errorf("redis-benchmark against %s printed %q", p.name, text)
	}
	var x sample
	row := rows[len(rows)-1]
	for i, to := range map[int]*float64{1: &x.perSecond, 4: &x.p50, 6: &x.p99} {
		if *to, err = strconv.ParseFloat(row[i], 64); err != nil {
			return sample{}, err
		}
	}
	x.cpu = float64(after-before) / float64(time.Microsecond) / float64(n)
	x.rss, err = p.rss()
	return x, err
}
