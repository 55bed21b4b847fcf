package storage

import (
	"math"
	"sync/atomic"
)

// encodingLimits are the sizes up to which OBJECT ENCODING reports the compact
// encodings. They change what is reported of values that grow later, not how
// values are laid out. The zero value has Redis's defaults.
type encodingLimits struct {
	zsetLimits
	hashEntries, hashValue atomic.Int64 // value − default
	listSize               atomic.Int64 // value − default
	sets                   setEncodings
	sparse                 sketchLimit
}

const (
	defaultHashEntries = 512
	defaultHashValue   = 64
	defaultListSize    = -2
)

// SetHashEntries sets hash-max-listpack-entries.
func (e *Engine) SetHashEntries(n int64) { e.encodings.hashEntries.Store(n - defaultHashEntries) }

// SetHashValue sets hash-max-listpack-value, bytes.
func (e *Engine) SetHashValue(n int64) { e.encodings.hashValue.Store(n - defaultHashValue) }

// hash returns the number of fields and the length of a field or value, bytes, up
// to which a hash is a listpack.
func (l *encodingLimits) hash() (entries, value int64) {
	return l.hashEntries.Load() + defaultHashEntries, l.hashValue.Load() + defaultHashValue
}

// SetListSize sets list-max-listpack-size: elements, or −1 … −5 for 4 … 64 KiB.
func (e *Engine) SetListSize(n int64) { e.encodings.listSize.Store(n - defaultListSize) }

// listNode returns the size of a listpack, bytes, and the number of its elements up
// to which a list is one.
func (l *encodingLimits) listNode() (bytes, count int64) {
	const safe = 8 << 10 // bounds a limit that is a number of elements
	n := l.listSize.Load() + defaultListSize
	if n >= 0 {
		return safe, max(n, 1)
	}
	return 2 << 10 << min(-n, 5), math.MaxInt64
}
