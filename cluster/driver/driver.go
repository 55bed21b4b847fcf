package driver

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cobble/cluster"
	"cobble/gossip"
	"cobble/slots"
)

// Settings are what can be changed while the node runs.
type Settings struct {
	Machine cluster.Config
	// Endpoint is cluster-preferred-endpoint-type: ip, hostname or unknown-endpoint.
	Endpoint                      string
	ReadsWhenDown, PubSubWhenDown bool
}

// Options describe a node.
type Options struct {
	Dir        string   // data directory, exists
	ConfigFile string   // cluster-config-file, relative to Dir
	Bind       []string // IP literals to listen on; none: every interface
	BusPort    int      // 0: a free one
	Secret     []byte   // shared by the nodes; without it the bus talks to loopback only
	// TrustRemote lifts that restriction: whoever reaches the bus port is believed.
	TrustRemote bool
	BulkLimit   int // cluster-link-sendbuf-limit: bytes of publications that may wait for a peer, 0: default
	Settings    Settings
	Hooks       Hooks
}

// Hooks are what the server does for the cluster. All but Stream and Cast are
// called from the driver's goroutine, one after the other and in the order the
// machine decided; they must return at once and must not call Do. Unset hooks
// are skipped.
type Hooks struct {
	// Publish installs what this node believes: for CLUSTER commands, and for
	// the routing of every other one.
	Publish func(*cluster.View, *slots.View)

	// Serve says until when the published View may be believed; it is called
	// again long before. A process that was stopped for longer, or whose driver
	// hangs, must not serve by it: others may have taken its place meanwhile.
	Serve func(until time.Time)

	BecomePrimary func(cluster.BecomePrimary)
	BecomeReplica func(cluster.BecomeReplica)
	DropSlots     func(slots.Set)
	FlushData     func()
	// PauseWrites holds clients' writes back until the moment given or
	// ResumeWrites; once no write is executed any more it calls paused, from
	// any goroutine, with the end of the log.
	PauseWrites  func(until time.Time, paused func(offset uint64))
	ResumeWrites func()
	// Position reports the log and the replication link, every 100 ms.
	Position func() cluster.Position

	// Stream takes over a connection that a peer opened with DialStream. It
	// has a goroutine of its own and must close the connection.
	Stream func(from cluster.ID, header []byte, conn net.Conn)
	// Cast receives what a peer sent with Cast. Called from the goroutine of
	// that peer's connection, which waits.
	Cast func(from cluster.ID, kind byte, body []byte)

	// Log writes a line; level is '.', '-', '*' or '#' as redis-server prints
	// them. Called from any goroutine.
	Log func(level byte, line string)
	// Fatal reports that the machine's memory cannot be kept on disk any more.
	// The node must stop: the driver has sent its last message.
	Fatal func(error)
}

// mind is the machine, or a test's stand-in.
type mind interface {
	Step(cluster.Time, cluster.Event) []cluster.Effect
	Wake() cluster.Time
	View() *cluster.View
	Lease() cluster.Time
}

// Driver runs one node of a cluster. Its methods may be called from any
// goroutine, but not from hooks where that is said.
type Driver struct {
	options  Options
	settings atomic.Pointer[Settings]
	view     atomic.Pointer[cluster.View]
	identity atomic.Pointer[identity]
	stepped  atomic.Int64 // milliseconds of the clock at the last turn of the loop

	epoch time.Time // start of the process by the wall clock, with Go's monotonic part
	mind  mind
	bus   *bus
	port  *gossip.Port
	ring  *ring
	disk  *disk
	lock  *os.File

	inbox   chan cluster.Event
	asks    chan func()
	durable chan cluster.Token
	failed  chan error
	quit    chan struct{}
	ended   chan struct{}
	once    sync.Once
	probes  sync.WaitGroup

	// Of the loop's goroutine.
	synced   cluster.Token
	held     []cluster.Effect // wait for a token, in order
	local    []cluster.Event  // messages to itself, effects of effects
	commands map[uint64]chan<- cluster.Result
	sequence uint64
	replies  []cluster.Reply // of the effects being carried out
	busted   error           // a persist failed: nothing is carried out any more
}

