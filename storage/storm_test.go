package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// TestStorm has clients change and read values of all kinds in a few slots that they
// share, each its own keys against its own model, in every way in which a server does
// it, while all that goes on in the background, and whatever an operator may ask for,
// happens at once: generations, sweeps and evictions, budgets that change, views,
// pages thrown away, slots emptied.
func TestStorm(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.GenerationBytes, o.MaxDirtyBytes = 32<<10, 256<<10
	o.draftRows, o.pieceRows = 150, 40
	e := openTest(t, o)
	e.SetBudget(1 << 20)
	var clients, others sync.WaitGroup
	turns := make(chan struct{}) // of the disturbers, one for so many steps of clients
	for i := range 5 {
		c := &stormClient{t: t, e: e, id: i, rng: rand.New(rand.NewPCG(uint64(i), 11)), model: map[string]string{}, scores: map[int]float64{}}
		clients.Go(func() {
			if err := c.fill(); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			for n := range crashSeeds(1) * 600 {
				if err := c.step(); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				if n%6 == 0 {
					turns <- struct{}{}
				}
			}
		})
	}
	for i, disturb := range stormDisturbers(e) {
		rng := rand.New(rand.NewPCG(uint64(i), 12))
		others.Go(func() {
			for range turns {
				if err := disturb(rng); err != nil {
					t.Errorf("disturber %d: %v", i, err)
				}
			}
		})
	}
	clients.Wait()
	close(turns)
	others.Wait()
	if n := e.stats.drafts.Load(); n == 0 {
		t.Error("nothing was copied in pieces")
	}
	if st := e.Stats(); st.Generations < 3 || st.Loads == 0 || st.Rows.Evicted == 0 || st.Rows.Moved == 0 {
		t.Errorf("the test did not reach what it is about: %d generations, %d loads, %d evicted, %d moved", st.Generations, st.Loads, st.Rows.Evicted, st.Rows.Moved)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// stormDisturbers are what else happens. Clients never see a slot from stormEmptied on.
func stormDisturbers(e *Engine) []func(*rand.Rand) error {
	return []func(*rand.Rand) error{
		func(rng *rand.Rand) error {
			e.SetBudget(int64(1+rng.IntN(3)) << 19)
			e.AdaptCache()
			_, _ = e.Memory(), e.Stats()
			return nil
		},
		func(rng *rand.Rand) error {
			if rng.IntN(20) == 0 {
				return e.Forget()
			}
			return e.Flush()
		},
		func(rng *rand.Rand) error {
			snap, err := e.Snapshot(slots.Full())
			if err != nil {
				return err
			}
			for n := range 4 {
				if err := snap.Each(stormSlot(n), func(_, _ []byte) error { return nil }); err != nil {
					return err
				}
			}
			return snap.Close()
		},
		func(rng *rand.Rand) error {
			all := slots.Full()
			if _, err := e.CollectGarbage(testNow, &all); err != nil {
				return err
			}
			_, err := e.SweepExpired(testNow, 64)
			return err
		},
		func(rng *rand.Rand) error {
			order := EvictionOrder(rng.IntN(4))
			_, err := e.Candidates(testNow, stormSlot(rng.IntN(4)), order, false, 16, rng.Uint64())
			var hints []Hint
			for range 8 {
				key := stormKey(rng.IntN(5), 's', rng.IntN(stormKeys))
				hints = append(hints, HintOf(slots.Of(key), key))
			}
			e.Prefetch(hints)
			return err
		},
		func(rng *rand.Rand) error {
			key := fmt.Appendf(nil, "{emptied}%d", rng.IntN(100))
			slot := slots.Of(key)
			if rng.IntN(30) == 0 {
				var set slots.Set
				set.Add(slot)
				_, err := e.FlushSlots(testNow, set)
				return err
			}
			_, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
				_, err := tx.StringSet(key, make([]byte, 500), SetOptions{})
				return err
			}))
			return err
		},
	}
}

const stormKeys = 40

func stormSlot(n int) slots.Slot { return slots.Of(fmt.Appendf(nil, "{%d}", n%4)) }

