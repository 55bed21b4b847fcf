package dump

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

func sealed(kind byte, body ...[]byte) []byte {
	return Seal(append([]byte{kind}, bytes.Join(body, nil)...), 0)
}

// Payloads as redis-server 7.0.15 printed them unless another is named, but for the last: that one is ours.
func TestGoldenBytes(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		want          Value
	}{
		{"a small hash with fields that expire, of redis-server 8.0.2", "190038d360ba010000313100000009008161020101f40038d360ba010000098163028568656c6c6f06f46438d360ba0100000981620202010001ff0c009c9a14b97969bfea", Value{Type: format.HashType,
			Items: texts("a", "1", "c", "hello", "b", "2"), Deadlines: []int64{1900000000000, 1900000000100, 0}}},
		{"and a large one", "180038d360ba01000003000162c002406501630568656c6c6f010161c0010c00c592ac03ba01c9fc", Value{Type: format.HashType,
			Items: texts("b", "2", "c", "hello", "a", "1"), Deadlines: []int64{0, 1900000000100, 1900000000000}}},
		{"one as before Redis 7.4 was released, which 8.0.2 takes", "1603000162013281000001ba60d3386401630568656c6c6f81000001ba60d33800016101310c001a6e986dfcb91fb9", Value{Type: format.HashType,
			Items: texts("b", "2", "c", "hello", "a", "1"), Deadlines: []int64{0, 1900000000100, 1900000000000}}},
		{"and a small one", "17313100000009008161020101f40038d360ba010000098163028568656c6c6f06f46438d360ba0100000981620202010001ff0c00681e0557116a317d", Value{Type: format.HashType,
			Items: texts("a", "1", "c", "hello", "b", "2"), Deadlines: []int64{1900000000000, 1900000000100, 0}}},
		{"one of Valkey 9, by what is known of it", "160301620132ffffffffffffffff01630568656c6c6f6438d360ba010000016101310038d360ba0100005000cd0db2a91096959c", Value{Type: format.HashType,
			Items: texts("b", "2", "c", "hello", "a", "1"), Deadlines: []int64{0, 1900000000100, 1900000000000}}},
		{"SET k 10", "00c00a0a006e9f57450eae63bb", Value{Type: format.String, Bytes: []byte("10")}},
	} {
		payload, err := hex.DecodeString(c.payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(payload)
		if err != nil || !equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	ours := []byte{TypeHash}
	ours = AppendString(AppendString(AppendLength(ours, 1), []byte("f")), []byte("-129"))
	if got, want := hex.EncodeToString(Seal(ours, 0)), "04010166c17fff08002d381d56c8153554"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := checksum([]byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("CRC-64/Jones of the check string: %x", got)
	}
}

func equal(a, b Value) bool {
	return a.Type == b.Type && bytes.Equal(a.Bytes, b.Bytes) && slices.EqualFunc(a.Items, b.Items, bytes.Equal) && slices.Equal(a.Scores, b.Scores) && slices.Equal(a.Deadlines, b.Deadlines)
}

// encode writes v as this package writes such values.
func encode(v Value) []byte {
	kinds := map[format.Type]byte{format.String: TypeString, format.List: TypeList, format.Set: TypeSet, format.HashType: TypeHash, format.ZSet: TypeZSet}
	out := []byte{kinds[v.Type]}
	switch v.Type {
	case format.String:
		return Seal(AppendString(out, v.Bytes), 0)
	case format.HashType:
		return encodeHash(v)
	default:
		out = AppendLength(out, uint64(len(v.Items)))
	}
	for i, item := range v.Items {
		out = AppendString(out, item)
		if v.Type == format.ZSet {
			out = AppendScore(out, v.Scores[i])
		}
	}
	return Seal(out, 0)
}

func encodeHash(v Value) []byte {
	first := int64(0)
	if v.Deadlines != nil {
		first = math.MaxInt64
	}
	for _, at := range v.Deadlines {
		if at != 0 {
			first = min(first, at)
		}
	}
	out := AppendHash(nil, uint64(len(v.Items)/2), first)
	for i := 0; i < len(v.Items); i += 2 {
		at := int64(0)
		if v.Deadlines != nil {
			at = v.Deadlines[i/2]
		}
		out = AppendField(out, v.Items[i], v.Items[i+1], at, first)
	}
	return Seal(out, 0)
}

func randomText(rng *rand.Rand, i int) []byte {
	switch rng.IntN(5) {
	case 0:
		return strconv.AppendInt(nil, int64(rng.Uint64())>>rng.IntN(64)/128*128+int64(i), 10)
	case 1:
		return fmt.Append(nil, i, strings.Repeat("abc", rng.IntN(2000)))
	case 2:
		return fmt.Append(nil, "0", i)
	default:
		b := fmt.Append(nil, i, "-")
		for range rng.IntN(100) {
			b = append(b, byte(rng.Uint32()))
		}
		return b
	}
}

func randomValue(rng *rand.Rand) Value {
	v := Value{Type: []format.Type{format.String, format.List, format.Set, format.HashType, format.ZSet}[rng.IntN(5)]}
	if v.Type == format.String {
		v.Bytes = randomText(rng, 7)
		return v
	}
	n := 1 + rng.IntN(10)
	if rng.IntN(8) == 0 {
		n += 700
	}
	deadlines := rng.IntN(2) == 0
	for i := range n {
		v.Items = append(v.Items, randomText(rng, i))
		switch v.Type {
		case format.HashType:
			v.Items = append(v.Items, randomText(rng, i))
			if deadlines {
				v.Deadlines = append(v.Deadlines, []int64{0, 1_700_000_000_000 + rng.Int64N(1<<40)}[rng.IntN(2)])
			}
		case format.ZSet:
			v.Scores = append(v.Scores, []float64{float64(i), 1.5, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.Float64frombits(1), 1e21}[rng.IntN(7)])
		}
	}
	return v
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		v := randomValue(rand.New(rand.NewPCG(seed, 3)))
		got, err := Decode(encode(v))
		if err != nil || !equal(got, v) {
			t.Fatalf("seed %d: %v\ngot  %v\nwant %v", seed, err, got, v)
		}
	}
	for _, n := range []int{63, 64, 1<<14 - 1, 1 << 14, 1 << 20} {
		s := bytes.Repeat([]byte("x"), n)
		if got, err := Decode(sealed(TypeString, AppendString(nil, s))); err != nil || !bytes.Equal(got.Bytes, s) {
			t.Errorf("a string of %d bytes: %v", n, err)
		}
	}
}

