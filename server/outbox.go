package server

import "cobble/server/resp"

// outbox holds the replies that a socket did not take, oldest first, in the pieces in
// which they were built.
type outbox struct {
	pieces [][]byte // none of them is empty
	size   int      // bytes
}

// take empties a writer, of which skip bytes are sent. What is large moves; the rest is
// copied, and the writer keeps its memory.
func (o *outbox) take(w *resp.Writer, skip int) {
	if w.Len()-skip <= maxUnsentCopy {
		for i := range w.Pieces() {
			piece := w.Piece(i)
			n := min(skip, len(piece))
			o.copy(piece[n:])
			skip -= n
		}
		w.Reset()
		return
	}
	for _, piece := range w.Detach() {
		n := min(skip, len(piece))
		if skip -= n; n < len(piece) {
			o.pieces = append(o.pieces, piece[n:])
			o.size += len(piece) - n
		}
	}
}

// copy adds a copy of b.
func (o *outbox) copy(b []byte) {
	if len(b) == 0 {
		return
	}
	if last := len(o.pieces) - 1; last >= 0 && len(o.pieces[last]) < maxUnsentCopy {
		o.pieces[last] = append(o.pieces[last], b...)
	} else {
		o.pieces = append(o.pieces, append([]byte(nil), b...))
	}
	o.size += len(b)
}

// first returns the oldest bytes, none if there are none.
func (o *outbox) first() []byte {
	if o.size == 0 {
		return nil
	}
	return o.pieces[0]
}

// drop forgets the first n bytes, which are all of one piece.
func (o *outbox) drop(n int) {
	o.size -= n
	switch {
	case n == 0:
	case o.size == 0:
		o.pieces = nil
	case n < len(o.pieces[0]):
		o.pieces[0] = o.pieces[0][n:]
	default:
		o.pieces[0] = nil
		o.pieces = o.pieces[1:]
	}
}
