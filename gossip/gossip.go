package gossip

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// label opens every packet and stream; a later protocol takes another number.
const label = "cobble1"

// MetaLimit is the size in bytes of the largest meta a member may carry.
const MetaLimit = memberlist.MetaMaxSize

// MaxBroadcast is the size in bytes of the largest payload of Broadcast: what
// surely fits a 1400-byte packet with every header memberlist may add. A
// larger one would sit in the queue for ever.
const MaxBroadcast = 1200

// ErrTooLarge is returned by Broadcast for a payload above MaxBroadcast.
var ErrTooLarge = errors.New("gossip: payload larger than a packet")

// Config describes one boot of one node. Zero durations take the defaults.
type Config struct {
	Port   *Port
	Self   Member
	IP     net.IP // advertised; must not be unspecified
	Number int    // advertised port
	Meta   []byte // at most MetaLimit bytes
	Secret []byte // when not empty, packets and streams are encrypted with a key made of it

	// Admit says whether a member is a node of the caller's table and its boot
	// is not an old one. It is called under memberlist's lock: it must not
	// block and must not call this package.
	Admit func(Member) error

	// Logf receives memberlist's own log lines, level being DEBUG, INFO, WARN
	// or ERR. Nil drops them. It may be called under memberlist's lock.
	Logf func(level, line string)

	ProbeInterval  time.Duration // 500 ms
	ProbeTimeout   time.Duration // 300 ms
	GossipInterval time.Duration // 100 ms
	PushPull       time.Duration // 30 s
	ToTheDead      time.Duration // 60 s: gossip to the dead, so that they may refute
	RejoinInterval time.Duration // 1 s; each pause is between one and two of it
	RejoinMax      time.Duration // 10 s: back-off of knocks that do not help
}

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.ProbeInterval, 500*time.Millisecond)
	set(&c.ProbeTimeout, 300*time.Millisecond)
	set(&c.GossipInterval, 100*time.Millisecond)
	set(&c.PushPull, 30*time.Second)
	set(&c.ToTheDead, 60*time.Second)
	set(&c.RejoinInterval, time.Second)
	set(&c.RejoinMax, 10*time.Second)
}

// Gossip is the membership of one boot of one node. All methods may be called
// from any goroutine, but not from Admit or Logf.
type Gossip struct {
	conf       Config
	list       *memberlist.Memberlist
	inbox      *inbox
	seen       *seen
	broadcasts *memberlist.TransmitLimitedQueue
	meta       atomic.Pointer[[]byte]
	peers      atomic.Pointer[[]Peer]
	knock      chan struct{} // capacity 1: the table changed, forget the back-off
	done       chan struct{}
	stop       sync.Once
	wg         sync.WaitGroup
}

// Start begins the membership of conf.Self. The port must carry no other
// running membership: Stop that first.
func Start(conf Config) (*Gossip, error) {
	conf.fill()
	if _, err := ParseMember(conf.Self.String()); err != nil {
		return nil, err
	}
	if conf.IP == nil || conf.IP.IsUnspecified() {
		return nil, fmt.Errorf("gossip: cannot advertise address %v", conf.IP)
	}
	if len(conf.Meta) > MetaLimit {
		return nil, fmt.Errorf("gossip: meta of %d bytes, the limit is %d", len(conf.Meta), MetaLimit)
	}
	g := &Gossip{conf: conf, inbox: newInbox(), seen: newSeen(), knock: make(chan struct{}, 1), done: make(chan struct{})}
	g.meta.Store(&conf.Meta)
	g.peers.Store(&[]Peer{})
	known := func() int { return len(*g.peers.Load()) + 1 }
	g.broadcasts = &memberlist.TransmitLimitedQueue{NumNodes: known, RetransmitMult: 4}
	list, err := memberlist.Create(g.memberlistConfig())
	if err != nil {
		return nil, err
	}
	g.list = list
	g.wg.Go(g.rejoinLoop)
	return g, nil
}

