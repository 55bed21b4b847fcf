package dump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// ziplist builds a ziplist as Redis before 7 did.
func ziplist(items ...string) []byte {
	zl := make([]byte, 10)
	last, before := 10, 0
	for _, s := range items {
		last = len(zl)
		if before < 254 {
			zl = append(zl, byte(before))
		} else {
			zl = binary.LittleEndian.AppendUint32(append(zl, 0xFE), uint32(before))
		}
		v, isInt := listpack.ParseInt([]byte(s))
		switch {
		case isInt && 0 <= v && v <= 12:
			zl = append(zl, 0xF1+byte(v))
		case isInt && v == int64(int8(v)):
			zl = append(zl, 0xFE, byte(v))
		case isInt && v == int64(int16(v)):
			zl = binary.LittleEndian.AppendUint16(append(zl, 0xC0), uint16(v))
		case isInt && -1<<23 <= v && v < 1<<23:
			zl = append(zl, 0xF0, byte(v), byte(v>>8), byte(v>>16))
		case isInt && v == int64(int32(v)):
			zl = binary.LittleEndian.AppendUint32(append(zl, 0xD0), uint32(v))
		case isInt:
			zl = binary.LittleEndian.AppendUint64(append(zl, 0xE0), uint64(v))
		case len(s) < 1<<6:
			zl = append(append(zl, byte(len(s))), s...)
		case len(s) < 1<<14:
			zl = append(append(zl, 0x40|byte(len(s)>>8), byte(len(s))), s...)
		default:
			zl = append(binary.BigEndian.AppendUint32(append(zl, 0x80), uint32(len(s))), s...)
		}
		before = len(zl) - last
	}
	if len(items) == 0 {
		last = 10
	}
	zl = append(zl, 0xFF)
	binary.LittleEndian.PutUint32(zl, uint32(len(zl)))
	binary.LittleEndian.PutUint32(zl[4:], uint32(last))
	binary.LittleEndian.PutUint16(zl[8:], uint16(len(items)))
	return zl
}

type oldForm struct {
	name    string
	payload []byte
	want    Value
}

func texts(items ...string) [][]byte {
	out := make([][]byte, len(items))
	for i, s := range items {
		out[i] = []byte(s)
	}
	return out
}

// oldForms are payloads of types that servers of today read and no longer write.
func oldForms() []oldForm {
	items := []string{"f", "v", "0", "12", "13", "-128", "300", "-40000", "8388607", "8388608", "-2147483648", "2147483648",
		strings.Repeat("a", 63), strings.Repeat("b", 64), strings.Repeat("c", 253), strings.Repeat("d", 20000), "", "x"}
	intset := []byte{4, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 1, 0}
	zipmap := []byte("\x02\x01f\x01\x00v\x03abc\x02\x03de\x00\x00\x00\xff")
	long := append(append([]byte("\x01\x01f\xfe\x2c\x01\x00\x00\x00"), bytes.Repeat([]byte("v"), 300)...), 0xFF)
	lzf := []byte{0xC3, 6, 0x40, 100, 1, 'a', 'b', 0xE0, 89, 1}
	return []oldForm{
		{"hash of a ziplist", sealed(typeHashZiplist, AppendString(nil, ziplist(items...))), Value{Type: format.HashType, Items: texts(items...)}},
		{"list of a ziplist", sealed(typeListZiplist, AppendString(nil, ziplist(items...))), Value{Type: format.List, Items: texts(items...)}},
		{"quicklist of ziplists", sealed(typeListQuicklist, []byte{2}, AppendString(nil, ziplist("a", "1")), AppendString(nil, ziplist("b"))), Value{Type: format.List, Items: texts("a", "1", "b")}},
		{"zset of a ziplist", sealed(typeZSetZiplist, AppendString(nil, ziplist("a", "1", "b", "2.5"))), Value{Type: format.ZSet, Items: texts("a", "b"), Scores: []float64{1, 2.5}}},
		{"zset with scores as text", sealed(typeZSetText, []byte("\x02\x01a\x031.5\x01b\xff")), Value{Type: format.ZSet, Items: texts("a", "b"), Scores: []float64{1.5, math.Inf(-1)}}},
		{"intset", sealed(typeSetIntset, AppendString(nil, intset)), Value{Type: format.Set, Items: texts("-1", "1", "65536")}},
		{"zipmap", sealed(typeHashZipmap, AppendString(nil, zipmap)), Value{Type: format.HashType, Items: texts("f", "v", "abc", "de")}},
		{"zipmap with a long value", sealed(typeHashZipmap, AppendString(nil, long)), Value{Type: format.HashType, Items: texts("f", strings.Repeat("v", 300))}},
		{"LZF", sealed(TypeString, lzf), Value{Type: format.String, Bytes: []byte(strings.Repeat("ab", 50))}},
	}
}

func TestOldForms(t *testing.T) {
	for _, c := range oldForms() {
		if got, err := Decode(c.payload); err != nil || !equal(got, c.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", c.name, err, got.Items, c.want.Items)
		}
	}
}

func TestMalformedZiplist(t *testing.T) {
	for i := range ziplist("f", "v", strings.Repeat("w", 300), "x") {
		zl := ziplist("f", "v", strings.Repeat("w", 300), "x")
		zl[i]++
		v, err := Decode(sealed(typeHashZiplist, AppendString(nil, zl)))
		if err == nil && slicesSame(v.Items, texts("f", "v", strings.Repeat("w", 300), "x")) {
			t.Errorf("byte %d changed, and the same is read", i)
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func slicesSame(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte{0}), bytes.Join(b, []byte{0}))
}
