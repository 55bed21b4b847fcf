package command

import (
	"errors"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"cobble/server/config"
	"cobble/slots"
	"cobble/storage"
)

const errOOM Error = "OOM command not allowed when used memory > 'maxmemory'."

// Evictor keeps the data within maxmemory: it deletes keys as maxmemory-policy
// says, best of a few samples first, through a pool of candidates as Redis does
// (evict.c). A goroutine of its own evicts; a command that needs memory waits for
// it while the data exceeds the limit, so that the limit is kept. Methods may be
// called from any goroutine.
type Evictor struct {
	// Evicted, if not nil, is told of every key that was evicted. It is set before Run.
	Evicted func(slot slots.Slot, key []byte)

	env       *Env
	limit     atomic.Int64 // 0: none
	policy    atomic.Pointer[evictionPolicy]
	samples   atomic.Int64
	exhausted atomic.Bool  // a round has found nothing to evict
	passive   atomic.Bool  // a replica: the primary evicts
	peak      atomic.Int64 // of the data
	kick      chan struct{}

	mu   sync.Mutex
	done chan struct{} // closed when a round ends; nil: nobody waits

	pool    []storage.Candidate // ascending by score; Run's own, as is what follows
	weights []int64             // running totals of the keys of owned slots
	owned   []slots.Slot
	weighed int // evictions until the weights are summed again
}

// evictionPolicy is what the name of a maxmemory-policy says.
type evictionPolicy struct {
	none, volatile bool
	order          storage.EvictionOrder
}

const (
	evictionPool = 16  // candidates kept between samples
	weighEvery   = 512 // evictions
	evictBatch   = 64  // between two looks at stop
)

// start takes the settings over. It is called once.
func (v *Evictor) start(e *Env) {
	v.env, v.kick = e, make(chan struct{}, 1)
	for _, name := range []string{"maxmemory", "maxmemory-policy", "maxmemory-samples", "lfu-log-factor", "lfu-decay-time"} {
		e.follow(name, func(value config.Value) { v.set(name, value) })
	}
}

// set applies one setting. Of the settings of the frequency counter only the one
// that is given is sure to be current in Config.
func (v *Evictor) set(name string, value config.Value) {
	read := func(other string) uint32 {
		if name == other {
			return uint32(value.Int)
		}
		return uint32(v.env.Config.Int(other))
	}
	policy := v.env.Config.Text("maxmemory-policy")
	switch name {
	case "maxmemory":
		v.limit.Store(value.Int)
	case "maxmemory-samples":
		v.samples.Store(value.Int)
	case "maxmemory-policy":
		if value.Text != "" {
			policy = value.Text
		}
		v.policy.Store(parsePolicy(policy))
	}
	v.env.Engine.CountUses(strings.HasSuffix(policy, "-lfu"), read("lfu-log-factor"), read("lfu-decay-time"))
	v.exhausted.Store(false)
	v.Refresh()
}

func parsePolicy(name string) *evictionPolicy {
	scope, order, _ := strings.Cut(name, "-")
	p := &evictionPolicy{none: order == "", volatile: scope == "volatile"}
	switch order {
	case "lru":
		p.order = storage.EvictLRU
	case "lfu":
		p.order = storage.EvictLFU
	case "ttl":
		p.order = storage.EvictTTL
	}
	return p
}

// margin is how far below the limit a round of evictions goes, so that not every
// command has to wait for one.
func margin(limit int64) int64 { return min(limit/64, 1<<20) }

// Refresh looks at the role and the amount of data anew, and tries again what was
// tried in vain. It is called every now and then.
func (v *Evictor) Refresh() {
	view := v.env.View.Load()
	v.passive.Store(view.Enabled && view.Primary != slots.NoNode && v.env.Config.Bool("replica-ignore-maxmemory"))
	v.exhausted.Store(false)
	v.peakOf(v.env.Engine.DataBytes())
	v.refuses()
}

// peakOf returns the most that was in use, n included.
func (v *Evictor) peakOf(n int64) int64 {
	for peak := v.peak.Load(); ; peak = v.peak.Load() {
		if n <= peak {
			return peak
		}
		if v.peak.CompareAndSwap(peak, n) {
			return n
		}
	}
}

// over reports whether a command that needs memory has to wait for evictions. Close
// to the limit it lets them begin.
func (v *Evictor) over() bool {
	limit := v.limit.Load()
	if limit == 0 {
		return false
	}
	data := v.env.Engine.DataBytes()
	if data <= limit-margin(limit)/2 || v.passive.Load() || v.policy.Load().none {
		return false
	}
	v.request()
	return data > limit && !v.exhausted.Load()
}

func (v *Evictor) request() {
	select {
	case v.kick <- struct{}{}:
	default:
	}
}

// refuses reports whether commands that need memory are refused now.
func (v *Evictor) refuses() bool {
	limit := v.limit.Load()
	no := false
	if policy := v.policy.Load(); limit > 0 && policy != nil && !v.passive.Load() && v.env.Engine.DataBytes() > limit {
		no = policy.none || v.exhausted.Load()
		if !no {
			v.request()
		}
	}
	if v.env.OverMemory.Load() != no {
		v.env.OverMemory.Store(no)
	}
	return no
}

