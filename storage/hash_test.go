package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// openHashTest opens a store so small that rows go cold.
func openHashTest(t testing.TB) *Engine {
	t.Helper()
	e := openTest(t, smallOptions(vfs.NewMem()))
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func update(t testing.TB, e *Engine, key string, f func(tx *Tx) error) {
	t.Helper()
	if _, err := e.Update(testNow, []slots.Slot{slots.Of([]byte(key))}, OpFunc(f)); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, e *Engine, key string, f func(tx *Tx) error) {
	t.Helper()
	if _, err := e.View(testNow, slots.Of([]byte(key)), OpFunc(f)); err != nil {
		t.Fatal(err)
	}
}

// testSeeds is how many seeds a random test runs: COBBLE_SEEDS, or its own number.
func testSeeds(t testing.TB, n int) uint64 {
	if s := os.Getenv("COBBLE_SEEDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return uint64(n)
}

// checkSlot counts everything in a slot again and compares it with the counters and
// with what the metadata rows say of their element rows. Hashes, lists, sets and
// inline values only.
func checkSlot(t testing.TB, e *Engine, key string) {
	t.Helper()
	slot := slots.Of([]byte(key))
	var got Counters
	view(t, e, key, func(tx *Tx) error {
		got = Counters{}
		type object struct{ count, bytes uint64 }
		wanted, found := map[uint64]object{}, map[uint64]object{}
		about, leaves, inLeaves := map[uint64]bool{}, map[uint64]uint64{}, map[uint64]uint64{}
		garbage := map[uint64]bool{}
		it := tx.iter([]byte{byte(slot >> 8), byte(slot)}, []byte{byte((slot + 1) >> 8), byte(slot + 1)})
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			row := it.Key()
			switch row[2] {
			case format.KindMeta:
				var m format.Meta
				if err := m.Decode(it.Value()); err != nil {
					return err
				}
				_, _, _, user, _ := format.SplitMetaKey(row)
				got.Keys++
				got.Bytes += payload(&m, len(user))
				if m.ExpireAt != 0 {
					got.Expires++
				}
				if m.FieldsAt != 0 {
					got.SubExpires++
				}
				if m.Layout == format.Rows {
					wanted[m.OID] = object{m.Count, m.Bytes}
				}
				var x format.ListExtra
				if m.Type == format.List && m.Layout == format.Rows {
					if err := x.Decode(m.Extra); err != nil {
						return err
					}
					about[m.OID] = m.Flags&format.FlagListAbout != 0
				}
				if x.Leaves > 0 {
					leaves[m.OID] = m.Count
				}
			case format.KindElement:
				oid := uint64(row[10]) | uint64(row[9])<<8 | uint64(row[8])<<16
				if row[11] == format.SubLeaf {
					n, _, err := format.LeafValue(it.Value())
					if err != nil {
						return err
					}
					inLeaves[oid] += n
					continue
				}
				if row[11] == format.SubHashDeadline {
					if _, known := found[oid]; !known {
						found[oid] = object{} // a field without its row
					}
					continue
				}
				o := found[oid]
				size, err := elementSize(row, it.Value())
				if err != nil {
					return err
				}
				found[oid] = object{o.count + 1, o.bytes + size}
			case format.KindGarbage:
				garbage[uint64(row[10])|uint64(row[9])<<8|uint64(row[8])<<16] = true
			}
		}
		for oid, n := range inLeaves {
			if leaves[oid] != n && !garbage[oid] {
				return fmt.Errorf("the leaves of object %d count %d, its key says %d", oid, n, leaves[oid])
			}
			delete(leaves, oid)
		}
		if len(leaves) != 0 {
			return fmt.Errorf("objects without leaves: %v", leaves)
		}
		for oid, o := range found {
			if about[oid] {
				o.bytes = wanted[oid].bytes
			}
			if wanted[oid] != o && !garbage[oid] {
				return fmt.Errorf("object %d has %+v, its key says %+v", oid, o, wanted[oid])
			}
			delete(wanted, oid)
		}
		if len(wanted) != 0 {
			return fmt.Errorf("objects without rows: %v", wanted)
		}
		return it.err
	})
	c := e.Counters(slot)
	if c.Keys != got.Keys || c.Bytes != got.Bytes || c.Expires != got.Expires || c.SubExpires != got.SubExpires {
		t.Fatalf("counters %+v, counted %+v", c, got)
	}
}

// elementSize is what an element row counts for in the Bytes of its object.
func elementSize(row, value []byte) (uint64, error) {
	if row[11] == format.SubListElement {
		_, err := format.SplitListElement(row)
		return uint64(listpack.ElementSize(value)), err
	}
	_, field, err := format.SplitMember(row, row[11])
	if err == nil && row[11] == format.SubHashField {
		_, value, err = format.SplitHashValue(value)
	}
	return uint64(len(field) + len(value)), err
}

func hashTexts(t testing.TB, e *Engine, key string) map[string]string {
	t.Helper()
	out := map[string]string{}
	view(t, e, key, func(tx *Tx) error {
		clear(out)
		h, err := tx.Hash([]byte(key))
		if err != nil {
			return err
		}
		w := h.Walk()
		for w.Next() {
			if _, again := out[string(w.Field())]; again {
				return fmt.Errorf("field %q twice", w.Field())
			}
			out[string(w.Field())] = string(w.Value())
		}
		if int64(len(out)) != h.Len() || h.Live() != (len(out) > 0) {
			return fmt.Errorf("%d fields, Len %d, Live %v", len(out), h.Len(), h.Live())
		}
		return w.Close()
	})
	return out
}

// hashPlan is what a seed does: how many fields there are to choose from, and how
// long values become, so that some hashes stay inline and others do not.
type hashPlan struct {
	rng    *rand.Rand
	fields int
	longer int
}

func (p *hashPlan) field() []byte {
	n := p.rng.IntN(p.fields)
	if n%3 == 0 {
		return strconv.AppendInt(nil, int64(n)-5, 10)
	}
	return fmt.Append(nil, "field:", n)
}

func (p *hashPlan) value() []byte {
	if p.rng.IntN(2) == 0 {
		return strconv.AppendInt(nil, int64(p.rng.Uint64())>>p.rng.IntN(64), 10)
	}
	return bytes.Repeat([]byte{byte('a' + p.rng.IntN(26))}, p.rng.IntN(p.longer))
}

// Random operations on a hash, several in a transaction, some undone, some on rows
// that went to the store, give what a map gives; counters stay exact and no row is
// left behind.
func TestHashAgainstMap(t *testing.T) {
	layouts := map[format.Layout]int{}
	for seed := range testSeeds(t, 25) {
		plan := &hashPlan{rng: rand.New(rand.NewPCG(seed, 7))}
		plan.fields = []int{3, 20, 130, 200, 600}[plan.rng.IntN(5)]
		plan.longer = []int{1, 10, 40, 3000}[plan.rng.IntN(4)]
		fs := vfs.NewMem()
		e, model := openTest(t, smallOptions(fs)), map[string]string{}
		for range 150 {
			model = plan.step(t, e, model)
			if plan.rng.IntN(10) == 0 {
				if err := errors.Join(e.Flush(), e.Close()); err != nil {
					t.Fatal(err)
				}
				e = openTest(t, smallOptions(fs)) // every row is cold now
				checkSlot(t, e, "h")
			}
		}
		checkSlot(t, e, "h")
		got := hashTexts(t, e, "h")
		if fmt.Sprint(got) != fmt.Sprint(model) {
			t.Fatalf("seed %d\ngot  %v\nwant %v", seed, got, model)
		}
		view(t, e, "h", func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			layouts[h.e.Meta.Layout]++
			return err
		})
		_ = e.Close()
	}
	if layouts[format.Inline] == 0 || layouts[format.Rows] == 0 {
		t.Errorf("only one layout was tried: %v", layouts)
	}
}

