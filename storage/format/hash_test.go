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
