package storage

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"cobble/storage/cache"
	"cobble/storage/log"
)

type engineCounters struct {
	loads, stalls, generations, flushErrors, storeErrors, damaged, drafts atomic.Uint64
}

// Stats are figures for INFO.
type Stats struct {
	Rows        cache.Stats
	Log         log.Stats
	Store       *pebble.Metrics // nil after Close or a failure
	Watermark   LSN
	Loads       uint64 // cold rows read from the store
	Stalls      uint64 // transactions that waited for the flusher
	Generations uint64 // cut
	FlushErrors uint64 // attempts to write the store that failed
	StoreErrors uint64 // that Pebble reported from the background
	Damaged     uint64 // times that a damaged table was met
	Rests       uint64 // that flushes and compactions took because there was time
	Drafts      uint64 // operations that were written in pieces
	DiskFull    bool   // growing writes are refused
}

// Stats returns the engine's figures; they are not one consistent cut.
func (e *Engine) Stats() Stats {
	st := Stats{
		Rows: e.table.Stats(), Log: e.log.Stats(), Watermark: e.Watermark(),
		Rests: e.pacing.rests.Load(),
		Loads: e.stats.loads.Load(), Stalls: e.stats.stalls.Load(), Generations: e.stats.generations.Load(),
		FlushErrors: e.stats.flushErrors.Load(), StoreErrors: e.stats.storeErrors.Load(), DiskFull: e.writeTrouble() != nil, Damaged: e.stats.damaged.Load(), Drafts: e.stats.drafts.Load(),
	}
	e.stores.RLock()
	defer e.stores.RUnlock()
	if e.store != nil && e.failure() == nil { // a stopped Pebble may hold its lock for good
		st.Store = e.store.Metrics()
	}
	return st
}
