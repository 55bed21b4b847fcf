package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"cobble/pieces"
	"cobble/slots"
)

// The bytes of the log, format version 1. Fixed-width integers are
// little-endian, uv is an unsigned varint, zv a zigzag varint
// (encoding/binary).
//
//	segment file = segment-header record* zero*
//	segment-header (64 bytes) =
//	    version u8 = 1 | 'l' 'o' 'g' |
//	    first u64       LSN at which the segment starts (= its file name)
//	    prev u64        first of the segment before it; = first if there is none
//	    term u64        term in force at first
//	    term-start u64  LSN at which that term's record starts
//	    replid 20 bytes replication id of that term
//	    crc-before u32  CRC of the record that ends at first
//	    crc u32         CRC-32C of the 60 bytes before
//
//	record =
//	    len u32         of the whole record, this field included
//	    crc u32         CRC-32C of everything after this field,
//	                    seeded with the crc of the record before (0 at LSN 0)
//	    version u8 = 1 | flags u8    bit 0: has a cmd section, bit 1: has sub-expires; others are 0
//	    lsn u64         offset of the end of the record
//	    time-ms u48     milliseconds since 1970
//	    kind u8         'B' 'I' 'X' 'E' 'N'
//	    deltas uv, then each:
//	        slot u16 | db u8 | keys zv | expires zv | bytes zv | next-oid uv
//	        sub-expires zv          only with flag bit 1; of some delta it is not 0
//	    payload-len uv | payload
//	    cmd             the rest, only with flag bit 0
//
//	payload of kind 'E' = version u8 = 1 | term u64 | replid 20 bytes
//
// A len of zero is the normal end of what was written to a segment.
//
//	sync-point file (1024 bytes) = slot zero* slot zero*    at 0 and 512
//	slot (24 bytes) =
//	    version u8 = 1 | 's' 'y' 'n' |
//	    serial u64      the slot with the higher one counts
//	    lsn u64         everything up to here was synced
//	    crc u32         CRC-32C of the 20 bytes before
//
// A slot that is not whole says nothing. A log without the file is one of
// before the file, or one whose syncs nobody remembers; it opens all the same.
const (
	formatVersion = 1

	segmentHeaderLen = 64
	recordHeaderLen  = 4 + 4 + 1 + 1 + 8 + 6 + 1
	termPayloadLen   = 1 + 8 + len(ReplID{})

	// The two slots of a sync point are in sectors of their own.
	syncPointSlotLen = 1 + 3 + 8 + 8 + 4
	syncPointStride  = 512
	syncPointLen     = 2 * syncPointStride

	flagCmd = 1 << 0
	flagSub = 1 << 1

	// MaxRecordBytes bounds one record, encoded.
	MaxRecordBytes = 1 << 30
	maxTimeMS      = 1<<48 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// LSN is a position in the log: the number of record bytes before it since
// the log of the shard began. A record's LSN is the offset of its end.
type LSN uint64

// Kind says what a record does.
type Kind uint8

// The kinds of records.
const (
	KindBatch  Kind = 'B' // a write set
	KindImport Kind = 'I' // a slot import; its rows are in a side file
	KindExcise Kind = 'X' // slots are dropped whole
	KindTerm   Kind = 'E' // a new term and replication id begin
	KindNoop   Kind = 'N'
	KindShared Kind = 'S' // a value that belongs to no slot
)

func (k Kind) known() bool {
	switch k {
	case KindBatch, KindImport, KindExcise, KindTerm, KindNoop, KindShared:
		return true
	}
	return false
}

// Delta is what a record changes in the counters of one slot and database.
// Every slot that a record touches has at least one.
type Delta struct {
	Slot       slots.Slot
	DB         uint8
	Keys       int32
	Expires    int32
	SubExpires int32 // hashes with fields that expire
	Bytes      int64
	NextOID    uint64 // the slot's next object id after the record
}

// Record is one atomic unit of the log.
type Record struct {
	LSN     LSN   // offset of the end; set by Append
	TimeMS  int64 // Unix milliseconds at the primary, 0 ≤ TimeMS < 2^48
	Kind    Kind
	Deltas  []Delta
	Payload []byte
	Tail    []byte // the end of the payload, where Append is given it apart; nil in a record that was read
	Cmd     []byte // the effect as a command, or nil

	// Essential lets the record use the room that is kept for deletions and
	// terms when the disk is full. It is not stored.
	Essential bool
}

// ReplID is the id of one replication history (40 hexadecimal digits in INFO).
type ReplID [20]byte

// Term is one primary's stretch of the log.
type Term struct {
	Number uint64
	Start  LSN // where its 'E' record starts
	ReplID ReplID
}

// Position is a point between two records: equal positions of two logs mean
// equal bytes before them (the CRC is chained from record to record).
type Position struct {
	LSN  LSN
	Term uint64
	CRC  uint32 // of the record that ends at LSN
}

// ErrFormat is wrapped by every error about bytes that are no valid record.
var ErrFormat = errors.New("log: malformed record")

// ErrNewer reports a valid record or segment of a later format version.
var ErrNewer = errors.New("log: written by a newer version; start that version, or empty the directory and sync from the primary")

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
func varintLen(v int64) int   { return uvarintLen(uint64(v)<<1 ^ uint64(v>>63)) }

// hasSub reports whether a delta changes the number of hashes with fields that expire.
func (r *Record) hasSub() bool {
	for i := range r.Deltas {
		if r.Deltas[i].SubExpires != 0 {
			return true
		}
	}
	return false
}

// encodedLen returns the exact number of bytes of r in the log.
func (r *Record) encodedLen() int {
	n, sub := recordHeaderLen+uvarintLen(uint64(len(r.Deltas))), r.hasSub()
	for i := range r.Deltas {
		d := &r.Deltas[i]
		n += 3 + varintLen(int64(d.Keys)) + varintLen(int64(d.Expires)) + varintLen(d.Bytes) + uvarintLen(d.NextOID)
		if sub {
			n += varintLen(int64(d.SubExpires))
		}
	}
	payload := len(r.Payload) + len(r.Tail)
	return n + uvarintLen(uint64(payload)) + payload + len(r.Cmd)
}

// appendRecord appends the encoding of r, which ends at lsn and follows a
// record with CRC prev, and returns the longer slice and the record's CRC.
func appendRecord(b []byte, r *Record, size int, lsn LSN, prev uint32) ([]byte, uint32) {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(pieces.Grow(b, size), uint32(size))
	b = append(b, 0, 0, 0, 0, formatVersion, 0)
	if len(r.Cmd) > 0 {
		b[start+9] = flagCmd
	}
	sub := r.hasSub()
	if sub {
		b[start+9] |= flagSub
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(lsn))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.TimeMS))
	b = binary.LittleEndian.AppendUint16(b, uint16(r.TimeMS>>32))
	b = append(b, byte(r.Kind))
	b = binary.AppendUvarint(b, uint64(len(r.Deltas)))
	for i := range r.Deltas {
		d := &r.Deltas[i]
		b = binary.LittleEndian.AppendUint16(b, uint16(d.Slot))
		b = append(b, d.DB)
		b = binary.AppendVarint(b, int64(d.Keys))
		b = binary.AppendVarint(b, int64(d.Expires))
		b = binary.AppendVarint(b, d.Bytes)
		b = binary.AppendUvarint(b, d.NextOID)
		if sub {
			b = binary.AppendVarint(b, int64(d.SubExpires))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Payload)+len(r.Tail)))
	b = append(append(pieces.Append(b, r.Payload), r.Tail...), r.Cmd...)
	crc := prev
	for rest := b[start+8:]; len(rest) > 0; rest = rest[min(len(rest), pieces.Size):] {
		crc = crc32.Update(crc, castagnoli, rest[:min(len(rest), pieces.Size)])
	}
	binary.LittleEndian.PutUint32(b[start+4:], crc)
	return b, crc
}

