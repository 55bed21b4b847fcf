package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

func listTexts(t testing.TB, e *Engine, key string) []string {
	t.Helper()
	var out []string
	view(t, e, key, func(tx *Tx) error {
		out = out[:0]
		l, err := tx.List([]byte(key))
		if err != nil {
			return err
		}
		w := l.Walk(Head, 0, l.Len())
		for w.Next() {
			out = append(out, string(w.Value()))
		}
		return w.Close()
	})
	return out
}

// listPlan is what a seed does: how long the list tends to become, how many values
// there are to choose from, and how long they are.
type listPlan struct {
	rng            *rand.Rand
	length, values int
	longer         int
	middle         bool // insert and remove in the middle
}

func newListPlan(seed uint64) *listPlan {
	p := &listPlan{rng: rand.New(rand.NewPCG(seed, 17))}
	p.length = []int{3, 30, 130, 700, 2000, 9500}[p.rng.IntN(6)]
	p.values = []int{2, 10, 1000}[p.rng.IntN(3)]
	p.longer = []int{1, 10, 40, 1200}[p.rng.IntN(4)]
	p.middle = p.rng.IntN(3) > 0
	return p
}

func (p *listPlan) value() []byte {
	n := p.rng.IntN(p.values)
	if n%3 == 0 {
		return strconv.AppendInt(nil, int64(n)-5, 10)
	}
	return append(fmt.Append(nil, "v", n), bytes.Repeat([]byte{'x'}, n*7919%p.longer)...)
}

// listChange changes a list and the slice that it is compared with.
type listChange func(l *List, model []string) ([]string, error)

func (p *listPlan) change(length int) listChange {
	end := End(p.rng.IntN(2) == 0)
	value, other, n := p.value(), p.value(), p.rng.IntN(5)
	kind := p.rng.IntN(12)
	if length < p.length && p.rng.IntN(3) == 0 {
		return p.pushMany(end)
	}
	switch {
	case kind < 3:
		return func(l *List, model []string) ([]string, error) {
			return pushModel(model, end, value), l.Push(end, value)
		}
	case kind < 5:
		return func(l *List, model []string) ([]string, error) { return popBoth(l, model, end, n) }
	case kind == 5:
		at := p.rng.IntN(2*length+2) - length - 1
		return func(l *List, model []string) ([]string, error) {
			ok, err := l.Set(int64(at), value)
			if at < 0 {
				at += len(model)
			}
			if there := at >= 0 && at < len(model); there {
				model[at] = string(value)
			} else if ok {
				err = errors.Join(err, fmt.Errorf("Set %d of %d worked", at, len(model)))
			}
			return model, err
		}
	case kind == 6 && p.rng.IntN(4) == 0:
		return p.trim(length)
	case kind < 9 && p.middle:
		before, times := p.rng.IntN(2) == 0, 1+p.rng.IntN(30)
		return func(l *List, model []string) (out []string, err error) {
			for range times {
				if model, err = insertBoth(l, model, other, value, before); err != nil {
					break
				}
			}
			return model, err
		}
	case kind < 11 && p.middle:
		count := int64(p.rng.IntN(7) - 3)
		return func(l *List, model []string) ([]string, error) { return removeBoth(l, model, value, count) }
	}
	return func(l *List, model []string) ([]string, error) {
		i := int64(0)
		if len(model) > 0 {
			i = int64(len(value)*31+n) % int64(len(model))
		}
		got, ok, err := l.Index(i)
		if err == nil && (ok != (len(model) > 0) || ok && string(got) != model[i]) {
			err = fmt.Errorf("Index %d: %q %v", i, got, ok)
		}
		return model, err
	}
}

func (p *listPlan) pushMany(end End) listChange {
	var values [][]byte
	for range 1 + p.rng.IntN(p.length) {
		values = append(values, p.value())
	}
	return func(l *List, model []string) ([]string, error) {
		for _, v := range values {
			model = pushModel(model, end, v)
		}
		return model, l.Push(end, values...)
	}
}

func (p *listPlan) trim(length int) listChange {
	start, stop := p.rng.IntN(length/4+2), max(length-p.rng.IntN(length/4+2), 0)
	if p.rng.IntN(3) == 0 {
		start, stop = p.rng.IntN(length+1), p.rng.IntN(length+1)
	}
	return func(l *List, model []string) ([]string, error) {
		kept := model[min(start, len(model)):max(min(stop+1, len(model)), min(start, len(model)))]
		return slices.Clone(kept), l.Trim(int64(start), int64(stop))
	}
}

