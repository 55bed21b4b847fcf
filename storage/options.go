package storage

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/log"
)

type timeTick = time.Time

// Options configures Open. Only Dir is required.
type Options struct {
	Dir    string
	Budget int64 // memory for rows, block cache and buffers, bytes; 0: 512 MiB

	FS     vfs.FS     // nil: the operating system's
	Policy log.Policy // appendfsync
	InSync bool       // a record is committed only when Log().Commit says so

	// Tick is the engine's clock, about one value a second: it drives everysec,
	// flushes of what has been dirty for long, and the watch on disk space. Nil:
	// a ticker of the engine's own.
	Tick <-chan time.Time
	// Now measures how long syncs take; nil: not measured.
	Now func() time.Time

	SegmentBytes int64 // of the log; 0: the log's default
	RetainLog    int64 // bytes of log kept for replicas that come back
	PinLog       int64 // a reader of the log further behind loses its place; 0: no bound
	// RecoverDamagedLog opens a log that is damaged where it was synced, without
	// what is behind the damage; those bytes are kept in files beside it.
	RecoverDamagedLog bool

	GenerationBytes int64 // dirty bytes that make the flusher start; 0: from Budget
	MaxDirtyBytes   int64 // dirty bytes at which writers wait; 0: from Budget
	ReplayBytes     int64 // of log since the last generation that make the flusher start; 0: 256 MiB
	SSTBytes        int64 // target size of a flushed table; 0: 64 MiB
	RecordBytes     int64 // that one transaction writes, at most; 0: what the log takes in a record, 1 GiB

	// Log lines and unrecoverable errors. OnFatal is called at most once, when
	// the store on disk can no longer be trusted to take writes; nil: ignored.
	Logf    func(format string, args ...any)
	OnFatal func(error)

	reserve     int64 // address space for rows; 0: all that can be used
	mutant      mutants
	iterate     bool // cold rows are looked up by Pebble's iterators only
	sweepFields int  // fields that a sweep removes at a time; 0: defaultSweepFields
	dropRows    int  // rows in memory that the collector drops at a time; 0: defaultDropRows
	draftRows   int  // from how many rows on an operation is a draft; 0: defaultDraftRows
	segmentRows int  // entries of a segment of a stream; 0: defaultSegmentRows
	trimRows    int  // entries that are trimmed one by one; 0: defaultTrimRows
	gatherBytes int  // of members that a draft holds to sort them; 0: defaultGatherBytes
	pieceRows   int  // that a draft reads or writes at a time; 0: defaultPieceRows
}

const (
	defaultBudget   = 512 << 20
	defaultSSTBytes = 64 << 20
	// idleTicks is after how many ticks a generation is cut however small it is.
	idleTicks = 60
)

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Budget == 0 {
		o.Budget = defaultBudget
	}
	if o.sweepFields == 0 {
		o.sweepFields = defaultSweepFields
	}
	if o.dropRows == 0 {
		o.dropRows = defaultDropRows
	}
	if o.gatherBytes == 0 {
		o.gatherBytes = defaultGatherBytes
	}
	if o.draftRows == 0 {
		o.draftRows = defaultDraftRows
	}
	if o.pieceRows == 0 {
		o.pieceRows = defaultPieceRows
	}
	if o.segmentRows == 0 {
		o.segmentRows = defaultSegmentRows
	}
	if o.trimRows == 0 {
		o.trimRows = defaultTrimRows
	}
	if o.ReplayBytes == 0 {
		o.ReplayBytes = defaultReplay
	}
	if o.RecordBytes == 0 {
		o.RecordBytes = log.MaxRecordBytes
	}
	if o.SSTBytes == 0 {
		o.SSTBytes = defaultSSTBytes
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
}

