package storage

import "sync/atomic"

// encodingLimits are the sizes up to which OBJECT ENCODING reports the compact
// encodings. They change what is reported of values that grow later, not how
// values are laid out. The zero value has Redis's defaults.
type encodingLimits struct {
	hashEntries, hashValue atomic.Int64 // value − default
}

const (
	defaultHashEntries = 512
	defaultHashValue   = 64
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