type hashChange struct {
	field, value []byte
	set          bool
}

// step is one transaction; it returns what the hash holds afterwards. The
// transaction may run more than once.
func (p *hashPlan) step(t *testing.T, e *Engine, model map[string]string) map[string]string {
	remove, undo := p.rng.IntN(40) == 0, p.rng.IntN(5) == 0
	changes := make([]hashChange, 1+p.rng.IntN(12))
	for i := range changes {
		changes[i] = hashChange{p.field(), p.value(), p.rng.IntN(3) < 2}
	}
	var next map[string]string
	update(t, e, "h", func(tx *Tx) error {
		next = maps.Clone(model)
		mark := tx.Savepoint()
		if remove {
			entry, err := tx.Lookup([]byte("h"))
			if err != nil {
				return err
			}
			tx.remove(&entry)
			clear(next)
		}
		h, err := tx.Hash([]byte("h"))
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := c.apply(t, &h, next); err != nil {
				return err
			}
		}
		h.Save()
		if undo {
			tx.RollbackTo(mark)
			next = model
		}
		return nil
	})
	return next
}

func (c *hashChange) apply(t *testing.T, h *Hash, model map[string]string) error {
	_, had := model[string(c.field)]
	if c.set {
		added, err := h.Set(c.field, c.value)
		if err != nil {
			return err
		}
		if added == had {
			t.Fatalf("Set %q: added %v", c.field, added)
		}
		model[string(c.field)] = string(c.value)
	} else {
		deleted, err := h.Delete(c.field)
		if err != nil {
			return err
		}
		if deleted != had {
			t.Fatalf("Delete %q: %v", c.field, deleted)
		}
		delete(model, string(c.field))
	}
	got, ok, err := h.Get(c.field)
	if err != nil {
		return err
	}
	if want, has := model[string(c.field)]; ok != has || string(got) != want {
		t.Fatalf("Get %q: %q %v", c.field, got, ok)
	}
	return nil
}

