package psync

import (
	"sync"

	"cobble/storage"
)

// backlog keeps the last bytes of a stream, for a follower that comes back.
type backlog struct {
	buf []byte
	at  int // where the oldest byte is, once buf is full
}

// add adds bytes, and keeps up to size in all.
func (b *backlog) add(p []byte, size int64) {
	if int64(len(p)) >= size {
		b.buf, b.at = append(b.buf[:0], p[int64(len(p))-size:]...), 0
		return
	}
	if int64(cap(b.buf)) != size && int64(len(b.buf))+int64(len(p)) > int64(cap(b.buf)) {
		held := b.last(min(int64(len(b.buf)), size-int64(len(p))))
		room := min(size, max(2*int64(cap(b.buf)), int64(len(held)+len(p)), 4<<10))
		b.buf, b.at = append(make([]byte, 0, room), held...), 0
	}
	n := min(len(p), cap(b.buf)-len(b.buf))
	b.buf, p = append(b.buf, p[:n]...), p[n:]
	for len(p) > 0 {
		n := copy(b.buf[b.at:], p)
		b.at, p = (b.at+n)%len(b.buf), p[n:]
	}
}

// last returns a copy of the last n bytes, which it has.
func (b *backlog) last(n int64) []byte {
	out := make([]byte, 0, len(b.buf))
	out = append(append(out, b.buf[b.at:]...), b.buf[:b.at]...)
	return out[int64(len(out))-n:]
}

// marks are points of a stream: offsets, and how far in the log a follower is that has everything before them.
type marks struct {
	mu  sync.Mutex
	all []mark
}

type mark struct {
	offset int64
	lsn    storage.LSN
}

// maxMarks is how many points are kept of a follower that does not acknowledge: then only the last moves on.
const maxMarks = 4096

func (m *marks) add(offset int64, lsn storage.LSN) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.all); n > 0 && (n == maxMarks || m.all[n-1].offset == offset) {
		m.all[n-1] = mark{offset, lsn}
		return
	}
	m.all = append(m.all, mark{offset, lsn})
}

// upTo returns how far in the log a follower is that has acknowledged an offset, and forgets the points before it.
func (m *marks) upTo(offset int64) (lsn storage.LSN, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < len(m.all) && m.all[n].offset <= offset {
		lsn, ok = m.all[n].lsn, true
		n++
	}
	m.all = append(m.all[:0], m.all[n:]...)
	return lsn, ok
}
