package storage

import (
	"strconv"

	"cobble/storage/format"
)

// note says what command some of a transaction's writes come from.
type note struct {
	first, end int // operations of the write set
	at         int // where its text begins in Tx.noteText
}

// explain says that what was written since the mark is what the command does, as Redis would carry it out on the same
// value. It goes into the log with the record, for those who make commands of it: what the rows alone do not tell, which
// is where in a list something has changed, and that a value has got another name. Without a command the writes change
// no value.
func (tx *Tx) explain(mark int, args ...[]byte) {
	if tx.frozen != nil && mark == tx.Mark() {
		return // what was written is in pieces
	}
	for n := len(tx.notes); n > 0 && tx.notes[n-1].first >= mark; n = len(tx.notes) {
		tx.forgetNotes(n - 1) // a part of this
	}
	if len(tx.notes) == 0 {
		tx.noteText = format.AppendNotesHeader(tx.noteText[:0])
	}
	tx.notes = append(tx.notes, note{mark, tx.Mark(), len(tx.noteText)})
	tx.noteText = format.AppendNote(tx.noteText, mark, tx.Mark(), args)
}

// forgetNotes keeps the first n of what explain was told.
func (tx *Tx) forgetNotes(n int) {
	if n < len(tx.notes) {
		tx.noteText = tx.noteText[:tx.notes[n].at]
		tx.notes = tx.notes[:n]
	}
}

func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
