package storage

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
	"cobble/storage/log"
	"cobble/storage/tables"
)

// LSN is a position in the shard log: the offset of the end of a record, in bytes.
type LSN = log.LSN

// Counters are one slot's exact counters.
type Counters struct {
	LSN  LSN // of the last record that touched the slot
	Keys int64
	// Keys that expire, and hashes with fields that do. A slot never has 2^32 of
	// them, and so the state of a slot stays within its lines of the cache.
	Expires, SubExpires uint32

	Bytes   int64
	NextOID uint64
}

// Engine is the storage of one node. All methods may be called from any goroutine.
//
// Locks, in the order in which they are taken: flushing, slot locks (ascending),
// longCommits, commits, stores. Slot locks are the row table's.
type Engine struct {
	slots  [slots.Count]slotState // first: each begins a cache line
	opts   Options
	fs     vfs.FS
	table  *cache.Table
	limits limits
	blocks blockCache
	log    *log.Log
	watch  watchTable

	events   atomic.Uint32 // classes that transactions note
	onEvents func(LSN, []Event)

	maxString  atomic.Int64 // see SetMaxString
	expired    atomic.Int64 // keys removed because their time had come
	subExpired atomic.Int64 // and fields of hashes
	dataBytes  atomic.Int64 // see DataBytes
	sweepFrom  atomic.Int64 // the slot where SweepExpired goes on
	soonest    atomic.Int64 // no key of any slot expires earlier, Unix ms; see expires
	sweepPlace atomic.Pointer[sweepPlace]
	sweepRow   atomic.Pointer[dueRow]

	encodings encodingLimits
	holds     holdTable
	drafts    draftTable
	waits     waitTable

	pool sync.Pool

	// commits is held for reading from before a record is appended until its
	// rows are in the table and its counters are counted, and for writing to cut
	// a generation: so a cut is one exact state.
	commits    sync.RWMutex
	generation uint32 // counts cuts, from 1; guarded by commits
	follower   bool   // only ApplyRecord appends; guarded by commits
	// changed are the slots that have changed since the last cut.
	changed [slots.Count / 64]atomic.Uint64

	// longCommits is held, from before commits is taken, by a commit of many rows or of a
	// range, which takes seconds if they are millions, and by who stops commits.
	longCommits sync.Mutex

	rangesMu sync.Mutex
	ranges   []rowRange // range deletions since the last cut

	// flushing is held by whoever changes the store: one generation or barrier
	// at a time, in log order.
	flushing  sync.Mutex
	pending   *generation // cut, not yet in the store
	waiting   []waitingBarrier
	replaying bool
	released  bool // the files are closed
	watermark atomic.Uint64
	cutAt     atomic.Uint64    // end of the log when a generation was last cut
	position  format.Watermark // guarded by flushing
	imports   uint64           // numbers side files; guarded by flushing
	sideFiles map[string]LSN   // and the position up to which they are needed; guarded by flushing

	// stores guards the pointer: readers of cold rows hold no slot lock.
	stores   sync.RWMutex
	store    *pebble.DB
	views    *sync.WaitGroup // snapshots of store; guarded by flushing
	retired  sync.WaitGroup  // replaced stores that are not closed yet
	storeDir string
	readers  readerPool
	sorted   *tables.Set   // of store; nil until it is open
	changes  atomic.Uint64 // of the store's tables, by compactions
	seen     uint64        // of changes, by the clock
	storeOpt *pebble.Options
	dirLock  interface{ Close() error }

	throttled       throttle
	pacing          pacing
	kick            chan struct{}
	logTick         chan timeTick
	closing         chan struct{}
	stopped         chan struct{} // closed when fatal is set
	loops           sync.WaitGroup
	closed          atomic.Bool
	fatal           atomic.Pointer[error]
	compactionFails atomic.Bool             // and it was told
	noRoom          atomic.Bool             // of the log, and it was told
	logFailed       atomic.Bool             // and it was told
	full            atomic.Bool             // the disk, by its free space: growing writes are refused
	trouble         atomic.Pointer[trouble] // why the flusher cannot write the store, nil if it can
	garbage         garbageQueue
	dropped         atomic.Pointer[dropPlace]
	stats           engineCounters
	disk            diskReads
	leaves          leafCache
	shared          sharedValues
}

// slotState is what the engine knows of a slot beside its rows. The slot lock
// guards it, but for the atomics, which may be read without. What most transactions
// look at is one line of the processor's cache.
type slotState struct {
	counters   Counters
	busy       chan struct{}
	generation uint32       // of the last change
	waiters    atomic.Int32 // places in queues for keys of the slot
	keys       atomic.Int64

	frozen     Counters     // as of the last cut, if generation says so
	nextExpiry atomic.Int64 // no key of the slot expires earlier, Unix ms; 0 = never; see expires
	void       bool         // what the store holds of the slot was excised in the log
	_          [15]byte
}

