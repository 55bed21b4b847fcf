package command

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// differenceFile lists what this server says of its commands otherwise than the oracle, Redis 7.0, which is older than
// what it follows, 7.2. A line "# …" is the reason of all that follows it. Then a difference is three lines: the command
// and the field, "- " what 7.0 says, "+ " what we say; a command that 7.0 does not have has the field "all".
const differenceFile = "testdata/since-7.0.txt"

type difference struct{ command, field, theirs, ours string }

func (d difference) String() string {
	return fmt.Sprintf("%s: %s\n- %s\n+ %s", d.command, d.field, d.theirs, d.ours)
}

func readDifferences(t *testing.T) map[difference]string {
	text, err := os.ReadFile(differenceFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[difference]string{}
	reason := ""
	var d difference
	for n, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "#":
			reason = rest
		case "-":
			d.theirs = rest
		case "+":
			d.ours = rest
			if reason == "" || d.field == "" {
				t.Fatalf("%s:%d: a difference without a reason or a name", differenceFile, n+1)
			}
			all[d] = reason
			d = difference{}
		case "":
		default:
			d.command, d.field = strings.TrimSuffix(mark, ":"), rest
		}
	}
	return all
}
