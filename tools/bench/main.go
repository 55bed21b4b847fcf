package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

type settings struct {
	cobble, redis string
	valkey        string
	profile       string
	tests         []string
	pipelines     []int
	durability    []string
	reps          int
	seconds       float64
	clients       int
	keyspace      int
	hot           int
	memoryKeys    int
	latency       bool
	distinct      bool
	beyond        bool
	budget        int // MiB
	writes        int
	out           string

	collections     int
	collectionTypes string
	small           bool
	smallOnly       string

	pauses     bool
	pausesOnly string
	elements   int
}

func main() {
	var s settings
	var tests, pipelines, durability string
	flag.StringVar(&s.cobble, "cobble", "bin/cobble", "the Cobble binary")
	flag.StringVar(&s.redis, "redis", "redis-server", "the redis-server (or valkey-server) to compare with")
	flag.StringVar(&s.valkey, "valkey", "", "a third server of Redis's command line to measure by turns with them")
	flag.StringVar(&tests, "tests", "get,set,incr,hset,hget,mget", "what to measure")
	flag.StringVar(&pipelines, "pipelines", "1,16,64", "pipeline depths")
	flag.StringVar(&durability, "durability", "none,everysec,always", "none, everysec, always")
	flag.IntVar(&s.reps, "reps", 5, "interleaved repetitions of each cell; the median is reported")
	flag.Float64Var(&s.seconds, "seconds", 2, "how long one repetition should take on the slower server, about")
	flag.IntVar(&s.clients, "clients", 50, "connections")
	flag.IntVar(&s.keyspace, "keyspace", 1_000_000, "distinct keys")
	flag.IntVar(&s.hot, "hot", 1000, "keys of the hot key space, which SET is also measured on; 0 leaves it out")
	flag.IntVar(&s.memoryKeys, "memory-keys", 0, "also measure memory and restart with this many keys of 100 bytes")
	flag.BoolVar(&s.latency, "latency", false, "also measure latency at half of the load that can be sustained, with and without background work")
	flag.BoolVar(&s.distinct, "distinct", false, "also measure SET of keys that do not fit what may be dirty, flushes and compactions paid")
	flag.BoolVar(&s.beyond, "beyond", false, "also measure a zipfian load with a budget of a fifth of the data, and the memory of a working set of a fifth")
	flag.IntVar(&s.budget, "budget", 512, "Cobble's memory budget for -latency and -distinct, MiB")
	flag.IntVar(&s.writes, "writes", 10_000_000, "SETs of one repetition of -distinct")
	flag.StringVar(&s.profile, "profile", "", "instead, write the CPU profile of a Cobble built with -tags profile to this file")
	flag.StringVar(&s.out, "out", "", "also write the page to this file")
	flag.IntVar(&s.collections, "collections", 0, "instead, time commands on collections of this many elements")
	flag.StringVar(&s.collectionTypes, "types", "", "of these types only: list,hash,set,zset,stream")
	flag.BoolVar(&s.small, "small", false, "instead, measure commands on small collections, and on one large one of each type")
	flag.StringVar(&s.smallOnly, "small-only", "", "of these only those whose name has this in it")
	flag.BoolVar(&s.pauses, "pauses", false, "instead, measure what other clients wait for while one does something big")
	flag.StringVar(&s.pausesOnly, "pauses-only", "", "of these only those whose name has one of these words in it, separated by commas")
	flag.IntVar(&s.elements, "elements", 3_000_000, "how many elements, or keys, -pauses works on")
	probePort := flag.Int("probe", 0, "instead, be the probe of -pauses at this port")
	probeKey := flag.String("probe-key", "", "and ask for this key")
	probeWrite := flag.Bool("probe-write", false, "or set it")
	flag.Parse()
	if *probePort != 0 {
		if err := runProbe(*probePort, *probeKey, *probeWrite, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench: probe:", err)
			os.Exit(1)
		}
		return
	}
	s.tests, s.durability = list(tests), list(durability)
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

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// run returns the page.
func run(s *settings) (string, error) {
	if s.profile != "" {
		return "", recordProfile(s)
	}
	page, err := header(s)
	if err != nil {
		return "", err
	}
	if s.pauses {
		pauses, err := measurePauses(s)
		return page + pauses, err
	}
	if s.collections > 0 || s.small {
		return measureTypes(s, page)
	}
	if len(s.tests) > 0 {
		speed, err := measureSpeed(s)
		if err != nil {
			return "", err
		}
		page += speed
	}
	for _, more := range []struct {
		wanted  bool
		measure func(*settings) (string, error)
	}{{s.memoryKeys > 0, measureMemory}, {s.latency, measureLatency}, {s.distinct, measureDistinct}, {s.beyond, measureBeyond}} {
		if !more.wanted {
			continue
		}
		text, err := more.measure(s)
		if err != nil {
			return "", err
		}
		page += "\n" + text
	}
	return page, nil
}
