package format

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestListRowGoldenBytes(t *testing.T) {
	key := AppendListElement(nil, 0x1234, 7, ListMiddle+ListStride)
	if got, want := hex.EncodeToString(key), "123420000000000000000765"+"8000000000100000"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	if pos, err := SplitListElement(key); err != nil || pos != ListMiddle+ListStride {
		t.Errorf("SplitListElement: %x %v", pos, err)
	}
	x := ListExtra{Head: 1, Tail: ListMiddle, Low: 1, High: ListMiddle}
	extra := x.Append(nil)
	if got, want := hex.EncodeToString(extra), "00000000000000018000000000000000"; got != want {
		t.Errorf("bounds %s, want %s", got, want)
	}
	x = ListExtra{Head: 1, Tail: ListMiddle, Leaves: 300, Stamp: 2, Low: 0, High: ListMiddle + 1}
	long := x.Append(nil)
	if got, want := hex.EncodeToString(long), "00000000000000018000000000000000"+"ac0202"+"00000000000000008000000000000001"; got != want {
		t.Errorf("extra %s, want %s", got, want)
	}
	wrong, narrow := ListExtra{Head: 2, Tail: 1, Low: 2, High: 1}, ListExtra{Head: 2, Tail: 3, Leaves: 1, Low: 3, High: 3}
	for _, c := range []struct {
		extra []byte
		ok    bool
	}{{extra, true}, {long, true}, {extra[1:], false}, {long[1:], false}, {nil, false}, {wrong.Append(nil), false}, {narrow.Append(nil), false}} {
		var got ListExtra
		if err := got.Decode(c.extra); (err == nil) != c.ok || err == nil && !bytes.Equal(got.Append(nil), c.extra) {
			t.Errorf("%x: %+v, %v", c.extra, got, err)
		}
	}
}

func FuzzListRows(f *testing.F) {
	first := ListExtra{Head: 1, Tail: 2, Leaves: 3, Stamp: 4, Low: 1, High: 7}
	f.Add(AppendListElement(nil, 1, 2, 3), first.Append(nil))
	f.Fuzz(func(t *testing.T, key, extra []byte) {
		if pos, err := SplitListElement(key); err == nil && !bytes.Equal(AppendListElement(nil, SlotOf(key), objectOf(key), pos), key) {
			t.Fatalf("%x became another", key)
		}
		var x, again ListExtra
		if x.Decode(extra) == nil && (again.Decode(x.Append(nil)) != nil || again != x) {
			t.Fatalf("%x became %+v, and that %+v", extra, x, again)
		}
	})
}

// objectOf returns the object id in an element's row key.
func objectOf(row []byte) (oid uint64) {
	for _, b := range row[3:11] {
		oid = oid<<8 | uint64(b)
	}
	return oid
}
