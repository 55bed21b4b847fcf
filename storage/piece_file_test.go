package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// loggedFile notes how long the writes to it are, and fails from a certain one on.
type loggedFile struct {
	vfs.File
	writes []int
	failAt int // 0: never
}

var errTestWrite = errors.New("this write fails")

func (f *loggedFile) Write(p []byte) (int, error) {
	if f.failAt > 0 && len(f.writes)+1 >= f.failAt {
		return 0, errTestWrite
	}
	f.writes = append(f.writes, len(p))
	return f.File.Write(p)
}

// A file is written in whole pieces from its beginning, the rest with the sync.
func TestPieceFile(t *testing.T) {
	fs := vfs.NewMem()
	raw, err := fs.Create("x", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	logged := &loggedFile{File: raw}
	f := &pieceFile{File: logged}
	rng := rand.New(rand.NewPCG(1, 1))
	var want []byte
	for len(want) < 3*filePiece {
		p := make([]byte, 1+rng.IntN(9000))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		want = append(want, p...)
		if n, err := f.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	read := func() []byte {
		r, err := fs.Open("x")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		info, err := r.Stat()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, info.Size())
		if _, err := r.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read(), want[:3*filePiece]) {
		t.Error("not just the whole pieces are written before the sync")
	}
	if err := f.SyncData(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(), want) {
		t.Error("a synced file is not what was written to it")
	}
	for i, n := range logged.writes[:len(logged.writes)-1] {
		if n != filePiece {
			t.Errorf("write %d has %d bytes", i, n)
		}
	}
	if _, err := f.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(), append(want, "end"...)) {
		t.Error("a closed file is not what was written to it")
	}
}

// A write that has failed is told of by everything that follows it.
func TestPieceFileFails(t *testing.T) {
	raw, err := vfs.NewMem().Create("x", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	f := &pieceFile{File: &loggedFile{File: raw, failAt: 2}}
	var failed error
	for range 3 {
		_, err := f.Write(make([]byte, filePiece))
		failed = errors.Join(failed, err)
	}
	if !errors.Is(failed, errTestWrite) {
		t.Error("a write did not fail")
	}
	_, stat := f.Stat()
	for name, err := range map[string]error{"Sync": f.Sync(), "SyncData": f.SyncData(), "Stat": stat, "Close": f.Close()} {
		if !errors.Is(err, errTestWrite) {
			t.Errorf("%s after a failed write: %v", name, err)
		}
	}
}

// endedFile counts its ends.
type endedFile struct {
	loggedFile
	closed int
}

func (f *endedFile) Close() error {
	f.closed++
	return f.File.Close()
}

// A file whose write has failed is closed, once: Pebble closes none that it cannot sync, and the space that a full disk
// lacks would stay with it.
func TestPieceFileFailedIsClosed(t *testing.T) {
	for failAt := 1; failAt <= 4; failAt++ {
		raw, err := vfs.NewMem().Create("x", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		file := &endedFile{loggedFile: loggedFile{File: raw, failAt: failAt}}
		w := objstorageprovider.NewFileWritable(vfs.NewSyncingFile(&pieceFile{File: file}, vfs.SyncingFileOptions{BytesPerSync: 4 << 10}))
		for range 3 * filePiece / 1000 {
			if err = w.Write(bytes.Repeat([]byte{1}, 1010)); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Finish()
		} else {
			w.Abort()
		}
		if (err == nil) != (failAt > 4) || file.closed != 1 {
			t.Errorf("write %d of 4 fails: closed %d times, %v", failAt, file.closed, err)
		}
	}
}
