package format

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Row keys, format version 1. All integers are big endian, so that Pebble's
// byte order is the order the grammar is written in.
//
//	row     = slot(2) kind(1) body
//	header  = slot 00                          kept free; counters are system rows
//	meta    = slot 10 db(1) H(8) userkey       metadata row; H = Hash(userkey)
//	element = slot 20 oid(8) sub(1) …          rows of one object
//	expiry  = slot 30 ms(8) k(1) db(1) H(8) userkey
//	                                           k = 0 key expiry, 1 first field expiry
//	garbage = slot 40 oid(8)                   object whose rows are to be deleted
//	        | slot 40 oid(8) sub(1)            those of one sub byte whose keys, behind it, are below the value
//	system  = FFFF …                           node-local, never logged, see system.go
const (
	KindHeader  byte = 0x00
	KindMeta    byte = 0x10
	KindElement byte = 0x20
	KindExpiry  byte = 0x30
	KindGarbage byte = 0x40

	// SystemSlot is the slot number of node-local rows; no key hashes there.
	SystemSlot uint16 = 0xFFFF

	// MetaKeyPrefix is the length of a metadata row key before the user key.
	MetaKeyPrefix = 2 + 1 + 1 + 8
	expiryPrefix  = 2 + 1 + 8 + 1 + 1 + 8
)

// Hash is the H of the grammar: xxhash64, seed 0. It is part of the format.
func Hash(userKey []byte) uint64 { return xxhash.Sum64(userKey) }

// AppendKind appends slot and kind, the first three bytes of every row key.
func AppendKind(dst []byte, slot uint16, kind byte) []byte {
	return append(dst, byte(slot>>8), byte(slot), kind)
}

// AppendMetaKey appends the row key of userKey's metadata.
func AppendMetaKey(dst []byte, slot uint16, db uint8, userKey []byte) []byte {
	dst = append(AppendKind(dst, slot, KindMeta), db)
	dst = binary.BigEndian.AppendUint64(dst, Hash(userKey))
	return append(dst, userKey...)
}

// AppendMetaBound appends the row key at which a scan of (slot, db) from hash h starts.
func AppendMetaBound(dst []byte, slot uint16, db uint8, h uint64) []byte {
	dst = append(AppendKind(dst, slot, KindMeta), db)
	return binary.BigEndian.AppendUint64(dst, h)
}

// SplitMetaKey takes a metadata row key apart; ok is false for another kind of row.
func SplitMetaKey(row []byte) (slot uint16, db uint8, h uint64, userKey []byte, ok bool) {
	if len(row) < MetaKeyPrefix || row[2] != KindMeta {
		return 0, 0, 0, nil, false
	}
	return binary.BigEndian.Uint16(row), row[3], binary.BigEndian.Uint64(row[4:]), row[MetaKeyPrefix:], true
}

// AppendElement appends the prefix of the element rows of object oid in the
// keyspace sub of its type; the type's own key bytes follow.
func AppendElement(dst []byte, slot uint16, oid uint64, sub byte) []byte {
	dst = binary.BigEndian.AppendUint64(AppendKind(dst, slot, KindElement), oid)
	return append(dst, sub)
}

// AppendObject appends the prefix common to all element rows of object oid.
func AppendObject(dst []byte, slot uint16, oid uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendKind(dst, slot, KindElement), oid)
}

// ObjectOf returns the object that an element row belongs to.
func ObjectOf(row []byte) (slot uint16, oid uint64) {
	if len(row) < ElementPrefix {
		return binary.BigEndian.Uint16(row), 0
	}
	return binary.BigEndian.Uint16(row), binary.BigEndian.Uint64(row[3:])
}

// What an expiry row announces.
const (
	ExpiresKey   byte = 0
	ExpiresField byte = 1
)

// AppendExpiryKey appends the row key of an expiry index row due at ms (Unix milliseconds).
func AppendExpiryKey(dst []byte, slot uint16, ms int64, what byte, db uint8, userKey []byte) []byte {
	dst = binary.BigEndian.AppendUint64(AppendKind(dst, slot, KindExpiry), uint64(ms))
	dst = append(dst, what, db)
	dst = binary.BigEndian.AppendUint64(dst, Hash(userKey))
	return append(dst, userKey...)
}

// SplitExpiryKey takes an expiry row key apart; ok is false for another kind of row.
func SplitExpiryKey(row []byte) (slot uint16, ms int64, what byte, db uint8, userKey []byte, ok bool) {
	if len(row) < expiryPrefix || row[2] != KindExpiry {
		return 0, 0, 0, 0, nil, false
	}
	return binary.BigEndian.Uint16(row), int64(binary.BigEndian.Uint64(row[3:])), row[11], row[12], row[expiryPrefix:], true
}

// AppendGarbageKey appends the row key that queues object oid for deletion.
func AppendGarbageKey(dst []byte, slot uint16, oid uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendKind(dst, slot, KindGarbage), oid)
}

// AppendGarbagePart appends the row key that queues the beginning of one of an object's keyspaces for deletion: those rows
// of sub byte sub whose keys, after it, are below the value of this row.
func AppendGarbagePart(dst []byte, slot uint16, oid uint64, sub byte) []byte {
	return append(AppendGarbageKey(dst, slot, oid), sub)
}

// SplitGarbageKey takes the row key of an object in the queue apart, or that of a part of one, which has its sub byte; ok
// is false for another kind of row.
func SplitGarbageKey(row []byte) (oid uint64, sub byte, part, ok bool) {
	if len(row) != garbageKey && len(row) != garbageKey+1 || row[2] != KindGarbage {
		return 0, 0, false, false
	}
	if len(row) > garbageKey {
		sub, part = row[garbageKey], true
	}
	return binary.BigEndian.Uint64(row[3:]), sub, part, true
}

const garbageKey = 2 + 1 + 8

// SlotOf returns the first two bytes of a row key.
func SlotOf(row []byte) uint16 { return binary.BigEndian.Uint16(row) }
