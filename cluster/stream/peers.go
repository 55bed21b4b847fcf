package stream

import (
	"context"
	"slices"
	"sync"
	"time"

	"cobble/cluster"
	"cobble/storage/log"
)

// PeerState is how far a replica's connection has come.
type PeerState uint8

// The states, named as in INFO's slaveN lines.
const (
	PeerWaiting PeerState = iota // "wait_bgsave": a checkpoint is being made for it
	PeerSyncing                  // "send_bulk": it gets the files of one
	PeerOnline                   // "online": it gets records
)

func (s PeerState) String() string {
	return [...]string{"wait_bgsave", "send_bulk", "online"}[s]
}

// Peer is what the primary knows of a connected replica.
type Peer struct {
	Node    cluster.ID
	Addr    string // as the connection shows it
	State   PeerState
	Written log.LSN // what it has acknowledged: in its log,
	Synced  log.LSN // on its disk,
	Applied log.LSN // in its rows
	LastAck time.Time
}

// acked returns what the replica has at level.
func (p *Peer) acked(level log.Level) log.LSN {
	if level == log.Synced {
		return p.Synced
	}
	return p.Written
}

// peers is the list of connected replicas, in the order they came.
type peers struct {
	mu     sync.Mutex
	list   []*peer
	parked []*parkedCount
	round  uint64 // how often all were disconnected
	closed bool

	countOffline bool // a mutant
}

type peer struct {
	Peer
	end context.CancelFunc
}

// parkedCount is a WAIT.
type parkedCount struct {
	lsn   log.LSN
	n     int
	level log.Level
	fn    func(count int)
}

// now returns the round, for add.
func (p *peers) now() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.round
}

// endAll ends every connection that has begun, the ones that are not listed yet too.
func (p *peers) endAll(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.round++
	p.closed = p.closed || closed
	for _, q := range p.list {
		q.end()
	}
}

// add lists a replica, whose connection began in round. An older connection of the
// same node is ended, for the replica has given it up, and does not count any more.
// It returns nil if all were disconnected since.
func (p *peers) add(round uint64, node cluster.ID, addr string, now time.Time, end context.CancelFunc) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.round != round {
		return nil
	}
	p.list = slices.DeleteFunc(p.list, func(old *peer) bool {
		if old.Node == node {
			old.end()
		}
		return old.Node == node
	})
	n := &peer{Peer: Peer{Node: node, Addr: addr, LastAck: now}, end: end}
	p.list = append(p.list, n)
	return n
}

func (p *peers) remove(gone *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(q *peer) bool { return q == gone })
}

func (p *peers) setState(q *peer, s PeerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.State = s
}

// ack takes note of what a replica says it has, and answers those who waited
// for it. Only what an online replica says counts: before that its log may be of
// another history.
func (p *peers) ack(q *peer, a *ack, now time.Time) {
	p.mu.Lock()
	q.LastAck = now
	if q.State != PeerOnline && !p.countOffline {
		p.mu.Unlock()
		return
	}
	q.Written, q.Synced, q.Applied = max(q.Written, a.written), max(q.Synced, a.synced), max(q.Applied, a.applied)
	var ready []*parkedCount
	var counts []int
	kept := p.parked[:0]
	for _, w := range p.parked {
		if n := p.count(w.lsn, w.level); n >= w.n {
			ready, counts = append(ready, w), append(counts, n)
		} else {
			kept = append(kept, w)
		}
	}
	clear(p.parked[len(kept):])
	p.parked = kept
	p.mu.Unlock()
	for i, w := range ready {
		w.fn(counts[i])
	}
}

// count returns how many online replicas have lsn at level. mu is held.
func (p *peers) count(lsn log.LSN, level log.Level) int {
	n := 0
	for _, q := range p.list {
		if (q.State == PeerOnline || p.countOffline) && q.acked(level) >= lsn {
			n++
		}
	}
	return n
}

// Peers returns the connected replicas, in the order they came.
func (s *Source) Peers() []Peer {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	out := make([]Peer, len(s.peers.list))
	for i, q := range s.peers.list {
		out[i] = q.Peer
	}
	return out
}

// Acked returns how many online replicas have acknowledged lsn at level (Written
// for WAIT, Synced for WAITAOF).
func (s *Source) Acked(lsn log.LSN, level log.Level) int {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	return s.peers.count(lsn, level)
}

// Good returns how many online replicas were heard of at most lag ago, for
// min-replicas-to-write.
func (s *Source) Good(now time.Time, lag time.Duration) int {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	n := 0
	for _, q := range s.peers.list {
		if q.State == PeerOnline && now.Sub(q.LastAck) <= lag {
			n++
		}
	}
	return n
}

// Park calls fn once with the count when n online replicas have acknowledged
// lsn at level: before Park returns if they have, else from any goroutine; fn
// must not block. cancel takes the call back, unless it was made; it reports
// whether it did.
func (s *Source) Park(lsn log.LSN, n int, level log.Level, fn func(count int)) (cancel func() bool) {
	p := &s.peers
	w := &parkedCount{lsn: lsn, n: n, level: level, fn: fn}
	p.mu.Lock()
	if have := p.count(lsn, level); have >= n {
		p.mu.Unlock()
		fn(have)
		return func() bool { return false }
	}
	p.parked = append(p.parked, w)
	p.mu.Unlock()
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		before := len(p.parked)
		p.parked = slices.DeleteFunc(p.parked, func(q *parkedCount) bool { return q == w })
		return len(p.parked) < before
	}
}
