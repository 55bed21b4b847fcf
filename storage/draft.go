package storage

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"cobble/slots"
	"cobble/storage/format"
)

// A draft is the work of a transaction that is too long for one hold of its slots and for one record: it makes new
// objects of very many rows. Its operation runs without the slot locks.
//
//   - What it reads does not change meanwhile: its keys are held (Hold), writers of others go on. It reads some rows at
//     a time, under the lock (heldRows).
//   - The rows of an object that it makes are written as it goes, in records of some hundred rows (pieces). No key has
//     the object yet, so nobody sees them.
//   - An object is garbage when it begins: its first record is its row in the garbage queue. The last record, with the
//     slots locked, takes that row away and gives the object to its key, and is all that anybody sees of the work. So
//     whatever comes in between (an error, a crash, another primary), what was written is swept like any dropped object;
//     only the collector of the engine that has the draft leaves it alone.
//
// A draft ends without effect when its slot is emptied or replaced, or when the node follows a primary: its rows may be
// gone, and what it read. Transactions of several commands (EXEC, scripts) have none.
type draft struct {
	engine  *Engine
	now     int64
	slots   []slots.Slot // that it reads or writes in
	hold    *Hold
	recheck func() error
	command [][]byte // what it does, for those who follow the log in commands
	mark    int      // the first operation of the transaction that is the command's work

	objects []draftObject // guarded by draftTable.mu for those who are not the draft
	broken  atomic.Bool

	slot  slots.Slot // of what waits to be written
	arena []byte
	ops   []draftOp
	err   error // that ended it

	heard func(tx *Tx) func(LSN) // for tests: a record is made
}

// draftObject is an object that a draft makes.
type draftObject struct {
	slot slots.Slot
	oid  uint64
	used bool // a key gets it
}

// draftOp is one row that waits to be written; its key and value stand in the arena, one behind the other.
type draftOp struct {
	klen, vlen int
	deleted    bool
}

const (
	// Up to so many elements, and bytes, one hold of a slot does: some milliseconds.
	defaultDraftRows = 4096
	draftBytes       = 4 << 20
	// A piece, and what is read at a time.
	defaultPieceRows = 512
	pieceBytes       = 128 << 10
	// maxDrafts is how often one operation begins a draft, before it is done in one record after all.
	maxDrafts = 4
)

// errDraft makes an operation end, to run again as a draft, and errBroken ends a draft. They never reach a caller of the
// engine.
var (
	errDraft  = errors.New("storage: the operation is too long for one record")
	errBroken = errors.New("storage: a draft's slot was replaced")
)

// draftTable knows the drafts under way.
type draftTable struct {
	count atomic.Int32
	mu    sync.Mutex
	all   []*draft
	heard func(tx *Tx) func(LSN) // of new drafts
	over  atomic.Bool            // see EndDrafts
}

func (t *draftTable) add(d *draft) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
	t.count.Store(int32(len(t.all)))
}

func (t *draftTable) remove(d *draft) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.all, d); i >= 0 {
		t.all = slices.Delete(t.all, i, i+1)
	}
	t.count.Store(int32(len(t.all)))
}

// has reports whether a draft makes an object.
func (t *draftTable) has(slot slots.Slot, oid uint64) bool {
	if t.count.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.all {
		if d.object(slot, oid) != nil {
			return true
		}
	}
	return false
}

// end breaks the drafts that read or write in a slot that matters.
func (t *draftTable) end(matters func(slots.Slot) bool) {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.all {
		if slices.ContainsFunc(d.slots, matters) {
			d.broken.Store(true)
		}
	}
}

// endDrafts breaks all drafts.
func (e *Engine) endDrafts() {
	if !e.opts.mutant.draftOutlives {
		e.drafts.end(func(slots.Slot) bool { return true })
	}
}

// EndDrafts ends the drafts under way, and those that would begin, without effect: their callers get ErrClosed. It is for
// who is about to close the engine and waits for those who use it.
func (e *Engine) EndDrafts() { e.drafts.over.Store(true) }

// ended reports whether the draft cannot go on.
func (d *draft) ended() bool { return d.broken.Load() || d.engine.drafts.over.Load() }

