package storage

import "cobble/storage/format"

// note says what command some of a transaction's writes come from.
type note struct {
	first, end int // operations of the write set
	args       []string
}

// explain says that what was written since the mark is what the command does, as Redis would carry it out on the same
// value. It goes into the log with the record, for those who make commands of it: what the rows alone do not tell, which
// is where in a list something has changed, and that a value has got another name. Without a command the writes change
// no value.
func (tx *Tx) explain(mark int, args ...string) {
	for n := len(tx.notes); n > 0 && tx.notes[n-1].first >= mark; n = len(tx.notes) {
		tx.notes = tx.notes[:n-1] // a part of this
	}
	tx.notes = append(tx.notes, note{mark, tx.Mark(), args})
}

// appendNotes encodes what explain was told.
func (tx *Tx) appendNotes(dst []byte) []byte {
	dst = format.AppendNotesHeader(dst)
	for _, n := range tx.notes {
		dst = format.AppendNote(dst, n.first, n.end, n.args)
	}
	return dst
}