// mutants are rules that tests switch off one at a time to prove that the crash
// harness would notice.
type mutants struct {
	holdsIgnored     bool // writers do not wait for holds
	memtableRow      bool // one row of a generation goes through Pebble's memtable
	exciseFirst      bool // a generation cut before an excise is ingested after it
	newerThanCut     bool // C is read before commits are stopped
	ingestBeforeSync bool // a generation is ingested before the log is synced
	evictDirty       bool // rows are clean when they are cut, not when they are ingested
	settleEarly      bool // rows are clean when tables are built, before the ingest
	admitStale       bool // what a reader brings is admitted, however old
	warmStale        bool // rows read ahead of a transaction count however old they are
	oldReaders       bool // iterators from before an ingest go on being used
	oldTables        bool // looks at tables go on without those of an ingest
	tailUnsynced     bool // the end of a table is written after its sync
	flushPastCommit  bool // a generation is ingested before it is committed
	headersMissing   bool // headers are not part of the generation
	replayBelow      bool // recovery replays from the start of the log
	replayPast       bool // a barrier is replayed before the workers have applied what is ahead of it
	writersWait      bool // a store that cannot be written for another reason than a full disk refuses nobody
	trimEarly        bool // the log is trimmed before the ingest returns
	keepRanges       bool // a range deletion outlives the excise of its slot
	rowsUnderRange   bool // older rows of a generation stay under its range deletion
	followerWrites   bool // a follower's own transactions append
	expiredSeen      bool // fields are there until they are removed
	deadlinesInline  bool // a hash that changes its layout forgets deadlines
	deadlinesStay    bool // a deadline stays filed when it changes, and whatever is filed is removed
	sweepSleeps      bool // the sweeper is not told of a key that expires sooner than it knows
	longUnheeded     bool // who stops commits does not wait for long ones first
	wholeAtOpen      bool // what the store had when it was opened is taken to be in memory
	wholeImport      bool // so is what an import brings
	wholeEvicted     bool // so are rows that were evicted
	allNew           bool // every dirty row is taken for one that the store never had
	loopWaits        bool // a caller that must not wait waits for the disk when it looks again
	setCountsTwice   bool // a member of a set is counted again when it is added again
	setScanSkips     bool // SSCAN goes on behind where it stopped
	setPopKeeps      bool // SPOP returns a member that it leaves in the set
	bitsByBytes      bool // a range of bits is counted by whole bytes
	bitOpFirst       bool // BITOP takes the first source for the longest
	sketchOneChunk   bool // of a HyperLogLog in chunks the first that changed is written
	listUncounted    bool // a list's directory is not told of elements that come
	listStaysEven    bool // a leaf that was changed in the middle is still taken for even
	dropForgets      bool // the collector forgets a large object with the first piece of it
	draftUnmarked    bool // a draft's object is not in the garbage queue while it is made
	draftTaken       bool // the collector takes what a draft makes
	gatherShort      bool // leaves are made of the rows of a draft that are written, without those that wait
	draftEarly       bool // a draft's object gets its key before its last rows are written
	draftOutlives    bool // a draft goes on when its slot was emptied, or the node followed a primary
	draftBlind       bool // a draft does not see what it has written for its last record
	removeUnbounded  bool // a list that is written anew loses all elements of a value, whatever their count
	trimUnmarked     bool // entries that are trimmed at once are not in the garbage queue
	trimForgets      bool // nor are they any more when the first piece of them is gone
	trimCopied       bool // the copy of a stream has them
	idsAgain         bool // a stream whose ids start again keeps its object
	renewAtOnce      bool // or all that is pending is copied in one record
	firstStays       bool // the first entry of a stream stays the first when it is deleted
	segmentUncounted bool // a segment is not told of entries that are deleted
	recordCut        bool // a transaction leaves out what its record does not hold
	overwriteFrozen  bool // a string is overwritten in place also where the generation being flushed has it
	waitsLastFirst   bool // of those who wait for a key who came last has the first turn
	waitsStay        bool // a waiter that was served keeps its place
	waitsWakeOnce    bool // what a waiter changes that is served wakes nobody
	listUncleared    bool // what a range deletion has left beyond the end of a list stays when the end moves there
}
