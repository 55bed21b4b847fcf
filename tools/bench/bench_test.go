package main

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"cobble/tests/proc"
)

func TestScatterIsAPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 3, 100, 4096, 5000} {
		seen := make([]bool, n)
		for i := range n {
			at := scatter(i, n)
			if seen[at] {
				t.Fatalf("of %d keys, %d is hit twice", n, at)
			}
			seen[at] = true
		}
	}
}

// The most frequent keys have the shares that the distribution says: of 1000 keys the
// first tenth has 1-H(100)/H(1000) less than all, some 70 %.
func TestZipfianShares(t *testing.T) {
	const n, draws = 1000, 200_000
	counts := make([]int, n)
	pick := zipfian(n, 1)
	for range draws {
		counts[pick()]++
	}
	first, tenth := counts[scatter(0, n)], 0
	for i := range n / 10 {
		tenth += counts[scatter(i, n)]
	}
	if share := float64(first) / draws; share < .11 || share > .15 {
		t.Errorf("the first key has a share of %.3f, not of 0.13", share)
	}
	if share := float64(tenth) / draws; share < .65 || share > .75 {
		t.Errorf("the first tenth has a share of %.3f, not of 0.7", share)
	}
}

func TestReplyLengths(t *testing.T) {
	var c client
	for text, want := range map[string]int{
		"": 0, "+O": 0, "+OK\r\n": 5, "+OK\r\n+OK\r\n": 5, "$-1\r\n": 5, "$3\r\nab": 0, "$3\r\nabc\r": 0, "$3\r\nabc\r\n": 9, "$0\r\n\r\n": 6,
	} {
		if got := c.reply([]byte(text)); got != want {
			t.Errorf("the reply in %q ends at %d, not %d", text, got, want)
		}
	}
	if c.errors != 0 || c.reply([]byte("-ERR no\r\n")) != 9 || c.errors != 1 {
		t.Errorf("an error reply is not counted")
	}
}

// A command is what a server can read: a key of 16 bytes, a value of 100.
func TestTrafficIsWellFormed(t *testing.T) {
	tr := traffic{reads: .5, pick: uniform(10, 1)}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		parts := strings.Split(string(tr.append(nil, rng)), "\r\n")
		get := parts[0] == "*2" && parts[2] == "GET" && len(parts) == 6
		set := parts[0] == "*3" && parts[2] == "SET" && len(parts) == 8 && len(parts[6]) == 100
		if !get && !set || len(parts[4]) != 16 {
			t.Fatalf("%q", parts)
		}
	}
}

// Every measurement runs, on small key spaces, and fills its table.
func TestMeasurementsRun(t *testing.T) {
	for _, name := range []string{"redis-server"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is needed: make need", name)
		}
	}
	s := &settings{
		cobble: proc.CobbleBinary(t), redis: "redis-server", pipelines: []int{4}, reps: 1, seconds: .1,
		clients: 4, keyspace: 2000, hot: 10, budget: 64, writes: 2000,
	}
	for name, measure := range map[string]func(*settings) (string, error){"latency": measureLatency, "distinct": measureDistinct, "beyond": measureBeyond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := measure(s)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if len(lines) < 5 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("printed\n%s", text)
			}
		})
	}
}

// A paced client counts a pause of the server against every command that was due in it.
func TestPacedClientSeesPauses(t *testing.T) {
	s := &settings{cobble: proc.CobbleBinary(t), redis: "redis-server", clients: 2}
	p, err := newProcess(s, "redis", "none")
	if err != nil {
		t.Fatal(err)
	}
	defer p.remove()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.join(); err != nil {
		t.Fatal(err)
	}
	if reply, err := p.do("CLIENT", "PAUSE", "100000", "WRITE"); err != nil || reply != "+OK" {
		t.Fatal(reply, err)
	}
	const pause = 500 * time.Millisecond // from the first command on, at least
	keys, begun, over := uniform(10, 1), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	pick := func() int {
		once.Do(func() { close(begun) })
		return keys()
	}
	go func() {
		<-begun
		time.Sleep(pause) // nothing is waited for: this is what is measured
		_, err := p.do("CLIENT", "UNPAUSE")
		over <- err
	}()
	x, err := p.drive(s, traffic{pick: pick}, 2*time.Second, 2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	if x.done < 1900 || x.max < 300 || x.p99 < 200 {
		t.Errorf("a pause of 500 ms in 2 s of %d commands shows as p99 %.1f ms, max %.1f ms", x.done, x.p99, x.max)
	}
}
