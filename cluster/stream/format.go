package stream

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cobble/cluster"
	"cobble/storage/log"
)

// The bytes of a replication connection, version 1. Integers are
// little-endian.
//
//	connection = frame*
//	frame      = len u32 (of kind and body) | kind u8 | body
//
// From the replica:
//
//	'H' hello   version u8 = 1 | node 20 bytes | shard 20 bytes |
//	            expected-term u64 | position | checkpoint u64, nonce u64 (its last one, or 0)
//	'G' get     file u32 | offset u64 | crc u32 (CRC-32C of the bytes before offset)
//	'A' ack     written u64 | synced u64 | applied u64 | echo u64 (the last beat's time)
//
// From the primary:
//
//	'C' continue  term u64
//	'F' full      checkpoint u64 (its LSN) | nonce u64 | term u64 | count u32, then each file:
//	              size u64 | name-len u16 | name
//	'D' data      crc u32 (CRC-32C of the bytes) | offset u64 | bytes; no bytes: the end
//	'R' records   records as in the log, one or more whole ones
//	'S' side file size u64 | name-len u16 | name; 'D' frames follow
//	'T' beat      time-ms u64 | end u64 | term u64
//	'X' refused   reason u8 | text
//
//	position = lsn u64 | term u64 | crc u32
const (
	protocolVersion = 1

	frameHello    = 'H'
	frameGet      = 'G'
	frameAck      = 'A'
	frameContinue = 'C'
	frameFull     = 'F'
	frameData     = 'D'
	frameRecords  = 'R'
	frameSideFile = 'S'
	frameBeat     = 'T'
	frameRefused  = 'X'

	frameHeaderLen = 5
	helloLen       = 1 + 20 + 20 + 8 + positionLen + 16
	positionLen    = 20
	getLen         = 16
	ackLen         = 32
	beatLen        = 24
	dataHeaderLen  = 12

	maxFileName   = 255
	maxFiles      = 1 << 20
	smallFrame    = 64 << 10
	listFrame     = 64 << 20
	dataChunk     = 256 << 10
	maxDataFrame  = dataHeaderLen + dataChunk
	recordsTarget = 256 << 10 // a frame of records is sent when it has that much
	maxRecords    = log.MaxRecordBytes + recordsTarget
)

// errFrame is wrapped by every error about bytes that are no frame of the
// protocol.
var errFrame = errors.New("stream: malformed frame")

// frameLimit returns how long the body of a frame may be.
func frameLimit(kind byte) (int, error) {
	switch kind {
	case frameHello, frameGet, frameAck, frameContinue, frameSideFile, frameBeat, frameRefused:
		return smallFrame, nil
	case frameData:
		return maxDataFrame, nil
	case frameFull:
		return listFrame, nil
	case frameRecords:
		return maxRecords, nil
	}
	return 0, fmt.Errorf("%w: kind %q", errFrame, kind)
}

// Reason says why a connection was refused.
type Reason uint8

// The reasons.
const (
	ReasonVersion    Reason = 1 // the other side speaks a later version
	ReasonShard      Reason = 2 // it is of another shard
	ReasonOldTerm    Reason = 3 // the primary is not one of the expected term
	ReasonNotPrimary Reason = 4
	ReasonInternal   Reason = 5
)

// RefusedError is the primary's answer to a replica that it does not serve.
type RefusedError struct {
	Reason Reason
	Text   string
}

func (e *RefusedError) Error() string { return "stream: refused by the primary: " + e.Text }

type hello struct {
	version    uint8
	node       cluster.ID
	shard      cluster.ID
	term       uint64 // that the replica was told its primary has
	position   log.Position
	checkpoint checkpointID // of which the replica holds a part
}

// checkpointID names a checkpoint of one primary.
type checkpointID struct {
	lsn   log.LSN
	nonce uint64
}

func appendPosition(b []byte, p log.Position) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(p.LSN))
	b = binary.LittleEndian.AppendUint64(b, p.Term)
	return binary.LittleEndian.AppendUint32(b, p.CRC)
}

func (h *hello) append(b []byte) []byte {
	b = append(b, h.version)
	b = append(b, h.node[:]...)
	b = append(b, h.shard[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.term)
	b = appendPosition(b, h.position)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.checkpoint.lsn))
	return binary.LittleEndian.AppendUint64(b, h.checkpoint.nonce)
}

