package psync

import (
	"fmt"
	"io"
	"time"
)

// closeAfter is how long a client that wanted the file only may take to close its connection.
const closeAfter = 60 * time.Second

// serve is the life of a follower's connection.
func (f *follower) serve() error {
	f.src.full.Add(1)
	snap, err := f.prepare()
	if err != nil {
		_, _ = fmt.Fprintf(f, "-ERR The full copy failed: %v\r\n", err)
		return err
	}
	closed := false
	closeSnap := func() {
		if !closed {
			closed = true
			_ = snap.Close()
		}
	}
	defer closeSnap()
	id := newID()
	if f.Partial {
		if _, err := fmt.Fprintf(f, "+FULLRESYNC %s %d\r\n", id, snap.LSN); err != nil {
			return err
		}
	}
	if err := f.sendFile(snap, id); err != nil {
		return err
	}
	closeSnap()
	if f.FileOnly {
		_ = f.sleep(closeAfter)
		return nil
	}
	f.end("this server gives files, and no stream after them yet")
	return io.EOF
}
