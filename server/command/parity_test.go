package command

import (
	"bufio"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"cobble/tools/respconn"
)

type reply = respconn.Reply

// ask gives both replies to a command as trees.
func (p *pair) ask(args ...string) (ours, theirs reply) {
	p.t.Helper()
	tree := func(raw string) reply {
		r, err := respconn.Read(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			p.t.Fatalf("%q: %v in %q", args, err, raw)
		}
		return r
	}
	return tree(p.ours(args...)), tree(p.theirs.do(args...))
}

// describeReply prints a reply on one line: sets and maps in alphabetical order, each type in its own parentheses.
func describeReply(r reply) string {
	switch {
	case r.Kind == respconn.Integer, r.Kind == respconn.Double:
		return r.Text
	case r.Kind == respconn.Simple:
		return "+" + r.Text
	case !r.IsAggregate():
		return strconv.Quote(r.Text)
	}
	items := make([]string, len(r.Elems))
	for i, e := range r.Elems {
		items[i] = describeReply(e)
	}
	switch r.Kind {
	case respconn.Set:
		sort.Strings(items)
		return "{" + strings.Join(items, " ") + "}"
	case respconn.Map:
		pairs := make([]string, 0, len(items)/2)
		for i := 0; i < len(items); i += 2 {
			pairs = append(pairs, items[i]+":"+items[i+1])
		}
		return "<" + strings.Join(pairs, " ") + ">"
	}
	return "[" + strings.Join(items, " ") + "]"
}

// facts are what the server says of one command, by field.
type facts map[string]string

var infoFields = []string{"name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"}

// addInfo takes one reply of COMMAND INFO, and those of its subcommands.
func addInfo(all map[string]facts, r reply) {
	f := facts{}
	all[r.Elems[0].Text] = f
	for i, name := range infoFields {
		f[name] = describeReply(r.Elems[i])
	}
	f["key specs"] = describeSpecs(r.Elems[8])
	for _, sub := range r.Elems[9].Elems {
		addInfo(all, sub)
	}
}

// describeSpecs prints key specifications in their order, which arguments refer to, and of notes that there are any.
func describeSpecs(r reply) string {
	specs := []string{string(byte(r.Kind))}
	for _, spec := range r.Elems {
		for i := 0; i+1 < len(spec.Elems); i += 2 {
			if spec.Elems[i].Text == "notes" && spec.Elems[i+1].Text != "" {
				spec.Elems[i+1].Text = "…"
			}
		}
		specs = append(specs, describeReply(spec))
	}
	return strings.Join(specs, " ")
}

// addDocs takes a reply of COMMAND DOCS. Of what is in words, summary and complexity and history, only the presence and
// the versions count; "docs" is which fields there are, in their order.
func addDocs(t *testing.T, all map[string]facts, r reply) {
	for i := 0; i+1 < len(r.Elems); i += 2 {
		f, about := all[r.Elems[i].Text], r.Elems[i+1].Elems
		if f == nil {
			t.Errorf("%s: COMMAND DOCS knows it, COMMAND INFO does not", r.Elems[i].Text)
			continue
		}
		var fields []string
		for j := 0; j+1 < len(about); j += 2 {
			name, value := about[j].Text, about[j+1]
			fields = append(fields, name)
			switch name {
			case "summary", "complexity":
				f[name] = strconv.FormatBool(value.Kind == respconn.Bulk && value.Text != "")
			case "history":
				var versions []string
				for _, change := range value.Elems {
					versions = append(versions, change.Elems[0].Text)
				}
				f[name] = fmt.Sprintf("%c %s", value.Kind, versions)
			case "arguments":
				f[name] = describeArguments(t, value)
			case "subcommands":
				addDocs(t, all, value)
			default:
				f[name] = describeReply(value)
			}
		}
		f["docs"] = strings.Join(fields, " ")
	}
}

