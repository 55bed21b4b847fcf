package storage

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// zsetModel is what a sorted set must look like from outside.
type zsetModel map[string]float64

func (m zsetModel) sorted() []Scored {
	all := make([]Scored, 0, len(m))
	for member, score := range m {
		all = append(all, Scored{[]byte(member), score})
	}
	slices.SortFunc(all, CompareScored)
	return all
}

func scoredText(all []Scored) string {
	out := ""
	for _, s := range all {
		out += fmt.Sprintf("%q:%v ", s.Member, s.Score)
	}
	return out
}

// zsetPlan is what a seed does: how many members there are to choose from, how long
// they are, and how many scores there are.
type zsetPlan struct {
	rng                     *rand.Rand
	members, longer, scores int
}

func (p *zsetPlan) member() []byte {
	n := p.rng.IntN(p.members)
	if n%3 == 0 {
		return fmt.Append(nil, n-5)
	}
	return fmt.Append(nil, "member:", n, string(make([]byte, n%p.longer)))
}

func (p *zsetPlan) score() float64 {
	switch n := p.rng.IntN(p.scores); n {
	case 3:
		return math.Copysign(0, -1)
	case 4:
		return math.Inf(1 - 2*p.rng.IntN(2))
	case 5:
		return math.Float64frombits(p.rng.Uint64()&^(1<<62) | 1<<40)
	default:
		return float64(n) / 4
	}
}

// zsetChange is one operation on both.
type zsetChange struct {
	kind      int
	member    []byte
	score     float64
	from, to  int64
	low, high float64
	reverse   bool
	o         ZAdd
}

func (p *zsetPlan) change() zsetChange {
	c := zsetChange{kind: p.rng.IntN(20), member: p.member(), score: p.score(), low: p.score(), high: p.score(), reverse: p.rng.IntN(2) == 0}
	c.from = p.rng.Int64N(int64(p.members))
	c.to = c.from + p.rng.Int64N(4)
	if p.rng.IntN(30) == 0 {
		c.to += 300
	}
	if p.rng.IntN(3) == 0 {
		c.o = ZAdd{IfAbsent: p.rng.IntN(4) == 0, IfPresent: p.rng.IntN(4) == 0, Greater: p.rng.IntN(4) == 0, Less: p.rng.IntN(4) == 0, Increment: p.rng.IntN(4) == 0}
	}
	return c
}

func (c *zsetChange) apply(t *testing.T, z *ZSet, m zsetModel) error {
	switch {
	case c.kind < 14:
		return c.add(t, z, m)
	case c.kind < 16:
		_, had := m[string(c.member)]
		delete(m, string(c.member))
		removed, err := z.Remove(c.member)
		if err == nil && removed != had {
			t.Fatalf("Remove %q: %v, want %v", c.member, removed, had)
		}
		return err
	}
	r, most, all := z.ByRank(c.from, c.to), int64(math.MaxInt64), m.sorted()
	want := all[min(c.from, int64(len(all))):min(c.to, int64(len(all)))]
	switch c.kind {
	case 16:
		most = c.to - c.from
		r, want = z.ByRank(0, z.Len()), all[:min(most, int64(len(all)))]
		if c.reverse {
			want = all[int64(len(all))-int64(len(want)):]
		}
	case 17:
		var err error
		if r, err = z.ByScore(ScoreBound{Score: c.low}, ScoreBound{Score: c.high, Exclusive: true}); err != nil {
			return err
		}
		want = slices.Clone(all)
		want = slices.DeleteFunc(want, func(s Scored) bool { return s.Score < c.low || s.Score >= c.high })
		most = c.to - c.from
		if c.reverse {
			want = want[max(0, int64(len(want))-most):]
		} else {
			want = want[:min(most, int64(len(want)))]
		}
	}
	var got []Scored
	n, err := z.RemoveRange(r, c.reverse, most, func(member []byte, score float64) {
		got = append(got, Scored{slices.Clone(member), score})
	})
	if err != nil {
		return err
	}
	want = slices.Clone(want)
	if c.reverse {
		slices.Reverse(want)
	}
	if n != int64(len(want)) || scoredText(got) != scoredText(want) {
		t.Fatalf("%+v: removed %d\n%.300s\nwant %d\n%.300s", c, n, scoredText(got), len(want), scoredText(want))
	}
	for _, s := range want {
		delete(m, string(s.Member))
	}
	return nil
}

