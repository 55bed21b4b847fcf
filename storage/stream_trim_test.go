package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// streamPlan is a random test of one stream against a list of its ids.
type streamPlan struct {
	rng  *rand.Rand
	ids  []uint64
	last uint64
}

func streamOptions(fs vfs.FS, m mutants) Options {
	o := smallOptions(fs)
	o.mutant, o.segmentRows, o.trimRows, o.dropRows = m, 8, 4, 16
	return o
}

func changeStream(t testing.TB, e *Engine, f func(tx *Tx, s *Stream) error) {
	t.Helper()
	update(t, e, "{s}", func(tx *Tx) error {
		s, err := tx.Stream([]byte("{s}"))
		if err == nil {
			err = f(tx, s)
		}
		if err == nil {
			s.Save()
		}
		return err
	})
}

func (p *streamPlan) add(t testing.TB, e *Engine, n int) {
	from := p.last
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		for i := range n {
			s.Add(StreamID{MS: from + uint64(i) + 1}, [][]byte{[]byte("f"), fmt.Append(nil, i%7)})
		}
		return nil
	})
	for range n {
		p.last++
		p.ids = append(p.ids, p.last)
	}
}

func (p *streamPlan) remove(t testing.TB, e *Engine) {
	var gone []uint64
	for range 1 + p.rng.IntN(12) {
		if len(p.ids) > 0 {
			i := p.rng.IntN(len(p.ids))
			gone = append(gone, p.ids[i])
			p.ids = slices.Delete(p.ids, i, i+1)
		}
	}
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		for _, id := range gone {
			if ok, err := s.Delete(StreamID{MS: id}); err != nil || !ok {
				return errors.Join(err, fmt.Errorf("%d was not there", id))
			}
		}
		return nil
	})
}

// trim removes entries by their number or by an id, sometimes behind one that is added at once.
func (p *streamPlan) trim(t testing.TB, e *Engine) {
	n, last := int64(p.rng.IntN(len(p.ids)+2)), format.MaxStreamID
	if p.rng.IntN(2) == 0 {
		last = StreamID{MS: p.rng.Uint64N(p.last + 1), Seq: 1}
	}
	if p.rng.IntN(8) == 0 {
		n, last = 1<<62, format.MaxStreamID
	}
	want := 0
	for want < len(p.ids) && int64(want) < n && p.ids[want] <= last.MS {
		want++
	}
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		if c, err := s.Count(last, n); err != nil || c != int64(want) {
			return errors.Join(err, fmt.Errorf("%d entries are counted, want %d", c, want))
		}
		removed, err := s.Trim(n, last)
		if err == nil && removed != int64(want) {
			err = fmt.Errorf("%d entries are trimmed, want %d", removed, want)
		}
		return err
	})
	p.ids = p.ids[want:]
}

func (p *streamPlan) step(t testing.TB, e *Engine) {
	switch n := p.rng.IntN(20); {
	case n < 8:
		p.add(t, e, 1+p.rng.IntN(40))
	case n < 11:
		p.remove(t, e)
	case n < 15:
		p.trim(t, e)
	case n == 15:
		if len(p.ids) == 0 { // ids start again
			p.last = p.rng.Uint64N(p.last + 1)
			last := StreamID{MS: p.last}
			changeStream(t, e, func(_ *Tx, s *Stream) error { s.Create(); return s.Set(last, StreamID{}, s.Added()) })
		}
	case n == 16:
		p.copied(t, e)
	default:
		all := slots.Full()
		if _, err := e.CollectGarbage(testNow, &all); err != nil {
			t.Fatal(err)
		}
	}
}

// copied compares a copy, and deletes it again.
func (p *streamPlan) copied(t testing.TB, e *Engine) {
	update(t, e, "{s}", func(tx *Tx) error {
		_, err := tx.Copy([]byte("{s}"), []byte("{s}copy"), true)
		return err
	})
	p.compare(t, e, "{s}copy", 8)
	update(t, e, "{s}", func(tx *Tx) error { _, err := tx.Delete([]byte("{s}copy")); return err })
}

