package storage

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// Readers of one sorted set bring its leaves into memory, and push others out, side
// by side, while a writer changes it.
func TestZSetReadersSideBySide(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.Budget = 1 << 20 // so that not all leaves fit
	e := openTest(t, o)
	defer e.Close()
	const members = 4000
	update(t, e, "z", func(tx *Tx) error {
		all := make([]Scored, members)
		for i := range all {
			all[i] = Scored{fmt.Appendf(nil, "member:%06d", i), float64(i)}
		}
		return tx.StoreZSet([]byte("z"), all)
	})
	slot := slots.Of([]byte("z"))
	var wait sync.WaitGroup
	for reader := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			rng := rand.New(rand.NewPCG(uint64(reader), 3))
			for range 300 {
				i := rng.IntN(members)
				_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
					z, err := tx.ZSet([]byte("z"))
					if err != nil {
						return err
					}
					rank, _, ok, err := z.Rank(fmt.Appendf(nil, "member:%06d", i))
					if err == nil && (!ok || rank != int64(i)) {
						err = fmt.Errorf("member %d has rank %d, %v", i, rank, ok)
					}
					return err
				}))
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for i := range 300 {
		update(t, e, "z", func(tx *Tx) error { // behind all others, and away again
			z, err := tx.ZSet([]byte("z"))
			if err != nil {
				return err
			}
			if _, err = z.Add(fmt.Appendf(nil, "z%d", i), members+float64(i), ZAdd{}); err != nil {
				return err
			}
			if i%3 == 0 {
				if _, err = z.Remove(fmt.Appendf(nil, "z%d", i)); err != nil {
					return err
				}
			}
			return z.Save()
		})
	}
	wait.Wait()
}
