package differential

import (
	"math/rand/v2"
	"strings"
	"testing"

	"cobble/tools/respconn"
)

func TestGrammar(t *testing.T) {
	g := &generator{rand: rand.New(rand.NewPCG(1, 1))}
	seen := map[string]bool{}
	n := parse("A [B | C 1] (D | E)... [F]")
	for range 2000 {
		got := strings.Join(n.expand(g, nil), " ")
		if !strings.HasPrefix(got, "A ") {
			t.Fatal(got)
		}
		seen[got] = true
	}
	for _, want := range []string{"A D", "A B D", "A C 1 E F", "A D E D", "A E F"} {
		if !seen[want] {
			t.Errorf("never generated %q", want)
		}
	}
	n = parse("A [B] [C]")
	for range 200 {
		seen[strings.Join(n.expand(g, nil), " ")] = true
	}
	if !seen["A B C"] || !seen["A C B"] {
		t.Error("options do not come in any order")
	}
	for _, bad := range []string{"[A", "A ]", "nosuchkind", "...", "(A | B"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was parsed", bad)
				}
			}()
			parse(bad)
		}()
	}
}

// What is generated depends on the seed alone, is mostly well-formed, and never unfit.
func TestSequencesAreReproducible(t *testing.T) {
	for _, f := range families {
		a, b := sequence(f, 42, 200), sequence(f, 42, 200)
		for i := range a {
			if a[i].String() != b[i].String() {
				t.Fatalf("%s: step %d is %s, then %s", f.name, i, a[i], b[i])
			}
			if unfit(a[i].args, f.lapses) {
				t.Errorf("%s: unfit: %s", f.name, a[i])
			}
		}
	}
}

func TestSame(t *testing.T) {
	bulk := func(s string) reply { return reply{Kind: respconn.Bulk, Text: s} }
	list := func(all ...string) reply {
		r := reply{Kind: respconn.Array}
		for _, s := range all {
			r.Elems = append(r.Elems, bulk(s))
		}
		return r
	}
	integer := func(s string) reply { return reply{Kind: respconn.Integer, Text: s} }
	for _, c := range []struct {
		args string
		a, b reply
		want bool
	}{
		{"GET k", bulk("a"), bulk("a"), true},
		{"GET k", bulk("a"), reply{Kind: respconn.Simple, Text: "a"}, false},
		{"GET k", reply{Kind: respconn.Bulk, Absent: true}, reply{Kind: respconn.Null}, false},
		{"KEYS *", list("a", "b"), list("b", "a"), true},
		{"MGET a b", list("a", "b"), list("b", "a"), false},
		{"HGETALL k", list("f", "1", "g", "2"), list("g", "2", "f", "1"), true},
		{"HGETALL k", list("f", "1", "g", "2"), list("f", "2", "g", "1"), false},
		{"TTL k", integer("100"), integer("99"), true},
		{"TTL k", integer("100"), integer("90"), false},
		{"TTL k", integer("-1"), integer("-2"), false},
		{"RANDOMKEY", bulk("a"), bulk("b"), true},
		{"RANDOMKEY", bulk("a"), reply{Kind: respconn.Bulk, Absent: true}, false},
		{"RANDOMKEY", reply{Kind: respconn.Error, Text: "ERR a"}, reply{Kind: respconn.Error, Text: "ERR b"}, false},
	} {
		if got := same(strings.Fields(c.args), nil, c.a, c.b); got != c.want {
			t.Errorf("%s: %s and %s: same = %v", c.args, c.a, c.b, got)
		}
	}
	exec := func(r ...reply) reply { return reply{Kind: respconn.Array, Elems: r} }
	queued := [][]string{{"KEYS", "*"}, {"MGET", "a"}}
	if !same([]string{"EXEC"}, queued, exec(list("a", "b"), list("x")), exec(list("b", "a"), list("x"))) {
		t.Error("EXEC does not compare its commands by their own rules")
	}
	if same([]string{"EXEC"}, queued, exec(list("a"), list("x", "y")), exec(list("a"), list("y", "x"))) {
		t.Error("EXEC compares every command without order")
	}
}
