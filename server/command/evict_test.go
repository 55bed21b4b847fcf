package command

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// evictions is a session on a store whose evictor runs, and a clock to turn.
type evictions struct {
	t    *testing.T
	call *Call
	run  func(args ...string) string
	ms   atomic.Int64
}

func newEvictions(t *testing.T, policy string) *evictions {
	e := &evictions{t: t}
	e.call, e.run = newRunner(t)
	e.ms.Store(e.call.Now)
	e.call.Env.Process.Micros = func() int64 { return e.ms.Load() * 1000 }
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { e.call.Env.Evictor.Run(stop); close(ended) }()
	t.Cleanup(func() { close(stop); <-ended })
	e.do("CONFIG", "SET", "maxmemory-policy", policy)
	return e
}

func (e *evictions) do(args ...string) string { e.call.Now = e.ms.Load(); return e.run(args...) }

func (e *evictions) ok(args ...string) {
	e.t.Helper()
	if got := e.do(args...); strings.HasPrefix(got, "-") {
		e.t.Fatalf("%v: %s", args, got)
	}
}

func (e *evictions) seconds(n int64) { e.ms.Add(n * 1000) }

// freeze makes what is there now the limit.
func (e *evictions) freeze() (limit int64) {
	limit = e.call.Env.Engine.DataBytes()
	e.ok("CONFIG", "SET", "maxmemory", strconv.FormatInt(limit, 10))
	return limit
}

// fill writes keys and checks after each that the limit is kept.
func (e *evictions) fill(prefix string, n int, limit int64, more ...string) {
	e.t.Helper()
	for i := range n {
		e.ok(append([]string{"SET", fmt.Sprint(prefix, i), strings.Repeat("v", 100)}, more...)...)
		// One write may exceed the limit by itself; the next one waits until there is room.
		if data := e.call.Env.Engine.DataBytes(); limit != 0 && data > limit+1024 {
			e.t.Fatalf("%d bytes after %s%d, the limit is %d", data, prefix, i, limit)
		}
	}
}

func (e *evictions) left(prefix string, n int) (left int) {
	for i := range n {
		if strings.HasPrefix(e.do("EXISTS", fmt.Sprint(prefix, i)), ":1") {
			left++
		}
	}
	return left
}

func (e *evictions) evicted() int64 { return e.call.Env.Stats.EvictedKeys.Load() }

func TestKeysUsedLatelyOutliveTheOthers(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "volatile-lru"} {
		e := newEvictions(t, policy)
		e.fill("k", 2000, 0, "EX", "100000")
		e.seconds(100)
		for i := range 1000 {
			e.ok("GET", fmt.Sprint("k", i))
		}
		e.seconds(100)
		e.fill("new", 600, e.freeze(), "EX", "100000")
		hot, all := e.left("k", 1000), e.left("k", 2000)
		if hot < 900 || all-hot > 500 {
			t.Errorf("%s: of 1000 keys in use %d are left, of 1000 others %d", policy, hot, all-hot)
		}
		if e.evicted() < 550 {
			t.Errorf("%s: %d keys were evicted", policy, e.evicted())
		}
	}
}

func TestKeysUsedOftenOutliveTheOthers(t *testing.T) {
	e := newEvictions(t, "allkeys-lfu")
	e.fill("k", 1000, 0)
	for range 60 {
		for i := range 300 {
			e.ok("GET", fmt.Sprint("k", i))
		}
	}
	e.seconds(61)
	e.fill("new", 500, e.freeze())
	if often := e.left("k", 300); often < 285 {
		t.Errorf("of 300 keys in use %d are left", often)
	}
	if freq := e.do("OBJECT", "FREQ", "new499"); freq != ":5\r\n" {
		t.Errorf("OBJECT FREQ of a new key: %q", freq)
	}
}

func TestVolatilePoliciesLeaveOtherKeysAlone(t *testing.T) {
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		e := newEvictions(t, policy)
		e.fill("stay", 300, 0)
		e.fill("late", 300, 0, "EX", "90000")
		e.fill("soon", 300, 0, "EX", "1000")
		limit := e.freeze()
		e.fill("new", 250, limit)
		if n := e.left("stay", 300) + e.left("new", 250); n != 550 {
			t.Errorf("%s: of 550 keys without expiry %d are left", policy, n)
		}
		late, soon := e.left("late", 300), e.left("soon", 300)
		// Which keys are looked at is random: those who choose without regard to the time leave about 170 of each.
		if policy == "volatile-ttl" && (late < 250 || soon > 100) {
			t.Errorf("%s: %d of 300 that expire late, %d of 300 that expire soon are left", policy, late, soon)
		}
		refused := false
		for i := 0; i < 1000 && !refused; i++ {
			refused = e.do("SET", fmt.Sprint("more", i), strings.Repeat("v", 100)) == "-"+string(errOOM)+"\r\n"
		}
		if !refused || e.left("late", 300)+e.left("soon", 300) != 0 {
			t.Errorf("%s: refused %v with %d and %d volatile keys left", policy, refused, e.left("late", 300), e.left("soon", 300))
		}
		if got := e.do("GET", "stay1"); !strings.HasPrefix(got, "$100") {
			t.Errorf("%s: a read when memory is used up: %q", policy, got)
		}
		e.ok("DEL", "stay1", "stay2", "stay3")
		e.call.Env.Evictor.Refresh()
		e.ok("SET", "again", "v")
	}
}

func TestNoEvictionRefusesAtOnce(t *testing.T) {
	e := newEvictions(t, "noeviction")
	e.fill("k", 10, 0)
	e.freeze()
	e.ok("SET", "k1", "shorter")
	e.ok("MULTI")
	e.ok("SET", "k2", strings.Repeat("v", 1000))
	e.ok("EXEC")
	for _, command := range [][]string{{"SET", "x", "y"}, {"INCR", "n"}, {"MULTI"}, {"SET", "a", "b"}} {
		want := "-" + string(errOOM) + "\r\n"
		if command[0] == "MULTI" {
			want = "+OK\r\n"
		}
		if got := e.do(command...); got != want {
			t.Errorf("%v: %q", command, got)
		}
	}
	if got := e.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Errorf("EXEC: %q", got)
	}
	e.ok("CONFIG", "SET", "maxmemory", "0")
	e.ok("SET", "x", "y")
}

func TestRandomEvictionKeepsTheLimit(t *testing.T) {
	e := newEvictions(t, "allkeys-random")
	e.fill("k", 1000, 0)
	e.fill("new", 2000, e.freeze())
	if n := e.left("k", 1000); n > 500 || e.evicted() < 1900 {
		t.Errorf("%d of 1000 old keys are left after %d evictions", n, e.evicted())
	}
}
