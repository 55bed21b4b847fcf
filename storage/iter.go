package storage

import (
	"bytes"
	"sort"
)

// rowIter walks rows in key order. Key and Value are valid until the next move.
type rowIter struct {
	keys   []string
	values [][]byte
	at     int
}

func (it *rowIter) First() bool { it.at = 0; return it.Valid() }
func (it *rowIter) Last() bool  { it.at = len(it.keys) - 1; return it.Valid() }
func (it *rowIter) Next() bool  { it.at++; return it.Valid() }
func (it *rowIter) Prev() bool  { it.at--; return it.Valid() }

// SeekGE moves to the first row ≥ key.
func (it *rowIter) SeekGE(key []byte) bool {
	it.at = sort.Search(len(it.keys), func(i int) bool { return bytes.Compare([]byte(it.keys[i]), key) >= 0 })
	return it.Valid()
}

// SeekLT moves to the last row < key.
func (it *rowIter) SeekLT(key []byte) bool {
	it.SeekGE(key)
	it.at--
	return it.Valid()
}

func (it *rowIter) Valid() bool   { return it.at >= 0 && it.at < len(it.keys) }
func (it *rowIter) Key() []byte   { return []byte(it.keys[it.at]) }
func (it *rowIter) Value() []byte { return it.values[it.at] }

// Close releases the iterator and returns the first error it met.
func (it *rowIter) Close() error { return nil }
