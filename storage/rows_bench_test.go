package storage

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage/log"
)

// rowsBench runs commands on one large collection, each as a transaction of its own, as a pipeline does.
type rowsBench struct {
	key, name []byte
	do        func(o *rowsBench, tx *Tx) error
}

func (o *rowsBench) Run(tx *Tx) error { return o.do(o, tx) }

func benchPush(o *rowsBench, tx *Tx) error {
	l, err := tx.List(o.key)
	if err == nil {
		err = l.Push(Head, o.name)
	}
	l.Save()
	return err
}

func benchPop(o *rowsBench, tx *Tx) error {
	l, err := tx.List(o.key)
	if err == nil {
		err = l.Pop(Tail, 1, func([]byte) {})
	}
	l.Save()
	return err
}

func benchRange(o *rowsBench, tx *Tx) error {
	l, err := tx.List(o.key)
	if err != nil {
		return err
	}
	w := l.Walk(Head, 1000, 10)
	for w.Next() {
	}
	return w.Close()
}

func benchAdd(o *rowsBench, tx *Tx) error {
	s, err := tx.Set(o.key)
	if err == nil {
		_, err = s.Add(o.name)
	}
	s.Save()
	return err
}

func benchRemove(o *rowsBench, tx *Tx) error {
	s, err := tx.Set(o.key)
	if err == nil {
		_, err = s.Delete(o.name)
	}
	s.Save()
	return err
}

func benchField(o *rowsBench, tx *Tx) error {
	h, err := tx.Hash(o.key)
	if err == nil {
		_, err = h.Set(o.name, o.name)
	}
	h.Save()
	return err
}

func benchRanks(o *rowsBench, tx *Tx) error {
	z, err := tx.ZSet(o.key)
	if err != nil {
		return err
	}
	w := z.Walk(z.ByRank(1000, 1010), false, 0)
	for w.Next() {
	}
	return w.Close()
}

func benchScore(o *rowsBench, tx *Tx) error {
	z, err := tx.ZSet(o.key)
	if err == nil {
		_, err = z.Add(o.name, float64(len(o.name)), ZAdd{})
	}
	z.Save()
	return err
}

// processorTime is what the process has used so far, which other processes do not stretch.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSmall sets fields of many small hashes, with what the flusher does for them.
func BenchmarkSmall(b *testing.B) {
	e := benchEngine(b, log.EverySec)
	op := &rowsBench{do: benchField}
	rng := rand.New(rand.NewPCG(1, 1))
	ss := []slots.Slot{0}
	set := func(field int) {
		op.key = fmt.Appendf(op.key[:0], "hash:%012d", rng.IntN(100_000))
		op.name = fmt.Appendf(op.name[:0], "m%d", field)
		ss[0] = slots.Of(op.key)
		if _, err := e.Update(testNow, ss, op); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 1_000_000 {
		set(i % 10)
	}
	if err := e.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	before := processorTime(b)
	for i := range b.N {
		set(10 + i%10)
	}
	if err := e.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkRows is commands on one collection of 100,000 elements and more, with what the flusher does for them.
func BenchmarkRows(b *testing.B) {
	for _, c := range []struct {
		name         string
		before, then func(*rowsBench, *Tx) error
		write        bool
	}{
		{"push", nil, benchPush, true}, {"pop", benchPush, benchPop, true}, {"range", benchPush, benchRange, false},
		{"sadd", nil, benchAdd, true}, {"srem", benchAdd, benchRemove, true},
		{"hset", benchField, benchField, true}, {"zrange", benchScore, benchRanks, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := benchEngine(b, log.EverySec)
			op := &rowsBench{key: []byte("collection"), do: c.before}
			slot := slots.Of(op.key)
			ss := []slots.Slot{slot}
			rng := rand.New(rand.NewPCG(1, 1))
			step := func(write bool) {
				op.name = fmt.Appendf(op.name[:0], "element:%012d", rng.IntN(max(100_000, b.N)))
				_, err := e.try(testNow, slot, op, write)
				if err == ErrWouldBlock && write {
					_, err = e.Update(testNow, ss, op)
				} else if err == ErrWouldBlock {
					_, err = e.View(testNow, slot, op)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			if c.before != nil {
				for range max(100_000, b.N) {
					step(true)
				}
			}
			op.do = c.then
			rng = rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			for range b.N {
				step(c.write)
			}
			if err := e.Flush(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
