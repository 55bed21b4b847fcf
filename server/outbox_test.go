package server

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"cobble/server/resp"
)

// What a socket does not take comes out of the outbox as it went in, whatever is small
// or large, and in whatever steps it is sent.
func TestOutbox(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var o outbox
	var want, got []byte
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for range 400 {
		switch rng.IntN(3) {
		case 0:
			var w resp.Writer
			for range rng.IntN(4) {
				w.Bulk(text[:rng.IntN(len(text))])
			}
			w.Raw(text[:rng.IntN(300)])
			skip := rng.IntN(w.Len() + 1)
			var all []byte
			for i := range w.Pieces() {
				all = append(all, w.Piece(i)...)
			}
			want = append(want, all[skip:]...)
			if o.take(&w, skip); w.Len() != 0 {
				t.Fatalf("%d bytes stay in the writer", w.Len())
			}
		case 1:
			n := rng.IntN(100)
			o.copy(text[:n])
			want = append(want, text[:n]...)
		default:
			for range rng.IntN(5) {
				first := o.first()
				n := rng.IntN(len(first) + 1)
				got = append(got, first[:n]...)
				o.drop(n)
			}
		}
		if o.size != len(want)-len(got) {
			t.Fatalf("it says that it holds %d bytes, not %d", o.size, len(want)-len(got))
		}
	}
	for o.size > 0 {
		first := o.first()
		got = append(got, first...)
		o.drop(len(first))
	}
	if !bytes.Equal(got, want) {
		t.Error("other bytes come out than went in")
	}
}
