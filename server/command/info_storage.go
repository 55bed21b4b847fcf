package command

// infoStorage prints what only a store on disk has: the section is not part of a
// plain INFO.
func infoStorage(c *Call, b *infoText) {
	st := c.Env.Engine.Stats()
	b.num("storage_log_bytes", st.Log.Bytes)
	b.num("storage_log_written_bytes", int64(st.Log.BytesWritten))
	b.num("storage_log_syncs", int64(st.Log.Syncs))
	b.num("storage_dirty_bytes", st.Rows.DirtyBytes)
	b.num("storage_generations", int64(st.Generations))
	b.num("storage_writer_stalls", int64(st.Stalls))
	b.num("storage_background_rests", int64(st.Rests))
	b.num("storage_cold_reads", int64(st.Loads))
	b.num("storage_rows_evicted", int64(st.Rows.Evicted))
	if m := st.Store; m != nil {
		b.num("storage_disk_bytes", int64(m.DiskSpaceUsage()))
		b.num("storage_l0_sublevels", int64(m.Levels[0].Sublevels))
		b.num("storage_compaction_debt_bytes", int64(m.Compact.EstimatedDebt))
		b.num("storage_compactions_running", m.Compact.NumInProgress)
		b.num("storage_compactions", m.Compact.Count)
	}
	b.num("storage_replay_bytes", c.Env.Engine.ReplayBytes())
	if c.Env.Transfers != nil {
		bytes, waited := c.Env.Transfers()
		b.num("storage_transfer_bytes", bytes)
		b.num("storage_transfer_waited_ms", waited/1000)
	}
	b.num("storage_goroutines", int64(c.Env.Process.Usage().Goroutines))
}
