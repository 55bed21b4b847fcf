package tables

import "encoding/binary"

// filter is the bloom filter of a table, as RocksDB's and Pebble's tables have it: lines
// of 64 bytes, of which a key has one, then how many probes there are (a byte) and how
// many lines (four bytes, little endian). Pebble's own code would hash the key anew for
// each table, and divide for each probe.
type filter struct {
	block  []byte
	lines  uint32 // 0: it is of another shape
	probes uint8
}

const (
	filterLine    = 64
	filterTrailer = 5
)

func newFilter(block []byte) filter {
	f := filter{block: block}
	if n := len(block) - filterTrailer; n > 0 {
		lines := binary.LittleEndian.Uint32(block[n+1:])
		if lines > 0 && uint64(n) == uint64(lines)*filterLine {
			f.lines, f.probes = lines, block[n]
		}
	}
	return f
}

// line is the place of a key's line.
func (f *filter) line(hash uint32) int { return int(hash%f.lines) * filterLine }

// first is 0 if the first probe says that the key is not there. Nothing depends on it
// yet, so that the processor waits for the lines of many filters at the same time.
func (f *filter) first(hash uint32) byte {
	if f.lines == 0 {
		return 1
	}
	bit := hash % (filterLine * 8)
	return f.block[f.line(hash)+int(bit/8)] >> (bit % 8) & 1
}

// mayContain reports whether the table may have the key. Of another shape only the filter
// of no keys says something: Pebble's code divides by what it finds in any other.
func (f *filter) mayContain(hash uint32) bool {
	if f.lines == 0 {
		return f.block == nil || len(f.block) > filterTrailer
	}
	line := f.block[f.line(hash):][:filterLine]
	step := hash>>17 | hash<<15
	for range f.probes {
		bit := hash % (filterLine * 8)
		if line[bit/8]>>(bit%8)&1 == 0 {
			return false
		}
		hash += step
	}
	return true
}

// filterHash is the hash of keys in filters: LevelDB's, with its signed bytes at the end.
func filterHash(key []byte) uint32 {
	const seed, m = 0xbc9f1d34, 0xc6a4a793
	h := uint32(seed) ^ uint32(len(key))*m
	for ; len(key) >= 4; key = key[4:] {
		h = (h + binary.LittleEndian.Uint32(key)) * m
		h ^= h >> 16
	}
	for i, c := range key {
		h += uint32(int8(c)) << (8 * i)
	}
	if len(key) > 0 {
		h *= m
		h ^= h >> 24
	}
	return h
}
