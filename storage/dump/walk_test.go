package dump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cobble/storage/format"
)

// FuzzWalk: a payload that is walked is what Decode makes of it, and broken where Decode says so.
func FuzzWalk(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(encode(randomValue(rand.New(rand.NewPCG(seed, 5)))))
	}
	for _, c := range oldForms() {
		f.Add(c.payload)
	}
	if _, err := Decode(smallStream()); err != nil {
		f.Fatal(err)
	}
	f.Add(smallStream())
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 0 { // let the fuzzer past the checksum
			payload = Seal(bytes.Clone(payload[:max(1, len(payload)-footerSize)]), 0)
		}
		want, wantErr := Decode(payload)
		got, err := walked(payload)
		if !errors.Is(err, wantErr) {
			t.Fatalf("walked: %v, decoded: %v", err, wantErr)
		}
		if !slices.ContainsFunc(want.Deadlines, func(at int64) bool { return at != 0 }) {
			want.Deadlines = nil
		}
		if wantErr == nil && !(equal(got, want) && reflect.DeepEqual(got.Stream, want.Stream)) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

// walked collects what a walk gives.
func walked(payload []byte) (v Value, err error) {
	p, err := Open(payload)
	if err != nil {
		return v, err
	}
	v.Type = p.Type()
	switch v.Type {
	case format.String:
		v.Bytes, err = p.String()
	case format.Stream:
		var entries []StreamEntry
		v.Stream, err = p.Stream(func(e *StreamEntry) error {
			entries = append(entries, *e)
			return nil
		})
		v.Stream.Entries = entries
	default:
		expires := false
		err = p.Elements(func(e *Element) error {
			v.Items = append(v.Items, e.Name)
			if v.Type == format.HashType {
				v.Items = append(v.Items, e.Value)
				v.Deadlines = append(v.Deadlines, e.Deadline)
				expires = expires || e.Deadline != 0
			} else if v.Type == format.ZSet {
				v.Scores = append(v.Scores, e.Score)
			}
			return nil
		})
		if !expires {
			v.Deadlines = nil
		}
	}
	return v, err
}

// smallStream is a payload of a stream with a group.
func smallStream() []byte {
	var entries []StreamEntry
	for i := range uint64(3) {
		entries = append(entries, StreamEntry{ID: format.StreamID{MS: 5, Seq: i}, Fields: [][]byte{[]byte("f"), fmt.Append(nil, i)}})
	}
	last := entries[2].ID
	b := AppendStreamNode(AppendLength([]byte{typeStream3}, 1), entries)
	b = AppendStreamExtra(b, 3, &format.StreamExtra{Last: last, First: entries[0].ID, Added: 3}, 1)
	b = AppendStreamGroup(b, []byte("g"), last, 3, 1)
	b = AppendStreamPending(b, &StreamPending{ID: last, StreamPending: format.StreamPending{Time: 7, Count: 1}})
	b = binary.LittleEndian.AppendUint64(AppendString(AppendLength(b, 1), []byte("c")), 7)
	b = format.AppendStreamID(AppendLength(binary.LittleEndian.AppendUint64(b, 7), 1), last)
	return Seal(b, 0)
}
