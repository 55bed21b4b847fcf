package format

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestHashRowGoldenBytes(t *testing.T) {
	key := AppendMember(nil, 0x1234, 7, SubHashField, []byte("field"))
	if got, want := hex.EncodeToString(key), "1234200000000000000007662aedfa7ada877b286669656c64"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	for _, c := range []struct {
		expireAt int64
		want     string
	}{{0, "0076"}, {300, "01ac0276"}} {
		row := AppendHashValue(nil, c.expireAt, []byte("v"))
		if got := hex.EncodeToString(row); got != c.want {
			t.Errorf("value %s, want %s", got, c.want)
		}
		at, value, err := SplitHashValue(row)
		if err != nil || at != c.expireAt || string(value) != "v" {
			t.Errorf("SplitHashValue(%x): %d %q %v", row, at, value, err)
		}
	}
}

func TestHashDeadlineGoldenBytes(t *testing.T) {
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"row":      {AppendHashDeadline(nil, 0x1234, 7, 0x0102030405, []byte("f")), "12342000000000000000077400000001020304" + "0566"},
		"inline":   {AppendHashInline(nil, []byte("DD"), []byte("FFF")), "024444464646"},
		"extra":    {AppendHashExtra(nil, 300), "ac02"},
		"metadata": {(&Meta{Type: HashType, Enc: EncListpackEx, FieldsAt: 300, Version: 5, Inline: []byte("B")}).Append(nil), "140908ac020542"},
		"expiry":   {AppendExpiryKey(nil, 1, 300, ExpiresField, 0, []byte("k")), "000130000000000000012c0100" + hex.EncodeToString(AppendMetaKey(nil, 1, 0, []byte("k"))[4:])},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What is taken apart is what was put together; a body that is cut or has more is none.
func FuzzHashDeadlines(f *testing.F) {
	f.Add(AppendHashDeadline(nil, 1, 2, 3, []byte("f")), AppendHashInline(nil, []byte("D"), []byte("F")), AppendHashExtra(nil, 7))
	f.Add([]byte{}, []byte{5, 1}, []byte{0})
	f.Fuzz(func(t *testing.T, row, body, extra []byte) {
		if at, field, err := SplitHashDeadline(row); err == nil {
			again := append(append([]byte(nil), row[:12]...), AppendHashDeadline(nil, 0, 0, at, field)[12:]...)
			if !bytes.Equal(again, row) {
				t.Fatalf("%x became %x", row, again)
			}
		}
		if deadlines, fields, err := SplitHashInline(body); err == nil {
			d, v, err := SplitHashInline(AppendHashInline(nil, deadlines, fields))
			if err != nil || !bytes.Equal(d, deadlines) || !bytes.Equal(v, fields) {
				t.Fatalf("%x: %x %x, then %x %x %v", body, deadlines, fields, d, v, err)
			}
		}
		if n, err := SplitHashExtra(extra); err == nil {
			if again, err := SplitHashExtra(AppendHashExtra(nil, n)); err != nil || again != n {
				t.Fatalf("%x: %d, then %d %v", extra, n, again, err)
			}
		}
	})
}

func FuzzHashRows(f *testing.F) {
	f.Add(AppendMember(nil, 1, 2, SubHashField, []byte("f")), AppendHashValue(nil, 0, []byte("v")))
	f.Add(AppendMember(nil, 1, 2, SubHashField, nil), AppendHashValue(nil, 1<<40, nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if h, field, err := SplitMember(key, SubHashField); err == nil && h == Hash(field) {
			if again := AppendMember(nil, SlotOf(key), uint64(key[3])<<56|uint64(key[4])<<48|uint64(key[5])<<40|uint64(key[6])<<32|uint64(key[7])<<24|uint64(key[8])<<16|uint64(key[9])<<8|uint64(key[10]), SubHashField, field); !bytes.Equal(again, key) {
				t.Fatalf("%x became %x", key, again)
			}
		}
		if at, v, err := SplitHashValue(value); err == nil {
			at2, v2, err := SplitHashValue(AppendHashValue(nil, at, v))
			if err != nil || at2 != at || !bytes.Equal(v, v2) {
				t.Fatalf("%x: %d %x, then %d %x %v", value, at, v, at2, v2, err)
			}
		}
	})
}
