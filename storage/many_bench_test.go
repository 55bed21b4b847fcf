package storage

import (
	"fmt"
	"testing"

	"cobble/slots"
	"cobble/storage/log"
)

// BenchmarkMany is commands that write a thousand rows each, with the collection of what they drop and what the flusher does for
// them. "store" puts a result in the place of the last one, "push" makes one list longer, "fields" makes new hashes.
func BenchmarkMany(b *testing.B) {
	const many = 1000
	names := make([][]byte, many)
	for i := range names {
		names[i] = fmt.Appendf(nil, "member:%06d", i*7919%many)
	}
	for _, c := range []struct {
		name string
		run  func(tx *Tx, i int) error
	}{
		{"sunionstore", func(tx *Tx, _ int) error {
			s, err := tx.Set([]byte("{t}set"))
			if err == nil {
				_, err = tx.StoreUnion([]byte("{t}to"), []Set{s})
			}
			return err
		}},
		{"zrangestore", func(tx *Tx, _ int) error {
			z, err := tx.ZSet([]byte("{t}zset"))
			if err == nil {
				err = tx.StoreZRange([]byte("{t}to"), &z, z.ByRank(0, many))
			}
			return err
		}},
		{"zunionstore", func(tx *Tx, _ int) error {
			z, err := tx.ZSet([]byte("{t}zset"))
			if err != nil {
				return err
			}
			in := []Weighed{{Scores{of: z.e.Meta.Type, zset: z}, 1}, {Scores{of: z.e.Meta.Type, zset: z}, 2}}
			all, err := tx.UniteInMemory(in, func(a, b float64) float64 { return a + b })
			if err == nil {
				err = tx.StoreZSet([]byte("{t}to"), all.All)
			}
			return err
		}},
		{"rpush", func(tx *Tx, _ int) error {
			l, err := tx.List([]byte("{t}list"))
			if err == nil {
				err = l.Push(Tail, names...)
			}
			l.Save()
			return err
		}},
		{"hset", func(tx *Tx, i int) error {
			h, err := tx.Hash(fmt.Appendf(nil, "{t}hash%d", i))
			for _, name := range names {
				if err == nil {
					_, err = h.Set(name, name)
				}
			}
			h.Save()
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) { benchMany(b, names, c.run) })
	}
}

func benchMany(b *testing.B, names [][]byte, run func(tx *Tx, i int) error) {
	e := benchEngine(b, log.EverySec)
	slot := slots.Of([]byte("{t}"))
	var all slots.Set
	all.Add(slot)
	update := func(op OpFunc) {
		_, err := e.try(testNow, slot, op, true)
		if err == ErrWouldBlock {
			_, err = e.Update(testNow, []slots.Slot{slot}, op)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	update(func(tx *Tx) error {
		s, err := tx.Set([]byte("{t}set"))
		for i := 0; i < len(names) && err == nil; i++ {
			_, err = s.Add(names[i])
		}
		s.Save()
		return err
	})
	update(func(tx *Tx) error {
		z, err := tx.ZSet([]byte("{t}zset"))
		for i := 0; i < len(names) && err == nil; i++ {
			_, err = z.Add(names[i], float64(i), ZAdd{})
		}
		if err == nil {
			err = z.Save()
		}
		return err
	})
	b.ResetTimer()
	before := processorTime(b)
	for i := range b.N {
		update(func(tx *Tx) error { return run(tx, i) })
		for more := true; more; {
			var err error
			if more, err = e.CollectGarbage(testNow, &all); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := e.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/1000, "cpu-us/op")
}
