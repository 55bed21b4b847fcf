package storage

import (
	"bytes"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"cobble/slots"
	"cobble/storage/format"
)

// model is what the typed layer must look like from outside: a map.
type model map[string]modelValue

type modelValue struct {
	value    []byte
	expireAt int64
}

func (m model) live(key string, now int64) (modelValue, bool) {
	v, ok := m[key]
	if ok && v.expireAt != 0 && v.expireAt < now {
		delete(m, key)
		return modelValue{}, false
	}
	return v, ok
}

// modelRun runs random operations on an engine and on a model.
type modelRun struct {
	t      *testing.T
	rnd    *rand.Rand
	dir    string
	engine *Engine
	model  model
	now    int64
}

var modelSlots = []slots.Slot{slots.Of([]byte("b")), slots.Of([]byte("a"))} // ascending

func newModelRun(t *testing.T, seed uint64) *modelRun {
	r := &modelRun{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), model: model{}, now: 1_700_000_000_000}
	r.open()
	t.Cleanup(func() { _ = r.engine.Close() })
	return r
}

func (r *modelRun) open() {
	engine, err := Open(Options{Dir: r.dir})
	r.must(err)
	r.engine = engine
}

// persist brings what is dirty into the store, or opens the whole engine again.
func (r *modelRun) persist() {
	if r.rnd.IntN(3) > 0 {
		r.must(r.engine.Flush())
		return
	}
	r.must(r.engine.Close())
	r.open()
}

func (r *modelRun) key() string {
	return fmt.Sprintf("{%c}%d", 'a'+rune(r.rnd.IntN(2)), r.rnd.IntN(6))
}

func (r *modelRun) value() []byte {
	if r.rnd.IntN(3) == 0 {
		return strconv.AppendInt(nil, r.rnd.Int64N(1000), 10)
	}
	size := []int{0, 10, InlineString, 3 * ChunkSize}[r.rnd.IntN(4)] + r.rnd.IntN(4)
	if r.rnd.IntN(300) == 0 {
		size = (pointDeleteRows + 3) * ChunkSize
	}
	return bytes.Repeat([]byte{byte('a' + r.rnd.IntN(26))}, size)
}

func (r *modelRun) expiry() int64 { return r.now + r.rnd.Int64N(50) - 5 }

// update runs f on the engine, with the slots of all keys locked.
func (r *modelRun) update(f func(tx *Tx) error) error {
	_, err := r.engine.Update(r.now, modelSlots, OpFunc(f))
	return err
}

func (r *modelRun) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *modelRun) set() {
	key, value := r.key(), r.value()
	old, had := r.model.live(key, r.now)
	o := SetOptions{IfAbsent: r.rnd.IntN(5) == 0, IfPresent: r.rnd.IntN(5) == 0, ReturnOld: r.rnd.IntN(3) == 0}
	switch r.rnd.IntN(3) {
	case 0:
		o.ExpireAt = r.expiry()
	case 1:
		o.KeepTTL = true
	}
	want := !(o.IfAbsent && had || o.IfPresent && !had)
	if want {
		at := o.ExpireAt
		if o.KeepTTL {
			at = old.expireAt
		}
		r.model[key] = modelValue{value, at}
	}
	r.must(r.update(func(tx *Tx) error {
		res, err := tx.StringSet([]byte(key), value, o)
		if err == nil && (res.Done != want || res.Had != had || o.ReturnOld && !bytes.Equal(res.Old, old.value)) {
			r.t.Fatalf("set %s: %v, want done %v had %v", key, res, want, had)
		}
		return err
	}))
}

func (r *modelRun) grow() {
	key, value := r.key(), r.value()
	old, _ := r.model.live(key, r.now)
	offset, appends := len(old.value), r.rnd.IntN(2) == 0
	if !appends {
		offset = r.rnd.IntN(2 * InlineString)
	}
	if len(value) > 0 || appends { // only APPEND makes a key of nothing
		grown := append([]byte(nil), old.value...)
		grown = append(grown, make([]byte, max(0, offset+len(value)-len(grown)))...)
		copy(grown[offset:], value)
		old.value = grown
		r.model[key] = old
	}
	r.must(r.update(func(tx *Tx) (err error) {
		var n int64
		if appends {
			n, err = tx.StringAppend([]byte(key), value)
		} else {
			n, err = tx.StringSetRange([]byte(key), int64(offset), value)
		}
		if err == nil && n != int64(len(old.value)) {
			r.t.Fatalf("grow %s: length %d, want %d", key, n, len(old.value))
		}
		return err
	}))
}

