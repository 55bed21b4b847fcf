package config

const (
	kb = 1 << 10
	mb = 1 << 20
)

func network() []Setting {
	return []Setting{
		wordList("bind", "* -::*", "Addresses to listen on; one with a leading - may be unavailable.").check(checkBind),
		number("port", "6379", 0, 65535, "TCP port of clients; 0 does not listen on TCP."),
		number("tcp-backlog", "511", 0, maxInt, "Length of the accept queue.").flag(Immutable),
		number("tcp-keepalive", "300", 0, maxInt, "Seconds between TCP keepalive probes of clients; 0 turns them off."),
		number("timeout", "0", 0, maxInt, "Seconds after which an idle client is closed; 0 is never."),
		plainText("unixsocket", "", "Path of a unix socket to listen on as well.").flag(Immutable),
		Setting{Name: "unixsocketperm", Kind: KindOctal, Default: "0", Max: 0o777, Note: "Permissions of the unix socket, octal; 0 keeps the umask's."}.flag(Immutable),
		yesno("protected-mode", "yes", "Without a password, refuse clients that do not come from this machine."),
		number("maxclients", "10000", 1, 4294967295, "Clients served at a time; lowered at the start to what ulimit -n allows, less 32 and three eighths (77 to 2014) for the store."),
		choice("event-loop", "auto", []string{"auto", "yes", "no"}, "Serve TCP clients from one event loop (less CPU) or with a goroutine each (all cores); auto takes the loop on up to four cores.").flag(Own | Immutable),
		wordList("bind-source-addr", "", "Address that outgoing connections come from."),
	}
}

func checkBind(in []string) error {
	if len(in) > 16 {
		return Refusal("Too many bind addresses specified.")
	}
	return nil
}

func process() []Setting {
	return []Setting{
		Setting{Name: "dir", Kind: KindDir, Default: ".", Note: "Directory of the data, nodes.conf and relative paths."}.flag(Protected),
		choice("loglevel", "notice", []string{"debug", "verbose", "notice", "warning", "nothing"}, "Least important line that is logged."),
		plainText("logfile", "", "Path of the log; empty is standard output.").flag(Immutable),
		plainText("availability-zone", "", "Zone of the data centre that HELLO and INFO tell clients, as Valkey's."),
		plainText("pidfile", "", "File that holds the process id while the server runs.").flag(Immutable),
		number("databases", "16", 1, maxInt, "Number of databases SELECT accepts; one in cluster mode.").flag(Immutable),
		number("hz", "10", 1, 500, "Rounds of background work a second."),
		number("shutdown-timeout", "10", 0, maxInt, "Seconds a shutdown waits for lagging replicas."),
		shutdownOn("shutdown-on-sigint"),
		shutdownOn("shutdown-on-sigterm"),
	}
}

func shutdownOn(name string) Setting {
	return Setting{Name: name, Kind: KindFlags, Default: "default", Choices: []string{"default", "save", "nosave", "now", "force"},
		Note: "How the signal shuts down: as SHUTDOWN with these words."}
}

func memoryAndDisk() []Setting {
	return []Setting{
		Setting{Name: "memory-budget", Kind: KindPercent, Default: "25%", Max: maxInt64,
			Note: "Memory for rows, block cache and buffers, in bytes or as a share of the machine's; data beyond it lives on disk."}.flag(Own),
		memory("maxmemory", "0", 0, "Bytes of data, on disk or in memory, at which maxmemory-policy begins: names, values and 48 bytes for each key; buffers do not count. 0 is no limit."),
		choice("maxmemory-policy", "noeviction", []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
			"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"}, "What happens at maxmemory: refuse writes or evict keys."),
		number("maxmemory-samples", "5", 1, 64, "Keys compared for each eviction."),
		Setting{Name: "maxmemory-clients", Kind: KindPercent, Default: "0", Max: maxInt64,
			Note: "Memory of all clients' buffers, in bytes or as a share of maxmemory, at which those that hold most are closed; 128 KiB at least, 0 is no limit."},
		number("active-expire-effort", "1", 1, 10, "How much work goes into removing expired keys nobody asks for."),
		number("lfu-log-factor", "10", 0, maxInt, "How slowly a key's access counter grows."),
		number("lfu-decay-time", "1", 0, maxInt, "Minutes after which a key's access counter shrinks."),
	}
}

func durability() []Setting {
	return []Setting{
		yesno("appendonly", "yes", "no: the log is written but never waited for, as appendfsync no; yes: appendfsync applies."),
		choice("appendfsync", "everysec", []string{"everysec", "always", "no"}, "When the log is synced to disk: each second, before each reply, or when the system likes."),
		Setting{Name: "save", Kind: KindSave, Default: "3600 1 300 100 60 10000", Note: "Redis's snapshot points. The log makes them unnecessary."}.flag(Accepted),
		plainText("dbfilename", "dump.rdb", "Name of RDB files that SAVE and BGSAVE write.").check(checkFileName("dbfilename can't be a path, just a filename")).flag(Protected),
		yesno("stop-writes-on-bgsave-error", "yes", "Refuse writes after a failed snapshot.").flag(Accepted),
		yesno("log-recover-damaged", "no", "Start although the log is damaged where it was synced: acknowledged writes behind the damage are given up, their bytes kept in data/log/*.damaged-*. For one start, after the error was read.").flag(Own | Immutable),
		memory("background-transfer-rate", "104857600", 0, "Bytes per second that full copies for replicas and keys moved by MIGRATE take together; 0 is no limit.").flag(Own),
		memory("repl-log-max", "4294967296", mb, "Bytes of log kept for replicas that are behind; beyond it they take a full copy.").flag(Own),
	}
}

