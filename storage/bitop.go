package storage

import "cobble/storage/format"

// BitOperation is what BITOP does to the bits at one position.
type BitOperation uint8

// The operations of BITOP.
const (
	BitAnd BitOperation = iota
	BitOr
	BitXor
	BitNot // of one source
	// Those of Redis 8.2, of the first source X and all others Y.
	BitDiff  // in X and in no Y
	BitDiff1 // in a Y and not in X
	BitAndOr // in X and in a Y
	BitOne   // in exactly one of all
)

// BitOp sets target to the combination of the source strings, the shorter ones
// padded with zeros, and returns its length. If that is 0 target is deleted.
func (tx *Tx) BitOp(op BitOperation, target []byte, sources [][]byte) (int64, error) {
	entries := make([]Entry, len(sources))
	length := int64(0)
	var cold error
	for i, key := range sources {
		var err error
		if entries[i], err = tx.LookupType(key, format.String); err == errCold {
			cold = err
		} else if err != nil {
			return 0, err
		}
		if i == 0 || !tx.engine.opts.mutant.bitOpFirst {
			length = max(length, stringLen(&entries[i].Meta))
		}
	}
	if cold != nil {
		return 0, cold
	}
	to, err := tx.Lookup(target)
	if err != nil {
		return 0, err
	}
	if length == 0 {
		tx.remove(&to)
		return 0, nil
	}
	to.Meta = format.Meta{Type: format.String, Enc: format.EncRaw}
	if length > InlineString {
		to.Meta.Layout, to.Meta.OID = format.Chunks, tx.newOID(to.Slot)
		to.Meta.Bytes, to.Meta.Count = uint64(length), uint64(chunksOf(length))
	}
	if err := tx.combine(op, &to, entries, length); err != nil {
		return 0, err
	}
	tx.save(&to)
	return length, nil
}

// combine builds the result chunk by chunk.
func (tx *Tx) combine(op BitOperation, to *Entry, entries []Entry, length int64) (err error) {
	readers := make([]chunkReader, len(entries))
	defer func() {
		for i := range readers {
			if e := readers[i].close(); err == nil {
				err = e
			}
		}
	}()
	var cold error
	for i := range entries {
		if readers[i], err = tx.readChunks(&entries[i], 0, length); err == errCold {
			cold = err
		} else if err != nil {
			return err
		}
	}
	if cold != nil {
		return cold
	}
	for idx := range chunksOf(length) {
		n := int(min(ChunkSize, length-idx*ChunkSize))
		build := appendZeros(tx.build[:0], n)
		tx.build = build
		var others []byte
		if op >= BitDiff {
			others = make([]byte, n)
		}
		for i := range readers {
			row, err := readers[i].chunk(idx)
			switch {
			case err != nil:
				return err
			case op == BitOne:
				countChunk(build, others, row)
			case op >= BitDiff && i > 0:
				combineChunk(BitOr, others, row, false)
			default:
				combineChunk(op, build, row, i == 0)
			}
		}
		if op >= BitDiff {
			finishChunk(op, build, others)
		}
		if to.Meta.Layout == format.Inline {
			to.Meta.Inline = build
		} else if !allZero(build) {
			tx.putRow(tx.chunkKey(to, to.Meta.OID, idx), build)
		}
	}
	return nil
}

// combineChunk combines dst with a source that may be shorter.
func combineChunk(op BitOperation, dst, source []byte, first bool) {
	source = source[:min(len(source), len(dst))]
	switch {
	case op == BitNot:
		copy(dst, source)
		for i := range dst {
			dst[i] = ^dst[i]
		}
	case first:
		copy(dst, source)
	case op == BitAnd:
		for i, c := range source {
			dst[i] &= c
		}
		clear(dst[len(source):])
	case op == BitOr:
		for i, c := range source {
			dst[i] |= c
		}
	case op == BitXor:
		for i, c := range source {
			dst[i] ^= c
		}
	}
}

// countChunk counts a source: bits that one had are in once or, if others had them
// too, in more as well.
func countChunk(once, more, source []byte) {
	for i, c := range source[:min(len(source), len(once))] {
		more[i] |= once[i] & c
		once[i] |= c
	}
}

// finishChunk makes the result in dst of what it holds of the first source, or of
// BitOne of all, and of the others.
func finishChunk(op BitOperation, dst, others []byte) {
	for i, y := range others {
		switch op {
		case BitDiff, BitOne:
			dst[i] &^= y
		case BitDiff1:
			dst[i] = y &^ dst[i]
		case BitAndOr:
			dst[i] &= y
		}
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
