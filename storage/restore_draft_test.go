package storage

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cobble/slots"
	"cobble/storage/dump"
)

// longPayloads are values that are restored in pieces: of hashes, some whose fields expire, or have, or are wrong in the end.
func longPayloads() map[string][]byte {
	out := map[string][]byte{}
	const n = 1000
	set := dump.AppendLength([]byte{dump.TypeSet}, n)
	list := dump.AppendLength([]byte{dump.TypeList}, n)
	zset := dump.AppendLength([]byte{dump.TypeZSet}, n)
	hash := dump.AppendHash(nil, n, 0)
	expiring := dump.AppendHash(nil, n, testNow-5000)
	gone := dump.AppendHash(nil, n, testNow-5000)
	wrong := dump.AppendHash(nil, n, testNow+5000)
	for i := range n {
		name := fmt.Appendf(nil, "name-%04d", i)
		set = dump.AppendString(set, name)
		list = dump.AppendString(list, name)
		zset = dump.AppendScore(dump.AppendString(zset, name), float64(i*7919%n))
		hash = dump.AppendField(hash, name, name, 0, 0)
		at := []int64{0, testNow - 5000, testNow - 1, testNow + 1000 + int64(i)}[i%4]
		expiring = dump.AppendField(expiring, name, name, at, testNow-5000)
		gone = dump.AppendField(gone, name, name, testNow-5000+int64(i), testNow-5000)
		at = testNow + 5000
		if i == 900 {
			at = MaxFieldDeadline + 1
		}
		wrong = dump.AppendField(wrong, name, name, at, testNow+5000)
	}
	for name, b := range map[string][]byte{"set": set, "list": list, "zset": zset, "hash": hash, "expiring": expiring, "gone": gone, "wrong": wrong} {
		out[name] = dump.Seal(b, 0)
	}
	return out
}

// TestRestoreEndsHalfway: a draft of RESTORE leaves what the same in one record does, or nothing, whatever comes in between
// or is wrong with its payload; and holds no key in the end.
func TestRestoreEndsHalfway(t *testing.T) {
	all, slot, key := slots.Full(), slots.Of([]byte("{a}")), []byte("{a}to")
	blocked := func(e *Engine, op func(tx *Tx) error) {
		if _, err := e.TryUpdate(testNow, slot, OpFunc(op)); err != ErrWouldBlock {
			t.Errorf("the key is changed while it is restored: %v", err)
		}
	}
	ends := map[string]struct {
		f    func(e *Engine)
		want error
	}{
		"nothing":                 {func(e *Engine) {}, nil},
		"a follower":              {func(e *Engine) { e.SetFollower(true) }, ErrFollower},
		"a follower for a moment": {func(e *Engine) { e.SetFollower(true); e.SetFollower(false) }, nil},
		"a disk that is full":     {func(e *Engine) { e.full.Store(true) }, ErrDiskFull},
		"an engine to be closed":  {func(e *Engine) { e.EndDrafts() }, ErrClosed},
		"a slot that is emptied": {func(e *Engine) {
			if _, err := e.FlushSlots(testNow, all); err != nil {
				t.Error(err)
			}
		}, nil},
		"DEL": {func(e *Engine) {
			blocked(e, func(tx *Tx) error { _, err := tx.Delete(key); return err })
		}, nil},
		"RENAME": {func(e *Engine) {
			blocked(e, func(tx *Tx) error { _, err := tx.Rename([]byte("{a}other"), key, false); return err })
		}, nil},
		"a sweep": {func(e *Engine) { sweepAll(t, e) }, nil},
	}
	for kind, payload := range longPayloads() {
		restore := func(tx *Tx) error { return tx.Restore(key, payload, testNow+100_000, true) }
		plain := openTest(t, Options{Dir: t.TempDir(), Budget: 32 << 20, reserve: 256 << 20})
		_, wrong := inPieces(plain, []string{string(key)}, restore)
		want, wantRows := wholePayload(t, plain, string(key)), elementRows(t, plain, slot)
		plain.Close()
		for name, end := range ends {
			if name != "nothing" && kind != "expiring" && kind != "wrong" {
				continue
			}
			t.Run(kind+", "+name, func(t *testing.T) {
				e := openTest(t, draftOptions(t, mutants{}))
				defer e.Close()
				fillSet(t, e, string(key), 0, draftMembers)
				old := wholePayload(t, e, string(key))
				fillSet(t, e, "{a}other", 0, 3)
				during(e, 5, func() { end.f(e) })
				_, err := inPieces(e, []string{string(key)}, restore)
				if end.want == nil && !errors.Is(err, wrong) || !errors.Is(err, end.want) && end.want != nil {
					t.Fatal(err)
				}
				e.SetFollower(false)
				if len(e.holds.keys) != 0 || e.holds.count.Load() != 0 || e.drafts.count.Load() != 0 {
					t.Error("a key is held in the end")
				}
				want, rows := want, wantRows
				if err != nil && name != "a slot that is emptied" {
					want, rows = old, draftMembers
				}
				if got := wholePayload(t, e, string(key)); !bytes.Equal(got, want) {
					t.Errorf("a payload of %d bytes, want %d", len(got), len(want))
				}
				sweepAll(t, e)
				if got := wholePayload(t, e, string(key)); !bytes.Equal(got, want) {
					t.Errorf("%d bytes after a sweep, want %d", len(got), len(want))
				}
				if n := elementRows(t, e, slot); n != rows {
					t.Errorf("%d rows are left, want %d", n, rows)
				}
			})
		}
	}
}

// wholePayload is payloadOf, of a slot that is in order.
func wholePayload(t *testing.T, e *Engine, key string) []byte {
	t.Helper()
	_, err := e.View(testNow, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error { return recount(t, tx, slots.Of([]byte(key))) }))
	if err != nil {
		t.Fatal(err)
	}
	return payloadOf(t, e, key)
}
