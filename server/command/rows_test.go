package command

import (
	"slices"
	"strings"
	"testing"
)

// sameRows compares the rows of a family with what the oracle says of them. TestTableIsRedis does so for the whole table.
func sameRows(t *testing.T, rows []Command) {
	listed := readDifferences(t)
	ours, theirs := tell(t)
	for _, d := range differences(ours, theirs) {
		about := slices.ContainsFunc(rows, func(row Command) bool {
			return d.command == row.Name || slices.ContainsFunc(row.Sub, func(sub Command) bool { return d.command == row.Name+"|"+sub.Name })
		})
		if about && listed[d] == "" {
			t.Errorf("not in %s:\n%s", differenceFile, d)
		}
	}
}

// Every row has what the table promises, and every manual is of a command of Redis.
func TestRowsAreDocumented(t *testing.T) {
	redis, err := RedisCommands()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range redis {
		known[strings.ToLower(strings.ReplaceAll(r.Name, " ", "|"))] = true
	}
	undocumented := []string{"lolwut", "xread", "monitor", "debug", "sync", "psync"} // of which Redis names no complexity
	for _, cmd := range NewTable().All() {
		name := cmd.FullName()
		known[name] = true
		if cmd.Group == "" || cmd.Since == "" || cmd.Summary == "" || cmd.Complexity == "" && !slices.Contains(undocumented, name) {
			t.Errorf("%s: the row is not documented", name)
		}
		if manualOf(name) == nil {
			t.Errorf("%s: data/manuals.txt has no line of it", name)
		}
	}
	for _, name := range hashFieldTTL {
		known[name] = true
	}
	for name := range readManuals() {
		if !known[name] {
			t.Errorf("%s: a manual of no command", name)
		}
	}
}

// hashFieldTTL are later than Redis 7.2.
var hashFieldTTL = []string{"hexpire", "hexpireat", "hexpiretime", "hgetdel", "hgetex", "hpersist", "hpexpire", "hpexpireat", "hpexpiretime",
	"hpttl", "hsetex", "httl"}

func TestParseArguments(t *testing.T) {
	args, err := parseArguments(`key:key@0 a:oneof^1.2.3?*+(b:token c:string=C~"d e"!4.5.6 f:token="")`)
	if err != nil {
		t.Fatal(err)
	}
	a := args[1]
	if len(args) != 2 || args[0].keySpec != 0 || a.keySpec != -1 || a.since != "1.2.3" || len(a.flags) != 3 || a.display != "" {
		t.Errorf("%+v", args)
	}
	b, c, f := a.args[0], a.args[1], a.args[2]
	if b.kind != "pure-token" || b.token != "B" || c.token != "C" || c.display != "d e" || c.deprecated != "4.5.6" || !f.hasToken || f.token != "" {
		t.Errorf("%+v", a.args)
	}
	for _, bad := range []string{"a", "a:", "a:word", "a:key@x", "a:oneof", "a:oneof(b:key", "a:key)", "a:key(b:key)", ":key", `a:token="`} {
		if got, err := parseArguments(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
	for _, bad := range []string{"\tsyscmd", "a\nb\na", "a b", "a\n\tnote x y"} {
		if _, err := parseManuals(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
