package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/tests/proc"
)

const (
	writers  = 4
	pipeline = 32
	keyBytes = 160 // what a key of 100 bytes weighs in memory, roughly
)

// sample is what is watched, at one moment.
type sample struct {
	at                               time.Duration
	writes                           int64 // since the last sample, per second
	goroutines, heap, rss, log, debt int64
	sublevels                        int64
	cpu                              time.Duration // of the server, for each write since the last sample
	p99, worst                       time.Duration // of a single GET or SET since the last sample
}

func (s sample) String() string {
	const mib = 1 << 20
	return fmt.Sprintf("%7s %7d writes/s of %6s  %4d goroutines  heap %4d  rss %4d  log %5d  debt %5d MiB  %3d sublevels  p99 %8s  worst %8s",
		s.at.Round(time.Second), s.writes, s.cpu.Round(100*time.Nanosecond), s.goroutines, s.heap/mib, s.rss/mib, s.log/mib, s.debt/mib, s.sublevels,
		s.p99.Round(10*time.Microsecond), s.worst.Round(10*time.Microsecond))
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q is not a number above 0", name, text)
	}
	return n
}

// load is the clients of one soak.
type load struct {
	t      *testing.T
	server *proc.Server
	keys   int
	stop   chan struct{}
	done   sync.WaitGroup
	writes atomic.Int64
	cpu    time.Duration // of the server until the last sample

	mu    sync.Mutex
	times []time.Duration // of the probe, since the last sample
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// write sends pipelines of SETs of random keys for as long as the load runs.
func (l *load) write(seed uint64) {
	defer l.done.Done()
	rnd := rand.New(rand.NewPCG(seed, 7))
	conn := l.server.Conn()
	defer conn.Close()
	value := strings.Repeat("v", 92)
	for !l.ended() {
		commands := make([][]string, pipeline)
		for i := range commands {
			commands[i] = []string{"SET", "key:" + strconv.Itoa(rnd.IntN(l.keys)), value + strconv.Itoa(10_000_000+rnd.IntN(9_999_999))}
		}
		replies, err := conn.Pipeline(commands)
		if err != nil {
			l.t.Errorf("a writer: %v", err)
			return
		}
		for _, r := range replies {
			if r.Err() != nil {
				l.t.Errorf("SET: %v", r.Err())
				return
			}
		}
		l.writes.Add(pipeline)
	}
}

// probe times single commands.
func (l *load) probe() {
	defer l.done.Done()
	conn := l.server.Conn()
	defer conn.Close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		key := "key:" + strconv.Itoa(rand.IntN(l.keys))
		begin := time.Now()
		command := []string{"GET", key}
		if n%2 == 0 {
			command = []string{"SET", key, "probe"}
		}
		if r, err := conn.Do(command...); err != nil || r.Err() != nil {
			l.t.Errorf("%v: %v %v", command, r, err)
			return
		}
		took := time.Since(begin)
		l.mu.Lock()
		l.times = append(l.times, took)
		l.mu.Unlock()
	}
}

// sample reads the server's figures.
func (l *load) sample(at, since time.Duration) sample {
	fields := map[string]int64{}
	for _, section := range []string{"memory", "storage"} {
		text, err := l.server.Do("INFO", section).Str()
		if err != nil {
			l.t.Fatal(err)
		}
		for _, line := range strings.Split(text, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				fields[name] = n
			}
		}
	}
	writes, cpu := l.writes.Swap(0), l.server.CPU()
	s := sample{
		at: at, writes: writes * int64(time.Second) / int64(since), cpu: (cpu - l.cpu) / time.Duration(max(writes, 1)),
		goroutines: fields["storage_goroutines"], heap: fields["cobble_memory_heap_live"], rss: fields["used_memory_rss"],
		log: fields["storage_log_bytes"], debt: fields["storage_compaction_debt_bytes"], sublevels: fields["storage_l0_sublevels"],
	}
	l.cpu = cpu
	l.mu.Lock()
	times := l.times
	l.times = nil
	l.mu.Unlock()
	if len(times) > 0 {
		slices.Sort(times)
		s.p99, s.worst = times[len(times)*99/100], times[len(times)-1]
	}
	return s
}

