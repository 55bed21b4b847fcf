package log

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
)

// goldenRecords are the bytes of format version 1. They may never change: a
// change is a new version.
var goldenRecords = []struct {
	name   string
	record Record
	start  LSN
	prev   uint32
	hex    string
}{
	{"empty no-op", Record{Kind: KindNoop}, 0, 0,
		"1b000000 @crc 01 00 1b00000000000000 000000000000 4e 00 00"},
	{"batch with two deltas and a command", Record{
		Kind: KindBatch, TimeMS: 0x0123456789ab,
		Deltas: []Delta{
			{Slot: 0, DB: 0, Keys: 1, Bytes: 100, NextOID: 300},
			{Slot: 16383, DB: 15, Keys: -1, Expires: -2, Bytes: -3, NextOID: 0},
		},
		Payload: []byte("PAY"), Cmd: []byte("SET"),
	}, 1000, 0xdeadbeef,
		"31000000 @crc 01 01 1904000000000000 ab8967452301 42 02" +
			" 0000 00 02 00 c801 ac02 ff3f 0f 01 03 05 00 03 504159 534554"},
	{"batch with hashes with fields that expire", Record{
		Kind:    KindBatch,
		Deltas:  []Delta{{Slot: 1, Keys: 1, SubExpires: 1, Bytes: 2, NextOID: 3}, {Slot: 2, SubExpires: 0}},
		Payload: []byte("P"),
	}, 0, 0,
		"2c000000 @crc 01 02 2c00000000000000 000000000000 42 02" +
			" 0100 00 02 00 04 03 02 0200 00 00 00 00 00 00 01 50"},
	{"term", Record{Kind: KindTerm, TimeMS: 1, Payload: TermPayload(7, ReplID{0xaa, 19: 0xbb})}, 27, 1,
		"38000000 @crc 01 00 5300000000000000 010000000000 45 00 1d" +
			" 01 0700000000000000 aa000000000000000000000000000000000000bb"},
}

func TestGoldenRecords(t *testing.T) {
	for _, g := range goldenRecords {
		size := g.record.encodedLen()
		raw, crc := appendRecord(nil, &g.record, size, g.start+LSN(size), g.prev)
		if len(raw) != size {
			t.Errorf("%s: %d bytes, %d were announced", g.name, len(raw), size)
		}
		crcHex := hex.EncodeToString([]byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24)})
		want := strings.ReplaceAll(strings.ReplaceAll(g.hex, "@crc", crcHex), " ", "")
		if got := hex.EncodeToString(raw); got != want {
			t.Errorf("%s:\n got %s\nwant %s", g.name, got, want)
		}
		if due := crc32.Update(g.prev, crc32.MakeTable(crc32.Castagnoli), raw[8:]); crc != due {
			t.Errorf("%s: CRC %08x, want %08x", g.name, crc, due)
		}
		if _, err := verify(raw, g.start, g.prev); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		if _, err := verify(raw, g.start, g.prev+1); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: accepted behind another record: %v", g.name, err)
		}
		if _, err := verify(raw, g.start+1, g.prev); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: accepted at another LSN: %v", g.name, err)
		}
		var back Record
		if err := back.Decode(raw); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		again, _ := appendRecord(nil, &back, back.encodedLen(), back.LSN, g.prev)
		if !bytes.Equal(again, raw) {
			t.Errorf("%s: decoded and encoded again: %x", g.name, again)
		}
	}
}

