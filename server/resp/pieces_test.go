package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Replies that are built in pieces are those that one buffer would hold, whatever is
// taken back and put before them; no piece is much larger than it has to be.
func TestRepliesInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	text := bytes.Repeat([]byte("0123456789abcdef"), 3*pieceBytes/16)
	for range 8 {
		var w Writer
		var want []byte
		for range 30 {
			at := rng.IntN(len(want) + 1)
			switch rng.IntN(9) {
			case 0:
				w.CutTo(at)
				want = want[:at]
			case 1:
				w.ArrayAt(at, 7)
				want = slices.Insert(want, at, []byte("*7\r\n")...)
			case 2:
				w.SetSince(at, 12)
				want = slices.Insert(want, at, []byte("*12\r\n")...)
			case 3:
				n := rng.IntN(3 * pieceBytes)
				if err := w.BulkOf(n, func(dst []byte) ([]byte, error) { return append(dst, text[:n]...), nil }); err != nil {
					t.Fatal(err)
				}
				want = fmt.Appendf(want, "$%d\r\n%s\r\n", n, text[:n])
			case 4:
				w.Int(5)
				want = append(want, ":5\r\n"...)
			case 5:
				w.Raw(text[:1000])
				want = append(want, text[:1000]...)
			default:
				n := rng.IntN(pieceBytes / 2)
				w.Bulk(text[:n])
				want = fmt.Appendf(want, "$%d\r\n%s\r\n", n, text[:n])
			}
			if from := rng.IntN(len(want) + 1); at%4 == 0 && !bytes.Equal(w.Since(from), want[from:]) {
				t.Fatalf("what was written since %d bytes is not what was written", from)
			}
			if w.Len() != len(want) {
				t.Fatalf("%d bytes, not %d", w.Len(), len(want))
			}
		}
		var got []byte
		for i := range w.Pieces() {
			got = append(got, w.Piece(i)...)
		}
		if !bytes.Equal(got, want) || !bytes.Equal(w.Bytes(), want) {
			t.Fatalf("%d bytes differ from what was written", len(got))
		}
		if w.Pieces() != 1 {
			t.Errorf("the replies are asked for in one piece and stay in %d", w.Pieces())
		}
	}
}

// A long reply is not copied while it grows: it takes hardly more memory than it has bytes.
func TestLongReplyIsNotCopied(t *testing.T) {
	var w Writer
	value := bytes.Repeat([]byte("v"), 100)
	for w.Len() < 64<<20 {
		w.Bulk(value)
	}
	room := 0
	for i := range w.Pieces() {
		room += cap(w.Piece(i))
		if n := len(w.Piece(i)); n > pieceBytes+len(value)+16 {
			t.Errorf("a piece has %d bytes", n)
		}
	}
	if room > w.Len()+w.Len()/4 {
		t.Errorf("%d bytes take %d", w.Len(), room)
	}
	w.Bulk(bytes.Repeat(value, pieceBytes/50))
	for range 10 { // more than there is room for behind it
		w.OK()
		w.Null()
		w.Error("ERR no")
		w.Status("QUEUED")
		w.Bool(true)
	}
	if n := len(w.Piece(w.Pieces() - 1)); n > 1000 {
		t.Errorf("small replies behind a large one are in a piece of %d bytes", n)
	}
	n, pieces := w.Len(), w.Detach()
	for _, piece := range pieces {
		n -= len(piece)
	}
	if n != 0 || w.Len() != 0 || w.Pieces() != 1 {
		t.Errorf("%d bytes are missing from what was detached, %d are left", n, w.Len())
	}
	w.Bulk(bytes.Repeat(value, pieceBytes/50))
	w.Int(1)
	if w.Reset(); w.Len() != 0 || w.Pieces() != 1 || w.Given() < pieceBytes {
		t.Errorf("an emptied writer has %d bytes in %d pieces", w.Len(), w.Pieces())
	}
}
