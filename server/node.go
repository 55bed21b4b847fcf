package server

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"cobble/cluster"
	"cobble/cluster/driver"
	"cobble/server/command"
	"cobble/server/config"
	"cobble/slots"
)

// node is this server's part in a cluster: the driver, and what it asks of the
// server.
type node struct {
	srv    *Server
	driver *driver.Driver
	repl   *replication
	tasks  chan func()   // what the machine wants done to the data, in order
	lost   slots.Set     // whose keys are to be deleted once writes are let in again; of the tasks
	ready  chan struct{} // closed when driver is set, or will not be
	done   chan struct{}

	configured pokes // a setting that the machine obeys has changed
}

// taskQueue bounds the tasks that wait. The machine decides slowly; a longer
// queue means that the store hangs, and then waiting is all that is left.
const taskQueue = 4096

// joinCluster starts the cluster's part. The store is open, no client is served yet.
func (s *Server) joinCluster() error {
	if !s.settings.Bool("cluster-enabled") {
		return nil
	}
	n := &node{srv: s, tasks: make(chan func(), taskQueue), ready: make(chan struct{}), done: make(chan struct{}), configured: make(pokes, 1)}
	s.env.Engine.SetFollower(true) // until the machine has said what this node is
	options, err := s.clusterOptions()
	if err == nil {
		n.repl, err = newReplication(n)
	}
	go n.work()
	if err == nil {
		s.noteTrust(options)
		options.Hooks = n.hooks()
		n.driver, err = driver.Start(options)
	}
	close(n.ready)
	if err != nil {
		close(n.tasks)
		<-n.done
		return err
	}
	s.node = n
	s.env.Cluster = n.commands()
	s.env.Replication, s.env.WaitReplicas = n.repl.info, n.repl.wait
	for _, name := range machineSettings {
		s.settings.Watch(name, func(config.Value) error {
			n.configured.poke()
			return nil
		})
	}
	go n.configured.serve(n.done, func() { n.driver.Configure(s.clusterSettings()) })
	return nil
}

// pokes has one goroutine do something again after each poke: what it reads then is
// what was there at the last poke or later, never an older state after a newer one.
type pokes chan struct{}

func (p pokes) poke() {
	select {
	case p <- struct{}{}:
	default: // one is waiting, and will see this too
	}
}

func (p pokes) serve(done <-chan struct{}, do func()) {
	for {
		select {
		case <-p:
			do()
		case <-done:
			return
		}
	}
}

// machineSettings are the settings the cluster obeys from the moment they change.
var machineSettings = []string{
	"cluster-node-timeout", "cluster-trust-refused", "cluster-announce-ip", "cluster-announce-port", "cluster-announce-hostname",
	"cluster-preferred-endpoint-type", "cluster-replica-validity-factor", "cluster-migration-barrier",
	"cluster-allow-replica-migration", "cluster-replica-no-failover", "cluster-require-full-coverage",
	"cluster-allow-reads-when-down", "cluster-allow-pubsubshard-when-down", "repl-ping-replica-period",
}

func (s *Server) clusterOptions() (driver.Options, error) {
	port, bus := int(s.settings.Int("port")), int(s.settings.Int("cluster-port"))
	if bus == 0 {
		bus = port + 10000
		if bus > 65535 {
			return driver.Options{}, &driver.StartError{Text: "Redis port number too high. Cluster communication port, " + strconv.Itoa(10000) +
				" port numbers higher than your Redis port. Your Redis port number must be 55535 or less."}
		}
	}
	return driver.Options{
		Dir: s.settings.Text("dir"), ConfigFile: s.settings.Text("cluster-config-file"),
		Bind: busAddresses(s.settings.Words("bind")), BusPort: bus,
		Secret: []byte(s.settings.Text("cluster-secret")), TrustRemote: s.settings.Bool("cluster-trust-network"),
		BulkLimit: int(s.settings.Int("cluster-link-sendbuf-limit")),
		Settings:  s.clusterSettings(),
	}, nil
}