const (
	inboxSize      = 1024
	positionPeriod = 100 * time.Millisecond
	closePatience  = 2 * time.Second // for the last save; a disk that hangs does not keep a node from stopping
	healthySpan    = 2 * time.Second // a loop that has not turned for so long does not answer pings
)

// Start locks and reads the node's files, opens the bus port and runs the
// machine. It returns when the first View has been published. The error is a
// *StartError where redis-server has words for it.
func Start(o Options) (*Driver, error) {
	d := newDriver(o)
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

func newDriver(o Options) *Driver {
	d := &Driver{
		options: o, epoch: time.Now(),
		inbox: make(chan cluster.Event, inboxSize), asks: make(chan func(), 64),
		durable: make(chan cluster.Token, 64), failed: make(chan error, 1),
		quit: make(chan struct{}), ended: make(chan struct{}),
		commands: map[uint64]chan<- cluster.Result{},
	}
	settings := o.Settings
	d.settings.Store(&settings)
	d.identity.Store(&identity{})
	d.stepped.Store(int64(d.now()))
	return d
}

func (d *Driver) open() (err error) {
	nodesPath := d.options.ConfigFile
	if !filepath.IsAbs(nodesPath) {
		nodesPath = filepath.Join(d.options.Dir, nodesPath)
	}
	if d.lock, err = lockFile(nodesPath); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.lock.Close()
		}
	}()
	var saved cluster.Persisted
	nodes, err := openNodes(nodesPath, realDisk{}, func(text string) { d.logf('#', "%s", text) })
	if err != nil {
		return err
	}
	saved.Nodes = nodes.conf
	acceptor, state, aside, err := openAcceptor(nodesPath+".acceptor", realDisk{})
	if err != nil {
		return &StartError{"Loading the acceptor file beside " + nodesPath + ": " + err.Error()}
	}
	if aside != "" {
		d.logf('#', "The acceptor file was damaged and is set aside as %s. This node will have to be admitted as an elector again.", aside)
	}
	saved.Acceptor = state
	if err := d.listen(); err != nil {
		_ = acceptor.close()
		return err
	}
	d.disk = startDisk(nodes, acceptor, d.tellDurable, d.tellFailed)
	settings := d.settings.Load()
	settings.Machine.Addr.BusPort = uint16(d.announcedBusPort())
	machine, effects := cluster.New(settings.Machine, saved, seed(), d.now())
	return d.begin(machine, effects)
}

// begin runs the loop and waits for the first view.
func (d *Driver) begin(m mind, effects []cluster.Effect) error {
	d.mind = m
	ready := make(chan struct{})
	go d.loop(effects, ready)
	select {
	case <-ready:
		return nil
	case <-d.ended:
		err := d.busted
		d.Close()
		return &StartError{fmt.Sprintf("Fatal: %v", err)}
	}
}

func (d *Driver) listen() error {
	d.bus = newBus(busConfig{
		secret: d.options.Secret, trustRemote: d.options.TrustRemote, bulkLimit: d.options.BulkLimit,
		me:      func() identity { return *d.identity.Load() },
		healthy: func() bool { return d.now()-cluster.Time(d.stepped.Load()) < cluster.Time(healthySpan.Milliseconds()) },
		deliver: d.deliver, stream: d.options.Hooks.Stream, cast: d.options.Hooks.Cast, logf: d.logf,
	})
	port, err := gossip.Listen(d.options.Bind, d.options.BusPort, rpcByte, d.bus.accept)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EACCES) {
			d.logf('#', "Could not create server TCP listening socket for the cluster bus: %v", err)
			return &StartError{fmt.Sprintf("Failed listening on port %d (cluster), aborting.", d.options.BusPort)}
		}
		return err
	}
	d.port = port
	port.Trust(d.bus.trusted)
	d.ring = newRing(d)
	return nil
}

// announcedBusPort is what other nodes are told: what was configured, or what was bound.
func (d *Driver) announcedBusPort() int {
	if p := d.options.Settings.Machine.Addr.BusPort; p != 0 {
		return int(p)
	}
	return d.port.Number()
}

func seed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Now is the machine's clock, see now.
func (d *Driver) Now() cluster.Time { return d.now() }

