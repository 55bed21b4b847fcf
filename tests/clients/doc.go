// Package clients drives a real cluster with client libraries as their users would, with a failover and a reshard
// underneath. It needs node and npm beside Go's own clients; the libraries come from node/package-lock.json.
package clients
