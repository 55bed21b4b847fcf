package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"cobble/slots"
	"cobble/storage/effect"
	"cobble/storage/format"
	"cobble/storage/log"
)

// draftOptions makes drafts of little, in small pieces.
func draftOptions(t testing.TB, mutant mutants) Options {
	return Options{Dir: t.TempDir(), Budget: 32 << 20, reserve: 256 << 20, draftRows: 100, pieceRows: 32, mutant: mutant}
}

const draftMembers = 1000

// fillSet makes key a set of the members from ≤ i < to.
func fillSet(t testing.TB, e *Engine, key string, from, to int) {
	t.Helper()
	_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte(key))}, OpFunc(func(tx *Tx) error {
		s, err := tx.Set([]byte(key))
		for i := from; err == nil && i < to; i++ {
			_, err = s.Add(fmt.Appendf(nil, "member-%d", i))
		}
		s.Save()
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// inPieces runs f as a command on keys would run.
func inPieces(e *Engine, keys []string, f func(tx *Tx) error) (LSN, error) {
	names := make([][]byte, len(keys))
	for i, key := range keys {
		names[i] = []byte(key)
	}
	return e.Update(testNow, []slots.Slot{slots.Of(names[0])}, OpFunc(func(tx *Tx) error {
		tx.InPieces(names, nil)
		return f(tx)
	}))
}

var errNotCopied = errors.New("not copied")

func copyOp(from, to string) func(tx *Tx) error {
	return func(tx *Tx) error {
		done, err := tx.Copy([]byte(from), []byte(to), false)
		if err == nil && !done {
			err = errNotCopied
		}
		return err
	}
}

// countSet returns how many of the members a set has, and fails if its count says otherwise.
func countSet(t *testing.T, e *Engine, key string) (n int64) {
	t.Helper()
	_, err := e.View(testNow, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error {
		n = 0
		s, err := tx.Set([]byte(key))
		if err != nil {
			return err
		}
		w := s.Walk()
		for w.Next() {
			n++
		}
		if err := w.Close(); err != nil {
			return err
		}
		if n != s.Len() {
			t.Errorf("%s has %d members, and says %d", key, n, s.Len())
		}
		return recount(t, tx, slots.Of([]byte(key)))
	}))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// records reads the log from a position on.
func records(t testing.TB, e *Engine, from LSN) (sizes []int) {
	t.Helper()
	if err := e.Await(e.log.End()); err != nil {
		t.Fatal(err)
	}
	r, err := e.log.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		entry, err := r.TryNext()
		if err != nil {
			return sizes
		}
		if entry.Record.Kind == log.KindBatch {
			sizes = append(sizes, len(entry.Record.Payload))
		}
	}
}

// during runs f once, without a lock, after a draft has written n records.
func during(e *Engine, n int, f func()) {
	e.drafts.heard = func(tx *Tx) func(LSN) {
		last := tx.through != nil
		return func(LSN) {
			if n--; n == 0 && !last {
				f()
			}
		}
	}
}

// TestCopyInPieces: a long COPY is many small records, of which nobody sees anything before the last. Meanwhile others
// write in the slot; who wants to change the source waits, and is in time for the source only.
func TestCopyInPieces(t *testing.T) {
	e := openTest(t, draftOptions(t, mutants{}))
	defer e.Close()
	fillSet(t, e, "{a}from", 0, draftMembers)
	if err := e.Flush(); err != nil { // some of it is in the store
		t.Fatal(err)
	}
	fillSet(t, e, "{a}from", draftMembers, draftMembers+200)
	from, late := e.log.End(), make(chan struct{})
	during(e, 5, func() {
		fillSet(t, e, "{a}other", 0, 10)
		if n := countSet(t, e, "{a}to"); n != 0 {
			t.Errorf("%d members are seen before the copy is whole", n)
		}
		all := slots.Full()
		if _, err := e.CollectGarbage(testNow, &all); err != nil {
			t.Error(err)
		}
		_, err := e.TryUpdate(testNow, slots.Of([]byte("{a}from")), OpFunc(func(tx *Tx) error {
			_, err := tx.Delete([]byte("{a}from"))
			return err
		}))
		if err != ErrWouldBlock {
			t.Errorf("the source is deleted while it is copied: %v", err)
		}
		evicted, err := e.Evict(testNow, Candidate{Slot: slots.Of([]byte("{a}from")), Key: []byte("{a}from")}, false)
		if evicted || err != nil {
			t.Errorf("the source is evicted while it is copied: %v, %v", evicted, err)
		}
		go func() {
			defer close(late)
			fillSet(t, e, "{a}from", 5000, 5001)
		}()
	})
	if _, err := inPieces(e, []string{"{a}from", "{a}to"}, copyOp("{a}from", "{a}to")); err != nil {
		t.Fatal(err)
	}
	<-late
	if from, to := countSet(t, e, "{a}from"), countSet(t, e, "{a}to"); to != draftMembers+200 || from != to+1 {
		t.Errorf("the copy has %d members of %d", to, from)
	}
	sizes := records(t, e, from)
	if want := 2 + (draftMembers+200+31)/32 + 2; len(sizes) != want {
		t.Errorf("%d records, want %d", len(sizes), want)
	}
	for _, n := range sizes {
		if n > 4096 {
			t.Errorf("a record of %d bytes", n)
		}
	}
	if n := len(e.holds.keys); n != 0 || e.drafts.count.Load() != 0 {
		t.Errorf("%d keys are held in the end", n)
	}
}

// TestCopyInPiecesEndsHalfway: what is left of a draft that found its slot emptied or its node following is swept, and
// the operation itself starts again, or fails.
func TestCopyInPiecesEndsHalfway(t *testing.T) {
	all := slots.Full()
	for name, end := range map[string]struct {
		f    func(e *Engine)
		want error
	}{
		"a follower":              {func(e *Engine) { e.SetFollower(true) }, ErrFollower},
		"a follower for a moment": {func(e *Engine) { e.SetFollower(true); e.SetFollower(false) }, nil},
		"a disk that is full":     {func(e *Engine) { e.full.Store(true) }, ErrDiskFull},
		"an engine to be closed":  {func(e *Engine) { e.EndDrafts() }, ErrClosed},
		"a slot that is emptied": {func(e *Engine) {
			if _, err := e.FlushSlots(testNow, all); err != nil {
				panic(err)
			}
		}, errNotCopied},
	} {
		t.Run(name, func(t *testing.T) {
			e := openTest(t, draftOptions(t, mutants{}))
			defer e.Close()
			fillSet(t, e, "{a}from", 0, draftMembers)
			during(e, 5, func() { end.f(e) })
			before := e.log.End()
			_, err := inPieces(e, []string{"{a}from", "{a}to"}, copyOp("{a}from", "{a}to"))
			if !errors.Is(err, end.want) {
				t.Fatal(err)
			}
			if n := len(records(t, e, before)); n > 7 && errors.Is(err, ErrDiskFull) {
				t.Errorf("%d records are written though the disk is full", n)
			}
			e.SetFollower(false)
			want := int64(draftMembers)
			if err != nil {
				want = 0
			}
			if n := countSet(t, e, "{a}to"); n != want {
				t.Errorf("the copy has %d members", n)
			}
			sweepAll(t, e)
			keys := 2
			if name == "a follower" || err == ErrDiskFull || err == ErrClosed {
				keys = 1
			} else if err != nil {
				keys = 0
			}
			if n := elementRows(t, e, slots.Of([]byte("{a}"))); n != keys*draftMembers {
				t.Errorf("%d element rows are left, of %d keys", n, keys)
			}
		})
	}
}

// sweepAll collects all garbage.
func sweepAll(t testing.TB, e *Engine) {
	t.Helper()
	all := slots.Full()
	for more := true; more; {
		var err error
		if more, err = e.CollectGarbage(testNow, &all); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
}

func elementRows(t testing.TB, e *Engine, s slots.Slot) (n int) {
	t.Helper()
	_, err := e.View(testNow, s, OpFunc(func(tx *Tx) error {
		n = 0
		it := tx.iter(format.AppendKind(nil, uint16(s), format.KindElement), format.AppendKind(nil, uint16(s), format.KindElement+1))
		for ok := it.First(); ok; ok = it.Next() {
			n++
		}
		return it.Close()
	}))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// saidMeanwhile returns what who follows the log in commands hears of f.
func saidMeanwhile(t testing.TB, e *Engine, f func()) (said string) {
	t.Helper()
	tr, err := effect.New("", nil, func(s slots.Slot) (int64, uint64, error) { return e.KeysIn(s), e.Counters(s).NextOID, nil })
	if err != nil {
		t.Fatal(err)
	}
	from := e.log.End()
	f()
	if err := e.Await(e.log.End()); err != nil {
		t.Fatal(err)
	}
	r, err := e.log.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		entry, err := r.TryNext()
		if err != nil {
			return said
		}
		out, err := tr.Append(nil, &entry.Record)
		if err != nil {
			t.Fatal(err)
		}
		said += string(out)
	}
}

// TestDraftsInCommands: who follows the log in commands hears of a draft once, when it is whole.
func TestDraftsInCommands(t *testing.T) {
	e := openTest(t, draftOptions(t, mutants{}))
	defer e.Close()
	fillSet(t, e, "{a}from", 0, draftMembers)
	said := saidMeanwhile(t, e, func() {
		if _, err := inPieces(e, []string{"{a}from", "{a}to"}, copyOp("{a}from", "{a}to")); err != nil {
			t.Fatal(err)
		}
		fillSet(t, e, "{a}to", 7000, 7001)
		sweepAll(t, e)
	})
	const want = "*4\r\n$4\r\nCOPY\r\n$7\r\n{a}from\r\n$5\r\n{a}to\r\n$7\r\nREPLACE\r\n*3\r\n$4\r\nSADD\r\n$5\r\n{a}to\r\n$11\r\nmember-7000\r\n"
	if said != want {
		t.Errorf("said %q", said)
	}
}

// TestDraftsInRows: they hear of the rows of a draft that names no command when it is whole; who has not heard of the
// beginning needs a new copy then, and not before.
func TestDraftsInRows(t *testing.T) {
	e := openTest(t, draftOptions(t, mutants{}))
	defer e.Close()
	fillSet(t, e, "{a}from", 0, draftMembers)
	payload := payloadOf(t, e, "{a}from")
	begun := func() (*effect.Translator, *log.Reader) {
		tr, err := effect.New("", nil, func(s slots.Slot) (int64, uint64, error) { return e.KeysIn(s), e.Counters(s).NextOID, nil })
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.log.NewReader(e.log.End())
		if err != nil {
			t.Fatal(err)
		}
		return tr, r
	}
	tr, r := begun()
	defer r.Close()
	late, lateReader := tr, r
	during(e, 5, func() { late, lateReader = begun() })
	if _, err := inPieces(e, []string{"{a}to"}, func(tx *Tx) error { return tx.Restore([]byte("{a}to"), payload, 0, false) }); err != nil {
		t.Fatal(err)
	}
	defer lateReader.Close()
	end := e.log.End()
	if err := e.Await(end); err != nil {
		t.Fatal(err)
	}
	said := ""
	for r.Position() < end {
		entry, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if said != "" {
			t.Error("something is said before the last record")
		}
		out, err := tr.Append(nil, &entry.Record)
		if err != nil {
			t.Fatal(err)
		}
		said = string(out)
	}
	if want := "*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$5\r\n{a}to\r\n*34\r\n$4\r\nSADD\r\n$5\r\n{a}to\r\n"; !strings.HasPrefix(said, want) {
		t.Errorf("said %.200q", said)
	}
	if n := strings.Count(said, "member-"); n != draftMembers {
		t.Errorf("%d members are told of", n)
	}
	for {
		entry, err := lateReader.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		_, err = late.Append(nil, &entry.Record)
		if last := lateReader.Position() >= end; errors.Is(err, effect.ErrResync) != last {
			t.Errorf("at %d of %d: %v", lateReader.Position(), end, err)
		} else if last {
			break
		}
	}
}

func payloadOf(t *testing.T, e *Engine, key string) (payload []byte) {
	t.Helper()
	_, err := e.View(testNow, slots.Of([]byte(key)), OpFunc(func(tx *Tx) (err error) {
		payload, _, _, err = tx.Dump(nil, []byte(key))
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// TestDropInPieces: the rows in memory of a large object go some at a time, with records that name ranges, and none is
// left when its row in the queue goes.
func TestDropInPieces(t *testing.T) {
	o := draftOptions(t, mutants{})
	o.dropRows = 64
	e := openTest(t, o)
	defer e.Close()
	fillSet(t, e, "{a}stored", 0, draftMembers)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	fillSet(t, e, "{a}stored", draftMembers, 2*draftMembers)
	fillSet(t, e, "{a}dirty", 0, draftMembers)
	fillSet(t, e, "{a}kept", 0, draftMembers)
	slot := slots.Of([]byte("{a}"))
	if _, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
		_, err := tx.Delete([]byte("{a}stored"))
		if err == nil {
			_, err = tx.Delete([]byte("{a}dirty"))
		}
		return err
	})); err != nil {
		t.Fatal(err)
	}
	all, before, steps := slots.Full(), e.table.DirtyBytes(), 0
	const rowBytes = 64
	for more := true; more; steps++ {
		var err error
		if more, err = e.CollectGarbage(testNow, &all); err != nil {
			t.Fatal(err)
		}
		if gone := before - e.table.DirtyBytes(); gone > (64+4)*rowBytes {
			t.Fatalf("one step dropped %d bytes", gone)
		}
		before = e.table.DirtyBytes()
	}
	if steps < 2*draftMembers/64 {
		t.Errorf("%d steps", steps)
	}
	if n := len(e.ranges); n > 8 {
		t.Errorf("%d ranges", n)
	}
	if n := elementRows(t, e, slot); n != 2*draftMembers { // the store's are to go with the flush
		t.Errorf("%d rows are left before the flush, want %d", n, 2*draftMembers)
	}
	sweepAll(t, e)
	if n := elementRows(t, e, slot); n != draftMembers || countSet(t, e, "{a}kept") != draftMembers {
		t.Errorf("%d rows are left, want %d", n, draftMembers)
	}
}

// TestDraftsOfOneAnothersKeys: drafts that read what others write, and the other way round, end one behind the other, and
// so does what waits for their keys.
func TestDraftsOfOneAnothersKeys(t *testing.T) {
	e := openTest(t, draftOptions(t, mutants{}))
	defer e.Close()
	fillSet(t, e, "{a}1", 0, draftMembers)
	fillSet(t, e, "{a}2", draftMembers, 2*draftMembers)
	union := func(to string, from ...string) func(tx *Tx) error {
		return func(tx *Tx) error {
			sets := make([]Set, len(from))
			var rows int64
			for i, key := range from {
				var err error
				if sets[i], err = tx.Set([]byte(key)); err != nil {
					return err
				}
				rows += sets[i].Len()
			}
			if err := tx.Long(rows, 0); err != nil {
				return err
			}
			_, err := tx.StoreUnion([]byte(to), sets)
			return err
		}
	}
	copied := func(from, to string) func(tx *Tx) error {
		return func(tx *Tx) error {
			_, err := tx.Copy([]byte(from), []byte(to), true)
			return err
		}
	}
	var work sync.WaitGroup
	for _, op := range []struct {
		keys []string
		f    func(tx *Tx) error
	}{
		{[]string{"{a}1", "{a}1", "{a}2"}, union("{a}1", "{a}1", "{a}2")},
		{[]string{"{a}2", "{a}1", "{a}2"}, union("{a}2", "{a}1", "{a}2")},
		{[]string{"{a}1", "{a}2"}, copied("{a}1", "{a}2")},
		{[]string{"{a}2", "{a}1"}, copied("{a}2", "{a}1")},
	} {
		work.Go(func() {
			for range 5 {
				if _, err := inPieces(e, op.keys, op.f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Go(func() {
		for i := range 50 {
			fillSet(t, e, "{a}1", i, i+1)
			fillSet(t, e, "{a}2", i, i+1)
			countSet(t, e, "{a}1")
		}
	})
	work.Go(func() {
		all := slots.Full()
		for range 50 {
			if _, err := e.CollectGarbage(testNow, &all); err != nil {
				t.Error(err)
			}
		}
	})
	work.Wait()
	one, two := countSet(t, e, "{a}1"), countSet(t, e, "{a}2")
	if one < draftMembers || two < draftMembers {
		t.Errorf("%d and %d members", one, two)
	}
	sweepAll(t, e)
	if n := elementRows(t, e, slots.Of([]byte("{a}1"))); int64(n) != one+two {
		t.Errorf("%d element rows are left, of %d members", n, one+two)
	}
	if n := len(e.holds.keys); n != 0 || e.holds.count.Load() != 0 || e.drafts.count.Load() != 0 || e.watch.count.Load() != 0 {
		t.Errorf("%d keys are held in the end", n)
	}
}
