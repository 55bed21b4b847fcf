package command

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cobble/slots"
)

// crowd is many sessions that wait, without sockets, as an event loop drives them.
type crowd struct {
	t     testing.TB
	env   *Env
	other *Call // does what wakes them
	calls []*Call
	over  atomic.Int64 // waits that have ended
	timer []func()     // what ends waits by time
}

func newCrowd(t testing.TB, n int, args func(i int) []string) *crowd {
	first, _ := newTestCall(t)
	c := &crowd{t: t, env: first.Env, other: first}
	c.env.Process.AfterFunc = func(_ int64, f func()) func() bool {
		c.timer = append(c.timer, f)
		return func() bool { return true }
	}
	c.env.Process.Micros = func() int64 { return first.Now * 1000 }
	for i := range n {
		c.join(args(i)...)
	}
	return c
}

// join adds a session that waits.
func (c *crowd) join(args ...string) {
	client := &Client{Addr: "127.0.0.1:1", Kill: func() {}}
	c.env.Clients.Add(client, c.env)
	call := NewCall(c.env, client)
	call.NoWait, call.Now = true, c.other.Now
	c.calls = append(c.calls, call)
	c.block(call, args...)
}

func (c *crowd) block(call *Call, args ...string) {
	split := make([][]byte, len(args))
	for i := range args {
		split[i] = []byte(args[i])
	}
	call.Out.Reset()
	call.Execute(split)
	if call.Wait == nil {
		c.t.Fatalf("%q does not wait: %q", args, call.Out.Bytes())
	}
	call.Client.Report(Round{Now: call.Now, Proto: 2, Blocked: true}, call.Cmd)
	call.Wait.Notify(func() { c.over.Add(1) })
}

// ends runs f, which must end so many waits.
func (c *crowd) ends(want int, f func()) {
	c.t.Helper()
	before := c.over.Load()
	f()
	if got := c.over.Load() - before; got != int64(want) {
		c.t.Fatalf("%d waits ended, not %d", got, want)
	}
}

func (c *crowd) do(args ...string) string { return execute(c.other, args...) }

// best is the time that the fastest of some runs of f takes: what others do on the
// machine makes a run slower, never faster.
func best(runs int, f func(i int)) time.Duration {
	least := time.Hour
	for i := range runs {
		began := time.Now()
		f(i)
		least = min(least, time.Since(began))
	}
	return least
}

// crowdScenes are what happens to n sessions that wait. Each returns how long its act
// takes, and over how many waiters that is spread: what is spread over one must not
// depend on how many wait, and what is spread over all must be in proportion to them.
var crowdScenes = []struct {
	name string
	run  func(t testing.TB, n int) (took time.Duration, over int)
}{
	{"BLPOP of one key, a push", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(20, func(int) { c.ends(1, func() { c.do("RPUSH", "k", "v") }) }), 1
	}},
	{"BLPOP of a key each, a push", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("k", i), "0"} })
		return best(20, func(i int) { c.ends(1, func() { c.do("RPUSH", fmt.Sprint("k", i), "v") }) }), 1
	}},
	{"BLPOP in {one} slot, a push", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("{one}", i), "0"} })
		return best(20, func(i int) { c.ends(1, func() { c.do("RPUSH", fmt.Sprint("{one}", i), "v") }) }), 1
	}},
	{"BLPOP of one key that is a set", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(20, func(i int) { c.ends(0, func() { c.do("SADD", "k", fmt.Sprint(i)) }) }), 1
	}},
	{"BLPOP behind all who BZPOPMIN", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string {
			if i >= n-20 {
				return []string{"BLPOP", "k", "0"}
			}
			return []string{"BZPOPMIN", "k", "0"}
		})
		return best(20, func(int) { c.ends(1, func() { c.do("RPUSH", "k", "v") }) }), 1
	}},
	{"XREADGROUP of one group, an entry", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, 0, nil)
		c.do("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM")
		for i := range n {
			c.join("XREADGROUP", "GROUP", "g", fmt.Sprint("c", i%10), "BLOCK", "0", "STREAMS", "k", ">")
		}
		return best(20, func(int) { c.ends(1, func() { c.do("XADD", "k", "*", "f", "v") }) }), 1
	}},
	{"XREAD of one stream, an entry", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"XREAD", "BLOCK", "0", "STREAMS", "k", "$"} })
		return best(1, func(int) { c.ends(n, func() { c.do("XADD", "k", "*", "f", "v") }) }), n
	}},
	{"CLIENT UNBLOCK", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(20, func(i int) {
			id := fmt.Sprint(c.calls[n/2+i].Client.ID)
			c.ends(1, func() { c.do("CLIENT", "UNBLOCK", id) })
		}), 1
	}},
	{"CLIENT KILL ID", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(20, func(i int) {
			if got := c.do("CLIENT", "KILL", "ID", fmt.Sprint(c.calls[n/2+i].Client.ID)); got != ":1\r\n" {
				t.Fatal(got)
			}
		}), 1
	}},
	{"INFO clients", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("k", i), "0"} })
		return best(20, func(int) {
			if got := c.do("INFO", "clients"); !strings.Contains(got, fmt.Sprintf("total_blocking_keys:%d\r\n", n)) {
				t.Fatal(got)
			}
		}), n
	}},
	{"CLIENT LIST", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(3, func(int) {
			if got := strings.Count(c.do("CLIENT", "LIST"), " flags=b "); got != n {
				t.Fatalf("%d clients are blocked", got)
			}
		}), n
	}},
	{"all time-outs at once", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "1"} })
		return best(1, func(int) {
			c.ends(n, func() {
				for _, f := range c.timer {
					f()
				}
			})
		}), n
	}},
	{"a slot that leaves", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("{k}", i%1000), "0"} })
		view := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "h", Port: 1}}}
		c.env.View.Store(view)
		c.ends(0, c.env.Reroute)
		moved := *view
		moved.Owner[slots.Of([]byte("k"))] = 1
		c.env.View.Store(&moved)
		return best(1, func(int) { c.ends(n, c.env.Reroute) }), n
	}},
	{"slots that are emptied", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("b", i), "0"} })
		var set slots.Set
		for s := range slots.Slot(slots.Count) {
			set.Add(s)
		}
		return best(3, func(int) { c.ends(0, func() { c.env.Engine.SignalGone(c.other.Now, &set) }) }), n
	}},
	{"sessions that leave", func(t testing.TB, n int) (time.Duration, int) {
		c := newCrowd(t, n, func(int) []string { return []string{"BLPOP", "k", "0"} })
		return best(1, func(int) {
			c.ends(n, func() {
				for _, call := range c.calls {
					call.Wait.Cancel()
					call.Leave()
					c.env.Clients.Remove(call.Client)
				}
			})
		}), n
	}},
}

