package storage

// When a generation is cut, and when writers wait for the flusher: by what is dirty,
// which is memory, and by what of the log is behind the last cut, which is how long a
// start takes after a crash. A few keys that change all the time make much log and
// hardly a dirty row.

const (
	// defaultReplay is how many bytes of log make a generation, some 1.7 million small
	// records; one of few rows costs little.
	defaultReplay = 256 << 20
	// maxReplays is how many times that much log may be to replay before writers wait.
	maxReplays = 3
)

// flushDue reports whether a generation is to be cut, the log's end being at lsn.
func (e *Engine) flushDue(lsn LSN) bool {
	return e.table.ActiveBytes() >= e.limits.generation.Load() || int64(lsn)-int64(e.cutAt.Load()) >= e.opts.ReplayBytes
}

// overdue reports whether writers have to wait for the flusher.
func (e *Engine) overdue() bool {
	return e.table.DirtyBytes() >= e.limits.dirty.Load() || e.ReplayBytes() >= maxReplays*e.opts.ReplayBytes
}

// ReplayBytes is how much log a start would replay now.
func (e *Engine) ReplayBytes() int64 { return int64(e.log.End()) - int64(e.watermark.Load()) }
