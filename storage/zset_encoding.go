package storage

import (
	"sync/atomic"

	"cobble/storage/format"
)

// zsetLimits are the sizes up to which a sorted set is reported as a listpack.
type zsetLimits struct {
	zsetEntries, zsetValue atomic.Int64 // value − default
}

const (
	defaultZSetEntries = 128
	defaultZSetValue   = 64
)

// SetZSetEntries sets zset-max-listpack-entries.
func (e *Engine) SetZSetEntries(n int64) { e.encodings.zsetEntries.Store(n - defaultZSetEntries) }

// SetZSetValue sets zset-max-listpack-value, bytes.
func (e *Engine) SetZSetValue(n int64) { e.encodings.zsetValue.Store(n - defaultZSetValue) }

// zset returns the number of members and the length of one, bytes, up to which a
// sorted set is a listpack.
func (l *zsetLimits) zset() (entries, value int64) {
	return l.zsetEntries.Load() + defaultZSetEntries, l.zsetValue.Load() + defaultZSetValue
}

// Packed reports whether Redis would keep it as a listpack.
func (z *ZSet) Packed() bool { return z.e.Meta.Enc == format.EncListpack }
