package stream

import (
	"context"
	"encoding/binary"
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

// LinkState is how far a replica's own link has come.
type LinkState uint8

// The states of a link, in the order it takes them.
const (
	LinkDown      LinkState = iota // not connected
	LinkHandshake                  // connected, waiting for the primary's decision
	LinkSyncing                    // a full sync is under way
	LinkStreaming                  // records come as they are written: "up"
)

func (s LinkState) String() string {
	return [...]string{"connect", "handshake", "sync", "connected"}[s]
}

// Status is what a replica knows of its link to the primary.
type Status struct {
	State      LinkState
	Offset     log.LSN   // end of this log
	PrimaryEnd log.LSN   // of the primary's, as last heard
	LastIO     time.Time // last byte from the primary; zero: never
	// DataTime is the last moment at which this replica was in touch with the
	// primary and streaming: how old its data may be. Zero: never.
	DataTime  time.Time
	DownSince time.Time // zero while streaming

	SyncTotal, SyncRead int64 // bytes of the full sync under way
	LastSyncIO          time.Time

	FullSyncs, PartialSyncs uint64
	Err                     error // why the last connection ended
}

// FollowerOptions configure a Follower. Node, Shard, Store and Now are required.
type FollowerOptions struct {
	Node  cluster.ID // this one
	Shard cluster.ID
	Of    cluster.ID // the primary, for log lines
	Term  uint64     // the term it is expected to have, at least
	Store Store
	FS    vfs.FS // nil: the operating system's; the store's must be the same
	Now   Clock

	Timeout time.Duration // silence that ends a connection; 0: DefaultTimeout
	Beat    time.Duration // 0: DefaultBeat
	Retry   time.Duration // longest wait between two connections; 0: one second
	// OnChange is called, from the Follower's goroutine, when the link came up
	// or went down. It must not block.
	OnChange func()
	Logf     func(level byte, format string, args ...any)

	mutant mutants
}

// Follower keeps this node's store equal to a primary's. One at a time may run
// on a store, and nothing else may write to it meanwhile.
type Follower struct {
	o  FollowerOptions
	mu sync.Mutex
	st Status

	applied  atomic.Uint64 // LSN
	lastBeat atomic.Uint64
}

// NewFollower returns a Follower that is not connected.
func NewFollower(o FollowerOptions) *Follower {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Beat == 0 {
		o.Beat = DefaultBeat
	}
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	if o.Logf == nil {
		o.Logf = func(byte, string, ...any) {}
	}
	f := &Follower{o: o}
	f.st.DownSince = o.Now()
	return f
}

// Status returns the state of now. It may be called from any goroutine.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.st
	s.Offset = f.o.Store.Log().End()
	return s
}

func (f *Follower) update(change func(*Status)) {
	f.mu.Lock()
	was := f.st.State
	change(&f.st)
	now := f.st.State
	f.mu.Unlock()
	if f.o.OnChange != nil && (was == LinkStreaming) != (now == LinkStreaming) {
		f.o.OnChange()
	}
}

// heard takes note of a sign of life.
func (f *Follower) heard() {
	now := f.o.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st.LastIO = now
	switch f.st.State {
	case LinkStreaming:
		f.st.DataTime = now
	case LinkSyncing:
		f.st.LastSyncIO = now
	}
}

