package psync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/effect"
	"cobble/storage/log"
)

// stream is what one follower is sent after its file: a copy of the log's effects, in bytes that have offsets. It
// outlives a connection.
type stream struct {
	id     string
	src    *Source
	tr     *effect.Translator
	reader *log.Reader
	pin    *log.Pin
	offset int64 // of the last byte that was made
	kept   backlog
	user   *follower     // who is sent it; guarded by src.mu
	idle   chan struct{} // closed when user has left; guarded by src.mu
	left   time.Time     // when user has left; guarded by src.mu
	expire func() bool   // stops the timer of a stream without user; guarded by src.mu
}

// newStream begins a stream at the position of a view.
func (s *Source) newStream(id string, snap *storage.Snapshot) (*stream, error) {
	all, err := snap.AllCounters()
	if err != nil {
		return nil, err
	}
	tr, err := effect.New(s.Shared, s.Codes, func(slot slots.Slot) (int64, uint64, error) {
		return all[slot].Keys, all[slot].NextOID, nil
	})
	if err != nil {
		return nil, err
	}
	st := &stream{id: id, src: s, tr: tr, offset: int64(snap.LSN)}
	st.reader, st.pin, err = s.Engine.Log().Subscribe(snap.LSN)
	if err == nil && s.mutant.streamUnpinned {
		st.pin.Release()
	}
	return st, err
}

// close gives up the log. src.mu is held.
func (st *stream) close() {
	if st.expire != nil {
		st.expire()
		st.expire = nil
	}
	st.reader.Close()
	st.pin.Release()
}

// Output is handed on when so much of it has come together, or when the log has no more.
const flushBytes = 64 << 10

// selectZero is how a stream begins: what follows is about database 0.
const selectZero = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"

const ping = "*1\r\n$4\r\nPING\r\n"

// run sends what the log's records do, as they come, until the connection ends or there is no going on.
func (st *stream) run(f *follower) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-f.gone:
		case <-f.Stop:
		case <-st.pin.Broken():
			f.end(fmt.Sprintf("it is too far behind: its part of the log is more than repl-log-max; acknowledged is %d", f.acked.Load()))
		case <-ctx.Done():
		}
		cancel()
	}()
	last := time.Now()
	var out []byte
	for {
		entry, err := st.reader.TryNext()
		if err == io.EOF {
			if err := st.send(f, out); err != nil {
				return err
			}
			out = out[:0]
			if cap(out) > 16*flushBytes {
				out = nil
			}
			entry, err = st.await(ctx, f, &last)
		}
		if err != nil {
			return st.failed(err)
		}
		if entry == nil {
			continue
		}
		if out, err = st.tr.Append(out, &entry.Record); err != nil {
			_ = st.send(f, out)
			return st.failed(err)
		}
		if len(out) >= flushBytes {
			if err := st.send(f, out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
}

// failed is why a stream ends for good.
func (st *stream) failed(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return io.EOF
	case errors.Is(err, log.ErrCut), errors.Is(err, log.ErrTruncated):
		err = fmt.Errorf("%w: the log was replaced", effect.ErrResync)
	}
	if st.src.mutant.resyncWaits {
		return err
	}
	return &endError{err}
}

// endError ends a stream, not only a connection.
type endError struct{ reason error }

func (e *endError) Error() string { return e.reason.Error() }

// await waits for the next record, for the time of a ping at most. It cuts off a follower that is silent for too long.
func (st *stream) await(ctx context.Context, f *follower, last *time.Time) (*log.Entry, error) {
	set := f.src.settings()
	if f.Partial && f.silent() { // who said SYNC may never say more
		f.end("it has said nothing for repl-timeout")
		return nil, context.Canceled
	}
	wait, cancel := context.WithDeadline(ctx, last.Add(min(set.Ping, set.Timeout/2)))
	defer cancel()
	entry, err := st.reader.Next(wait)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return entry, err
	}
	*last = time.Now()
	if st.send(f, []byte(ping)) != nil {
		return nil, context.Canceled // the connection has ended, not the stream
	}
	return nil, nil
}

