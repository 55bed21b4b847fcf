package command

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/slots"
)

// infoSection is one section of INFO. Some are only printed when asked for.
type infoSection struct {
	name  string
	extra bool // not part of the default sections
	write func(c *Call, b *infoText)
}

var infoSections = []infoSection{
	{"server", false, infoServer}, {"clients", false, infoClients}, {"memory", false, infoMemory}, {"persistence", false, infoPersistence},
	{"stats", false, infoStats}, {"replication", false, infoReplication}, {"cpu", false, infoCPU}, {"modules", false, func(*Call, *infoText) {}},
	{"commandstats", true, infoCommandStats}, {"errorstats", false, infoErrorStats}, {"latencystats", true, infoLatencyStats},
	{"cluster", false, infoCluster}, {"keyspace", false, infoKeyspace}, {"storage", true, infoStorage},
}

// infoTitles are the titles that are not just the name with a capital.
var infoTitles = map[string]string{"cpu": "CPU"}

// infoText builds the text of INFO.
type infoText struct{ strings.Builder }

func (b *infoText) num(name string, n int64)   { fmt.Fprintf(b, "%s:%d\r\n", name, n) }
func (b *infoText) str(name, value string)     { fmt.Fprintf(b, "%s:%s\r\n", name, value) }
func (b *infoText) flt(name string, f float64) { fmt.Fprintf(b, "%s:%.2f\r\n", name, f) }
func (b *infoText) zeros(names ...string) {
	for _, name := range names {
		b.num(name, 0)
	}
}

