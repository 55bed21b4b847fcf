// Package psync tests what real followers make of Cobble as their primary: redis-cli --rdb, and redis-server told to
// replicate from it. What they have in the end is compared key by key.
package psync
