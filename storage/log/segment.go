package log

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	segmentSuffix = ".log"
	spareSuffix   = ".tmp"
	markStride    = 256 << 10 // bytes of log between two remembered positions

	writeCategory vfs.DiskWriteCategory = "shard-log"
)

// segment is one file of the log, or one that is about to be.
type segment struct {
	segmentHeader

	// Guarded by Log.mu.
	capacity int64  // bytes of records it has room for on disk
	end      LSN    // valid once a later segment exists
	marks    []mark // some positions between records, ascending
	verified bool   // its records were read, or written, by this process

	// From its making until the writer gets there.
	file      vfs.File
	spareName string
}

// mark is a remembered position between two records.
type mark struct {
	lsn LSN
	crc uint32
}

// mark remembers the position (lsn, crc) if the last one is far away.
func (s *segment) mark(lsn LSN, crc uint32) {
	last := s.first
	if n := len(s.marks); n > 0 {
		last = s.marks[n-1].lsn
	}
	if lsn-last >= markStride {
		s.marks = append(s.marks, mark{lsn, crc})
	}
}

// markBefore returns the last remembered position ≤ lsn.
func (s *segment) markBefore(lsn LSN) mark {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].lsn > lsn })
	if i == 0 {
		return mark{s.first, s.crcBefore}
	}
	return s.marks[i-1]
}

func segmentName(first LSN) string { return fmt.Sprintf("%016x%s", uint64(first), segmentSuffix) }

func parseSegmentName(name string) (LSN, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	v, err := strconv.ParseUint(hex, 16, 64)
	return LSN(v), err == nil && segmentName(LSN(v)) == name
}

func (l *Log) path(name string) string { return l.fs.PathJoin(l.opts.Dir, name) }

// spare is a file with room on disk that is no segment yet.
type spare struct {
	file     vfs.File
	name     string
	capacity int64
}

func (s *spare) discard(fs vfs.FS) error {
	return errors.Join(s.file.Close(), fs.Remove(s.name))
}

// roomRequest asks the room loop for a spare of that capacity, or to grow an
// empty segment.
type roomRequest struct {
	spare    int64
	grow     *segment
	capacity int64
	err      error // answer to whoever waits
	rounds   uint64
}

// askRoom starts the making of room without waiting. mu is held.
func (l *Log) askRoom(need roomRequest) {
	l.room.spare = max(l.room.spare, need.spare)
	if need.grow != nil {
		l.room.grow, l.room.capacity = need.grow, max(l.room.capacity, need.capacity)
	}
	kick(l.kickRoom)
}

// awaitRoom asks for room and waits for the end of the attempt. mu is held,
// and released meanwhile.
func (l *Log) awaitRoom(need roomRequest) error {
	l.askRoom(need)
	round := l.room.rounds
	// The attempt under way may have started before the request: only the end
	// of one that began later answers it, unless room appeared.
	for l.room.rounds < round+2 && l.Err() == nil {
		if need.grow == nil && l.spare != nil && l.spare.capacity >= need.spare {
			return nil
		}
		if need.grow != nil && need.grow.capacity >= need.capacity {
			return nil
		}
		if l.room.rounds > round && l.room.err != nil {
			return l.room.err
		}
		l.roomCond.Wait()
	}
	if err := l.Err(); err != nil {
		return err
	}
	return l.room.err
}

// RoomErr is why the last attempt to make room failed (ErrDiskFull or ErrNoRoom), or nil. The next record that needs room,
// or the next tick, makes another one.
func (l *Log) RoomErr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.room.err
}

// retryRoom makes another attempt after one that failed, for the spare.
func (l *Log) retryRoom() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room.err != nil {
		l.askRoom(roomRequest{spare: l.opts.SegmentBytes})
	}
}