func checkFileName(reason string) func([]string) error {
	return func(in []string) error {
		for _, word := range in {
			for _, letter := range word {
				if letter == '/' {
					return Refusal(reason)
				}
			}
		}
		return nil
	}
}

func security() []Setting {
	return []Setting{
		plainText("requirepass", "", "Password of the default user.").flag(Secret),
		plainText("aclfile", "", "File of users, relative to dir; then the config file must not declare any.").flag(Immutable),
		number("acllog-max-len", "128", 0, maxInt64, "Entries ACL LOG keeps."),
		choice("acl-pubsub-default", "resetchannels", []string{"allchannels", "resetchannels"}, "Channels a new user may use."),
		local("enable-protected-configs", "CONFIG SET of protected settings"),
		local("enable-debug-command", "the DEBUG command"),
		local("enable-module-command", "the MODULE command"),
	}
}

func local(name, what string) Setting {
	return choice(name, "no", []string{"no", "yes", "local"}, "Who may use "+what+": nobody, everybody, or clients of this machine.").flag(Immutable)
}

func clients() []Setting {
	return []Setting{
		Setting{Name: "client-output-buffer-limit", Kind: KindBuffers, Default: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
			Note: "Per class of clients: reply bytes at which it is closed at once, and bytes it may exceed only for so many seconds."},
		memory("client-query-buffer-limit", "1073741824", mb, "Bytes of requests a client may have pending."),
		memory("proto-max-bulk-len", "536870912", mb, "Longest single argument, in bytes."),
		number("slowlog-log-slower-than", "10000", -1, maxInt64, "Microseconds from which a command enters SLOWLOG; 0 logs all, -1 none.").alias("commandlog-execution-slower-than"),
		number("slowlog-max-len", "128", 0, maxInt64, "Entries SLOWLOG keeps.").alias("commandlog-slow-execution-max-len"),
		number("commandlog-request-larger-than", "1048576", -1, maxInt64, "Bytes of a request from which COMMANDLOG keeps the command as large-request; -1 none."),
		number("commandlog-large-request-max-len", "128", 0, maxInt64, "Entries COMMANDLOG keeps of large-request."),
		number("commandlog-reply-larger-than", "1048576", -1, maxInt64, "Bytes of a reply from which COMMANDLOG keeps the command as large-reply; -1 none."),
		number("commandlog-large-reply-max-len", "128", 0, maxInt64, "Entries COMMANDLOG keeps of large-reply."),
		number("latency-monitor-threshold", "0", 0, maxInt64, "Milliseconds from which LATENCY records an event; 0 turns it off."),
		yesno("latency-tracking", "yes", "Keep a latency histogram per command."),
		Setting{Name: "latency-tracking-info-percentiles", Kind: KindPercentiles, Default: "50 99 99.9", Note: "Percentiles INFO latencystats prints."},
		Setting{Name: "notify-keyspace-events", Kind: KindNotify, Note: "Classes of keyspace events that are published."},
		number("busy-reply-threshold", "5000", 0, maxInt64, "Milliseconds after which a script is busy and others are answered -BUSY.").alias("lua-time-limit"),
		number("tracking-table-max-keys", "1000000", 0, maxInt64, "Keys remembered for client side caching."),
		choice("sanitize-dump-payload", "no", []string{"no", "yes", "clients"}, "Check the structure of RESTORE payloads. Always done here.").flag(Accepted),
		yesno("cluster-slot-stats-enabled", "no", "Count CPU and network use per slot."),
	}
}

func encodings() []Setting {
	return []Setting{
		number("hash-max-listpack-entries", "512", 0, maxInt64, "Fields up to which a hash is reported as listpack.").alias("hash-max-ziplist-entries"),
		memory("hash-max-listpack-value", "64", 0, "Longest value of a listpack hash.").alias("hash-max-ziplist-value"),
		number("list-max-listpack-size", "-2", -5, maxInt, "Size of a list's node: elements, or -1 … -5 for 4 … 64 kB.").alias("list-max-ziplist-size"),
		number("list-compress-depth", "0", 0, maxInt, "Nodes at either end of a list left uncompressed.").flag(Accepted),
		number("set-max-intset-entries", "512", 0, maxInt64, "Members up to which a set of integers is reported as intset."),
		number("set-max-listpack-entries", "128", 0, maxInt64, "Members up to which a set is reported as listpack."),
		memory("set-max-listpack-value", "64", 0, "Longest member of a listpack set."),
		number("zset-max-listpack-entries", "128", 0, maxInt64, "Members up to which a sorted set is reported as listpack.").alias("zset-max-ziplist-entries"),
		memory("zset-max-listpack-value", "64", 0, "Longest member of a listpack sorted set.").alias("zset-max-ziplist-value"),
		memory("hll-sparse-max-bytes", "3000", 0, "Bytes up to which a HyperLogLog is sparse."),
		memory("stream-node-max-bytes", "4096", 0, "Bytes of a stream's node, for trimming with ~."),
		number("stream-node-max-entries", "100", 0, maxInt64, "Entries of a stream's node, for trimming with ~."),
	}
}
