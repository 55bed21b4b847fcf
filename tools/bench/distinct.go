package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// measureDistinct writes keys that are far more than may be dirty, each again and
// again, and counts everything that it costs: the time is over when what was written
// is in the store, and compactions have ended.
func measureDistinct(s *settings) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "SET of %d distinct keys, everysec, budget %d MiB, %d SETs per repetition; CPU of the whole process and its children until it is at rest\n\n"+
		"| P | CPU efficiency (redis ÷ Cobble), median [range] | CPU µs/op redis / cobble | ops/s redis / cobble | p99 ms redis / cobble | of Cobble's CPU after the last reply | generations | compactions |\n|---|---|---|---|---|---|---|---|\n",
		s.keyspace, s.budget, s.writes)
	servers := map[string]*process{}
	for _, name := range []string{"redis", "cobble"} {
		p, err := s.startLoaded(name, "everysec", s.keyspace, s.budgetArgs(name, s.budget)...)
		if err != nil {
			return "", err
		}
		defer p.remove()
		servers[name] = p
	}
	for _, depth := range s.pipelines {
		line, err := distinctAt(s, servers, depth)
		if err != nil {
			return "", err
		}
		out.WriteString(line)
		fmt.Fprint(os.Stderr, line)
	}
	return out.String(), nil
}

func distinctAt(s *settings, servers map[string]*process, depth int) (string, error) {
	type figures struct{ cpu, perSecond, p99, late []float64 }
	all := map[string]*figures{"redis": {}, "cobble": {}}
	generations, compactions := 0.0, 0.0
	var ratios []float64
	for rep := range s.reps {
		for _, name := range []string{"redis", "cobble"} {
			p, f := servers[name], all[name]
			fields := p.fields()
			x, cpu, late, err := writeAll(s, p, uint64(rep), depth)
			if err != nil {
				return "", err
			}
			f.cpu, f.perSecond = append(f.cpu, cpu), append(f.perSecond, x.perSecond)
			f.p99, f.late = append(f.p99, x.p99), append(f.late, late)
			if name == "cobble" {
				after := p.fields()
				generations += after["storage_generations"] - fields["storage_generations"]
				compactions += after["storage_compactions"] - fields["storage_compactions"]
				ratios = append(ratios, all["redis"].cpu[rep]/cpu)
			}
		}
	}
	r, c := all["redis"], all["cobble"]
	low, high := bounds(ratios)
	return fmt.Sprintf("| %d | **%.2f** [%.2f–%.2f] | %.2f / %.2f | %.0f / %.0f | %.2f / %.2f | %.0f %% | %.0f | %.0f |\n", depth, median(ratios), low, high,
		median(r.cpu), median(c.cpu), median(r.perSecond), median(c.perSecond), median(r.p99), median(c.p99), 100*median(c.late), generations, compactions), nil
}

// writeAll sends s.writes SETs and lets the server come to rest. It returns the CPU
// time per SET in microseconds, and what part of it came after the last reply.
func writeAll(s *settings, p *process, seed uint64, depth int) (x outcome, cpu, late float64, err error) {
	if err := p.rest(); err != nil {
		return x, 0, 0, err
	}
	before, err := p.wholeCPU()
	if err != nil {
		return x, 0, 0, err
	}
	left := s.writes
	var perSecond []float64
	for left > 0 { // in stretches, so that the times of all commands need no memory
		part, err := p.drive(s, traffic{pick: uniform(s.keyspace, seed<<32+uint64(left))}, time.Second, 0, depth)
		if err != nil {
			return x, 0, 0, err
		}
		left -= part.done
		perSecond = append(perSecond, part.perSecond)
		x.p99 = max(x.p99, part.p99)
	}
	done := float64(s.writes - left)
	x.perSecond = median(perSecond)
	loaded, err := p.wholeCPU()
	if err != nil {
		return x, 0, 0, err
	}
	if err := p.rest(); err != nil {
		return x, 0, 0, err
	}
	after, err := p.wholeCPU()
	if err != nil {
		return x, 0, 0, err
	}
	return x, (after - before).Seconds() * 1e6 / done, (after - loaded).Seconds() / (after - before).Seconds(), nil
}