// bit sets one bit, sometimes far out, and counts the string's bits.
func (r *modelRun) bit() {
	key, offset, on := r.key(), r.rnd.Int64N(8*4*ChunkSize), r.rnd.IntN(2) == 0
	old, _ := r.model.live(key, r.now)
	grown := append([]byte(nil), old.value...)
	grown = append(grown, make([]byte, max(0, int(offset>>3)+1-len(grown)))...)
	was := grown[offset>>3]>>(7-offset&7)&1 == 1
	grown[offset>>3] &^= 1 << (7 - offset&7)
	if on {
		grown[offset>>3] |= 1 << (7 - offset&7)
	}
	r.model[key] = modelValue{grown, old.expireAt}
	count := int64(0)
	for _, c := range grown {
		count += int64(bits.OnesCount8(c))
	}
	r.must(r.update(func(tx *Tx) error {
		got, err := tx.BitSet([]byte(key), offset, on)
		if err != nil {
			return err
		}
		n, err := tx.BitCount([]byte(key), BitRange{Open: true})
		if err == nil && (got != was || n != count) {
			r.t.Fatalf("setbit %s %d: was %v, want %v; %d bits, want %d", key, offset, got, was, n, count)
		}
		return err
	}))
}

func (r *modelRun) incr() {
	key := r.key()
	old, had := r.model.live(key, r.now)
	n, err := strconv.ParseInt(string(old.value), 10, 64)
	if !had || err == nil {
		old.value = strconv.AppendInt(nil, n+7, 10)
		r.model[key] = old
	}
	got := r.update(func(tx *Tx) error { _, err := tx.StringIncr([]byte(key), 7); return err })
	if (got == ErrNotInteger) != (had && err != nil) {
		r.t.Fatalf("incr %s of %q: %v", key, old.value, got)
	}
}

func (r *modelRun) remove() {
	key := r.key()
	old, had := r.model.live(key, r.now)
	delete(r.model, key)
	r.must(r.update(func(tx *Tx) error {
		if r.rnd.IntN(2) == 0 {
			ok, err := tx.Delete([]byte(key))
			if err == nil && ok != had {
				r.t.Fatalf("delete %s: %v, want %v", key, ok, had)
			}
			return err
		}
		value, ok, err := tx.StringGetDel([]byte(key))
		if err == nil && (ok != had || !bytes.Equal(value, old.value)) {
			r.t.Fatalf("getdel %s: %v, want %v", key, ok, had)
		}
		return err
	}))
}

func (r *modelRun) expire() {
	key, at := r.key(), r.expiry()
	old, had := r.model.live(key, r.now)
	cond := ExpireIf(r.rnd.IntN(2)) << r.rnd.IntN(4)
	want := had
	switch cond {
	case ExpireNX:
		want = had && old.expireAt == 0
	case ExpireXX:
		want = had && old.expireAt != 0
	case ExpireGT:
		want = had && old.expireAt != 0 && at > old.expireAt
	case ExpireLT:
		want = had && (old.expireAt == 0 || at < old.expireAt)
	}
	persist := r.rnd.IntN(4) == 0
	if persist {
		want, at = had && old.expireAt != 0, 0
	}
	switch {
	case want && !persist && at <= r.now: // gone at once, not when its time is over
		delete(r.model, key)
	case want:
		r.model[key] = modelValue{old.value, at}
	}
	r.must(r.update(func(tx *Tx) (err error) {
		var done bool
		if persist {
			done, err = tx.Persist([]byte(key))
		} else {
			done, err = tx.Expire([]byte(key), at, cond)
		}
		if err == nil && done != want {
			r.t.Fatalf("expire %s %v: %v, want %v", key, cond, done, want)
		}
		return err
	}))
}

func (r *modelRun) move() {
	from, to, flag := r.key(), r.key(), r.rnd.IntN(2) == 0
	v, had := r.model.live(from, r.now)
	_, taken := r.model.live(to, r.now)
	if r.rnd.IntN(2) == 0 {
		if from == to {
			return
		}
		want := had && (flag || !taken)
		if want {
			r.model[to] = v
		}
		r.must(r.update(func(tx *Tx) error {
			done, err := tx.Copy([]byte(from), []byte(to), flag)
			if err == nil && done != want {
				r.t.Fatalf("copy %s %s: %v, want %v", from, to, done, want)
			}
			return err
		}))
		return
	}
	want := had && !(flag && taken)
	if want && from != to {
		delete(r.model, from)
		r.model[to] = v
	}
	err := r.update(func(tx *Tx) error {
		done, err := tx.Rename([]byte(from), []byte(to), flag)
		if err == nil && done != want {
			r.t.Fatalf("rename %s %s: %v, want %v", from, to, done, want)
		}
		return err
	})
	if (err == ErrNoKey) == had {
		r.t.Fatalf("rename %s %s: %v, had %v", from, to, err, had)
	}
}