func stormKey(client int, kind byte, n int) []byte {
	return fmt.Appendf(nil, "{%d}%c%d:%d", n%4, kind, client, n)
}

// stormClient is one client, and what it knows.
type stormClient struct {
	t      *testing.T
	e      *Engine
	id     int
	rng    *rand.Rand
	serial int
	model  map[string]string // strings, and fields of hashes by key and field
	scores map[int]float64   // members of its sorted set
	copied map[int]float64   // and of the copy of it
	queue  []string          // its list
	warm   Warm
}

// change runs an operation the one way or the other.
func (c *stormClient) change(key []byte, f func(tx *Tx) error) error {
	slot := slots.Of(key)
	switch c.rng.IntN(3) {
	case 0:
		if err := c.e.Warm(&c.warm, testNow, []WarmKey{{key, true}}); err != nil {
			return err
		}
		defer c.warm.Forget()
		plain := f
		f = func(tx *Tx) error { tx.Use(&c.warm); return plain(tx) }
		fallthrough
	case 1:
		if _, err := c.e.TryUpdate(testNow, slot, OpFunc(f)); err != ErrWouldBlock {
			return err
		}
	}
	_, err := c.e.Update(testNow, []slots.Slot{slot}, OpFunc(f))
	return err
}

func (c *stormClient) look(key []byte, f func(tx *Tx) error) error {
	slot := slots.Of(key)
	if c.rng.IntN(2) == 0 {
		if _, err := c.e.TryView(testNow, slot, OpFunc(f)); err != ErrWouldBlock {
			return err
		}
	}
	_, err := c.e.View(testNow, slot, OpFunc(f))
	return err
}

// value is one that no other is like, of any size up to one that the table keeps apart.
func (c *stormClient) value() string {
	c.serial++
	size := c.rng.IntN(300)
	if c.rng.IntN(30) == 0 {
		size = c.rng.IntN(12_000)
	}
	return fmt.Sprintf("%d:%s", c.serial, bytes.Repeat([]byte{byte('a' + c.serial%26)}, size))
}

func (c *stormClient) step() error {
	switch n := c.rng.IntN(100); {
	case n < 50:
		return c.stepString()
	case n < 70:
		return c.stepHash()
	case n < 83:
		return c.stepZSet()
	case n < 85:
		return c.stepCopy()
	default:
		return c.stepList()
	}
}

func (c *stormClient) stepString() error {
	key := stormKey(c.id, 's', c.rng.IntN(stormKeys))
	want, there := c.model[string(key)]
	switch c.rng.IntN(4) {
	case 0:
		err := c.change(key, func(tx *Tx) error {
			deleted, err := tx.Delete(key)
			if err == nil && deleted != there {
				err = fmt.Errorf("%s: deleted %v, was there %v", key, deleted, there)
			}
			return err
		})
		delete(c.model, string(key))
		return err
	case 1:
		value := c.value()
		c.model[string(key)] = value
		return c.change(key, func(tx *Tx) error {
			_, err := tx.StringSet(key, []byte(value), SetOptions{})
			return err
		})
	}
	return c.look(key, func(tx *Tx) error {
		got, ok, err := tx.StringGet(key)
		if err == nil && (ok != there || string(got) != want) {
			err = fmt.Errorf("%s is %.20q, %v, want %.20q, %v", key, got, ok, want, there)
		}
		return err
	})
}

func (c *stormClient) stepHash() error {
	key := stormKey(c.id, 'h', c.rng.IntN(3))
	field := fmt.Appendf(nil, "f%d", c.rng.IntN(200))
	name := string(key) + "/" + string(field)
	want, there := c.model[name]
	if c.rng.IntN(2) == 0 {
		return c.look(key, func(tx *Tx) error {
			h, err := tx.Hash(key)
			if err != nil {
				return err
			}
			got, ok, err := h.Get(field)
			if err == nil && (ok != there || string(got) != want) {
				err = fmt.Errorf("%s is %.20q, %v, want %.20q, %v", name, got, ok, want, there)
			}
			return err
		})
	}
	value := c.value()
	c.model[name] = value
	return c.change(key, func(tx *Tx) error {
		h, err := tx.Hash(key)
		if err != nil {
			return err
		}
		added, err := h.Set(field, []byte(value))
		if err == nil && added == there {
			err = fmt.Errorf("%s: added %v, was there %v", name, added, there)
		}
		if err == nil {
			h.Save()
		}
		return err
	})
}

