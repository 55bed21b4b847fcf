package log

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// windowed fills a log of small segments on the real file system with records of many
// sizes, and returns what a process would find that is started after this one was killed.
func windowed(t *testing.T, m mutants) (want [][]byte, got [][]byte, err error) {
	t.Helper()
	dir := t.TempDir()
	o := Options{Dir: dir, SegmentBytes: 3 * windowBytes / 2, mutant: m}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for i, total := 0, 0; total < 5*windowBytes; i++ {
		size := []int{0, 10, 100, 5000, maxStored - 100, maxStored + 100, windowBytes + 5}[(i*i+i/7)%7]
		if size == windowBytes+5 && i%5 != 0 {
			size = 700
		}
		payload := bytes.Repeat([]byte{byte(i)}, size)
		lsn, err := l.Append(&Record{Kind: KindBatch, TimeMS: int64(i), Payload: payload})
		if err == nil {
			err = l.Wait(lsn, Written)
		}
		if err != nil {
			return nil, nil, err
		}
		want = append(want, payload)
		total += size
	}
	// The files as they are now: the page cache is all that a killed process leaves.
	left := t.TempDir()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name.Name(), spareSuffix) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(left, name.Name()), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	o.Dir, o.mutant = left, mutants{}
	l2, err := Open(o)
	if err != nil {
		return want, nil, err
	}
	defer l2.Close()
	for _, raw := range readAll(t, l2, 0) {
		var r Record
		if err := r.Decode(raw); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Payload)
	}
	return want, got, nil
}

func sameTexts(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// What was stored through the window is in the files without a write or a sync.
func TestWindowOutlivesTheProcess(t *testing.T) {
	want, got, err := windowed(t, mutants{})
	if err != nil || !sameTexts(want, got) {
		t.Fatalf("%d records, %d found (%v)", len(want), len(got), err)
	}
}

func TestWindowMutant(t *testing.T) {
	if want, got, err := windowed(t, mutants{windowStays: true}); err == nil && sameTexts(want, got) {
		t.Error("nobody noticed that records went to the segment before")
	}
	// A store behind the end of the file is a SIGBUS: it must stop the log, not the process.
	if _, _, err := windowed(t, mutants{windowBeyondEnd: true}); !errors.Is(err, ErrFailed) {
		t.Errorf("a store behind the end of the file: %v", err)
	}
}

// A file that is cut under the log fails it.
func TestWindowOfACutFile(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fill(t, l, 3)
	if err := os.Truncate(l.path(segmentName(0)), 0); err != nil {
		t.Fatal(err)
	}
	lsn, err := l.Append(&Record{Kind: KindNoop, TimeMS: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(lsn, Written); !errors.Is(err, ErrFailed) {
		t.Errorf("a record in a file that is gone: %v", err)
	}
}

// Other file systems are written to as ever.
func TestNoWindowElsewhere(t *testing.T) {
	l := mustOpen(t, smallOptions(vfs.NewMem()))
	fill(t, l, 3)
	if l.window.file != nil || !l.window.off {
		t.Error("a file in memory was mapped")
	}
}
