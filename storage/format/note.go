package format

import "encoding/binary"

// Notes are the cmd section of a log record: which of the record's operations are the work of what commands.
//
//	notes = version(1) note*
//	note  = first count args { length bytes }      uvarints
//
// first is the number of an operation of the write set, from 0; the count operations from there on do what the command
// does, whose args words follow; without a word they change nothing. Notes are in the order of first and do not overlap. Operations without a note explain
// themselves. Nobody needs notes to apply a record.

// AppendNotesHeader starts notes.
func AppendNotesHeader(dst []byte) []byte { return append(dst, Version) }

// AppendNote appends a note on the operations first ≤ i < end.
func AppendNote[T ~string | ~[]byte](dst []byte, first, end int, args []T) []byte {
	dst = appendNumbers(dst, uint64(first), uint64(end-first), uint64(len(args)))
	for _, arg := range args {
		dst = append(binary.AppendUvarint(dst, uint64(len(arg))), arg...)
	}
	return dst
}

// Note is a decoded note. Args alias what was decoded.
type Note struct {
	First, End int
	Args       [][]byte
}

// DecodeNotes reads notes; none of nothing.
func DecodeNotes(b []byte) ([]Note, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != Version {
		return nil, ErrCorrupt
	}
	b = b[1:]
	var notes []Note
	for at := uint64(0); len(b) > 0; {
		var head [3]uint64
		for i := range head {
			v, w := binary.Uvarint(b)
			if w <= 0 || v > 1<<31 {
				return nil, ErrCorrupt
			}
			head[i], b = v, b[w:]
		}
		if head[0] < at || head[2] > uint64(len(b)) {
			return nil, ErrCorrupt
		}
		at = head[0] + head[1]
		n := Note{First: int(head[0]), End: int(at)}
		for range head[2] {
			arg, rest, ok := cutCounted(b)
			if !ok {
				return nil, ErrCorrupt
			}
			n.Args, b = append(n.Args, arg), rest
		}
		notes = append(notes, n)
	}
	return notes, nil
}