func (c *stormClient) stepZSet() error {
	key := stormKey(c.id, 'z', 1)
	n := c.rng.IntN(900)
	member := fmt.Appendf(nil, "m%03d", n)
	old, there := c.scores[n]
	if c.rng.IntN(3) == 0 {
		scores := c.scores
		if c.rng.IntN(2) == 0 {
			key, scores = stormKey(c.id, 'y', 2), c.copied
			old, there = scores[n]
		}
		rank := int64(0)
		for other, score := range scores {
			if score < old || score == old && other < n {
				rank++
			}
		}
		return c.look(key, func(tx *Tx) error {
			z, err := tx.ZSet(key)
			if err != nil {
				return err
			}
			got, _, ok, err := z.Rank(member)
			if err == nil && (ok != there || ok && got != rank) {
				err = fmt.Errorf("%s of %s has rank %d, %v, want %d, %v", member, key, got, ok, rank, there)
			}
			return err
		})
	}
	score := float64(c.rng.IntN(1000))
	remove := c.rng.IntN(4) == 0
	if c.scores[n] = score; remove {
		delete(c.scores, n)
	}
	return c.change(key, func(tx *Tx) error {
		z, err := tx.ZSet(key)
		if err != nil {
			return err
		}
		if remove {
			removed, err := z.Remove(member)
			if err == nil && removed != there {
				err = fmt.Errorf("%s: removed %v, was there %v", member, removed, there)
			}
			return errors.Join(err, z.Save())
		}
		if _, err := z.Add(member, score, ZAdd{}); err != nil {
			return err
		}
		return z.Save()
	})
}

// fill gives the sorted set so many members that they are rows.
func (c *stormClient) fill() error {
	key := stormKey(c.id, 'z', 1)
	for n := 0; n < 900; n += 2 {
		c.scores[n] = float64(c.rng.IntN(1000))
	}
	return c.change(key, func(tx *Tx) error {
		z, err := tx.ZSet(key)
		if err != nil {
			return err
		}
		for n, score := range c.scores {
			if _, err := z.Add(fmt.Appendf(nil, "m%03d", n), score, ZAdd{}); err != nil {
				return err
			}
		}
		return z.Save()
	})
}

// stepCopy copies the sorted set into another slot, in pieces if it is large.
func (c *stormClient) stepCopy() error {
	from, to := stormKey(c.id, 'z', 1), stormKey(c.id, 'y', 2)
	if len(c.scores) == 0 {
		return nil
	}
	c.copied = maps.Clone(c.scores)
	ss := []slots.Slot{slots.Of(from), slots.Of(to)}
	slices.Sort(ss)
	_, err := c.e.Update(testNow, ss, OpFunc(func(tx *Tx) error {
		tx.InPieces([][]byte{from, to}, nil)
		ok, err := tx.Copy(from, to, true)
		if err == nil && !ok {
			err = fmt.Errorf("%s was not copied", from)
		}
		return err
	}))
	return err
}

func (c *stormClient) stepList() error {
	key := stormKey(c.id, 'l', 2)
	if len(c.queue) > 0 && c.rng.IntN(5) < 2 {
		want := c.queue[0]
		c.queue = c.queue[1:]
		return c.change(key, func(tx *Tx) error {
			l, err := tx.List(key)
			if err != nil {
				return err
			}
			got := ""
			if err := l.Pop(Head, 1, func(value []byte) { got = string(value) }); err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("%s gave %.20q, want %.20q", key, got, want)
			}
			l.Save()
			return nil
		})
	}
	value := c.value()
	c.queue = append(c.queue, value)
	return c.change(key, func(tx *Tx) error {
		l, err := tx.List(key)
		if err != nil {
			return err
		}
		if err := l.Push(Tail, []byte(value)); err != nil {
			return err
		}
		l.Save()
		return nil
	})
}
