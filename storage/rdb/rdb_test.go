package rdb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"cobble/storage/dump"
)

// golden is a file that redis-check-rdb 7.0.15 has passed.
func TestGoldenBytes(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, false)
	w.Aux("redis-ver", "7.2.4")
	w.Aux("redis-bits", "64")
	w.Function([]byte("#!lua name=l\n"))
	w.Database(3, 1)
	w.Whole([]byte("n"), 0, []byte{dump.TypeString, 0xC0, 10})
	w.Key([]byte("k"), 1<<40, dump.TypeSet)
	w.Length(1)
	w.String([]byte("member"))
	w.Key([]byte("z"), 0, dump.TypeZSet)
	w.Length(1)
	w.String([]byte("m"))
	w.Score(1.5)
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	want := "524544495330303130" + // magic
		"fa0972656469732d76657205372e322e34" + "fa0a72656469732d62697473c040" +
		"f50d23216c7561206e616d653d6c0a" + "fe00fb0301" +
		"00016ec00a" + "fc0000000000010000" + "02016b01066d656d626572" + "05017a01016d000000000000f83f" + "ff"
	got := hex.EncodeToString(out.Bytes())
	if body := got[:len(got)-16]; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if sum := got[len(got)-16:]; sum != "e31972b92a6defd7" {
		t.Errorf("checksum %s", sum)
	}
	if w.Bytes() != int64(out.Len()) {
		t.Errorf("%d bytes are said to be written, %d were", w.Bytes(), out.Len())
	}
}

// What is longer than the buffer goes past it, and the checksum is over all.
func TestLongStrings(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, false)
	w.Database(2, 0)
	long := []byte(strings.Repeat("x", 3*bufferBytes+1))
	w.Key([]byte("a"), 0, dump.TypeString)
	w.String(long)
	w.Key([]byte("b"), 0, dump.TypeString)
	w.String(long)
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	b := out.Bytes()
	if n := bytes.Count(b, long); n != 2 {
		t.Errorf("the string is there %d times", n)
	}
	var sum [8]byte
	for i, crc := 0, dump.Checksum(0, b[:len(b)-8]); i < 8; i++ {
		sum[i] = byte(crc >> (8 * i))
	}
	if !bytes.Equal(sum[:], b[len(b)-8:]) {
		t.Error("the checksum is another")
	}
}

type full struct{ room int }

var errFull = errors.New("full")

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestTheFirstErrorStays(t *testing.T) {
	w := NewWriter(&full{room: bufferBytes}, true)
	w.Database(1000, 0)
	for range 1000 {
		w.Key([]byte("k"), 0, dump.TypeString)
		w.String(make([]byte, 1000))
	}
	if w.Err() != errFull || w.End() != errFull {
		t.Errorf("%v, %v", w.Err(), w.End())
	}
}
