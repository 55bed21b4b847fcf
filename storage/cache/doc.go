// Package cache owns the row table: every row that is in memory, clean or
// dirty, keyed by slot. It is read cache and write buffer in one.
//
// Rows live in off-heap segments that the garbage collector does not walk; an
// index cell is eight bytes (hash, offset) and a row's header eight more. Clean
// rows are evicted synchronously to keep the table within its bound. Dirty rows
// (changed, and not yet in the store below) are pinned; each belongs to the
// generation in which it was changed, and once that generation is cut its value
// is never changed again: a later change gets an entry of its own.
//
// The package owns the slot locks. Every method that names a slot says which
// lock its caller must hold.
//
// It does not know the row format, the log, Pebble, expiry or commands: keys
// and values are bytes, and "absent" is a fact about a row like any other.
package cache