// roomLoop keeps one spare segment ready.
func (l *Log) roomLoop() {
	defer l.loops.Done()
	for serial := 0; ; {
		select {
		case <-l.closing:
			return
		case <-l.kickRoom:
		}
		serial++
		l.makeRoom(fmt.Sprintf("spare-%d%s", serial, spareSuffix))
	}
}

// makeRoom is one attempt to fulfil what was asked for.
func (l *Log) makeRoom(name string) {
	l.mu.Lock()
	want, grow, capacity := l.room.spare, l.room.grow, l.room.capacity
	asked := want > 0 || grow != nil // else the attempt before has done it
	l.room.spare, l.room.grow, l.room.capacity = 0, nil, 0
	var old *spare
	switch {
	case l.spare != nil && l.spare.capacity >= want:
		want = 0
	case want > 0:
		old, l.spare = l.spare, nil
	}
	if grow != l.segs[len(l.segs)-1] {
		grow = nil
	}
	l.growing = grow
	l.mu.Unlock()

	var made *spare
	var err error
	if old != nil {
		err = old.discard(l.fs)
	}
	if want > 0 && err == nil {
		made, err = makeSpare(l.fs, l.opts.Dir, l.path(name), want)
	}
	var growErr error
	if grow != nil {
		growErr = reserveSpace(l.fs, l.opts.Dir, grow.file, segmentHeaderLen+capacity)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if grow != nil && growErr == nil {
		grow.capacity = max(grow.capacity, capacity)
	}
	l.growing = nil
	if made != nil {
		l.spare = made // nobody else makes one
	}
	err = errors.Join(err, growErr)
	switch {
	case err == nil:
	case vfs.IsNoSpaceError(err):
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	default:
		err = fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	if err != nil {
		l.stats.roomFailures.Add(1)
	}
	if asked {
		l.room.err = err
	}
	l.room.rounds++
	l.roomCond.Broadcast()
}

func makeSpare(fs vfs.FS, dir, name string, capacity int64) (*spare, error) {
	file, err := fs.Create(name, writeCategory)
	if err != nil {
		return nil, err
	}
	s := &spare{file: file, name: name, capacity: capacity}
	if err := reserveSpace(fs, dir, file, segmentHeaderLen+capacity); err != nil {
		return nil, errors.Join(err, s.discard(fs))
	}
	return s, nil
}

// nameSegment turns the spare file of seg into a segment: header first, so that
// a segment without a whole header is never seen.
func (l *Log) nameSegment(seg *segment) error {
	if _, err := seg.file.WriteAt(seg.append(nil), 0); err != nil {
		return err
	}
	if err := seg.file.Sync(); err != nil {
		return err
	}
	if err := l.fs.Rename(seg.spareName, l.path(segmentName(seg.first))); err != nil {
		return err
	}
	return l.dir.Sync()
}

// othersSpace is what the log leaves of a disk to small files of others, in bytes.
const othersSpace = 4 << 20

// reserveSpace makes the file system promise room for the first size bytes of
// file, which is in dir. What is not there is not asked for: some file systems
// hand out all they have before they fail, and until that is given back nobody
// else can write.
func reserveSpace(fs vfs.FS, dir string, file vfs.File, size int64) error {
	has, err := allocated(file)
	if err != nil {
		return err
	}
	usage, err := fs.GetDiskUsage(dir) // some file systems do not tell
	if err == nil && has < size && usage.AvailBytes < uint64(size-has)+othersSpace {
		return syscall.ENOSPC
	}
	err = file.Preallocate(0, size)
	if !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOSYS) {
		return err
	}
	// No fallocate here: write the zeros.
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return writeZeros(file, info.Size(), size)
}

// allocated is how many bytes of the disk file has.
func allocated(file vfs.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512, nil
	}
	return info.Size(), nil
}

// writeZeros overwrites the bytes [from, to) of file.
func writeZeros(file vfs.File, from, to int64) error {
	var zeros [64 << 10]byte
	for from < to {
		n, err := file.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
