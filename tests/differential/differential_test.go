package differential

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

func envInt(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return n
}

// subjectProgram is what is compared with the oracle.
func subjectProgram() proc.Program {
	if os.Getenv("COBBLE_SUBJECT") == "redis" {
		return proc.Redis
	}
	return proc.Cobble
}

// servers are shared by all comparisons of a run: a node takes two seconds until it serves the slots it is given.
type servers struct {
	oracle, twin, subject string // addresses; the twin is another redis-server, to compare the oracle with itself
}

func start(t *testing.T) *servers {
	t.Helper()
	o := proc.Options{Program: subjectProgram()}
	subject := proc.Start(t, o)
	if _, err := subject.Try("CLUSTER", "INFO"); err != nil {
		t.Logf("compared without cluster mode, which the subject does not have: %v", err)
		o.Standalone = true
		o.Args = []string{"--databases", "1"}
	}
	o.Program = proc.Redis
	all := append(proc.StartServers(t, 2, o).Servers, subject)
	for _, s := range all[:2] {
		s.Do("CONFIG", "SET", "hz", "500") // how finely it sees that a wait is over
	}
	for _, s := range all {
		s.Do("DEBUG", "SET-ACTIVE-EXPIRE", "0") // what has lapsed is there until somebody looks
	}
	if !o.Standalone {
		for _, s := range all {
			s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
		}
		for _, s := range all {
			proc.WaitOK(t, s)
		}
	}
	return &servers{oracle: all[0].Addr, twin: all[1].Addr, subject: all[2].Addr}
}

// versus makes the pair of the oracle and another server.
func (s *servers) versus(t *testing.T, subject string) *pair {
	p := &pair{oracle: side{addr: s.oracle}, subject: side{addr: subject}}
	t.Cleanup(func() { p.oracle.close(); p.subject.close() })
	return p
}

// lacks tells which commands, and "COMMAND|SUBCOMMAND"s, the subject does not have. "COMMAND|" asks for any subcommand.
func (p *pair) lacks(t *testing.T) func(name string) bool {
	t.Helper()
	c, err := respconn.Dial(p.subject.addr, replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Do("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
	if err != nil {
		t.Fatal(err)
	}
	names, err := r.Strs()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{"NOSUCHCOMMAND": true}
	for _, n := range names {
		n = strings.ToUpper(n)
		have[n] = true
		if container, _, ok := strings.Cut(n, "|"); ok {
			have[container+"|"] = true
		}
	}
	return func(name string) bool { return !have[name] }
}

// sequence generates the steps of one seed.
func sequence(f *family, seed uint64, commands int) []step {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 7)), family: f}
	steps := make([]step, commands)
	session := 0
	for i := range steps {
		if i == 0 || g.rand.IntN(3) == 0 {
			session = g.rand.IntN(max(1, f.sessions))
		}
		args := g.command()
		steps[i] = step{session: session, args: args, lapse: f.lapses && shortLived(args)}
	}
	return steps
}

// failures bounds how many differences of one family are shown.
type failures struct {
	left atomic.Int64
	mu   sync.Mutex
	seen map[string]bool
}

func newFailures(t *testing.T) *failures {
	f := &failures{seen: map[string]bool{}}
	f.left.Store(int64(envInt(t, "COBBLE_FAILURES", 10)))
	return f
}

// repeated reports whether a difference looks like one that was reported already, so that a single mistake in the
// subject fills one page and not a hundred.
func (f *failures) repeated(d *difference) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	sign := d.signature()
	was := f.seen[sign]
	f.seen[sign] = true
	return was
}

// checkFamily runs sequences of a family, each worker on servers of its own.
func checkFamily(t *testing.T, workers []*pair, f *family, seeds, commands int) {
	t.Helper()
	first, last := uint64(1), uint64(seeds)
	if only := envInt(t, "COBBLE_SEED", 0); only > 0 {
		first, last = uint64(only), uint64(only)
	} else if from := envInt(t, "COBBLE_FROM", 1); from > 1 {
		first, last = uint64(from), uint64(from+seeds-1)
	}
	var next atomic.Uint64
	next.Store(first)
	seen := newFailures(t)
	var all sync.WaitGroup
	for _, p := range workers {
		all.Go(func() {
			for seed := next.Add(1) - 1; seed <= last && seen.left.Load() > 0; seed = next.Add(1) - 1 {
				if err := p.checkSeed(t, f, seed, commands, seen); err != nil {
					t.Errorf("%s, seed %d: %v", f.name, seed, err)
					return
				}
			}
		})
	}
	all.Wait()
	if seen.left.Load() <= 0 {
		t.Logf("%s: stopped after so many failures, before seed %d", f.name, next.Load())
	}
}

func (p *pair) checkSeed(t *testing.T, f *family, seed uint64, commands int, seen *failures) error {
	protocol := 2 + int(seed%2)
	p.lapses = f.lapses
	p.setup, p.carries = f.setup, seed%16 < 2
	steps := sequence(f, seed, commands)
	d, err := p.run(steps, protocol)
	if d == nil || err != nil || seen.repeated(d) {
		return err
	}
	tally := p.tally
	p.tally = nil
	defer func() { p.tally = tally }()
	steps, d = shrink(steps, d, func(candidate []step) *difference {
		d, e := p.run(candidate, protocol)
		if e != nil {
			err = e
		}
		return d
	})
	if err != nil {
		return fmt.Errorf("shrinking: %w", err)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, "    "+s.String())
	}
	t.Errorf("%s, RESP%d; again: COBBLE_SEED=%d COBBLE_COMMANDS=%d go test ./tests/differential -run '%s'\n%s\n  differs at %s",
		f.name, protocol, seed, commands, t.Name(), strings.Join(lines, "\n"), d)
	seen.left.Add(-1)
	return nil
}

