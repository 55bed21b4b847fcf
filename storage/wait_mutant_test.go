package storage

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/format"
)

// popper waits for an element of a list, and gives it to another list if it names one.
type popper struct {
	name     string
	from, to []byte
	events   *[]string
}

func (p *popper) Serve(tx *Tx) Outcome {
	value, ok, err := p.take(tx)
	switch {
	case err != nil:
		return Refused
	case !ok:
		return StillWaiting
	}
	*p.events = append(*p.events, p.name+" "+value)
	return Served
}

func (p *popper) take(tx *Tx) (value string, ok bool, err error) {
	if p.to != nil {
		moved, ok, err := tx.ListMove(p.from, p.to, Head, Tail)
		return string(moved), ok, err
	}
	l, err := tx.List(p.from)
	if err != nil || !l.Live() {
		return "", false, err
	}
	err = l.Pop(Head, 1, func(v []byte) { value = string(v) })
	l.Save()
	return value, true, err
}

func (p *popper) Ended(outcome Outcome, _ LSN, err error) {
	if outcome != Served || err != nil {
		*p.events = append(*p.events, fmt.Sprint(p.name, " ends: ", outcome, err))
	}
}

// waitScene: who came first is served first, whatever else they want; each once; and what a waiter that is served gives
// to another key wakes who waits for that.
func waitScene(t testing.TB, m mutants) {
	o := smallOptions(vfs.NewMem())
	o.mutant = m
	e := openTest(t, o)
	defer e.Close()
	var events []string
	wait := func(name, from, to, same string) {
		p := &popper{name: name, from: []byte(from), events: &events}
		if to != "" {
			p.to = []byte(to)
		}
		update(t, e, from, func(tx *Tx) error {
			tx.Park(new(Waiter), p, Wants{Type: format.List, Same: same}, p.from)
			return nil
		})
	}
	push := func(value string, want ...string) {
		t.Helper()
		events = nil
		update(t, e, "{t}a", func(tx *Tx) error {
			l, err := tx.List([]byte("{t}a"))
			if err != nil {
				return err
			}
			err = l.Push(Tail, []byte(value))
			l.Save()
			return err
		})
		if !slices.Equal(events, want) {
			t.Fatalf("a push of %s serves %q, not %q", value, events, want)
		}
	}
	for i := range 6 { // two lanes
		wait(fmt.Sprint("w", i), "{t}a", "", []string{"", "consumers"}[i/2%2])
	}
	for i := range 6 {
		value := fmt.Sprint("v", i)
		push(value, fmt.Sprintf("w%d %s", i, value))
	}
	wait("last", "{t}c", "", "")
	wait("second", "{t}b", "{t}c", "")
	wait("first", "{t}a", "{t}b", "")
	push("far", "first far", "second far", "last far")
	push("stays")
	if keys, _ := e.WaitingKeys(); keys != 0 {
		t.Fatalf("%d keys are still waited for", keys)
	}
}

func TestWaitsAreServedInOrder(t *testing.T) { waitScene(t, mutants{}) }

// TestWaitMutants switches off one rule of waits at a time.
func TestWaitMutants(t *testing.T) {
	for name, m := range map[string]mutants{
		"who came last is served first":      {waitsLastFirst: true},
		"a waiter that was served stays":     {waitsStay: true},
		"what a waiter changes wakes nobody": {waitsWakeOnce: true},
	} {
		text := failure(t, func(t testing.TB) { waitScene(t, m) })
		if text == "" {
			t.Errorf("%s: nobody noticed", name)
		}
		t.Logf("%s: %.200s", name, text)
	}
}
