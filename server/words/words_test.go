package words

import (
	"strings"
	"testing"
)

func TestQuoteIsSplitAgain(t *testing.T) {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	got, ok := Split("a " + Quote(all.String()) + " 'x\\'y' " + QuoteIfNeeded("") + " " + QuoteIfNeeded("b"))
	if !ok || len(got) != 5 || got[1] != all.String() || got[2] != "x'y" || got[3] != "" || got[4] != "b" {
		t.Errorf("%v %q", ok, got)
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string]string{
		"": "", "  a\tb  ": "a|b", `"a b" c`: "a b|c", `a"b c"`: "ab c", `"\x41\xzz\n"`: "Axzz\n", `'\n'`: `\n`, `""`: "",
	} {
		got, ok := Split(line)
		if !ok || strings.Join(got, "|") != want {
			t.Errorf("Split(%q) = %q, %v; want %q", line, got, ok, want)
		}
	}
	for _, line := range []string{`"a`, `'a`, `"a"b`, `'a'b`, `"a\"`} {
		if got, ok := Split(line); ok {
			t.Errorf("Split(%q) = %q, want unbalanced quotes", line, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b\x00" 'c'`)
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := Split(line)
		if !ok {
			return
		}
		var quoted []string
		for _, word := range got {
			quoted = append(quoted, QuoteIfNeeded(word))
		}
		again, ok := Split(strings.Join(quoted, " "))
		if !ok || strings.Join(again, "\xff|") != strings.Join(got, "\xff|") || len(again) != len(got) {
			t.Fatalf("%q split to %q, quoted and split to %q", line, got, again)
		}
	})
}
