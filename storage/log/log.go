package log

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Level is how safe a record is. Each level includes the ones before it.
type Level uint8

// The levels, in the order in which a record reaches them.
const (
	Buffered  Level = iota // appended; lost when the process dies
	Written                // write(2) returned, or a store as good as it (see window); lost when the machine dies
	Synced                 // fdatasync returned
	Committed              // agreed on by the shard; see Options.InSync
	levels
)

// Policy says when the log is synced (appendfsync).
type Policy uint8

// The policies.
const (
	EverySec Policy = iota // on every tick, and when a segment is full
	Always                 // before a reply: replies wait for Synced
	No                     // only when a segment is full
)

// Errors of the log. All but the first four are permanent for the call's
// argument; a failed log stays failed until it is opened again.
var (
	ErrDiskFull  = errors.New("log: no space left for another segment")
	ErrNoRoom    = errors.New("log: another segment cannot be made")
	ErrBusy      = errors.New("log: the tail is being cut")
	ErrCut       = errors.New("log: the position was cut off")
	ErrClosed    = errors.New("log: closed")
	ErrFailed    = errors.New("log: failed")
	ErrTooLarge  = errors.New("log: record too large")
	ErrTruncated = errors.New("log: position is no longer held")
	ErrBeyondEnd = errors.New("log: position is beyond the end")
	ErrDiverged  = errors.New("log: position is not of this history")
	ErrOldTerm   = errors.New("log: term is not newer")
)

// CorruptError reports bytes in the middle of the log that once were synced
// and are no valid record now. It is never a torn tail.
type CorruptError struct {
	File   string
	Offset int64 // of the bad record in File
	LSN    LSN   // where that record starts
	Err    error

	// Of the last segment: what is at risk is (LSN, max(Synced, Last)].
	Synced LSN // up to where the log was synced, as far as is known
	Whole  int // whole records that are still there behind the bad one
	Last   LSN // where the last of these ends
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("log: corrupt record in %s at offset %d (LSN %d): %v", e.File, e.Offset, e.LSN, e.Err)
	if e.Synced > 0 {
		s += fmt.Sprintf("; records from LSN %d to %d are at risk, %d whole ones still stand behind the bad place",
			e.LSN, max(e.Synced, e.Last), e.Whole)
	}
	return s
}

// Unwrap returns the reason.
func (e *CorruptError) Unwrap() error { return e.Err }

// Defaults of Options.
const (
	DefaultSegmentBytes = 64 << 20
	DefaultBufferBytes  = 8 << 20
)

// Options configure a Log. Only Dir is required.
type Options struct {
	FS  vfs.FS // nil: the operating system's
	Dir string // created if missing; holds nothing else

	SegmentBytes int64 // records per segment; 0: DefaultSegmentBytes
	BufferBytes  int   // bound on what is appended and not yet written; 0: DefaultBufferBytes
	Retain       int64 // bytes behind the end that Trim leaves although nobody holds them
	PinBytes     int64 // a pin further than this behind the end is broken; 0: no bound
	Policy       Policy

	// InSync makes Committed a level of its own, raised by Commit. Without it
	// Committed is whatever the policy promises.
	InSync bool

	// VerifyFrom is the watermark of the rows: segments wholly before it are
	// not read by Open, and a hole before it is dropped silently.
	VerifyFrom LSN

	// Start is where a log begins when Dir holds none.
	Start Start

	// RecoverDamaged opens a log in spite of a *CorruptError, without the
	// records from the bad one on; their bytes are kept in files of the name
	// SEGMENT.damaged-OFFSET. What the error would be is in Recovered.
	RecoverDamaged bool

	// Tick drives EverySec, and retries after a full disk: one sync per value.
	// Nil: only explicit calls sync.
	Tick <-chan time.Time
	// Now measures how long syncs take. Nil: not measured.
	Now func() time.Time

	mutant mutants
}

// Start is the position and the term at which a log begins.
type Start struct {
	Position Position
	Term     Term
}

// mutants are rules that tests switch off one at a time to prove that they
// would notice.
type mutants struct {
	skipCRC          bool // accept records whose CRC does not match
	ackBeforeWrite   bool // raise Written before write(2)
	ackBeforeSync    bool // raise Synced before fdatasync
	trimIgnoresPins  bool
	afterRecovery    func(*Log) // does something stupid with the last segment
	rollWithoutSync  bool       // start a segment while the one before is not synced
	retrySync        bool       // carry on after a failed sync
	keepTornTail     bool       // do not clear what is behind a torn or cut tail
	appendUnreserved bool       // admit records without room on disk
	ignoreSyncPoint  bool       // any bad byte in the last segment is a torn tail
	pointBeforeSync  bool       // the sync point is raised before the sync
	refuseTorn       bool       // whole records behind a bad one are proof of corruption
	cutKeepsPoint    bool       // the sync point stays where it was when the tail is cut
	windowStays      bool       // the mapped window stays where it is when the next segment begins
	windowBeyondEnd  bool       // the file is not made as long as what is mapped of it
}

