package storage

import (
	"strconv"
	"testing"
)

func FuzzParseInt(f *testing.F) {
	for _, seed := range []string{"0", "-0", "-1", "01", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "+1", "", "-", " 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseInt([]byte(text))
		want, err := strconv.ParseInt(text, 10, 64)
		exact := err == nil && strconv.FormatInt(want, 10) == text // no plus, no leading zeros
		if ok != exact || ok && got != want {
			t.Errorf("ParseInt(%q) = %d %v, want %d %v", text, got, ok, want, exact)
		}
	})
}

// What is printed must read back as a number that prints the same.
func FuzzLongDouble(f *testing.F) {
	for _, seed := range []string{"1", "-0", "1e4932", "1e-4951", "0x1.8p3", "inf", "1e", ".", "5.", ".5", "3.0000000000000000001", "1e99999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := ParseLongDouble([]byte(text))
		if !ok {
			return
		}
		sum, ok := LongDouble{}.Add(v)
		if !ok {
			return
		}
		printed := sum.Append(nil)
		back, ok := ParseLongDouble(printed)
		if !ok {
			t.Fatalf("%q prints as %q, which does not read back", text, printed)
		}
		if again, _ := (LongDouble{}).Add(back); string(again.Append(nil)) != string(printed) {
			t.Errorf("%q prints as %q, then as %q", text, printed, again.Append(nil))
		}
	})
}
