package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// modelField is what a hash holds of a field.
type modelField struct {
	value string
	at    int64 // Unix milliseconds, 0 = never
}

type modelHash map[string]modelField

// fieldsRun runs random operations on hashes with fields that expire, and on maps. Its
// errors are what a mutant is to be caught by.
type fieldsRun struct {
	rng    *rand.Rand
	fs     linkFS
	mutant mutants
	e      *Engine
	now    int64
	model  map[string]modelHash
	fields int // to choose from
	longer int // values are shorter than this
}

// The keys share a slot, but for the last.
var fieldKeys = []string{"{h}1", "{h}2", "{h}3", "other"}

func (r *fieldsRun) open() (err error) {
	o := smallOptions(r.fs)
	o.mutant, o.sweepFields, o.Policy = r.mutant, 1+r.rng.IntN(8), log.Always
	r.e, err = Open(o)
	return err
}

func (r *fieldsRun) key() string   { return fieldKeys[r.rng.IntN(len(fieldKeys))] }
func (r *fieldsRun) field() string { return fmt.Sprint("f", r.rng.IntN(r.fields)) }
func (r *fieldsRun) value() string {
	return strings.Repeat(string(rune('a'+r.rng.IntN(26))), r.rng.IntN(r.longer))
}

// at returns a deadline: soon, or far away.
func (r *fieldsRun) at() int64 {
	if r.rng.IntN(4) == 0 {
		return r.now + 1 + r.rng.Int64N(100_000)
	}
	return r.now + 1 + r.rng.Int64N(60)
}

// live returns what there is of a key now.
func (r *fieldsRun) live(key string) modelHash {
	h := r.model[key]
	for name, f := range h {
		if f.at != 0 && f.at < r.now {
			delete(h, name)
		}
	}
	return h
}

func (r *fieldsRun) update(keys []string, f func(tx *Tx) error) error {
	var set slots.Set
	for _, key := range keys {
		set.Add(slots.Of([]byte(key)))
	}
	var list []slots.Slot
	for s := range slots.Slot(slots.Count) {
		if set.Has(s) {
			list = append(list, s)
		}
	}
	_, err := r.e.Update(r.now, list, OpFunc(f))
	return err
}

// change runs some changes of one hash in a transaction, which is undone at times.
func (r *fieldsRun) change() error {
	key, undo := r.key(), r.rng.IntN(6) == 0
	before := maps.Clone(r.live(key))
	seed := r.rng.Uint64()
	err := r.update([]string{key}, func(tx *Tx) error {
		plan := *r
		plan.rng = rand.New(rand.NewPCG(seed, 1))
		if r.model[key] = maps.Clone(before); before == nil {
			r.model[key] = modelHash{}
		}
		mark := tx.Savepoint()
		h, err := tx.Hash([]byte(key))
		if err != nil {
			return err
		}
		for range 1 + plan.rng.IntN(6) {
			if err := plan.changeField(&h, r.model[key]); err != nil {
				return err
			}
		}
		h.Save()
		if undo {
			tx.RollbackTo(mark)
			r.model[key] = before
		}
		return nil
	})
	if len(r.model[key]) == 0 {
		delete(r.model, key)
	}
	return err
}

func (r *fieldsRun) changeField(h *Hash, model modelHash) error {
	name, value, at := r.field(), r.value(), r.at()
	old, had := model[name]
	var got, want any
	var err error
	switch r.rng.IntN(8) {
	case 0, 1:
		got, err = h.Set([]byte(name), []byte(value))
		want, model[name] = !had, modelField{value, 0}
	case 2:
		got, err = h.SetUntil([]byte(name), []byte(value), at)
		want, model[name] = !had, modelField{value, at}
	case 3:
		got, err = h.SetKeep([]byte(name), []byte(value))
		want, model[name] = !had, modelField{value, old.at}
	case 4:
		got, err = h.Delete([]byte(name))
		want = had
		delete(model, name)
	case 5:
		got, err = h.PersistField([]byte(name))
		want = FieldMissing
		if had && old.at == 0 {
			want = FieldNoDeadline
		} else if had {
			want, model[name] = FieldChanged, modelField{old.value, 0}
		}
	default:
		if r.rng.IntN(10) == 0 {
			at = r.now - r.rng.Int64N(5)
		}
		cond := []ExpireIf{ExpireAlways, ExpireAlways, ExpireNX, ExpireXX, ExpireGT, ExpireLT}[r.rng.IntN(6)]
		got, err = h.ExpireField([]byte(name), at, cond)
		switch holds := cond.holds(old.at, at); {
		case !had:
			want = FieldMissing
		case !holds:
			want = FieldKept
		case at <= r.now:
			want = FieldDeleted
			delete(model, name)
		default:
			want, model[name] = FieldChanged, modelField{old.value, at}
		}
	}
	if err == nil && got != want {
		err = fmt.Errorf("field %q, which was %+v %v: %v, want %v", name, old, had, got, want)
	}
	return err
}

