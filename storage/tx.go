package storage

import (
	"slices"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/log"
)

// Op is what View and Update run. Run may be called more than once for one call:
// it must change nothing but the Tx, and must start from the beginning each time
// (a reply under construction is cut back to where it began).
//
// An error undoes every write of the transaction and is returned to the caller.
type Op interface{ Run(tx *Tx) error }

// OpFunc makes an Op of a function.
type OpFunc func(*Tx) error

// Run calls f.
func (f OpFunc) Run(tx *Tx) error { return f(tx) }

// Tx is one transaction over the slots it was started for. It lives only while
// Op.Run runs, and only in that goroutine: the slot locks are held by its engine
// from before Run until its effects are in the log and in memory. Slices that it
// returns are valid until Run returns, must not be changed, and are copied when
// they are put.
type Tx struct {
	engine     *Engine
	now        int64
	slots      []slots.Slot
	writable   bool
	writes     writeSet
	deltas     []delta
	scratch    []byte      // row key under construction
	value      []byte      // metadata value under construction
	build      []byte      // user value under construction
	digits     [3][20]byte // texts of integers
	extra      []byte      // extra bytes of metadata under construction
	positions  []uint64    // of list elements that are to go
	moved      []byte      // list element on its way
	sketch     []byte      // HyperLogLog under construction
	expired    int64       // keys removed because their time had come
	subExpired int64       // and fields of hashes
	hits       int64       // lookups of a live key
	misses     int64       // and of none
	err        error       // see fail
	hurried    bool        // its caller must not wait for a slot
	untouch    bool        // reading a row does not count as using it
	by         uint64      // see By
	events     []Event     // see Note
	usage      []usage     // see SetUsage
	notes      []note      // see explain
	noteText   []byte      // of the notes
	leafUndo   []leafUndo  // changes of leaf directories, for undoLeaves
	scored     []Scored    // members of small sorted sets
	texts      []byte      // and the texts of those that are integers
	tables     []uint32    // slots of hash tables
	stream     Stream      // the first that was looked up; its tx says that there is one

	cold     []coldRow  // rows that must be loaded before Run can succeed
	loaded   loadedRows // rows loaded for earlier runs
	memory   []byte     // of those that were looked up where they were needed
	warm     *Warm      // rows that were read ahead of it
	attempts int
	record   log.Record
	through  *Hold         // the hold that does not stop this transaction
	blocked  chan struct{} // closed when another's hold, that stopped it, is released

	unordered     bool // it met too many rows in no order,
	unorderedSlot slots.Slot

	pieces  [][]byte     // see InPieces; nil: it may not become a draft
	recheck func() error // likewise
	drafts  int          // that it has begun
	draft   *draft       // that it is about to become
	frozen  *draft       // that it is: no slot is locked
	piece   bool         // it is a part of a draft
}

// restart forgets what a run did, but not what was loaded for it.
func (tx *Tx) restart() {
	tx.through, tx.blocked = nil, nil
	tx.writes.reset()
	tx.deltas, tx.cold, tx.err, tx.expired, tx.subExpired = tx.deltas[:0], tx.cold[:0], nil, 0, 0
	tx.untouch, tx.hits, tx.misses, tx.warm = false, 0, 0, nil
	tx.by, tx.events, tx.usage, tx.notes = 0, nil, nil, tx.notes[:0]
	if cap(tx.noteText) > maxKeptArena {
		tx.noteText = nil
	}
	tx.scored, tx.texts, tx.tables = tx.scored[:0], tx.texts[:0], tx.tables[:0]
	tx.stream.tx = nil
	tx.unordered, tx.piece = false, false
}

type delta struct {
	slot                 slots.Slot
	keys, expires, bytes int64
	subExpires           int64
	nextOID              uint64
}

// Now is the time of the transaction, Unix milliseconds.
func (tx *Tx) Now() int64 { return tx.now }

// Delay says that it has become later, if it has, while the operation waited for its turn. An operation may do so
// before anything else.
func (tx *Tx) Delay(now int64) { tx.now = max(tx.now, now) }

// Incomplete reports whether a row was needed that is not in memory: whatever the
// operation has concluded, it will run again.
func (tx *Tx) Incomplete() bool { return len(tx.cold) > 0 || tx.unordered || tx.err == ErrWouldBlock }

// Lookups returns how many lookups of keys found one, and found none.
func (tx *Tx) Lookups() (hits, misses int64) { return tx.hits, tx.misses }

// Writable reports whether the transaction may write.
func (tx *Tx) Writable() bool { return tx.writable }

// Touch says whether the keys that are looked up from now on count as used
// (OBJECT IDLETIME and FREQ); at first they do. It returns whether they did.
func (tx *Tx) Touch(on bool) (was bool) {
	was = !tx.untouch
	tx.untouch = !on
	return was
}

// slotOf returns the slot of a user key.
func (tx *Tx) slotOf(key []byte) slots.Slot {
	if len(tx.slots) == 1 {
		return tx.slots[0]
	}
	return slots.Of(key)
}

// Covers reports whether the transaction holds the slot of a user key.
func (tx *Tx) Covers(key []byte) bool { return slices.Contains(tx.slots, slots.Of(key)) }

// getRow returns the row as the transaction sees it: its own writes first.
func (tx *Tx) getRow(key []byte) (value []byte, ok bool, err error) {
	if v, state := tx.writes.get(key); state != unwritten {
		return v, state == written, nil
	}
	if tx.frozen != nil {
		return tx.frozen.row(key)
	}
	return tx.engine.row(tx, key)
}

