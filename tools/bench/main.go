package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

type settings struct {
	cobble, redis string
	tests         []string
	pipelines     []int
	durability    []string
	reps          int
	seconds       float64
	clients       int
	keyspace      int
	memoryKeys    int
	out           string
}

func main() {
	var s settings
	var tests, pipelines, durability string
	flag.StringVar(&s.cobble, "cobble", "bin/cobble", "the Cobble binary")
	flag.StringVar(&s.redis, "redis", "redis-server", "the redis-server (or valkey-server) to compare with")
	flag.StringVar(&tests, "tests", "get,set,incr,hset,mget", "what to measure")
	flag.StringVar(&pipelines, "pipelines", "1,16,64", "pipeline depths")
	flag.StringVar(&durability, "durability", "none,everysec,always", "none, everysec, always")
	flag.IntVar(&s.reps, "reps", 3, "interleaved repetitions of each cell; the median is reported")
	flag.Float64Var(&s.seconds, "seconds", 2, "how long one repetition should take on the slower server, about")
	flag.IntVar(&s.clients, "clients", 50, "connections")
	flag.IntVar(&s.keyspace, "keyspace", 1_000_000, "distinct keys")
	flag.IntVar(&s.memoryKeys, "memory-keys", 0, "measure memory and restart with this many keys of 100 bytes instead")
	flag.StringVar(&s.out, "out", "", "also write the table to this file")
	flag.Parse()
	s.tests, s.durability = strings.Split(tests, ","), strings.Split(durability, ",")
	for _, p := range strings.Split(pipelines, ",") {
		var depth int
		if _, err := fmt.Sscan(p, &depth); err != nil || depth < 1 {
			fmt.Fprintf(os.Stderr, "bench: %q is not a pipeline depth\n", p)
			os.Exit(2)
		}
		s.pipelines = append(s.pipelines, depth)
	}
	report, err := run(&s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	fmt.Print(report)
	if s.out != "" {
		if err := os.WriteFile(s.out, []byte(report), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

func run(s *settings) (string, error) {
	if s.memoryKeys > 0 {
		return measureMemory(s)
	}
	return measureSpeed(s)
}
