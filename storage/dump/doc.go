// Package dump reads and writes the payloads of DUMP and RESTORE: one value in
// the bytes of an RDB file, with a version and a checksum. It writes the plain
// types that every server since Redis 4 takes and reads all that strings, hashes,
// lists, sets and sorted sets have been written as up to Redis 7.2.
//
// It does not know keys, expiry or how storage lays a value out.
package dump