// decode reads a hello. Of another version only the version is read.
func (h *hello) decode(b []byte) error {
	p := parser{b: b}
	h.version = p.uint8()
	if h.version != protocolVersion {
		return p.err("hello", false)
	}
	copy(h.node[:], p.bytes(20))
	copy(h.shard[:], p.bytes(20))
	h.term = p.uint64()
	h.position = log.Position{LSN: log.LSN(p.uint64()), Term: p.uint64(), CRC: p.uint32()}
	h.checkpoint = checkpointID{lsn: log.LSN(p.uint64()), nonce: p.uint64()}
	return p.err("hello", true)
}

type get struct {
	file   uint32
	offset uint64
	crc    uint32
}

func (g *get) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, g.file)
	b = binary.LittleEndian.AppendUint64(b, g.offset)
	return binary.LittleEndian.AppendUint32(b, g.crc)
}

func (g *get) decode(b []byte) error {
	p := parser{b: b}
	g.file, g.offset, g.crc = p.uint32(), p.uint64(), p.uint32()
	return p.err("get", true)
}

type ack struct {
	written, synced, applied log.LSN
	echo                     uint64
}

func (a *ack) append(b []byte) []byte {
	for _, v := range [...]uint64{uint64(a.written), uint64(a.synced), uint64(a.applied), a.echo} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func (a *ack) decode(b []byte) error {
	p := parser{b: b}
	a.written, a.synced, a.applied = log.LSN(p.uint64()), log.LSN(p.uint64()), log.LSN(p.uint64())
	a.echo = p.uint64()
	return p.err("ack", true)
}

type beat struct {
	timeMS uint64
	end    log.LSN
	term   uint64
}

func (t *beat) append(b []byte) []byte {
	for _, v := range [...]uint64{t.timeMS, uint64(t.end), t.term} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func (t *beat) decode(b []byte) error {
	p := parser{b: b}
	t.timeMS, t.end, t.term = p.uint64(), log.LSN(p.uint64()), p.uint64()
	return p.err("beat", true)
}

// file is one file of a checkpoint, or a side file.
type file struct {
	name string
	size int64
}

func (f *file) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(f.size))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(f.name)))
	return append(b, f.name...)
}

func (p *parser) file() file {
	size := p.uint64()
	name := string(p.bytes(int(p.uint16())))
	if size > 1<<62 || !plainName(name) {
		p.bad = true
	}
	return file{name: name, size: int64(size)}
}

// plainName reports whether name is one of a file in a directory, and no way
// out of it.
func plainName(name string) bool {
	if name == "" || len(name) > maxFileName || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '\\' || c == ':' {
			return false
		}
	}
	return true
}

type full struct {
	checkpoint checkpointID
	term       uint64
	files      []file
}

func (f *full) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(f.checkpoint.lsn))
	b = binary.LittleEndian.AppendUint64(b, f.checkpoint.nonce)
	b = binary.LittleEndian.AppendUint64(b, f.term)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.files)))
	for i := range f.files {
		b = f.files[i].append(b)
	}
	return b
}

func (f *full) decode(b []byte) error {
	p := parser{b: b}
	f.checkpoint = checkpointID{lsn: log.LSN(p.uint64()), nonce: p.uint64()}
	f.term = p.uint64()
	n := p.uint32()
	if n > maxFiles || int(n) > len(p.b)/11 { // a file has 11 bytes at least
		return fmt.Errorf("%w: %d files", errFrame, n)
	}
	f.files = make([]file, n)
	seen := make(map[string]bool, n)
	for i := range f.files {
		f.files[i] = p.file()
		if seen[f.files[i].name] {
			p.bad = true
		}
		seen[f.files[i].name] = true
	}
	return p.err("full", true)
}

// parser consumes b from the front; bad is set at the first field that does
// not fit, after which everything reads as zero.
type parser struct {
	b   []byte
	bad bool
}

// err reports a body that did not fit, or, if whole, is longer than its fields.
func (p *parser) err(what string, whole bool) error {
	if p.bad || whole && len(p.b) > 0 {
		return fmt.Errorf("%w: %s", errFrame, what)
	}
	return nil
}

func (p *parser) bytes(n int) []byte {
	if p.bad || n > len(p.b) {
		p.bad, p.b = true, nil
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

func (p *parser) uint8() uint8 {
	if b := p.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) uint16() uint16 {
	if b := p.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (p *parser) uint32() uint32 {
	if b := p.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (p *parser) uint64() uint64 {
	if b := p.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
