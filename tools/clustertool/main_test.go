package clustertool

import (
	"bytes"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		rest bool
		want string
		n    int
		yes  bool
		bad  bool
	}{
		{args: "a:1 b:2 --n 3 --yes c:3", want: "a:1 b:2 c:3", n: 3, yes: true},
		{args: "--n=3 a:1", want: "a:1", n: 3},
		{args: "a:1 --cluster-n 4 --cluster-yes", want: "a:1", n: 4, yes: true},
		{args: "--yes a:1 b:1", want: "a:1 b:1", yes: true},
		{args: "a:1 --nonsense", bad: true},
		{args: "a:1 --n", bad: true},
		{args: "a:1 --n x", bad: true},
		{args: "a:1 --yes SET k --n", rest: true, want: "a:1 SET k --n", yes: true},
	} {
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		n, yes := fs.Int("n", 0, ""), fs.Bool("yes", false, "")
		got, err := parseFlags(fs, strings.Fields(c.args), c.rest)
		if c.bad {
			if err == nil {
				t.Errorf("%s was accepted", c.args)
			}
			continue
		}
		if err != nil || !slices.Equal(got, strings.Fields(c.want)) || *n != c.n || *yes != c.yes {
			t.Errorf("%s: %q, n %d, yes %v, %v", c.args, got, *n, *yes, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, "Usage"},
		{"help", exitOK, "reshard ADDR"},
		{"help create", exitOK, "-replicas"},
		{"create --help", exitOK, "-replicas"},
		{"nonsense", exitUsage, `"nonsense"`},
		{"check", exitUsage, "ADDR"},
		{"check a b", exitUsage, "ADDR"},
		{"check nowhere", exitUsage, "host:port"},
		{"check 127.0.0.1:99999", exitUsage, "host:port"},
		{"check 127.0.0.1:1", exitFailed, "cannot be reached"},
		{"reshard 127.0.0.1:1", exitUsage, "--from"},
		{"create --replicas -1 127.0.0.1:1", exitUsage, "negative"},
	} {
		var out bytes.Buffer
		code := Main(strings.Fields(c.args), strings.NewReader(""), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, out.String())
		}
	}
}
