package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// measureBeyond compares a Cobble whose budget is a fifth of its data with one that
// holds all of it, under a zipfian load, and its memory with redis-server's.
func measureBeyond(s *settings) (string, error) {
	var out strings.Builder
	data := s.keyspace * (len(payload) + len("key:000000000000"))
	budget := max(data/5>>20, 1)
	fmt.Fprintf(&out, "%d keys of 100 bytes, %d MiB with their names; zipfian (0.99), 95 %% GET and 5 %% SET, everysec; \"fifth\" has a budget of %d MiB, \"all\" room for everything\n\n"+
		"| P | ops/s all | ops/s fifth | ratio, median [range] | p99 ms all / fifth | p99.9 ms | CPU µs/op all / fifth | cold reads per op | RSS MiB all / fifth | RSS ÷ budget |\n|---|---|---|---|---|---|---|---|---|---|\n",
		s.keyspace, data>>20, budget)
	all, err := s.startLoaded("cobble", "everysec", s.keyspace, s.budgetArgs("cobble", data*3>>20+256)...)
	if err != nil {
		return "", err
	}
	defer all.remove()
	fifth, err := s.startLoaded("cobble", "everysec", s.keyspace, s.budgetArgs("cobble", budget)...)
	if err != nil {
		return "", err
	}
	defer fifth.remove()
	pick := zipfian(s.keyspace, 11)
	if err := s.warm(fifth, traffic{reads: .95, pick: pick}); err != nil {
		return "", err
	}
	for _, depth := range s.pipelines {
		line, err := beyondAt(s, all, fifth, traffic{reads: .95, pick: pick}, depth, budget)
		if err != nil {
			return "", err
		}
		out.WriteString(line)
		fmt.Fprint(os.Stderr, line)
	}
	working, err := measureWorkingSet(s, fifth)
	if err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, working)
	return out.String() + working, nil
}

func (p *process) coldReads() float64 { return p.fields()["storage_cold_reads"] }

// warm drives a server until the share of commands that read from disk falls no further: what is in
// memory after loading are the keys that were loaded last.
func (s *settings) warm(p *process, t traffic) error {
	for last, round := 1.0, 0; round < 15; round++ {
		before := p.coldReads()
		o, err := p.drive(s, t, max(s.length(), 3*time.Second), 0, 16)
		if err != nil {
			return err
		}
		share := (p.coldReads() - before) / float64(o.done)
		if share > last*.98 {
			return nil
		}
		last = share
	}
	return nil
}

func beyondAt(s *settings, all, fifth *process, t traffic, depth, budget int) (string, error) {
	var x [2][]outcome
	var cpu, rss [2][]float64
	var ratios, cold []float64
	for rep := range s.reps + 1 {
		for i, p := range []*process{all, fifth} {
			before, err := p.cpu()
			if err != nil {
				return "", err
			}
			loads := p.coldReads()
			o, err := p.drive(s, t, s.length(), 0, depth)
			if err != nil {
				return "", err
			}
			after, err := p.cpu()
			if err != nil {
				return "", err
			}
			if rep == 0 {
				continue // warms the caches
			}
			m, err := p.rss()
			if err != nil {
				return "", err
			}
			x[i] = append(x[i], o)
			cpu[i] = append(cpu[i], (after-before).Seconds()*1e6/float64(o.done))
			rss[i] = append(rss[i], m)
			if p == fifth {
				cold = append(cold, (p.coldReads()-loads)/float64(o.done))
				ratios = append(ratios, o.perSecond/x[0][rep-1].perSecond)
			}
		}
	}
	mid := func(i int, of func(outcome) float64) float64 {
		var v []float64
		for _, o := range x[i] {
			v = append(v, of(o))
		}
		return median(v)
	}
	speed, p99, p999 := func(o outcome) float64 { return o.perSecond }, func(o outcome) float64 { return o.p99 }, func(o outcome) float64 { return o.p999 }
	low, high := bounds(ratios)
	return fmt.Sprintf("| %d | %.0f | %.0f | **%.2f** [%.2f–%.2f] | %.2f / %.2f | %.2f / %.2f | %.2f / %.2f | %.3f | %.0f / %.0f | %.2f |\n", depth,
		mid(0, speed), mid(1, speed), median(ratios), low, high, mid(0, p99), mid(1, p99), mid(0, p999), mid(1, p999),
		median(cpu[0]), median(cpu[1]), median(cold), median(rss[0]), median(rss[1]), median(rss[1])/float64(budget)), nil
}

// measureWorkingSet reads a fifth of the keys, and nothing else, for some time.
func measureWorkingSet(s *settings, fifth *process) (string, error) {
	redis, err := s.startLoaded("redis", "everysec", s.keyspace)
	if err != nil {
		return "", err
	}
	defer redis.remove()
	working := s.keyspace / 5
	if _, err := fifth.drive(s, traffic{reads: 1, pick: uniform(working, 17)}, max(s.length()*2, time.Second), 0, 16); err != nil {
		return "", err
	}
	ours, err := fifth.rss()
	if err != nil {
		return "", err
	}
	theirs, err := redis.rss()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("\nWorking set of %d keys read: RSS %.0f MiB, redis-server with all keys %.0f MiB: **%.2f**\n", working, ours, theirs, ours/theirs), nil
}
