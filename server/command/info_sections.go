package command

import (
	"cobble/server/acl"
	"fmt"
	"strconv"
)

// human prints bytes as INFO does: 1.00M.
func human(n int64) string {
	units := "KMGTP"
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f := float64(n)
	i := -1
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	return fmt.Sprintf("%.2f%c", f, units[i])
}

func (b *infoText) bytes(name string, n int64) {
	b.num(name, n)
	b.str(name+"_human", human(n))
}

// infoMemory prints Redis's fields with Redis's meaning, used_memory being what
// maxmemory is compared with and mem_not_counted_for_evict what is not, wherever the
// data is; where the memory of the process is, is in fields of our own.
func infoMemory(c *Call, b *infoText) {
	m := c.memory()
	b.bytes("used_memory", m.used)
	b.bytes("used_memory_rss", m.RSS)
	b.bytes("used_memory_peak", m.peak)
	b.str("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*float64(m.used)/float64(max(m.peak, 1))))
	b.num("used_memory_overhead", m.overhead)
	b.num("used_memory_startup", 0)
	b.num("used_memory_dataset", m.used-m.overhead)
	b.str("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", 100*float64(m.used-m.overhead)/float64(max(m.used, 1))))
	b.num("allocator_allocated", m.Heap+m.rows)
	b.num("allocator_active", m.Heap+m.rows)
	b.num("allocator_resident", m.RSS)
	b.bytes("total_system_memory", m.Machine)
	b.zeros("used_memory_lua")
	b.scripts(c.Env)
	b.bytes("maxmemory", c.Env.Config.Int("maxmemory"))
	b.str("maxmemory_policy", c.Env.Config.Text("maxmemory-policy"))
	b.flt("allocator_frag_ratio", 1)
	b.zeros("allocator_frag_bytes")
	b.flt("allocator_rss_ratio", float64(m.RSS)/float64(max(m.Heap+m.rows, 1)))
	b.num("allocator_rss_bytes", m.RSS-m.Heap-m.rows)
	b.flt("rss_overhead_ratio", 1) // what is resident is the allocator's
	b.zeros("rss_overhead_bytes")
	b.flt("mem_fragmentation_ratio", float64(m.RSS)/float64(max(m.used, 1)))
	b.num("mem_fragmentation_bytes", m.RSS-m.used)
	b.num("mem_not_counted_for_evict", m.used-m.data)
	b.zeros("mem_replication_backlog", "mem_total_replication_buffers") // a replica reads the log on disk
	b.num("mem_clients_slaves", m.replicas)
	b.num("mem_clients_normal", m.clients)
	b.num("mem_cluster_links", m.links)
	b.zeros("mem_aof_buffer")
	b.str("mem_allocator", "go")
	b.zeros("active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects")
	b.num("cobble_memory_budget", c.Env.Config.Bytes("memory-budget", m.Machine))
	for _, f := range m.fields() {
		b.num("cobble_memory_"+f.name, f.bytes)
	}
}

func infoPersistence(c *Call, b *infoText) {
	b.zeros("loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age")
	b.flt("current_fork_perc", 0)
	b.zeros("current_save_keys_processed", "current_save_keys_total", "rdb_changes_since_last_save", "rdb_bgsave_in_progress")
	b.num("rdb_last_save_time", max(c.Env.Stats.LastSave.Load(), c.Env.Process.StartedAt/1000))
	b.str("rdb_last_bgsave_status", "ok")
	b.num("rdb_last_bgsave_time_sec", -1)
	b.num("rdb_current_bgsave_time_sec", -1)
	b.zeros("rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded")
	enabled := int64(0)
	if c.Env.Config.Bool("appendonly") {
		enabled = 1
	}
	b.num("aof_enabled", enabled)
	b.zeros("aof_rewrite_in_progress", "aof_rewrite_scheduled")
	b.num("aof_last_rewrite_time_sec", -1)
	b.num("aof_current_rewrite_time_sec", -1)
	b.str("aof_last_bgrewrite_status", "ok")
	b.zeros("aof_rewrites", "aof_rewrites_consecutive_failures")
	status := "ok"
	if c.Env.Engine.WriteError() != nil {
		status = "err"
	}
	b.str("aof_last_write_status", status)
	b.zeros("aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size")
}

func infoStats(c *Call, b *infoText) {
	s := &c.Env.Stats
	b.num("total_connections_received", s.Connections.Load())
	b.num("total_commands_processed", s.commands.Load())
	b.num("instantaneous_ops_per_sec", s.Rates.Commands.Load())
	b.num("total_net_input_bytes", s.NetIn.Load())
	b.num("total_net_output_bytes", s.NetOut.Load())
	b.zeros("total_net_repl_input_bytes", "total_net_repl_output_bytes")
	b.flt("instantaneous_input_kbps", float64(s.Rates.NetIn.Load())/1024)
	b.flt("instantaneous_output_kbps", float64(s.Rates.NetOut.Load())/1024)
	b.flt("instantaneous_input_repl_kbps", 0)
	b.flt("instantaneous_output_repl_kbps", 0)
	b.num("rejected_connections", s.RejectedConnections.Load())
	full, partial, refused := c.Env.syncs()
	b.num("sync_full", full)
	b.num("sync_partial_ok", partial)
	b.num("sync_partial_err", refused)
	b.num("expired_subkeys", c.Env.Engine.ExpiredFields()-s.fieldsBefore.Load())
	b.num("expired_keys", c.Env.Engine.ExpiredKeys()-s.expiredBefore.Load())
	b.flt("expired_stale_perc", 0)
	b.zeros("expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds")
	b.num("evicted_keys", s.EvictedKeys.Load())
	b.num("evicted_clients", s.EvictedClients.Load())
	b.zeros("total_eviction_exceeded_time", "current_eviction_exceeded_time")
	b.num("keyspace_hits", s.KeyspaceHits.Load())
	b.num("keyspace_misses", s.KeyspaceMisses.Load())
	topics, _ := c.Env.Broker.sizes()
	b.num("pubsub_channels", int64(topics[topicChannel]))
	b.num("pubsub_patterns", int64(topics[topicPattern]))
	b.num("pubsubshard_channels", int64(topics[topicShard]))
	b.zeros("latest_fork_usec", "total_forks", "migrate_cached_sockets",
		"slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
		"total_active_defrag_time", "current_active_defrag_time")
	_, trackedKeys, items, prefixes := c.Env.Tracking.sizes()
	b.num("tracking_total_keys", trackedKeys)
	b.num("tracking_total_items", items)
	b.num("tracking_total_prefixes", prefixes)
	b.num("unexpected_error_replies", s.UnexpectedErrors.Load())
	b.num("total_error_replies", s.errors.Load())
	b.zeros("dump_payload_sanitizations")
	b.num("total_reads_processed", s.Reads.Load())
	b.num("total_writes_processed", s.Writes.Load())
	b.zeros("io_threaded_reads_processed", "io_threaded_writes_processed", "reply_buffer_shrinks", "reply_buffer_expands")
	b.num("client_query_buffer_limit_disconnections", s.LimitedByQuery.Load())
	b.num("client_output_buffer_limit_disconnections", s.LimitedByOutput.Load())
	for _, f := range []struct {
		name string
		why  acl.Denial
	}{{"auth", acl.DeniedAuth}, {"cmd", acl.DeniedCommand}, {"key", acl.DeniedKey}, {"channel", acl.DeniedChannel}} {
		b.num("acl_access_denied_"+f.name, c.Env.ACL.refused[f.why].Load())
	}
}
