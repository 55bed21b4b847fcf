package server

import (
	"sync/atomic"
	"testing"
)

// Two CONFIG SETs of what the cluster obeys must not be applied the other way round: what is
// poked runs one at a time, and reads again what has changed meanwhile.
func TestPokesKeepTheLastState(t *testing.T) {
	p, done := make(pokes, 1), make(chan struct{})
	defer close(done)
	var value, running atomic.Int64
	seen, entered, gate := make(chan int64, 10), make(chan struct{}, 10), make(chan struct{})
	go p.serve(done, func() {
		v := value.Load()
		if running.Add(1) > 1 {
			t.Error("two at the same time")
		}
		entered <- struct{}{}
		<-gate
		running.Add(-1)
		seen <- v
	})
	value.Store(1)
	p.poke()
	<-entered // it has read 1
	for v := int64(2); v <= 5; v++ {
		value.Store(v)
		p.poke()
	}
	close(gate)
	if first, last := <-seen, <-seen; first != 1 || last != 5 {
		t.Errorf("applied %d, then %d; the last is 5", first, last)
	}
}