// Log is the log of one node's shard. All methods are safe for concurrent use
// unless they say otherwise.
type Log struct {
	opts   Options
	fs     vfs.FS
	policy atomic.Uint32

	end     atomic.Uint64 // LSN; written under mu
	reached [levels]atomic.Uint64
	failure atomic.Pointer[error]
	large   atomic.Int64 // bytes of large records that are being appended

	// mu guards what Append touches. No I/O is done under it.
	mu       sync.Mutex
	buf      []byte // the records [bufStart, end), in order
	bufStart LSN
	rolls    []roll // where in buf a new segment begins
	crc      uint32 // of the last record
	term     Term
	terms    []Term     // every term that starts in held and verified segments
	segs     []*segment // oldest first, never empty; the last one is appended to
	cutting  bool
	pins     map[*Pin]struct{}
	spare    *spare
	room     roomRequest
	growing  *segment  // whose room is being enlarged
	roomCond sync.Cond // spare or room changed; on mu

	// writing is held by the one goroutine that writes; it owns the fields
	// below. syncing is held by the one that syncs, or changes file.
	writing  sync.Mutex
	otherBuf []byte
	otherRol []roll
	window   window
	syncing  sync.Mutex
	point    *syncPoint
	file     vfs.File // of the segment that is written to
	fileSeg  *segment
	dir      vfs.File

	parked      [levels]parkQueue
	writingFrom atomic.Uint64 // first LSN of the segment that is written to
	generation  atomic.Uint64 // counts cuts and resets; readers of an older one end
	tailing     tailers

	kickWriter, kickSyncer, kickRoom chan struct{}
	closing                          chan struct{}
	loops                            sync.WaitGroup

	recovery Recovery
	stats    counters
}

// roll says that the records from at on belong to seg.
type roll struct {
	at  LSN
	seg *segment
}

// Recovery is what Open found.
type Recovery struct {
	TornFile   string // empty if the log ended at a record
	TornOffset int64
	TornBytes  int64  // bytes behind the last whole record, now cleared
	Kept       string // the file that has them; empty if the disk was full
	Whole      int    // how many whole records were among them
	Last       LSN    // where the last of these ends

	// Damage is what Options.RecoverDamaged went past, or nil.
	Damage *CorruptError
}

// Recovered returns what Open found.
func (l *Log) Recovered() Recovery { return l.recovery }

// End returns the LSN of the last appended record.
func (l *Log) End() LSN { return LSN(l.end.Load()) }

// Start returns the lowest position that is still held.
func (l *Log) Start() LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segs[0].first
}

// Policy returns the policy in force.
func (l *Log) Policy() Policy { return Policy(l.policy.Load()) }

// SetPolicy changes the policy for replies and ticks from now on.
func (l *Log) SetPolicy(p Policy) { l.policy.Store(uint32(p)) }

// Promised returns the level a reply must wait for under the policy in force.
func (l *Log) Promised() Level {
	if l.opts.InSync {
		return Committed
	}
	return l.durable()
}

// durable is the level of this node's own disk that the policy asks for.
func (l *Log) durable() Level {
	if l.Policy() == Always {
		return Synced
	}
	return Written
}

// resolve maps Committed to a level of the disk where nothing else raises it.
func (l *Log) resolve(level Level) Level {
	if level == Committed && !l.opts.InSync {
		return l.durable()
	}
	return level
}

// Reached returns the LSN up to which every record has level.
func (l *Log) Reached(level Level) LSN {
	if level == Buffered {
		return l.End()
	}
	return LSN(l.reached[l.resolve(level)].Load())
}

// Commit raises Committed to lsn; lower values are ignored. It is for
// Options.InSync.
func (l *Log) Commit(lsn LSN) {
	if l.raise(Committed, lsn) {
		l.wake(Committed)
	}
}

// raise moves a level up and reports whether it moved.
func (l *Log) raise(level Level, lsn LSN) bool {
	for {
		old := l.reached[level].Load()
		if old >= uint64(lsn) {
			return false
		}
		if l.reached[level].CompareAndSwap(old, uint64(lsn)) {
			return true
		}
	}
}

// Err returns the error that stopped the log, or nil.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// closedErr is what stops even those who wait for what was reached: a failed log still has that.
func (l *Log) closedErr() error {
	if err := l.Err(); errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// fail stops the log for good: after a failed write or sync nobody knows what
// the disk holds, and a later sync that returns nil proves nothing (storage.md
// I9). The first error wins and is what everybody gets.
func (l *Log) fail(err error) error {
	if err != ErrClosed {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	l.failure.CompareAndSwap(nil, &err)
	l.mu.Lock()
	l.roomCond.Broadcast()
	l.mu.Unlock()
	for level := Written; level < levels; level++ {
		l.wake(level)
	}
	l.tailing.wake()
	return l.Err()
}

// Close writes and syncs what was appended and stops the log. Waiters and
// readers get ErrClosed. Nothing may be appended meanwhile.
func (l *Log) Close() error {
	err := l.Sync()
	if errors.Is(err, ErrClosed) {
		return err
	}
	l.fail(ErrClosed)
	close(l.closing)
	l.loops.Wait()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.syncing.Lock()
	defer l.syncing.Unlock()
	err = errors.Join(err, l.closeFiles())
	l.mu.Lock()
	spare := l.spare
	l.spare = nil
	l.mu.Unlock()
	if spare != nil {
		err = errors.Join(err, spare.discard(l.fs))
	}
	return err
}

// closeFiles closes what Open opened, also if it got only half way.
func (l *Log) closeFiles() error {
	l.window.close()
	err := l.dir.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	if l.point != nil {
		err = errors.Join(err, l.point.close())
	}
	return err
}