// InPieces lets the operation go on as a draft, should it say that it is Long. Keys are all that it reads or writes.
// Recheck, if it is not nil, is called once more before anybody sees the effect, with the slots locked.
func (tx *Tx) InPieces(keys [][]byte, recheck func() error) { tx.pieces, tx.recheck = keys, recheck }

// InDraft reports whether the operation runs as a draft.
func (tx *Tx) InDraft() bool { return tx.frozen != nil }

// Large reports whether so many elements, of so many bytes, are more than an operation should have in memory, or look at
// in one hold of its slots.
func (tx *Tx) Large(rows, bytes int64) bool {
	return rows > int64(tx.engine.opts.draftRows) || bytes > draftBytes
}

// Long says that the operation is about to look at rows elements of so many bytes, and to write as many at most. If that
// is much, the operation must return the error that it gets: it runs again where it may take its time. It comes when the
// keys that are read have been looked up, and before the first write; all that is written behind it is what the command
// does, in Redis too, on the same values.
func (tx *Tx) Long(rows, bytes int64, command ...[]byte) error {
	e := tx.engine
	if d := tx.frozen; d != nil {
		d.command, d.mark = command, tx.Mark()
		return nil
	}
	if !tx.writable || !tx.Large(rows, bytes) {
		return nil
	}
	if err := tx.patient(uint64(max(rows, patience+1))); err != nil {
		return err
	}
	if tx.pieces == nil || tx.drafts >= maxDrafts {
		return nil
	}
	d := &draft{engine: e, now: tx.now, slots: slices.Clone(tx.slots), hold: NewHold(), recheck: tx.recheck, heard: e.drafts.heard}
	if err := tx.Hold(d.hold, tx.pieces); err != nil {
		e.Release(d.hold)
		return err
	}
	tx.drafts++
	e.drafts.add(d)
	tx.draft = d
	return errDraft
}

// updateAsDraft runs op, which has begun a draft, to its end. Afterwards there is no draft; with busy or again the
// operation has to run once more from the start.
func (e *Engine) updateAsDraft(tx *Tx, op Op) (lsn LSN, busy chan struct{}, again bool, err error) {
	d := tx.draft
	defer func() {
		tx.draft, tx.frozen = nil, nil
		tx.undoLeaves(0) // of directories that nobody else has
		e.endDraft(d)
	}()
	tx.restart()
	tx.frozen = d
	err = tx.outcome(op.Run(tx))
	if err == nil && !e.opts.mutant.draftEarly {
		err = d.write()
	}
	tx.frozen = nil
	if d.err != nil {
		err = d.err // the first
	}
	if err == nil {
		lsn, busy, err = e.publishDraft(tx, d)
	}
	if err == nil && e.opts.mutant.draftEarly {
		for range 1000 { // let a crash in between
			runtime.Gosched()
		}
		err = d.write()
	}
	if err == errBroken {
		if e.drafts.over.Load() {
			return 0, nil, false, ErrClosed
		}
		return 0, nil, true, nil
	}
	return lsn, busy, busy != nil, err
}

// publishDraft commits what a draft has not written yet, with the metadata of its objects.
func (e *Engine) publishDraft(tx *Tx, d *draft) (LSN, chan struct{}, error) {
	e.lockSlots(tx.slots)
	defer e.unlockSlots(tx.slots)
	defer tx.undoLeaves(0)
	lsn, busy, err := e.writable(tx.slots)
	if busy != nil || err != nil {
		return 0, busy, err
	}
	if d.ended() {
		return 0, nil, errBroken
	}
	if d.recheck != nil {
		if err := d.recheck(); err != nil {
			return 0, nil, err
		}
	}
	for _, o := range d.objects {
		if o.used {
			tx.delRow(format.AppendGarbageKey(nil, uint16(o.slot), o.oid))
		}
	}
	if len(tx.writes.ops) == 0 {
		e.publish(tx, lsn)
		return lsn, nil, nil
	}
	tx.Through(d.hold)
	if held := e.holds.blocks(tx); held != nil {
		return 0, held, nil
	}
	if len(d.command) > 0 { // what it read was held: the command makes the same of it
		tx.explain(d.mark, d.command...)
	}
	told := d.telling(tx)
	lsn, err = e.commit(tx)
	if err != nil {
		return 0, nil, err
	}
	told(lsn)
	e.stats.drafts.Add(1)
	e.drafts.remove(d)
	e.Release(d.hold)
	if e.waitedFor(tx.slots) {
		e.serveWaiters(tx)
	}
	return lsn, nil, nil
}

