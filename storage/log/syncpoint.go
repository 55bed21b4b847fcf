package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// syncPointName is the file of the sync point, in the log's directory.
const syncPointName = "sync-point"

// syncPoint is the file that remembers how far the log was synced. The log
// itself cannot tell: its records are the same on every member of a shard, and
// after a crash a later page may be there and an earlier one not. Below the
// sync point a bad byte is corruption; only above it may it be a torn tail.
//
// It is written after a sync and synced itself later: what it says is true
// whenever it says it, and only ever less than could be said. A crash of the
// process loses nothing of it, one of the machine what the last tick did not
// sync yet. Who changes it holds Log.syncing.
type syncPoint struct {
	file   vfs.File
	serial uint64
	lsn    LSN
	dirty  atomic.Bool // written since the file was synced
}

// openSyncPoint opens the file, or makes one that says nothing.
func openSyncPoint(fs vfs.FS, name string) (*syncPoint, error) {
	file, err := fs.OpenReadWrite(name, writeCategory)
	if err != nil {
		return nil, err
	}
	p := &syncPoint{file: file}
	if err := p.read(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func (p *syncPoint) read() error {
	b := make([]byte, syncPointLen)
	n, err := p.file.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if n < len(b) { // new, or its making was cut short: room for both slots
		_, err := p.file.WriteAt(b[n:], int64(n))
		return err
	}
	for at := 0; at < len(b); at += syncPointStride {
		serial, lsn, err := parseSyncPoint(b[at:])
		if errors.Is(err, ErrNewer) {
			return err
		}
		if err == nil && serial > p.serial {
			p.serial, p.lsn = serial, lsn
		}
	}
	return nil
}

// write puts lsn into the slot that is not the newest, so that a torn write
// leaves the other one.
func (p *syncPoint) write(lsn LSN) error {
	var b [syncPointSlotLen]byte
	appendSyncPoint(b[:0], p.serial+1, lsn)
	if _, err := p.file.WriteAt(b[:], int64((p.serial+1)%2)*syncPointStride); err != nil {
		return err
	}
	p.serial++
	p.lsn = lsn
	p.dirty.Store(true)
	return nil
}

// raise says that everything up to lsn is synced, which it must be. An error is
// none of the log's: the file then goes on saying less.
func (p *syncPoint) raise(lsn LSN) {
	if lsn > p.lsn {
		_ = p.write(lsn)
	}
}

// lower says durably that nothing above lsn has to be there any more. It comes
// before the log is cut.
func (p *syncPoint) lower(lsn LSN) error {
	if lsn >= p.lsn {
		return nil
	}
	// Both slots, or the older one, which says more, would be believed if the
	// newer one became unreadable.
	for range 2 {
		if err := p.write(lsn); err != nil {
			return err
		}
		if err := p.sync(); err != nil {
			return err
		}
	}
	return nil
}

// sync makes durable what the file says. It needs no lock.
func (p *syncPoint) sync() error {
	if !p.dirty.Swap(false) {
		return nil
	}
	return p.file.Sync()
}

func (p *syncPoint) close() error { return errors.Join(p.sync(), p.file.Close()) }

// appendSyncPoint appends one slot of the sync-point file.
func appendSyncPoint(b []byte, serial uint64, lsn LSN) []byte {
	start := len(b)
	b = append(b, formatVersion, 's', 'y', 'n')
	b = binary.LittleEndian.AppendUint64(b, serial)
	b = binary.LittleEndian.AppendUint64(b, uint64(lsn))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseSyncPoint reads one slot.
func parseSyncPoint(b []byte) (serial uint64, lsn LSN, err error) {
	if len(b) < syncPointSlotLen || string(b[1:4]) != "syn" {
		return 0, 0, fmt.Errorf("%w: no sync point", ErrFormat)
	}
	if crc := crc32.Checksum(b[:20], castagnoli); crc != binary.LittleEndian.Uint32(b[20:]) {
		return 0, 0, fmt.Errorf("%w: CRC of the sync point", ErrFormat)
	}
	if b[0] != formatVersion {
		return 0, 0, fmt.Errorf("%w (sync point version %d)", ErrNewer, b[0])
	}
	return binary.LittleEndian.Uint64(b[4:]), LSN(binary.LittleEndian.Uint64(b[12:])), nil
}