func infoCommand(c *Call) error {
	c.Flush()
	wanted := map[string]bool{}
	for _, arg := range c.Args[1:] {
		switch name := strings.ToLower(string(arg)); name {
		case "all", "everything", "default":
			for _, s := range infoSections {
				wanted[s.name] = wanted[s.name] || name != "default" || !s.extra
			}
		default:
			wanted[name] = true
		}
	}
	var b infoText
	for _, s := range infoSections {
		if len(c.Args) == 1 && s.extra || len(c.Args) > 1 && !wanted[s.name] {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		title := infoTitles[s.name]
		if title == "" {
			title = strings.ToUpper(s.name[:1]) + s.name[1:]
		}
		b.WriteString("# " + title + "\r\n")
		s.write(c, &b)
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func infoServer(c *Call, b *infoText) {
	p, now := &c.Env.Process, c.Env.Process.Micros()
	mode := "standalone"
	if c.clusterMode() {
		mode = "cluster"
	}
	b.str("redis_version", RedisVersion)
	b.str("cobble_version", p.Version)
	b.str("redis_git_sha1", "00000000")
	b.num("redis_git_dirty", 0)
	b.str("redis_build_id", "0")
	b.str("redis_mode", mode)
	b.str("os", p.OS)
	b.num("arch_bits", strconv.IntSize)
	b.str("monotonic_clock", "POSIX clock_gettime")
	b.str("multiplexing_api", "epoll")
	b.str("atomicvar_api", "go")
	b.str("gcc_version", "0.0.0")
	b.num("process_id", int64(p.PID))
	b.str("process_supervised", "no")
	b.str("run_id", p.RunID)
	b.num("tcp_port", c.Env.Config.Int("port"))
	b.num("server_time_usec", now)
	up := (now/1000 - p.StartedAt) / 1000
	b.num("uptime_in_seconds", up)
	b.num("uptime_in_days", up/86400)
	if ms, waits := p.ShutdownIn(); waits {
		b.num("shutdown_in_milliseconds", ms)
	}
	b.num("hz", c.Env.Config.Int("hz"))
	b.num("configured_hz", c.Env.Config.Int("hz"))
	b.num("lru_clock", now/1_000_000&(1<<24-1))
	b.str("executable", p.Executable)
	b.str("config_file", c.Env.Config.File())
	b.num("io_threads_active", 0)
	b.str("availability_zone", c.Env.Config.Text("availability-zone"))
	b.str("listener0", fmt.Sprintf("name=tcp,bind=%s,port=%d", strings.ReplaceAll(c.Env.Config.Text("bind"), " ", ",bind="), c.Env.Config.Int("port")))
}

func infoClients(c *Call, b *infoText) {
	var maxIn, maxOut, watching int64
	for _, client := range c.Env.Clients.All() {
		client.mu.Lock()
		maxIn = max(maxIn, int64(client.info.queryBytes+client.info.queryFree))
		maxOut = max(maxOut, client.Unsent.Load())
		if client.info.watching > 0 {
			watching++
		}
		client.mu.Unlock()
	}
	b.num("connected_clients", int64(c.Env.Clients.Len()))
	b.num("cluster_connections", 0)
	b.num("maxclients", c.Env.Config.Int("maxclients"))
	b.num("client_recent_max_input_buffer", maxIn)
	b.num("client_recent_max_output_buffer", maxOut)
	b.num("blocked_clients", c.Env.Stats.InFlight.Load())
	_, listening := c.Env.Broker.sizes()
	tracking, _, _, _ := c.Env.Tracking.sizes()
	b.num("tracking_clients", tracking)
	b.num("pubsub_clients", int64(listening))
	b.num("watching_clients", watching)
	b.zeros("clients_in_timeout_table", "total_watched_keys")
	keys, orGone := c.Env.Engine.WaitingKeys()
	b.num("total_blocking_keys", keys)
	b.num("total_blocking_keys_on_nokey", orGone)
}

func infoReplication(c *Call, b *infoText) {
	r := c.Env.Role()
	b.str("role", r.Role)
	if r.Role == "slave" {
		b.str("master_host", r.PrimaryHost)
		b.num("master_port", int64(r.PrimaryPort))
		status, syncing := "down", int64(0)
		if r.LinkUp {
			status = "up"
		}
		if r.SyncRunning {
			syncing = 1
		}
		b.str("master_link_status", status)
		b.num("master_last_io_seconds_ago", r.LastIO)
		b.num("master_sync_in_progress", syncing)
		b.num("slave_read_repl_offset", int64(r.Offset))
		b.num("slave_repl_offset", int64(r.Offset))
		if !r.LinkUp {
			b.num("master_link_down_since_seconds", r.LinkDownSecs)
		}
		b.num("slave_priority", c.Env.Config.Int("replica-priority"))
		b.num("slave_read_only", 1)
		b.num("replica_announced", 1)
	}
	b.num("connected_slaves", int64(len(r.Replicas)))
	if c.Env.Config.Int("min-replicas-to-write") > 0 {
		b.num("min_slaves_good_slaves", int64(r.MinSlaves))
	}
	for i, replica := range r.Replicas {
		b.str("slave"+strconv.Itoa(i), fmt.Sprintf("ip=%s,port=%d,state=%s,offset=%d,lag=%d", replica.IP, replica.Port, replica.State, replica.Offset, replica.Lag))
	}
	b.str("master_failover_state", "no-failover")
	b.str("master_replid", r.ReplID)
	b.str("master_replid2", r.ReplID2)
	b.num("master_repl_offset", int64(r.Offset))
	b.num("second_repl_offset", r.Offset2)
	b.num("repl_backlog_active", 1)
	b.num("repl_backlog_size", c.Env.Config.Int("repl-backlog-size"))
	b.num("repl_backlog_first_byte_offset", 1)
	b.num("repl_backlog_histlen", int64(r.Offset))
}

func infoCPU(c *Call, b *infoText) {
	u := c.Env.Process.Usage()
	for _, f := range []struct {
		name string
		s    float64
	}{{"used_cpu_sys", u.SystemCPU}, {"used_cpu_user", u.UserCPU}, {"used_cpu_sys_children", 0}, {"used_cpu_user_children", 0},
		{"used_cpu_sys_main_thread", u.SystemCPU}, {"used_cpu_user_main_thread", u.UserCPU}} {
		fmt.Fprintf(b, "%s:%.6f\r\n", f.name, f.s)
	}
}

func infoCommandStats(c *Call, b *infoText) {
	for _, cmd := range c.Env.Table.all {
		s := c.Env.Stats.of(cmd)
		calls, rejected, failed := s.calls.Load(), s.rejected.Load(), s.failed.Load()
		if calls == 0 && rejected == 0 && failed == 0 {
			continue
		}
		micros := s.nanos.Load() / 1000
		fmt.Fprintf(b, "cmdstat_%s:calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d\r\n",
			cmd.FullName(), calls, micros, float64(micros)/float64(max(calls, 1)), rejected, failed)
	}
}

func infoErrorStats(c *Call, b *infoText) {
	codes, counts := c.Env.Stats.errorCounts()
	for _, code := range codes {
		b.str("errorstat_"+code, "count="+strconv.FormatInt(counts[code], 10))
	}
}

func infoLatencyStats(c *Call, b *infoText) {
	words := c.Env.Config.Words("latency-tracking-info-percentiles")
	shares := make([]float64, len(words))
	for i, word := range words {
		shares[i], _ = strconv.ParseFloat(word, 64)
	}
	for _, cmd := range c.Env.Table.all {
		h := c.Env.Stats.of(cmd).times.Load()
		if h == nil {
			continue
		}
		parts := make([]string, len(words))
		for i, nanos := range h.percentiles(shares) {
			parts[i] = fmt.Sprintf("p%s=%.3f", words[i], float64(nanos)/1000)
		}
		b.str("latency_percentiles_usec_"+cmd.FullName(), strings.Join(parts, ","))
	}
}

func infoCluster(c *Call, b *infoText) {
	enabled := int64(0)
	if c.clusterMode() {
		enabled = 1
	}
	b.num("cluster_enabled", enabled)
	if c.Env.ClusterInfo != nil {
		b.WriteString(c.Env.ClusterInfo())
	}
}

// DataBytes returns how many bytes of keys and values the node serves.
func (e *Env) DataBytes() int64 {
	_, _, _, bytes := e.counts()
	return bytes
}

// counts sums the counters of the slots that this node serves; a slot that is
// only being imported does not count yet.
func (e *Env) counts() (keys, expires, subExpires, bytes int64) {
	view := e.View.Load()
	for slot := range slots.Slot(slots.Count) {
		if view.Enabled && view.Owner[slot] != view.Self && view.Owner[slot] != view.Primary {
			continue
		}
		n := e.Engine.Counters(slot)
		keys += n.Keys
		expires += int64(n.Expires)
		subExpires += int64(n.SubExpires)
		bytes += n.Bytes
	}
	return keys, expires, subExpires, bytes
}

func infoKeyspace(c *Call, b *infoText) {
	if keys, expires, subExpires, _ := c.Env.counts(); keys > 0 {
		b.str("db0", fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0,subexpiry=%d", keys, expires, subExpires))
	}
}
