package storage

import (
	"cobble/storage/format"
)

// A string of up to InlineString bytes stands in its metadata row. A longer one is
// cut in chunks of ChunkSize bytes, each a row of its own: `c idx(4)`. An absent
// chunk, and the part that a short chunk lacks, are zeros. Count is the number of
// chunks that the length needs, Bytes the length.
const (
	InlineString = 8 << 10
	ChunkSize    = 8 << 10

	// MaxString is the largest length of a string, bytes, unless SetMaxString says otherwise.
	MaxString = 512 << 20

	subChunk = 'c'

	// chunkOverhead is what a chunk takes in a write set beside its bytes, at most.
	chunkOverhead = 32
)

// embstrLimit is the length up to which Redis reports "embstr".
const embstrLimit = 44

// StringEnc returns the encoding that a value has when it is stored whole.
func StringEnc(value []byte) format.Enc {
	if len(value) <= 20 {
		if _, ok := ParseInt(value); ok {
			return format.EncInt
		}
	}
	if len(value) <= embstrLimit {
		return format.EncEmbstr
	}
	return format.EncRaw
}

// stringLen is the length of a string value in bytes.
func stringLen(m *format.Meta) int64 {
	if m.Layout == format.Inline {
		return int64(len(m.Inline))
	}
	return int64(m.Bytes)
}

func chunksOf(length int64) int64 { return (length + ChunkSize - 1) / ChunkSize }

func (tx *Tx) chunkKey(e *Entry, oid uint64, idx int64) []byte {
	tx.scratch = format.AppendElement(tx.scratch[:0], uint16(e.Slot), oid, subChunk)
	tx.scratch = append(tx.scratch, byte(idx>>24), byte(idx>>16), byte(idx>>8), byte(idx))
	return tx.scratch
}

// SetMaxString bounds the length that APPEND and SETRANGE give a string, bytes
// (proto-max-bulk-len; more than 1 TiB count as 1 TiB, far from where the numbers of chunks
// and bits end). Longer strings that are there stay. Any goroutine may call it.
func (e *Engine) SetMaxString(n int64) { e.maxString.Store(min(n, 1<<40)) }

// MaxString returns the bound.
func (e *Engine) MaxString() int64 { return e.maxString.Load() }

// fits reports ErrTooLarge if a string must not become so long.
func (tx *Tx) fits(length, more int64) error {
	if limit := tx.engine.maxString.Load(); more > limit || length > limit-more {
		return ErrTooLarge
	}
	return nil
}

// fillString makes e.Meta the string value, keeping its ExpireAt, and writes the
// chunks if it has any. It needs a save.
func (tx *Tx) fillString(e *Entry, enc format.Enc, value []byte) {
	m, expireAt := &e.Meta, e.Meta.ExpireAt
	*m = format.Meta{}
	m.Type, m.Enc, m.ExpireAt, m.Inline = format.String, enc, expireAt, value
	if len(value) <= InlineString {
		return
	}
	e.Meta.Layout, e.Meta.Inline = format.Chunks, nil
	e.Meta.OID = tx.newOID(e.Slot)
	e.Meta.Bytes = uint64(len(value))
	e.Meta.Count = uint64(chunksOf(int64(len(value))))
	if tx.frozen == nil {
		tx.writes.reserve(len(value) + int(e.Meta.Count)*chunkOverhead)
	}
	for idx := int64(0); len(value) > 0; idx++ {
		n := min(ChunkSize, len(value))
		tx.putRow(tx.chunkKey(e, e.Meta.OID, idx), value[:n])
		value = value[n:]
	}
}

// appendRange appends bytes from ≤ i < to of a string to dst; 0 ≤ from ≤ to ≤ length.
func (tx *Tx) appendRange(dst []byte, e *Entry, from, to int64) ([]byte, error) {
	if e.Meta.Layout == format.Inline {
		return append(dst, e.Meta.Inline[from:to]...), nil
	}
	r, err := tx.readChunks(e, from, to)
	if err != nil {
		return dst, err
	}
	for from < to {
		idx := from / ChunkSize
		n := min((idx+1)*ChunkSize, to) - from
		row, err := r.chunk(idx)
		if err != nil {
			return dst, err
		}
		stored := row[min(from-idx*ChunkSize, int64(len(row))):]
		stored = stored[:min(n, int64(len(stored)))]
		dst = append(dst, stored...)
		dst = appendZeros(dst, int(n)-len(stored))
		from += n
	}
	return dst, r.close()
}

func appendZeros(dst []byte, n int) []byte {
	var zeros [512]byte
	for n > 0 {
		k := min(n, len(zeros))
		dst = append(dst, zeros[:k]...)
		n -= k
	}
	return dst
}

// stringBytes returns a whole string value.
func (tx *Tx) stringBytes(e *Entry) ([]byte, error) {
	if e.Meta.Layout == format.Inline {
		return e.Meta.Inline, nil
	}
	if err := tx.PatientFor(int64(e.Meta.Bytes)); err != nil {
		return nil, err
	}
	return tx.appendRange(make([]byte, 0, e.Meta.Bytes), e, 0, int64(e.Meta.Bytes))
}

// patchString writes data at offset into the string of e (or into no string, for a
// key that is not there), with zeros between its end and offset, and saves e. It
// touches only the chunks that data covers. The value is then encoded as enc.
func (tx *Tx) patchString(e *Entry, offset int64, data []byte, enc format.Enc) error {
	length, end := int64(0), offset+int64(len(data))
	if e.Live {
		length = stringLen(&e.Meta)
	}
	end = max(end, length)
	e.Meta.Type, e.Meta.Enc = format.String, enc
	if end <= InlineString { // then it was inline before
		build := appendZeros(append(tx.build[:0], e.Meta.Inline...), int(end-length))
		copy(build[offset:], data)
		tx.build, e.Meta.Inline = build, build
		tx.save(e)
		return nil
	}
	if e.Meta.Layout == format.Inline {
		e.Meta.Layout, e.Meta.OID = format.Chunks, tx.newOID(e.Slot)
		if len(e.Meta.Inline) > 0 {
			tx.putRow(tx.chunkKey(e, e.Meta.OID, 0), e.Meta.Inline)
		}
		e.Meta.Inline = nil
	}
	for len(data) > 0 {
		idx := offset / ChunkSize
		at := int(offset - idx*ChunkSize)
		n := min(ChunkSize-at, len(data))
		var row []byte
		if n < ChunkSize && idx < chunksOf(length) { // else nothing of it is kept
			var err error
			if row, _, err = tx.getRow(tx.chunkKey(e, e.Meta.OID, idx)); err != nil {
				return err
			}
		}
		build := append(tx.build[:0], row...)
		build = appendZeros(build, at+n-len(build))
		copy(build[at:], data[:n])
		tx.build = build
		tx.putRow(tx.chunkKey(e, e.Meta.OID, idx), build)
		data, offset = data[n:], offset+int64(n)
	}
	e.Meta.Bytes, e.Meta.Count = uint64(end), uint64(chunksOf(end))
	tx.save(e)
	return nil
}
