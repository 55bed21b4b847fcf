package psync

import (
	"errors"
	"fmt"
	"time"

	"cobble/storage"
)

// closeAfter is how long a client that wanted the file only may take to close its connection.
const closeAfter = 60 * time.Second

// serve is the life of a follower's connection.
func (f *follower) serve() error {
	if f.Partial && f.ID != "?" {
		if st, missing := f.src.attach(f, f.ID, f.Next); st != nil {
			f.src.partial.Add(1)
			return f.goOn(st, missing)
		}
		f.src.refused.Add(1)
		f.src.Logf('*', "Partial resynchronization not accepted: there is no backlog of stream %.40q up to offset %d", f.ID, f.Next)
	}
	st, err := f.copy()
	if err != nil || st == nil {
		return err
	}
	return f.follow(st, []byte(selectZero))
}

// goOn goes on with a stream that the follower had.
func (f *follower) goOn(st *stream, missing []byte) error {
	text := "+CONTINUE\r\n"
	if f.PSYNC2 {
		text = "+CONTINUE " + st.id + "\r\n"
	}
	f.src.Logf('*', "Partial resynchronization request from %s accepted. Sending %d bytes of backlog starting from offset %d.", f.name(), len(missing), f.Next)
	f.acked.Store(st.offset - int64(len(missing)))
	if _, err := f.Write(append([]byte(text), missing...)); err != nil {
		f.src.leave(st, false)
		return err
	}
	return f.follow(st, nil)
}

// follow sends the stream, beginning with some bytes of its own.
func (f *follower) follow(st *stream, first []byte) error {
	f.state.Store(uint32(StateOnline))
	f.heard.Store(time.Now().UnixNano())
	err := st.send(f, first)
	if err == nil {
		err = st.run(f)
	}
	end := (*endError)(nil)
	f.src.leave(st, errors.As(err, &end) || !f.Partial) // who said SYNC was told no id to come back with
	return err
}

// copy sends a full copy, and returns the stream that goes on from there; nil if none is wanted.
func (f *follower) copy() (*stream, error) {
	f.src.full.Add(1)
	snap, err := f.prepare()
	if err != nil {
		_, _ = fmt.Fprintf(f, "-ERR The full copy failed: %v\r\n", err)
		return nil, err
	}
	st, marked, err := f.sendCopy(snap)
	if e := snap.Close(); err == nil {
		err = e
	}
	if err == nil && st != nil && marked { // the end of the file is found where nothing comes after it
		err = f.awaitOnline(st)
	}
	switch {
	case err != nil && st != nil:
		f.src.leave(st, true)
		return nil, err
	case err != nil:
		return nil, err
	case f.FileOnly:
		_ = f.sleep(closeAfter)
		return nil, nil
	}
	return st, nil
}

// sendCopy sends the file of a view, and reports whether there is a mark behind it. The stream from there on is begun
// before, for it holds the log.
func (f *follower) sendCopy(snap *storage.Snapshot) (st *stream, marked bool, err error) {
	id := newID()
	if !f.FileOnly {
		if st, err = f.src.newStream(id, snap); err != nil {
			return nil, false, err
		}
		f.src.keep(st, f)
		f.lsn.Store(uint64(snap.LSN))
		f.acked.Store(st.offset)
	}
	if f.Partial {
		if _, err := fmt.Fprintf(f, "+FULLRESYNC %s %d\r\n", id, snap.LSN); err != nil {
			return st, false, err
		}
	}
	marked, err = f.sendFile(snap, id)
	for f.src.mutant.streamLate {
		if _, e := st.reader.TryNext(); e != nil {
			break
		}
	}
	return st, marked, err
}

// awaitOnline waits until the follower acknowledges that it has its file. One that is silent for the time-out is cut off,
// as by Redis, unless it said SYNC; and any that falls behind the log that is kept.
func (f *follower) awaitOnline(st *stream) error {
	f.heard.Store(time.Now().UnixNano())
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-f.online:
			return nil
		case <-f.gone:
			return errGone
		case <-f.Stop:
			return errStopped
		case <-st.pin.Broken():
			f.end("it is too far behind: its part of the log is more than repl-log-max")
			return errGone
		case <-tick.C:
		}
		if f.Partial && f.silent() {
			f.end("it has said nothing for repl-timeout")
			return errGone
		}
	}
}