// afterEviction goes on with a command when there is room for it, or refuses it.
func (c *Call) afterEviction(stop <-chan struct{}) {
	v := &c.Env.Evictor
	for v.over() {
		select {
		case <-v.round():
		case <-stop:
			c.resume()
			return
		}
	}
	c.resume()
	c.Now = c.Env.Process.Micros() / 1000
	if v.refuses() {
		c.reject(errOOM)
		c.finish()
		return
	}
	c.performLate()
}

// round returns a channel that is closed when a round of evictions that ends after
// this call ends.
func (v *Evictor) round() <-chan struct{} {
	v.mu.Lock()
	if v.done == nil {
		v.done = make(chan struct{})
	}
	done := v.done
	v.mu.Unlock()
	v.request()
	return done
}

func (v *Evictor) endRound() {
	v.mu.Lock()
	if v.done != nil {
		close(v.done)
		v.done = nil
	}
	v.mu.Unlock()
}

// Run evicts whenever that is asked for, until stop is closed.
func (v *Evictor) Run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			v.exhausted.Store(true) // whoever waits ends
			v.endRound()
			return
		case <-v.kick:
		}
		for again := true; again; {
			select {
			case <-stop:
				again = false
			default:
				again = v.evictSome()
			}
			v.endRound()
		}
	}
}

// evictSome evicts up to a batch of keys; false if there is room now, or nothing
// that may be evicted.
func (v *Evictor) evictSome() bool {
	policy := v.policy.Load()
	for range evictBatch {
		limit := v.limit.Load()
		if limit == 0 || policy.none || v.passive.Load() || v.env.Engine.DataBytes() <= limit-margin(limit) {
			return false
		}
		if !v.evictOne(policy) {
			v.exhausted.Store(true)
			v.refuses()
			return false
		}
	}
	return true
}

// evictOne evicts the best candidate; false if there is none.
func (v *Evictor) evictOne(policy *evictionPolicy) bool {
	const tries = 64 // candidates may be gone, slots may hold expired keys only
	now := v.env.Process.Micros() / 1000
	for range tries {
		if !v.sample(now, policy) {
			return false
		}
		for len(v.pool) > 0 {
			best := v.pool[len(v.pool)-1]
			v.pool = v.pool[:len(v.pool)-1]
			evicted, err := v.env.Engine.Evict(now, best, policy.volatile)
			if errors.Is(err, storage.ErrFollower) || errors.Is(err, storage.ErrClosed) {
				return false
			}
			if !evicted {
				continue
			}
			v.env.Stats.EvictedKeys.Add(1)
			if v.Evicted != nil {
				v.Evicted(best.Slot, best.Key)
			}
			return true
		}
	}
	return false
}

// sample adds candidates of random slots to the pool; false if no slot has any.
func (v *Evictor) sample(now int64, policy *evictionPolicy) bool {
	want := int(v.samples.Load())
	if policy.order == storage.EvictRandom {
		v.pool, want = v.pool[:0], 1
	}
	if v.weighed--; v.weighed < 0 {
		v.weigh(policy.volatile)
	}
	if len(v.owned) == 0 {
		v.weighed = 0
		return false
	}
	for tries := 0; want > 0 && tries < evictionPool; tries++ {
		total := v.weights[len(v.weights)-1]
		at := rand.Int64N(total)
		i := sort.Search(len(v.weights), func(i int) bool { return v.weights[i] > at })
		found, err := v.env.Engine.Candidates(now, v.owned[i], policy.order, policy.volatile, want, rand.Uint64())
		if err != nil {
			return false
		}
		if len(found) == 0 {
			v.weighed = 0 // the weights are out of date
		}
		want -= len(found)
		v.admit(found)
	}
	return true
}

// admit puts candidates into the pool, which keeps the best.
func (v *Evictor) admit(found []storage.Candidate) {
	for _, c := range found {
		at := sort.Search(len(v.pool), func(i int) bool { return v.pool[i].Score >= c.Score })
		if len(v.pool) == evictionPool {
			if at == 0 {
				continue
			}
			copy(v.pool, v.pool[1:at])
			v.pool[at-1] = c
			continue
		}
		v.pool = append(v.pool, c)
		copy(v.pool[at+1:], v.pool[at:])
		v.pool[at] = c
	}
}

// weigh sums up the keys of the slots that this node owns, so that slots are chosen
// by how many keys they hold.
func (v *Evictor) weigh(volatile bool) {
	v.weighed = weighEvery
	v.owned, v.weights = v.owned[:0], v.weights[:0]
	view := v.env.View.Load()
	total := int64(0)
	for slot := range slots.Slot(slots.Count) {
		if view.Enabled && view.Owner[slot] != view.Self {
			continue
		}
		n := v.env.Engine.KeysIn(slot)
		if volatile && n > 0 {
			n = int64(v.env.Engine.Counters(slot).Expires)
		}
		if n > 0 {
			total += n
			v.owned, v.weights = append(v.owned, slot), append(v.weights, total)
		}
	}
}