// now is the machine's clock: the wall clock at the start plus monotonic time
// since, so that it never steps back.
func (d *Driver) now() cluster.Time {
	return cluster.Time(d.epoch.UnixMilli() + time.Since(d.epoch).Milliseconds())
}

// at turns the machine's time into the runtime's.
func (d *Driver) at(t cluster.Time) time.Time {
	return d.epoch.Add(time.Duration(int64(t)-d.epoch.UnixMilli()) * time.Millisecond)
}

func (d *Driver) logf(level byte, format string, args ...any) {
	if d.options.Hooks.Log != nil {
		d.options.Hooks.Log(level, fmt.Sprintf(format, args...))
	}
}

// deliver puts an event into the inbox. It waits while the inbox is full, which
// holds the peer's connection back; the loop itself must use local instead.
func (d *Driver) deliver(e cluster.Event) {
	select {
	case d.inbox <- e:
	case <-d.quit:
	}
}

func (d *Driver) tellDurable(t cluster.Token) {
	select {
	case d.durable <- t:
	case <-d.ended:
	}
}

func (d *Driver) tellFailed(err error) {
	d.failed <- err // once, and it has room for one
}

// View returns what was last published: never nil after Start.
func (d *Driver) View() *cluster.View { return d.view.Load() }

// FreshView returns what the machine believes now, with the ping and pong times
// of this moment. It falls back on View when the driver is closing.
func (d *Driver) FreshView() *cluster.View {
	answer := make(chan *cluster.View, 1)
	select {
	case d.asks <- func() { answer <- d.mind.View() }:
	case <-d.ended:
		return d.View()
	}
	select {
	case v := <-answer:
		return v
	case <-d.ended:
		return d.View()
	}
}

// Error lines of commands that the driver does not answer.
const (
	errClosing = "ERR The node is shutting down"
	errGaveUp  = "ERR The client went away"
)

// Do runs a CLUSTER subcommand that changes state and waits for its result. It
// takes as long as a sync of nodes.conf does, and REPLICATE or FAILOVER no
// longer: they are answered when begun, as in Redis.
// It gives up when stop (which may be nil) is closed; the change may happen all
// the same.
func (d *Driver) Do(stop <-chan struct{}, admin cluster.Admin) cluster.Result {
	answer := make(chan cluster.Result, 1)
	ask := func() {
		d.sequence++
		d.commands[d.sequence] = answer
		d.local = append(d.local, cluster.Command{Number: d.sequence, Do: admin})
	}
	select {
	case d.asks <- ask:
	case <-stop:
		return cluster.Result{Err: errGaveUp}
	case <-d.ended:
		return cluster.Result{Err: errClosing}
	}
	select {
	case r := <-answer:
		return r
	case <-stop:
		return cluster.Result{Err: errGaveUp}
	case <-d.ended:
		return cluster.Result{Err: errClosing}
	}
}

// Configure applies changed settings.
func (d *Driver) Configure(s Settings) {
	ask := func() {
		s.Machine.Addr.BusPort = d.settings.Load().Machine.Addr.BusPort
		d.settings.Store(&s)
		d.local = append(d.local, cluster.Configure{Config: s.Machine})
		d.publish(d.view.Load()) // not the machine's: what it believes may still wait for the disk
	}
	select {
	case d.asks <- ask:
	case <-d.ended:
	}
}

// Report tells the machine of a change in replication at once, without waiting
// for the next call of Position.
func (d *Driver) Report(p cluster.Position) { d.deliver(p) }

// Close stops the node: nodes.conf is written, the connections are closed, the
// ring is left without a word, so that others notice as they do of any death.
func (d *Driver) Close() {
	d.once.Do(func() {
		// What the machine has learned and would save lazily is saved now.
		patience := make(chan struct{})
		timer := time.AfterFunc(closePatience, func() { close(patience) })
		d.Do(patience, cluster.SaveConfig{})
		timer.Stop()
		close(d.quit)
		<-d.ended
		d.ring.close()
		d.bus.close()
		_ = d.port.Close()
		d.probes.Wait()
		d.disk.close()
		_ = d.lock.Close()
	})
}