// Run follows over connections that dial opens, one after the other, until ctx
// ends; it returns ctx's error. Between failures it waits, longer each time.
func (f *Follower) Run(ctx context.Context, dial func(context.Context) (net.Conn, error)) error {
	const firstWait = 20 * time.Millisecond
	for wait := firstWait; ; wait = min(2*wait, f.o.Retry) {
		conn, err := dial(ctx)
		if err == nil {
			before := f.Status()
			err = f.Follow(ctx, conn)
			if after := f.Status(); after.FullSyncs+after.PartialSyncs > before.FullSyncs+before.PartialSyncs {
				wait = firstWait // it worked for a while
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.update(func(s *Status) { s.Err = err })
		f.o.Logf('#', "Connection with primary %s: %v", short(f.o.Of), err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// Follow follows over one connection, which it closes, until that or ctx ends.
// The error says why it ended and is never nil. When it has returned nothing is
// applied any more.
func (f *Follower) Follow(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c := &pursuit{Follower: f, link: newLink(conn, f.o.Now, f.o.Timeout)}
	f.update(func(s *Status) { s.State = LinkHandshake })
	var beats sync.WaitGroup
	err := c.hello()
	if err == nil {
		beats.Add(1)
		go func() {
			defer beats.Done()
			c.beat(ctx, cancel)
		}()
		err = c.run()
	}
	cancel()
	conn.Close()
	beats.Wait()
	now := f.o.Now()
	f.update(func(s *Status) {
		if s.State == LinkStreaming {
			s.DownSince = now
		}
		s.State, s.SyncTotal, s.SyncRead, s.Err = LinkDown, 0, 0, err
	})
	return err
}

// pursuit is one connection to the primary.
type pursuit struct {
	*Follower
	link    *link
	started bool // the primary sends records
	unacked int  // bytes of records applied since the last ack
}

// hello tells the primary where this log ends, and of which checkpoint there is
// already a part.
func (c *pursuit) hello() error {
	l := c.o.Store.Log()
	tip := l.Tip()
	// What was not written yet would be lost with this process: it is not held.
	if err := l.Wait(tip.LSN, log.Written); err != nil {
		return err
	}
	c.applied.Store(uint64(tip.LSN)) // what is in the log is in the rows
	h := hello{version: protocolVersion, node: c.o.Node, shard: c.o.Shard, term: c.o.Term, position: tip}
	if dir, err := c.o.Store.NextStoreDir(); err == nil {
		h.checkpoint, _ = c.partOf(dir)
	}
	return c.link.write(frameHello, h.append, nil)
}

// ackAtLeast is after how many bytes of records an acknowledgement is sent
// although more records are here.
const ackAtLeast = 1 << 20

// run reads what the primary sends.
func (c *pursuit) run() error {
	for {
		kind, body, err := c.link.read()
		if err != nil {
			return err
		}
		c.heard()
		switch kind {
		case frameBeat:
			err = c.takeBeat(body)
		case frameContinue:
			err = c.begin(body)
		case frameRecords:
			err = c.apply(body)
		case frameSideFile:
			err = c.takeSideFile(body)
		case frameFull:
			if err = c.fullSync(body); err == nil {
				c.started = false
				err = c.hello()
			}
		case frameRefused:
			return parseRefused(body)
		default:
			return fmt.Errorf("%w: %q from a primary", errFrame, kind)
		}
		// One acknowledgement for all records that are here already; whatever
		// frame is the last of them.
		if err == nil && c.unacked > 0 && (c.link.idle() || c.unacked >= ackAtLeast) {
			err = c.ack()
		}
		if err != nil {
			return err
		}
	}
}

func (c *pursuit) takeBeat(body []byte) error {
	var b beat
	if err := b.decode(body); err != nil {
		return err
	}
	c.lastBeat.Store(b.timeMS)
	c.mu.Lock()
	c.st.PrimaryEnd = b.end
	c.mu.Unlock()
	return nil
}

func (c *pursuit) begin(body []byte) error {
	if len(body) != 8 {
		return fmt.Errorf("%w: continue", errFrame)
	}
	if term := binary.LittleEndian.Uint64(body); term < c.o.Term && !c.o.mutant.anyTerm {
		return fmt.Errorf("stream: the primary has term %d, %d is expected", term, c.o.Term)
	}
	c.started = true
	now := c.o.Now()
	c.update(func(s *Status) {
		if s.State == LinkHandshake {
			s.PartialSyncs++
		}
		s.State, s.DownSince, s.DataTime, s.Err = LinkStreaming, time.Time{}, now, nil
	})
	c.o.Logf('*', "PRIMARY <-> REPLICA sync: streaming from offset %d", c.o.Store.Log().End())
	return c.ack()
}

// apply applies the records of one frame.
func (c *pursuit) apply(body []byte) error {
	if !c.started {
		return fmt.Errorf("%w: records before continue", errFrame)
	}
	for rest := body; len(rest) > 0; {
		n, err := log.RecordLen(rest)
		if err != nil {
			return err
		}
		if n == 0 || n > len(rest) {
			return fmt.Errorf("%w: records", errFrame)
		}
		lsn, err := c.o.Store.ApplyRecord(rest[:n])
		if err != nil {
			return fmt.Errorf("apply the record after %d: %w", c.o.Store.Log().End(), err)
		}
		c.applied.Store(uint64(lsn))
		rest = rest[n:]
	}
	c.unacked += len(body)
	return nil
}

// ack brings what was applied to the level that this node's policy asks for,
// and says so.
func (c *pursuit) ack() error {
	c.unacked = 0
	l := c.o.Store.Log()
	level := log.Written
	if l.Policy() == log.Always {
		level = log.Synced
	}
	if c.o.mutant.ackAtOnce {
		a := ack{written: l.End(), synced: l.End(), applied: l.End()}
		return c.link.write(frameAck, a.append, nil)
	}
	if err := l.Wait(l.End(), level); err != nil {
		return err
	}
	return c.sendAck()
}

func (c *pursuit) sendAck() error {
	l := c.o.Store.Log()
	a := ack{written: l.Reached(log.Written), synced: l.Reached(log.Synced), applied: log.LSN(c.applied.Load()), echo: c.lastBeat.Load()}
	return c.link.write(frameAck, a.append, nil)
}

// beat acknowledges what is there at every beat, for the primary must hear of
// this node also when nothing is written.
func (c *pursuit) beat(ctx context.Context, end func()) {
	ticker := time.NewTicker(c.o.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := c.sendAck(); err != nil {
				end()
				return
			}
		}
	}
}

// errShortSync is the end of a full sync whose files are not what was announced.
var errShortSync = errors.New("stream: the primary sent another file than announced")
