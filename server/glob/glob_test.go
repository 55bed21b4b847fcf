package glob

import (
	"bytes"
	"testing"
)

// slow is the definition of a match, tried out in every way.
func slow(pattern, s []byte) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	if pattern[0] == '*' {
		for i := 0; i <= len(s); i++ {
			if slow(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	}
	if len(s) == 0 {
		return false
	}
	next, ok := step(pattern, 0, s[0])
	return ok && slow(pattern[next:], s[1:])
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "", false}, {"*", "abc", true}, {"a*", "a", true}, {"a*c", "abc", true}, {"a*c", "abd", false},
		{"h?llo", "hello", true}, {"h?llo", "hllo", false}, {"h[ae]llo", "hallo", true}, {"h[^e]llo", "hello", false}, {"h[a-b]llo", "hbllo", true},
		{"h[b-a]llo", "hallo", true}, {`h\*llo`, "h*llo", true}, {`h\*llo`, "hello", false}, {`a\`, `a\`, true}, {"[abc", "c", true}, {"[abc", "d", false},
		{"[^", "x", true}, {"[", "x", false}, {"[]", "x", false}, {"[^]", "x", true}, {`[\]]`, "]", true}, {"[a-]", "-", false}, {"[a-]", "_", true}, {"[a-]", "b", false}, {"[a-]x", "]", true},
		{"[\x7f-\x80]", "a", true}, {"*a*b*c", "xxaxxbxxc", true}, {"a*?", "a", false},
	} {
		if got := Match([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// A matcher that tries every way takes years for this.
func TestMatchIsNotExponential(t *testing.T) {
	if Match(bytes.Repeat([]byte("a*"), 100), bytes.Repeat([]byte("a"), 10_000)[:9_999:9_999]) != true {
		t.Error("no match")
	}
	if Match(append(bytes.Repeat([]byte("a*"), 100), 'b'), bytes.Repeat([]byte("a"), 10_000)) {
		t.Error("match")
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"a*b?[c-e]", `\*[^x]`, "[a", "*[a-", `[\`, "**a"} {
		f.Add([]byte(seed), []byte("axbxc"))
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if len(pattern) > 12 || len(s) > 12 || len(s) == 0 {
			Match(pattern, s)
			return
		}
		if got, want := Match(pattern, s), slow(pattern, s); got != want {
			t.Errorf("Match(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}
