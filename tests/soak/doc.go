// Package soak writes to a real server at full speed, over several times more keys than its memory budget holds, and
// fails when anything grows that should not: goroutines, heap, resident memory, log, compaction debt, response times.
//
// COBBLE_SOAK_SECONDS is how long (4 when unset, too short to judge growth; 25 in `make soak`), COBBLE_SOAK_BUDGET the budget in MiB (48), COBBLE_SOAK_KEYS
// the number of keys of 100 bytes (five times what the budget would hold).
package soak
