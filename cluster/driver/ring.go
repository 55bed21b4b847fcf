package driver

import (
	"errors"
	"net"
	"sync"
	"time"

	"cobble/cluster"
	"cobble/cluster/wire"
	"cobble/gossip"
)

// leavePatience is how long a node that leaves the ring waits to be heard.
const leavePatience = 300 * time.Millisecond

// ring keeps the gossip membership that fits the published table: the right
// name and address of this node, and the right peers. Memberships are started
// and stopped in its own goroutine, because leaving takes time.
type ring struct {
	d      *Driver
	signal chan struct{} // capacity 1
	done   chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	want    membership
	epoch   int // restarts asked for
	peers   []gossip.Peer
	known   map[string]bool // ids of the table, for Admit
	running *gossip.Gossip
}

// membership is what a gossip instance cannot change after its start.
type membership struct {
	member gossip.Member
	ip     string
	port   int
	epoch  int
}

func newRing(d *Driver) *ring {
	r := &ring{d: d, signal: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	go r.run()
	return r
}

func (r *ring) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// setTable tells the ring who this node is and who else there is.
func (r *ring) setTable(self *cluster.Node, peers []peer) {
	known := make(map[string]bool, len(peers))
	list := make([]gossip.Peer, 0, len(peers))
	for _, p := range peers {
		known[p.id.String()] = true
		list = append(list, gossip.Peer{ID: p.id.String(), IP: net.ParseIP(p.addr.IP), Port: int(p.addr.BusPort)})
	}
	r.mu.Lock()
	r.want = membership{
		member: gossip.Member{ID: self.ID.String(), Boot: self.Boot},
		ip:     self.Addr.IP, port: int(self.Addr.BusPort), epoch: r.epoch,
	}
	r.peers, r.known = list, known
	r.mu.Unlock()
	r.wake()
}

// restart makes the next membership a new one even if nothing else changed.
func (r *ring) restart(id cluster.ID, boot uint64) {
	r.mu.Lock()
	r.epoch++
	r.want.epoch = r.epoch
	r.want.member = gossip.Member{ID: id.String(), Boot: boot}
	r.mu.Unlock()
	r.wake()
}

// knock hastens the joining of absent members.
func (r *ring) knock() { r.wake() }

// broadcast rumours a message; false when gossip cannot carry it.
func (r *ring) broadcast(b []byte) bool {
	r.mu.Lock()
	g := r.running
	r.mu.Unlock()
	return g != nil && g.Broadcast("", b) == nil
}

func (r *ring) close() {
	close(r.done)
	<-r.ended
}

func (r *ring) run() {
	defer close(r.ended)
	var now membership
	var g *gossip.Gossip
	var stopped chan struct{}
	stop := func(leave time.Duration) {
		if g == nil {
			return
		}
		r.mu.Lock()
		r.running = nil
		r.mu.Unlock()
		g.Stop(leave)
		<-stopped
		g = nil
	}
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-r.done:
			stop(0)
			return
		case <-r.signal:
		case <-retry.C:
		}
		r.mu.Lock()
		want, peers := r.want, r.peers
		r.mu.Unlock()
		if g != nil && want != now {
			stop(leavePatience)
		}
		if g == nil && want.ip != "" && len(peers) > 0 {
			var err error
			if g, err = r.start(want); err != nil {
				r.d.logf('#', "Gossip does not start: %v", err)
				g = nil
				retry.Reset(time.Second)
				continue
			}
			now, stopped = want, make(chan struct{})
			go r.listen(g, stopped)
		}
		if g != nil {
			g.SetPeers(peers)
		}
	}
}

var errStranger = errors.New("not in the node table")

func (r *ring) start(want membership) (*gossip.Gossip, error) {
	g, err := gossip.Start(gossip.Config{
		Port: r.d.port, Self: want.member, IP: net.ParseIP(want.ip), Number: want.port, Secret: r.d.options.Secret,
		Admit: func(m gossip.Member) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.known[m.ID] {
				return errStranger
			}
			return nil
		},
	})
	if err == nil {
		r.mu.Lock()
		r.running = g
		r.mu.Unlock()
	}
	return g, err
}

// listen passes on what a membership hears, until it has ended.
func (r *ring) listen(g *gossip.Gossip, stopped chan<- struct{}) {
	defer close(stopped)
	for {
		select {
		case <-g.Done():
			return
		case <-g.Wait():
		}
		hints, payloads := g.Take()
		for _, h := range hints {
			if id, err := cluster.ParseID(h.Member.ID); err == nil {
				r.d.deliver(cluster.Hint{ID: id, Boot: h.Member.Boot, Up: h.Up})
			}
		}
		for _, b := range payloads {
			if m, err := wire.Decode(b); err == nil {
				r.d.deliver(cluster.Receive{Msg: m})
			}
		}
	}
}
