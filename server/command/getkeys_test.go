package command

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/server/acl"
)

// vectors makes argument vectors of a command out of its manual: every branch of its syntax, and wrong ones.
type vectors struct {
	rand *rand.Rand
	keys int
}

func (v *vectors) list(args []argument) []string {
	var out []string
	for i := range args {
		out = append(out, v.one(&args[i])...)
	}
	return out
}

func (v *vectors) one(a *argument) []string {
	has := func(flag string) bool { return strings.Contains(strings.Join(a.flags, " ")+" ", flag+" ") }
	if has("optional") && v.rand.IntN(2) == 0 {
		return nil
	}
	n := 1
	if has("multiple") {
		n += v.rand.IntN(3)
	}
	var out []string
	for i := range n {
		if a.hasToken && (i == 0 || has("multiple_token")) {
			out = append(out, a.token)
		}
		switch {
		case a.kind == "oneof":
			out = append(out, v.one(&a.args[v.rand.IntN(len(a.args))])...)
		case a.kind == "block":
			out = append(out, v.list(a.args)...)
		case a.kind == "key":
			v.keys++
			out = append(out, fmt.Sprint("key", v.keys))
		case a.name == "numkeys":
			out = append(out, strconv.Itoa(1+v.rand.IntN(3)))
		case a.kind != "pure-token":
			out = append(out, strconv.Itoa(v.rand.IntN(5)))
		}
	}
	return out
}

// spoil makes a vector wrong, or odd, in one way.
func (v *vectors) spoil(args []string) []string {
	at := func() int { return 1 + v.rand.IntN(len(args)-1) }
	strange := []string{"", "-1", "0", "3", "99999999999999999999", "4294967297", "9223372036854775807", "KEYS", "STORE", "storedist", "Streams", "BY", "GET",
		"LIMIT", "x", "AUTH", "AUTH2", "*", "GROUP", "set", "INCRBY", "IDLE", "+3", " 3", "1.5"}
	if len(args) < 2 {
		return append(args, strange[v.rand.IntN(len(strange))])
	}
	switch v.rand.IntN(6) {
	case 0:
		args[at()] = strange[v.rand.IntN(len(strange))]
	case 1:
		return append(args, strange[v.rand.IntN(len(strange))])
	case 2:
		return args[:at()]
	case 3:
		i := at()
		return append(args[:i:i], args[i+1:]...)
	case 4:
		i, j := at(), at()
		args[i], args[j] = args[j], args[i]
	case 5:
		i := at()
		args[i] = strings.ToLower(args[i])
		return append(args, args[i:]...)
	}
	return args
}

// COMMAND GETKEYS and GETKEYSANDFLAGS find the keys that the oracle finds, or give its error, for generated vectors of
// every command both have. COBBLE_VECTORS=n makes n of each.
func TestGetKeysIsRedis(t *testing.T) {
	n := 40
	if text := os.Getenv("COBBLE_VECTORS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	p := newPair(t, 3)
	v := &vectors{rand: rand.New(rand.NewPCG(1, 1))}
	asked, found := 0, 0
	for _, cmd := range NewTable().All() {
		name := strings.Split(cmd.FullName(), "|")
		if info, _ := p.ask("COMMAND", "INFO", cmd.FullName()); p.theirs.do("COMMAND", "INFO", cmd.FullName()) == "*1\r\n_\r\n" || len(info.Elems) == 0 {
			continue
		}
		different := 0
		for i := range n {
			v.keys = 0
			args := append([]string{}, name...)
			args = append(args, v.list(manualOf(cmd.FullName()).args)...)
			if i%2 == 1 {
				for range 1 + v.rand.IntN(2) {
					args = v.spoil(args)
				}
			}
			for _, how := range []string{"GETKEYS", "GETKEYSANDFLAGS"} {
				ask := append([]string{"COMMAND", how}, args...)
				ours, theirs := p.ask(ask...)
				asked++
				found += len(theirs.Elems)
				if describeReply(ours) == describeReply(theirs) || getKeysIs72(ask, theirs) {
					continue
				}
				if different++; different <= 3 {
					t.Errorf("%q\n  ours   %s\n  theirs %s", ask, describeReply(ours), describeReply(theirs))
				}
			}
		}
	}
	t.Logf("%d questions, %d keys", asked, found)
}

// getKeysIs72 tells what 7.2 answers otherwise.
func getKeysIs72(args []string, theirs reply) bool {
	if (args[2] == "zrank" || args[2] == "zrevrank") && strings.HasPrefix(theirs.Text, "ERR Invalid number of arguments") {
		return true // it takes WITHSCORE
	}
	// It takes commands without arguments, of which 7.0 says that COMMAND GETKEYS itself lacks one.
	return len(args) == 3 && strings.HasPrefix(theirs.Text, "ERR wrong number of arguments for 'command|getkeys")
}

// COMMAND LIST names the same commands, of those both servers have.
func TestCommandListIsRedis(t *testing.T) {
	p := newPair(t, 3)
	ours, theirs := map[string]bool{}, map[string]bool{}
	a, b := p.ask("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
	for _, e := range a.Elems {
		ours[e.Text] = true
	}
	for _, e := range b.Elems {
		theirs[e.Text] = true
	}
	show := func(r reply) string {
		var names []string
		for _, e := range r.Elems {
			if ours[e.Text] && theirs[e.Text] {
				names = append(names, e.Text)
			}
		}
		slices.Sort(names)
		return fmt.Sprintf("%c %s %s", r.Kind, r.Text, strings.Join(names, " "))
	}
	asks := [][]string{{}, {"FILTERBY"}, {"FILTERBY", "MODULE"}, {"FILTERBY", "MODULE", "x"}, {"FILTERBY", "ACLCAT"}, {"FILTERBY", "ACLCAT", "nosuch"},
		{"FILTERBY", "NOSUCH", "x"}, {"PATTERN", "x"}, {"filterby", "aclcat", "READ"}, {"FILTERBY", "PATTERN", "x", "y"}, {"FILTERBY", "ACLCAT", "read", "x"}}
	for _, category := range acl.Categories {
		asks = append(asks, []string{"FILTERBY", "ACLCAT", category})
	}
	for _, pattern := range []string{"x*", "X*", "*|*", "client|*", "CLIENT|k*", "get", "[gs]et", "?et", "", "config", "config|get"} {
		asks = append(asks, []string{"FILTERBY", "PATTERN", pattern})
	}
	for _, ask := range asks {
		a, b := p.ask(append([]string{"COMMAND", "LIST"}, ask...)...)
		if mine, other := show(a), show(b); mine != other {
			t.Errorf("COMMAND LIST %s:\n  ours   %s\n  theirs %s", ask, mine, other)
		}
	}
}