// View runs op with slot locked for reading, at time now (Unix milliseconds). It
// returns the position that must be Awaited before anything op saw is told to anybody.
func (e *Engine) View(now int64, slot slots.Slot, op Op) (LSN, error) {
	tx := e.begin(now, false)
	defer e.release(tx)
	tx.slots = append(tx.slots, slot)
	for {
		lsn, busy, err := e.viewOnce(tx, slot, op)
		if again, fail := e.prepareRetry(tx, busy); fail != nil {
			return 0, fail
		} else if !again {
			return lsn, err
		}
	}
}

func (e *Engine) viewOnce(tx *Tx, slot slots.Slot, op Op) (LSN, chan struct{}, error) {
	e.table.RLock(slot)
	defer e.table.RUnlock(slot)
	st := &e.slots[slot]
	if st.busy != nil {
		return 0, st.busy, nil
	}
	if e.closed.Load() {
		return 0, nil, ErrClosed
	}
	err := tx.outcome(op.Run(tx))
	if len(tx.events) > 0 && err == nil && len(tx.cold) == 0 && tx.blocked == nil {
		e.publish(tx, st.counters.LSN)
	}
	return st.counters.LSN, tx.blocked, err
}

// Update runs op with the slots (ascending, usually one) locked for writing, at
// time now (Unix milliseconds), and appends its effects to the log as one record, of which those of a draft come before it.
// Nothing is changed when op fails. The effects must be Awaited with the returned
// position before a reply leaves.
func (e *Engine) Update(now int64, ss []slots.Slot, op Op) (LSN, error) {
	if err := e.waitForFlusher(); err != nil {
		return 0, err
	}
	tx := e.begin(now, true)
	defer e.release(tx)
	tx.slots = append(tx.slots, ss...)
	for {
		lsn, busy, err := e.updateOnce(tx, op)
		if tx.draft != nil {
			var again bool
			if lsn, busy, again, err = e.updateAsDraft(tx, op); again && busy == nil {
				tx.restart()
				continue
			}
		}
		if again, fail := e.prepareRetry(tx, busy); fail != nil {
			return 0, fail
		} else if !again {
			return lsn, err
		}
	}
}

func (e *Engine) updateOnce(tx *Tx, op Op) (LSN, chan struct{}, error) {
	e.lockSlots(tx.slots)
	defer e.unlockSlots(tx.slots)
	defer tx.undoLeaves(0)
	lsn, busy, err := e.writable(tx.slots)
	if busy != nil || err != nil {
		return 0, busy, err
	}
	err = tx.outcome(op.Run(tx))
	if err != nil || len(tx.cold) > 0 || len(tx.writes.ops) == 0 {
		if err == nil && len(tx.cold) == 0 && tx.blocked == nil {
			e.publish(tx, lsn)
		}
		return lsn, tx.blocked, err
	}
	if held := e.holds.blocks(tx); held != nil && !e.opts.mutant.holdsIgnored {
		return 0, held, nil
	}
	lsn, err = e.commit(tx)
	if err == nil && e.waitedFor(tx.slots) {
		e.serveWaiters(tx)
	}
	return lsn, nil, err
}

// writable returns the last position of slots that are locked for writing, what to wait for if one is being replaced, or
// why nothing can be written.
func (e *Engine) writable(ss []slots.Slot) (lsn LSN, busy chan struct{}, err error) {
	for _, s := range ss {
		st := &e.slots[s]
		if st.busy != nil {
			return 0, st.busy, nil
		}
		lsn = max(lsn, st.counters.LSN)
	}
	if e.closed.Load() {
		return 0, nil, ErrClosed
	}
	return lsn, nil, e.failure()
}

// prepareRetry reports whether the transaction has to run again, after it has
// waited for what it needs. No lock is held.
func (e *Engine) prepareRetry(tx *Tx, busy chan struct{}) (again bool, err error) {
	if busy != nil {
		select {
		case <-busy:
			tx.restart()
			return true, nil
		case <-e.closing:
			return false, ErrClosed
		}
	}
	if tx.unordered {
		tx.attempts++
		e.order(tx.unorderedSlot)
		tx.restart()
		return true, nil
	}
	if len(tx.cold) == 0 {
		return false, nil
	}
	if err := e.load(tx, true); err != nil {
		return false, err
	}
	tx.restart()
	return true, nil
}

