package command

func observeCommands() []Command {
	const admin = Admin | Loading | Stale
	sub := func(name string, arity int, flags Flags, since, summary string, serve func(*Call) error) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Group: "server", Since: since, Summary: summary, Complexity: "O(N) where N is the number of entries returned", Serve: serve}
	}
	container := func(name, since, summary string, subs ...Command) Command {
		return Command{Name: name, Arity: -2, Group: "server", Since: since, Summary: summary, Complexity: "Depends on subcommand.", Serve: needsSubcommand, Sub: subs}
	}
	usage := Command{Name: "usage", Arity: -3, Flags: ReadOnly, Keys: Key(KeyRO, 2, 2, 1), Group: "server", Since: "4.0.0",
		Summary: "Estimates the memory usage of a key.", Complexity: "O(N) where N is the number of samples.", Run: memoryUsage}
	const noscript = admin | NoScript
	return []Command{
		container("slowlog", "2.2.12", "A container for slow log commands.",
			sub("get", -2, admin, "2.2.12", "Returns the slow log's entries.", slowlogGet),
			sub("help", 2, Loading|Stale, "6.2.0", "Show helpful text about the different subcommands", helpOf("SLOWLOG", slowlogHelp)),
			sub("len", 2, admin, "2.2.12", "Returns the number of entries in the slow log.", slowlogLen),
			sub("reset", 2, admin, "2.2.12", "Clears all entries from the slow log.", slowlogReset)),
		container("latency", "2.8.13", "A container for latency diagnostics commands.",
			sub("doctor", 2, noscript, "2.8.13", "Returns a human-readable latency analysis report.", latencyDoctor),
			sub("graph", 3, noscript, "2.8.13", "Returns a latency graph for an event.", latencyGraph),
			sub("help", 2, Loading|Stale, "2.8.13", "Returns helpful text about the different subcommands.", helpOf("LATENCY", latencyHelp)),
			sub("histogram", -2, noscript, "7.0.0", "Returns the cumulative distribution of latencies of a subset or all commands.", latencyHistogram),
			sub("history", 3, noscript, "2.8.13", "Returns timestamp-latency samples for an event.", latencyHistory),
			sub("latest", 2, noscript, "2.8.13", "Returns the latest latency samples for all events.", latencyLatest),
			sub("reset", -2, noscript, "2.8.13", "Resets the latency data for one or more events.", latencyReset)),
		container("memory", "4.0.0", "A container for memory diagnostics commands.",
			sub("doctor", 2, 0, "4.0.0", "Outputs a memory problems report.", memoryDoctor),
			sub("help", 2, Loading|Stale, "4.0.0", "Returns helpful text about the different subcommands.", helpOf("MEMORY", memoryHelp)),
			sub("malloc-stats", 2, 0, "4.0.0", "Returns the allocator statistics.", memoryMallocStats),
			sub("purge", 2, 0, "4.0.0", "Asks the allocator to release memory.", memoryPurge),
			sub("stats", 2, 0, "4.0.0", "Returns details about memory usage.", memoryStats),
			usage),
	}
}
