package wire

import (
	"errors"
	"fmt"
)

// The format, version 1. Every varint is unsigned and in its shortest form
// (as encoding/binary.AppendUvarint writes it).
//
//	message   = version:1 kind:1 from:ID inc:varint boot:varint epoch:varint body
//	update    = version:1 kind:1 cluster:ID updated           ; a line of the acceptor file
//	change    = version:1 0x05 changed                         ; a record of the journal beside nodes.conf
//	version   = 0x01
//	body      = the fields of the kind, in the order of their declaration in package cluster
//	updated   = 0x01 register | 0x02 domain | 0x03 varint(rounds) | 0x04 varint(identity); the number is the kind
//
//	ID        = 20 bytes
//	text      = varint(n) n*byte                               ; n ≤ MaxText
//	bool      = 0x00 | 0x01
//	list of x = varint(n) n*x
//	maybe x   = 0x00 | 0x01 x
//	addr      = text(ip) varint(port) varint(busport)          ; ports ≤ 65535
//	slots     = 0x00                                           ; none
//	          | 0x01 varint(n) n*(varint(gap) varint(more))    ; runs: gap from the end of the last, length less one
//	          | 0x02 2048*byte                                 ; bitmap, slot s is bit s%8 of byte s/8
//	record    = ID varint(boot) varint(counter) varint(incarnation) addr text(hostname) varint(flags)
//	            ID(cluster) ID(shard) ID(primary) varint(term) varint(epoch) slots varint(offset)
//	ballot    = varint(round) varint(inc)
//	member    = ID varint(inc)
//	shardcfg  = ID varint(ver) varint(term) varint(epoch) member list of member slots
//	electors  = ID varint(ver) list of member  list of member  ID(into)
//	register  = ID(key) ballot ballot  maybe shardcfg  maybe electors
//	domain    = ID maybe electors  varint(complete) bool(carried)  list of register
//	version   = ID varint(boot) varint(counter)                ; in Fetch
//	changed   = ID(self) varint(boot) varint(epoch) list of record  list of ID(gone)  list of open(migrating)
//	            list of open(importing)  maybe electors  list of ban  list of ID(failed)
//	open      = varint(slot) ID(peer)
//	ban       = ID varint(until)
//
// Nothing may follow the last field. A peer of a later version is refused
// whole: a message half understood is worse than one lost.

// Version is the version this package writes, and the greatest it reads.
const Version = 1

// Limits of the format. Encoding what breaks them is a bug of the caller and
// panics; decoding it is an error.
const (
	MaxMessage = 16 << 20 // bytes of a message or update: the table of 10,000 nodes with slots fits twice
	MaxText    = 255      // bytes of an IP or a host name
	MaxRecords = 1 << 16  // records, versions or registers in a list
	MaxMembers = 256      // of an elector set or an in-sync set
)

// The forms of a slot set.
const (
	slotsNone   = 0
	slotsRuns   = 1
	slotsBitmap = 2

	maxRuns = 500 // more are shorter as a bitmap
)

// The kinds of an acceptor update.
const (
	updateRegister = 1
	updateDomain   = 2
	updateRounds   = 3
	updateIdentity = 4
)

// changeKind is the kind byte of a change.
const changeKind = 5

var (
	// ErrTruncated: the bytes end before the last field.
	ErrTruncated = errors.New("wire: message cut short")
	// ErrMalformed: the bytes break the grammar or a limit.
	ErrMalformed = errors.New("wire: malformed message")
)

// VersionError is returned for a message of another version of the format.
type VersionError struct{ Got byte }

func (e *VersionError) Error() string {
	if e.Got == 0 {
		return "wire: version 0 does not exist"
	}
	return fmt.Sprintf("wire: message format %d, this node reads up to %d; upgrade it first", e.Got, Version)
}
