package format

import "encoding/binary"

// Element rows that have a name, format version 1:
//
//	key = slot 20 oid(8) sub(1) H(8) name     H = Hash(name)
//	sub = 'f' field of a hash | 'm' member of a set or a sorted set
//
// The row of a set's member has an empty value.
const (
	SubMember byte = 'm'

	// MemberPrefix is the length of such a row key before the name.
	MemberPrefix = 2 + 1 + 8 + 1 + 8
)

// AppendMember appends the row key of the element called name.
func AppendMember(dst []byte, slot uint16, oid uint64, sub byte, name []byte) []byte {
	return append(AppendMemberBound(dst, slot, oid, sub, Hash(name)), name...)
}

// AppendMemberBound appends the row key at which a scan from hash h starts.
func AppendMemberBound(dst []byte, slot uint16, oid uint64, sub byte, h uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendElement(dst, slot, oid, sub), h)
}

// SplitMember takes a row key of the kind sub apart. The name aliases row.
func SplitMember(row []byte, sub byte) (h uint64, name []byte, err error) {
	if len(row) < MemberPrefix || row[2] != KindElement || row[11] != sub {
		return 0, nil, ErrCorrupt
	}
	return binary.BigEndian.Uint64(row[12:]), row[MemberPrefix:], nil
}
