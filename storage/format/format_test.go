package format

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"testing"
)

func golden(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if s := hex.EncodeToString(got); s != want {
		t.Errorf("%s is %s, want %s", what, s, want)
	}
}

// TestGoldenBytes holds format version 1 to what is on people's disks.
func TestGoldenBytes(t *testing.T) {
	golden(t, "meta key", AppendMetaKey(nil, 0x3FFF, 0, []byte("abc")), "3fff1000"+"44bc2cf5ad770999"+"616263")
	golden(t, "element prefix", AppendElement(nil, 1, 2, 3), "0001200000000000000002"+"03")
	golden(t, "expiry key", AppendExpiryKey(nil, 1, 300, ExpiresKey, 0, []byte("abc")), "000130000000000000012c0000"+"44bc2cf5ad770999"+"616263")
	golden(t, "garbage key", AppendGarbageKey(nil, 1, 5), "0001400000000000000005")
	golden(t, "garbage part", AppendGarbagePart(nil, 1, 5, 'e'), "000140000000000000000565")
	inline := Meta{Type: String, Enc: EncRaw, Version: 1, Inline: []byte("v")}
	golden(t, "inline value", inline.Append(nil), "1100000176")
	rows := Meta{Type: HashType, Enc: EncHashtable, Layout: Rows, ExpireAt: 300, IndexAt: 200, Version: 2, OID: 9, Count: 3, Bytes: 128, Extra: []byte{7}}
	golden(t, "rows value", rows.Append(nil), "140505"+"ac02c801"+"02"+"09"+"03"+"8001"+"07")
	set := AppendDeleteRange(AppendDelete(AppendSet(AppendWriteSetHeader(nil), []byte("abc"), []byte("v")), []byte("abd")), []byte("abe"), []byte("abf"))
	golden(t, "write set", set, "01"+"01"+"03616263"+"0176"+"02"+"03616264"+"03"+"03616265"+"03616266")
	w := Watermark{LSN: 1, CRC: 2, Term: 3, TermStart: 4, ReplID: [20]byte{5}}
	golden(t, "watermark", w.Append(nil), "01"+"0000000000000001"+"00000002"+"0000000000000003"+"0000000000000004"+"0500000000000000000000000000000000000000")
	golden(t, "watermark key", WatermarkKey(), "ffff00")
	golden(t, "header key", AppendHeaderKey(nil, 0x0102), "ffff010102")
	h := Header{LSN: 300, Keys: 1, Expires: 2, Bytes: 3, NextOID: 4, SubExpires: 5}
	golden(t, "header with fields that expire", h.Append(nil), "01ac020102030405")
	h.SubExpires = 0
	golden(t, "header", h.Append(nil), "01ac0201020304")
	ranges := []SlotRange{{0, 1}, {5, 0x3FFF}}
	golden(t, "excise", AppendExcise(nil, ranges), "01"+"02"+"00000001"+"00053fff")
	golden(t, "import", AppendImport(nil, ranges[:1], []string{"a.sst"}), "01"+"01"+"00000001"+"01"+"05612e737374")
}

// TestRowsSortByKind: what is scanned together lies together.
func TestRowsSortByKind(t *testing.T) {
	rows := [][]byte{
		AppendMetaKey(nil, 1, 0, []byte("z")),
		AppendElement(nil, 1, 1, 0xFF),
		AppendElement(nil, 1, 2, 0),
		AppendExpiryKey(nil, 1, 1, ExpiresKey, 0, []byte("z")),
		AppendExpiryKey(nil, 1, 2, ExpiresKey, 0, []byte("a")),
		AppendGarbageKey(nil, 1, 1),
		AppendMetaKey(nil, 2, 0, []byte("a")),
		WatermarkKey(),
		AppendHeaderKey(nil, 0),
		AppendHeaderKey(nil, 16383),
	}
	if !slices.IsSortedFunc(rows, bytes.Compare) {
		t.Error("row keys are out of order")
	}
}

func FuzzMeta(f *testing.F) {
	f.Add((&Meta{Type: String, Inline: []byte("v")}).Append(nil))
	f.Add((&Meta{Type: HashType, Layout: Rows, ExpireAt: 1, OID: 1, Count: 2, Bytes: 3}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Meta
		if m.Decode(b) != nil {
			return
		}
		if err := again.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v: %v", m, again, err)
		}
	})
}

func FuzzWriteSet(f *testing.F) {
	f.Add(AppendDeleteRange(AppendDelete(AppendSet(AppendWriteSetHeader(nil), []byte("abc"), []byte("v")), []byte("abd")), []byte("abe"), []byte("abf")))
	f.Fuzz(func(t *testing.T, b []byte) {
		again := AppendWriteSetHeader(nil)
		err := EachOp(b, func(op byte, key, value []byte) error {
			switch op {
			case OpSet:
				again = AppendSet(again, key, value)
			case OpDelete:
				again = AppendDelete(again, key)
			case OpDeleteRange:
				again = AppendDeleteRange(again, key, value)
			}
			return nil
		})
		if err == nil && len(again) > len(b) {
			t.Fatalf("%x became longer: %x", b, again)
		}
	})
}

func FuzzSystemRows(f *testing.F) {
	f.Add((&Watermark{LSN: 1}).Append(nil))
	f.Add((&Header{LSN: 1, Keys: 300}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var w Watermark
		if w.Decode(b) == nil && !bytes.Equal(w.Append(nil), b) {
			t.Fatalf("watermark %x became %x", b, w.Append(nil))
		}
		var h, again Header
		if h.Decode(b) == nil {
			if err := again.Decode(h.Append(nil)); err != nil || h != again {
				t.Fatalf("header %+v became %+v: %v", h, again, err)
			}
		}
	})
}

func FuzzBarrier(f *testing.F) {
	f.Add(AppendExcise(nil, []SlotRange{{0, 16383}}), false)
	f.Add(AppendImport(nil, []SlotRange{{1, 2}, {7, 7}}, []string{"a", "b"}), true)
	f.Add(AppendImport(nil, []SlotRange{{1, 2}}, []string{"../a"}), true)
	f.Fuzz(func(t *testing.T, b []byte, files bool) {
		v, err := DecodeBarrier(b, files)
		if err != nil {
			return
		}
		n := 0
		v.Each(func(slot uint16) {
			if slot >= 16384 {
				t.Fatalf("slot %d", slot)
			}
			n++
		})
		if n > 16384 {
			t.Fatalf("%d slots", n)
		}
		for _, name := range v.Files {
			if hasSlash(name) || name == ".." {
				t.Fatalf("file name %q", name)
			}
		}
		encoded := AppendExcise(nil, v.Ranges)
		if files {
			encoded = AppendImport(nil, v.Ranges, v.Files)
		}
		again, err := DecodeBarrier(encoded, files)
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%+v became %+v: %v", v, again, err)
		}
	})
}
