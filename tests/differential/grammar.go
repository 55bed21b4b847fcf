package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A command's arguments are written as in Redis's own documentation:
//
//	key value [NX | XX] [GET] [EX seconds | KEEPTTL]
//
// A word in capitals stands for itself, one in small letters for a random value of that kind (values.go), and the forms
// are [optional], ( one | of | these ) and item... for one to four of it. Neighbouring optional groups come in any
// order, as servers accept them so.

// node is a piece of the grammar.
type node interface {
	expand(g *generator, out []string) []string
}

type (
	literal  string
	value    string // the name of a kind of value
	inOrder  []node // all, in order
	choice   []node // one of them
	optional struct{ node }
	repeat   struct{ node }
)

func (l literal) expand(_ *generator, out []string) []string { return append(out, string(l)) }

func (v value) expand(g *generator, out []string) []string { return append(out, kinds[string(v)](g)) }

func (s inOrder) expand(g *generator, out []string) []string {
	for i := 0; i < len(s); {
		// A run of optional groups is shuffled.
		j := i
		for j < len(s) {
			if _, ok := s[j].(optional); !ok {
				break
			}
			j++
		}
		if j-i < 2 {
			out = s[i].expand(g, out)
			i++
			continue
		}
		for _, k := range g.rand.Perm(j - i) {
			out = s[i+k].expand(g, out)
		}
		i = j
	}
	return out
}

func (c choice) expand(g *generator, out []string) []string {
	return c[g.rand.IntN(len(c))].expand(g, out)
}

func (o optional) expand(g *generator, out []string) []string {
	if g.rand.IntN(3) > 0 {
		return out
	}
	return o.node.expand(g, out)
}

func (r repeat) expand(g *generator, out []string) []string {
	for range 1 + g.rand.IntN(4) {
		out = r.node.expand(g, out)
	}
	return out
}

// parse reads one line of the grammar. It panics on a mistake: the lines are constants.
func parse(text string) node {
	p := &parser{words: strings.Fields(spaced.Replace(text)), text: text}
	n := p.alternatives("")
	if p.at < len(p.words) {
		p.fail("ends early")
	}
	return n
}

var spaced = strings.NewReplacer("[", " [ ", "]", " ] ", "(", " ( ", ")", " ) ", "|", " | ", "...", " ... ")

type parser struct {
	words []string
	at    int
	text  string
}

func (p *parser) fail(why string) { panic(fmt.Sprintf("grammar %q %s", p.text, why)) }

func (p *parser) alternatives(end string) node {
	var all choice
	seq := inOrder{}
	for ; p.at < len(p.words) && (end == "" || p.words[p.at] != end); p.at++ {
		switch w := p.words[p.at]; w {
		case "|":
			all = append(all, seq)
			seq = inOrder{}
		case "[":
			p.at++
			seq = append(seq, optional{p.alternatives("]")})
		case "(":
			p.at++
			seq = append(seq, p.alternatives(")"))
		case "...":
			if len(seq) == 0 {
				p.fail("repeats nothing")
			}
			seq[len(seq)-1] = repeat{seq[len(seq)-1]}
		case "]", ")":
			p.fail("closes what is not open")
		default:
			seq = append(seq, p.word(w))
		}
	}
	if end != "" && p.at == len(p.words) {
		p.fail("has no " + end)
	}
	if all == nil {
		return seq
	}
	return append(all, seq)
}

func (p *parser) word(w string) node {
	if w != strings.ToLower(w) || strings.ToUpper(w) == w || strings.ContainsAny(w, "{.0123456789") && kinds[w] == nil {
		return literal(w)
	}
	if kinds[w] == nil {
		p.fail("has an unknown kind " + w)
	}
	return value(w)
}

// generator makes commands of one family from one random source.
type generator struct {
	rand   *rand.Rand
	family *family
}

// family is a set of commands that are generated together.
type family struct {
	name string
	// commands are lines of the grammar, name first; a number before the name is its weight, else 1.
	commands []string
	sessions int // how many connections take part; 1 when 0
	// setup runs before each sequence, on both servers.
	setup [][]string
	// lapses lets keys expire: a command with a lifetime of a few milliseconds is followed by a wait.
	lapses bool
	// percent is how many sequences there are in proportion to other families; 100 when 0.
	percent int

	rows  []row
	total int
}

type row struct {
	name   string
	weight int
	args   node
}

func (f *family) share() int {
	if f.percent == 0 {
		return 100
	}
	return f.percent
}

func (f *family) prepare() {
	for _, line := range f.commands {
		r := row{weight: 1}
		if n, err := fmt.Sscanf(line, "%d ", &r.weight); n == 1 && err == nil {
			_, line, _ = strings.Cut(line, " ")
		}
		var rest string
		r.name, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
		r.args = parse(rest)
		f.rows = append(f.rows, r)
		f.total += r.weight
	}
}

// without gives the family without the commands that one of the servers lacks, and those commands' names.
func (f *family) without(lacks func(name string) bool) (*family, []string) {
	kept := &family{name: f.name, sessions: f.sessions, setup: f.setup, lapses: f.lapses, percent: f.percent}
	var missing []string
	for _, r := range f.rows {
		name := r.name
		if first, ok := firstLiteral(r.args); ok && !lacks(r.name+"|") {
			name += "|" + first
		}
		if lacks(name) {
			missing = append(missing, name)
			continue
		}
		kept.rows = append(kept.rows, r)
		kept.total += r.weight
	}
	return kept, missing
}

// firstLiteral is the word that a row always begins with: a subcommand, if the command has any.
func firstLiteral(n node) (string, bool) {
	s, ok := n.(inOrder)
	if !ok || len(s) == 0 {
		return "", false
	}
	l, ok := s[0].(literal)
	return string(l), ok
}

// command makes one command, mostly well-formed.
func (g *generator) command() []string {
	for {
		n := g.rand.IntN(g.family.total)
		var r row
		for _, r = range g.family.rows {
			if n -= r.weight; n < 0 {
				break
			}
		}
		args := r.args.expand(g, []string{r.name})
		if g.rand.IntN(8) == 0 {
			args = g.spoil(args)
		}
		if !unfit(args, g.family.lapses) {
			return args
		}
	}
}

// spoil makes a command wrong, or strange, in one way.
func (g *generator) spoil(args []string) []string {
	at := func() int { return g.rand.IntN(len(args)) }
	switch g.rand.IntN(7) {
	case 0: // too few
		return args[:max(1, len(args)-1)]
	case 1: // too many
		return append(args, kinds["value"](g))
	case 2: // an option twice
		return append(args, args[max(1, at()):]...)
	case 3: // something hostile in the middle
		if len(args) > 1 {
			args[1+g.rand.IntN(len(args)-1)] = kinds["hostile"](g)
		}
	case 4: // a strange case
		i := at()
		b := []byte(args[i])
		for j, c := range b {
			if g.rand.IntN(2) == 0 && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
				b[j] = c ^ 0x20
			}
		}
		args[i] = string(b)
	case 5: // two arguments swapped
		if len(args) > 2 {
			i, j := 1+g.rand.IntN(len(args)-1), 1+g.rand.IntN(len(args)-1)
			args[i], args[j] = args[j], args[i]
		}
	case 6: // one argument missing in the middle
		if len(args) > 2 {
			i := 1 + g.rand.IntN(len(args)-1)
			return append(args[:i:i], args[i+1:]...)
		}
	}
	return args
}