// TestSoak fails when a figure of the last third of the run is beyond what it was in
// the middle third. A run that is judged begins when the table of rows is full, however
// long that takes the machine.
func TestSoak(t *testing.T) {
	length := time.Duration(setting(t, "COBBLE_SOAK_SECONDS", 4)) * time.Second
	budget := setting(t, "COBBLE_SOAK_BUDGET", 48)
	keys := setting(t, "COBBLE_SOAK_KEYS", 5*budget<<20/keyBytes)
	server := proc.Start(t, proc.Options{Standalone: true, Args: []string{"--memory-budget", fmt.Sprintf("%dmb", budget), "--appendonly", "yes"}})
	l := &load{t: t, server: server, keys: keys, stop: make(chan struct{})}
	l.done.Add(writers + 1)
	for i := range writers {
		go l.write(uint64(i))
	}
	go l.probe()
	t.Logf("%d keys of 100 bytes, a budget of %d MiB, %s", keys, budget, length)
	interval := max(length/20, time.Second)
	if judged := length >= 6*interval; judged {
		proc.Eventually(t, 3*time.Minute, "the table of rows to be full", func() error {
			if n, full := l.writes.Load(), int64(2*budget<<20/keyBytes); n < full && !t.Failed() {
				return fmt.Errorf("%d of %d writes", n, full)
			}
			return nil
		})
	}
	begin := time.Now()
	l.sample(0, time.Second) // what follows counts from here
	var samples []sample
	for last := begin; time.Since(begin) < length && !t.Failed(); {
		time.Sleep(interval) // the rhythm of the measurement, not a wait for anything
		now := time.Now()
		samples = append(samples, l.sample(now.Sub(begin), now.Sub(last)))
		t.Log(samples[len(samples)-1])
		last = now
	}
	close(l.stop)
	l.done.Wait()
	if len(samples) >= 6 && !t.Failed() {
		judge(t, samples, int64(budget)<<20)
	}
}

// judge compares the last third of the samples with the one before. Of time it takes what the server used, and only
// stalls of the clock: a machine that others use too may become slower at any moment.
func judge(t *testing.T, samples []sample, budget int64) {
	const mib = 1 << 20
	n := len(samples) / 3
	middle, last := samples[len(samples)-2*n:len(samples)-n], samples[len(samples)-n:]
	for _, c := range []struct {
		name   string
		of     func(s sample) int64
		factor float64 // how much more is no growth
		slack  int64
	}{
		{"goroutines", func(s sample) int64 { return s.goroutines }, 1.1, 8},
		{"live heap", func(s sample) int64 { return s.heap }, 1.15, 8 * mib},
		{"resident memory", func(s sample) int64 { return s.rss }, 1.1, 8 * mib},
		{"log bytes", func(s sample) int64 { return s.log }, 1.25, 192 * mib}, // three segments
		{"compaction debt", func(s sample) int64 { return s.debt }, 1.2, 128 * mib},
		{"level 0 sublevels", func(s sample) int64 { return s.sublevels }, 1.2, 16}, // from so many on they are compacted first
		{"p99", func(s sample) int64 { return int64(s.p99) }, 5, int64(250 * time.Millisecond)},
		{"CPU of a write", func(s sample) int64 { return int64(s.cpu) }, 3, int64(20 * time.Microsecond)},
	} {
		before, after := median(middle, c.of), median(last, c.of)
		if float64(after) > float64(before)*c.factor+float64(c.slack) {
			t.Errorf("%s grew from %d to %d", c.name, before, after)
		}
	}
	allowed := budget / 10 * 11
	if budget < 128*mib {
		allowed = budget + 48*mib // a process that holds nothing takes about 40
	}
	if rss := median(last, func(s sample) int64 { return s.rss }); rss > allowed {
		t.Errorf("%d MiB are resident under a budget of %d MiB", rss/mib, budget/mib)
	}
}

func median(samples []sample, of func(sample) int64) int64 {
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// A run in which something grows is told from one in which nothing does.
func TestJudgeSeesGrowth(t *testing.T) {
	steady := make([]sample, 18)
	for i := range steady {
		steady[i] = sample{goroutines: 30, heap: 20 << 20, rss: 60 << 20, log: 128 << 20, debt: 50 << 20, sublevels: 10, writes: 50_000, p99: 3 * time.Millisecond, cpu: 8 * time.Microsecond}
	}
	if verdict(steady) {
		t.Error("a steady run is found to grow")
	}
	for name, grow := range map[string]func(s *sample, i int64){
		"goroutines": func(s *sample, i int64) { s.goroutines += 5 * i },
		"heap":       func(s *sample, i int64) { s.heap += i << 22 },
		"rss":        func(s *sample, i int64) { s.rss += i << 22 },
		"log":        func(s *sample, i int64) { s.log += i << 26 },
		"debt":       func(s *sample, i int64) { s.debt += i << 26 },
		"sublevels":  func(s *sample, i int64) { s.sublevels += 6 * i },
		"p99":        func(s *sample, i int64) { s.p99 += time.Duration(i/12) * 300 * time.Millisecond },
		"CPU":        func(s *sample, i int64) { s.cpu += time.Duration(i/12) * 100 * time.Microsecond },
	} {
		grown := slices.Clone(steady)
		for i := range grown {
			grow(&grown[i], int64(i))
		}
		if !verdict(grown) {
			t.Errorf("growth of %s goes unnoticed", name)
		}
	}
}

// verdict reports whether judge finds fault.
func verdict(samples []sample) bool {
	probe := &testing.T{}
	judge(probe, samples, 64<<20)
	return probe.Failed()
}