// noteTrust says whom the bus believes, where that may surprise.
func (s *Server) noteTrust(o driver.Options) {
	remote := len(o.Bind) == 0
	for _, host := range o.Bind {
		ip := net.ParseIP(host)
		remote = remote || ip == nil || !ip.IsLoopback()
	}
	switch {
	case len(o.Secret) > 0 || !remote:
	case o.TrustRemote:
		s.log.Printf(Warning, "WARNING: cluster-trust-network is on and no cluster-secret is set: whoever reaches the cluster bus port is believed.")
	default:
		s.log.Printf(Notice, "No cluster-secret is set: the cluster bus talks to nodes on this host only, by loopback addresses. "+
			"For a cluster of several hosts give all its nodes the same cluster-secret.")
	}
}

// busAddresses turns the bind setting into addresses of the bus. An address
// that may be missing is left out if it is.
func busAddresses(words []string) []string {
	var out []string
	for _, word := range words {
		host, optional := strings.CutPrefix(word, "-")
		switch host {
		case "*":
			host = "0.0.0.0"
		case "::*":
			host = "::"
		}
		if ip := net.ParseIP(host); ip == nil {
			if found, err := net.LookupIP(host); err == nil && len(found) > 0 {
				host = found[0].String()
			}
		}
		if optional && !canBind(host) {
			continue
		}
		out = append(out, host)
	}
	return out
}

