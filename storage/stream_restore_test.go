package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A stream that is restored over another value has an object of its own, and the stream
// that has object 0 keeps it: the end of one takes no entries of the other.
func TestStreamRestoredOverAnotherValue(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	first, second := []byte("{l}first"), []byte("{l}second")
	add := func(tx *Tx, key []byte, n uint64) error {
		s, err := tx.Stream(key)
		if err != nil {
			return err
		}
		s.Add(StreamID{MS: n}, [][]byte{[]byte("field"), []byte("value")})
		s.Save()
		return nil
	}
	update(t, e, "{l}first", func(tx *Tx) error { return add(tx, first, 1) }) // object 0
	update(t, e, "{l}first", func(tx *Tx) error {
		l, err := tx.List(second)
		for range 200 {
			if err == nil {
				err = l.Push(Tail, []byte("element"))
			}
		}
		l.Save()
		return err
	})
	update(t, e, "{l}first", func(tx *Tx) error {
		payload, _, _, err := tx.Dump(nil, first)
		if err == nil {
			err = tx.Restore(second, payload, 0, true)
		}
		return err
	})
	update(t, e, "{l}first", func(tx *Tx) error { return add(tx, first, 2) })
	update(t, e, "{l}first", func(tx *Tx) error { return add(tx, second, 3) })
	entries := func(key []byte) (n int64) {
		view(t, e, "{l}first", func(tx *Tx) error {
			s, err := tx.Stream(key)
			if err != nil {
				return err
			}
			n = 0
			w := s.Walk(StreamID{}, s.Last(), false)
			for w.Next() {
				n++
			}
			return w.Close()
		})
		return n
	}
	if a, b := entries(first), entries(second); a != 2 || b != 2 {
		t.Fatalf("%d and %d entries, want 2 and 2", a, b)
	}
	update(t, e, "{l}first", func(tx *Tx) error { _, err := tx.Delete(second); return err })
	if n := entries(first); n != 2 {
		t.Fatalf("%d entries after the other stream was deleted, want 2", n)
	}
}