func TestGoldenSegmentHeader(t *testing.T) {
	h := segmentHeader{first: 0x0102, prev: 0x01, term: Term{Number: 5, Start: 9, ReplID: ReplID{0xcc}}, crcBefore: 0x11223344}
	raw := h.append(nil)
	want := "016c6f67" + "0201000000000000" + "0100000000000000" + "0500000000000000" + "0900000000000000" +
		"cc00000000000000000000000000000000000000" + "44332211" + "4ff8a3a8"
	if got := hex.EncodeToString(raw); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	back, err := parseSegmentHeader(raw)
	if err != nil || back != h {
		t.Errorf("parsed as %+v, %v", back, err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x10
		if _, err := parseSegmentHeader(bad); err == nil {
			t.Errorf("a change of byte %d is not noticed", i)
		}
	}
	raw[0] = 2
	if _, err := parseSegmentHeader(raw); !errors.Is(err, ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
}

func TestGoldenSyncPoint(t *testing.T) {
	raw := appendSyncPoint(nil, 3, 0x0102)
	want := "0173796e" + "0300000000000000" + "0201000000000000" + "78bfc352"
	if got := hex.EncodeToString(raw); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if serial, lsn, err := parseSyncPoint(raw); serial != 3 || lsn != 0x0102 || err != nil {
		t.Errorf("parsed as %d, %d, %v", serial, lsn, err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x10
		if _, _, err := parseSyncPoint(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("a change of byte %d is not noticed", i)
		}
	}
	newer := bytes.Clone(raw)
	newer[0] = 2
	binary.LittleEndian.PutUint32(newer[20:], crc32.Checksum(newer[:20], castagnoli))
	if _, _, err := parseSyncPoint(newer); !errors.Is(err, ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
}

func TestNewerRecordsAreRefused(t *testing.T) {
	r := Record{Kind: KindNoop}
	for at, value := range map[int]byte{8: 2, 9: 4, 24: 'Z'} {
		raw, _ := appendRecord(nil, &r, r.encodedLen(), 27, 0)
		raw[at] = value
		if err := new(Record).Decode(raw); !errors.Is(err, ErrNewer) {
			t.Errorf("byte %d = %d: %v", at, value, err)
		}
	}
}

// FuzzDecode: no input makes Decode panic, and what it accepts has exactly one
// encoding.
func FuzzDecode(f *testing.F) {
	for _, g := range goldenRecords {
		size := g.record.encodedLen()
		raw, _ := appendRecord(nil, &g.record, size, g.start+LSN(size), g.prev)
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Record
		if err := r.Decode(raw); err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrNewer) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if n := r.encodedLen(); n != len(raw) {
			t.Fatalf("length %d of %d bytes", n, len(raw))
		}
		again, crc := appendRecord(nil, &r, len(raw), r.LSN, 0)
		copy(raw[4:8], []byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24)})
		if !bytes.Equal(again, raw) {
			t.Fatalf("\n got %x\nfrom %x", again, raw)
		}
		if r.Kind == KindTerm {
			if term, err := parseTerm(r.Payload, 0); err == nil && !bytes.Equal(TermPayload(term.Number, term.ReplID), r.Payload) {
				t.Fatalf("term payload %x", r.Payload)
			}
		}
		var twice Record
		if err := twice.Decode(again); err != nil || !reflect.DeepEqual(twice, r) {
			t.Fatalf("%+v became %+v, %v", r, twice, err)
		}
	})
}

// FuzzSegmentHeader: no input makes the parser panic.
func FuzzSegmentHeader(f *testing.F) {
	h := segmentHeader{first: 1}
	f.Add(h.append(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if h, err := parseSegmentHeader(raw); err == nil && !bytes.Equal(h.append(nil), raw[:segmentHeaderLen]) {
			t.Fatalf("%x parsed as %+v", raw, h)
		}
	})
}

// FuzzSyncPoint: no input makes the parser panic, and what it accepts has one
// encoding.
func FuzzSyncPoint(f *testing.F) {
	f.Add(appendSyncPoint(nil, 7, 1<<40))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if serial, lsn, err := parseSyncPoint(raw); err == nil && !bytes.Equal(appendSyncPoint(nil, serial, lsn), raw[:syncPointSlotLen]) {
			t.Fatalf("%x parsed as %d, %d", raw, serial, lsn)
		}
	})
}
