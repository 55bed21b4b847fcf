package gossip

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// Peer is a node of the caller's table.
type Peer struct {
	ID   string
	IP   net.IP
	Port int // bus port
}

// SetPeers tells the rejoin loop which nodes there should be, self excluded.
// A change makes it knock at once.
func (g *Gossip) SetPeers(peers []Peer) {
	old := *g.peers.Load()
	same := slices.EqualFunc(old, peers, func(a, b Peer) bool {
		return a.ID == b.ID && a.IP.Equal(b.IP) && a.Port == b.Port
	})
	if same {
		return
	}
	peers = slices.Clone(peers)
	g.peers.Store(&peers)
	select {
	case g.knock <- struct{}{}:
	default:
	}
}

// rejoinLoop joins one random node of the table that SWIM does not believe
// alive. Nothing else ever mends a partition that outlasted suspicion, and one
// join across it mends the whole (it makes both sides hear what is said of
// them, and refute it). It is also the first join.
func (g *Gossip) rejoinLoop() {
	backoff := g.conf.RejoinInterval
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-g.knock:
			backoff = g.conf.RejoinInterval
		case <-timer.C:
		}
		pause := g.conf.RejoinInterval
		if p, absent := g.pickAbsent(); absent {
			_, err := g.list.Join([]string{hostPort(p.IP, p.Port)})
			if err == nil && g.inbox.isUp(p.ID) {
				backoff = g.conf.RejoinInterval
				pause = backoff / 10 // there may be more: go on quickly while it helps
			} else {
				pause = backoff
				backoff = min(2*backoff, g.conf.RejoinMax)
			}
		} else {
			backoff = g.conf.RejoinInterval
		}
		timer.Reset(pause + rand.N(pause)) // jitter: a whole cluster must not knock in step
	}
}

func (g *Gossip) pickAbsent() (Peer, bool) {
	var absent []Peer
	for _, p := range *g.peers.Load() {
		if p.IP != nil && p.Port > 0 && !g.inbox.isUp(p.ID) {
			absent = append(absent, p)
		}
	}
	if len(absent) == 0 {
		return Peer{}, false
	}
	return absent[rand.N(len(absent))], true
}

// logWriter cuts memberlist's "[WARN] memberlist: text" into level and line.
type logWriter struct{ logf func(level, line string) }

func (w logWriter) Write(b []byte) (int, error) {
	if w.logf == nil {
		return len(b), nil
	}
	level, line := "INFO", bytes.TrimSpace(b)
	if len(line) > 0 && line[0] == '[' {
		if i := bytes.IndexByte(line, ']'); i > 0 {
			level, line = string(line[1:i]), bytes.TrimSpace(line[i+1:])
		}
	}
	w.logf(level, string(line))
	return len(b), nil
}
