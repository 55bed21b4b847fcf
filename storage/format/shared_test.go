package format

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestSharedGoldenBytes(t *testing.T) {
	for _, c := range []struct {
		name  string
		value []byte
		want  string
	}{{"functions", []byte("x"), "01010966756e6374696f6e7378"}, {"f", nil, "01000166"}, {"f", []byte{}, "01010166"}} {
		b := AppendShared(nil, c.name, c.value)
		if got := hex.EncodeToString(b); got != c.want {
			t.Errorf("%q: %s, want %s", c.name, got, c.want)
		}
		name, value, err := DecodeShared(b)
		if err != nil || name != c.name || !bytes.Equal(value, c.value) || (value == nil) != (c.value == nil) {
			t.Errorf("%q %v comes back as %q %v %v", c.name, c.value, name, value, err)
		}
	}
	row := AppendSharedEntry(AppendSharedEntry(AppendSharedHead(nil, 2), "a", []byte("1")), "b", nil)
	if got, want := hex.EncodeToString(row), "0102016101310162"+"00"; got != want {
		t.Errorf("row %s, want %s", got, want)
	}
}

func FuzzShared(f *testing.F) {
	f.Add(AppendShared(nil, "functions", []byte("x")))
	f.Add(AppendSharedEntry(AppendSharedHead(nil, 1), "a", []byte("1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if name, value, err := DecodeShared(b); err == nil {
			again, v, err := DecodeShared(AppendShared(nil, name, value))
			if err != nil || again != name || !bytes.Equal(v, value) {
				t.Errorf("%x does not come back", b)
			}
		}
		_, _ = DecodeSharedRow(b)
	})
}