func (p *pair) report(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(p.seen)) {
		t.Logf("known difference %q: %d times", name, p.seen[name])
	}
}

func TestReplies(t *testing.T) {
	s := start(t)
	workers := []*pair{s.versus(t, s.subject)}
	for len(workers) < envInt(t, "COBBLE_WORKERS", 1) {
		more := start(t)
		workers = append(workers, more.versus(t, more.subject))
	}
	t.Run("itself", s.testItself)
	t.Run("shrink", s.testShrink)
	t.Run("arity", s.testArity)
	t.Run("raw", s.testRaw)
	lacks := workers[0].lacks(t)
	count := newTally(workers[0].shared(t, lacks))
	for _, p := range workers {
		p.tally = count
	}
	for _, f := range append(slices.Clone(families), workers[0].syntax(t, lacks)) {
		t.Run(f.name, func(t *testing.T) {
			f, missing := f.without(lacks)
			if len(missing) > 0 {
				t.Logf("not compared, the subject has no %s", strings.Join(missing, ", "))
			}
			count.family = f.name
			seeds, commands := envInt(t, "COBBLE_SEEDS", 20), envInt(t, "COBBLE_COMMANDS", 80)
			checkFamily(t, workers, f, max(1, seeds*f.share()/100), commands)
		})
	}
	for _, p := range workers {
		p.report(t)
	}
	t.Logf("commands run:\n%s", count)
}

// syntax makes the family of what the oracle's manuals say.
func (p *pair) syntax(t *testing.T, lacks func(string) bool) *family {
	t.Helper()
	c, err := respconn.Dial(p.oracle.addr, replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := syntaxFamily(c, lacks)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// shared names the commands that both servers have: "get", "client|kill".
func (p *pair) shared(t *testing.T, lacks func(string) bool) map[string]bool {
	t.Helper()
	c, err := respconn.Dial(p.oracle.addr, replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Do("COMMAND", "LIST")
	if err != nil {
		t.Fatal(err)
	}
	names, err := r.Strs()
	if err != nil {
		t.Fatal(err)
	}
	both := map[string]bool{}
	for _, n := range names {
		if up := strings.ToUpper(n); !lacks(up) && (strings.Contains(n, "|") || lacks(up+"|")) {
			both[n] = true
		}
	}
	return both
}

// The comparison must be sound: a server agrees with itself.
func (s *servers) testItself(t *testing.T) {
	p := s.versus(t, s.twin)
	for _, f := range families {
		checkFamily(t, []*pair{p}, f, min(5, envInt(t, "COBBLE_SEEDS", 5)), 80)
	}
	if len(p.seen) > 0 {
		t.Errorf("known differences between a server and itself: %v", p.seen)
	}
}

// The comparison must be able to fail, and to say why in few lines: here one of two redis-servers has another limit.
func (s *servers) testShrink(t *testing.T) {
	p := s.versus(t, s.twin)
	c, err := respconn.Dial(s.twin, replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := must(c, "CONFIG", "SET", "hash-max-listpack-entries", "3"); err != nil {
		t.Fatal(err)
	}
	f := families[slices.IndexFunc(families, func(f *family) bool { return f.name == "hashes" })]
	for seed := uint64(1); seed < 50; seed++ {
		steps := sequence(f, seed, 80)
		run := func(candidate []step) *difference {
			d, err := p.run(candidate, 2)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		d := run(steps)
		if d == nil {
			continue
		}
		steps, d = shrink(steps, d, run)
		if len(steps) > 4 || !strings.Contains(fmt.Sprint(d), "listpack") {
			t.Errorf("shrunk to %d steps: %v\n%s", len(steps), steps, d)
		}
		return
	}
	t.Error("a server with another hash-max-listpack-entries was not told apart in 50 seeds")
}

// Every command that both know is sent with too few, and with too many arguments.
func (s *servers) testArity(t *testing.T) {
	p := s.versus(t, s.subject)
	lacks := p.lacks(t)
	c, err := respconn.Dial(s.oracle, replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Do("COMMAND")
	if err != nil || r.Err() != nil {
		t.Fatal(err, r)
	}
	var steps []step
	for _, row := range r.Elems {
		name := strings.ToUpper(row.Elems[0].Text)
		arity, err := row.Elems[1].Int()
		if err != nil {
			t.Fatal(err)
		}
		if lacks(name) {
			continue
		}
		want := int(max(arity, -arity))
		var counts []int
		for n := 1; n < want; n++ {
			counts = append(counts, n)
		}
		if arity > 0 {
			counts = append(counts, want+1)
		}
		for _, n := range counts {
			args := []string{name}
			for len(args) < n {
				args = append(args, "{t}a")
			}
			steps = append(steps, step{args: args})
		}
	}
	for _, st := range steps {
		d, err := p.run([]step{st}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			t.Errorf("%s", d)
		}
	}
	t.Logf("%d commands with a wrong number of arguments", len(steps))
}
