// Package clientstate breaks clusters of real processes under what clients have left with them: blocked commands, tracked
// keys, scripts and functions, WAIT. Slots move, primaries are killed, demoted and run out of memory; what the clients
// are told, and what the new primary holds, is what redis-server says and holds.
//
// COBBLE_PROGRAM=redis runs the same against redis-server, to test the test. COBBLE_PROCESSES=full kills more often.
package clientstate