func pushModel(model []string, end End, value []byte) []string {
	if end == Head {
		return append([]string{string(value)}, model...)
	}
	return append(model, string(value))
}

func popBoth(l *List, model []string, end End, n int) ([]string, error) {
	var got []string
	err := l.Pop(end, int64(n), func(v []byte) { got = append(got, string(v)) })
	n = min(n, len(model))
	want := slices.Clone(model[:n])
	rest := model[n:]
	if end == Tail {
		rest = model[:len(model)-n]
		want = slices.Clone(model[len(model)-n:])
		slices.Reverse(want)
	}
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("Pop %v %d: %q, want %q", end, n, got, want)
	}
	return slices.Clone(rest), err
}

func insertBoth(l *List, model []string, pivot, value []byte, before bool) ([]string, error) {
	found, err := l.Insert(pivot, value, before)
	at := slices.Index(model, string(pivot))
	if err == nil && found != (at >= 0) {
		err = fmt.Errorf("Insert at %q: %v", pivot, found)
	}
	if at < 0 {
		return model, err
	}
	if !before {
		at++
	}
	return slices.Insert(model, at, string(value)), err
}

func removeBoth(l *List, model []string, value []byte, count int64) ([]string, error) {
	got, err := l.Remove(value, count)
	kept, want, limit := []string{}, int64(0), count
	if count < 0 {
		slices.Reverse(model)
		limit = -count
	}
	for _, v := range model {
		if v == string(value) && (limit == 0 || want < limit) {
			want++
			continue
		}
		kept = append(kept, v)
	}
	if count < 0 {
		slices.Reverse(kept)
	}
	if err == nil && got != want {
		err = fmt.Errorf("Remove %q %d: %d, want %d", value, count, got, want)
	}
	return kept, err
}

// Random operations on a list, several in a transaction, some undone, some on rows
// that went to the store, give what a slice gives; counters stay exact and no row is
// left behind.
func TestListAgainstSlice(t *testing.T) {
	layouts := map[string]int{}
	for seed := range testSeeds(t, 20) {
		listSeed(t, seed, mutants{}, layouts)
	}
	if len(layouts) != 4 {
		t.Errorf("not all layouts were tried: %v", layouts)
	}
}

