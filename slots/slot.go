package slots

import (
	"bytes"

	"github.com/sigurn/crc16"
)

// Count is the number of hash slots of a cluster.
const Count = 16384

// Slot is one hash slot, 0 ≤ Slot < Count.
type Slot uint16

// crcTables[k][b] is the CRC16 (XMODEM) of byte b and k zero bytes behind it, so that
// four bytes take one step ("slicing by four").
var crcTables = func() (t [4][256]uint16) {
	table := crc16.MakeTable(crc16.CRC16_XMODEM)
	var b [len(t)]byte
	for i := range t[0] {
		b[0] = byte(i)
		for k := range t {
			t[k][i] = crc16.Checksum(b[:k+1], table)
		}
	}
	return t
}()

func crc(b []byte) uint16 {
	var c uint16
	t := &crcTables
	for ; len(b) >= 4; b = b[4:] {
		c = t[3][b[0]^byte(c>>8)] ^ t[2][b[1]^byte(c)] ^ t[1][b[2]] ^ t[0][b[3]]
	}
	for _, x := range b {
		c = c<<8 ^ t[0][byte(c>>8)^x]
	}
	return c
}

// Tag returns the part of key that is hashed: what stands between the first
// '{' and the next '}' if that is not empty, else the whole key
// (Redis Cluster specification, "Hash tags"). The result aliases key.
func Tag(key []byte) []byte {
	open := bytes.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	length := bytes.IndexByte(key[open+1:], '}')
	if length <= 0 {
		return key
	}
	return key[open+1 : open+1+length]
}

// Of returns the slot of key: CRC16 (XMODEM) of its tag, modulo Count.
func Of(key []byte) Slot {
	return Slot(crc(Tag(key)) & (Count - 1))
}
