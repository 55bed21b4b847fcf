package storage

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// TestStreamModel compares a stream and a group with a simple model, through flushes and restarts.
func TestStreamModel(t *testing.T) {
	fs := vfs.NewMem()
	e := openTest(t, smallOptions(fs))
	defer func() { _ = e.Close() }()
	rng := rand.New(rand.NewSource(1))
	key := []byte("s")
	slot := slots.Of(key)
	entries, pending := map[uint64]string{}, map[uint64]bool{}
	last := uint64(0)
	do := func(f func(tx *Tx, s *Stream) error) {
		t.Helper()
		_, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			s, err := tx.Stream(key)
			if err != nil {
				return err
			}
			if err := f(tx, s); err != nil {
				return err
			}
			s.Save()
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	do(func(_ *Tx, s *Stream) error { s.AddGroup([]byte("g"), StreamID{}, 0); return nil })
	for step := range 2000 {
		id := StreamID{MS: uint64(rng.Intn(int(last) + 1))}
		switch rng.Intn(6) {
		case 0, 1, 2:
			last++
			text := fmt.Sprint(step)
			do(func(_ *Tx, s *Stream) error {
				s.Add(StreamID{MS: last}, [][]byte{[]byte("f"), []byte(text)})
				return nil
			})
			entries[last] = text
		case 3:
			do(func(_ *Tx, s *Stream) error {
				ok, err := s.Delete(id)
				if _, there := entries[id.MS]; err == nil && ok != there {
					t.Errorf("step %d: delete %v says %v", step, id, ok)
				}
				return err
			})
			delete(entries, id.MS)
		case 4:
			had := pending[id.MS]
			do(func(_ *Tx, s *Stream) error {
				g, _, err := s.Group([]byte("g"))
				if err != nil {
					return err
				}
				p, ok, err := g.PendingOf(id)
				if err != nil {
					return err
				}
				if ok != had {
					t.Errorf("step %d: pending of %v says %v", step, id, ok)
				}
				if ok {
					g.Take(p)
				} else {
					g.Give(Pending{ID: id}, 0, false)
				}
				return nil
			})
			if pending[id.MS] = !had; had {
				delete(pending, id.MS)
			}
		case 5:
			switch rng.Intn(30) {
			case 0:
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				e = openTest(t, smallOptions(fs))
			case 1:
				if err := e.Flush(); err != nil {
					t.Fatal(err)
				}
			case 2:
				n := int64(rng.Intn(20))
				do(func(_ *Tx, s *Stream) error { _, err := s.Trim(n, format.MaxStreamID); return err })
				for id := uint64(0); n > 0 && id <= last; id++ {
					if _, ok := entries[id]; ok {
						delete(entries, id)
						n--
					}
				}
			}
			checkStream(t, e, slot, key, entries, pending)
		}
	}
}

func checkStream(t *testing.T, e *Engine, slot slots.Slot, key []byte, entries map[uint64]string, pending map[uint64]bool) {
	t.Helper()
	_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
		s, err := tx.Stream(key)
		if err != nil {
			return err
		}
		n, before, first := 0, uint64(0), StreamID{}
		w := s.Walk(StreamID{}, format.MaxStreamID, false)
		for ; w.Next(); n++ {
			id := w.ID().MS
			if n == 0 {
				first = w.ID()
			}
			if n > 0 && id <= before || entries[id] != string(w.Fields()[1]) {
				t.Errorf("entry %d is %q, want %q", id, w.Fields(), entries[id])
			}
			before = id
		}
		if err := w.Close(); err != nil {
			return err
		}
		if n != len(entries) || s.Len() != int64(n) || s.First() != first {
			t.Errorf("%d entries, length %d, first %v; want %d, first %v", n, s.Len(), s.First(), len(entries), first)
		}
		g, ok, err := s.Group([]byte("g"))
		if err != nil || !ok {
			return fmt.Errorf("the group is gone: %w", err)
		}
		n = 0
		err = g.EachPending(StreamID{}, func(p Pending) (bool, error) { n++; return pending[p.ID.MS], nil })
		if n != len(pending) {
			t.Errorf("%d are pending, want %d", n, len(pending))
		}
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
}
