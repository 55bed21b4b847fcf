// Package driver is the only impure part of the cluster: it gives the pure
// machine of package cluster a clock, sockets, files and a gossip ring, and
// carries out what it decides, in the order it decides it.
//
// It owns the bus connections (format.go), the inbox and the one goroutine that
// steps the machine, nodes.conf with its lock, the acceptor file, the gossip
// membership, and the published View.
//
// It refuses to know slots' contents, RESP, clients, and why the machine decides
// what it decides. What happens to data (roles, deletions, pauses) is done by
// the Hooks of its user.
package driver
