package config

func replication() []Setting {
	return []Setting{
		Setting{Name: "replicaof", Alias: "slaveof", Kind: KindHostPort, Note: "Primary to follow: host and port. Not allowed in cluster mode."}.flag(Immutable),
		plainText("masterauth", "", "Password for the primary.").flag(Secret),
		plainText("masteruser", "", "User name for the primary."),
		yesno("replica-serve-stale-data", "yes", "Answer reads while the primary is out of reach.").alias("slave-serve-stale-data"),
		yesno("replica-read-only", "yes", "Refuse writes on a replica.").alias("slave-read-only"),
		number("replica-priority", "100", 0, maxInt, "Priority Sentinel would see.").alias("slave-priority"),
		plainText("replica-announce-ip", "", "Address INFO of the primary shows for this replica.").alias("slave-announce-ip"),
		number("replica-announce-port", "0", 0, 65535, "Port INFO of the primary shows for this replica.").alias("slave-announce-port"),
		yesno("replica-announced", "yes", "Whether Sentinel would see this replica."),
		yesno("replica-ignore-maxmemory", "yes", "A replica does not evict on its own.").alias("slave-ignore-maxmemory"),
		yesno("replica-lazy-flush", "no", "Drop old data in the background at a full copy. Always so here.").alias("slave-lazy-flush").flag(Accepted),
		number("min-replicas-to-write", "0", 0, maxInt, "Replicas that must be in touch for writes to be taken.").alias("min-slaves-to-write"),
		number("min-replicas-max-lag", "10", 0, maxInt, "Seconds since its last acknowledgement within which a replica is in touch.").alias("min-slaves-max-lag"),
		number("repl-timeout", "60", 1, maxInt, "Seconds of silence after which the link to the primary is broken."),
		number("repl-ping-replica-period", "10", 1, maxInt, "Seconds between pings to replicas.").alias("repl-ping-slave-period"),
		memory("repl-backlog-size", "1048576", 1, "Bytes of backlog for followers that speak Redis's protocol."),
		number("repl-backlog-ttl", "3600", 0, maxInt64, "Seconds the backlog outlives the last follower."),
		yesno("repl-disable-tcp-nodelay", "no", "Let the system gather small packets to replicas."),
		yesno("repl-diskless-sync", "yes", "Send Redis replicas a full copy as it is made, not when it is whole on the disk."),
		number("repl-diskless-sync-delay", "5", 0, maxInt, "Redis's way of full copies.").flag(Accepted),
		number("repl-diskless-sync-max-replicas", "0", 0, maxInt, "Redis's way of full copies.").flag(Accepted),
		choice("repl-diskless-load", "disabled", []string{"disabled", "on-empty-db", "swapdb"}, "Redis's way of full copies.").flag(Accepted),
		choice("propagation-error-behavior", "ignore", []string{"ignore", "panic", "panic-on-replicas"}, "Replicas apply effects, not commands.").flag(Accepted),
		yesno("replica-ignore-disk-write-errors", "no", "A replica whose disk fails stops.").flag(Accepted),
	}
}

func clusterSettings() []Setting {
	return []Setting{
		yesno("cluster-enabled", "no", "Be a node of a cluster.").flag(Immutable),
		plainText("cluster-config-file", "nodes.conf", "File of the node table, written by the server.").flag(Immutable),
		number("cluster-node-timeout", "15000", 1, maxInt64, "Milliseconds of silence after which a node is suspected; the same on all nodes of a cluster."),
		number("cluster-ping-interval", "1000", 1, maxInt64, "Milliseconds between pings to each peer.").flag(Own),
		yesno("cluster-trust-refused", "yes", "Take a refused connection as proof that a node's process is gone, instead of waiting for the timeout.").flag(Own),
		number("cluster-port", "0", 0, 65535, "Port of the bus; 0 is the client port + 10000.").flag(Immutable),
		plainText("cluster-announce-ip", "", "Address other nodes and clients are told."),
		number("cluster-announce-port", "0", 0, 65535, "Client port they are told."),
		number("cluster-announce-tls-port", "0", 0, 65535, "TLS port they are told."),
		number("cluster-announce-bus-port", "0", 0, 65535, "Bus port they are told."),
		plainText("cluster-announce-hostname", "", "Host name they are told.").check(checkHostName),
		plainText("cluster-announce-human-nodename", "", "Name of the node for logs.").check(checkNodeName),
		choice("cluster-preferred-endpoint-type", "ip", []string{"ip", "hostname", "unknown-endpoint"}, "What CLUSTER SLOTS and redirections give as endpoint."),
		number("cluster-replica-validity-factor", "10", 0, maxInt, "How many node timeouts a replica may have been cut off and still stand for election; 0 is any.").alias("cluster-slave-validity-factor"),
		number("cluster-migration-barrier", "1", 0, maxInt, "Replicas a primary keeps when one moves to an orphaned primary."),
		yesno("cluster-allow-replica-migration", "yes", "Let replicas move to orphaned primaries."),
		yesno("cluster-replica-no-failover", "no", "Never stand for election.").alias("cluster-slave-no-failover"),
		yesno("cluster-require-full-coverage", "yes", "Refuse all queries while a slot has no primary."),
		yesno("cluster-allow-reads-when-down", "no", "Serve reads while the cluster is down."),
		yesno("cluster-allow-pubsubshard-when-down", "yes", "Serve sharded channels while the cluster is down."),
		plainText("cluster-secret", "", "Secret that the nodes share; proves to each other that they are of one cluster and encrypts gossip. Without it the bus talks to loopback addresses only.").flag(Own | Immutable | Secret),
		yesno("cluster-trust-network", "no", "Without cluster-secret, let the bus talk to other hosts all the same: whoever reaches its port is believed.").flag(Own | Immutable),
		memory("cluster-link-sendbuf-limit", "0", 0, "Bytes that may wait for a peer; 0 is no limit."),
	}
}

func checkHostName(in []string) error {
	if len(in[0]) >= 256 {
		return Refusal("Hostnames must be less than 256 characters")
	}
	for _, c := range []byte(in[0]) {
		if !isAlnum(c) && c != '-' && c != '.' {
			return Refusal("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}

func checkNodeName(in []string) error {
	if len(in[0]) >= 256 {
		return Refusal("Human nodename must be less than 256 characters")
	}
	for _, c := range []byte(in[0]) {
		if !isAlnum(c) && c != '-' && c != '.' && c != '_' {
			return Refusal("Announced human node name contained invalid character")
		}
	}
	return nil
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
