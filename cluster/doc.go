// Package cluster is one node's mind: who is in the cluster, who owns which
// slot, who is alive, who leads a shard, and who may decide that.
//
// All of it is one pure state machine, Machine.Step(now, event) → effects. The
// package owns the node table and its merge rules, handshakes and bans, slot
// claims and epochs, suspicion and failure, the per-shard registers (CASPaxos,
// Rystsov 2018) and the elector sets that hold them, elections, manual
// failover, replica migration, and the text of nodes.conf.
//
// It refuses to know sockets, clocks, disks, goroutines, locks, global
// randomness, RESP, and what is stored in a slot. Time is an argument, random
// numbers come from a generator seeded by the caller, and no result depends on
// the order of a map.
package cluster
