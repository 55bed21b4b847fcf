package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/cluster"
	"cobble/storage/log"
)

// SourceOptions configure a Source. Shard, Store, Dir, Now and Term are
// required.
type SourceOptions struct {
	Shard func() cluster.ID // of this node, now
	Term  func() uint64     // in which this node is primary, now; 0 if it is none
	Store Store
	FS    vfs.FS // nil: the operating system's; the store's must be the same
	Dir   string // checkpoints are kept here; on the same file system as the store
	Now   Clock

	Timeout time.Duration // silence that ends a connection; 0: DefaultTimeout
	Beat    time.Duration // 0: DefaultBeat
	Keep    time.Duration // how long a checkpoint waits for a replica to come back; 0: DefaultKeep
	// Pace is called after so many bytes of a full copy were sent, and returns when
	// more may be. Nil: at once.
	Pace func(n int)
	// Logf writes a line; level as in Redis: '.', '-', '*', '#'. Nil: none.
	Logf func(level byte, format string, args ...any)

	mutant mutants
}

// Source serves the replicas of this node. All methods may be called from any
// goroutine.
type Source struct {
	o     SourceOptions
	cps   checkpoints
	peers peers
	stats sourceStats
}

type sourceStats struct{ full, partialOK, partialErr atomic.Uint64 }

// SourceStats are for INFO (sync_full, sync_partial_ok, sync_partial_err).
type SourceStats struct{ Full, PartialOK, PartialErr uint64 }

// NewSource returns a Source. A checkpoint that an earlier process left in Dir
// is kept if it is still of use.
func NewSource(o SourceOptions) (*Source, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Beat == 0 {
		o.Beat = DefaultBeat
	}
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.Logf == nil {
		o.Logf = func(byte, string, ...any) {}
	}
	s := &Source{o: o}
	s.peers.countOffline = o.mutant.countOffline
	s.cps.store, s.cps.fs, s.cps.dir, s.cps.keep = o.Store, o.FS, o.Dir, o.Keep
	s.cps.logf = func(format string, args ...any) { o.Logf('#', format, args...) }
	if err := s.cps.adopt(); err != nil {
		return nil, fmt.Errorf("stream: checkpoints in %s: %w", o.Dir, err)
	}
	return s, nil
}

// Stats returns the figures of now.
func (s *Source) Stats() SourceStats {
	return SourceStats{s.stats.full.Load(), s.stats.partialOK.Load(), s.stats.partialErr.Load()}
}

// DisconnectAll ends every connection, as when this node is primary no more.
func (s *Source) DisconnectAll() { s.peers.endAll(false) }

// Close ends every connection; the Source must not be used any more.
func (s *Source) Close() {
	s.cps.close()
	s.peers.endAll(true)
}

// Serve serves the replica at the other end of conn, which is from if that is
// known, until the connection or ctx ends. It closes conn. The error says why
// it ended and is never nil.
func (s *Source) Serve(ctx context.Context, conn net.Conn, from cluster.ID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	ss := &session{Source: s, link: newLink(conn, s.o.Now, s.o.Timeout), from: from, end: cancel, round: s.peers.now()}
	err := ss.run(ctx)
	if ss.checkpoint != nil {
		s.cps.release(ss.checkpoint)
	}
	if ss.peer != nil {
		s.peers.remove(ss.peer)
		s.o.Logf('#', "Connection with replica %s lost. (%v)", short(ss.peer.Node), err)
	}
	return err
}

var errDisconnected = errors.New("stream: this node's role changed while the replica connected")

// session is one connection of a replica.
type session struct {
	*Source
	link       *link
	from       cluster.ID
	end        context.CancelFunc
	round      uint64 // of peers, when it began
	peer       *peer
	hello      hello
	checkpoint *checkpoint // held while its files, or the records behind it, are needed
}

func (ss *session) run(ctx context.Context) error {
	kind, body, err := ss.link.read()
	if err != nil {
		return err
	}
	if kind != frameHello {
		return fmt.Errorf("%w: %q before hello", errFrame, kind)
	}
	if err := ss.greet(body); err != nil {
		return err
	}
	ss.peer = ss.peers.add(ss.round, ss.hello.node, ss.link.conn.RemoteAddr().String(), ss.o.Now(), ss.end)
	if ss.peer == nil { // what greet has looked at is not so any more
		return errDisconnected
	}
	ss.o.Logf('*', "Replica %s asks for synchronization", short(ss.hello.node))
	var beats sync.WaitGroup
	beats.Add(1)
	go func() {
		defer beats.Done()
		ss.beat(ctx)
	}()
	defer beats.Wait()
	defer ss.end()
	for {
		position := ss.hello.position
		err := ss.o.Store.Log().Follows(position)
		if ss.o.mutant.continueAlways {
			err = nil
		}
		switch {
		case err == nil:
			if ss.checkpoint == nil {
				ss.stats.partialOK.Add(1)
				ss.o.Logf('*', "Partial resynchronization request from %s accepted. Sending records starting from offset %d.", short(ss.hello.node), position.LSN)
			}
			return ss.stream(ctx)
		case errors.Is(err, log.ErrTruncated), errors.Is(err, log.ErrBeyondEnd), errors.Is(err, log.ErrDiverged):
			ss.stats.partialErr.Add(1)
			ss.o.Logf('*', "Full resync requested by replica %s (its offset %d: %v)", short(ss.hello.node), position.LSN, err)
		default:
			return errors.Join(err, ss.link.refuse(ReasonInternal, "the primary's log: %v", err))
		}
		if err := ss.fullSync(); err != nil {
			return err
		}
	}
}

// greet checks a hello.
func (ss *session) greet(body []byte) error {
	h := &ss.hello
	if err := h.decode(body); err != nil {
		return err
	}
	term, shard := ss.o.Term(), ss.o.Shard()
	switch {
	case h.version != protocolVersion:
		return ss.link.refuse(ReasonVersion, "this primary speaks version %d of replication, not %d; upgrade replicas last", protocolVersion, h.version)
	case !ss.from.IsZero() && h.node != ss.from:
		return ss.link.refuse(ReasonInternal, "the connection is of node %s, the hello of %s", short(ss.from), short(h.node))
	case h.shard != shard:
		return ss.link.refuse(ReasonShard, "this node is of shard %s, not %s", short(shard), short(h.shard))
	case term == 0:
		return ss.link.refuse(ReasonNotPrimary, "this node is no primary")
	case h.term > term && !ss.o.mutant.anyTerm:
		return ss.link.refuse(ReasonOldTerm, "term %d is expected, this primary has %d", h.term, term)
	}
	return nil
}

// beat sends the time and the end of the log until ctx ends, and ends the
// connection when this node is primary no more.
func (ss *session) beat(ctx context.Context) {
	ticker := time.NewTicker(ss.o.Beat)
	defer ticker.Stop()
	for {
		term := ss.o.Term()
		if term == 0 {
			ss.end()
			return
		}
		// A record for which nobody waits (a sweeper's, say) reaches replicas too.
		end := ss.o.Store.Log().End()
		ss.o.Store.Log().Park(end, log.Written, func(error) {})
		b := beat{timeMS: uint64(ss.o.Now().UnixMilli()), end: ss.o.Store.Log().Reached(log.Written), term: term}
		if err := ss.link.write(frameBeat, b.append, nil); err != nil {
			ss.end()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
