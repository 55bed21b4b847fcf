package differential

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
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
	for i := range steps {
		steps[i] = step{session: g.rand.IntN(max(1, f.sessions)), args: g.command()}
	}
	return steps
}

func (p *pair) checkFamily(t *testing.T, f *family, seeds, commands int) {
	t.Helper()
	failures := 0
	first, last := uint64(1), uint64(seeds)
	if only := envInt(t, "COBBLE_SEED", 0); only > 0 {
		first, last = uint64(only), uint64(only)
	}
	for seed := first; seed <= last; seed++ {
		protocol := 2 + int(seed%2)
		steps := sequence(f, seed, commands)
		d, err := p.run(steps, protocol)
		if err != nil {
			t.Fatalf("%s, seed %d: %v", f.name, seed, err)
		}
		if d == nil || p.repeated(d) {
			continue
		}
		steps, d = shrink(steps, d, func(candidate []step) *difference {
			d, err := p.run(candidate, protocol)
			if err != nil {
				t.Fatalf("%s, seed %d, shrinking: %v", f.name, seed, err)
			}
			return d
		})
		var lines []string
		for _, s := range steps {
			lines = append(lines, "    "+s.String())
		}
		t.Errorf("%s, RESP%d; again: COBBLE_SEED=%d COBBLE_COMMANDS=%d go test ./tests/differential -run '%s'\n%s\n  differs at %s",
			f.name, protocol, seed, commands, t.Name(), strings.Join(lines, "\n"), d)
		if failures++; failures >= envInt(t, "COBBLE_FAILURES", 10) {
			t.Logf("%s: stopped at seed %d after %d failures", f.name, seed, failures)
			return
		}
	}
}

// repeated reports whether a difference looks like one that was reported already, so that a single mistake in the
// subject fills one page and not a hundred.
func (p *pair) repeated(d *difference) bool {
	sign := d.signature()
	if p.reported[sign] {
		return true
	}
	if p.reported == nil {
		p.reported = map[string]bool{}
	}
	p.reported[sign] = true
	return false
}

func (p *pair) report(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(p.seen)) {
		t.Logf("known difference %q: %d times", name, p.seen[name])
	}
}

func TestReplies(t *testing.T) {
	s := start(t)
	t.Run("itself", s.testItself)
	t.Run("shrink", s.testShrink)
	t.Run("arity", s.testArity)
	t.Run("raw", s.testRaw)
	p := s.versus(t, s.subject)
	lacks := p.lacks(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f, missing := f.without(lacks)
			if len(missing) > 0 {
				t.Logf("not compared, the subject has no %s", strings.Join(missing, ", "))
			}
			p.checkFamily(t, f, envInt(t, "COBBLE_SEEDS", 20), envInt(t, "COBBLE_COMMANDS", 80))
		})
	}
	p.report(t)
}

// The comparison must be sound: a server agrees with itself.
func (s *servers) testItself(t *testing.T) {
	p := s.versus(t, s.twin)
	for _, f := range families {
		p.checkFamily(t, f, min(5, envInt(t, "COBBLE_SEEDS", 5)), 80)
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