// move copies, renames, dumps and restores, or deletes a key.
func (r *fieldsRun) move() error {
	from, to, what := r.key(), r.key(), r.rng.IntN(4)
	source := maps.Clone(r.live(from))
	if from == to || len(source) == 0 { // a key with nothing but expired fields is there until it is swept
		return nil
	}
	err := r.update([]string{from, to}, func(tx *Tx) error {
		switch what {
		case 0:
			_, err := tx.Copy([]byte(from), []byte(to), true)
			return err
		case 1:
			_, err := tx.Rename([]byte(from), []byte(to), false)
			if err == ErrNoKey {
				err = nil
			}
			return err
		case 2:
			payload, _, ok, err := tx.Dump(nil, []byte(from))
			if err != nil || !ok {
				return err
			}
			return tx.Restore([]byte(to), payload, 0, true)
		}
		_, err := tx.Delete([]byte(from))
		return err
	})
	switch {
	case err != nil:
	case what == 3:
		delete(r.model, from)
	default:
		r.model[to] = source
		if what == 1 {
			delete(r.model, from)
		}
	}
	return err
}

// check compares every hash with its map, and every way to read it.
func (r *fieldsRun) check() error {
	for _, key := range fieldKeys {
		want := r.live(key)
		_, err := r.e.View(r.now, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error {
			h, err := tx.Hash([]byte(key))
			if err != nil {
				return err
			}
			return checkFields(tx, &h, key, want)
		}))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return errors.Join(checkDeadlines(r.e, r.now, slots.Of([]byte("h"))), checkDeadlines(r.e, r.now, slots.Of([]byte("other"))))
}

func checkFields(tx *Tx, h *Hash, key string, want modelHash) error {
	if n := h.Len(); n != int64(len(want)) {
		return fmt.Errorf("Len is %d, want %d", n, len(want))
	}
	walked, scanned, random := modelHash{}, modelHash{}, map[string]bool{}
	w := h.Walk()
	for w.Next() {
		walked[string(w.Field())] = modelField{string(w.Value()), w.Deadline()}
	}
	if err := w.Close(); err != nil {
		return err
	}
	cursor, err := uint64(0), error(nil)
	for first := true; err == nil && (first || cursor != 0); first = false {
		cursor, err = h.Scan(cursor, 10, func(field, value []byte) { scanned[string(field)] = modelField{value: string(value)} })
	}
	if err == nil && len(want) > 0 {
		err = errors.Join(h.RandomDistinct(int64(len(want)), func(field, _ []byte) { random[string(field)] = true }),
			h.Random(3, func(field, _ []byte) { random[string(field)] = true }))
	}
	if err != nil {
		return err
	}
	if !maps.Equal(walked, want) || len(scanned) != len(want) || len(random) != len(want) {
		return fmt.Errorf("walked %v, scanned %d, random %d, want %v", walked, len(scanned), len(random), want)
	}
	for name, f := range want {
		value, ok, err := h.Get([]byte(name))
		if err != nil || !ok || string(value) != f.value || scanned[name].value != f.value || !random[name] {
			return fmt.Errorf("field %q: %q %v %v, want %+v", name, value, ok, err, f)
		}
		if at, ok, err := h.Deadline([]byte(name)); err != nil || !ok || at != f.at {
			return fmt.Errorf("field %q expires at %d %v %v, want %d", name, at, ok, err, f.at)
		}
	}
	_, _, dumped, err := tx.Dump(nil, []byte(key))
	if err == nil && dumped != (len(want) > 0) {
		return fmt.Errorf("dumped: %v", dumped)
	}
	return err
}

