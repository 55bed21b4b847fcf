package dump

import (
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math"

	"cobble/pieces"
	"cobble/storage/listpack"
)

// A payload is Redis's; integers are little endian unless said otherwise.
//
//	payload = type(1) value version(u16) crc(u64)    crc = CRC-64/Jones of all before
//	string  = length bytes
//	        | C0 i8 | C1 i16 | C2 i32                the integer in decimal
//	        | C3 length length bytes                 packed, plain length; LZF
//	length  = 00nnnnnn | 01nnnnnn n | 80 n(u32 BE) | 81 n(u64 BE)
//	value   = string                                 type 0
//	        | length string*                         types 1 list, 2 set
//	        | length (field value)*                  type 4 hash, strings both
//	        | length (member score(f64))*            type 5 zset
//
// Hashes with fields that expire are in hash.go, streams in stream.go. The types that are read and not written stand in decode.go.
const (
	TypeString byte = 0
	TypeList   byte = 1
	TypeSet    byte = 2
	TypeHash   byte = 4
	TypeZSet   byte = 5 // ZSET_2: scores as binary doubles

	TypeHashDeadlines byte = 24 // HASH_METADATA

	typeZSetText      byte = 3
	typeHashZipmap    byte = 9
	typeListZiplist   byte = 10
	typeSetIntset     byte = 11
	typeZSetZiplist   byte = 12
	typeHashZiplist   byte = 13
	typeListQuicklist byte = 14
	typeHashListpack  byte = 16
	typeZSetListpack  byte = 17
	typeListQuick2    byte = 18
	typeSetListpack   byte = 20
	typeHashPackedEx  byte = 25

	typeHashEarly       byte = 22
	typeHashPackedEarly byte = 23
)

const (
	// written is the RDB version in the payloads that are written: the one that
	// has binary scores, and so the lowest; a server refuses what is newer than it.
	written = 8
	// writtenDeadlines is that of hashes with fields that expire.
	writtenDeadlines = 12
	// newest is the highest RDB version read, that of Redis 7.4 and 8. Valkey 9
	// counts from 80, with the same bytes for the types of this package.
	newest       = 12
	newestValkey = 80

	footerSize = 2 + 8

	// MaxString bounds a string in a payload, bytes.
	MaxString = 512 << 20
)

// Errors of Decode.
var (
	ErrChecksum    = errors.New("dump: unknown version or wrong checksum")
	ErrFormat      = errors.New("dump: malformed value")
	ErrUnsupported = errors.New("dump: a value of a type that is not supported")
)

var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// Checksum goes on with a CRC-64/Jones, which begins as 0, as Redis computes it: without the inversions of hash/crc64.
func Checksum(crc uint64, b []byte) uint64 { return ^crc64.Update(^crc, jones, b) }

func checksum(b []byte) uint64 { return Checksum(0, b) }

// Seal ends the payload that starts at offset start of dst.
func Seal(dst []byte, start int) []byte {
	version := uint16(written)
	if start < len(dst) && dst[start] == TypeHashDeadlines {
		version = writtenDeadlines
	}
	dst = binary.LittleEndian.AppendUint16(dst, version)
	return binary.LittleEndian.AppendUint64(dst, checksum(dst[start:]))
}

// open checks the footer of a payload and returns what is before it.
func open(payload []byte) ([]byte, error) {
	n := len(payload) - footerSize
	if n < 0 {
		return nil, ErrChecksum
	}
	version := binary.LittleEndian.Uint16(payload[n:])
	if version > newest && version != newestValkey || binary.LittleEndian.Uint64(payload[n+2:]) != checksum(payload[:n+2]) {
		return nil, ErrChecksum
	}
	if n == 0 {
		return nil, ErrFormat
	}
	return payload[:n], nil
}

// AppendLength appends a number of elements, or of bytes.
func AppendLength(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0x80), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81), n)
}

// AppendString appends a string, as an integer if it is the text of a small one.
func AppendString(dst, s []byte) []byte {
	if len(s) <= 11 {
		if v, ok := listpack.ParseInt(s); ok {
			switch {
			case v == int64(int8(v)):
				return append(dst, 0xC0, byte(v))
			case v == int64(int16(v)):
				return append(dst, 0xC1, byte(v), byte(v>>8))
			case v == int64(int32(v)):
				return binary.LittleEndian.AppendUint32(append(dst, 0xC2), uint32(v))
			}
		}
	}
	const length = 9
	return append(AppendLength(pieces.Grow(dst, length+len(s)), uint64(len(s))), s...)
}

// AppendScore appends the score of a member of type TypeZSet.
func AppendScore(dst []byte, score float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(score))
}
