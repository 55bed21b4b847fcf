package format

import "encoding/binary"

// Node-local rows, under slot FFFF. They are never logged and travel in the
// same ingest as the rows that they vouch for.
//
//	FFFF 00        watermark: every record up to it is in the store, none after
//	               it is. A node's header rows and rows are exact at its LSN.
//	FFFF 01 slot   header of a slot that ever held something
//	FFFF 02        values that belong to no slot, see shared.go
//
//	watermark = version(1) lsn(8) crc(4) term(8) term-start(8) replid(20)
//	header    = version(1) lsn keys expires bytes next-oid [sub-expires]   (uvarints; the last is not 0)
//
// All headers lie together so that opening a store is one short scan.

// Watermark is the position in the log that the store on disk is exact at.
type Watermark struct {
	LSN       uint64
	CRC       uint32 // of the record that ends at LSN
	Term      uint64 // in force at LSN
	TermStart uint64
	ReplID    [20]byte
}

const watermarkLen = 1 + 8 + 4 + 8 + 8 + 20

// WatermarkKey returns the row key of the watermark.
func WatermarkKey() []byte { return []byte{0xFF, 0xFF, 0x00} }

// Append appends the encoding of w.
func (w *Watermark) Append(dst []byte) []byte {
	dst = append(dst, Version)
	dst = binary.BigEndian.AppendUint64(dst, w.LSN)
	dst = binary.BigEndian.AppendUint32(dst, w.CRC)
	dst = binary.BigEndian.AppendUint64(dst, w.Term)
	dst = binary.BigEndian.AppendUint64(dst, w.TermStart)
	return append(dst, w.ReplID[:]...)
}

// Decode reads a watermark row.
func (w *Watermark) Decode(b []byte) error {
	if len(b) != watermarkLen || b[0] != Version {
		return ErrCorrupt
	}
	w.LSN = binary.BigEndian.Uint64(b[1:])
	w.CRC = binary.BigEndian.Uint32(b[9:])
	w.Term = binary.BigEndian.Uint64(b[13:])
	w.TermStart = binary.BigEndian.Uint64(b[21:])
	copy(w.ReplID[:], b[29:])
	return nil
}

// Header is what is stored of a slot's counters.
type Header struct {
	LSN                           uint64 // of the last record that touched the slot
	Keys, Expires, Bytes, NextOID uint64
	SubExpires                    uint64 // hashes with fields that expire
}

// AppendHeaderKey appends the row key of a slot's header.
func AppendHeaderKey(dst []byte, slot uint16) []byte {
	return append(dst, 0xFF, 0xFF, 0x01, byte(slot>>8), byte(slot))
}

// SplitHeaderKey returns the slot of a header's row key; ok is false for another row.
func SplitHeaderKey(row []byte) (slot uint16, ok bool) {
	if len(row) != 5 || row[0] != 0xFF || row[1] != 0xFF || row[2] != 0x01 {
		return 0, false
	}
	return binary.BigEndian.Uint16(row[3:]), true
}

// Append appends the encoding of h.
func (h *Header) Append(dst []byte) []byte {
	dst = append(dst, Version)
	for _, v := range [...]uint64{h.LSN, h.Keys, h.Expires, h.Bytes, h.NextOID} {
		dst = binary.AppendUvarint(dst, v)
	}
	if h.SubExpires != 0 {
		dst = binary.AppendUvarint(dst, h.SubExpires)
	}
	return dst
}

// Decode reads a header row.
func (h *Header) Decode(b []byte) error {
	if len(b) == 0 || b[0] != Version {
		return ErrCorrupt
	}
	b = b[1:]
	h.SubExpires = 0
	for i, v := range [...]*uint64{&h.LSN, &h.Keys, &h.Expires, &h.Bytes, &h.NextOID, &h.SubExpires} {
		if i == 5 && len(b) == 0 {
			return nil
		}
		n, w := binary.Uvarint(b)
		if w <= 0 || i == 5 && n == 0 {
			return ErrCorrupt
		}
		*v, b = n, b[w:]
	}
	if len(b) != 0 {
		return ErrCorrupt
	}
	return nil
}