// checkDeadlines counts what is filed in a slot: the deadlines of fields, and the
// hashes by the first of them.
func checkDeadlines(e *Engine, now int64, slot slots.Slot) error {
	_, err := e.View(now, slot, OpFunc(func(tx *Tx) error {
		filed, want, counted := map[string]bool{}, map[string]bool{}, uint32(0)
		it := tx.iter(format.AppendKind(nil, uint16(slot), 0), format.AppendKind(nil, uint16(slot), 0xFF))
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			row := it.Key()
			switch row[2] {
			case format.KindExpiry:
				filed[string(row)] = true
			case format.KindElement:
				if row[11] == format.SubHashDeadline {
					filed[string(row)] = true
				} else if at, _, err := format.SplitHashValue(it.Value()); err != nil {
					return err
				} else if at != 0 {
					_, name, _ := format.SplitMember(row, format.SubHashField)
					want[string(format.AppendHashDeadline(nil, uint16(slot), beUint64(row[3:]), at, name))] = true
				}
			case format.KindMeta:
				var m format.Meta
				if err := m.Decode(it.Value()); err != nil {
					return err
				}
				_, _, _, key, _ := format.SplitMetaKey(row)
				if m.FieldsAt == 0 {
					continue
				}
				counted++
				want[string(format.AppendExpiryKey(nil, uint16(slot), m.FieldsAt, format.ExpiresField, 0, key))] = true
				h := tx.hashOf(&Entry{Key: bytes.Clone(key), Slot: slot, Meta: m, Live: true})
				first, err := h.nextDeadline(0)
				if err != nil || first < m.FieldsAt {
					return fmt.Errorf("%s: filed under %d, the first deadline is %d (%v)", key, m.FieldsAt, first, err)
				}
			}
		}
		if !maps.Equal(filed, want) {
			return fmt.Errorf("slot %d: %d rows are filed, want %d, or others", slot, len(filed), len(want))
		}
		if c := tx.counters(slot).SubExpires; c != counted {
			return fmt.Errorf("slot %d: %d hashes with fields that expire, counted %d", slot, c, counted)
		}
		if next := e.NextExpiry(slot); counted > 0 && next == 0 {
			return fmt.Errorf("slot %d: nobody is going to look", slot)
		}
		return it.err
	}))
	return err
}

// reopen brings everything into the store, or leaves it to replay, and opens it again;
// or the machine crashes, and loses some of what was not synced.
func (r *fieldsRun) reopen() error {
	if r.rng.IntN(2) == 0 {
		if err := r.e.Flush(); err != nil {
			return err
		}
	}
	if r.rng.IntN(2) == 0 {
		if err := r.e.Await(r.e.Log().End()); err != nil {
			return err
		}
		image := r.fs.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * r.rng.IntN(3), RNG: rand.New(rand.NewPCG(r.rng.Uint64(), 3))})
		_ = r.e.Close()
		r.fs = image
	} else if err := r.e.Close(); err != nil {
		return err
	}
	return r.open()
}

// sweep removes what is due; afterwards nothing is.
func (r *fieldsRun) sweep() error {
	for rounds := 0; ; rounds++ {
		n, err := r.e.SweepExpired(r.now, 50)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if rounds == 5000 {
			return errors.New("the sweep does not end")
		}
	}
	for _, key := range fieldKeys {
		if len(r.live(key)) == 0 {
			delete(r.model, key)
		}
		there := false
		if _, err := r.e.View(r.now, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error {
			e, err := tx.Lookup([]byte(key))
			there = e.Live
			if err == nil && e.Meta.FieldsAt != 0 && e.Meta.FieldsAt < r.now {
				err = fmt.Errorf("a field is due since %d", e.Meta.FieldsAt)
			}
			return err
		})); err != nil {
			return err
		}
		if there != (r.model[key] != nil) {
			return fmt.Errorf("%s is there: %v, want %v", key, there, r.model[key] != nil)
		}
	}
	return nil
}