func (c *zsetChange) add(t *testing.T, z *ZSet, m zsetModel) error {
	old, had := m[string(c.member)]
	score := c.score
	if had && c.o.Increment {
		score += old
	}
	refused := had && c.o.IfAbsent || !had && c.o.IfPresent || had && (c.o.Greater && score <= old || c.o.Less && score >= old)
	want := ZAdded{Added: !had, Updated: had && score != old, Score: score}
	if want.Score == old && had {
		want.Score = old
	}
	if refused {
		want = ZAdded{Skipped: true}
	}
	got, err := z.Add(c.member, c.score, c.o)
	if math.IsNaN(score) && !(had && c.o.IfAbsent) {
		if err != ErrScoreNaN && err != errCold {
			t.Fatalf("Add of NaN: %v", err)
		}
		if err == ErrScoreNaN {
			err = nil
		}
		return err
	}
	if err != nil {
		return err
	}
	if got != want {
		t.Fatalf("Add %+v to %v %v: %+v, want %+v", c, old, had, got, want)
	}
	if !refused && (!had || score != old) {
		m[string(c.member)] = z.kept(score)
	}
	now, ok, err := z.Score(c.member)
	if want, has := m[string(c.member)]; err == nil && (ok != has || math.Float64bits(now) != math.Float64bits(want)) {
		t.Fatalf("Score %q: %v %v, want %v %v", c.member, now, ok, want, has)
	}
	return err
}

// step is one transaction, which may run more than once; it returns what the sorted
// set holds afterwards.
func (p *zsetPlan) step(t *testing.T, e *Engine, model zsetModel) zsetModel {
	undo, fail, commands := p.rng.IntN(5) == 0, p.rng.IntN(12) == 0, make([][]zsetChange, 1+p.rng.IntN(3))
	for i := range commands {
		commands[i] = make([]zsetChange, 1+p.rng.IntN(12))
		for j := range commands[i] {
			commands[i][j] = p.change()
		}
	}
	next := model
	failed := errors.New("on purpose")
	_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte("z"))}, OpFunc(func(tx *Tx) error {
		next = maps.Clone(model)
		for i, changes := range commands {
			mark := tx.Savepoint()
			before := maps.Clone(next)
			z, err := tx.ZSet([]byte("z"))
			if err != nil {
				return err
			}
			for _, c := range changes {
				if err := c.apply(t, &z, next); err != nil {
					return err
				}
			}
			if err := z.Save(); err != nil {
				return err
			}
			if undo && i == 0 {
				tx.RollbackTo(mark)
				next = before
			}
		}
		if fail && !tx.Incomplete() {
			return failed
		}
		return nil
	}))
	if err == failed {
		return model
	}
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// checkZSet compares everything that can be read of a sorted set, and counts the
// rows of its slot again.
func checkZSet(t *testing.T, e *Engine, rng *rand.Rand, m zsetModel) {
	t.Helper()
	all := m.sorted()
	view(t, e, "z", func(tx *Tx) error {
		z, err := tx.ZSet([]byte("z"))
		if err != nil {
			return err
		}
		if z.Len() != int64(len(all)) || z.Live() != (len(all) > 0) {
			t.Fatalf("Len %d, Live %v, want %d", z.Len(), z.Live(), len(all))
		}
		if len(all) == 0 {
			return nil
		}
		if err := checkRanges(t, &z, rng, all); err != nil {
			return err
		}
		return checkLeaves(t, &z)
	})
	checkZSetSlot(t, e)
}

