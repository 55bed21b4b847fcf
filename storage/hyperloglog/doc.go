// Package hyperloglog reads and changes HyperLogLogs, the sketches that count
// different elements, in the bytes of Redis (format.go): the same registers, the
// same estimates, the same order of opcodes.
//
// It does not know keys. It takes bytes from anybody: those that are no
// HyperLogLog are errors.
package hyperloglog