func runFields(seed uint64, steps int, mutant mutants) (layouts [3]int, err error) {
	r := &fieldsRun{rng: rand.New(rand.NewPCG(seed, 11)), fs: newLinkFS(vfs.NewCrashableMem()), mutant: mutant, now: testNow, model: map[string]modelHash{}}
	r.fields = []int{4, 30, 200, 400}[r.rng.IntN(4)]
	r.longer = []int{8, 40, 900}[r.rng.IntN(3)]
	if err := r.open(); err != nil {
		return layouts, err
	}
	defer func() { _ = r.e.Close() }()
	for step := range steps {
		switch n := r.rng.IntN(40); {
		case n < 30:
			err = r.change()
		case n < 33:
			err = r.move()
		case n < 37:
			r.now += r.rng.Int64N(20)
		case n < 39:
			err = r.sweep()
		default:
			err = r.reopen()
		}
		if err == nil && step%4 == 0 {
			err = r.check()
		}
		if err != nil {
			return layouts, fmt.Errorf("seed %d, step %d: %w", seed, step, err)
		}
	}
	for _, key := range fieldKeys {
		_, _ = r.e.View(r.now, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error {
			if e, err := tx.Lookup([]byte(key)); err == nil && e.Meta.FieldsAt != 0 {
				layouts[e.Meta.Layout]++
			}
			return nil
		}))
	}
	return layouts, nil
}

// Random operations on hashes with fields that expire give what maps give: in both
// layouts, over restarts and crashes, copies and payloads; what is filed is exactly what there is.
func TestFieldsExpireAgainstMap(t *testing.T) {
	var all [3]int
	for seed := range testSeeds(t, 15) {
		layouts, err := runFields(seed, 300, mutants{})
		if err != nil {
			t.Fatal(err)
		}
		all[0], all[1] = all[0]+layouts[0], all[1]+layouts[1]
	}
	if all[format.Inline] == 0 || all[format.Rows] == 0 {
		t.Errorf("only one layout was tried: %v", all)
	}
}

// And they find rules that are broken.
func TestFieldsExpireMutants(t *testing.T) {
	for name, m := range map[string]mutants{
		"an expired field is still seen":                             {expiredSeen: true},
		"deadlines are lost when a hash gets rows":                   {deadlinesInline: true},
		"the sweep removes a field whose deadline has changed since": {deadlinesStay: true},
	} {
		caught := error(nil)
		for seed := uint64(0); seed < 1000 && caught == nil; seed++ {
			_, caught = runFields(seed, 300, m)
		}
		if caught == nil {
			t.Errorf("%s: nothing was noticed", name)
		} else {
			t.Logf("%s: caught by %.150v", name, caught)
		}
	}
}

