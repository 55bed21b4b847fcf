package command

func observeCommands() []Command {
	const admin = Admin | Loading | Stale
	sub := func(name string, arity int, flags Flags, since, summary string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Group: "server", Since: since, Tips: tips, Summary: summary, Complexity: "O(N) where N is the number of entries returned", Serve: serve}
	}
	container := func(name, since, summary string, subs ...Command) Command {
		return Command{Name: name, Arity: -2, Group: "server", Since: since, Summary: summary, Complexity: "Depends on subcommand.", Serve: needsSubcommand, Sub: subs}
	}
	usage := Command{Name: "usage", Arity: -3, Flags: ReadOnly, Keys: Key(KeyRO, 2, 2, 1), Group: "server", Since: "4.0.0",
		Summary: "Estimates the memory usage of a key.", Complexity: "O(N) where N is the number of samples.", Run: memoryUsage}
	const noscript = admin | NoScript
	const (
		varies    = "nondeterministic_output"
		nodes     = "request_policy:all_nodes"
		shards    = "request_policy:all_shards"
		special   = "response_policy:special"
		succeeded = "response_policy:all_succeeded"
	)
	return []Command{
		container("slowlog", "2.2.12", "A container for slow log commands.",
			sub("get", -2, admin, "2.2.12", "Returns the slow log's entries.", slowlogGet, nodes, varies),
			sub("help", 2, Loading|Stale, "6.2.0", "Show helpful text about the different subcommands", helpOf("SLOWLOG", slowlogHelp)),
			sub("len", 2, admin, "2.2.12", "Returns the number of entries in the slow log.", slowlogLen, nodes, "response_policy:agg_sum", varies),
			sub("reset", 2, admin, "2.2.12", "Clears all entries from the slow log.", slowlogReset, nodes, succeeded)),
		container("commandlog", "8.1.0", "A container for command log commands.",
			sub("get", 4, admin, "8.1.0", "Returns the specified command log's entries.", commandLogGet, nodes, varies),
			sub("help", 2, Loading|Stale, "8.1.0", "Show helpful text about the different subcommands", helpOf("COMMANDLOG", commandLogHelp)),
			sub("len", 3, admin, "8.1.0", "Returns the number of entries in the specified type of command log.", commandLogLen, nodes, "response_policy:agg_sum", varies),
			sub("reset", 3, admin, "8.1.0", "Clears all entries from the specified type of command log.", commandLogReset, nodes, succeeded)),
		container("latency", "2.8.13", "A container for latency diagnostics commands.",
			sub("doctor", 2, noscript, "2.8.13", "Returns a human-readable latency analysis report.", latencyDoctor, varies, nodes, special),
			sub("graph", 3, noscript, "2.8.13", "Returns a latency graph for an event.", latencyGraph, varies, nodes, special),
			sub("help", 2, Loading|Stale, "2.8.13", "Returns helpful text about the different subcommands.", helpOf("LATENCY", latencyHelp)),
			sub("histogram", -2, noscript, "7.0.0", "Returns the cumulative distribution of latencies of a subset or all commands.", latencyHistogram, varies, nodes, special),
			sub("history", 3, noscript, "2.8.13", "Returns timestamp-latency samples for an event.", latencyHistory, varies, nodes, special),
			sub("latest", 2, noscript, "2.8.13", "Returns the latest latency samples for all events.", latencyLatest, varies, nodes, special),
			sub("reset", -2, noscript, "2.8.13", "Resets the latency data for one or more events.", latencyReset, nodes, "response_policy:agg_sum")),
		container("memory", "4.0.0", "A container for memory diagnostics commands.",
			sub("doctor", 2, 0, "4.0.0", "Outputs a memory problems report.", memoryDoctor, varies, shards, special),
			sub("help", 2, Loading|Stale, "4.0.0", "Returns helpful text about the different subcommands.", helpOf("MEMORY", memoryHelp)),
			sub("malloc-stats", 2, 0, "4.0.0", "Returns the allocator statistics.", memoryMallocStats, varies, shards, special),
			sub("purge", 2, 0, "4.0.0", "Asks the allocator to release memory.", memoryPurge, shards, succeeded),
			sub("stats", 2, 0, "4.0.0", "Returns details about memory usage.", memoryStats, varies, shards, special),
			usage),
	}
}
