// Package cluster tests clusters of real processes from outside: that stock redis-cli makes, checks, grows and shrinks
// them, that nodes come back from anything with what they knew, that a node refuses to start where it must, and that
// the CLUSTER commands answer as redis-server's do.
//
// It refuses to know: anything that is not printed or answered.
package cluster
