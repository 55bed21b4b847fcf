package storage

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// Checkpoint makes dir, which must not exist, a copy of the store by hard links.
// The copy is exact at the position that is returned; the log is pinned there, so
// that the records after it can be sent too. The caller releases the pin.
func (e *Engine) Checkpoint(dir string) (LSN, *log.Pin, error) {
	if err := e.lockStore(); err != nil {
		return 0, nil, err
	}
	defer e.flushing.Unlock()
	pin, err := e.log.Pin(LSN(e.position.LSN))
	if err != nil {
		return 0, nil, err
	}
	if err := e.store.Checkpoint(dir); err != nil {
		pin.Release()
		return 0, nil, e.storeError(err)
	}
	return LSN(e.position.LSN), pin, nil
}

// Watermark returns the position that the store on disk is exact at: a restart
// replays the log from there.
func (e *Engine) Watermark() LSN { return LSN(e.watermark.Load()) }

// NextStoreDir returns the path at which a store is to be assembled for
// ReplaceWith. What an earlier attempt left there is still there.
func (e *Engine) NextStoreDir() (string, error) {
	name, _, err := e.currentStore()
	if err != nil {
		return "", err
	}
	return e.fs.PathJoin(e.opts.Dir, nextStore(name)), nil
}

func nextStore(name string) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(name, storePrefix))
	return fmt.Sprintf(storePrefix+"%06d", n+1)
}

// ReplaceWith makes the checkpoint in NextStoreDir the store, and lets the log
// begin at its position, which is returned. All rows of before are gone. Until
// the new store is open the old one is served; on an error it stays. The files of
// the old one go when the last view of it is closed.
func (e *Engine) ReplaceWith() (LSN, error) {
	if err := e.lockStore(); err != nil {
		return 0, err
	}
	defer e.flushing.Unlock()
	if err := e.finishPending(); err != nil {
		return 0, err
	}
	old, _, err := e.currentStore()
	if err != nil {
		return 0, err
	}
	fresh, err := e.openStore(nextStore(old))
	if err != nil {
		return 0, err
	}
	views := e.views
	lsn, previous, err := e.swapStore(fresh, nextStore(old))
	if err != nil {
		return 0, err
	}
	e.views = new(sync.WaitGroup)
	e.retired.Go(func() {
		views.Wait()
		err := errors.Join(previous.Close(), e.fs.RemoveAll(e.fs.PathJoin(e.opts.Dir, old)))
		if err != nil {
			e.opts.Logf("the replaced store is not wholly removed: %v", err)
		}
	})
	return lsn, nil
}

