// Package rdb writes files of keys as redis-server 7.0 loads them: what SYNC sends, and what redis-cli --rdb keeps. It
// writes as it is told, in pieces, and holds no more than a buffer.
//
// It knows how a file is made of values; how a value is written stands in dump. It does not know rows, slots, or where
// the keys come from.
package rdb
