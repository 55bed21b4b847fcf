package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

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
	p.length = []int{3, 30, 130, 700, 2000}[p.rng.IntN(5)]
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
		plan, fs := newListPlan(seed), vfs.NewMem()
		e, model := openTest(t, smallOptions(fs)), []string{}
		for step := range 60 {
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
				e = openTest(t, smallOptions(fs)) // every row is cold now
				checkSlot(t, e, "l")
			}
			if got := listTexts(t, e, "l"); !slices.Equal(got, model) {
				t.Fatalf("seed %d, step %d\ngot  %q\nwant %q", seed, step, got, model)
			}
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		checkSlot(t, e, "l")
		view(t, e, "l", func(tx *Tx) error {
			l, err := tx.List([]byte("l"))
			layouts[fmt.Sprint(l.inline(), l.dense())]++
			return err
		})
		_ = e.Close()
	}
	if len(layouts) != 3 {
		t.Errorf("not all layouts were tried: %v", layouts)
	}
}

// step is one transaction; it returns what the list holds afterwards. The
// transaction may run more than once.
func (p *listPlan) step(t *testing.T, e *Engine, model []string) []string {
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
					l.tx.delRow(l.rowKey(l.head))
					l.head = 3 * format.ListStride
					if end == Tail {
						l.head = 1<<64 - 3*format.ListStride
					}
					l.tail = l.head
					l.tx.putRow(l.rowKey(l.head), []byte(want[len(want)-1]))
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
