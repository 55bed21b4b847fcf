// Package differential sends the same commands to a real redis-server and to Cobble and compares the replies, types and
// error texts included: single commands, sequences generated from a grammar of each command family, and shrunk to a few
// lines when they differ, and raw bytes that are not quite RESP.
//
// The oracle is Redis 7.0 and the target 7.2: what differs between those two, and what differs on purpose, is in one
// table (known.go) which every comparison consults. Sizes: COBBLE_SEEDS sequences a family, COBBLE_COMMANDS commands a
// sequence, COBBLE_SEED=n runs that one sequence only, COBBLE_FROM=n begins with that seed, COBBLE_WORKERS=n runs on so
// many pairs of servers at once, COBBLE_FAILURES=n stops a family after so many differences, COBBLE_SUBJECT=redis compares
// the oracle with itself, which must show no difference at all. In the end it tells how much was run of each family, and
// which commands never came, or never right.
//
// Steps go out in pipelines, and both servers work at once; replies are compared as bytes first.
//
// It refuses to know: how either server works. It never sleeps: lifetimes it gives are long past or far off, or are
// over when both servers have slept (the family "lifetimes").
package differential