func listSeed(t testing.TB, seed uint64, m mutants, layouts map[string]int) {
	plan, o := newListPlan(seed), smallOptions(vfs.NewMem())
	o.mutant = m
	e, model := openTest(t, o), []string{}
	for step := range min(60, 60_000/plan.length) {
		model = plan.step(t, e, model)
		if plan.rng.IntN(8) == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if plan.rng.IntN(10) == 0 {
			if err := errors.Join(e.Flush(), e.Close()); err != nil {
				t.Fatal(err)
			}
			e = openTest(t, o) // every row is cold now
			checkSlot(t, e, "l")
		}
		if got := listTexts(t, e, "l"); !slices.Equal(got, model) {
			t.Fatalf("seed %d, step %d\ngot  %q\nwant %q", seed, step, got, model)
		}
		plan.compare(t, e, model)
		view(t, e, "l", func(tx *Tx) error {
			l, err := tx.List([]byte("l"))
			layouts[fmt.Sprint(l.inline(), l.dense(), l.hasLeaves())]++
			return err
		})
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	checkSlot(t, e, "l")
	_ = e.Close()
}

// compare looks at elements and ranges by their indexes.
func (p *listPlan) compare(t testing.TB, e *Engine, model []string) {
	if len(model) == 0 {
		return
	}
	view(t, e, "l", func(tx *Tx) error {
		l, err := tx.List([]byte("l"))
		if err != nil {
			return err
		}
		for range 5 {
			i, n := p.rng.IntN(len(model)), p.rng.IntN(30)
			got, ok, err := l.Index(int64(i) - int64(p.rng.IntN(2)*len(model)))
			if err != nil {
				return err
			}
			if !ok || string(got) != model[i] {
				return fmt.Errorf("element %d of %d is %q %v, want %q", i, len(model), got, ok, model[i])
			}
			end, from := End(p.rng.IntN(2) == 0), i
			if end == Tail {
				from = len(model) - 1 - i
			}
			w := l.Walk(end, int64(from), int64(n))
			step := 1
			if end == Tail {
				step = -1
			}
			for at := i; w.Next(); at += step {
				if string(w.Value()) != model[at] {
					return fmt.Errorf("walk %v from %d: %q at %d", end, i, w.Value(), at)
				}
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

// step is one transaction; it returns what the list holds afterwards. The
// transaction may run more than once.
func (p *listPlan) step(t testing.TB, e *Engine, model []string) []string {
	remove, undo := p.rng.IntN(60) == 0, p.rng.IntN(5) == 0
	changes := make([]listChange, 1+p.rng.IntN(4))
	for i := range changes {
		changes[i] = p.change(len(model))
	}
	var next []string
	update(t, e, "l", func(tx *Tx) error {
		next = slices.Clone(model)
		mark := tx.Savepoint()
		if remove {
			if _, err := tx.Delete([]byte("l")); err != nil {
				return err
			}
			next = nil
		}
		for _, change := range changes {
			l, err := tx.List([]byte("l"))
			if err != nil {
				return err
			}
			if next, err = change(&l, next); err != nil {
				return err
			}
			l.Save()
			if l.Len() != int64(len(next)) {
				return fmt.Errorf("length %d, want %d", l.Len(), len(next))
			}
		}
		if undo {
			tx.RollbackTo(mark)
			next = model
		}
		return nil
	})
	return next
}

// A list whose positions come to an end is numbered anew.
func TestListPositionsEnd(t *testing.T) {
	for _, end := range []End{Head, Tail} {
		e := openHashTest(t)
		var want []string
		for i := range 200 {
			update(t, e, "l", func(tx *Tx) error {
				l, err := tx.List([]byte("l"))
				if err != nil {
					return err
				}
				if i == 150 { // as if many had been pushed here and taken off there
					if err := l.cut(!end, int64(len(want))-1); err != nil {
						return err
					}
					m := &l.e.Meta
					l.tx.delRow(l.rowKey(l.x.Head))
					l.x.Head = 3 * format.ListStride
					if end == Tail {
						l.x.Head = 1<<64 - 3*format.ListStride
					}
					l.x.Tail, l.x.Low, l.x.High = l.x.Head, l.x.Head, l.x.Head
					l.tx.putRow(l.rowKey(l.x.Head), []byte(want[len(want)-1]))
					if m.Count != 1 {
						t.Fatal(m.Count)
					}
				}
				err = l.Push(end, fmt.Append(nil, "v", i))
				l.Save()
				return err
			})
			if i == 150 {
				want = want[len(want)-1:]
			}
			want = append(want, fmt.Sprint("v", i))
		}
		if end == Head {
			slices.Reverse(want)
		}
		if got := listTexts(t, e, "l"); !slices.Equal(got, want) {
			t.Fatalf("got %q", got)
		}
	}
}

// growList makes a list of the texts 0, 1 … n−1.
func growList(t testing.TB, e *Engine, n int) (model []string) {
	for from := 0; from < n; from += 1000 {
		update(t, e, "l", func(tx *Tx) error {
			l, err := tx.List([]byte("l"))
			for i := from; i < min(from+1000, n) && err == nil; i++ {
				err = l.Push(Tail, strconv.AppendInt(nil, int64(i), 10))
			}
			l.Save()
			return err
		})
	}
	for i := range n {
		model = append(model, strconv.Itoa(i))
	}
	return model
}

func changeList(t testing.TB, e *Engine, f func(l *List) error) {
	t.Helper()
	update(t, e, "l", func(tx *Tx) error {
		l, err := tx.List([]byte("l"))
		if err == nil {
			err = f(&l)
		}
		l.Save()
		return err
	})
}

// What a range deletion leaves in the store beyond an end of a list until the next
// flush does not come back when the end moves there in other steps.
func TestListRowsBeyondTheEnd(t *testing.T) { listBeyondEnd(t, mutants{}) }

func listBeyondEnd(t testing.TB, m mutants) {
	for _, end := range []End{Head, Tail} {
		o := smallOptions(vfs.NewMem())
		o.mutant = m
		e := openTest(t, o)
		model := growList(t, e, 3000)
		if err := e.Flush(); err != nil { // into the store: until then they are dropped in memory
			t.Fatal(err)
		}
		first, last := int64(1000), int64(-1)
		next := []byte("1000")
		if end == Tail {
			first, last = 0, 1999
			next = []byte("1999")
		}
		changeList(t, e, func(l *List) error { return l.Trim(first, last) })
		changeList(t, e, func(l *List) error {
			_, err := l.Insert(next, []byte("between"), end == Tail)
			return err
		})
		changeList(t, e, func(l *List) error { return l.Pop(end, 1, func([]byte) {}) })
		for i := range 5 {
			changeList(t, e, func(l *List) error { return l.Push(end, fmt.Append(nil, "new", i)) })
		}
		if end == Head {
			model = append([]string{"new4", "new3", "new2", "new1", "new0", "between"}, model[1001:]...)
		} else {
			model = append(slices.Clone(model[:1999]), "between", "new0", "new1", "new2", "new3", "new4")
		}
		if got := listTexts(t, e, "l"); !slices.Equal(got, model) {
			t.Fatalf("from the %v: %d elements, want %d: %.200q", end, len(got), len(model), got)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		checkSlot(t, e, "l")
		_ = e.Close()
	}
}

// A list of very many elements that was changed in the middle finds indexes, and is
// cut, at the price of a few rows: patience (Tx.patient) counts them.
func TestListMiddleIsNear(t *testing.T) {
	const n = 100_000
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	model := growList(t, e, n)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	changeList(t, e, func(l *List) error {
		_, err := l.Insert([]byte("50000"), []byte("between"), true)
		return err
	})
	model = slices.Insert(model, 50000, "between")
	try := func(f func(l *List) error) {
		t.Helper()
		if err := e.Flush(); err != nil { // no dirty rows that have to be put in order
			t.Fatal(err)
		}
		for range 2000 { // what is cold is loaded, and others leave the slot
			e.disk.score.Store(0) // this disk is memory, however long a look took on a busy machine
			_, err := e.TryUpdate(testNow, slots.Of([]byte("l")), OpFunc(func(tx *Tx) error {
				l, err := tx.List([]byte("l"))
				if err == nil {
					err = f(&l)
				}
				l.Save()
				return err
			}))
			if err == nil {
				return
			}
			if err != ErrWouldBlock {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("more than %d rows were looked at", patience)
	}
	for _, i := range []int{0, 49_000, 49_999, 50_000, 50_001, 75_000, n} {
		try(func(l *List) error {
			got, ok, err := l.Index(int64(i))
			if err == nil && (!ok || string(got) != model[i]) {
				err = fmt.Errorf("element %d is %q %v, want %q", i, got, ok, model[i])
			}
			return err
		})
	}
	try(func(l *List) error { _, err := l.Set(70_000, []byte("set")); return err })
	model[70_000] = "set"
	try(func(l *List) error { return l.Trim(20_000, -20_001) })
	model = model[20_000 : len(model)-20_000]
	try(func(l *List) error { _, err := l.Insert(model20(model), []byte("again"), false); return err })
	model = slices.Insert(slices.Clone(model), 21, "again")
	if got := listTexts(t, e, "l"); !slices.Equal(got, model) {
		t.Fatalf("%d elements, want %d", len(got), len(model))
	}
	changeList(t, e, func(l *List) error { return l.Trim(100, 3000) })
	if got := listTexts(t, e, "l"); !slices.Equal(got, model[100:3001]) {
		t.Fatalf("%d elements, want %d", len(got), 2901)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	checkSlot(t, e, "l") // Bytes is exact again
}

func model20(model []string) []byte { return []byte(model[20]) }

// Nor does it when the list loses its last element and gets another in one command.
func TestListRowsAroundTheOnlyElement(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	growList(t, e, 2000)
	changeList(t, e, func(l *List) error {
		_, err := l.Insert([]byte("0"), []byte("between"), false)
		return err
	})
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	changeList(t, e, func(l *List) error { return l.Pop(Head, 2000, func([]byte) {}) })
	update(t, e, "l", func(tx *Tx) error {
		_, _, err := tx.ListMove([]byte("l"), []byte("l"), Head, Tail)
		return err
	})
	changeList(t, e, func(l *List) error { return l.Push(Tail, []byte("last")) })
	if got, want := listTexts(t, e, "l"), []string{"1999", "last"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	checkSlot(t, e, "l")
}
