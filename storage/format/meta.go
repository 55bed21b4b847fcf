package format

import (
	"encoding/binary"
	"errors"
)

// Metadata values, format version 1:
//
//	meta    = b0 enc flags [expireAt idxAt] [fieldsAt] version body
//	b0      = fmt(high nibble, 1) type(low nibble)
//	enc     = what OBJECT ENCODING reports (Enc…), independent of the layout
//	flags   = layout (bits 0-1) | hasTTL (bit 2) | fields expire (bit 3) | type's own (bits 4-7)
//	expireAt, idxAt = uvarint, Unix milliseconds, present if hasTTL;
//	          idxAt is the due time of the key's expiry row that exists now
//	fieldsAt = uvarint, Unix milliseconds, present if fields of the hash expire:
//	          the due time of the row that files the first of them; none does before
//	version = uvarint, grows with each change of the key
//	body    = inline: the value's bytes
//	        | rows, chunks: oid count bytes extra   (uvarint, uvarint, uvarint, the type's own bytes)

// Version is the format version that this binary writes and reads.
const Version = 1

// Type is a value's type, the low nibble of the first byte. 0 is never written.
type Type uint8

// The types of format version 1. Types 7 to 15 are free for those to come.
const (
	String Type = 1 + iota
	List
	Set
	HashType
	ZSet
	Stream
)

var typeNames = [...]string{String: "string", List: "list", Set: "set", HashType: "hash", ZSet: "zset", Stream: "stream"}

// String returns the name that TYPE replies with, "none" for no type.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return "none"
	}
	return typeNames[t]
}

// Enc is the encoding that OBJECT ENCODING reports.
type Enc uint8

// Encodings. The numbers are part of the format.
const (
	EncRaw Enc = iota
	EncInt
	EncEmbstr
	EncListpack
	EncIntset
	EncHashtable
	EncQuicklist
	EncSkiplist
	EncStream
	EncListpackEx
)

var encNames = [...]string{"raw", "int", "embstr", "listpack", "intset", "hashtable", "quicklist", "skiplist", "stream", "listpackex"}

func (e Enc) String() string {
	if int(e) >= len(encNames) {
		return "unknown"
	}
	return encNames[e]
}

// Layout says where a value's data are.
type Layout uint8

// Layouts.
const (
	Inline Layout = iota // in the metadata row
	Rows                 // one row an element, under the oid
	Chunks               // fixed-size chunks of a long string, under the oid
)

// Flag bits that belong to the types.
const (
	layoutMask    = 0x03
	flagTTL       = 0x04
	flagFields    = 0x08
	FlagListDense = 0x10 // list: no gap between positions
	FlagListAbout = 0x20 // list: Bytes is an estimate
	typeFlags     = 0xF0
)

// Meta is a decoded metadata value. Inline and Extra alias the decoded bytes.
type Meta struct {
	Type     Type
	Enc      Enc
	Layout   Layout
	Flags    uint8 // only the types' own bits (Flag…)
	ExpireAt int64 // Unix milliseconds; 0 = no expiry
	IndexAt  int64 // due time of the expiry row on disk; 0 = none
	FieldsAt int64 // due time of the row that files the fields of a hash that expire; 0 = none does
	Version  uint64
	Inline   []byte // layout Inline
	OID      uint64 // other layouts
	Count    uint64 // elements
	Bytes    uint64 // payload bytes
	Extra    []byte // the type's own bytes
}

// ErrCorrupt is returned for bytes that no version of Cobble wrote.
var ErrCorrupt = errors.New("storage: corrupt row")

// Append appends the encoding of m.
func (m *Meta) Append(dst []byte) []byte {
	flags := uint8(m.Layout)&layoutMask | m.Flags&typeFlags
	if m.ExpireAt != 0 || m.IndexAt != 0 {
		flags |= flagTTL
	}
	if m.FieldsAt != 0 {
		flags |= flagFields
	}
	dst = append(dst, Version<<4|byte(m.Type), byte(m.Enc), flags)
	if flags&flagTTL != 0 {
		dst = binary.AppendUvarint(dst, uint64(m.ExpireAt))
		dst = binary.AppendUvarint(dst, uint64(m.IndexAt))
	}
	if flags&flagFields != 0 {
		dst = binary.AppendUvarint(dst, uint64(m.FieldsAt))
	}
	dst = binary.AppendUvarint(dst, m.Version)
	if m.Layout == Inline {
		return append(dst, m.Inline...)
	}
	dst = binary.AppendUvarint(dst, m.OID)
	dst = binary.AppendUvarint(dst, m.Count)
	dst = binary.AppendUvarint(dst, m.Bytes)
	return append(dst, m.Extra...)
}