// knownRow is getRow of a row that is in memory; known is false of any other.
func (tx *Tx) knownRow(key []byte) (value []byte, ok, known bool) {
	if v, state := tx.writes.get(key); state != unwritten {
		return v, state == written, true
	}
	if tx.frozen != nil {
		return nil, false, false
	}
	value, presence := tx.engine.table.Peek(tableKey(key))
	return value, presence == cache.Present, presence != cache.Unknown
}

// putRow sets a row. Key and value are copied.
func (tx *Tx) putRow(key, value []byte) {
	tx.mustWrite()
	if tx.frozen != nil && tx.frozen.owns(key) {
		tx.fail(tx.frozen.put(key, value, false))
		return
	}
	if tx.fitsRecord(key, value) {
		tx.writes.put(key, value)
	}
}

// delRow deletes a row, existing or not.
func (tx *Tx) delRow(key []byte) {
	tx.mustWrite()
	if tx.frozen != nil && tx.frozen.owns(key) {
		tx.fail(tx.frozen.put(key, nil, true))
		return
	}
	if tx.fitsRecord(key, nil) {
		tx.writes.del(key)
	}
}

// delRange deletes the rows lo ≤ key < hi. It may cover only rows that no
// metadata row reaches any more (storage of dropped objects).
func (tx *Tx) delRange(lo, hi []byte) {
	tx.mustWrite()
	if tx.fitsRecord(lo, hi) {
		tx.writes.delRange(lo, hi)
	}
}

// fitsRecord reports whether one more operation fits the transaction's record. One that does not fails the
// transaction as a whole: what comes behind it sees rows as nothing will ever leave them.
func (tx *Tx) fitsRecord(key, value []byte) bool {
	opts := &tx.engine.opts
	if int64(len(tx.writes.arena)+len(key)+len(value)) <= opts.RecordBytes {
		return true
	}
	if !opts.mutant.recordCut {
		tx.fail(ErrRecordLimit)
	}
	return false
}

// Overflown returns ErrRecordLimit if the transaction has written more than its record holds: it cannot succeed any
// more, and who runs several commands in it should stop. What it shows since is wrong.
func (tx *Tx) Overflown() error {
	if tx.err == ErrRecordLimit {
		return tx.err
	}
	return nil
}

// outcome is what a run ended with whose operation returned err.
func (tx *Tx) outcome(err error) error {
	if err == nil || tx.err == ErrRecordLimit {
		return tx.err
	}
	return err
}

// fail records an error met where none can be returned; it fails the transaction.
func (tx *Tx) fail(err error) {
	if tx.err == nil && err != nil {
		tx.err = err
	}
}

func (tx *Tx) mustWrite() {
	if !tx.writable {
		panic("storage: write in a read-only transaction")
	}
}

// iter opens an iterator over the rows lo ≤ key < hi as the transaction sees them
// now; later writes of the transaction need a new iterator. It must be closed.
func (tx *Tx) iter(lo, hi []byte) *rowIter { return tx.engine.iter(tx, lo, hi) }

// deltaOf returns the counter changes of slot, for adding to.
func (tx *Tx) deltaOf(slot slots.Slot) *delta {
	for i := range tx.deltas {
		if tx.deltas[i].slot == slot {
			return &tx.deltas[i]
		}
	}
	n := len(tx.deltas)
	tx.deltas = slices.Grow(tx.deltas, 1)[:n+1]
	d := &tx.deltas[n] // made in place: a copy of what was just stored would wait for the stores
	*d = delta{}
	d.slot = slot
	return d
}

// counters returns the slot's counters as the transaction sees them.
func (tx *Tx) counters(slot slots.Slot) Counters {
	c := tx.engine.counters(slot)
	d := tx.deltaOf(slot)
	c.Keys += d.keys
	c.Expires += uint32(d.expires)
	c.SubExpires += uint32(d.subExpires)
	c.Bytes += d.bytes
	if d.nextOID != 0 {
		c.NextOID = d.nextOID
	}
	return c
}

// KeysAdded returns by how many keys the transaction has made its slots larger.
func (tx *Tx) KeysAdded() (n int64) {
	for i := range tx.deltas {
		n += tx.deltas[i].keys
	}
	return n
}

// newOID returns an object id that the slot has never used.
func (tx *Tx) newOID(slot slots.Slot) uint64 {
	if tx.frozen != nil {
		return tx.frozen.begin(slot)
	}
	oid := tx.counters(slot).NextOID
	tx.deltaOf(slot).nextOID = oid + 1
	return oid
}

// Savepoint marks the state of a transaction, for RollbackTo.
type Savepoint struct {
	writes  int
	deltas  []delta
	expired int64
	leaves  int
	events  int
	notes   int
}

// Savepoint returns a mark. EXEC takes one before each command, so that a command
// that fails halfway leaves nothing of itself.
func (tx *Tx) Savepoint() Savepoint {
	return Savepoint{writes: tx.writes.len(), deltas: append([]delta(nil), tx.deltas...), expired: tx.expired, leaves: len(tx.leafUndo), events: len(tx.events), notes: len(tx.notes)}
}

// RollbackTo undoes everything since the mark. Object ids are not given back.
func (tx *Tx) RollbackTo(s Savepoint) {
	tx.undoLeaves(s.leaves)
	tx.writes.cut(s.writes)
	tx.deltas = append(tx.deltas[:0], s.deltas...)
	tx.expired = s.expired
	tx.events = tx.events[:s.events]
	tx.forgetNotes(s.notes)
}