// RecordLen returns the length that the record at the start of b claims, or 0
// if b is too short to tell, and an error if no record has such a length.
func RecordLen(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n := binary.LittleEndian.Uint32(b)
	if n < recordHeaderLen+2 || n > MaxRecordBytes {
		return 0, fmt.Errorf("%w: length %d", ErrFormat, n)
	}
	return int(n), nil
}

// verify checks that raw is exactly one record that starts at start and
// follows a record with CRC prev, and returns its CRC.
func verify(raw []byte, start LSN, prev uint32) (uint32, error) {
	n, err := RecordLen(raw)
	if err != nil {
		return 0, err
	}
	if n == 0 || n != len(raw) {
		return 0, fmt.Errorf("%w: %d bytes where %d are claimed", ErrFormat, len(raw), n)
	}
	if lsn := LSN(binary.LittleEndian.Uint64(raw[10:])); lsn != start+LSN(n) {
		return 0, fmt.Errorf("%w: LSN %d where %d is due", ErrFormat, lsn, start+LSN(n))
	}
	crc := crc32.Update(prev, castagnoli, raw[8:])
	if got := binary.LittleEndian.Uint32(raw[4:]); got != crc {
		return 0, fmt.Errorf("%w: CRC %08x where %08x is due", ErrFormat, got, crc)
	}
	return crc, nil
}

// rawCRC returns the CRC stored in a record.
func rawCRC(raw []byte) uint32 { return binary.LittleEndian.Uint32(raw[4:]) }

