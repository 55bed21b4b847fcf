package cache

// Stats are figures of a table since it was made.
type Stats struct {
	Evicted, Moved, Refused uint64 // rows; Refused were not admitted for want of room
	SegmentBytes            int64  // resident, holes included
	LiveBytes               int64  // of rows in segments
	IndexBytes, LargeBytes  int64
	DirtyBytes              int64
	Ordered                 uint64 // dirty rows that were sorted or merged for cursors
}

// ResidentBytes is the memory that segments hold, holes and a few free ones included.
func (t *Table) ResidentBytes() int64 {
	return (t.arena.used.Load() + t.arena.idle.Load()) * segmentBytes
}

// Stats returns the figures; they are not one consistent cut.
func (t *Table) Stats() Stats {
	return Stats{
		Evicted: t.stats.evicted.Load(), Moved: t.stats.moved.Load(), Refused: t.stats.refused.Load(),
		SegmentBytes: t.arena.used.Load() * segmentBytes, LiveBytes: t.arena.live.Load(),
		IndexBytes: t.index.Load(), LargeBytes: t.big.bytes.Load(), DirtyBytes: t.DirtyBytes(),
		Ordered: t.stats.ordered.Load(),
	}
}