// compare holds entries and segments, of so many entries at most, against the ids.
func (p *streamPlan) compare(t testing.TB, e *Engine, key string, most uint64) {
	t.Helper()
	view(t, e, "{s}", func(tx *Tx) error {
		s, err := tx.Stream([]byte(key))
		if err != nil {
			return err
		}
		var got []uint64
		size := uint64(0)
		w := s.Walk(StreamID{}, format.MaxStreamID, false)
		for w.Next() {
			got = append(got, w.ID().MS)
			size += uint64(len(w.rows.Value())) + format.StreamIDBytes
		}
		if err := w.Close(); err != nil {
			return err
		}
		if !slices.Equal(got, p.ids) || s.Len() != int64(len(got)) || s.e.Meta.Bytes != size {
			t.Fatalf("%s has %v, %d entries, %d bytes; want %v, %d bytes", key, got, s.Len(), s.e.Meta.Bytes, p.ids, size)
		}
		if len(got) == 0 {
			return nil
		}
		all, err := s.allSegments()
		if err != nil {
			return err
		}
		for i, g := range all {
			n, until := uint64(0), uint64(1<<63)
			if i+1 < len(all) {
				until = all[i+1].from.MS
			}
			for _, id := range got {
				if id < until && (i == 0 || id >= g.from.MS) {
					n++
				}
			}
			if n != g.Entries || i > 0 && i < len(all)-1 && n > most {
				t.Fatalf("%s: the segment from %v has %d entries, and says %d", key, g.from, n, g.Entries)
			}
		}
		return nil
	})
}

