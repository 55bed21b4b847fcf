package main

import (
	"encoding/csv"
	"fmt"
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
	case "mget":
		args := []string{"MGET"}
		for range 10 {
			args = append(args, "{m}:__rand_int__")
		}
		return args, nil
	}
	return nil, fmt.Errorf("no test is called %q", test)
}

func writes(test string) bool {
	return test == "set" || test == "incr" || test == "hset" || test == "sadd"
}

func measureSpeed(s *settings) (string, error) {
	var out strings.Builder
	out.WriteString("| test | P | durability | ops/s redis | ops/s Cobble | ratio | CPU µs/op redis | CPU µs/op Cobble | CPU efficiency (redis ÷ Cobble), median [range] | p50 ms r/C | p99 ms r/C |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, durability := range s.durability {
		if err := speedOf(s, durability, &out); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func speedOf(s *settings, durability string, out *strings.Builder) error {
	var servers [2]*process
	for i, name := range []string{"redis", "cobble"} {
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
		if err := p.load(s.keyspace, "key:%012d"); err != nil {
			return err
		}
		if err := p.load(100_000, "{m}:%012d"); err != nil {
			return err
		}
		servers[i] = p
	}
	for _, test := range s.tests {
		if durability != "none" && !writes(test) && len(s.durability) > 1 {
			continue // a read costs the same whatever the log does
		}
		for _, depth := range s.pipelines {
			line, err := cell(s, servers, test, depth, durability)
			if err != nil {
				return err
			}
			out.WriteString(line)
			fmt.Print(line)
		}
	}
	return nil
}

// cell measures one line of the table: repetitions by turns, medians.
func cell(s *settings, servers [2]*process, test string, depth int, durability string) (string, error) {
	var samples [2][]sample
	n := 20_000 * min(depth, 8)
	for i, p := range servers { // find out how many operations fill the time
		probe, err := measureOnce(s, p, test, depth, n)
		if err != nil {
			return "", err
		}
		if i == 0 || int(probe.perSecond*s.seconds) < n {
			n = max(int(probe.perSecond*s.seconds), 1000)
		}
	}
	var ratios []float64
	for range s.reps {
		var pair [2]sample
		for i, p := range servers {
			var err error
			if pair[i], err = measureOnce(s, p, test, depth, n); err != nil {
				return "", err
			}
			samples[i] = append(samples[i], pair[i])
		}
		ratios = append(ratios, pair[0].cpu/pair[1].cpu)
	}
	at := func(i int, f func(sample) float64) float64 {
		var v []float64
		for _, x := range samples[i] {
			v = append(v, f(x))
		}
		return median(v)
	}
	ops := func(x sample) float64 { return x.perSecond }
	cpu := func(x sample) float64 { return x.cpu }
	p50 := func(x sample) float64 { return x.p50 }
	p99 := func(x sample) float64 { return x.p99 }
	return fmt.Sprintf("| %s | %d | %s | %.0f | %.0f | %.2f | %.2f | %.2f | **%.2f** [%.2f–%.2f] | %.2f / %.2f | %.2f / %.2f |\n",
		strings.ToUpper(test), depth, durability, at(0, ops), at(1, ops), at(1, ops)/at(0, ops), at(0, cpu), at(1, cpu),
		median(ratios), slices.Min(ratios), slices.Max(ratios), at(0, p50), at(1, p50), at(0, p99), at(1, p99)), nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func measureOnce(s *settings, p *process, test string, depth, n int) (sample, error) {
	command, err := commandOf(test)
	if err != nil {
		return sample{}, err
	}
	keyspace := s.keyspace
	if test == "mget" {
		keyspace = 100_000
	}
	args := append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-c", strconv.Itoa(s.clients), "-n", strconv.Itoa(n), "-P", strconv.Itoa(depth),
		"-r", strconv.Itoa(keyspace), "--csv"}, command...)
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
	x.cpu = float64((after-before)/time.Microsecond) / float64(n)
	return x, nil
}
