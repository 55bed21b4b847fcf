package format

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

func sampleNotes() []byte {
	b := AppendNotesHeader(nil)
	b = AppendNote(b, 0, 2, []string{"RENAME", "a", "b"})
	b = AppendNote[string](b, 299, 300, nil)
	return AppendNote(b, 300, 301, []string{"LSET", "k", "0", ""})
}

func TestGoldenNotes(t *testing.T) {
	b := sampleNotes()
	want := "01" + "000203" + "0652454e414d45" + "0161" + "0162" + "ab020100" + "ac020104" + "044c534554" + "016b" + "0130" + "00"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	notes, err := DecodeNotes(b)
	if err != nil || len(notes) != 3 || notes[0].First != 0 || notes[0].End != 2 || notes[2].First != 300 || notes[2].End != 301 {
		t.Fatalf("%v, %v", notes, err)
	}
	if got := bytes.Join(notes[2].Args, []byte(" ")); string(got) != "LSET k 0 " {
		t.Errorf("%q", got)
	}
	if notes, err := DecodeNotes(nil); notes != nil || err != nil {
		t.Errorf("of nothing: %v, %v", notes, err)
	}
	for _, bad := range [][]byte{{2}, {1, 0}, {1, 0, 1, 1}, {1, 0, 1, 1, 5, 'a'}, {1, 0, 1, 200}, append(bytes.Clone(b), 1, 1, 1, 0)} {
		if notes, err := DecodeNotes(bad); err != ErrCorrupt {
			t.Errorf("%x: %v, %v", bad, notes, err)
		}
	}
}

func FuzzDecodeNotes(f *testing.F) {
	f.Add(sampleNotes())
	f.Fuzz(func(t *testing.T, b []byte) {
		notes, err := DecodeNotes(b)
		if err != nil || len(notes) == 0 {
			return
		}
		again := AppendNotesHeader(nil)
		for _, n := range notes {
			args := make([]string, len(n.Args))
			for i, arg := range n.Args {
				args[i] = string(arg)
			}
			again = AppendNote(again, n.First, n.End, args)
		}
		if second, err := DecodeNotes(again); err != nil || !reflect.DeepEqual(notes, second) {
			t.Fatalf("%v\n%v\n%v", err, notes, second)
		}
	})
}
