// Package format owns the bytes that storage keeps on disk: row keys, metadata
// values and write sets (format version 1, grammar in rowkey.go, meta.go and
// writeset.go). It does no I/O and does not know what a command means.
package format