func TestChecksumAndVersion(t *testing.T) {
	good := sealed(TypeString, AppendString(nil, []byte("value")))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := Decode(bad); !errors.Is(err, ErrChecksum) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	version := func(v uint16) []byte {
		p := binary.LittleEndian.AppendUint16(bytes.Clone(good[:len(good)-footerSize]), v)
		return binary.LittleEndian.AppendUint64(p, checksum(p))
	}
	for v, want := range map[uint16]error{0: nil, 6: nil, 9: nil, 10: nil, 11: nil, 12: nil, 80: nil, 13: ErrChecksum, 79: ErrChecksum, 0xFFFF: ErrChecksum} {
		if _, err := Decode(version(v)); !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", v, err, want)
		}
	}
}

func TestMalformed(t *testing.T) {
	lp := listpack.Push(listpack.New(nil), []byte("odd"))
	intset := []byte{2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0}
	for name, payload := range map[string][]byte{
		"nothing":                   Seal(nil, 0),
		"type alone":                sealed(TypeString),
		"bytes after the value":     sealed(TypeString, AppendString(nil, []byte("v")), []byte{0}),
		"longer than the payload":   sealed(TypeString, []byte{5, 'a'}),
		"unknown string":            sealed(TypeString, []byte{0xC4, 1}),
		"unknown length":            sealed(TypeString, []byte{0x82, 1}),
		"empty hash":                sealed(TypeHash, []byte{0}),
		"empty list":                sealed(TypeList, []byte{0}),
		"huge count":                sealed(TypeHash, []byte{0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}),
		"odd listpack of a hash":    sealed(typeHashListpack, AppendString(nil, lp)),
		"cut listpack":              sealed(typeHashListpack, AppendString(nil, lp[:len(lp)-1])),
		"empty listpack":            sealed(typeHashListpack, AppendString(nil, listpack.New(nil))),
		"NaN score":                 sealed(TypeZSet, []byte{1, 1, 'm'}, AppendScore(nil, math.NaN())),
		"NaN score as text":         sealed(typeZSetText, []byte{1, 1, 'm', 253}),
		"text score that is none":   sealed(typeZSetText, []byte{1, 1, 'm', 1, 'x'}),
		"intset of width 3":         sealed(typeSetIntset, AppendString(nil, append([]byte{3}, intset[1:]...))),
		"intset cut":                sealed(typeSetIntset, AppendString(nil, intset[:11])),
		"LZF beyond its size":       sealed(TypeString, []byte{0xC3, 3, 1, 1, 'a', 'b'}),
		"LZF from before its start": sealed(TypeString, []byte{0xC3, 4, 4, 0, 'a', 0x20, 5}),
		"LZF of absurd size":        sealed(TypeString, []byte{0xC3, 2, 0x80, 0x10, 0, 0, 0, 0, 'a'}),
		"quicklist of no container": sealed(typeListQuick2, []byte{1, 3}, AppendString(nil, lp)),
	} {
		if v, err := Decode(payload); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	for _, kind := range []byte{6, 7, 8, 26, 99, 255} {
		if _, err := Decode(sealed(kind, []byte{1, 1, 'x'})); !errors.Is(err, ErrUnsupported) {
			t.Errorf("type %d: %v", kind, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(encode(randomValue(rand.New(rand.NewPCG(seed, 4)))))
	}
	for _, c := range oldForms() {
		f.Add(c.payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 0 { // let the fuzzer past the checksum
			payload = Seal(bytes.Clone(payload[:max(1, len(payload)-footerSize)]), 0)
		}
		v, err := Decode(payload)
		if err != nil {
			return
		}
		again, err := Decode(encode(v))
		if err != nil || !equal(v, again) {
			t.Fatalf("%v\ngot  %v\nwant %v", err, again, v)
		}
	})
}
