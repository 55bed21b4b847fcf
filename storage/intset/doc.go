// Package intset reads and writes intsets, the sorted array of integers in which
// Redis keeps small sets of integers and which Cobble keeps in metadata rows of
// such sets, byte for byte the same.
//
// It does not know text, and never panics on bytes that Valid accepts.
package intset
