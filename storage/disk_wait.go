package storage

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patientFS is the store's file system. Pebble 2.1 meets a full disk badly: a
// failed compaction is tried again at once, for ever, and a failed write of the
// MANIFEST ends the process. Here the first waits before its next error, longer
// each time, and the second until there is space. Neither wait holds a lock of
// Pebble that readers need. It also lets compactions rest, see pacing, and write
// in pieces.
type patientFS struct {
	vfs.FS
	closing <-chan struct{}
	pacing  *pacing
	streak  *atomic.Int32 // files in a row that could not be created for want of space
}

const (
	shortestWait = 100 * time.Millisecond
	longestWait  = 5 * time.Second
)

func newPatientFS(fs vfs.FS, closing <-chan struct{}, p *pacing) patientFS {
	return patientFS{fs, closing, p, new(atomic.Int32)}
}

// pause waits for d; false if the engine closes meanwhile.
func pause(d time.Duration, closing <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-closing:
		return false
	}
}

// Create implements vfs.FS.
func (fs patientFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	switch {
	case vfs.IsNoSpaceError(err):
		n := min(fs.streak.Add(1)-1, 10)
		pause(min(shortestWait<<n, longestWait), fs.closing)
		return nil, err
	case err != nil:
		return nil, err
	}
	fs.streak.Store(0)
	if strings.HasPrefix(fs.PathBase(name), "MANIFEST-") {
		f = patientFile{f, fs.closing}
	}
	if category == compactionCategory {
		f = &pieceFile{File: &pacedFile{File: f, pacing: fs.pacing, closing: fs.closing}}
	}
	return f, nil
}

// Unwrap implements vfs.FS.
func (fs patientFS) Unwrap() vfs.FS { return fs.FS }

// patientFile holds a write back until there is space for it. A failed sync is
// not tried again: nobody knows then what is on disk.
type patientFile struct {
	vfs.File
	closing <-chan struct{}
}

// Write implements vfs.File.
func (f patientFile) Write(p []byte) (int, error) {
	written := 0
	last := false
	for wait := shortestWait; ; wait = min(2*wait, longestWait) {
		n, err := f.File.Write(p[written:])
		written += n
		if !vfs.IsNoSpaceError(err) || last {
			return written, err
		}
		last = !pause(wait, f.closing) // one more attempt when the engine closes
	}
}
