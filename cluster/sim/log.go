package sim

import "cobble/cluster"

// shardLog models a host's log by its end: what was appended, and what of it a
// crash would leave.
type shardLog struct {
	offset  uint64
	synced  uint64
	touched int64 // microseconds: last in touch with the primary; 0 never
	linkUp  bool
	source  cluster.ID
	paused  bool
}

const logPeriod = 100 // milliseconds between two turns of the data path

// restart begins a life with what was synced.
func (l *shardLog) restart() {
	l.offset, l.linkUp, l.paused, l.source = l.synced, false, false, cluster.ID{}
}

// crash loses the unsynced tail.
func (l *shardLog) crash(w *World) {
	l.synced += uint64(w.Random.Below(int64(l.offset-l.synced) + 1))
}

func (l *shardLog) follow(w *World, h *Host, do cluster.BecomeReplica) {
	l.paused = false
	if l.source != do.Of {
		l.source, l.linkUp, l.touched = do.Of, false, 0
	}
}

func (l *shardLog) pause(w *World, h *Host) {
	l.paused = true
	w.schedule(w.now+1000, happening{kind: deliver, host: h, life: h.life, what: cluster.Paused{Offset: l.offset}})
}

func (l *shardLog) resume() { l.paused = false }

// write is one turn of the data path: primaries append, replicas stream, all
// report their position.
func (w *World) write() {
	for _, h := range w.Hosts {
		if h.machine == nil || h.pausedUntil > w.now {
			continue
		}
		l := &h.log
		switch {
		case !h.primary:
			w.stream(h)
		case h.takesWrites(w):
			w.checkWrite(h)
			l.offset += 1 + uint64(w.Random.Below(20))
			l.synced += uint64(w.Random.Below(int64(l.offset-l.synced) + 1))
		}
		position := cluster.Position{Offset: l.offset, LinkUp: l.linkUp}
		if l.touched != 0 {
			position.DataTime = h.clockAt(l.touched)
		}
		h.step(w, position)
	}
}

func (w *World) stream(h *Host) {
	l := &h.log
	l.linkUp = false
	for _, p := range w.Hosts {
		if p.machine == nil || p.id() != l.source || !p.primary || p.pausedUntil > w.now ||
			w.cut[[2]int{h.index, p.index}] || w.cut[[2]int{p.index, h.index}] {
			continue
		}
		l.linkUp, l.touched = true, w.now
		lag := uint64(w.Random.Below(10))
		l.offset = max(min(l.offset, p.log.offset), p.log.offset-min(lag, p.log.offset))
		if p.log.paused {
			l.offset = p.log.offset
		}
		l.synced = min(l.synced, l.offset)
	}
}

// StartWrites lets the data path run for as long as the world does.
func (w *World) StartWrites() {
	w.write()
	w.After(logPeriod, (*World).StartWrites)
}
