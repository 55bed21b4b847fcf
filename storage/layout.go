package storage

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

// How row keys are kept in the row table: a metadata row of database 0 as its
// user key alone (slot and hash follow from it), every other row key whole.

// tableKey returns the table's name for a row. The result aliases row.
func tableKey(row []byte) cache.Key {
	slot := slots.Slot(binary.BigEndian.Uint16(row))
	if len(row) >= format.MetaKeyPrefix && row[2] == format.KindMeta && row[3] == 0 {
		return cache.Key{
			Slot:  slot,
			Hash:  binary.BigEndian.Uint32(row[format.MetaKeyPrefix-4:]),
			Meta:  true,
			Bytes: row[format.MetaKeyPrefix:],
		}
	}
	return cache.Key{Slot: slot, Hash: uint32(xxhash.Sum64(row[2:])), Bytes: row}
}

var tableLayout = cache.Layout{
	Locate: func(meta bool, stored []byte) (slots.Slot, uint32) {
		if meta {
			return slots.Of(stored), uint32(format.Hash(stored))
		}
		return slots.Slot(binary.BigEndian.Uint16(stored)), uint32(xxhash.Sum64(stored[2:]))
	},
	Rank: func(meta bool, stored []byte) (uint64, uint64) {
		var b [16]byte
		if meta {
			b[0] = format.KindMeta
			binary.BigEndian.PutUint64(b[2:], format.Hash(stored))
			copy(b[10:], stored)
		} else {
			copy(b[:], stored[2:])
		}
		return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	},
	AppendKey: func(dst []byte, slot slots.Slot, meta bool, stored []byte) []byte {
		if meta {
			return format.AppendMetaKey(dst, uint16(slot), 0, stored)
		}
		return append(dst, stored...)
	},
}
