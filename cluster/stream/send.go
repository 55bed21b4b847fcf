package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/format"
	"cobble/storage/log"
)

// fullSync sends the files of a checkpoint as the replica asks for them, until
// it says hello again.
func (ss *session) fullSync() error {
	if ss.checkpoint != nil { // the last one did not help: it was too old
		ss.cps.release(ss.checkpoint)
		ss.checkpoint = nil
	}
	ss.peers.setState(ss.peer, PeerWaiting)
	cp, err := ss.cps.acquire()
	if err != nil {
		return errors.Join(err, ss.link.refuse(ReasonInternal, "the primary cannot make a checkpoint: %v", err))
	}
	ss.checkpoint = cp
	ss.stats.full.Add(1)
	ss.peers.setState(ss.peer, PeerSyncing)
	f := full{checkpoint: cp.id, term: ss.o.Term(), files: cp.files}
	if err := ss.link.write(frameFull, f.append, nil); err != nil {
		return err
	}
	for {
		kind, body, err := ss.link.read()
		if err != nil {
			return err
		}
		switch kind {
		case frameGet:
			var g get
			if err := g.decode(body); err != nil {
				return err
			}
			if int(g.file) >= len(cp.files) {
				return fmt.Errorf("%w: file %d of %d", errFrame, g.file, len(cp.files))
			}
			f := &cp.files[g.file]
			if err := ss.sendFile(ss.o.FS.PathJoin(cp.dir, f.name), f.size, &g); err != nil {
				return err
			}
		case frameAck:
			var a ack
			if err := a.decode(body); err != nil {
				return err
			}
			ss.peers.ack(ss.peer, &a, ss.o.Now())
		case frameHello:
			if err := ss.greet(body); err != nil {
				return err
			}
			ss.o.Logf('*', "Synchronization with replica %s succeeded", short(ss.hello.node))
			return nil
		default:
			return fmt.Errorf("%w: %q during a full sync", errFrame, kind)
		}
	}
}

// sendFile sends the bytes of a file from g.offset on, or all of them if what
// the replica has before is not what is there.
func (ss *session) sendFile(path string, size int64, g *get) error {
	f, err := ss.o.FS.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	offset := int64(0)
	if int64(g.offset) <= size && g.offset > 0 {
		crc, err := prefixCRC(f, int64(g.offset))
		if err != nil {
			return err
		}
		if crc == g.crc || ss.o.mutant.trustPart {
			offset = int64(g.offset)
		}
	}
	buf := make([]byte, dataChunk)
	for offset < size {
		n, err := f.ReadAt(buf[:min(size-offset, dataChunk)], offset)
		if n == 0 {
			return fmt.Errorf("stream: %s ends at %d of %d: %w", path, offset, size, err)
		}
		if err := ss.link.writeData(offset, buf[:n]); err != nil {
			return err
		}
		offset += int64(n)
		if ss.o.Pace != nil {
			ss.o.Pace(n)
		}
	}
	return ss.link.writeData(offset, nil)
}

// prefixCRC returns the CRC-32C of the first n bytes of f.
func prefixCRC(f vfs.File, n int64) (uint32, error) {
	buf := make([]byte, dataChunk)
	crc := uint32(0)
	for at := int64(0); at < n; {
		k, err := f.ReadAt(buf[:min(n-at, dataChunk)], at)
		if k == 0 {
			return 0, err
		}
		crc = crc32.Update(crc, castagnoli, buf[:k])
		at += int64(k)
	}
	return crc, nil
}

// stream sends the records behind the replica's position until the connection
// ends.
func (ss *session) stream(ctx context.Context) error {
	r, pin, err := ss.o.Store.Log().Subscribe(ss.hello.position.LSN)
	if err != nil {
		return err
	}
	defer pin.Release()
	defer r.Close()
	if ss.o.mutant.streamUnpinned {
		pin.Release()
	}
	if ss.checkpoint != nil { // the pin holds what it held
		ss.cps.release(ss.checkpoint)
		ss.checkpoint = nil
	}
	term := ss.o.Term()
	ss.peers.setState(ss.peer, PeerOnline)
	if err := ss.link.write(frameContinue, func(b []byte) []byte { return binary.LittleEndian.AppendUint64(b, term) }, nil); err != nil {
		return err
	}
	// Two goroutines beside this one; the first to fail ends the connection.
	failed := make(chan error, 3)
	go func() { failed <- ss.readAcks(pin) }()
	go func() {
		select {
		case <-pin.Broken():
			failed <- log.ErrPinBroken
		case <-ctx.Done():
			failed <- ctx.Err()
		}
	}()
	go func() { failed <- ss.sendRecords(ctx, r) }()
	err = <-failed
	ss.end()
	ss.link.conn.Close()
	for range 2 {
		<-failed
	}
	return err
}

// readAcks takes acknowledgements, and lets go of the log before them.
func (ss *session) readAcks(pin *log.Pin) error {
	for {
		kind, body, err := ss.link.read()
		if err != nil {
			return err
		}
		if kind != frameAck {
			return fmt.Errorf("%w: %q from a replica that is online", errFrame, kind)
		}
		var a ack
		if err := a.decode(body); err != nil {
			return err
		}
		if a.written > ss.o.Store.Log().End() {
			return fmt.Errorf("%w: ack of %d beyond the end of the log", errFrame, a.written)
		}
		ss.peers.ack(ss.peer, &a, ss.o.Now())
		if err := pin.Move(a.written); err != nil && !ss.o.mutant.streamUnpinned {
			return err
		}
	}
}

// sendRecords sends every record from r, many in one frame when many are there.
func (ss *session) sendRecords(ctx context.Context, r *log.Reader) error {
	var batch []byte
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := ss.link.write(frameRecords, nil, batch)
		batch = batch[:0]
		if cap(batch) > 8*recordsTarget { // one giant record is no habit
			batch = nil
		}
		return err
	}
	for {
		e, err := r.TryNext()
		if err == io.EOF {
			if err := flush(); err != nil {
				return err
			}
			e, err = r.Next(ctx)
		}
		if err != nil {
			return err
		}
		if e.Kind == log.KindImport {
			if err := flush(); err != nil {
				return err
			}
			if err := ss.sendSideFiles(e.Payload); err != nil {
				return err
			}
		}
		batch = append(batch, e.Raw...)
		if len(batch) >= recordsTarget {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// sendSideFiles sends the files that an import record names, ahead of it.
func (ss *session) sendSideFiles(payload []byte) error {
	barrier, err := format.DecodeBarrier(payload, true)
	if err != nil {
		return err
	}
	for _, name := range barrier.Files {
		path := ss.o.Store.SideFile(name)
		info, err := ss.o.FS.Stat(path)
		if err != nil {
			return err
		}
		f := file{name: name, size: info.Size()}
		if err := ss.link.write(frameSideFile, f.append, nil); err != nil {
			return err
		}
		if err := ss.sendFile(path, f.size, &get{}); err != nil {
			return err
		}
	}
	return nil
}
