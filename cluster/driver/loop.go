package driver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// loop is the goroutine that owns the machine.
func (d *Driver) loop(effects []cluster.Effect, ready chan<- struct{}) {
	defer close(d.ended)
	d.carryOut(effects)
	d.settle()
	timer := time.NewTimer(0)
	defer timer.Stop()
	position := time.NewTicker(positionPeriod)
	defer position.Stop()
	for {
		if ready != nil && d.view.Load() != nil {
			close(ready)
			ready = nil
		}
		timer.Reset(time.Until(d.at(d.mind.Wake())))
		select {
		case <-d.quit:
			return
		case err := <-d.failed:
			d.fail(err)
		case t := <-d.durable:
			d.release(t)
		case e := <-d.inbox:
			d.step(e)
		case ask := <-d.asks:
			ask()
		case <-timer.C:
			d.step(cluster.Tick{})
		case <-position.C:
			if d.options.Hooks.Position != nil {
				d.step(d.options.Hooks.Position())
			}
		}
		d.settle()
		d.stepped.Store(int64(d.now()))
		d.lease()
		if d.busted != nil {
			return
		}
	}
}

// lease prolongs the published view's time to the end of the machine's lease. Not
// so while a newer view waits for the disk. A process that is stopped in here has
// not gained anything: the end is a moment, not a span from now on.
func (d *Driver) lease() {
	if d.options.Hooks.Serve == nil || d.busted != nil {
		return
	}
	for _, e := range d.held {
		if _, waits := e.Do.(cluster.Publish); waits {
			return
		}
	}
	now := time.Now() // with the wall clock of today, which may have been set since the start
	d.options.Hooks.Serve(now.Add(d.at(d.mind.Lease()).Sub(now)))
}

// settle steps the events that effects have caused, until there are none.
func (d *Driver) settle() {
	for len(d.local) > 0 {
		e := d.local[0]
		d.local = d.local[1:]
		d.step(e)
	}
}

func (d *Driver) step(e cluster.Event) {
	if d.busted == nil {
		d.carryOut(d.mind.Step(d.now(), e))
	}
}

// carryOut starts each effect, or holds it until what it depends on is on disk.
// The slice is the machine's; effects that are held are copied.
func (d *Driver) carryOut(effects []cluster.Effect) {
	for _, e := range effects {
		if e.After > d.synced {
			d.held = append(d.held, e)
		} else {
			d.do(e.Do)
		}
	}
	d.reply()
}

// reply answers the commands, after the effects beside their Reply: who is told
// OK finds the change in the View.
func (d *Driver) reply() {
	for _, r := range d.replies {
		if c := d.commands[r.Command]; c != nil {
			delete(d.commands, r.Command)
			c <- r.Result // has room for one
		}
	}
	d.replies = d.replies[:0]
}

// release starts what was held for tokens up to t.
func (d *Driver) release(t cluster.Token) {
	d.synced = max(d.synced, t)
	if d.busted != nil {
		return
	}
	held := d.held
	d.held = nil
	kept := held[:0]
	for _, e := range held {
		if e.After > d.synced {
			kept = append(kept, e)
		} else {
			d.do(e.Do)
		}
	}
	d.held = append(kept, d.held...)
	d.reply()
}

// fail ends the machine's life: what it believes can no longer be kept.
func (d *Driver) fail(err error) {
	d.busted = err
	d.held, d.local = nil, nil
	d.logf('#', "Fatal: %v", err)
	if d.options.Hooks.Fatal != nil {
		d.options.Hooks.Fatal(err)
	}
}

// do carries out one effect. It never blocks.
func (d *Driver) do(action cluster.Action) {
	h := &d.options.Hooks
	switch a := action.(type) {
	case cluster.Send:
		d.send(a)
	case cluster.Broadcast:
		d.broadcast(a.Msg)
	case cluster.Probe:
		d.probe(a)
	case cluster.PersistNodes:
		d.disk.put(diskJob{token: a.Token, conf: a.Conf, sync: a.Sync})
	case cluster.PersistAcceptor:
		d.disk.put(diskJob{token: a.Token, updates: a.Updates})
	case cluster.Publish:
		d.publish(a.View)
	case cluster.Reply:
		d.replies = append(d.replies, a)
	case cluster.JoinGossip:
		d.ring.knock()
	case cluster.RestartGossip:
		d.ring.restart(a.ID, a.Boot)
	case cluster.Disconnect:
		d.bus.disconnect(a.ID)
	case cluster.Note:
		d.logf(a.Level, "%s", a.Text)
	case cluster.BecomePrimary:
		call(h.BecomePrimary, a)
	case cluster.BecomeReplica:
		call(h.BecomeReplica, a)
	case cluster.DropSlots:
		call(h.DropSlots, a.Slots)
	case cluster.FlushData:
		if h.FlushData != nil {
			h.FlushData()
		}
	case cluster.PauseWrites:
		d.pause(a)
	case cluster.ResumeWrites:
		if h.ResumeWrites != nil {
			h.ResumeWrites()
		}
	default:
		panic(fmt.Sprintf("driver: no hand for effect %T", action))
	}
}

