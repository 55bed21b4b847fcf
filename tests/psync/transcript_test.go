package psync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/effect"
	"cobble/storage/format"
	"cobble/storage/log"
)

const transcriptTime = 1_700_000_000_000

// store is one whose log is read.
type store struct {
	*storage.Engine
	t      *testing.T
	reader *log.Reader
	tr     *effect.Translator
}

func newStore(t *testing.T) *store {
	t.Helper()
	e, err := storage.Open(storage.Options{Dir: t.TempDir(), Now: func() time.Time { return time.UnixMilli(transcriptTime) }, Logf: t.Logf, OnFatal: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	p := &store{Engine: e, t: t}
	if p.reader, err = e.Log().NewReader(e.Log().End()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.reader.Close)
	p.tr, err = effect.New("functions", codes, func(slots.Slot) (int64, uint64, error) { return 0, 0, nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func codes(value []byte) (out []string, err error) {
	if value != nil {
		err = json.Unmarshal(value, &out)
	}
	return out, err
}

// do runs one transaction on the slot of "k".
func (p *store) do(f func(tx *storage.Tx) error) {
	p.t.Helper()
	lsn, err := p.Update(transcriptTime, []slots.Slot{slots.Of([]byte("k"))}, storage.OpFunc(f))
	if err == nil {
		err = p.Await(lsn)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// said is what the records since the last call did, a command a line.
func (p *store) said() (string, error) {
	p.t.Helper()
	var out []byte
	if err := p.Log().Wait(p.Log().End(), log.Written); err != nil {
		p.t.Fatal(err)
	}
	for p.reader.Position() < p.Log().End() {
		e, err := p.reader.Next(context.Background())
		if err != nil {
			p.t.Fatal(err)
		}
		if out, err = p.tr.Append(out, &e.Record); err != nil {
			return "", err
		}
	}
	return commandLines(p.t, out), nil
}

// commandLines shows commands; long words are cut.
func commandLines(t testing.TB, b []byte) string {
	t.Helper()
	var out strings.Builder
	number := func(mark byte) int {
		head, rest, ok := strings.Cut(string(b), "\r\n")
		if !ok || head[0] != mark {
			t.Fatalf("not %q: %.40q", mark, b)
		}
		n, err := strconv.Atoi(head[1:])
		if err != nil {
			t.Fatal(err)
		}
		b = []byte(rest)
		return n
	}
	for len(b) > 0 {
		words := make([]string, number('*'))
		for i := range words {
			n := number('$')
			if words[i] = string(b[:n]); n > 15 {
				words[i] = fmt.Sprintf("<%d bytes>", n)
			}
			if string(b[n:n+2]) != "\r\n" {
				t.Fatalf("a word without an end: %.40q", b)
			}
			b = b[n+2:]
		}
		fmt.Fprintln(&out, strings.Join(words, " "))
	}
	return strings.TrimSpace(out.String())
}

func keyOf(s string) []byte { return []byte("{k}" + s) }

func numbered(n int, prefix string) (out [][]byte) {
	for i := range n {
		out = append(out, fmt.Append(nil, prefix, i))
	}
	return out
}

func stringOp(name, value string, o storage.SetOptions) func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error { _, err := tx.StringSet(keyOf(name), []byte(value), o); return err }
}

// listOp changes a list and saves it.
func listOp(name string, f func(l *storage.List) error) func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error {
		l, err := tx.List(keyOf(name))
		if err == nil {
			err = f(&l)
		}
		if err == nil {
			l.Save()
		}
		return err
	}
}

func hashOp(name string, f func(h *storage.Hash) error) func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error {
		h, err := tx.Hash(keyOf(name))
		if err == nil {
			err = f(&h)
		}
		if err == nil {
			h.Save()
		}
		return err
	}
}

// What is said of changes, value by value: the transcript is the format.
func TestTranscript(t *testing.T) {
	p := newStore(t)
	both := func(fs ...func(tx *storage.Tx) error) func(tx *storage.Tx) error {
		return func(tx *storage.Tx) error {
			for _, f := range fs {
				if err := f(tx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	push := func(end storage.End, values ...string) func(l *storage.List) error {
		return func(l *storage.List) error {
			for _, v := range values {
				if err := l.Push(end, []byte(v)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	pop := func(end storage.End, n int64) func(l *storage.List) error {
		return func(l *storage.List) error { return l.Pop(end, n, func([]byte) {}) }
	}
	for _, c := range []struct {
		name string
		do   func(tx *storage.Tx) error
		want string
	}{
		{"a string", stringOp("a", "v", storage.SetOptions{}), "SET {k}a v"},
		{"with expiry", stringOp("a", "v", storage.SetOptions{ExpireAt: transcriptTime + 5}), "SET {k}a v PXAT 1700000000005"},
		{"two in one", both(stringOp("a", "1", storage.SetOptions{}), stringOp("b", "2", storage.SetOptions{})), "MULTI\nSET {k}a 1\nSET {k}b 2\nEXEC"},
		{"deleted", func(tx *storage.Tx) error { _, err := tx.Delete(keyOf("a")); return err }, "DEL {k}a"},
		{"a long string", stringOp("s", strings.Repeat("x", 20_000), storage.SetOptions{}), "MULTI\nDEL {k}s\nSETRANGE {k}s 0 <20000 bytes>\nEXEC"},
		{"appended to", func(tx *storage.Tx) error { _, err := tx.StringAppend(keyOf("s"), []byte("end")); return err }, "SETRANGE {k}s 16384 <3619 bytes>"},
		{"beyond its end", func(tx *storage.Tx) error { _, err := tx.StringSetRange(keyOf("s"), 50_000, []byte("z")); return err }, "SETRANGE {k}s 49152 <849 bytes>"},
		{"a small list", listOp("l", push(storage.Tail, "a", "b")), "RESTORE {k}l 0 <16 bytes> REPLACE"},
		{"a long list", listOp("l", func(l *storage.List) error { return l.Push(storage.Tail, numbered(200, "v")...) }), "a list"},
		{"pushed on both sides", both(listOp("l", push(storage.Tail, "y", "z")), listOp("l", push(storage.Head, "w", "x"))), "MULTI\nRPUSH {k}l y z\nLPUSH {k}l w x\nEXEC"},
		{"popped and pushed at once", listOp("l", func(l *storage.List) error {
			return errors.Join(pop(storage.Head, 2)(l), push(storage.Head, "h")(l), pop(storage.Tail, 1)(l), push(storage.Tail, "t")(l))
		}), "MULTI\nLPOP {k}l 2\nRPOP {k}l 1\nLPUSH {k}l h\nRPUSH {k}l t\nEXEC"},
		{"set in the middle", listOp("l", func(l *storage.List) error { _, err := l.Set(7, []byte("new")); return err }), "LSET {k}l 7 new"},
		{"inserted", listOp("l", func(l *storage.List) error { _, err := l.Insert([]byte("v50"), []byte("i"), true); return err }), "LINSERT {k}l BEFORE v50 i"},
		{"removed", listOp("l", func(l *storage.List) error { _, err := l.Remove([]byte("v60"), -3); return err }), "LREM {k}l -1 v60"},
		{"removed between pushes", both(listOp("l", push(storage.Tail, "1")), listOp("l", func(l *storage.List) error { _, err := l.Remove([]byte("v70"), 0); return err }), listOp("l", push(storage.Tail, "2"))),
			"MULTI\nRPUSH {k}l 1\nLREM {k}l 1 v70\nRPUSH {k}l 2\nEXEC"},
		{"renamed", func(tx *storage.Tx) error { _, err := tx.Rename(keyOf("l"), keyOf("m"), false); return err }, "RENAME {k}l {k}m"},
		{"gone", listOp("m", func(l *storage.List) error { return l.Trim(1, 0) }), "DEL {k}m"},
		{"a long hash", hashOp("h", func(h *storage.Hash) error {
			for _, f := range numbered(130, "f") {
				if _, err := h.Set(f, []byte("v")); err != nil {
					return err
				}
			}
			return nil
		}), "a hash"},
		{"fields set and deleted", hashOp("h", func(h *storage.Hash) error {
			_, e1 := h.Delete([]byte("f1"))
			_, e2 := h.Set([]byte("f2"), []byte("w"))
			_, e3 := h.Delete([]byte("f3"))
			_, e4 := h.Set([]byte("f3"), []byte("again"))
			return errors.Join(e1, e2, e3, e4)
		}), "MULTI\nHSET {k}h f2 w f3 again\nHDEL {k}h f1\nEXEC"},
		{"with expiry", func(tx *storage.Tx) error {
			_, err := tx.Expire(keyOf("h"), transcriptTime+9, storage.ExpireAlways)
			return err
		}, "PEXPIREAT {k}h 1700000000009"},
		{"without it again", func(tx *storage.Tx) error { _, err := tx.Persist(keyOf("h")); return err }, "PERSIST {k}h"},
		{"copied", func(tx *storage.Tx) error { _, err := tx.Copy(keyOf("h"), keyOf("c"), false); return err }, "a hash"},
		{"deleted after a change", both(hashOp("h", func(h *storage.Hash) error { _, err := h.Set([]byte("f"), []byte("v")); return err }), func(tx *storage.Tx) error {
			_, err := tx.Delete(keyOf("h"))
			return err
		}), "MULTI\nHSET {k}h f v\nDEL {k}h\nEXEC"},
	} {
		p.do(c.do)
		got, err := p.said()
		switch {
		case err != nil:
			t.Fatalf("%s: %v", c.name, err)
		case strings.HasPrefix(c.want, "a "):
			first, rest, _ := strings.Cut(got, "\n")
			if first != "MULTI" || !strings.HasPrefix(rest, "DEL {k}") || strings.Count(got, "\n") != 3 {
				t.Errorf("%s: %.200s", c.name, got)
			}
		case got != c.want:
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestStreamTranscript(t *testing.T) {
	p := newStore(t)
	stream := func(f func(s *storage.Stream) error) func(tx *storage.Tx) error {
		return func(tx *storage.Tx) error {
			s, err := tx.Stream(keyOf("x"))
			if err == nil {
				err = f(s)
			}
			if err == nil {
				s.Create()
				s.Save()
			}
			return err
		}
	}
	id := func(n uint64) storage.StreamID { return storage.StreamID{MS: n} }
	fields := [][]byte{[]byte("f"), []byte("v")}
	for _, c := range []struct {
		name string
		do   func(s *storage.Stream) error
		want string
	}{
		{"new", func(s *storage.Stream) error { s.Add(id(1), fields); return nil }, "RESTORE {k}x 0 <73 bytes> REPLACE"},
		{"more", func(s *storage.Stream) error { s.Add(id(2), fields); s.Add(id(3), fields); return nil }, "MULTI\nXADD {k}x 2-0 f v\nXADD {k}x 3-0 f v\nEXEC"},
		{"a group", func(s *storage.Stream) error { s.AddGroup([]byte("g"), id(0), 0); return nil }, "XGROUP CREATE {k}x g 0-0 ENTRIESREAD 0"},
		{"a delivery", func(s *storage.Stream) error {
			g, _, err := s.Group([]byte("g"))
			c := g.AddConsumer([]byte("c"), transcriptTime)
			for _, n := range []uint64{1, 2} {
				pending := storage.Pending{ID: id(n)}
				pending.CID, pending.Time, pending.Count = c.CID, transcriptTime, 1
				g.Give(pending, 0, false)
			}
			g.Last = id(2)
			c.Save()
			g.Save()
			return err
		}, "MULTI\nXGROUP SETID {k}x g 2-0 ENTRIESREAD 0\nXCLAIM {k}x g c 0 1-0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID\nEXEC"},
		{"deleted and trimmed", func(s *storage.Stream) error {
			_, e1 := s.Delete(id(2))
			_, e2 := s.Trim(1, id(3))
			return errors.Join(e1, e2)
		}, "MULTI\nXTRIM {k}x MINID 3-0\nXSETID {k}x 3-0 ENTRIESADDED 3 MAXDELETEDID 2-0\nEXEC"},
		{"set", func(s *storage.Stream) error { return s.Set(id(9), id(2), 20) }, "XSETID {k}x 9-0 ENTRIESADDED 20 MAXDELETEDID 2-0"},
		{"trimmed at once", func(s *storage.Stream) error {
			for n := range uint64(1100) {
				s.Add(id(10+n), fields)
			}
			_, err := s.Trim(1099, format.MaxStreamID)
			return err
		}, "MULTI\n<1100 XADD>\nXTRIM {k}x MINID 1108-0\nXSETID {k}x 1109-0 ENTRIESADDED 1120 MAXDELETEDID 2-0\nEXEC"},
		{"to nothing", func(s *storage.Stream) error {
			for n := range uint64(1100) {
				s.Add(id(6000+n), fields)
			}
			_, err := s.Trim(1<<62, format.MaxStreamID)
			return err
		}, "MULTI\n<1100 XADD>\nXTRIM {k}x MAXLEN 0\nXSETID {k}x 7099-0 ENTRIESADDED 2220 MAXDELETEDID 2-0\nEXEC"},
		{"and back", func(s *storage.Stream) error { return s.Set(id(3), id(2), 20) }, "RESTORE {k}x 0 <121 bytes> REPLACE"},
		{"and back before what was deleted", func(s *storage.Stream) error { return s.Set(id(1), id(2), 20) }, "RESTORE {k}x 0 <121 bytes> REPLACE"},
		{"set there", func(s *storage.Stream) error { return s.Set(storage.StreamID{MS: 1, Seq: 5}, id(2), 21) }, "XSETID {k}x 1-5 ENTRIESADDED 21"},
	} {
		p.do(stream(c.do))
		got, err := p.said()
		if adds := "XADD {k}x "; strings.Count(got, adds) == 1100 {
			from, to := strings.Index(got, adds), strings.LastIndex(got, adds)
			got = got[:from] + "<1100 XADD>" + got[to+strings.Index(got[to:], "\n"):]
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %v, got\n%.500s\nwant\n%s", c.name, err, got, c.want)
		}
	}
	all := slots.Full() // what is swept is nothing to a follower
	for more := true; more; {
		var err error
		if more, err = p.CollectGarbage(transcriptTime, &all); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.said(); err != nil || got != "" {
		t.Errorf("swept: %v, %s", err, got)
	}
}

// Functions and whole slots.
func TestOtherTranscripts(t *testing.T) {
	p := newStore(t)
	shared := func(value string) string {
		t.Helper()
		var v []byte
		if value != "" {
			v = []byte(value)
		}
		if _, err := p.SetShared(transcriptTime, "functions", v); err != nil {
			t.Fatal(err)
		}
		got, err := p.said()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := shared(`["#!lua name=a\n"]`); !strings.HasPrefix(got, "FUNCTION RESTORE ") || !strings.HasSuffix(got, " FLUSH") {
		t.Errorf("a library: %s", got)
	}
	if got := shared(""); got != "FUNCTION FLUSH" {
		t.Errorf("none: %s", got)
	}
	flush := func(s ...slots.Slot) (string, error) {
		t.Helper()
		var set slots.Set
		for _, one := range s {
			set.Add(one)
		}
		if len(s) == 0 {
			set = slots.Full()
		}
		if _, err := p.FlushSlots(transcriptTime, set); err != nil {
			t.Fatal(err)
		}
		return p.said()
	}
	p.do(stringOp("a", "v", storage.SetOptions{}))
	if got, err := flush(); err != nil || got != "SET {k}a v\nFLUSHALL" {
		t.Errorf("everything: %s, %v", got, err)
	}
	if got, err := flush(7); err != nil || got != "" {
		t.Errorf("an empty slot: %s, %v", got, err)
	}
	p.do(stringOp("a", "v", storage.SetOptions{}))
	other := []slots.Slot{slots.Of([]byte("other"))}
	if _, err := p.Update(transcriptTime, other, storage.OpFunc(func(tx *storage.Tx) error {
		_, err := tx.StringSet([]byte("other"), []byte("v"), storage.SetOptions{})
		return err
	})); err != nil {
		t.Fatal(err)
	}
	if got, err := flush(other...); !errors.Is(err, effect.ErrResync) {
		t.Errorf("one slot of two: %s, %v", got, err)
	}
}
