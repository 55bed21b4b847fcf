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
	extra := AppendListBounds(nil, 1, ListMiddle)
	if got, want := hex.EncodeToString(extra), "00000000000000018000000000000000"; got != want {
		t.Errorf("bounds %s, want %s", got, want)
	}
	for _, c := range []struct {
		extra []byte
		ok    bool
	}{{extra, true}, {extra[1:], false}, {nil, false}, {AppendListBounds(nil, 2, 1), false}} {
		m := Meta{Extra: c.extra}
		if _, _, err := m.ListBounds(); (err == nil) != c.ok {
			t.Errorf("ListBounds of %x: %v", c.extra, err)
		}
	}
}

func FuzzListRows(f *testing.F) {
	f.Add(AppendListElement(nil, 1, 2, 3), AppendListBounds(nil, 1, 2))
	f.Fuzz(func(t *testing.T, key, extra []byte) {
		if pos, err := SplitListElement(key); err == nil && !bytes.Equal(AppendListElement(nil, SlotOf(key), objectOf(key), pos), key) {
			t.Fatalf("%x became another", key)
		}
		m := Meta{Extra: extra}
		if head, tail, err := m.ListBounds(); err == nil && !bytes.Equal(AppendListBounds(nil, head, tail), extra) {
			t.Fatalf("bounds %x became others", extra)
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
