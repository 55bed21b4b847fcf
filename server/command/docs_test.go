package command

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every row is a command of Redis 7.2 with its arity, group, version and policies;
// the list is the oracle where redis-server 7.0 is too old.
func TestRowsAreRedis72(t *testing.T) {
	all, err := RedisCommands()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]RedisCommand{}
	for _, r := range all {
		byName[r.Name] = r
	}
	for _, cmd := range NewTable().All() {
		name := strings.ToUpper(strings.ReplaceAll(cmd.FullName(), "|", " "))
		r, ok := byName[name]
		if !ok {
			if cmd.Group == "" || !slices.Contains(beyond72, name) {
				t.Errorf("%s is no command of Redis 7.2", name)
			}
			continue
		}
		r.Group = strings.ReplaceAll(r.Group, "_", "-") // as COMMAND DOCS says it
		if strconv.Itoa(cmd.Arity) != r.Arity || cmd.Group != r.Group || cmd.Since != r.Since || (cmd.Flags&Write != 0) != r.Write {
			t.Errorf("%s: arity %d, group %s, since %s, write %v; want %+v", name, cmd.Arity, cmd.Group, cmd.Since, cmd.Flags&Write != 0, r)
		}
		for policy, want := range map[string]string{"request_policy:": r.RequestPolicy, "response_policy:": r.ResponsePolicy} {
			got := ""
			for _, tip := range cmd.Tips {
				if value, is := strings.CutPrefix(tip, policy); is {
					got = value
				}
			}
			if got != strings.ToLower(want) {
				t.Errorf("%s: %s%q, want %q", name, policy, got, strings.ToLower(want))
			}
		}
	}
}

// beyond72 are commands of later versions, or of ours.
var beyond72 = []string{"HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HPERSIST", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HGETEX", "HSETEX", "HGETDEL",
	"DELIFEQ", "DELEX", "DIGEST", "MSETEX", "CLIENT CAPA", "COMMANDLOG", "COMMANDLOG GET", "COMMANDLOG HELP", "COMMANDLOG LEN", "COMMANDLOG RESET", "SCRIPT SHOW", "CLUSTER SLOT-STATS", "XDELEX", "XACKDEL",
}

func TestDocs(t *testing.T) {
	var b strings.Builder
	if err := NewTable().WriteDocs(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| GET | yes | 1.0.0 |", "| CLIENT KILL | yes | 2.4.0 |", "## string\n", " | Refuses: modules are native code", "| SAVE | yes | 1.0.0 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("docs/commands.md lacks %q", want)
		}
	}
}
