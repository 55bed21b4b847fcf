package psync

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/rdb"
)

// newID returns 40 random hexadecimal digits.
func newID() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// prepare opens the view that a full copy is made of: everything that was written before it is in it. Until that is
// done the follower is sent a newline each second, which keeps its patience.
func (f *follower) prepare() (*storage.Snapshot, error) {
	type opened struct {
		snap *storage.Snapshot
		err  error
	}
	result := make(chan opened, 1)
	go func() {
		var o opened
		if o.err = f.src.Engine.Flush(); o.err == nil {
			select {
			case <-f.gone:
				o.err = io.EOF
			default:
				o.snap, o.err = f.src.Engine.Snapshot(slots.Full())
			}
		}
		result <- o
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case o := <-result:
			return o.snap, o.err
		case <-f.gone: // a flush may take for ever, on a full disk
			go func() {
				if o := <-result; o.snap != nil {
					_ = o.snap.Close()
				}
			}()
			return nil, io.EOF
		case <-tick.C:
			_, _ = f.Write([]byte{'\n'}) // an error shows when the follower is gone
		}
	}
}

// writeFile writes the file of a view.
func (f *follower) writeFile(snap *storage.Snapshot, id string, to io.Writer) error {
	deadlines := false
	if !f.NoData {
		var err error
		if deadlines, err = snap.FieldsExpire(); err != nil {
			return err
		}
	}
	if deadlines && !f.FileOnly {
		deadlines = false // nothing tells that it could read them
		f.src.Logf('#', "Replica %s gets fields that expire without their deadlines; they are deleted there when they are here", f.name())
	}
	w := rdb.NewWriter(to, deadlines)
	w.Aux("redis-ver", f.src.Version)
	w.Aux("redis-bits", "64")
	w.Aux("ctime", strconv.FormatInt(time.Now().Unix(), 10))
	w.Aux("used-mem", "0")
	if !f.FileOnly {
		w.Aux("repl-stream-db", "0")
		w.Aux("repl-id", id)
		w.Aux("repl-offset", strconv.FormatUint(uint64(snap.LSN), 10))
	}
	w.Aux("aof-base", "0")
	if !f.NoFunctions {
		value, err := snap.Shared(f.src.Shared)
		if err != nil {
			return err
		}
		codes, err := f.src.Codes(value)
		if err != nil {
			return err
		}
		for _, code := range codes {
			w.Function([]byte(code))
		}
	}
	if !f.NoData {
		if err := snap.Export(w); err != nil {
			return err
		}
	}
	return w.End()
}

// sendFile sends the file of a view, either as it is made, with a mark behind it, or when it is whole, with its length
// before it, to those who cannot tell its end otherwise. It reports whether there is a mark.
func (f *follower) sendFile(snap *storage.Snapshot, id string) (marked bool, err error) {
	began, kind := time.Now(), "disk"
	marked = f.EOF && (f.src.settings().Diskless || f.Filtered())
	if marked {
		kind = "socket"
		err = f.sendMarked(snap, id)
	} else {
		err = f.sendWhole(snap, id)
	}
	if err == nil {
		f.src.Logf('*', "Synchronization with replica %s succeeded (%s, %.1f s)", f.name(), kind, time.Since(began).Seconds())
	}
	return marked, err
}

func (f *follower) sendMarked(snap *storage.Snapshot, id string) error {
	mark := newID()
	if _, err := fmt.Fprintf(f, "$EOF:%s\r\n", mark); err != nil {
		return err
	}
	f.state.Store(uint32(StateSending))
	out := bufio.NewWriterSize(f, 256<<10)
	if err := f.writeFile(snap, id, out); err != nil {
		return err
	}
	_, _ = out.WriteString(mark)
	return out.Flush()
}

func (f *follower) sendWhole(snap *storage.Snapshot, id string) error {
	file, err := f.spool(snap, id)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	f.state.Store(uint32(StateSending))
	if _, err := fmt.Fprintf(f, "$%d\r\n", size); err != nil {
		return err
	}
	_, err = io.CopyBuffer(f, struct{ io.Reader }{file}, make([]byte, 256<<10))
	return err
}

// spool writes the file into one without a name.
func (f *follower) spool(snap *storage.Snapshot, id string) (*os.File, error) {
	file, err := os.CreateTemp(f.src.Dir, "temp-*.rdb")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	done := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(file, 1<<20)
		err := f.writeFile(snap, id, &stoppable{out, f.gone})
		if err == nil {
			err = out.Flush()
		}
		done <- err
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return nil, errors.Join(err, file.Close())
			}
			return file, nil
		case <-tick.C:
			_, _ = f.Write([]byte{'\n'}) // an error shows when the follower is gone
		}
	}
}

// stoppable is a writer that fails when nobody waits for the end any more.
type stoppable struct {
	io.Writer
	stop <-chan struct{}
}

func (s *stoppable) Write(b []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, io.EOF
	default:
		return s.Writer.Write(b)
	}
}
