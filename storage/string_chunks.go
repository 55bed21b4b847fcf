package storage

import "cobble/storage/format"

// Up to this many chunks are read through the row table, where they stay; more are
// walked in the store, so that one long string does not push out everything else.
const tableChunks = 16

// chunkReader reads the chunks of one string in ascending order.
type chunkReader struct {
	tx    *Tx
	entry *Entry
	it    *rowIter // nil: through the row table, or inline
	valid bool     // it stands on a row
}

// readChunks prepares to read the chunks that hold bytes from ≤ i < to of a string,
// which may be no string at all.
func (tx *Tx) readChunks(e *Entry, from, to int64) (chunkReader, error) {
	r := chunkReader{tx: tx, entry: e}
	if e.Meta.Layout == format.Inline || from >= to {
		return r, nil
	}
	if err := tx.PatientFor(to - from); err != nil {
		return r, err
	}
	first, end := from/ChunkSize, chunksOf(min(to, int64(e.Meta.Bytes)))
	if end-first > tableChunks {
		lo := append([]byte(nil), tx.chunkKey(e, e.Meta.OID, first)...)
		r.it = tx.iter(lo, append([]byte(nil), tx.chunkKey(e, e.Meta.OID, end)...))
		r.valid = r.it.First()
		return r, nil
	}
	var cold error
	for idx := first; idx < end; idx++ { // ask for all before failing for one
		if _, _, err := tx.getRow(tx.chunkKey(e, e.Meta.OID, idx)); err == errCold {
			cold = err
		} else if err != nil {
			return r, err
		}
	}
	return r, cold
}

// chunk returns what is stored of chunk idx: it may be shorter than the string
// makes it, or absent. It is valid until the next call.
func (r *chunkReader) chunk(idx int64) ([]byte, error) {
	m := &r.entry.Meta
	if m.Layout == format.Inline {
		from := min(idx*ChunkSize, int64(len(m.Inline)))
		return m.Inline[from:min(from+ChunkSize, int64(len(m.Inline)))], nil
	}
	if idx >= chunksOf(int64(m.Bytes)) {
		return nil, nil
	}
	if r.it == nil {
		row, _, err := r.tx.getRow(r.tx.chunkKey(r.entry, m.OID, idx))
		return row, err
	}
	for ; r.valid; r.valid = r.it.Next() {
		key := r.it.Key()
		b := key[len(key)-4:]
		switch at := int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3]); {
		case at == idx:
			return r.it.Value(), nil
		case at > idx:
			return nil, nil
		}
	}
	return nil, nil // close reports an error of the iterator
}

func (r *chunkReader) close() error {
	if r.it == nil {
		return nil
	}
	return r.it.Close()
}
