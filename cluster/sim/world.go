package sim

import (
	"fmt"
	"strconv"

	"cobble/cluster"
)

// World is a set of hosts, the network between them, and what is about to
// happen. It is used by one goroutine.
type World struct {
	Hosts    []*Host
	Random   cluster.Random
	Net      Net
	Failures []string // what the checkers found

	now       int64 // microseconds since the start
	seq       uint64
	queue     queue
	cut       map[[2]int]bool // messages from → to are lost
	checkers  []checker
	trace     func(string)
	steps     int
	commands  uint64
	results   map[uint64]cluster.Result
	mutation  cluster.Mutation
	amnesia   bool // a host lost its acceptor file
	forgetful bool // hosts do so again and again
	config    func(*cluster.Config)
	lose      func(from, to *Host, body cluster.Body) bool // messages a drill wants lost

	leases bool // nothing but pauses happens: leases must hold

	names      map[cluster.ID]string // for traces
	happened   int
	deviations schedule
}

// Net is the weather.
type Net struct {
	MinDelay, MaxDelay int64 // microseconds, one way
	Drop, Double       int   // per mille
	SyncMin, SyncMax   int64 // microseconds a persist takes
}

// calm is a good local network.
var calm = Net{MinDelay: 50, MaxDelay: 500, SyncMin: 100, SyncMax: 2000}

// clockBase is the wall clock at the start of every world, in milliseconds.
const clockBase = 1_700_000_000_000

// New makes a world of n running singletons.
func New(seed uint64, n int, mutation cluster.Mutation, config func(*cluster.Config)) *World {
	w := &World{
		Random: cluster.NewRandom(seed), Net: calm, cut: map[[2]int]bool{}, mutation: mutation,
		results: map[uint64]cluster.Result{}, config: config, names: map[cluster.ID]string{},
	}
	w.checkers = newCheckers()
	for i := range n {
		h := &Host{index: i, rate: 1000}
		w.Hosts = append(w.Hosts, h)
		h.start(w)
	}
	return w
}

// Now returns the virtual time in milliseconds since the start.
func (w *World) Now() int64 { return w.now / 1000 }

// fail records a violation.
func (w *World) fail(format string, args ...any) {
	if len(w.Failures) < 10 {
		w.Failures = append(w.Failures, fmt.Sprintf("t=%dms: ", w.Now())+fmt.Sprintf(format, args...))
	}
}

func (w *World) schedule(at int64, h happening) {
	w.seq++
	h.at, h.seq = max(at, w.now), w.seq
	w.queue.push(h)
}

// After runs f at ms milliseconds from now.
func (w *World) After(ms int64, f func(*World)) {
	w.schedule(w.now+ms*1000, happening{kind: runFunc, run: f})
}

// Run lets ms milliseconds pass.
func (w *World) Run(ms int64) { w.RunUntil(ms, func() bool { return false }) }

// RunUntil lets time pass until done holds, at most ms milliseconds, and
// reports whether it holds.
func (w *World) RunUntil(ms int64, done func() bool) bool {
	end := w.now + ms*1000
	for !done() {
		if len(w.queue.heap) == 0 || w.queue.heap[0].at > end || len(w.Failures) > 0 {
			if len(w.Failures) == 0 {
				w.now = end
			}
			return done()
		}
		next := w.queue.pop()
		w.now = next.at
		w.happen(&next)
	}
	return true
}

func (w *World) happen(next *happening) {
	if next.kind == runFunc {
		next.run(w)
		return
	}
	h := next.host
	if h.machine == nil || h.life != next.life || !w.deviate(next) {
		return
	}
	switch next.kind {
	case deliver:
		if h.pausedUntil > w.now {
			next.at = h.pausedUntil
			w.schedule(h.pausedUntil, *next)
			return
		}
		h.step(w, next.what.(cluster.Event))
	case wake:
		if h.wakeAt != next.at {
			return // superseded
		}
		h.wakeAt = 0
		if h.pausedUntil > w.now {
			h.wakeAt = h.pausedUntil
			w.schedule(h.pausedUntil, happening{kind: wake, host: h, life: h.life})
			return
		}
		h.step(w, cluster.Tick{})
	case synced:
		h.synced(w, cluster.Token(next.n))
	}
}

