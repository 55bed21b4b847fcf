package acl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/server/glob"
)

// A small world of commands.
var (
	testCommands = []Command{
		{"get", -1, []string{"read", "fast"}}, {"set", -1, []string{"write", "slow"}}, {"copy", -1, []string{"write", "slow"}},
		{"publish", -1, []string{"pubsub", "fast"}}, {"psubscribe", -1, []string{"pubsub", "slow"}}, {"select", -1, []string{"connection", "fast"}},
		{"auth", -1, []string{"connection", "fast"}}, {"config", -1, []string{"slow"}}, {"config|get", 7, []string{"admin", "slow"}},
		{"config|set", 7, []string{"admin", "slow", "dangerous"}},
	}
	testGrammar = Grammar{Catalog: NewCatalog(testCommands)}
)

// model decides from the history of the rules, without remembering anything: what
// was said last of a command holds.
type model struct {
	root      []string
	selectors [][]string
}

func (m *model) apply(rule string) {
	switch {
	case rule == "reset":
		*m = model{}
	case rule == "clearselectors":
		m.selectors = nil
	case rule[0] == '(':
		m.selectors = append(m.selectors, strings.Fields(rule[1:len(rule)-1]))
	default:
		m.root = append(m.root, rule)
	}
}

func (m *model) allows(q *Request) bool {
	return slices.ContainsFunc(append([][]string{m.root}, m.selectors...), func(rules []string) bool {
		return modelCommand(rules, q) && modelKeys(rules, q) && modelChannels(rules, q)
	})
}

func modelCommand(rules []string, q *Request) bool {
	cmd := testCommands[q.Command]
	container := ""
	if cmd.Container >= 0 {
		container = testCommands[cmd.Container].Name
	}
	allowed, first := false, map[string]bool{}
	for _, rule := range rules {
		if rule[0] != '+' && rule[0] != '-' {
			continue
		}
		name, on := rule[1:], rule[0] == '+'
		category, isCategory := strings.CutPrefix(name, "@")
		switch {
		case category == "all" && isCategory, name == cmd.Name, name == container,
			isCategory && (slices.Contains(cmd.Categories, category) || container != "" && slices.Contains(testCommands[cmd.Container].Categories, category)):
			allowed, first = on, map[string]bool{}
		case strings.HasPrefix(name, cmd.Name+"|"):
			first[name[len(cmd.Name)+1:]] = true
		}
	}
	return q.Free || allowed || len(q.Args) > 1 && first[string(q.Args[1])]
}

func modelKeys(rules []string, q *Request) bool {
	for _, k := range q.Keys {
		if !slices.ContainsFunc(modelPatterns(rules, "~", "allkeys", "resetkeys"), func(p string) bool {
			access, pattern, _ := strings.Cut(p, "~")
			if access == "" {
				access = "RW"
			}
			return (k.Access&Read == 0 || strings.Contains(access, "R")) && (k.Access&Write == 0 || strings.Contains(access, "W")) &&
				(pattern == "*" && access == "RW" || glob.Match([]byte(pattern), q.Args[k.At]))
		}) {
			return false
		}
	}
	return true
}

func modelChannels(rules []string, q *Request) bool {
	for _, at := range q.Channels {
		if !slices.ContainsFunc(modelPatterns(rules, "&", "allchannels", "resetchannels"), func(p string) bool {
			pattern := p[1:]
			return pattern == "*" || q.Patterns && pattern == string(q.Args[at]) || !q.Patterns && glob.Match([]byte(pattern), q.Args[at])
		}) {
			return false
		}
	}
	return true
}

// modelPatterns are the patterns since the last reset. The accesses of equal key
// patterns add up.
func modelPatterns(rules []string, sign, all, reset string) (found []string) {
	for _, rule := range rules {
		switch {
		case rule == reset:
			found = nil
		case rule == all:
			found = []string{sign + "*"}
		case strings.HasPrefix(rule, sign):
			found = append(found, rule)
		case sign == "~" && rule[0] == '%':
			access, pattern, _ := strings.Cut(rule[1:], "~")
			for _, old := range found {
				if a, p, _ := strings.Cut(old, "~"); p == pattern {
					access += a
				}
			}
			found = append(found, access+"~"+pattern)
		}
	}
	return found
}