func (g *Gossip) memberlistConfig() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	ip := g.conf.IP
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	c.Name = g.conf.Self.String()
	c.Label = label
	c.Transport = g.conf.Port.attach(ip, g.conf.Number)
	c.BindPort, c.AdvertisePort = g.conf.Number, g.conf.Number
	c.AdvertiseAddr = ip.String()
	c.TCPTimeout = 2 * time.Second // a knock on a silent host must not hold the rejoin loop
	c.ProbeInterval, c.ProbeTimeout = g.conf.ProbeInterval, g.conf.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = 4, 3
	c.GossipInterval, c.GossipNodes = g.conf.GossipInterval, 3
	c.GossipToTheDeadTime = g.conf.ToTheDead
	c.PushPullInterval = g.conf.PushPull
	c.EnableCompression = false
	c.UDPBufferSize = 1400
	c.Events = events{g.inbox}
	c.Alive = aliveFilter{self: c.Name, admit: g.conf.Admit}
	c.Delegate = delegate{g}
	c.Logger = log.New(logWriter{g.conf.Logf}, "", 0)
	if len(g.conf.Secret) > 0 {
		key := sha256.Sum256(append([]byte("cobble gossip key\x00"), g.conf.Secret...))
		c.SecretKey = key[:]
	}
	return c
}

// Wait is signalled when Take has something. One reader at a time.
func (g *Gossip) Wait() <-chan struct{} { return g.inbox.signal }

// Take returns what came in since the last call: the newest hint of each node
// that has one, and payloads, which are the caller's to keep.
func (g *Gossip) Take() (hints []Hint, payloads [][]byte) { return g.inbox.take() }

// Done is closed when Stop begins.
func (g *Gossip) Done() <-chan struct{} { return g.done }

// Broadcast queues payload for every member, best effort. A payload of the
// same non-empty key that is still queued is replaced. The bytes must not be
// changed afterwards.
func (g *Gossip) Broadcast(key string, payload []byte) error {
	if len(payload) > MaxBroadcast {
		return ErrTooLarge
	}
	g.seen.first(payload, time.Now()) // our own words coming back are no news
	g.broadcasts.QueueBroadcast(&broadcast{key: key, payload: payload})
	return nil
}

// Up reports whether SWIM believes the newest boot of a node alive.
func (g *Gossip) Up(id string) bool { return g.inbox.isUp(id) }

// Stop ends the membership. With leave > 0 it first tells the others, waiting
// at most that long. The port stays open; after Stop a new membership with a
// higher boot may be started on it.
func (g *Gossip) Stop(leave time.Duration) {
	g.stop.Do(func() {
		close(g.done)
		if leave > 0 {
			_ = g.list.Leave(leave)
		}
		_ = g.list.Shutdown()
		g.wg.Wait()
	})
}

// broadcast is one queued payload.
type broadcast struct {
	key     string
	payload []byte
}

func (b *broadcast) Invalidates(o memberlist.Broadcast) bool {
	other, ok := o.(*broadcast)
	return ok && b.key != "" && b.key == other.key
}
func (b *broadcast) Message() []byte { return b.payload }
func (b *broadcast) Finished()       {}

// delegate carries payloads and meta. No user state travels in push/pull:
// that is not a delta and is capped; the caller compares digests instead.
type delegate struct{ g *Gossip }

func (d delegate) NodeMeta(int) []byte { return *d.g.meta.Load() }
func (d delegate) NotifyMsg(b []byte) {
	if len(b) > MaxBroadcast || !d.g.seen.first(b, time.Now()) {
		return
	}
	b = slices.Clone(b)
	d.g.broadcasts.QueueBroadcast(&broadcast{payload: b})
	d.g.inbox.put(b)
}
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.g.broadcasts.GetBroadcasts(overhead, limit)
}
func (d delegate) LocalState(bool) []byte        { return nil }
func (d delegate) MergeRemoteState([]byte, bool) {}
