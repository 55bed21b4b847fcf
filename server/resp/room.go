package resp

import "slices"

// Room is memory that a Reader or a Writer works in. A driver of many sessions lends rooms to those that have
// something to read or to say, and takes them back after each round: who is idle holds none.
type Room struct {
	buf   []byte
	out   [][]byte
	args  []span
	ready []span
}

// size is what the room takes, in bytes.
func (r *Room) size() int {
	const slice, pair = 24, 16
	return cap(r.buf) + cap(r.out)*slice + (cap(r.args)+cap(r.ready))*pair
}

// Rooms keeps rooms that nobody works in. One goroutine uses it; the zero value is ready.
type Rooms struct {
	readers, writers roomStack
	ends             roomStack // small ones, for beginnings of commands that wait for the rest
}

// roomStack gives the room that was used last, which is warm.
type roomStack struct {
	free  []Room
	held  int // bytes
	low   int // the fewest that were free since the last look
	given int // since the last look
}

// With every so many rooms that come back the stack drops those that were not needed meanwhile.
const roomLook = 1024

// keepRooms bounds the memory of each stack, in bytes.
const keepRooms = 8 << 20

// readRoom is the least that a reader is lent: a pipeline of 64 commands of 100 bytes takes 9 KB, and what does not
// come in one read costs a round, a send and a wake-up of the client of its own.
const readRoom = 32 << 10

func (s *roomStack) take() (r Room) {
	if n := len(s.free) - 1; n >= 0 {
		r, s.free[n] = s.free[n], Room{}
		s.free = s.free[:n]
		s.held -= r.size()
		s.low = min(s.low, n)
	}
	return r
}

func (s *roomStack) give(r Room) {
	if size := r.size(); size > 0 && s.held+size <= keepRooms {
		s.held += size
		s.free = append(s.free, r)
	}
	if s.given++; s.given >= roomLook {
		s.dropUnused()
	}
}

func (s *roomStack) dropUnused() {
	for i := range s.free[:s.low] {
		s.held -= s.free[i].size()
	}
	s.free = slices.Delete(s.free, 0, s.low)
	s.low, s.given = len(s.free), 0
}

// Lend gives the reader room, if it has none or only that of the beginning of a command.
func (p *Rooms) Lend(r *Reader) {
	pending := r.end - r.start
	if r.buf != nil && (len(r.buf) >= readRoom || pending > readRoom/2 || r.Ready() > 0 || r.failed != nil) {
		return
	}
	room := p.readers.take()
	if len(room.buf) < readRoom {
		room.buf = make([]byte, readRoom)
	}
	if r.buf != nil {
		copy(room.buf, r.buf[r.start:r.end])
		p.ends.give(Room{buf: r.buf})
		r.move(room.buf, pending)
		return
	}
	r.buf, r.out, r.args, r.ready = room.buf, room.out[:0], room.args[:0], room.ready[:0]
	r.next = 0
}

// Return takes the reader's room when no command in it is left. Nothing that Next has returned is valid any more. The
// beginning of a command stays, in a room that is not much larger.
func (p *Rooms) Return(r *Reader) {
	if r.Ready() > 0 || r.failed != nil || r.buf == nil {
		return
	}
	pending := r.end - r.start
	if pending > 0 || r.argc > 0 {
		if own := r.wanted(pending); len(r.buf) > 4*own {
			end := p.ends.take().buf
			if len(end) < own {
				end = make([]byte, own)
			}
			copy(end, r.buf[r.start:r.end])
			p.readers.give(Room{buf: r.buf})
			r.move(end, pending)
		}
		return
	}
	room := Room{buf: r.buf, out: r.out, args: r.args, ready: r.ready}
	if r.end == len(r.buf) && len(r.buf) < keepSpace { // who fills a room is given a larger one
		room.buf = make([]byte, min(4*len(r.buf), keepSpace))
	}
	r.buf, r.out, r.args, r.ready = nil, nil, nil, nil
	r.start, r.at, r.end, r.next = 0, 0, 0, 0
	p.readers.give(room)
}

// move puts the unread bytes, of which buf has a copy, to the beginning of buf.
func (r *Reader) move(buf []byte, pending int) {
	r.buf = buf
	r.at -= r.start
	r.start, r.end = 0, pending
}

// LendReply gives the writer room, if it has none.
func (p *Rooms) LendReply(w *Writer) {
	if cap(w.buf) == 0 && w.size == 0 {
		w.buf = p.writers.take().buf[:0]
	}
}

// ReturnReply takes the room of a writer that is empty.
func (p *Rooms) ReturnReply(w *Writer) {
	if w.Len() == 0 {
		p.writers.give(Room{buf: w.buf})
		w.buf = nil
	}
}
