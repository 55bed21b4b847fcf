package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cobble/cluster"
	"cobble/cluster/stream"
	"cobble/server/command"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/log"
)

// replication is this node's part in its shard: the source of its replicas'
// data, or the follower of its primary. Its role changes one after the other,
// as tasks of the node; the rest may be called from any goroutine.
type replication struct {
	srv    *Server
	node   *node
	source *stream.Source
	term   atomic.Uint64 // in which this node is primary; 0: it is none
	held   atomic.Bool   // writes are held back for a manual failover

	mu       sync.Mutex
	follower *stream.Follower // nil on a primary
	deposed  chan struct{}    // closed when this node is not a primary any more
	of       cluster.BecomeReplica
	stop     context.CancelFunc
	done     chan struct{} // closed when the follower has ended
}

func newReplication(n *node) (*replication, error) {
	s := n.srv
	r := &replication{srv: s, node: n, deposed: make(chan struct{})}
	var err error
	r.source, err = stream.NewSource(stream.SourceOptions{
		Shard: r.shard, Term: r.term.Load, Store: s.env.Engine, Dir: filepath.Join(s.settings.Text("dir"), "checkpoints"),
		Now: time.Now, Timeout: s.replTimeout(), Logf: r.logf, Pace: func(n int) { s.transfers.pace(n, s.stopCron) },
	})
	return r, err
}

func (s *Server) replTimeout() time.Duration {
	return time.Duration(s.settings.Int("repl-timeout")) * time.Second
}

func (r *replication) logf(level byte, format string, args ...any) {
	r.srv.log.Printf(levelOf(level), format, args...)
}

func (r *replication) shard() cluster.ID {
	return r.node.driver.View().Myself().Shard
}

// becomePrimary ends the following, begins a term in the log, and only then
// lets writes in: no two histories share a term and a position.
func (r *replication) becomePrimary(b cluster.BecomePrimary) {
	r.endFollowing()
	engine := r.srv.env.Engine
	number := max(b.Term, engine.Log().Term().Number+1) // a restart keeps its term, but not the history
	var id log.ReplID
	_, _ = rand.Read(id[:])
	if _, err := engine.AppendTerm(time.Now().UnixMilli(), number, id); err != nil {
		r.logf('#', "Cannot begin term %d in the log: %v", number, err)
		if !errors.Is(err, storage.ErrClosed) {
			// The cluster takes this node for a primary, and it could never write: another has to take its place.
			r.srv.askToStop(command.ShutdownRequest{NoSave: true, Now: true})
		}
		return
	}
	r.srv.env.Followers.CutAll("this node has become a primary")
	r.mu.Lock()
	if r.isDeposed() {
		r.deposed = make(chan struct{})
	}
	r.mu.Unlock()
	r.term.Store(max(b.Term, 1))
	r.release()
	engine.SetFollower(false)
	r.node.dropLost()
}

// isDeposed is called with mu held.
func (r *replication) isDeposed() bool {
	select {
	case <-r.deposed:
		return true
	default:
		return false
	}
}