// endDraft releases what a draft holds. Objects that no key has got are left to the collector.
func (e *Engine) endDraft(d *draft) {
	e.drafts.remove(d)
	e.Release(d.hold)
	for _, o := range d.objects {
		e.garbage.note(o.slot)
	}
}

// object returns the object with an id, if it is the draft's.
func (d *draft) object(slot slots.Slot, oid uint64) *draftObject {
	for i := range d.objects {
		if o := &d.objects[i]; o.slot == slot && o.oid == oid {
			return o
		}
	}
	return nil
}

// use says that a key gets an object, if it is the draft's.
func (d *draft) use(slot slots.Slot, oid uint64) {
	if o := d.object(slot, oid); o != nil {
		o.used = true
	}
}

func (d *draft) telling(tx *Tx) func(LSN) {
	if d.heard == nil {
		return func(LSN) {}
	}
	return d.heard(tx)
}

// update runs f on a slot, as a transaction that is a part of the draft. Open: those who follow in commands are to hear
// of it.
func (d *draft) update(slot slots.Slot, open bool, f func(tx *Tx)) error {
	var told func(LSN)
	lsn, err := d.engine.Update(d.now, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
		if d.ended() {
			return errBroken
		}
		f(tx)
		tx.piece = true
		if !open {
			tx.explain(0) // no key has what it changes
		}
		told = d.telling(tx)
		return nil
	}))
	if err == nil {
		told(lsn)
	}
	return err
}

// begin claims the id of a new object.
func (d *draft) begin(slot slots.Slot) uint64 {
	if d.err != nil {
		return 0
	}
	t := &d.engine.drafts
	t.mu.Lock()
	d.objects = append(d.objects, draftObject{slot: slot})
	o := &d.objects[len(d.objects)-1]
	t.mu.Unlock()
	d.err = d.update(slot, len(d.command) == 0, func(tx *Tx) {
		t.mu.Lock()
		o.oid = tx.newOID(slot)
		t.mu.Unlock()
		if !tx.engine.opts.mutant.draftUnmarked {
			tx.putRow(format.AppendGarbageKey(nil, uint16(slot), o.oid), nil)
		} else {
			tx.delRow(format.AppendGarbageKey(nil, uint16(slot), o.oid))
		}
	})
	return o.oid
}

// owns reports whether a row is of an object that the draft makes.
func (d *draft) owns(row []byte) bool {
	if row[2] != format.KindElement {
		return false
	}
	slot, oid := format.ObjectOf(row)
	return d.object(slots.Slot(slot), oid) != nil
}

// put notes a row to be written, or deleted.
func (d *draft) put(key, value []byte, deleted bool) error {
	if d.err != nil {
		return d.err
	}
	slot := slots.Slot(format.SlotOf(key))
	if len(d.ops) > 0 && slot != d.slot || len(d.ops) == d.engine.opts.pieceRows || len(d.arena) >= pieceBytes {
		if err := d.write(); err != nil {
			return err
		}
	}
	d.slot = slot
	d.arena = append(append(d.arena, key...), value...)
	d.ops = append(d.ops, draftOp{len(key), len(value), deleted})
	return nil
}

// write writes what waits, as a record of its own.
func (d *draft) write() error {
	if d.err != nil || len(d.ops) == 0 {
		return d.err
	}
	d.err = d.update(d.slot, false, func(tx *Tx) {
		rest := d.arena
		for _, o := range d.ops {
			key, value := rest[:o.klen], rest[o.klen:o.klen+o.vlen]
			rest = rest[o.klen+o.vlen:]
			if o.deleted {
				tx.delRow(key)
			} else {
				tx.putRow(key, value)
			}
		}
	})
	d.arena, d.ops = d.arena[:0], d.ops[:0]
	return d.err
}