func canBind(host string) bool {
	network := "tcp4"
	if strings.Contains(host, ":") {
		network = "tcp6"
	}
	l, err := net.Listen(network, net.JoinHostPort(host, "0"))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func (s *Server) clusterSettings() driver.Settings {
	announced := func(name string, otherwise int64) uint16 {
		if n := s.settings.Int(name); n != 0 {
			return uint16(n)
		}
		return uint16(otherwise)
	}
	bus := s.settings.Int("cluster-port")
	if bus == 0 {
		bus = s.settings.Int("port") + 10000
	}
	c := cluster.DefaultConfig(cluster.Addr{
		IP:      s.settings.Text("cluster-announce-ip"),
		Port:    announced("cluster-announce-port", s.settings.Int("port")),
		BusPort: announced("cluster-announce-bus-port", bus),
	})
	c.Hostname = s.settings.Text("cluster-announce-hostname")
	c.NodeTimeout = cluster.Duration(s.settings.Int("cluster-node-timeout"))
	c.RequireFullCoverage = s.settings.Bool("cluster-require-full-coverage")
	c.AllowReplicaMigration = s.settings.Bool("cluster-allow-replica-migration")
	c.MigrationBarrier = int(s.settings.Int("cluster-migration-barrier"))
	c.ReplicaValidityFactor = int(s.settings.Int("cluster-replica-validity-factor"))
	c.ReplPingPeriod = cluster.Duration(1000 * s.settings.Int("repl-ping-replica-period"))
	c.NoFailover = s.settings.Bool("cluster-replica-no-failover")
	c.TrustRefused = s.settings.Bool("cluster-trust-refused")
	return driver.Settings{
		Machine: c, Endpoint: s.settings.Text("cluster-preferred-endpoint-type"),
		ReadsWhenDown:  s.settings.Bool("cluster-allow-reads-when-down"),
		PubSubWhenDown: s.settings.Bool("cluster-allow-pubsubshard-when-down"),
	}
}

// work does to the data what the machine decided, in its order and off its goroutine.
func (n *node) work() {
	defer close(n.done)
	<-n.ready
	for task := range n.tasks {
		if n.driver != nil { // else the start has failed
			task()
		}
	}
}

func (n *node) hooks() driver.Hooks {
	s := n.srv
	return driver.Hooks{
		Publish: func(_ *cluster.View, route *slots.View) {
			demoted := s.env.View.Load().Primary == slots.NoNode && route.Primary != slots.NoNode
			s.env.View.Store(route)
			if demoted {
				s.env.EndWaits() // they hear of that, not of where their slots are now
			}
			s.env.Reroute()
			s.env.Broker.DropShards(route)
			s.env.SlotStats.Follow(route)
			s.env.Tracking.DropSlots(route)
		},
		Cast:  n.received,
		Serve: func(until time.Time) { s.env.ServeUntil.Store(until.UnixMilli()) },
		BecomePrimary: func(b cluster.BecomePrimary) {
			s.log.SetRole('M')
			n.tasks <- func() { n.repl.becomePrimary(b) }
		},
		BecomeReplica: func(b cluster.BecomeReplica) {
			s.log.SetRole('S')
			n.tasks <- func() { n.repl.becomeReplica(b) }
		},
		DropSlots: func(set slots.Set) { n.tasks <- func() { n.drop(set) } },
		FlushData: func() {
			n.tasks <- func() {
				n.repl.leave()
				n.flush(slots.Full())
			}
		},
		PauseWrites:  func(until time.Time, paused func(uint64)) { n.tasks <- func() { n.repl.hold(until, paused) } },
		ResumeWrites: func() { n.tasks <- n.repl.resume },
		Position:     n.repl.position,
		Stream: func(from cluster.ID, _ []byte, conn net.Conn) {
			<-n.ready
			n.repl.serve(from, conn)
		},
		Log:   func(level byte, line string) { s.log.Printf(levelOf(level), "%s", line) },
		Fatal: func(error) { s.askToStop(command.ShutdownRequest{NoSave: true, Now: true}) },
	}
}

// drop deletes the keys of slots that this node has lost. While the log takes no
// writes of its own, for a manual failover, it keeps them in mind.
func (n *node) drop(set slots.Set) {
	if n.srv.env.Engine.Follower() {
		n.lost.Union(&set)
		return
	}
	n.flush(set)
}

// dropLost deletes what drop could not, but for slots that have come back meanwhile.
func (n *node) dropLost() {
	set := n.lost
	n.lost = slots.Set{}
	if own := n.driver.View().Myself().Slots; own != nil {
		set.Subtract(own)
	}
	if !set.Empty() {
		n.flush(set)
	}
}

func (n *node) flush(set slots.Set) {
	now := time.Now().UnixMilli()
	if _, err := n.srv.env.Engine.FlushSlots(now, set); err != nil {
		n.srv.log.Printf(Warning, "Dropping the keys of slots %s: %v", set.String(), err)
		return
	}
	n.srv.env.Engine.SignalGone(now, &set)
}

func levelOf(mark byte) Level {
	switch mark {
	case '.':
		return Debug
	case '-':
		return Verbose
	case '#':
		return Warning
	}
	return Notice
}

// commands is what the CLUSTER commands are given.
func (n *node) commands() *command.Cluster {
	d := n.driver
	return &command.Cluster{
		View: d.View, FreshView: d.FreshView, Do: d.Do, Cut: d.Cut, Cast: n.cast,
		Links: func() (out []command.ClusterLink) {
			for _, l := range d.Links() {
				out = append(out, command.ClusterLink{ToPeer: l.ToPeer, ID: l.ID, Created: l.Created.UnixMilli(), Allocated: l.Allocated})
			}
			return out
		},
		Messages: func() (out []command.ClusterMessages) {
			for _, m := range d.Messages() {
				out = append(out, command.ClusterMessages(m))
			}
			return out
		},
	}
}

// leaveCluster stops the driver and finishes what it has decided.
func (s *Server) leaveCluster() {
	if s.node == nil {
		return
	}
	s.node.driver.Close()
	close(s.node.tasks)
	<-s.node.done
	s.node.repl.close()
}

// startReason is how an error of the cluster's start reads in the log.
func startReason(err error) string {
	var e *driver.StartError
	if errors.As(err, &e) {
		return e.Text
	}
	return err.Error()
}

// The kinds of casts.
const (
	castMessage      = 'P' // a message of PUBLISH
	castShardMessage = 'S' // of SPUBLISH
)

// cast sends a published message to every other node, or to those of this shard.
func (n *node) cast(shard bool, message []byte) {
	view := n.driver.View()
	kind := byte(castMessage)
	if shard {
		kind = castShardMessage
	}
	mine := &view.Nodes[view.Self]
	for i := range view.Nodes {
		other := &view.Nodes[i]
		if i == view.Self || other.Handshake || shard && other.Shard != mine.Shard {
			continue
		}
		n.driver.Cast(other.ID, kind, message)
	}
}

// received takes a message that another node published.
func (n *node) received(_ cluster.ID, kind byte, body []byte) {
	channel, message, ok := command.DecodeCast(body)
	if !ok || kind != castMessage && kind != castShardMessage {
		return
	}
	n.srv.env.Broker.Publish(kind == castShardMessage, channel, message)
}