func randomRule(r *rand.Rand, inSelector bool) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	pattern := func() string { return pick("a", "b", "ab", "a*", "?b", "[ab]*") }
	switch n := r.IntN(20); {
	case n < 5:
		return pick("+", "-") + pick("get", "set", "copy", "publish", "psubscribe", "config", "config|get", "config|set", "select")
	case n < 8:
		return pick("+", "-") + "@" + pick("read", "write", "pubsub", "fast", "slow", "connection", "admin", "dangerous", "all")
	case n < 9:
		return "+select|" + pick("0", "1")
	case n < 13:
		return pick("~", "%R~", "%W~", "%RW~") + pattern()
	case n < 15:
		return "&" + pattern()
	case n < 17:
		return pick("allkeys", "resetkeys", "allchannels", "resetchannels", "allkeys", "resetkeys")
	case inSelector:
		return "+get"
	case n < 19:
		var rules []string
		for range 1 + r.IntN(4) {
			rules = append(rules, randomRule(r, true))
		}
		return "(" + strings.Join(rules, " ") + ")"
	}
	return pick("reset", "clearselectors", "clearselectors")
}

func randomRequest(r *rand.Rand) *Request {
	word := func() []byte { return []byte([]string{"a", "b", "ab", "aab", "c", "a*"}[r.IntN(6)]) }
	q := &Request{Command: r.IntN(len(testCommands))}
	q.Args = [][]byte{[]byte("cmd"), word(), word()}
	switch testCommands[q.Command].Name {
	case "get":
		q.Keys = []Key{{1, Read}}
	case "set":
		q.Keys = []Key{{1, Write | Access(r.IntN(2))}}
	case "copy":
		q.Keys = []Key{{1, Read}, {2, Write}}
	case "publish":
		q.Channels = []int{1}
	case "psubscribe":
		q.Channels, q.Patterns = []int{1, 2}, true
	case "select":
		q.Args[1] = []byte(strconv.Itoa(r.IntN(3)))
	case "auth":
		q.Free = true
	}
	return q
}

// runModel applies random rules to Rules and to the model, and asks both.
func runModel(g Grammar, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	rules, m := g.New(), &model{}
	var said []string
	for range 12 {
		rule := randomRule(r, false)
		next, err := g.Apply(rules, rule)
		if err != nil { // a pattern after the star: nothing has changed
			continue
		}
		rules = next
		m.apply(rule)
		said = append(said, rule)
		for range 12 {
			q := randomRequest(r)
			why, _ := rules.Check(q)
			if want := m.allows(q); want != (why == Allowed) {
				return fmt.Errorf("after %q: %s %q: %v, want allowed %v", said, testCommands[q.Command].Name, q.Args[1:], why, want)
			}
		}
		back, err := g.Apply(g.New(), rules.Words()...)
		if err != nil || back.String() != rules.String() {
			return fmt.Errorf("after %q: printed as %q, read back as %v %v", said, rules, back, err)
		}
		for range 4 { // what was printed means the same
			q := randomRequest(r)
			if was, _ := rules.Check(q); was != first(back.Check(q)) {
				return fmt.Errorf("after %q: %s %q: %v, but not when read back", said, testCommands[q.Command].Name, q.Args[1:], was)
			}
		}
	}
	return nil
}

func first(why Denial, _ int) Denial { return why }

func seeds() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("COBBLE_SEEDS"), 10, 64); err == nil {
		return n
	}
	return 300
}

func TestRulesAreTheModel(t *testing.T) {
	for seed := range seeds() {
		if err := runModel(testGrammar, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestMutants removes one rule at a time; the model must notice.
func TestMutants(t *testing.T) {
	for name, m := range map[string]mutants{
		"any access": {anyAccess: true}, "split access": {splitAccess: true}, "patterns as globs": {globPatterns: true}, "selectors mixed": {mixed: true},
		"first arguments kept": {keepFirst: true}, "all kept": {keepAll: true}, "subcommands kept": {keepSubs: true}, "one selector": {oneSelector: true},
	} {
		g, caught := testGrammar, false
		g.mutant = m
		for seed := range uint64(300) {
			if err := runModel(g, seed); err != nil {
				t.Logf("%s: caught by seed %d: %.200s", name, seed, err)
				caught = true
				break
			}
		}
		if !caught {
			t.Errorf("%s: nobody noticed", name)
		}
	}
}
