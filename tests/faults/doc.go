// Package faults breaks real clusters of real processes under load (kill -9, SIGSTOP, everything at once, slots on the
// move) and checks what clients were promised.
//
// The number of rounds comes from COBBLE_ROUNDS (a few when unset), the number of keys from COBBLE_KEYS.
// COBBLE_PROGRAM=redis runs the same tests against redis-server, to test the tests.
package faults
