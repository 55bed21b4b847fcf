package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// The journal beside nodes.conf, version 1. Numbers are big-endian.
//
//	file   = "CNJL" version:1 generation:8 crc:4 record*   ; crc32c of the 13 bytes before it
//	record = length:4 seq:8 crc:4 change                   ; a change of package wire of that length
//
// crc is crc32c of length, seq and change; seq counts from 1 without a gap.
// The file goes on from the nodes.conf of the same generation. Its head is put
// in place whole; every record is synced before the next is written. So a crash
// can leave nothing but one damaged record at the end, which nobody was told of.
// A damaged record that a whole one follows is no crash's work, and the file is
// refused: a node that starts with half of its memory is a danger to the others.

const (
	journalMagic  = "CNJL\x01"
	journalHead   = len(journalMagic) + 8 + 4 // bytes
	journalRecord = 4 + 8 + 4                 // bytes of a record besides its change

	journalRecordMax = wire.MaxMessage // bytes of a record with its change; what is larger goes into nodes.conf
)

// errJournalDamaged: the file cannot be trusted.
var errJournalDamaged = errors.New("driver: the journal of nodes.conf is damaged")

func appendJournalHead(out []byte, generation uint64) []byte {
	at := len(out)
	out = append(out, journalMagic...)
	out = binary.BigEndian.AppendUint64(out, generation)
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out[at:], castagnoli))
}

func appendJournalRecord(out []byte, seq uint64, change *cluster.ConfChange) []byte {
	at := len(out)
	out = append(out, make([]byte, journalRecord)...)
	out = wire.AppendChange(out, change)
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-journalRecord))
	binary.BigEndian.PutUint64(out[at+4:], seq)
	binary.BigEndian.PutUint32(out[at+12:], journalSum(out[at:]))
	return out
}

// journalSum is the checksum of a record with all its bytes.
func journalSum(record []byte) uint32 {
	sum := crc32.Checksum(record[:12], castagnoli)
	return crc32.Update(sum, castagnoli, record[journalRecord:])
}

// parseJournal reads the content of a file: the changes of its whole records,
// and where those end.
func parseJournal(b []byte) (generation uint64, changes []*cluster.ConfChange, whole int, err error) {
	if len(b) >= len(journalMagic) && string(b[:4]) == journalMagic[:4] && b[4] != journalMagic[4] {
		return 0, nil, 0, fmt.Errorf("driver: the journal of nodes.conf has format %d, this server reads format %d: start the version that wrote it", b[4], journalMagic[4])
	}
	if len(b) < journalHead || string(b[:len(journalMagic)]) != journalMagic ||
		crc32.Checksum(b[:journalHead-4], castagnoli) != binary.BigEndian.Uint32(b[journalHead-4:]) {
		return 0, nil, 0, fmt.Errorf("%w: no head", errJournalDamaged)
	}
	generation = binary.BigEndian.Uint64(b[len(journalMagic):])
	at, seq := journalHead, uint64(1)
	for at < len(b) {
		n := wholeRecord(b[at:])
		if n == 0 || binary.BigEndian.Uint64(b[at+4:]) != seq {
			if next := laterRecord(b, at+1, seq); next > 0 {
				return 0, nil, 0, fmt.Errorf("%w: at %d, and a whole record follows at %d", errJournalDamaged, at, next)
			}
			break
		}
		change, err := wire.DecodeChange(b[at+journalRecord : at+n])
		if err != nil {
			return 0, nil, 0, fmt.Errorf("%w: record at %d: %w", errJournalDamaged, at, err)
		}
		changes = append(changes, change)
		at, seq = at+n, seq+1
	}
	return generation, changes, at, nil
}

// wholeRecord returns the length of the whole record that b begins with, or 0.
func wholeRecord(b []byte) int {
	if len(b) < journalRecord {
		return 0
	}
	n := uint64(binary.BigEndian.Uint32(b)) + journalRecord
	if n > journalRecordMax || n > uint64(len(b)) || journalSum(b[:n]) != binary.BigEndian.Uint32(b[12:]) {
		return 0
	}
	return int(n)
}

// laterRecord looks for a whole record numbered seq or not much later, at any
// byte from at on, and returns where it is, or 0.
func laterRecord(b []byte, at int, seq uint64) int {
	const near = 1 << 20
	for ; at+journalRecord <= len(b); at++ {
		if ahead := binary.BigEndian.Uint64(b[at+4:]) - seq; ahead < near && wholeRecord(b[at:]) > 0 {
			return at
		}
	}
	return 0
}