func (e *Engine) lockSlots(ss []slots.Slot) {
	for i, s := range ss {
		if i > 0 && s <= ss[i-1] {
			panic("storage: slots of a transaction are not ascending")
		}
		e.table.Lock(s)
	}
}

func (e *Engine) unlockSlots(ss []slots.Slot) {
	for _, s := range ss {
		e.table.Unlock(s)
	}
}

func (e *Engine) begin(now int64, writable bool) *Tx {
	tx := e.pool.Get().(*Tx)
	tx.engine, tx.now, tx.writable = e, now, writable
	tx.writes.reset()
	return tx
}

func (e *Engine) release(tx *Tx) {
	tx.restart()
	tx.record.Payload = nil // the write set's memory, which restart has let go of if it is large
	tx.slots = tx.slots[:0]
	tx.loaded.forget()
	if tx.memory = tx.memory[:0]; cap(tx.memory) > keptMemory {
		tx.memory = nil
	}
	tx.attempts, tx.hurried = 0, false
	tx.pieces, tx.recheck, tx.drafts = nil, nil, 0
	e.pool.Put(tx)
}

// Await blocks until the log has reached lsn at the level that appendfsync promises.
func (e *Engine) Await(lsn LSN) error {
	return logError(e.log.Wait(lsn, e.log.Promised()))
}

// Park calls fn once when Await(lsn) would return, with its result: perhaps
// before Park returns, else from another goroutine. fn must not block.
func (e *Engine) Park(lsn LSN, fn func(error)) {
	e.log.Park(lsn, e.log.Promised(), fn)
}

// Reached reports whether Await(lsn) would return at once.
func (e *Engine) Reached(lsn LSN) bool { return e.log.Reached(e.log.Promised()) >= lsn }

// Log is the shard log, for whoever streams it. Only the engine appends to it.
func (e *Engine) Log() *log.Log { return e.log }

// Counters returns the counters of a slot.
func (e *Engine) Counters(slot slots.Slot) Counters {
	e.table.RLock(slot)
	defer e.table.RUnlock(slot)
	return e.slots[slot].counters
}

func (e *Engine) counters(slot slots.Slot) Counters { return e.slots[slot].counters }

// KeysIn returns the number of keys in a slot, expired ones that were not yet
// removed included. It takes no lock.
func (e *Engine) KeysIn(slot slots.Slot) int64 { return e.slots[slot].keys.Load() }

// NextExpiry returns a time (Unix milliseconds) before which no key of the slot
// expires, 0 for never. It takes no lock.
func (e *Engine) NextExpiry(slot slots.Slot) int64 { return e.slots[slot].nextExpiry.Load() }

// SetNextExpiry replaces what NextExpiry returns: a sweeper has looked. It must be
// called inside a writing transaction on the slot.
func (tx *Tx) SetNextExpiry(slot slots.Slot, at int64) {
	tx.mustWrite()
	tx.engine.expires(slot, at)
}

// IdleTime returns how long ago key's row was used, in seconds, and its access
// frequency; ok is false if that is not known (the row is not in memory).
func (tx *Tx) IdleTime(key []byte) (seconds, frequency uint32, ok bool) {
	slot := tx.slotOf(key)
	tx.scratch = format.AppendMetaKey(tx.scratch[:0], uint16(slot), 0, key)
	return tx.engine.table.Usage(tableKey(tx.scratch), seconds32(tx.now))
}

// NewFrequency is the access frequency of a new key.
const NewFrequency = cache.NewFrequency

// usage is what SetUsage was told of a key.
type usage struct {
	row             []byte // the key of its row
	idle, frequency int64
}

// SetUsage says of a key that the transaction writes that it was last used some seconds
// ago, and its access frequency (0 to 255); what is negative stays. It counts on this
// node only, and while the row is in memory.
func (tx *Tx) SetUsage(key []byte, idleSeconds, frequency int64) {
	row := format.AppendMetaKey(nil, uint16(tx.slotOf(key)), 0, key)
	tx.usage = append(tx.usage, usage{row, idleSeconds, frequency})
}

func seconds32(ms int64) uint32 { return uint32(ms / 1000) }

// logError gives errors of the log the names that commands know.
func logError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, log.ErrDiskFull):
		return ErrDiskFull
	case errors.Is(err, log.ErrClosed):
		return ErrClosed
	case errors.Is(err, log.ErrTooLarge):
		return ErrRecordLimit
	case errors.Is(err, log.ErrFailed), errors.Is(err, log.ErrNoRoom):
		return ErrDiskFails // why is in the server's log
	}
	return err
}