// removeOldStores removes stores that were replaced, and not removed when the process
// ended. The next one stays: it may be half fetched.
func (e *Engine) removeOldStores(current string) error {
	names, err := e.fs.List(e.opts.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, storePrefix) && name != current && name != nextStore(current) {
			if err := e.fs.RemoveAll(e.fs.PathJoin(e.opts.Dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// swapStore changes the store while every slot is locked.
func (e *Engine) swapStore(fresh *pebble.DB, name string) (LSN, *pebble.DB, error) {
	for s := range slots.Slot(slots.Count) {
		e.table.Lock(s)
		defer e.table.Unlock(s)
	}
	e.stopCommits()
	defer e.commits.Unlock()
	if e.closed.Load() {
		return 0, nil, errors.Join(ErrClosed, fresh.Close())
	}
	if err := e.setCurrentStore(name, true); err != nil {
		return 0, nil, errors.Join(err, fresh.Close())
	}
	for s := range slots.Slot(slots.Count) {
		e.table.Discard(s)
		e.leaves.forget(s)
		e.watch.touchSlot(s)
	}
	e.endDrafts()
	all := slots.Full()
	e.watch.tellEmptied(&all)
	e.generation++
	e.takeChanges()
	e.stores.Lock()
	old := e.store
	e.store, e.storeDir = fresh, e.fs.PathJoin(e.opts.Dir, name)
	e.sorted.Drop()
	e.changes.Add(1) // the clock has the new tables looked at
	err := e.readers.renew()
	e.stores.Unlock()
	if err != nil {
		e.opts.Logf("a reader of the replaced store: %v", err)
	}
	if err := e.readHeaders(); err != nil {
		return 0, nil, e.stop(err) // neither the old nor the new state is whole in memory
	}
	if err := e.log.Reset(e.logStart()); err != nil {
		return 0, nil, e.stop(err)
	}
	if err := e.setCurrentStore(name, false); err != nil {
		return 0, nil, e.stop(err)
	}
	return LSN(e.position.LSN), old, nil
}

// Snapshot is a view of some slots as the store has them at LSN. The log is pinned
// there: the slots' records after LSN are what is missing. When the store is closed or
// replaced, what goes on reading it ends soon, with ErrClosed.
type Snapshot struct {
	LSN    LSN
	engine *Engine
	store  *pebble.DB
	snap   *pebble.EventuallyFileOnlySnapshot
	pin    *log.Pin
	views  *sync.WaitGroup // of the store
}

// Snapshot opens a view of the slots of set. It must be closed: the store, and with it
// the engine, is not closed before, for Pebble panics if a reader of it is left.
func (e *Engine) Snapshot(set slots.Set) (*Snapshot, error) {
	if err := e.lockStore(); err != nil {
		return nil, err
	}
	defer e.flushing.Unlock()
	pin, err := e.log.Pin(LSN(e.position.LSN))
	if err != nil {
		return nil, err
	}
	spans := []pebble.KeyRange{}
	for _, r := range rangesOf(set) {
		spans = append(spans, span(r))
	}
	system := format.WatermarkKey()
	spans = append(spans, pebble.KeyRange{Start: system, End: []byte{0xFF, 0xFF, 0xFF}})
	e.views.Add(1)
	snap := e.store.NewEventuallyFileOnlySnapshot(spans)
	return &Snapshot{LSN: LSN(e.position.LSN), engine: e, store: e.store, snap: snap, pin: pin, views: e.views}, nil
}

// Pin is the snapshot's hold on the log; Close releases it.
func (s *Snapshot) Pin() *log.Pin { return s.pin }

// enter takes stores for reading, or refuses: Pebble panics when a store that was
// closed or replaced is asked.
func (s *Snapshot) enter() error {
	s.engine.stores.RLock()
	if s.engine.store != s.store {
		s.engine.stores.RUnlock()
		return ErrClosed
	}
	return nil
}

// Counters returns the counters of a slot as of LSN.
func (s *Snapshot) Counters(slot slots.Slot) (Counters, error) {
	if err := s.enter(); err != nil {
		return Counters{}, err
	}
	defer s.engine.stores.RUnlock()
	value, closer, err := s.snap.Get(format.AppendHeaderKey(nil, uint16(slot)))
	if err == pebble.ErrNotFound {
		return Counters{}, nil
	} else if err != nil {
		return Counters{}, s.engine.storeError(err)
	}
	defer closer.Close()
	var h format.Header
	err = h.Decode(value)
	return Counters{LSN: LSN(h.LSN), Keys: int64(h.Keys), Expires: uint32(h.Expires), SubExpires: uint32(h.SubExpires), Bytes: int64(h.Bytes), NextOID: h.NextOID}, err
}

// Each calls f for every row of a slot, ascending. Slices are valid during the call.
func (s *Snapshot) Each(slot slots.Slot, f func(key, value []byte) error) error {
	r := span(format.SlotRange{First: uint16(slot), Last: uint16(slot)})
	if err := s.enter(); err != nil {
		return err
	}
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: r.Start, UpperBound: r.End})
	s.engine.stores.RUnlock()
	if err != nil {
		return s.engine.storeError(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = f(it.Key(), value)
		}
		if err != nil {
			return errors.Join(s.engine.storeError(err), it.Close())
		}
	}
	return s.engine.storeError(it.Close())
}

// Close releases the view and the pin.
func (s *Snapshot) Close() error {
	defer s.views.Done()
	s.pin.Release()
	return s.snap.Close()
}
