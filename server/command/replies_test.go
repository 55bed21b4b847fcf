package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The files in testdata/replies are what servers later than the oracle reply: commands
// with "> " before them, each with the quoted reply in the next line.
func TestRepliesOfLaterServers(t *testing.T) {
	files, err := filepath.Glob("testdata/replies/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { sameAsFile(t, file) })
	}
}

func sameAsFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, do := newRunner(t)
	c.Env.Cluster = &Cluster{} // one that has all slots
	var last []string
	n := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if command, is := strings.CutPrefix(line, "> "); is {
			last = append(last, command)
			if strings.HasPrefix(command, "hello ") { // its reply differs
				do(strings.Fields(command)...)
			}
		}
		if line[0] != '"' {
			continue
		}
		want, err := strconv.Unquote(line)
		if err != nil {
			t.Fatal(err)
		}
		n++
		words := strings.Fields(last[len(last)-1])
		for i := range words {
			if words[i] == "''" {
				words[i] = ""
			}
		}
		if got := do(words...); got != want {
			t.Errorf("got  %q\nwant %q\nafter\n  %s", got, want, strings.Join(last[max(0, len(last)-8):], "\n  "))
		}
	}
	if n < 10 {
		t.Errorf("only %d replies were compared", n)
	}
}