func call[T any](hook func(T), what T) {
	if hook != nil {
		hook(what)
	}
}

func (d *Driver) pause(a cluster.PauseWrites) {
	if d.options.Hooks.PauseWrites == nil {
		return
	}
	d.options.Hooks.PauseWrites(d.at(a.Until), func(offset uint64) {
		go d.deliver(cluster.Paused{Offset: offset}) // it may be called from the loop itself
	})
}

func (d *Driver) send(a cluster.Send) {
	if a.To == d.identity.Load().id && !a.To.IsZero() {
		d.local = append(d.local, cluster.Receive{Msg: a.Msg})
		return
	}
	d.bus.send(a.To, a.Addr, a.Msg)
}

// oversizedFanout is to how many nodes news too large for gossip is sent; the
// comparison of digests carries it further.
const oversizedFanout = 8

func (d *Driver) broadcast(m *cluster.Message) {
	b := wire.Append(nil, m)
	if !d.ring.broadcast(b) {
		v := d.view.Load()
		sent := 0
		for i := range v.Nodes { // ids are random: the neighbours in their order are, too
			n := &v.Nodes[(v.Self+1+i)%len(v.Nodes)]
			if !n.Myself && !n.Handshake && sent < oversizedFanout {
				d.bus.send(n.ID, n.Addr, m)
				sent++
			}
		}
	}
}

// probe looks at a node in a goroutine of its own; their number is bounded by
// the machine, which has one probe of a node outstanding.
func (d *Driver) probe(a cluster.Probe) {
	d.probes.Go(func() {
		outcome := d.bus.probe(a.Target, a.Addr, time.Duration(a.Timeout)*time.Millisecond)
		d.deliver(cluster.ProbeResult{Target: a.Target, Token: a.Token, Outcome: outcome})
	})
}

// standingLimit is up to how many nodes each keeps a connection to each.
const standingLimit = cluster.PushLimit

// publish makes a view the one that others read.
func (d *Driver) publish(v *cluster.View) {
	self := v.Myself()
	me := identity{self.ID, self.Boot}
	if old := *d.identity.Load(); old != me {
		d.identity.Store(&me)
		if !old.id.IsZero() {
			d.bus.disconnectAll() // greetings on open connections name the old one
		}
	}
	var peers []peer
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.Myself || n.Handshake {
			continue
		}
		if !n.NoAddr && n.Addr.IP != "" {
			peers = append(peers, peer{n.ID, n.Addr})
		}
	}
	standing := peers
	if len(v.Nodes) > standingLimit {
		standing = nil
	}
	d.bus.setStanding(standing)
	d.ring.setTable(self, peers)
	if d.options.Hooks.Publish != nil {
		d.options.Hooks.Publish(v, slotsView(v, d.settings.Load()))
	}
	d.view.Store(v) // last: who sees it may rely on all of the above
}

// Link is one entry of CLUSTER LINKS.
type Link struct {
	ToPeer    bool // this node speaks on it; else the peer does
	ID        cluster.ID
	Created   time.Time
	Allocated int // bytes that wait to be sent
}

// Links lists the open bus connections, ordered by peer.
func (d *Driver) Links() []Link {
	var out []Link
	for _, l := range d.bus.list() {
		out = append(out, Link{ToPeer: l.to, ID: l.id, Created: l.since, Allocated: l.allocated})
	}
	slices.SortFunc(out, func(a, b Link) int {
		if a.ID != b.ID {
			if a.ID.Less(b.ID) {
				return -1
			}
			return 1
		}
		return a.Created.Compare(b.Created)
	})
	return out
}

var errUnknownNode = errors.New("driver: no such node, or its address is not known")

func (d *Driver) addrOf(id cluster.ID) (cluster.Addr, error) {
	n := d.View().Node(id)
	if n == nil || n.Addr.IP == "" {
		return cluster.Addr{}, errUnknownNode
	}
	return n.Addr, nil
}
