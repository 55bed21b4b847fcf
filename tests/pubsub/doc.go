// Package pubsub tests messages between clients of real processes: the same dialogue with redis-server and with Cobble,
// both of its drivers, and messages across the nodes of a cluster.
package pubsub
