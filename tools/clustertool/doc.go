// Package clustertool is `cobble cluster …`: it makes a cluster out of empty nodes, looks for what is wrong with one,
// adds and removes nodes, and moves slots between primaries while clients go on. It does so over RESP alone, with the
// CLUSTER and MIGRATE commands that Redis has, so it works on real Redis nodes too.
//
// Every change is planned first, printed, and confirmed. A change that is interrupted leaves the cluster in a state that
// check reports and fix, or the same command again, brings to an end.
//
// It refuses to know: the bus, files on a node's disk, and any command that only Cobble has.
package clustertool
