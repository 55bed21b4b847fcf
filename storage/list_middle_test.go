package storage

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/effect"
	"cobble/storage/format"
	"cobble/storage/log"
)

// listInPieces runs LREM and LINSERT on a list, whose drafts begin early and have small pieces, and compares it with
// a slice, with what a crash between two records leaves, and with what a follower in commands is told.
type listInPieces struct {
	testing.TB
	e        *Engine
	fs       linkFS
	rng      *rand.Rand
	model    []string
	log      *log.Reader
	tr       *effect.Translator
	told     []string // the follower's list
	outcomes map[string]int
}

func (r *listInPieces) options(fs linkFS, m mutants) Options {
	o := smallOptions(fs)
	o.draftRows, o.pieceRows, o.SegmentBytes, o.mutant = 20, 7, 16<<20, m
	return o
}

func listInPiecesSeed(t testing.TB, seed uint64, m mutants, outcomes map[string]int) {
	r := &listInPieces{TB: t, fs: newLinkFS(vfs.NewCrashableMem()), rng: rand.New(rand.NewPCG(seed, 23)), outcomes: outcomes}
	r.e = openTest(t, r.options(r.fs, m))
	defer r.e.Close()
	var err error
	if r.tr, err = effect.New("", nil, func(s slots.Slot) (int64, uint64, error) { return 0, r.e.Counters(s).NextOID, nil }); err != nil {
		t.Fatal(err)
	}
	if r.log, err = r.e.log.NewReader(r.e.log.End()); err != nil {
		t.Fatal(err)
	}
	defer r.log.Close()
	r.fill([]int{510, 512, 900, 2500}[r.rng.IntN(4)])
	for step := 0; step < 12 && len(r.model) > 0; step++ {
		r.step(m)
		if got := listTexts(t, r.e, "l"); !slices.Equal(got, r.model) {
			t.Fatalf("step %d: %d elements, want %d", step, len(got), len(r.model))
		}
		r.follow()
		if !slices.Equal(r.told, r.model) {
			t.Fatalf("step %d: the follower has %d elements, want %d", step, len(r.told), len(r.model))
		}
		if r.rng.IntN(6) == 0 {
			if err := r.e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweepAll(t, r.e)
	checkSlot(t, r.e, "l")
}

// fill makes a list of many, few or no equal elements between those that differ.
func (r *listInPieces) fill(n int) {
	share := []int{2, 9, 10, 40, 1000}[r.rng.IntN(5)]
	for i := range n {
		text := strconv.Itoa(i)
		switch {
		case share <= 10 && r.rng.IntN(10) < share:
			text = "x"
		case share > 10 && i%share == 0:
			text = "x"
		}
		r.model = append(r.model, text)
	}
	update(r, r.e, "l", func(tx *Tx) error {
		l, err := tx.List([]byte("l"))
		for _, text := range r.model {
			if err == nil {
				err = l.Push(Tail, []byte(text))
			}
		}
		l.Save()
		return err
	})
}

// step is one command.
func (r *listInPieces) step(m mutants) {
	old := slices.Clone(r.model)
	drafts, object := r.e.stats.drafts.Load(), r.object()
	crash := 1 + r.rng.IntN(40)
	during(r.e, crash, func() {
		if got := listTexts(r, r.e, "l"); !slices.Equal(got, old) {
			r.Fatalf("%d elements are seen before the last record, of %d", len(got), len(old))
		}
		r.crash(old, m)
	})
	what, change := r.change()
	_, err := inPieces(r.e, []string{"l"}, func(tx *Tx) error {
		r.model = slices.Clone(old)
		l, err := tx.List([]byte("l"))
		if err == nil {
			r.model, err = change(&l, r.model)
		}
		l.Save()
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	switch {
	case r.e.stats.drafts.Load() == drafts:
		what += " at once"
	case len(r.model) == 0:
		what += " of all"
	case r.object() != object:
		what += " into a new object"
	default:
		what += " in place"
	}
	r.outcomes[what]++
}

func (r *listInPieces) change() (string, listChange) {
	pivot := []byte(r.model[r.rng.IntN(len(r.model))])
	if r.rng.IntN(10) == 0 {
		pivot = []byte("missing")
	}
	if r.rng.IntN(2) == 0 {
		pivot, before := []byte(r.model[len(r.model)-1-r.rng.IntN(min(len(r.model), 100))]), r.rng.IntN(2) == 0
		return "insert", func(l *List, model []string) ([]string, error) {
			return insertBoth(l, model, pivot, []byte("x"), before)
		}
	}
	count := int64(0)
	if n := len(r.model); r.rng.IntN(2) == 0 {
		count = int64(r.rng.IntN(2*n) - n)
	}
	return "remove", func(l *List, model []string) ([]string, error) {
		if r.rng.IntN(2) == 0 {
			return removeBoth(l, model, pivot, count)
		}
		return removeBoth(l, model, []byte("x"), count)
	}
}

// object returns the object of the list.
func (r *listInPieces) object() (oid uint64) {
	view(r, r.e, "l", func(tx *Tx) error {
		e, err := tx.Lookup([]byte("l"))
		oid = e.Meta.OID
		return err
	})
	return oid
}

// crash looks at what is left if the process ends now: the old list, and what was written of a new one as garbage.
func (r *listInPieces) crash(want []string, m mutants) {
	if err := r.e.Await(r.e.log.End()); err != nil {
		r.Fatal(err)
	}
	image := r.fs.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	e := openTest(r, r.options(image, m))
	defer e.Close()
	if got := listTexts(r, e, "l"); !slices.Equal(got, want) {
		r.Fatalf("%d elements after a crash, of %d", len(got), len(want))
	}
	sweepAll(r, e)
	checkSlot(r, e, "l")
	r.outcomes["crash"]++
}

// follow does what a follower in commands is told to do.
func (r *listInPieces) follow() {
	end := r.e.log.End()
	if err := r.e.Await(end); err != nil {
		r.Fatal(err)
	}
	for r.log.Position() < end {
		entry, err := r.log.TryNext()
		if err != nil {
			r.Fatal(err)
		}
		out, err := r.tr.Append(nil, &entry.Record)
		if err != nil {
			r.Fatal(err)
		}
		in := bufio.NewReader(strings.NewReader(string(out)))
		for {
			args, err := readCommand(in)
			if err == io.EOF {
				break
			}
			if err != nil {
				r.Fatal(err)
			}
			r.told = obey(r, r.told, args)
		}
	}
}

func readCommand(in *bufio.Reader) (args []string, err error) {
	var n, size int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
		return nil, io.EOF
	}
	for range n {
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, nil
}

// obey runs a command on a list as Redis does.
func obey(t testing.TB, list, args []string) []string {
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			t.Fatal(args)
		}
		return n
	}
	switch args[0] {
	case "MULTI", "EXEC":
	case "DEL":
		return nil
	case "RPUSH":
		return append(list, args[2:]...)
	case "LPUSH":
		for _, text := range args[2:] {
			list = slices.Insert(list, 0, text)
		}
	case "LINSERT":
		at := slices.Index(list, args[3])
		if args[2] == "AFTER" {
			at++
		}
		return slices.Insert(list, at, args[4])
	case "LREM":
		left, kept := number(2), []string(nil)
		if left < 0 {
			slices.Reverse(list)
		}
		all := max(left, -left)
		for _, text := range list {
			if text == args[3] && (left == 0 || all > 0) {
				all--
				continue
			}
			kept = append(kept, text)
		}
		if left < 0 {
			slices.Reverse(kept)
		}
		return kept
	default:
		t.Fatalf("told to %q", args)
	}
	return list
}

// TestListInPieces: LREM and LINSERT of long lists give what a slice gives in every way that they go on, also to a
// follower, and nothing is seen of them before the end, not even after a crash.
func TestListInPieces(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range testSeeds(t, 30) {
		listInPiecesSeed(t, seed, mutants{}, outcomes)
	}
	for _, what := range []string{"remove at once", "remove of all", "remove in place", "remove into a new object",
		"insert at once", "insert in place", "crash"} {
		if outcomes[what] == 0 {
			t.Errorf("there was no %s: %v", what, outcomes)
		}
	}
	t.Log(outcomes)
}

// TestListInPiecesKeepsLittle: LREM of very many elements makes no large record, and neither does one of few.
func TestListInPiecesKeepsLittle(t *testing.T) {
	o := draftOptions(t, mutants{})
	o.Budget = 128 << 20
	e := openTest(t, o)
	defer e.Close()
	for _, each := range []int{2, 100} {
		const n = 60_000
		update(t, e, "l", func(tx *Tx) error {
			l, err := tx.List([]byte("l"))
			for i := 0; i < n && err == nil; i++ {
				err = l.Push(Tail, []byte([]string{"x", "other"}[min(i%each, 1)]))
			}
			l.Save()
			return err
		})
		from := e.log.End()
		if _, err := inPieces(e, []string{"l"}, func(tx *Tx) error {
			l, err := tx.List([]byte("l"))
			if err != nil {
				return err
			}
			removed, err := l.Remove([]byte("x"), 0)
			if err == nil && removed != n/int64(each) {
				err = fmt.Errorf("%d were removed", removed)
			}
			l.Save()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		records := records(t, e, from)
		if most := slices.Max(records); most > lookTimes*o.draftRows*2*format.ListElementKey {
			t.Errorf("of one in %d: a record of %d bytes", each, most)
		}
		t.Log(each, len(records), slices.Max(records))
	}
}