func checkRanges(t *testing.T, z *ZSet, rng *rand.Rand, all []Scored) error {
	t.Helper()
	for range 4 {
		from := rng.IntN(len(all))
		to := from + rng.IntN(len(all)-from+1)
		skip, reverse := rng.Int64N(40), rng.IntN(2) == 0
		r := z.ByRank(int64(from), int64(to))
		if rng.IntN(2) == 0 {
			low, high := all[from].Score, all[rng.IntN(len(all))].Score
			var err error
			if r, err = z.ByScore(ScoreBound{Score: low, Exclusive: rng.IntN(2) == 0}, ScoreBound{Score: high, Exclusive: rng.IntN(2) == 0}); err != nil {
				return err
			}
			from, to = int(r.from), int(r.to)
			for i, s := range all {
				if in := i >= from && i < to; in && (s.Score < low || s.Score > high) || !in && s.Score > low && s.Score < high {
					t.Fatalf("scores %v to %v: %d of %d to %d with %v", low, high, i, from, to, s.Score)
				}
			}
			to = max(from, to)
		}
		want := slices.Clone(all[from:to])
		if reverse {
			slices.Reverse(want)
		}
		want = want[min(int(skip), len(want)):]
		var got []Scored
		w := z.Walk(r, reverse, skip)
		for w.Next() {
			got = append(got, Scored{slices.Clone(w.Member()), w.Score()})
		}
		if err := w.Close(); err != nil {
			return err
		}
		if scoredText(got) != scoredText(want) {
			t.Fatalf("%+v reverse %v skip %d:\n%.300s\nwant\n%.300s", r, reverse, skip, scoredText(got), scoredText(want))
		}
		i := rng.IntN(len(all))
		rank, score, ok, err := z.Rank(all[i].Member)
		if err != nil {
			return err
		}
		if rank != int64(i) || math.Float64bits(score) != math.Float64bits(all[i].Score) || !ok {
			t.Fatalf("Rank %q: %d %v %v, want %d %v", all[i].Member, rank, score, ok, i, all[i].Score)
		}
	}
	return nil
}

// checkLeaves compares the directory, in memory and in rows, with the score rows.
func checkLeaves(t *testing.T, z *ZSet) error {
	t.Helper()
	if z.inline() {
		return nil
	}
	it := z.leafKey().elements(z.tx, nil, nil)
	var keys []string
	for ok := it.First(); ok; ok = it.Next() {
		key := string(it.Key()[format.ElementPrefix:])
		if key < string(z.extra.Low) || len(z.extra.High) > 0 && key >= string(z.extra.High) {
			t.Fatalf("%x is not between %x and %x", key, z.extra.Low, z.extra.High)
		}
		keys = append(keys, key)
	}
	if err := it.Close(); err != nil {
		return err
	}
	if z.extra.Leaves == 0 {
		if len(keys) > leafMost {
			t.Fatalf("%d members and no directory", len(keys))
		}
		return nil
	}
	stored, err := z.tx.readLeaves(z.leafKey())
	if err != nil {
		return err
	}
	held, err := z.directory() // with keys in some leaves
	if err != nil {
		return err
	}
	list := func(d *leafDirectory) (out []leaf) {
		total, size, keysOf := uint64(0), int64(0), int64(0)
		for _, p := range d.parts {
			count := uint64(0)
			for _, l := range p.leaves {
				keysOf += l.keys.size()
				if l.keys != nil && uint64(len(l.keys.order)) != l.count {
					t.Fatalf("a leaf of %d has %d keys in memory", l.count, len(l.keys.order))
				}
				count += l.count
				size += int64(len(l.separator)) + leafOverhead
			}
			if count != p.count || len(p.leaves) == 0 || len(p.leaves) > partMost {
				t.Fatalf("a part of %d leaves with %d elements says %d", len(p.leaves), count, p.count)
			}
			total += count
			out = append(out, p.leaves...)
		}
		if total != d.total || size != d.size || keysOf != d.heldBytes {
			t.Fatalf("total %d, counted %d; size %d, counted %d; keys %d, counted %d", d.total, total, d.size, size, d.heldBytes, keysOf)
		}
		return out
	}
	rows, memory := list(stored), list(held)
	if len(rows) != len(memory) || uint64(len(rows)) != z.extra.Leaves || stored.total != uint64(len(keys)) {
		t.Fatalf("%d leaf rows with %d members, %d leaves in memory, %d told; %d members", len(rows), stored.total, len(memory), z.extra.Leaves, len(keys))
	}
	small := 0
	for i, l := range rows {
		if string(l.separator) != string(memory[i].separator) || l.count != memory[i].count || l.count > leafMost {
			t.Fatalf("leaf %d is %+v, in memory %+v", i, l, memory[i])
		}
		if l.count < leafLeast {
			small++
		}
		for n := range l.count {
			if in := memory[i].keys; in != nil && string(in.key(int(n))) != keys[0] {
				t.Fatalf("leaf %d has %x in memory, not %x", i, in.key(int(n)), keys[0])
			}
			if keys[0] < string(l.separator) || i+1 < len(rows) && keys[0] >= string(rows[i+1].separator) {
				t.Fatalf("%x is not of leaf %d from %x", keys[0], i, l.separator)
			}
			keys = keys[1:]
		}
	}
	if small > 1+len(rows)/2 {
		t.Fatalf("%d of %d leaves are small", small, len(rows))
	}
	return nil
}

