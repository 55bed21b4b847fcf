package slots

import (
	"math/rand/v2"
	"testing"

	"github.com/sigurn/crc16"
)

func TestOf(t *testing.T) {
	// The first line is the check value of CRC-16/XMODEM (0x31C3); the others were printed by CLUSTER KEYSLOT of redis-server 7.0.
	for key, want := range map[string]Slot{
		"123456789": 0x31C3 & (Count - 1), "": 0, "foo": 12182, "foo{}{bar}": 8363, "foo{{bar}}zap": 4015,
		"{user1000}.following": 3443, "user1000": 3443, "foo{bar}{zap}": 5061, "bar": 5061,
	} {
		if got := Of([]byte(key)); got != want {
			t.Errorf("Of(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestTag(t *testing.T) {
	for key, want := range map[string]string{
		"a{b}c": "b", "a{}c": "a{}c", "{b": "{b", "a}b{c}": "c", "{{b}}": "{b", "{a}{b}": "a",
	} {
		if got := string(Tag([]byte(key))); got != want {
			t.Errorf("Tag(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestSetAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var set Set
	model := map[Slot]bool{}
	for range 20000 {
		slot := Slot(rnd.IntN(Count))
		if rnd.IntN(3) == 0 {
			set.Remove(slot)
			delete(model, slot)
		} else {
			set.Add(slot)
			model[slot] = true
		}
	}
	if set.Len() != len(model) {
		t.Fatalf("Len = %d, want %d", set.Len(), len(model))
	}
	var back Set
	for _, r := range set.Ranges() {
		parsed, err := ParseRange(r.String())
		if err != nil || parsed != r {
			t.Fatalf("ParseRange(%v) = %v, %v", r, parsed, err)
		}
		back.AddRange(r)
	}
	if back != set {
		t.Fatal("ranges do not give the set back")
	}
	set.Each(func(slot Slot) bool {
		if !model[slot] {
			t.Fatalf("slot %d is in the set but not in the model", slot)
		}
		return true
	})
}

func TestParseRangeRefuses(t *testing.T) {
	for _, text := range []string{"", "-", "1-", "-1", "16384", "5-4", "0-16384", "a", "1-2-3", "+1"} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("ParseRange(%q) = %v, want an error", text, r)
		}
	}
}

// TestCRC compares with the library byte by byte, at every length around the steps.
func TestCRC(t *testing.T) {
	table := crc16.MakeTable(crc16.CRC16_XMODEM)
	b := make([]byte, 67)
	x := uint32(1)
	for round := range 2000 {
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		if s := b[:round%len(b)]; crc(s) != crc16.Checksum(s, table) {
			t.Fatalf("CRC of %x is %04x", s, crc(s))
		}
	}
}

func BenchmarkOf(b *testing.B) {
	key := []byte("key:000000012345")
	for b.Loop() {
		Of(key)
	}
}