// send sends bytes of the stream, which then ends where the reader is.
func (st *stream) send(f *follower, b []byte) error {
	if len(b) == 0 {
		f.marks.add(st.offset, st.reader.Position())
		st.confirm(f)
		return nil
	}
	if !f.src.mutant.keptLate {
		st.keep(f, b)
	}
	_, err := f.Write(b)
	if err == nil && f.src.mutant.keptLate {
		st.keep(f, b)
	}
	return err
}

// keep makes bytes part of the stream before they are sent: the connection may break in the middle of them.
func (st *stream) keep(f *follower, b []byte) {
	st.kept.add(b, f.src.settings().Backlog)
	st.offset += int64(len(b))
	f.marks.add(st.offset, st.reader.Position())
	_ = st.pin.Move(st.reader.Position())
}

// confirm notes that a follower that has everything is where the reader is.
func (st *stream) confirm(f *follower) {
	_ = st.pin.Move(st.reader.Position())
	if f.acked.Load() >= st.offset || f.src.mutant.ackedEarly {
		f.lsn.Store(uint64(st.reader.Position()))
	}
}

// attach gives the stream of an id to a follower that wants it from a byte on, and returns the bytes that it lacks. A
// connection that still has it is ended first.
func (s *Source) attach(f *follower, id string, next int64) (*stream, []byte) {
	for {
		s.mu.Lock()
		st := s.streams[id]
		if st == nil || s.closed {
			s.mu.Unlock()
			return nil, nil
		}
		if st.user == nil {
			missing := st.offset + 1 - next
			if s.mutant.continueAlways {
				missing = min(max(missing, 0), int64(len(st.kept.buf)))
			}
			if missing < 0 || missing > int64(len(st.kept.buf)) || st.broken() {
				s.mu.Unlock()
				return nil, nil
			}
			st.take(f)
			s.mu.Unlock()
			return st, st.kept.last(missing)
		}
		idle := st.idle
		st.user.end("its stream goes on with another connection")
		s.mu.Unlock()
		select {
		case <-idle:
		case <-f.gone:
			return nil, nil
		}
	}
}

func (st *stream) broken() bool {
	select {
	case <-st.pin.Broken():
		return true
	default:
		return false
	}
}

// take makes f the user. src.mu is held.
func (st *stream) take(f *follower) {
	st.user, st.idle = f, make(chan struct{})
	if st.expire != nil {
		st.expire()
		st.expire = nil
	}
}

// keep registers a stream with its user.
func (s *Source) keep(st *stream, f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[st.id] = st
	st.take(f)
}

// maxWaiting is how many streams wait for their followers: each holds the log, and a backlog.
const maxWaiting = 16

// leave ends the use of a stream. Unless it has ended for good it waits for its follower to come back.
func (s *Source) leave(st *stream, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.user = nil
	close(st.idle)
	if ended || s.closed || s.streams[st.id] != st || st.broken() {
		if s.streams[st.id] == st {
			delete(s.streams, st.id)
		}
		st.close()
		return
	}
	st.left = time.Now()
	s.limit()
	if ttl := s.settings().BacklogTTL; ttl > 0 {
		st.expire = time.AfterFunc(ttl, func() { s.forget(st) }).Stop
	}
}

// limit gives up the stream that has waited longest, if too many wait. mu is held.
func (s *Source) limit() {
	waiting, oldest := 0, (*stream)(nil)
	for _, st := range s.streams {
		if st.user != nil {
			continue
		}
		waiting++
		if oldest == nil || st.left.Before(oldest.left) {
			oldest = st
		}
	}
	if waiting > maxWaiting {
		delete(s.streams, oldest.id)
		oldest.close()
	}
}

// forget gives up a stream that nobody uses.
func (s *Source) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.user == nil && s.streams[st.id] == st {
		delete(s.streams, st.id)
		st.close()
		s.Logf('*', "Replication backlog freed after %d seconds without its replica.", s.settings().BacklogTTL/time.Second)
	}
}