// checkZSetSlot counts all rows of the slot again.
func checkZSetSlot(t *testing.T, e *Engine) {
	t.Helper()
	slot := slots.Of([]byte("z"))
	view(t, e, "z", func(tx *Tx) error {
		var got Counters
		type object struct{ count, scores, bytes uint64 }
		wanted, found := map[uint64]object{}, map[uint64]object{}
		garbage := map[uint64]bool{}
		it := tx.iter(format.AppendKind(nil, uint16(slot), 0), nil)
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
				if m.Layout == format.Rows {
					wanted[m.OID] = object{m.Count, m.Count, m.Bytes}
				}
			case format.KindElement:
				o := found[beUint64(row[3:])]
				switch row[format.ElementPrefix-1] {
				case format.SubMember:
					_, member, err := format.SplitMember(row, format.SubMember)
					if err != nil {
						return err
					}
					o.count++
					o.bytes += uint64(len(member)) + zsetScoreBytes
				case format.SubZSetScore:
					o.scores++
				}
				found[beUint64(row[3:])] = o
			case format.KindGarbage:
				garbage[beUint64(row[3:])] = true
			}
		}
		for oid, o := range found {
			if wanted[oid] != o && !garbage[oid] {
				t.Fatalf("object %d has %+v, its key says %+v", oid, o, wanted[oid])
			}
			delete(wanted, oid)
		}
		if len(wanted) != 0 {
			t.Fatalf("objects without rows: %v", wanted)
		}
		if c := tx.counters(slot); c.Keys != got.Keys || c.Bytes != got.Bytes {
			t.Fatalf("counters %+v, counted %+v", c, got)
		}
		return it.Close()
	})
}

// Random operations on a sorted set, several in a command, several commands in a
// transaction, some undone, some failing, some on rows that went to the store, give
// what a map gives; ranks, ranges, counters and the directory stay exact.
func TestZSetAgainstMap(t *testing.T) {
	layouts, leaves := map[format.Layout]int{}, 0
	for seed := range testSeeds(t, 10) {
		p := &zsetPlan{rng: rand.New(rand.NewPCG(seed, 9))}
		p.members = []int{4, 60, 200, 900, 3000}[seed%5]
		p.longer = []int{1, 2, 50}[p.rng.IntN(3)]
		p.scores = []int{1, 8, 1000}[p.rng.IntN(3)]
		fs := vfs.NewMem()
		e, model := openTest(t, smallOptions(fs)), zsetModel{}
		if p.members >= 900 {
			model = p.seed(t, e)
		}
		for i := range 80 {
			model = p.step(t, e, model)
			if i%5 == 0 {
				checkZSet(t, e, p.rng, model)
			}
			if p.rng.IntN(15) == 0 {
				if err := errors.Join(e.Flush(), e.Close()); err != nil {
					t.Fatal(err)
				}
				e = openTest(t, smallOptions(fs)) // every row is cold now
				checkZSet(t, e, p.rng, model)
			}
		}
		checkZSet(t, e, p.rng, model)
		view(t, e, "z", func(tx *Tx) error {
			z, err := tx.ZSet([]byte("z"))
			layouts[z.e.Meta.Layout]++
			leaves = max(leaves, int(z.extra.Leaves))
			return err
		})
		_ = e.Close()
	}
	if layouts[format.Inline] == 0 || layouts[format.Rows] == 0 || leaves < 3 {
		t.Errorf("layouts %v, at most %d leaves were tried", layouts, leaves)
	}
}

// seed stores a sorted set of many members at once, or adds them in one command.
func (p *zsetPlan) seed(t *testing.T, e *Engine) zsetModel {
	m := zsetModel{}
	for range p.members {
		m[string(p.member())] = p.score() + 0 // which makes 0 of −0
	}
	store := p.rng.IntN(2) == 0
	update(t, e, "z", func(tx *Tx) error {
		if store {
			return tx.StoreZSet([]byte("z"), m.sorted())
		}
		z, err := tx.ZSet([]byte("z"))
		if err != nil {
			return err
		}
		for member, score := range m {
			if _, err := z.Add([]byte(member), score, ZAdd{}); err != nil {
				return err
			}
		}
		return z.Save()
	})
	return m
}