// What happens to a few waiters costs no more when many others wait, and what happens
// to all costs each of them the same. A scan of the others would be fifty times as much.
func TestManyWaiters(t *testing.T) {
	few, many := 150, 6_000
	if raceEnabled {
		few, many = 60, 1_500
	}
	for _, scene := range crowdScenes {
		t.Run(scene.name, func(t *testing.T) {
			each := func(n int) float64 {
				took, over := scene.run(t, n)
				return float64(took) / float64(over)
			}
			var a, b float64
			for range 4 { // a busy machine may spoil a measurement, hardly four
				a, b = each(few), each(many)
				if b <= 10*max(a, 2000) || raceEnabled { // the detector's own work is not judged
					return
				}
			}
			t.Errorf("%.0f ns each beside %d waiters, %.0f beside %d", a, few, b, many)
		})
	}
}

// BenchmarkCrowd has 100,000 sessions that wait.
func BenchmarkCrowd(b *testing.B) {
	const n = 100_000
	for _, scene := range crowdScenes {
		b.Run(strings.ReplaceAll(scene.name, " ", "_"), func(b *testing.B) {
			for range b.N {
				took, over := scene.run(b, n)
				b.ReportMetric(float64(took)/float64(over), "ns/waiter")
				b.ReportMetric(float64(took)/1e6, "ms")
			}
		})
	}
	b.Run("memory", func(b *testing.B) {
		for range b.N {
			before := heapInUse()
			c := newCrowd(b, n, func(i int) []string { return []string{"BLPOP", fmt.Sprint("k", i), "0"} })
			b.ReportMetric(float64(heapInUse()-before)/n, "B/waiter")
			runtime.KeepAlive(c)
		}
	})
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An entry that is added wakes one consumer of each group, in the order in which they
// came, and each gets it once.
func TestWaitersOfManyGroups(t *testing.T) {
	c := newCrowd(t, 0, nil)
	const groups = 20
	c.do("XGROUP", "CREATE", "k", "g0", "$", "MKSTREAM")
	for g := 1; g < groups; g++ {
		c.do("XGROUP", "CREATE", "k", fmt.Sprint("g", g), "$")
	}
	var order []int
	for i := range 3 * groups {
		c.join("XREADGROUP", "GROUP", fmt.Sprint("g", (i*7)%groups), "c", "BLOCK", "0", "STREAMS", "k", ">")
		c.calls[i].Wait.Notify(func() { order = append(order, i) })
	}
	c.do("XADD", "k", "1-1", "f", "v")
	for i, woken := range order {
		if i != woken {
			t.Fatalf("woken in the order %v", order)
		}
	}
	if len(order) != groups {
		t.Fatalf("%d were woken", len(order))
	}
	c.do("XGROUP", "DESTROY", "k", "g3")
	if len(order) != groups+2 {
		t.Errorf("after the end of a group %d were woken", len(order))
	}
	c.do("DEL", "k")
	if len(order) != 3*groups {
		t.Errorf("after the end of the stream %d were woken", len(order))
	}
}

// "+" of a stream without entries waits for the next one, wherever IDs have got to.
func TestReadLastWaits(t *testing.T) {
	c := newCrowd(t, 0, nil)
	c.do("XADD", "k", "5-5", "f", "v")
	c.do("XDEL", "k", "5-5")
	c.join("XREAD", "BLOCK", "0", "STREAMS", "k", "+")
	c.ends(1, func() { c.do("XADD", "k", "6-1", "f", "v") })
	call := c.calls[0]
	call.Unpark()
	if got := string(call.Out.Bytes()); got != "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n6-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n" {
		t.Errorf("%q", got)
	}
}
