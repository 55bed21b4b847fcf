package rdb

import (
	"encoding/binary"
	"io"

	"cobble/storage/dump"
)

// A file is Redis's; integers are little endian.
//
//	file     = "REDIS" version aux* function* [database] FF crc(u64)   version = "0010" | "0012", crc = CRC-64/Jones of all before
//	aux      = FA string string                                       name and value
//	function = F5 string                                              the code of a library
//	database = FE length FB length length key*                        number; keys, and keys that expire
//	key      = [FC ms(u64)] type(1) string value                      expiry in Unix milliseconds
//
// string, length, type and value are those of a payload of DUMP (dump/format.go).
const (
	magic          = "REDIS0010" // the version of Redis 7.0, the oldest that has all that is written,
	magicDeadlines = "REDIS0012" // but for fields that expire, which Redis 7.4 has

	opAux      = 0xFA
	opFunction = 0xF5
	opDatabase = 0xFE
	opSizes    = 0xFB
	opExpiry   = 0xFC
	opEnd      = 0xFF

	// bufferBytes is how much is collected before it is handed on. Longer strings are handed on as they are.
	bufferBytes = 64 << 10
)

// Writer writes one file. The first error of what it writes to stays, ends everything, and is returned by End.
// It is for one goroutine.
type Writer struct {
	to  io.Writer
	buf []byte
	crc uint64
	n   int64
	err error

	deadlines bool
}

// NewWriter begins a file, in which there may be hashes whose fields have deadlines or not: then only Redis 7.4 and
// later take it, and others say so before they read on.
func NewWriter(to io.Writer, deadlines bool) *Writer {
	w := &Writer{to: to, buf: make([]byte, 0, bufferBytes+1<<10), deadlines: deadlines}
	if w.buf = append(w.buf, magic...); deadlines {
		w.buf = append(w.buf[:0], magicDeadlines...)
	}
	return w
}

// Deadlines reports whether fields with deadlines may be written.
func (w *Writer) Deadlines() bool { return w.deadlines }

// Err returns the error that has ended the file, if any.
func (w *Writer) Err() error { return w.err }

// Bytes returns how many bytes were written, those in the buffer included.
func (w *Writer) Bytes() int64 { return w.n + int64(len(w.buf)) }

func (w *Writer) flush() {
	w.write(w.buf)
	w.buf = w.buf[:0]
}

func (w *Writer) write(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	w.crc = dump.Checksum(w.crc, b)
	n, err := w.to.Write(b)
	w.n += int64(n)
	w.err = err
}

// full hands the buffer on if it has got long.
func (w *Writer) full() {
	if len(w.buf) >= bufferBytes {
		w.flush()
	}
}

// Aux writes a fact about the file.
func (w *Writer) Aux(name, value string) {
	w.buf = dump.AppendString(dump.AppendString(append(w.buf, opAux), []byte(name)), []byte(value))
	w.full()
}

// Function writes a library.
func (w *Writer) Function(code []byte) {
	w.buf = append(w.buf, opFunction)
	w.String(code)
}

// Database begins database 0, with about so many keys, and so many that expire.
func (w *Writer) Database(keys, expires uint64) {
	w.buf = append(w.buf, opDatabase, 0, opSizes)
	w.buf = dump.AppendLength(dump.AppendLength(w.buf, keys), expires)
	w.full()
}

// Key begins a key, whose value of that type must follow. expireAt is in Unix milliseconds, 0: never.
func (w *Writer) Key(key []byte, expireAt int64, kind byte) {
	if expireAt != 0 {
		w.buf = binary.LittleEndian.AppendUint64(append(w.buf, opExpiry), uint64(expireAt))
	}
	w.buf = append(w.buf, kind)
	w.String(key)
}

// Whole writes a key whose value stands, with its type before it, in one piece.
func (w *Writer) Whole(key []byte, expireAt int64, value []byte) {
	w.Key(key, expireAt, value[0])
	w.Raw(value[1:])
}

// Length writes a number of elements.
func (w *Writer) Length(n uint64) { w.buf = dump.AppendLength(w.buf, n) }

// String writes a string.
func (w *Writer) String(s []byte) {
	if len(s) < bufferBytes {
		w.buf = dump.AppendString(w.buf, s)
		w.full()
		return
	}
	w.buf = dump.AppendLength(w.buf, uint64(len(s)))
	w.Raw(s)
}

// Score writes the score of a member.
func (w *Writer) Score(score float64) { w.buf = dump.AppendScore(w.buf, score) }

// Raw writes bytes of a value as they are.
func (w *Writer) Raw(b []byte) {
	if len(b) < bufferBytes {
		w.buf = append(w.buf, b...)
		w.full()
		return
	}
	w.flush()
	w.write(b)
}

// End ends the file, and returns the error that has ended it before.
func (w *Writer) End() error {
	w.buf = append(w.buf, opEnd)
	w.flush()
	if w.err != nil {
		return w.err
	}
	crc := binary.LittleEndian.AppendUint64(nil, w.crc)
	n, err := w.to.Write(crc)
	w.n += int64(n)
	w.err = err
	return err
}
