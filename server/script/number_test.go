package script

import (
	"math"
	"testing"
)

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{"10": 10, " 1e10 ": 1e10, "0x10": 16, "-0X1F": -31, "0x1p4": 16, "1e400": math.Inf(1), "inf": math.Inf(1), "-Infinity": math.Inf(-1), ".5": .5, "5.": 5} {
		if got, ok := parseNumber(text); !ok || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "x", "1x", "1_0", "0x", "1 2", "--1", "0x_1"} {
		if got, ok := parseNumber(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}