// hostAt returns the host that listens at addr, or nil.
func (w *World) hostAt(addr cluster.Addr) *Host {
	if i := int(addr.Port) - firstPort; i >= 0 && i < len(w.Hosts) {
		return w.Hosts[i]
	}
	return nil
}

const firstPort = 7000

func hostAddr(i int) cluster.Addr {
	return cluster.Addr{IP: "10.0.0." + strconv.Itoa(i+1), Port: uint16(firstPort + i), BusPort: uint16(firstPort + 10000 + i)}
}

func (w *World) delay() int64 {
	d := w.Net.MinDelay + w.Random.Below(w.Net.MaxDelay-w.Net.MinDelay+1)
	if w.Random.Below(50) == 0 {
		d *= 5
	}
	return d
}

// transmit carries a message.
func (w *World) transmit(from *Host, send cluster.Send) {
	to := w.hostAt(send.Addr)
	if to == nil || to.machine == nil {
		return
	}
	if w.lose != nil && w.lose(from, to, send.Msg.Body) {
		return
	}
	if to == from {
		w.schedule(w.now+10, happening{kind: deliver, host: to, life: to.life, what: cluster.Receive{Msg: send.Msg}})
		return
	}
	if !send.To.IsZero() && to.id() != send.To {
		return // the driver would see another node answer
	}
	if w.cut[[2]int{from.index, to.index}] || w.Random.Below(1000) < int64(w.Net.Drop) {
		return
	}
	event := cluster.Receive{Msg: send.Msg, RemoteIP: hostAddr(from.index).IP, LocalIP: hostAddr(to.index).IP}
	w.schedule(w.now+w.delay(), happening{kind: deliver, host: to, life: to.life, what: event})
	if w.Net.Double > 0 && w.Random.Below(1000) < int64(w.Net.Double) {
		w.schedule(w.now+w.delay()*3, happening{kind: deliver, host: to, life: to.life, what: event})
	}
}

// probe answers a Probe effect as the driver's dial would.
func (w *World) probe(from *Host, p cluster.Probe) {
	to := w.hostAt(p.Addr)
	reached := to != nil && !w.cut[[2]int{from.index, to.index}] && !w.cut[[2]int{to.index, from.index}] &&
		w.Random.Below(1000) >= 2*int64(w.Net.Drop)
	outcome, took := cluster.ProbeTimeout, int64(p.Timeout)*1000
	if rtt := w.delay() + w.delay(); reached && rtt < took {
		switch {
		case to.machine == nil:
			outcome, took = cluster.ProbeRefused, rtt
		case to.pausedUntil > w.now+rtt/2:
		case to.id() != p.Target:
			outcome, took = cluster.ProbeOther, rtt
		default:
			outcome, took = cluster.ProbeOK, rtt
		}
	}
	w.schedule(w.now+took, happening{kind: deliver, host: from, life: from.life,
		what: cluster.ProbeResult{Target: p.Target, Token: p.Token, Outcome: outcome}})
}

// Cut loses all messages between a and b, one way or both.
func (w *World) Cut(a, b int, bothWays bool) {
	w.cut[[2]int{a, b}] = true
	if bothWays {
		w.cut[[2]int{b, a}] = true
	}
}

// Heal restores all links.
func (w *World) Heal() { clear(w.cut) }

// Do gives host i an administrator's command and returns its number; the
// answer appears in Result.
func (w *World) Do(i int, command cluster.Admin) uint64 {
	w.commands++
	h := w.Hosts[i]
	if h.machine != nil {
		w.schedule(w.now, happening{kind: deliver, host: h, life: h.life, what: cluster.Command{Number: w.commands, Do: command}})
	}
	return w.commands
}

// Result returns the answer of a command, if it has come.
func (w *World) Result(number uint64) (cluster.Result, bool) {
	r, ok := w.results[number]
	return r, ok
}
