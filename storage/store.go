package storage

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/tables"
)

// bytesPerSync is after how many bytes of a table their way to the disk begins.
const bytesPerSync = 1 << 20

func (e *Engine) openStore(name string) (*pebble.DB, error) {
	e.storeOpt = e.storeOptions()
	db, err := pebble.Open(e.fs.PathJoin(e.opts.Dir, name), e.storeOpt)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", e.storeError(err))
	}
	return db, nil
}

// lowestLevel is up to how many bytes level 0 is compacted straight into the lowest level,
// beside which there is none then. What level 0 gathers, some 16 generations, takes
// part in one compaction; with a level between, of Pebble's 64 MiB, each row was written
// once more on its way, and a look asked one table more. What is much larger than that,
// or than what one compaction can do in a few seconds, is better off with the level.
func lowestLevel(generation int64) int64 {
	return min(max(64*generation, 64<<20), 1<<30)
}

// mostTables is how many of limit descriptors Pebble is told that it has.
func mostTables(limit uint64) int { return int(min(limit/4, 1000)) }

// MostFiles of limit descriptors are kept open by an engine, for tables: what Pebble makes of what it is told, at least
// 64, and those of looks. Others are few: the log's, locks.
func MostFiles(limit uint64) uint64 {
	return uint64(pebble.FileCacheSize(mostTables(limit))) + tables.MostFiles(limit)
}

// storeOptions: no write-ahead log and no use of the memtable, for the flusher only
// ingests; filters on all levels, for most reads are existence checks; a lazy
// level 0, for compaction is what writes cost.
func (e *Engine) storeOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          newPatientFS(e.fs, e.closing, &e.pacing),
		FormatMajorVersion:          pebble.FormatValueSeparation,
		DisableWAL:                  true,
		Cache:                       e.blocks.cache,
		MemTableSize:                256 << 10,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       16,
		L0StopWritesThreshold:       1 << 20,
		LBaseMaxBytes:               lowestLevel(e.limits.generation.Load()),
		BytesPerSync:                bytesPerSync,
		MaxOpenFiles:                mostTables(tables.Descriptors()),
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      storeLogger{e},
		EventListener: &pebble.EventListener{
			BackgroundError: e.noteBackground,
			DataCorruption:  e.noteDamage, // without one Pebble ends the process
			CompactionEnd:   e.noteCompaction,
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].FilterType = pebble.TableFilter
	}
	o.EnsureDefaults()
	return o
}

// readHeaders reads the watermark and the counters that are exact at it. Of a slot
// without counters the store has no rows: a generation brings both.
func (e *Engine) readHeaders() error {
	it, err := e.store.NewIter(&pebble.IterOptions{LowerBound: format.WatermarkKey()})
	if err != nil {
		return e.storeError(err)
	}
	e.position = format.Watermark{}
	for s := range e.slots {
		e.slots[s].reset(Counters{})
		e.table.SetWhole(slots.Slot(s), true)
	}
	e.shared.reset()
	for ok := it.First(); ok; ok = it.Next() {
		if err = e.readSystemRow(it.Key(), it.Value()); err != nil {
			break
		}
	}
	err = e.storeError(errors.Join(err, it.Close()))
	data := int64(0)
	for s := range e.slots {
		data += dataShare(e.slots[s].counters.Keys, e.slots[s].counters.Bytes)
	}
	e.dataBytes.Store(data)
	e.soonest.Store(0) // a sweeper finds out
	e.watermark.Store(e.position.LSN)
	e.cutAt.Store(e.position.LSN)
	return err
}

func (e *Engine) readSystemRow(key, value []byte) error {
	if bytes.Equal(key, format.SharedKey()) {
		return e.shared.load(value)
	}
	slot, ok := format.SplitHeaderKey(key)
	if !ok {
		return e.position.Decode(value)
	}
	var h format.Header
	if err := h.Decode(value); err != nil {
		return err
	}
	if !e.opts.mutant.wholeAtOpen {
		e.table.SetWhole(slots.Slot(slot), false)
	}
	e.slots[slot].reset(Counters{LSN: LSN(h.LSN), Keys: int64(h.Keys), Expires: uint32(h.Expires), SubExpires: uint32(h.SubExpires), Bytes: int64(h.Bytes), NextOID: h.NextOID})
	e.garbage.note(slots.Slot(slot))
	return nil
}

// reset makes c the counters of a slot of which nothing else is known.
func (st *slotState) reset(c Counters) {
	st.counters, st.void = c, false
	st.keys.Store(c.Keys)
	st.nextExpiry.Store(0)
	if c.Expires > 0 || c.SubExpires > 0 {
		st.nextExpiry.Store(1) // a sweeper finds out
	}
}