// becomeReplica stops writes and follows b.Of.
func (r *replication) becomeReplica(b cluster.BecomeReplica) {
	r.mu.Lock()
	same := r.follower != nil && r.of.Of == b.Of && r.of.Shard == b.Shard && r.of.Term == b.Term
	r.of = b
	if !r.isDeposed() {
		close(r.deposed)
	}
	r.mu.Unlock()
	if same {
		return // a new address: the next connection is made to it
	}
	r.endFollowing()
	r.term.Store(0)
	r.source.DisconnectAll()
	r.srv.env.Followers.CutAll("this node has become a replica")
	r.srv.env.Engine.SetFollower(true)
	r.node.lost = slots.Set{} // the data is the primary's from now on
	r.srv.env.EndWaits()
	r.release()
	s := r.srv
	f := stream.NewFollower(stream.FollowerOptions{
		Node: r.node.driver.View().Myself().ID, Shard: b.Shard, Of: b.Of, Term: b.Term, Store: s.env.Engine, Now: time.Now,
		Timeout: s.replTimeout(), OnChange: func() { r.node.driver.Report(r.position()) }, Logf: r.logf,
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	r.mu.Lock()
	r.follower, r.stop, r.done = f, stop, done
	r.mu.Unlock()
	r.logf('*', "Connecting to primary %s:%d", b.Addr.IP, b.Addr.Port)
	go func() {
		defer close(done)
		_ = f.Run(ctx, func(ctx context.Context) (net.Conn, error) { return r.dial(ctx, b.Of) })
	}()
}

// dial opens a connection to the primary, or gives up when ctx ends: a promotion
// does not wait for a primary that does not answer.
func (r *replication) dial(ctx context.Context, of cluster.ID) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	result := make(chan dialed, 1)
	go func() {
		conn, err := r.node.driver.DialStream(of, nil)
		result <- dialed{conn, err}
	}()
	select {
	case d := <-result:
		return d.conn, d.err
	case <-ctx.Done():
		go func() {
			if late := <-result; late.conn != nil {
				_ = late.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// endFollowing returns when nothing of a primary is applied any more.
func (r *replication) endFollowing() {
	r.mu.Lock()
	stop, done := r.stop, r.done
	r.follower, r.stop, r.done = nil, nil, nil
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
}

// hold stops writes for a manual failover and tells where the log ends.
func (r *replication) hold(until time.Time, paused func(offset uint64)) {
	r.held.Store(true)
	r.srv.env.Pause.Failover(until.UnixMilli())
	r.srv.env.Engine.SetFollower(true)
	paused(uint64(r.srv.env.Engine.Log().End()))
}

// release ends hold.
func (r *replication) release() {
	if r.held.Swap(false) {
		r.srv.env.Pause.EndFailover()
	}
}

// resume ends hold on a node that is still primary.
func (r *replication) resume() {
	if r.term.Load() != 0 {
		r.srv.env.Engine.SetFollower(false)
		r.node.dropLost()
	}
	r.release()
}

// leave ends the part in a shard; the store is this node's own.
func (r *replication) leave() {
	r.endFollowing()
	r.srv.env.Engine.SetFollower(false)
}

// serve gives a replica our data until its connection ends.
func (r *replication) serve(from cluster.ID, conn net.Conn) {
	_ = r.source.Serve(context.Background(), conn, from)
}

// close ends all connections.
func (r *replication) close() {
	r.endFollowing()
	r.source.Close()
}

func (r *replication) status() (stream.Status, cluster.BecomeReplica, bool) {
	r.mu.Lock()
	f, of := r.follower, r.of
	r.mu.Unlock()
	if f == nil {
		return stream.Status{}, of, false
	}
	return f.Status(), of, true
}

// position is what elections go by.
func (r *replication) position() cluster.Position {
	p := cluster.Position{Offset: uint64(r.srv.env.Engine.Log().End())}
	st, _, following := r.status()
	if !following {
		return p
	}
	p.LinkUp = st.State == stream.LinkStreaming
	if !st.DataTime.IsZero() {
		p.DataTime = r.node.driver.Now() - cluster.Time(time.Since(st.DataTime).Milliseconds())
	}
	return p
}

// info is what INFO replication and ROLE tell.
func (r *replication) info() command.Replication {
	engine, view := r.srv.env.Engine, r.node.driver.View()
	term := engine.Log().Term()
	out := command.Replication{
		Role: "master", Offset: uint64(engine.Log().End()), ReplID: hex.EncodeToString(term.ReplID[:]),
		ReplID2: strings.Repeat("0", 40), Offset2: -1,
	}
	now := time.Now()
	for _, p := range r.source.Peers() {
		replica := command.Replica{State: p.State.String(), Offset: uint64(p.Written), Lag: int64(now.Sub(p.LastAck).Seconds())}
		if n := view.Node(p.Node); n != nil {
			replica.IP, replica.Port = n.Addr.IP, int(n.Addr.Port)
		}
		out.Replicas = append(out.Replicas, replica)
	}
	out.MinSlaves = r.source.Good(now, r.maxLag())
	if view.Myself().IsPrimary() {
		return out
	}
	st, of, _ := r.status()
	out.Role, out.PrimaryHost, out.PrimaryPort = "slave", of.Addr.IP, int(of.Addr.Port)
	out.LinkUp, out.LinkState, out.SyncRunning = st.State == stream.LinkStreaming, st.State.String(), st.State == stream.LinkSyncing
	out.LastIO = -1
	if !st.LastIO.IsZero() {
		out.LastIO = int64(now.Sub(st.LastIO).Seconds())
	}
	out.LinkDownSecs = -1
	if !st.DownSince.IsZero() {
		out.LinkDownSecs = int64(now.Sub(st.DownSince).Seconds())
	}
	return out
}

func (r *replication) maxLag() time.Duration {
	return time.Duration(r.srv.settings.Int("min-replicas-max-lag")) * time.Second
}

// errNoReplicas refuses writes while min-replicas-to-write is not met.
const errNoReplicas command.Error = "NOREPLICAS Not enough good replicas to write."

// gate sets or lifts the refusal of min-replicas-to-write.
func (r *replication) gate(now time.Time) {
	var refusal *command.Error
	if want := int(r.srv.settings.Int("min-replicas-to-write")); want > 0 && r.term.Load() != 0 && r.source.Good(now, r.maxLag()) < want {
		e := errNoReplicas
		refusal = &e
	}
	r.srv.env.WriteGate.Store(refusal)
}

// wait is command.Env.WaitReplicas.
func (r *replication) wait(c *command.Call, replicas int, synced bool, timeoutMS int64, stop <-chan struct{}) (int, error) {
	lsn, level := c.Reached(), log.Written
	if synced {
		level = log.Synced
	}
	r.mu.Lock()
	deposed := r.deposed
	r.mu.Unlock()
	if err := r.srv.env.Engine.Await(lsn); err != nil && !errors.Is(err, storage.ErrClosed) {
		return 0, err
	}
	enough := make(chan int, 1)
	cancel := r.source.Park(lsn, replicas, level, func(count int) { enough <- count })
	var timeout <-chan struct{}
	if timeoutMS > 0 {
		timeout = after(timeoutMS)
	}
	select {
	case n := <-enough:
		return n, nil
	case <-timeout:
	case <-stop:
	case <-deposed:
		cancel()
		c.Client.Closing = true
		return 0, command.ErrDemoted
	}
	cancel()
	return r.source.Acked(lsn, level), nil
}
