package pieces

import (
	"bytes"
	"testing"
)

func TestPieces(t *testing.T) {
	text := make([]byte, 3*Size+7)
	for i := range text {
		text[i] = byte(i * 7 >> 3)
	}
	for _, n := range []int{0, 1, Size - 1, Size, Size + 1, 2 * Size, len(text)} {
		dst := make([]byte, n)
		if got := Copy(dst, text); got != n || !bytes.Equal(dst, text[:n]) {
			t.Errorf("of %d bytes %d are copied", n, got)
		}
		if got := Append([]byte("a"), text[:n]); string(got[:1]) != "a" || !bytes.Equal(got[1:], text[:n]) {
			t.Errorf("%d bytes are appended as %d", n, len(got)-1)
		}
		grown := Grow(bytes.Clone(text[:n]), 100)
		if len(grown) != n || cap(grown)-n < 100 || !bytes.Equal(grown, text[:n]) {
			t.Errorf("%d bytes are grown to %d, with room for %d", n, len(grown), cap(grown)-n)
		}
		if again := Grow(grown, 100); cap(again) != cap(grown) {
			t.Errorf("what has room for 100 bytes is grown for them")
		}
	}
}

// Many small additions to a large buffer copy it now and then, and not each time.
func TestGrowthIsAmortized(t *testing.T) {
	b := make([]byte, 2*Size)
	grown := 0
	for len(b) < 40*Size {
		was := cap(b)
		if b = Append(b, make([]byte, 1000)); cap(b) != was {
			grown++
		}
	}
	if grown > 12 {
		t.Errorf("it has grown %d times", grown)
	}
}
