package listpack

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// texts returns the elements of lp as strings.
func texts(t testing.TB, lp []byte) []string {
	t.Helper()
	out := []string{}
	c := Walk(lp)
	for {
		e, ok := c.Next()
		if !ok {
			break
		}
		s := string(e.Append(nil))
		if len(s) != e.Len() {
			t.Fatalf("element %q says it has length %d", s, e.Len())
		}
		out = append(out, s)
	}
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The bytes are those of redis-server 7.0.15: DUMP of a hash with these fields and values.
func TestGoldenBytes(t *testing.T) {
	lp := New(nil)
	for _, s := range []string{"f", "v", "1", "-1", "4095", "65536", "", "01", "-4097", "9223372036854775807", "2147483648", "x"} {
		lp = Push(lp, []byte(s))
	}
	want := "3b0000000c00" + "816602" + "817602" + "0101" + "dfff02" + "cfff02" + "f200000104" + "8001" + "82303103" +
		"f1ffef03" + "f4ffffffffffffff7f09" + "f4000000800000000009" + "817802ff"
	if got := hex.EncodeToString(lp); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := Validate(lp); err != nil {
		t.Error(err)
	}
}

func randomText(rng *rand.Rand) []byte {
	switch rng.IntN(6) {
	case 0:
		return strconv.AppendInt(nil, int64(rng.Uint64())>>rng.IntN(64), 10)
	case 1:
		edges := []int64{0, 127, 128, -1, -4096, -4097, 4095, 4096, math.MaxInt16, math.MinInt16 - 1, 1<<23 - 1, -1<<23 - 1, math.MaxInt32, math.MinInt32 - 1, math.MaxInt64, math.MinInt64}
		return strconv.AppendInt(nil, edges[rng.IntN(len(edges))], 10)
	case 2:
		odd := []string{"", "-", "-0", "00", "01", "+1", " 1", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "18446744073709551616"}
		return []byte(odd[rng.IntN(len(odd))])
	case 3:
		sizes := []int{62, 63, 64, 125, 126, 127, 128, 4094, 4095, 4096, 16377, 16378, 16379, 16380}
		return bytes.Repeat([]byte("x"), sizes[rng.IntN(len(sizes))])
	default:
		return bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(20))
	}
}

// Random pushes, replacements and removals give what a slice of strings gives.
func TestAgainstSlice(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lp, model := New(nil), []string{}
		for range 60 {
			s := randomText(rng)
			offset := func(n int) int {
				c := Walk(lp)
				for range n {
					c.Next()
				}
				return c.At()
			}
			i := rng.IntN(len(model) + 1)
			j := min(len(model), i+rng.IntN(3))
			switch rng.IntN(3) {
			case 0:
				lp, model = Push(lp, s), append(model, string(s))
			case 1:
				lp = Replace(lp, offset(i), offset(j), s)
				model = append(append(append([]string{}, model[:i]...), string(s)), model[j:]...)
			case 2:
				lp = Remove(lp, offset(i), offset(j))
				model = append(append([]string{}, model[:i]...), model[j:]...)
			}
			if err := Validate(lp); err != nil {
				t.Fatalf("seed %d: %v: %x", seed, err, lp)
			}
			if got := texts(t, lp); strings.Join(got, "\x00") != strings.Join(model, "\x00") || Count(lp) != len(model) {
				t.Fatalf("seed %d: got %q, want %q", seed, got, model)
			}
		}
	}
}

func TestPair(t *testing.T) {
	lp := New(nil)
	for i := range 20 {
		lp = Push(Push(lp, fmt.Append(nil, i)), fmt.Append(nil, "v", i))
	}
	for i := range 20 {
		v, at, found, err := Pair(lp, fmt.Append(nil, i))
		if err != nil || !found || string(v.Append(nil)) != fmt.Sprint("v", i) {
			t.Fatalf("Pair %d: %v %v %v", i, v, found, err)
		}
		if got := texts(t, Remove(bytes.Clone(lp), at.Key, at.End)); len(got) != 38 {
			t.Fatalf("after removing pair %d: %q", i, got)
		}
	}
	if _, _, found, err := Pair(lp, []byte("v3")); found || err != nil {
		t.Errorf("Pair finds a value as a key: %v, %v", found, err)
	}
	if _, _, _, err := Pair(Push(New(nil), []byte("odd")), []byte("x")); err == nil {
		t.Error("Pair takes an odd number of elements")
	}
}

func TestCountBeyondHeader(t *testing.T) {
	lp := New(nil)
	for range 70000 {
		lp = Push(lp, []byte("7"))
	}
	if Count(lp) != 70000 {
		t.Fatalf("Count %d", Count(lp))
	}
	if lp = Remove(lp, HeaderSize, HeaderSize+2*10000); Count(lp) != 60000 {
		t.Fatalf("Count %d after removal", Count(lp))
	}
	if err := Validate(lp); err != nil {
		t.Fatal(err)
	}
}

func TestParseIntIsExactlyWhatPrintsTheSame(t *testing.T) {
	for seed := range uint64(20000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s := randomText(rng)
		v, ok := ParseInt(s)
		n, err := strconv.ParseInt(string(s), 10, 64)
		if want := err == nil && strconv.FormatInt(n, 10) == string(s); ok != want || ok && v != n {
			t.Fatalf("ParseInt(%q) = %d, %v", s, v, ok)
		}
	}
}

func FuzzValidate(f *testing.F) {
	lp := New(nil)
	for _, s := range []string{"f", "100", "-5000", "70000", "x", strings.Repeat("y", 100)} {
		lp = Push(lp, []byte(s))
		f.Add(bytes.Clone(lp))
	}
	f.Fuzz(func(t *testing.T, lp []byte) {
		err := Validate(lp)
		n := 0
		c := Walk(lp)
		for {
			if _, ok := c.Next(); !ok {
				break
			}
			n++
		}
		_, _, _, _ = Pair(lp, []byte("x"))
		_ = Count(lp)
		if err != nil {
			return
		}
		if c.Err() != nil || n != Count(lp) {
			t.Fatalf("valid, but the walk says %v after %d of %d", c.Err(), n, Count(lp))
		}
		again := New(nil)
		for _, s := range texts(t, lp) {
			again = Push(again, []byte(s))
		}
		if err := Validate(again); err != nil {
			t.Fatal(err)
		}
	})
}