// A follower hides fields that have expired, and they stay until its primary's log
// says that they have gone.
func TestFollowerKeepsExpiredFields(t *testing.T) {
	for _, broken := range []bool{false, true} {
		primary := openTest(t, smallOptions(vfs.NewMem()))
		o := smallOptions(vfs.NewMem())
		o.mutant.followerWrites = broken
		follower := openTest(t, o)
		defer func() { _ = errors.Join(primary.Close(), follower.Close()) }()
		follower.SetFollower(true)
		slot := slots.Of([]byte("h"))
		reader, err := primary.Log().NewReader(0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		follow := func() {
			t.Helper()
			if err := primary.Await(primary.Log().End()); err != nil {
				t.Fatal(err)
			}
			for {
				entry, err := reader.TryNext()
				if err == io.EOF {
					return
				}
				if err == nil {
					_, err = follower.ApplyRecord(entry.Raw)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		fields := func(e *Engine) (there, seen int64) {
			t.Helper()
			if _, err := e.View(testNow+100, slot, OpFunc(func(tx *Tx) error {
				h, err := tx.Hash([]byte("h"))
				there, seen = h.fields(), h.Len()
				return err
			})); err != nil {
				t.Fatal(err)
			}
			return there, seen
		}
		update(t, primary, "h", func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			for i := 0; i < 200 && err == nil; i++ {
				_, err = h.SetUntil(fmt.Append(nil, i), []byte("v"), testNow+50+1000*int64(i%2))
			}
			h.Save()
			return err
		})
		follow()
		end := follower.Log().End()
		_, err = follower.SweepExpired(testNow+100, 1000)
		there, seen := fields(follower)
		kept := errors.Is(err, ErrFollower) && there == 200 && seen == 100 && follower.Log().End() == end
		if kept == broken {
			t.Errorf("broken %v: %v; %d fields are there, %d seen", broken, err, there, seen)
		}
		if broken {
			continue
		}
		for {
			if n, err := primary.SweepExpired(testNow+100, 1000); err != nil {
				t.Fatal(err)
			} else if n == 0 {
				break
			}
		}
		follow()
		if there, seen := fields(follower); there != 100 || seen != 100 {
			t.Errorf("after the primary has swept %d fields are there, %d seen", there, seen)
		}
		if err := checkDeadlines(follower, testNow, slot); err != nil {
			t.Error(err)
		}
	}
}

// A field of a large hash is found without the others, and so is what is due.
func TestFieldsExpireOneByOne(t *testing.T) {
	fs := vfs.NewMem()
	e := openTest(t, smallOptions(fs))
	const fields = 5000
	update(t, e, "h", func(tx *Tx) error {
		h, err := tx.Hash([]byte("h"))
		for i := 0; i < fields && err == nil; i++ {
			_, err = h.SetUntil(fmt.Append(nil, i), []byte("v"), testNow+1000+int64(i))
		}
		h.Save()
		return err
	})
	if err := errors.Join(e.Flush(), e.Close()); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, smallOptions(fs)) // every row is cold now
	defer e.Close()
	loads := e.Stats().Loads
	update(t, e, "h", func(tx *Tx) error {
		h, err := tx.Hash([]byte("h"))
		if err == nil {
			_, err = h.ExpireField([]byte("4000"), testNow+500, ExpireAlways)
		}
		h.Save()
		return err
	})
	if n := e.Stats().Loads - loads; n > 6 {
		t.Errorf("a deadline of one field needed %d rows", n)
	}
	loads = e.Stats().Loads
	var told []string
	e.Observe(changes(func(keys [][]byte) { told = append(told, fmt.Sprintf("%s", keys)) }))
	for _, now := range []int64{testNow + 501, testNow + 1003} { // one field, and three
		if _, err := e.SweepExpired(now, 100); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.Stats().Loads - loads; n > 12 {
		t.Errorf("four fields were removed by way of %d rows", n)
	}
	if e.ExpiredFields() != 4 || fmt.Sprint(told) != "[[h] [h]]" {
		t.Errorf("%d fields were removed, changes told of %q", e.ExpiredFields(), told)
	}
}

// changes is an Observer that hears of keys.
type changes func(keys [][]byte)

func (f changes) Changed(_ uint64, keys [][]byte) { f(keys) }
func (f changes) Emptied(*slots.Set)              {}

// A sweep of fields that are cold reads what it removes and nothing else.
func TestSweepOfColdFields(t *testing.T) {
	fs := vfs.NewMem()
	e := openTest(t, smallOptions(fs))
	const fields = 5000
	update(t, e, "h", func(tx *Tx) error {
		h, err := tx.Hash([]byte("h"))
		for i := 0; i < fields && err == nil; i++ {
			_, err = h.SetUntil(fmt.Append(nil, i), []byte("v"), testNow+1000)
		}
		h.Save()
		return err
	})
	if err := errors.Join(e.Flush(), e.Close()); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, smallOptions(fs))
	defer e.Close()
	loads := e.Stats().Loads
	for i := range 3 {
		if _, err := e.SweepExpired(testNow+2000, 1); err != nil {
			t.Fatal(err)
		}
		if removed, read := e.ExpiredFields(), e.Stats().Loads-loads; removed != int64(i+1)*defaultSweepFields || read > uint64(removed)+8 {
			t.Errorf("after %d sweeps %d fields are removed, %d rows were read", i+1, removed, read)
		}
	}
}