// Decode reads a metadata value into m. It allocates nothing; Inline and Extra alias b.
func (m *Meta) Decode(b []byte) error {
	if len(b) < 4 || b[0]>>4 != Version || b[0]&15 == 0 || b[2]&layoutMask > uint8(Chunks) {
		return ErrCorrupt
	}
	*m = Meta{}
	m.Type, m.Enc, m.Layout, m.Flags = Type(b[0]&15), Enc(b[1]), Layout(b[2]&layoutMask), b[2]&typeFlags
	if b[2]&(layoutMask|flagTTL|flagFields) == uint8(Inline) { // most rows; of those that are written often the version is longer
		switch {
		case b[3] < 0x80:
			m.Version, m.Inline = uint64(b[3]), b[4:]
			return nil
		case len(b) > 4 && b[4] < 0x80:
			m.Version, m.Inline = uint64(b[3]&0x7f)|uint64(b[4])<<7, b[5:]
			return nil
		case len(b) > 5 && b[5] < 0x80:
			m.Version, m.Inline = uint64(b[3]&0x7f)|uint64(b[4]&0x7f)<<7|uint64(b[5])<<14, b[6:]
			return nil
		}
	}
	return m.decodeRest(b)
}

// PlainStringMost is the most that AppendPlainString appends.
const PlainStringMost = 3 + binary.MaxVarintLen64

// PlainString returns the version of the metadata of a string that stands in its row and does not expire, and how long
// that string is. Of anything else the version is 0, which none has.
func PlainString(b []byte) (version uint64, length int) {
	if len(b) < 4 || b[0] != Version<<4|byte(String) || b[2] != uint8(Inline) {
		return 0, 0
	}
	version, at := uvarintAt(b, 3)
	if at > len(b) {
		return 0, 0
	}
	return version, len(b) - at
}

// AppendPlainString appends the metadata of such a string, but for the string.
func AppendPlainString(dst []byte, enc Enc, version uint64) []byte {
	return binary.AppendUvarint(append(dst, Version<<4|byte(String), byte(enc), uint8(Inline)), version)
}

// decodeRest reads what follows the first three bytes.
func (m *Meta) decodeRest(b []byte) error {
	var v uint64
	at := 3
	if b[2]&flagTTL != 0 {
		v, at = uvarintAt(b, at)
		m.ExpireAt = int64(v)
		v, at = uvarintAt(b, at)
		m.IndexAt = int64(v)
	}
	if b[2]&flagFields != 0 {
		v, at = uvarintAt(b, at)
		m.FieldsAt = int64(v)
	}
	m.Version, at = uvarintAt(b, at)
	if m.Layout != Inline {
		m.OID, at = uvarintAt(b, at)
		m.Count, at = uvarintAt(b, at)
		m.Bytes, at = uvarintAt(b, at)
	}
	switch {
	case at > len(b):
		return ErrCorrupt
	case m.Layout == Inline:
		m.Inline = b[at:]
	default:
		m.Extra = b[at:]
	}
	return nil
}

// uvarintAt reads the uvarint that begins at b[at] and returns where the next one does, which is beyond the end if
// there is none.
func uvarintAt(b []byte, at int) (v uint64, next int) {
	if at < len(b) && b[at] < 0x80 {
		return uint64(b[at]), at + 1
	}
	return longUvarintAt(b, at)
}

func longUvarintAt(b []byte, at int) (v uint64, next int) {
	beyond := len(b) + 1
	if at >= len(b) {
		return 0, beyond
	}
	v, n := binary.Uvarint(b[at:])
	if n <= 0 {
		return 0, beyond
	}
	return v, at + n
}