// Decode parses one whole record. It checks the form, not the CRC, which only
// the log before the record can check. Payload and Cmd alias raw; the Deltas
// of r are reused.
func (r *Record) Decode(raw []byte) error {
	n, err := RecordLen(raw)
	if err != nil {
		return err
	}
	if n == 0 || n != len(raw) {
		return fmt.Errorf("%w: %d bytes where %d are claimed", ErrFormat, len(raw), n)
	}
	flags := raw[9]
	if raw[8] != formatVersion || flags&^(flagCmd|flagSub) != 0 {
		return fmt.Errorf("%w (record version %d, flags %#x)", ErrNewer, raw[8], flags)
	}
	r.LSN = LSN(binary.LittleEndian.Uint64(raw[10:]))
	r.TimeMS = int64(binary.LittleEndian.Uint32(raw[18:])) | int64(binary.LittleEndian.Uint16(raw[22:]))<<32
	r.Kind = Kind(raw[24])
	r.Essential = false
	if !r.Kind.known() {
		return fmt.Errorf("%w (record kind %q)", ErrNewer, byte(r.Kind))
	}
	p := parser{b: raw[recordHeaderLen:]}
	count := p.uvarint()
	if count > uint64(len(p.b)/7) { // a delta has 7 bytes at least
		return fmt.Errorf("%w: %d deltas", ErrFormat, count)
	}
	r.Deltas = r.Deltas[:0]
	for ; count > 0; count-- {
		d := p.delta()
		if flags&flagSub != 0 {
			d.SubExpires = p.int32()
		}
		r.Deltas = append(r.Deltas, d)
	}
	if (flags&flagSub != 0) != r.hasSub() {
		p.bad = true
	}
	r.Payload = p.bytes(p.uvarint())
	if p.bad || (flags&flagCmd != 0) != (len(p.b) > 0) {
		return fmt.Errorf("%w: truncated or overlong body", ErrFormat)
	}
	r.Tail, r.Cmd = nil, nil
	if len(p.b) > 0 {
		r.Cmd = p.b
	}
	return nil
}

// parser consumes b from the front; bad is set at the first field that does
// not fit, after which everything reads as zero.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) bytes(n uint64) []byte {
	if p.bad || n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || n != uvarintLen(v) { // one encoding only
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) varint() int64 {
	u := p.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (p *parser) int32() int32 {
	v := p.varint()
	if int64(int32(v)) != v {
		p.bad = true
	}
	return int32(v)
}

func (p *parser) delta() Delta {
	var d Delta
	if h := p.bytes(3); h != nil {
		d.Slot, d.DB = slots.Slot(binary.LittleEndian.Uint16(h)), h[2]
	}
	if d.Slot >= slots.Count {
		p.bad = true
	}
	d.Keys, d.Expires, d.Bytes, d.NextOID = p.int32(), p.int32(), p.varint(), p.uvarint()
	return d
}

// TermPayload returns the payload of a KindTerm record.
func TermPayload(number uint64, id ReplID) []byte {
	b := make([]byte, 0, termPayloadLen)
	b = append(b, formatVersion)
	b = binary.LittleEndian.AppendUint64(b, number)
	return append(b, id[:]...)
}

func parseTerm(payload []byte, start LSN) (Term, error) {
	if len(payload) == 0 || len(payload) < termPayloadLen && payload[0] == formatVersion {
		return Term{}, fmt.Errorf("%w: term payload of %d bytes", ErrFormat, len(payload))
	}
	if payload[0] != formatVersion || len(payload) != termPayloadLen {
		return Term{}, fmt.Errorf("%w (term payload version %d)", ErrNewer, payload[0])
	}
	t := Term{Number: binary.LittleEndian.Uint64(payload[1:]), Start: start}
	copy(t.ReplID[:], payload[9:])
	return t, nil
}

// segmentHeader is the fixed start of a segment file.
type segmentHeader struct {
	first     LSN
	prev      LSN
	term      Term
	crcBefore uint32
}

func (h *segmentHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, formatVersion, 'l', 'o', 'g')
	b = binary.LittleEndian.AppendUint64(b, uint64(h.first))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.prev))
	b = binary.LittleEndian.AppendUint64(b, h.term.Number)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.term.Start))
	b = append(b, h.term.ReplID[:]...)
	b = binary.LittleEndian.AppendUint32(b, h.crcBefore)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseSegmentHeader(b []byte) (segmentHeader, error) {
	var h segmentHeader
	if len(b) < segmentHeaderLen {
		return h, fmt.Errorf("%w: segment header of %d bytes", ErrFormat, len(b))
	}
	b = b[:segmentHeaderLen]
	if string(b[1:4]) != "log" {
		return h, fmt.Errorf("%w: not a log segment", ErrFormat)
	}
	if b[0] != formatVersion {
		return h, fmt.Errorf("%w (segment version %d)", ErrNewer, b[0])
	}
	if crc := crc32.Checksum(b[:60], castagnoli); crc != binary.LittleEndian.Uint32(b[60:]) {
		return h, fmt.Errorf("%w: CRC of the segment header", ErrFormat)
	}
	h.first = LSN(binary.LittleEndian.Uint64(b[4:]))
	h.prev = LSN(binary.LittleEndian.Uint64(b[12:]))
	h.term.Number = binary.LittleEndian.Uint64(b[20:])
	h.term.Start = LSN(binary.LittleEndian.Uint64(b[28:]))
	copy(h.term.ReplID[:], b[36:56])
	h.crcBefore = binary.LittleEndian.Uint32(b[56:])
	return h, nil
}
