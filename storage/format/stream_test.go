package format

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestStreamGoldenBytes(t *testing.T) {
	extra := StreamExtra{Last: StreamID{5, 1}, First: StreamID{1, 0}, Deleted: StreamID{2, 3}, Added: 300, NextGroup: 2, Groups: 1}
	group := StreamGroup{GID: 1, Last: StreamID{4, 2}, Read: -1, Pending: 7, NextConsumer: 3}
	consumer := StreamConsumer{CID: 2, Seen: 1000, Active: -1, Pending: 4}
	pending := StreamPending{CID: 2, Time: 1000, Count: 1}
	long := extra
	long.Open, long.Sealed, long.OpenSegment = StreamID{4, 0}, StreamID{1, 1}, StreamSegment{Entries: 6, Bytes: 200}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"extra", extra.Append(nil), "050101000203ac020201"},
		{"long extra", long.Append(nil), "050101000203ac020201" + "040006c8010101"},
		{"segment", long.OpenSegment.Append(nil), "06c801"},
		{"group", group.Append(nil), "010402000703"},
		{"consumer", consumer.Append(nil), "02e8070004"},
		{"pending", pending.Append(nil), "02e80701"},
		{"fields", AppendStreamFields(nil, [][]byte{[]byte("a"), []byte("bc"), {}}), "030161026263" + "00"},
		{"id", AppendStreamID(nil, StreamID{1, 2}), "0000000000000001" + "0000000000000002"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var x StreamExtra
	var g StreamGroup
	var n StreamConsumer
	var p StreamPending
	var y StreamExtra
	var segment StreamSegment
	if y.Decode(long.Append(nil)) != nil || y != long || segment.Decode(long.OpenSegment.Append(nil)) != nil || segment != long.OpenSegment {
		t.Error("segments do not come back as they were")
	}
	if x.Decode(extra.Append(nil)) != nil || x != extra || g.Decode(group.Append(nil)) != nil || g != group ||
		n.Decode(consumer.Append(nil)) != nil || n != consumer || p.Decode(pending.Append(nil)) != nil || p != pending {
		t.Error("a row does not come back as it was")
	}
}

func TestStreamIDs(t *testing.T) {
	for _, c := range []struct {
		id   StreamID
		next StreamID
		ok   bool
	}{{StreamID{0, 0}, StreamID{0, 1}, true}, {StreamID{1, 1<<64 - 1}, StreamID{2, 0}, true}, {MaxStreamID, MaxStreamID, false}} {
		next, ok := c.id.Next()
		if next != c.next || ok != c.ok {
			t.Errorf("after %v comes %v, %v", c.id, next, ok)
		}
		if back, _ := next.Prev(); ok && back != c.id {
			t.Errorf("before %v comes %v", next, back)
		}
		if ok && !(bytes.Compare(AppendStreamID(nil, c.id), AppendStreamID(nil, next)) < 0) {
			t.Errorf("rows of %v and %v are not in order", c.id, next)
		}
	}
}

func FuzzStreamRows(f *testing.F) {
	f.Add(AppendStreamFields(nil, [][]byte{[]byte("a"), []byte("b")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, err := StreamFields(nil, b)
		if err == nil && len(fields) > 0 {
			again, err := StreamFields(nil, AppendStreamFields(nil, fields))
			if err != nil || len(again) != len(fields) {
				t.Error("fields do not come back")
			}
		}
		var x StreamExtra
		var g StreamGroup
		_, _ = x.Decode(b), g.Decode(b)
	})
}