// check compares every key, and counts the rows of every slot again.
func (r *modelRun) check() {
	r.t.Helper()
	for _, slot := range modelSlots {
		_, err := r.engine.View(r.now, slot, OpFunc(func(tx *Tx) error { return r.checkSlot(tx, slot) }))
		r.must(err)
	}
}

func (r *modelRun) checkSlot(tx *Tx, slot slots.Slot) error {
	live := 0
	for i := range 6 {
		for c := 'a'; c <= 'b'; c++ {
			key := fmt.Sprintf("{%c}%d", c, i)
			if slots.Of([]byte(key)) != slot {
				continue
			}
			want, had := r.model.live(key, r.now)
			got, ok, err := tx.StringGet([]byte(key))
			if err != nil {
				return err
			}
			if ok != had || !bytes.Equal(got, want.value) {
				r.t.Fatalf("%s: %v %d bytes, want %v %d bytes", key, ok, len(got), had, len(want.value))
			}
			if e, err := tx.Lookup([]byte(key)); err == nil && e.Meta.ExpireAt != want.expireAt {
				r.t.Fatalf("%s expires at %d, want %d", key, e.Meta.ExpireAt, want.expireAt)
			}
			if had {
				live++
			}
		}
	}
	if keys, err := tx.KeysInSlot(slot, 100); err != nil || len(keys) != live {
		r.t.Fatalf("%d keys in slot, want %d (%v)", len(keys), live, err)
	}
	return recount(r.t, tx, slot)
}

// recount walks all rows of a slot: the counters must say what is there, each
// expiry row must belong to a key, and each element row to an object that a key or
// the garbage queue names.
func recount(t testing.TB, tx *Tx, slot slots.Slot) error {
	var got Counters
	objects, indexed, filed := map[uint64]bool{}, map[string]int64{}, map[string]int64{}
	it := tx.iter(format.AppendKind(nil, uint16(slot), 0), format.AppendKind(nil, uint16(slot), 0xFF))
	var elements []uint64
	for ok := it.First(); ok; ok = it.Next() {
		row := it.Key()
		switch row[2] {
		case format.KindMeta:
			_, _, _, key, _ := format.SplitMetaKey(row)
			var m format.Meta
			if err := m.Decode(it.Value()); err != nil {
				return err
			}
			got.Keys++
			got.Bytes += payload(&m, len(key))
			if m.ExpireAt != 0 {
				got.Expires++
			}
			if m.IndexAt != 0 {
				indexed[string(key)] = m.IndexAt
			}
			if (m.IndexAt == 0) != (m.ExpireAt == 0) || m.IndexAt > m.ExpireAt {
				t.Fatalf("%s expires at %d, filed under %d", key, m.ExpireAt, m.IndexAt)
			}
			if m.Layout != format.Inline {
				objects[m.OID] = true
			}
		case format.KindElement:
			elements = append(elements, beUint64(row[3:]))
		case format.KindExpiry:
			_, ms, _, _, key, _ := format.SplitExpiryKey(row)
			filed[string(key)] = ms
		case format.KindGarbage:
			objects[beUint64(row[3:])] = true
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	for _, oid := range elements {
		if !objects[oid] {
			t.Fatalf("slot %d: rows of object %d, which nothing names", slot, oid)
		}
	}
	if fmt.Sprint(indexed) != fmt.Sprint(filed) {
		t.Fatalf("slot %d: keys are filed under %v, expiry rows %v", slot, indexed, filed)
	}
	c := tx.counters(slot)
	if got.Keys != c.Keys || got.Expires != c.Expires || got.Bytes != c.Bytes {
		t.Fatalf("slot %d: counted %+v, counters %+v", slot, got, c)
	}
	return nil
}

func beUint64(b []byte) (n uint64) {
	for _, c := range b[:8] {
		n = n<<8 | uint64(c)
	}
	return n
}

func TestTypedLayerAgainstMap(t *testing.T) {
	seeds := 3
	if n, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		r := newModelRun(t, uint64(seed))
		for step := range 3000 {
			switch r.rnd.IntN(12) {
			case 0, 1, 2:
				r.set()
			case 3, 4:
				r.grow()
			case 5:
				r.incr()
				r.bit()
			case 6:
				r.remove()
			case 7, 8:
				r.expire()
			case 9:
				r.move()
			case 10:
				r.now += r.rnd.Int64N(30)
			case 11:
				if r.rnd.IntN(20) == 0 {
					r.persist()
				}
				if r.rnd.IntN(4) == 0 {
					_, err := r.engine.SweepExpired(r.now, 1+r.rnd.IntN(5))
					r.must(err)
				}
			}
			if step%10 == 0 {
				r.check()
			}
		}
	}
}
