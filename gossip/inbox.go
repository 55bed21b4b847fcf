package gossip

import (
	"net"
	"sync"

	"github.com/hashicorp/memberlist"
)

// Hint is the newest rumour about a node.
type Hint struct {
	Member Member
	Up     bool
	IP     net.IP // where the member says it is
	Port   int
	Meta   []byte
}

// inbox is where memberlist's callbacks leave things. They run under
// memberlist's node lock, so they take only this inbox's mutex, held for a
// few instructions and never while calling anything.
//
// Hints are coalesced per node (the newest wins), so they need no bound but
// the number of admitted nodes; messages are bounded and the oldest is
// dropped, since a newer record supersedes an older one and the digests repair.
type inbox struct {
	mu       sync.Mutex
	hints    map[string]Hint
	order    []string // ids of hints, oldest first
	messages [][]byte
	dropped  uint64
	alive    map[string]aliveMember // by id: the highest boot seen and whether it is up
	signal   chan struct{}          // capacity 1: something is in
}

type aliveMember struct {
	boot uint64
	up   bool
}

// messageLimit bounds the messages that wait to be taken.
const messageLimit = 4096

func newInbox() *inbox {
	return &inbox{hints: map[string]Hint{}, alive: map[string]aliveMember{}, signal: make(chan struct{}, 1)}
}

func (b *inbox) wake() {
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// note records a membership event. Events of a boot lower than the highest
// seen say nothing about the node that runs now and are dropped.
func (b *inbox) note(n *memberlist.Node, up bool) {
	m, err := ParseMember(n.Name)
	if err != nil {
		return // cannot be: admit refused it
	}
	h := Hint{Member: m, Up: up, IP: append(net.IP(nil), n.Addr...), Port: int(n.Port), Meta: append([]byte(nil), n.Meta...)}
	b.mu.Lock()
	defer b.mu.Unlock()
	old, seen := b.alive[m.ID]
	if seen && m.Boot < old.boot {
		return
	}
	b.alive[m.ID] = aliveMember{boot: m.Boot, up: up}
	if _, waiting := b.hints[m.ID]; !waiting {
		b.order = append(b.order, m.ID)
	}
	b.hints[m.ID] = h
	b.wake()
}

func (b *inbox) put(payload []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) >= messageLimit {
		b.messages = append(b.messages[:0], b.messages[1:]...)
		b.dropped++
	}
	b.messages = append(b.messages, payload)
	b.wake()
}

func (b *inbox) take() (hints []Hint, messages [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range b.order {
		hints = append(hints, b.hints[id])
	}
	clear(b.hints)
	b.order = b.order[:0]
	messages, b.messages = b.messages, nil
	return hints, messages
}

func (b *inbox) isUp(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alive[id].up
}

// The callbacks of memberlist: events, the alive filter and the delegate.

type events struct{ *inbox }

func (e events) NotifyJoin(n *memberlist.Node)   { e.note(n, true) }
func (e events) NotifyLeave(n *memberlist.Node)  { e.note(n, false) }
func (e events) NotifyUpdate(n *memberlist.Node) { e.note(n, true) }

type aliveFilter struct {
	self  string
	admit func(Member) error
}

// NotifyAlive refuses whoever is not a known node. Without it any member's
// join would merge two clusters.
func (f aliveFilter) NotifyAlive(n *memberlist.Node) error {
	if n.Name == f.self {
		return nil
	}
	m, err := ParseMember(n.Name)
	if err != nil {
		return err
	}
	return f.admit(m)
}
