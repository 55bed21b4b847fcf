package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// latencyKeys is a key space: with few keys every change collapses in memory and
// nothing is flushed, with many flushes and compactions run all the time.
type latencyKeys struct {
	name string
	keys int
}

// sustained is for how long a server must take a rate at full speed: in the first second
// or two nothing of it is flushed yet.
const sustained = 15 * time.Second

// measureLatency sends SETs at half of the rate that the slower server can take for long,
// and measures from the time at which each should have been sent.
func measureLatency(s *settings) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Latency of SET at a fixed rate, half of what the slower server takes at full speed for %.0f s, everysec, budget %d MiB; %d repetitions of %g s by turns, medians [worst]\n\n"+
		"| server | keys | P | ops/s | p50 ms | p99 ms | p99.9 ms | max ms | generations | compactions |\n|---|---|---|---|---|---|---|---|---|---|\n",
		sustained.Seconds(), s.budget, s.reps, s.seconds)
	var servers []*process
	for _, name := range s.peers() {
		p, err := s.startLoaded(name, "everysec", s.keyspace, s.budgetArgs(name, s.budget)...)
		if err != nil {
			return "", err
		}
		defer p.remove()
		servers = append(servers, p)
	}
	for _, depth := range s.pipelines {
		lines, err := latencyAt(s, servers, depth)
		if err != nil {
			return "", err
		}
		out.WriteString(lines)
		fmt.Fprint(os.Stderr, lines)
	}
	return out.String(), nil
}

func latencyAt(s *settings, servers []*process, depth int) (string, error) {
	spaces := []latencyKeys{{"hot", max(s.hot, 1)}, {"distinct", s.keyspace}}
	type row struct {
		outcomes                 []outcome
		generations, compactions float64
	}
	rows := map[string]*row{}
	rate := 0.0
	for _, p := range servers {
		x, err := p.drive(s, traffic{pick: uniform(s.keyspace, 5)}, sustained, 0, depth)
		if err != nil {
			return "", err
		}
		if rate == 0 || x.perSecond/2 < rate {
			rate = x.perSecond / 2
		}
	}
	for rep := range s.reps {
		for _, space := range spaces {
			for _, p := range servers {
				r := rows[p.name+space.name]
				if r == nil {
					r = new(row)
					rows[p.name+space.name] = r
				}
				// What the run before left to do at full speed is not background work of this one.
				if err := p.rest(); err != nil {
					return "", err
				}
				before := p.fields()
				x, err := p.drive(s, traffic{pick: uniform(space.keys, uint64(rep))}, s.length(), rate, depth)
				if err != nil {
					return "", err
				}
				after := p.fields()
				r.outcomes = append(r.outcomes, x)
				r.generations += after["storage_generations"] - before["storage_generations"]
				r.compactions += after["storage_compactions"] - before["storage_compactions"]
			}
		}
	}
	var out strings.Builder
	for _, p := range servers {
		for _, space := range spaces {
			r := rows[p.name+space.name]
			fmt.Fprintf(&out, "| %s | %d %s | %d | %.0f |", p.name, space.keys, space.name, depth, rate)
			for _, of := range []func(outcome) float64{
				func(x outcome) float64 { return x.p50 }, func(x outcome) float64 { return x.p99 },
				func(x outcome) float64 { return x.p999 }, func(x outcome) float64 { return x.max },
			} {
				var v []float64
				worst := 0.0
				for _, x := range r.outcomes {
					v = append(v, of(x))
					worst = max(worst, of(x))
				}
				fmt.Fprintf(&out, " %.2f [%.2f] |", median(v), worst)
			}
			fmt.Fprintf(&out, " %.0f | %.0f |\n", r.generations, r.compactions)
		}
	}
	return out.String(), nil
}

// length is how long one repetition takes.
func (s *settings) length() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }

// drive runs a client against the server.
func (p *process) drive(s *settings, t traffic, d time.Duration, rate float64, depth int) (outcome, error) {
	c, err := newClient(p.port, s.clients, t)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	x, err := c.run(d, rate, depth)
	if err != nil {
		err = fmt.Errorf("%s: %w", p.name, err)
	}
	return x, err
}