// A walk with Scan visits every field that is there from its beginning to its end
// exactly once, while others come and go.
func TestHashScan(t *testing.T) {
	for seed := range testSeeds(t, 20) {
		rng := rand.New(rand.NewPCG(seed, 8))
		e := openHashTest(t)
		set := func(name string, there bool) {
			update(t, e, "h", func(tx *Tx) error {
				h, err := tx.Hash([]byte("h"))
				if err == nil && there {
					_, err = h.Set([]byte(name), []byte(name))
				} else if err == nil {
					_, err = h.Delete([]byte(name))
				}
				h.Save()
				return err
			})
		}
		n := []int{1, 100, 700}[seed%3]
		for i := range n {
			set(fmt.Sprint("stays", i), true)
		}
		seen := map[string]int{}
		for cursor, calls := uint64(0), 0; ; calls++ {
			view(t, e, "h", func(tx *Tx) error {
				h, err := tx.Hash([]byte("h"))
				if err != nil {
					return err
				}
				cursor, err = h.Scan(cursor, 1+rng.Int64N(20), func(field, value []byte) {
					seen[string(field)]++
					if !bytes.Equal(field, value) {
						t.Errorf("field %q, value %q", field, value)
					}
				})
				return err
			})
			if cursor == 0 || cursor >= 1<<53 {
				break
			}
			set(fmt.Sprint("passes", rng.IntN(50)), rng.IntN(2) == 0)
			if calls > n {
				t.Fatal("the walk does not end")
			}
		}
		for i := range n {
			if seen[fmt.Sprint("stays", i)] != 1 {
				t.Fatalf("seed %d: stays%d seen %d times", seed, i, seen[fmt.Sprint("stays", i)])
			}
		}
	}
}

// Every field comes up at random, none far more often than the others.
func TestHashRandom(t *testing.T) {
	for _, n := range []int{1, 10, 128, 129, 500} {
		e := openHashTest(t)
		update(t, e, "h", func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			for i := range n {
				if _, err := h.Set(fmt.Append(nil, i), fmt.Append(nil, "v", i)); err != nil {
					return err
				}
			}
			h.Save()
			return err
		})
		view(t, e, "h", func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			if err != nil {
				return err
			}
			times := map[string]int{}
			const each = 60
			for range each * n {
				if err := h.Random(1, func(field, value []byte) {
					times[string(field)]++
					if string(value) != "v"+string(field) {
						t.Errorf("%q has %q", field, value)
					}
				}); err != nil {
					return err
				}
			}
			for i := range n {
				if got := times[fmt.Sprint(i)]; got == 0 || got > 6*each {
					t.Errorf("%d fields: field %d came %d times, %d expected", n, i, got, each)
				}
			}
			for _, want := range []int{1, n / 4, n - 1, n, n + 5} {
				different := map[string]bool{}
				err = h.RandomDistinct(int64(want), func(field, _ []byte) { different[string(field)] = true })
				if len(different) != min(want, n) {
					t.Errorf("%d of %d different fields: got %d", want, n, len(different))
				}
			}
			repeated := 0
			err2 := h.Random(int64(2*n), func(_, _ []byte) { repeated++ })
			if repeated != 2*n || err2 != nil {
				t.Errorf("%d picks, %v", repeated, err2)
			}
			return err
		})
	}
}