// describeArguments prints arguments in the notation of data/manuals.txt, so that a difference can be read. What that
// cannot say is appended as it is.
func describeArguments(t *testing.T, r reply) string {
	var all []string
	for _, arg := range r.Elems {
		have := map[string]reply{}
		var order []string
		for i := 0; i+1 < len(arg.Elems); i += 2 {
			have[arg.Elems[i].Text] = arg.Elems[i+1]
			order = append(order, arg.Elems[i].Text)
		}
		if want := inDocsOrder(have); strings.Join(order, " ") != strings.Join(want, " ") || arg.Kind != respconn.Map {
			t.Errorf("an argument is told as %s", describeReply(arg))
		}
		all = append(all, describeArgument(t, have))
	}
	return strings.Join(all, " ")
}

func inDocsOrder(have map[string]reply) []string {
	var order []string
	for _, name := range []string{"name", "type", "display_text", "key_spec_index", "token", "summary", "since", "deprecated_since", "flags", "arguments"} {
		if _, ok := have[name]; ok {
			order = append(order, name)
		}
	}
	return order
}

func describeArgument(t *testing.T, have map[string]reply) string {
	var b strings.Builder
	name, kind := have["name"].Text, have["type"].Text
	b.WriteString(name + ":" + strings.TrimPrefix(kind, "pure-"))
	if spec, ok := have["key_spec_index"]; ok {
		b.WriteString("@" + describeReply(spec))
	}
	if token, ok := have["token"]; ok && (kind != "pure-token" || token.Text != strings.ToUpper(name)) {
		b.WriteString("=" + plainOrQuoted(token.Text))
	}
	if display, ok := have["display_text"]; ok && display.Text != name {
		b.WriteString("~" + plainOrQuoted(display.Text))
	}
	if since, ok := have["since"]; ok {
		b.WriteString("^" + since.Text)
	}
	if since, ok := have["deprecated_since"]; ok {
		b.WriteString("!" + since.Text)
	}
	if flags, ok := have["flags"]; ok {
		for _, f := range [...][2]string{{"+optional", "?"}, {"+multiple", "*"}, {"+multiple_token", "+"}} {
			for _, e := range flags.Elems {
				if describeReply(e) == f[0] {
					b.WriteString(f[1])
				}
			}
		}
	}
	if args, ok := have["arguments"]; ok {
		b.WriteString("(" + describeArguments(t, args) + ")")
	}
	return b.String()
}

func plainOrQuoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
	}) {
		return strconv.Quote(s)
	}
	return s
}

// tell gives what both servers say of all their commands, in RESP3, where a set is a set.
func tell(t *testing.T) (ours, theirs map[string]facts) {
	p := newPair(t, 3)
	ours, theirs = map[string]facts{}, map[string]facts{}
	a, b := p.ask("COMMAND")
	for _, r := range a.Elems {
		addInfo(ours, r)
	}
	for _, r := range b.Elems {
		addInfo(theirs, r)
	}
	a, b = p.ask("COMMAND", "DOCS")
	addDocs(t, ours, a)
	addDocs(t, theirs, b)
	return ours, theirs
}

// whole prints all facts of a command on one line.
func (f facts) whole() string {
	var all []string
	for field, value := range f {
		all = append(all, field+" "+value)
	}
	sort.Strings(all)
	return strings.Join(all, "; ")
}

// differences are what two servers say otherwise of the commands that the first has.
func differences(ours, theirs map[string]facts) []difference {
	var all []difference
	for name, mine := range ours {
		other := theirs[name]
		if other == nil {
			all = append(all, difference{name, "all", "", mine.whole()})
			continue
		}
		fields := map[string]bool{}
		for _, f := range []facts{mine, other} {
			for field := range f {
				fields[field] = true
			}
		}
		for field := range fields {
			if mine[field] != other[field] {
				all = append(all, difference{name, field, other[field], mine[field]})
			}
		}
	}
	return all
}

// Every row of ours says what the oracle says of it, but for what the list of differences has with its reason.
func TestTableIsRedis(t *testing.T) {
	ours, theirs := tell(t)
	listed := readDifferences(t)
	for _, d := range differences(ours, theirs) {
		if listed[d] == "" {
			t.Errorf("not in %s:\n%s", differenceFile, d)
		}
		delete(listed, d)
	}
	for d := range listed {
		if ours[d.command] != nil {
			t.Errorf("no difference, but in %s:\n%s", differenceFile, d)
		}
	}
}
