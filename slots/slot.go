package slots

import (
	"bytes"

	"github.com/sigurn/crc16"
)

// Count is the number of hash slots of a cluster.
const Count = 16384

// Slot is one hash slot, 0 ≤ Slot < Count.
type Slot uint16

var crcTable = crc16.MakeTable(crc16.CRC16_XMODEM)

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
	return Slot(crc16.Checksum(Tag(key), crcTable) & (Count - 1))
}