func streamSeed(t testing.TB, seed uint64, m mutants, seen map[string]bool) {
	fs := vfs.NewMem()
	o := streamOptions(fs, m)
	if seed%2 == 1 {
		o.segmentRows = 1 << 30 // a store from before there were segments, until it is opened again
	}
	e := openTest(t, o)
	p := &streamPlan{rng: rand.New(rand.NewPCG(seed, 3))}
	changeStream(t, e, func(_ *Tx, s *Stream) error { s.AddGroup([]byte("g"), StreamID{}, 0); return nil })
	for range 60 {
		p.step(t, e)
		switch p.rng.IntN(12) {
		case 0:
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := errors.Join(e.Flush(), e.Close()); err != nil {
				t.Fatal(err)
			}
			e = openTest(t, streamOptions(fs, m))
		}
		p.compare(t, e, "{s}", 8)
	}
	rows := len(p.ids) + 1 // of the group
	view(t, e, "{s}", func(tx *Tx) error {
		s, err := tx.Stream([]byte("{s}"))
		seen[fmt.Sprint("open ", !s.info.Open.IsZero(), " sealed ", !s.info.Sealed.IsZero())] = true
		if err == nil && len(p.ids) > 0 {
			all, err := s.allSegments()
			rows += max(len(all), 2) - 2
			return err
		}
		return err
	})
	sweepAll(t, e)
	if n := elementRows(t, e, slots.Of([]byte("{s}"))); n != rows {
		t.Fatalf("seed %d: %d rows are left, want %d", seed, n, rows)
	}
	p.compare(t, e, "{s}", 8)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStreamAgainstList: a stream that is trimmed at once has what a list of ids says, whatever the collector has done, and
// in the end no row is left over.
func TestStreamAgainstList(t *testing.T) {
	seen := map[string]bool{}
	for seed := range testSeeds(t, 12) {
		streamSeed(t, seed, mutants{}, seen)
	}
	if len(seen) < 2 {
		t.Errorf("only %v came up", seen)
	}
}

// TestStreamTrimIsShort: what a trim of very many entries writes, and how many rows it looks at, does not depend on how
// many they are; and what is left over goes in pieces, or with the key.
func TestStreamTrimIsShort(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		o := smallOptions(vfs.NewMem())
		o.segmentRows, o.trimRows, o.dropRows = 64, 16, 256
		e := openTest(t, o)
		p := &streamPlan{}
		for range 10 {
			p.add(t, e, 2000)
		}
		from := e.log.End()
		changeStream(t, e, func(tx *Tx, s *Stream) error {
			_, err := s.Trim(15_000, format.MaxStreamID)
			if n := len(tx.writes.ops); n > 15_000/64+2 {
				t.Errorf("%d rows are written", n)
			}
			return err
		})
		if sizes := records(t, e, from); len(sizes) != 1 || sizes[0] > 16<<10 {
			t.Errorf("records of %d bytes", sizes)
		}
		p.ids = p.ids[15_000:]
		p.compare(t, e, "{s}", 64)
		if deleted {
			changeStream(t, e, func(_ *Tx, s *Stream) error { _, err := s.Trim(4990, format.MaxStreamID); return err })
			update(t, e, "{s}", func(tx *Tx) error { _, err := tx.Delete([]byte("{s}")); return err })
			p.ids = nil
		}
		sweepAll(t, e)
		rows := len(p.ids) + max(len(p.ids)/64-1, 0)
		if n := elementRows(t, e, slots.Of([]byte("{s}"))); n < len(p.ids) || n > rows+1 {
			t.Errorf("%d rows are left of %d entries", n, len(p.ids))
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFirstEntry: who deletes many entries looks for the first of those that are left once, and finds it.
func TestFirstEntry(t *testing.T) { firstEntry(t, mutants{}) }

func firstEntry(t testing.TB, m mutants) {
	o := smallOptions(vfs.NewMem())
	o.mutant = m
	e := openTest(t, o)
	defer e.Close()
	const n = 100
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		for i := uint64(1); i <= n; i++ {
			s.Add(StreamID{MS: i}, [][]byte{[]byte("f"), []byte("v")})
		}
		return nil
	})
	for _, left := range []uint64{60, 10, 0} {
		changeStream(t, e, func(_ *Tx, s *Stream) error {
			for i := uint64(1); i <= n-left; i++ {
				if _, err := s.Delete(StreamID{MS: i}); err != nil {
					return err
				}
			}
			return nil
		})
		changeStream(t, e, func(_ *Tx, s *Stream) error {
			want := StreamID{MS: n - left + 1}
			if left == 0 {
				want = StreamID{}
			}
			if s.Len() != int64(left) || s.First() != want {
				t.Fatalf("%d entries, the first is %v, want %d from %v on", s.Len(), s.First(), left, want)
			}
			return nil
		})
	}
}

func TestIDsStartAgain(t *testing.T) { idsStartAgain(t, mutants{}) }

// idsStartAgain: XSETID that lowers the last id of an empty stream goes on in pieces when much is pending, all of which
// is still there, nothing of the old object is, and followers hear of the command alone.
func idsStartAgain(t testing.TB, m mutants) {
	o := draftOptions(t, m)
	o.trimRows = 8
	e := openTest(t, o)
	defer e.Close()
	const n = 300
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		g := s.AddGroup([]byte("g"), StreamID{}, 0)
		c := g.AddConsumer([]byte("c"), testNow)
		for i := uint64(1); i <= n; i++ {
			s.Add(StreamID{MS: 1000 + i}, [][]byte{[]byte("f"), []byte("v")})
			g.Give(Pending{StreamID{MS: 1000 + i}, format.StreamPending{CID: c.CID, Count: 1}}, 0, false)
		}
		c.Pending, g.Pending = n, n
		c.Save()
		g.Save()
		return nil
	})
	changeStream(t, e, func(_ *Tx, s *Stream) error { _, err := s.Trim(n, format.MaxStreamID); return err })
	oid := func() (oid uint64) {
		changeStream(t, e, func(_ *Tx, s *Stream) error { oid = s.e.Meta.OID; return nil })
		return oid
	}
	before, drafts := oid(), e.stats.drafts.Load()
	said := saidMeanwhile(t, e, func() {
		if _, err := inPieces(e, []string{"{s}"}, func(tx *Tx) error {
			s, err := tx.Stream([]byte("{s}"))
			if err != nil {
				return err
			}
			if err := s.Set(StreamID{MS: 5}, s.Deleted(), 7); err != nil {
				return err
			}
			s.Save()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	if want := "*5\r\n$6\r\nXSETID\r\n$3\r\n{s}\r\n$3\r\n5-0\r\n$12\r\nENTRIESADDED\r\n$1\r\n7\r\n"; said != want {
		t.Errorf("followers hear %q, want %q", said, want)
	}
	if oid() == before || e.stats.drafts.Load() != drafts+1 {
		t.Errorf("object %d became %d in %d drafts", before, oid(), e.stats.drafts.Load()-drafts)
	}
	changeStream(t, e, func(_ *Tx, s *Stream) error { s.Add(StreamID{MS: 6}, [][]byte{[]byte("f"), []byte("new")}); return nil })
	sweepAll(t, e)
	changeStream(t, e, func(_ *Tx, s *Stream) error {
		g, ok, err := s.Group([]byte("g"))
		pending := 0
		if err == nil && ok {
			err = g.EachPending(StreamID{}, func(Pending) (bool, error) { pending++; return true, nil })
		}
		if pending != n || s.Len() != 1 || s.Last() != (StreamID{MS: 6}) || s.Added() != 8 {
			t.Errorf("%d are pending, %d entries, the last %v, %d ever", pending, s.Len(), s.Last(), s.Added())
		}
		return err
	})
	const rows = 1 + 1 + 2*n + 1                                                       // the group, the consumer, what is pending, an entry
	if got := elementRows(t, e, slots.Of([]byte("{s}"))); got < rows || got > rows+1 { // and perhaps a segment
		t.Errorf("%d rows of elements, want %d", got, rows)
	}
}
