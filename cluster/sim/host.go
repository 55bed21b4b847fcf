package sim

import (
	"fmt"

	"cobble/cluster"
)

// Host is a machine with its disk, clock and process.
type Host struct {
	index   int
	machine *cluster.Machine // nil: the process is dead
	life    uint32
	rate    int64 // clock speed in per mille
	offset  int64 // clock offset in milliseconds

	pausedUntil int64
	wakeAt      int64

	view    *cluster.View // last published
	lease   cluster.Time  // last moment, by its clock, at which view may be served by
	primary bool          // role of the data path
	term    uint64
	of      cluster.ID

	// Disk. durable is what a crash leaves; writing are persists under way.
	durable  disk
	writing  []write
	busyTill int64
	upTo     cluster.Token
	held     []cluster.Effect

	log shardLog
}

type disk struct {
	nodes    *cluster.NodesConf
	acceptor []cluster.AcceptorUpdate
}

type write struct {
	token    cluster.Token
	nodes    *cluster.NodesConf
	acceptor []cluster.AcceptorUpdate
}

func (p *write) what() string {
	if p.nodes != nil {
		return "nodes.conf"
	}
	return fmt.Sprintf("acceptor file, %d lines", len(p.acceptor))
}

func (h *Host) id() cluster.ID { return h.view.Myself().ID }

// clock is the host's own time.
func (h *Host) clock(w *World) cluster.Time { return h.clockAt(w.now) }

func (h *Host) clockAt(microseconds int64) cluster.Time {
	return cluster.Time(clockBase + h.offset + microseconds/1000*h.rate/1000)
}

// start begins a life from what is on disk.
func (h *Host) start(w *World) {
	h.life++
	config := cluster.DefaultConfig(hostAddr(h.index))
	config.NodeTimeout = 1000
	config.ReplPingPeriod = 1000
	if w.config != nil {
		w.config(&config)
	}
	config.Plant(w.mutation)
	saved := cluster.Persisted{Nodes: h.durable.nodes}
	if len(h.durable.acceptor) > 0 {
		saved.Acceptor = &cluster.AcceptorState{}
		for _, u := range h.durable.acceptor {
			saved.Acceptor.Apply(u)
		}
	}
	h.writing, h.held, h.busyTill, h.upTo, h.wakeAt, h.pausedUntil = nil, nil, 0, 0, 0, 0
	h.log.restart()
	machine, effects := cluster.New(config, saved, w.Random.Uint64(), h.clock(w))
	h.machine = machine
	h.view = machine.View()
	w.christen(h)
	h.execute(w, effects)
	h.prolong()
	h.setWake(w)
}

// prolong does to the lease what the driver does at each turn.
func (h *Host) prolong() {
	for _, e := range h.held {
		if _, waits := e.Do.(cluster.Publish); waits {
			return
		}
	}
	h.lease = h.machine.Lease()
}

// takesWrites reports whether h would acknowledge a write now, or when it goes on
// within its lease.
func (h *Host) takesWrites(w *World) bool {
	return h.machine != nil && h.primary && !h.log.paused && h.view.State == cluster.StateOK && h.clock(w) <= h.lease
}

// crash ends the process. What was not durable is gone.
func (h *Host) crash(w *World) {
	if h.machine == nil {
		return
	}
	if w.trace != nil {
		w.trace(fmt.Sprintf("%7d n%d CRASH", w.now/1000, h.index))
	}
	id := h.id()
	h.machine = nil
	h.primary = false
	h.log.crash(w)
	for _, o := range w.Hosts {
		if o.machine != nil && !w.cut[[2]int{h.index, o.index}] && !w.cut[[2]int{o.index, h.index}] {
			w.schedule(w.now+w.delay(), happening{kind: deliver, host: o, life: o.life, what: cluster.Link{ID: id}})
		}
	}
}

// step feeds one event and executes the effects.
func (h *Host) step(w *World, event cluster.Event) {
	w.steps++
	if w.trace != nil {
		w.traceEvent(h, event)
	}
	effects := h.machine.Step(h.clock(w), event)
	h.execute(w, effects)
	h.prolong()
	h.setWake(w)
}

// restartClock begins the host's life anew after its clock was set.
func (h *Host) restartClock(w *World) {
	h.durable = disk{}
	h.start(w)
}

func (h *Host) setWake(w *World) {
	due := int64(h.machine.Wake()) - clockBase - h.offset // host milliseconds
	at := max((due*1000+h.rate-1)/h.rate*1000, w.now+1000)
	if h.wakeAt == 0 || at < h.wakeAt {
		h.wakeAt = at
		w.schedule(at, happening{kind: wake, host: h, life: h.life})
	}
}

func (h *Host) execute(w *World, effects []cluster.Effect) {
	for _, e := range effects {
		switch do := e.Do.(type) {
		case cluster.PersistNodes:
			h.persist(w, write{token: do.Token, nodes: do.Conf})
			continue
		case cluster.PersistAcceptor:
			h.persist(w, write{token: do.Token, acceptor: do.Updates})
			continue
		}
		if e.After > h.upTo {
			h.held = append(h.held, e)
			continue
		}
		h.perform(w, e.Do)
	}
}

func (h *Host) persist(w *World, p write) {
	if w.trace != nil {
		w.trace(fmt.Sprintf("%6d n%d   > persist %s", w.now/1000, h.index, p.what()))
	}
	took := w.Net.SyncMin + w.Random.Below(w.Net.SyncMax-w.Net.SyncMin+1)
	h.busyTill = max(h.busyTill, w.now) + took
	h.writing = append(h.writing, p)
	w.schedule(h.busyTill, happening{kind: synced, host: h, life: h.life, n: uint64(p.token)})
}

// synced makes the oldest write durable and starts what waited for it.
func (h *Host) synced(w *World, token cluster.Token) {
	p := h.writing[0]
	h.writing = h.writing[1:]
	if p.token != token {
		panic("sim: persists out of order")
	}
	if p.nodes != nil {
		h.durable.nodes = p.nodes
	}
	h.durable.acceptor = append(h.durable.acceptor, p.acceptor...)
	h.upTo = token
	held := h.held
	h.held = h.held[:0:0]
	for _, e := range held {
		if e.After > h.upTo {
			h.held = append(h.held, e)
		} else {
			h.perform(w, e.Do)
		}
	}
	h.prolong()
}

// perform does one effect that waits for nothing any more.
func (h *Host) perform(w *World, do cluster.Action) {
	if w.trace != nil {
		w.traceAction(h, do)
	}
	switch do := do.(type) {
	case cluster.Send:
		for _, c := range w.checkers {
			c.sent(w, h, do.Msg)
		}
		w.transmit(h, do)
	case cluster.Probe:
		w.probe(h, do)
	case cluster.Publish:
		h.view = do.View
		for _, c := range w.checkers {
			c.published(w, h)
		}
	case cluster.Reply:
		w.results[do.Command] = do.Result
	case cluster.BecomePrimary:
		h.primary, h.term, h.of = true, do.Term, cluster.ID{}
		for _, c := range w.checkers {
			c.promoted(w, h, do)
		}
	case cluster.BecomeReplica:
		h.primary, h.term, h.of = false, do.Term, do.Of
		h.log.follow(w, h, do)
	case cluster.PauseWrites:
		h.log.pause(w, h)
	case cluster.ResumeWrites:
		w.checkResume(h)
		h.log.resume()
	}
}
