package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cobble/slots"
	"cobble/storage/dump"
)

// A payload that repeats a field, or that is none, changes nothing.
func TestRestoreRefusals(t *testing.T) {
	e := openHashTest(t)
	twice := dump.AppendLength([]byte{dump.TypeHash}, 2)
	for range 2 {
		twice = dump.AppendString(dump.AppendString(twice, []byte("f")), []byte("v"))
	}
	many := dump.AppendLength([]byte{dump.TypeHash}, 1001)
	for i := range 1001 {
		many = dump.AppendString(dump.AppendString(many, fmt.Append(nil, "f", i%1000)), []byte("v"))
	}
	module := dump.AppendString([]byte{7}, []byte("a")) // RDB_TYPE_MODULE_2
	good := dump.Seal(dump.AppendString([]byte{dump.TypeString}, []byte("v")), 0)
	for name, c := range map[string]struct {
		payload []byte
		replace bool
		want    error
	}{
		"a field twice":           {dump.Seal(twice, 0), true, ErrBadValue},
		"a field twice, in rows":  {dump.Seal(many, 0), true, ErrBadValue},
		"no payload":              {[]byte("abc"), true, ErrBadPayload},
		"a module's value":        {dump.Seal(module, 0), true, ErrUnknownValue},
		"a key that is there":     {good, false, ErrBusyKey},
		"a checksum that is not ": {append(good[:len(good)-1:len(good)-1], 0), true, ErrBadPayload},
	} {
		update(t, e, "h", func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			if err == nil {
				_, err = h.Set([]byte("old"), []byte("value"))
			}
			h.Save()
			return err
		})
		before := e.Log().End()
		_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte("h"))}, OpFunc(func(tx *Tx) error {
			return tx.Restore([]byte("h"), c.payload, 0, c.replace)
		}))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if after := e.Log().End(); after != before {
			t.Errorf("%s: the log grew", name)
		}
		if got := hashTexts(t, e, "h"); fmt.Sprint(got) != "map[old:value]" {
			t.Errorf("%s: left %v", name, got)
		}
	}
	checkSlot(t, e, "h")
}

// What replaces a hash of rows leaves none of them, expired or not.
func TestRestoreReplacesRows(t *testing.T) {
	e := openHashTest(t)
	for _, fields := range []int{300, 600} {
		for _, at := range []int64{0, testNow - 1, testNow + 1000} {
			update(t, e, "h", func(tx *Tx) error {
				h, err := tx.Hash([]byte("h"))
				for i := 0; err == nil && i < fields; i++ {
					_, err = h.Set(fmt.Append(nil, "f", i), []byte(strings.Repeat("v", i)))
				}
				h.Save()
				return err
			})
			update(t, e, "h", func(tx *Tx) error {
				payload, _, _, err := tx.Dump(nil, []byte("h"))
				if err != nil {
					return err
				}
				return tx.Restore([]byte("h"), payload, at, true)
			})
			checkSlot(t, e, "h")
			want := fields
			if at == testNow-1 {
				want = 0
			}
			if got := hashTexts(t, e, "h"); len(got) != want {
				t.Errorf("%d fields to expire at %d: %d left", fields, at, len(got))
			}
			update(t, e, "h", func(tx *Tx) error { _, err := tx.Delete([]byte("h")); return err })
		}
	}
	checkSlot(t, e, "h")
}