func TestHashEncoding(t *testing.T) {
	e := openHashTest(t)
	enc := func(key string) (enc format.Enc, layout format.Layout) {
		view(t, e, key, func(tx *Tx) error {
			h, err := tx.Hash([]byte(key))
			enc, layout = h.e.Meta.Enc, h.e.Meta.Layout
			return err
		})
		return enc, layout
	}
	set := func(key, field, value string) {
		update(t, e, key, func(tx *Tx) error {
			h, err := tx.Hash([]byte(key))
			if err == nil {
				_, err = h.Set([]byte(field), []byte(value))
			}
			h.Save()
			return err
		})
	}
	check := func(key string, wantEnc format.Enc, wantLayout format.Layout) {
		t.Helper()
		if gotEnc, gotLayout := enc(key); gotEnc != wantEnc || gotLayout != wantLayout {
			t.Errorf("%s: %v in layout %d, want %v in %d", key, gotEnc, gotLayout, wantEnc, wantLayout)
		}
	}
	for i := range 128 {
		set("many", fmt.Sprint(i), "v")
	}
	check("many", format.EncListpack, format.Inline)
	set("many", "128", "v")
	check("many", format.EncListpack, format.Rows)
	for i := range 512 {
		set("many", fmt.Sprint(i), "v")
	}
	check("many", format.EncListpack, format.Rows)
	set("many", "512", "v")
	check("many", format.EncHashtable, format.Rows)

	set("long", "f", strings.Repeat("x", 64))
	check("long", format.EncListpack, format.Inline)
	set("long", "f", strings.Repeat("x", 65))
	check("long", format.EncHashtable, format.Inline)
	set("long", "f", "x")
	check("long", format.EncHashtable, format.Inline)
	set("long", "f", strings.Repeat("x", inlineHashBytes))
	check("long", format.EncHashtable, format.Rows)

	e.SetHashEntries(1)
	e.SetHashValue(2)
	set("few", "a", "bb")
	check("few", format.EncListpack, format.Inline)
	set("few", "b", "bb")
	check("few", format.EncHashtable, format.Inline)
	set("short", "a", "bbb")
	check("short", format.EncHashtable, format.Inline)
}

// A hash that has expired leaves nothing to the one that is created after it, nor
// does a large one that is deleted once its rows were collected.
func TestHashLeavesNoRows(t *testing.T) {
	fill := func(e *Engine, now int64, fields int) {
		if _, err := e.Update(now, []slots.Slot{slots.Of([]byte("h"))}, OpFunc(func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			for i := 0; err == nil && i < fields; i++ {
				_, err = h.Set(fmt.Append(nil, "field:", i), []byte("value"))
			}
			h.Save()
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	for _, fields := range []int{5, 300, 2000} {
		e := openHashTest(t)
		fill(e, testNow, fields)
		update(t, e, "h", func(tx *Tx) error {
			_, err := tx.Expire([]byte("h"), testNow+10, ExpireAlways)
			return err
		})
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		fill(e, testNow+20, 3)
		if got := hashTexts(t, e, "h"); len(got) != 3 {
			t.Errorf("after a hash of %d fields expired, the new one has %d", fields, len(got))
		}
		fill(e, testNow+20, fields)
		update(t, e, "h", func(tx *Tx) error { _, err := tx.Delete([]byte("h")); return err })
		var all slots.Set
		all.Add(slots.Of([]byte("h")))
		for more := true; more; {
			var err error
			if more, err = e.CollectGarbage(testNow+30, &all); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Flush(); err != nil { // a range of dropped rows leaves the store with a generation
			t.Fatal(err)
		}
		checkSlot(t, e, "h")
		slot := slots.Of([]byte("h"))
		for row := range contents(t, e, slot) {
			t.Errorf("%d fields: row %x is left", fields, row)
		}
	}
}
