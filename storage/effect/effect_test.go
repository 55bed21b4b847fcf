package effect

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"cobble/slots"
	"cobble/storage/log"
)

// whole checks that bytes are whole commands.
func whole(t *testing.T, b []byte) {
	t.Helper()
	number := func(mark byte) int {
		head, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok || len(head) < 2 || head[0] != mark {
			t.Fatalf("not %q: %.40q", mark, b)
		}
		n, err := strconv.Atoi(string(head[1:]))
		if err != nil {
			t.Fatal(err)
		}
		b = rest
		return n
	}
	for len(b) > 0 {
		for range number('*') {
			n := number('$')
			if n < 0 || len(b) < n+2 || string(b[n:n+2]) != "\r\n" {
				t.Fatalf("a word without an end: %.40q", b)
			}
			b = b[n+2:]
		}
	}
}

// Whatever a record says, what comes of it are whole commands, or an error.
func FuzzAppend(f *testing.F) {
	row := func(rest string) string { return "\x00\x07" + rest }
	set := func(key, value string) string {
		return "\x01" + string(rune(len(key))) + key + string(rune(len(value))) + value
	}
	meta := row("\x10\x00" + "hashhash" + "k")
	element := func(sub, rest string) string { return row("\x20" + strings.Repeat("\x00", 8) + sub + rest) }
	f.Add([]byte("\x01"+set(meta, "\x11\x00\x00\x01v")), []byte{}, uint64(0))
	f.Add([]byte("\x01"+set(element("f", "hashhashfield"), "\x00v")+set(meta, "\x14\x05\x01\x01\x00\x01\x01")), []byte{}, uint64(1))
	f.Add([]byte("\x01"+set(element("e", strings.Repeat("\x80", 8)), "v")+set(meta, "\x12\x05\x01\x01\x00\x01\x01"+strings.Repeat("\x80", 16))), []byte("\x01\x00\x01\x01\x01x"), uint64(1))
	f.Add([]byte("\x01"+set(element("p", strings.Repeat("\x00", 20)), "\x00\x01\x01")+set(meta, "\x16\x08\x01\x01\x00\x01\x01"+strings.Repeat("\x01", 9))), []byte{}, uint64(1))
	f.Fuzz(func(t *testing.T, payload, notes []byte, next uint64) {
		tr, err := New("functions", func(value []byte) ([]string, error) { return []string{string(value)}, nil }, func(slots.Slot) (int64, uint64, error) { return 1, next, nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []log.Kind{log.KindBatch, log.KindShared, log.KindExcise, log.KindImport, log.KindTerm, log.KindNoop} {
			out, err := tr.Append(nil, &log.Record{Kind: kind, Payload: payload, Cmd: notes, Deltas: []log.Delta{{Slot: 7, Expires: -1}}})
			if err != nil && len(out) > 0 {
				t.Fatalf("%q and %v", out, err)
			}
			whole(t, out)
		}
	})
}
