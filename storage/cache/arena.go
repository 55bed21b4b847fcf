package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	granule      = 8 // offsets count units of granule bytes
	segmentBytes = 64 << 10
	// maxReserve is what 32-bit offsets can address.
	maxReserve = int64(granule) << 32
	// One in so many segments that the table may fill is kept resident when it is free,
	// but no more than maxIdle.
	idleShare = 32
	maxIdle   = 64
	// One in so many segments of the address space is for dirty rows beyond the bound.
	dirtyShare = 8
)

type segmentState uint8

const (
	segmentFree  segmentState = iota
	segmentHead               // being filled
	segmentFull               // in the sweep queue
	segmentSwept              // a sweeper walks it
)

// segment is the bookkeeping of segmentBytes bytes of the arena. live is
// atomic; the rest belongs to arena.mu.
type segment struct {
	live       int32
	used       int32
	prev, next uint32
	state      segmentState
	queue      uint8 // that it stands in when it is full
	resident   bool  // it is free, and its pages were not given back
}

// queue is segments in the order in which they are swept, oldest first.
type queue struct {
	first, last uint32
	length      int
}

// arena is a log-structured store of entries: they are appended to head
// segments, and a segment is taken back when nothing in it is live. Whole
// segments are the unit of reclaim, so no size class can starve another one.
type arena struct {
	mem  []byte
	live atomic.Int64 // bytes of live entries
	used atomic.Int64 // segments that are not free
	idle atomic.Int64 // free segments that stay resident
	keep atomic.Int64 // how many may

	mu       sync.Mutex
	segments []segment
	usable   int64     // how many segments sweeps let be used, see newArena
	backing  []byte    // memory of segments, if it is not Go's
	heads    [3]uint32 // headWrite, headMove, headAdmit; 0 = none
	free     freeSegments
	next     uint32 // lowest segment that was never used
	queues   [2]queue
}

const (
	headWrite = 0 // entries of callers
	headMove  = 1 // entries that a sweep kept: apart, because they live longer
	headAdmit = 2 // entries that came from the store: most are never asked for again

	queueMain      = 0
	queueProbation = 1 // segments of headAdmit
	// probationShare is the part of the segments, 1/n, that rows from the store have
	// to themselves. Those that are used while they are there join the others; so a
	// stream of rows that are read once drives nothing else out. (The idea is S3-FIFO's:
	// Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.)
	probationShare = 10
)

// newArena reserves address space for reserve bytes. Memory becomes resident
// only where it is written.
func newArena(reserve int64) (*arena, error) {
	reserve = min(reserve, maxReserve)
	var mem []byte
	var err error
	for ; reserve >= 64*segmentBytes; reserve /= 2 {
		if mem, err = reserveMemory(reserve); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reserve address space for the row table: %w", err)
	}
	if mem == nil {
		return nil, errors.New("row table: reserve is too small")
	}
	segments, backing, err := reserveSegments(len(mem) / segmentBytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reserve address space for the row table: %w", err), unreserveMemory(mem))
	}
	a := &arena{
		mem:      mem,
		segments: segments,
		usable:   int64(len(segments)) - int64(len(segments)/dirtyShare),
		backing:  backing,
		next:     1, // segment 0 is never used, so that offset 0 means "none"
	}
	return a, nil
}

// keepIdle says how many bytes the table may fill.
func (a *arena) keepIdle(bytes int64) {
	a.keep.Store(min(max(bytes/segmentBytes/idleShare, 1), maxIdle))
}

func (a *arena) close() error {
	mem, backing := a.mem, a.backing
	a.mem, a.segments, a.backing = nil, nil, nil
	err := unreserveMemory(mem)
	if backing != nil {
		err = errors.Join(err, unix.Munmap(backing))
	}
	return err
}

func (a *arena) word(off uint32, i int) *uint32 {
	p := int64(off)*granule + int64(i)*4
	return (*uint32)(unsafe.Pointer(&a.mem[p]))
}

func (a *arena) bytes(off uint32, from, to int) []byte {
	p := int64(off) * granule
	return a.mem[p+int64(from) : p+int64(to) : p+int64(to)]
}

func segmentOf(off uint32) uint32 { return off / (segmentBytes / granule) }

// bump takes room for an entry that will have header h from a head; ok is false
// if the head is full and needs a new segment. Until the caller writes the
// header itself the entry counts as dead, so that a sweep can walk past it.
func (a *arena) bump(head int, h header) (off uint32, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bumpLocked(head, h)
}

func (a *arena) bumpLocked(head int, h header) (off uint32, ok bool) {
	size := h.size()
	id := a.heads[head]
	if id == 0 {
		return 0, false
	}
	s := &a.segments[id]
	if int(s.used)+size > segmentBytes {
		return 0, false
	}
	off = id*(segmentBytes/granule) + uint32(s.used)/granule
	s.used += int32(size)
	atomic.AddInt32(&s.live, int32(size))
	a.live.Add(int64(size))
	a.setHeader(off, h.withState(stateDead))
	return off, true
}

// grow gives head a fresh segment and takes room from it as bump does. It fails
// only when the address space is used up.
func (a *arena) grow(head int, h header) (off uint32, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if off, ok = a.bumpLocked(head, h); ok {
		return off, true // another caller was faster
	}
	var id uint32
	switch {
	case len(a.free) > 0:
		if id = a.free.take(); a.segments[id].resident {
			a.idle.Add(-1)
		}
	case int(a.next) < len(a.segments):
		id = a.next
		a.next++
	default:
		return 0, false
	}
	if old := a.heads[head]; old != 0 {
		a.retire(old)
	}
	a.segments[id] = segment{state: segmentHead}
	if head == headAdmit {
		a.segments[id].queue = queueProbation
	}
	a.used.Add(1)
	a.heads[head] = id
	return a.bumpLocked(head, h)
}

// retire ends the filling or the sweep of a segment: back to the free list if
// it is empty, else to the end of the sweep queue. Needs mu.
func (a *arena) retire(id uint32) {
	s := &a.segments[id]
	if atomic.LoadInt32(&s.live) == 0 {
		a.release(id)
		return
	}
	q := &a.queues[s.queue]
	s.state, s.prev, s.next = segmentFull, q.last, 0
	if q.last != 0 {
		a.segments[q.last].next = id
	} else {
		q.first = id
	}
	q.last = id
	q.length++
}

// unlink takes a full segment out of its sweep queue. Needs mu.
func (a *arena) unlink(id uint32) {
	s := &a.segments[id]
	q := &a.queues[s.queue]
	if s.prev != 0 {
		a.segments[s.prev].next = s.next
	} else {
		q.first = s.next
	}
	if s.next != 0 {
		a.segments[s.next].prev = s.prev
	} else {
		q.last = s.prev
	}
	q.length--
}

// release returns an empty segment that is in no list. Needs mu.
func (a *arena) release(id uint32) {
	used, keep := a.used.Add(-1), a.keep.Load()
	stays := a.idle.Load() < keep && int64(id) <= used+keep
	a.segments[id] = segment{resident: stays}
	a.free.add(id)
	if stays {
		a.idle.Add(1)
	} else {
		releaseMemory(a.mem[int64(id)*segmentBytes : int64(id+1)*segmentBytes])
	}
}

// drop forgets size live bytes at off.
func (a *arena) drop(off uint32, size int) {
	a.live.Add(int64(-size))
	id := segmentOf(off)
	s := &a.segments[id]
	if atomic.AddInt32(&s.live, int32(-size)) != 0 {
		return
	}
	a.mu.Lock()
	if s.state == segmentFull && atomic.LoadInt32(&s.live) == 0 {
		a.unlink(id)
		a.release(id)
	}
	a.mu.Unlock()
}

// oldest takes the segment to sweep next out of the queue; 0 if there is none.
// With emptiest it is the one with the fewest live bytes among the first eight.
func (a *arena) oldest(emptiest bool) (id uint32, used int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := &a.queues[queueMain]
	if p := &a.queues[queueProbation]; q.length == 0 || !emptiest && int64(p.length)*probationShare > a.used.Load() {
		q = p
	}
	id = q.first
	if id == 0 {
		return 0, 0
	}
	if emptiest {
		n := a.segments[id].next
		for i := 0; i < 7 && n != 0; i++ {
			if atomic.LoadInt32(&a.segments[n].live) < atomic.LoadInt32(&a.segments[id].live) {
				id = n
			}
			n = a.segments[n].next
		}
	}
	a.unlink(id)
	a.segments[id].state = segmentSwept
	return id, int(a.segments[id].used)
}

func (a *arena) swept(id uint32) {
	a.mu.Lock()
	a.retire(id)
	a.mu.Unlock()
}

// An entry:
//
//	word 0  state 2 | meta 1 | unlinked 1 | big 1 | klen 13 | vlen 14
//	word 1  clean: access word; dirty: new 1 | position in the slot's dirty list 31
//	key, value, zeros up to a multiple of 8
//
// vlen absentLen says that the row does not exist. An entry that is big holds
// the number of a row kept apart (uint32) in place of key and value.
const (
	headerBytes = 8
	maxKeyLen   = 1<<13 - 1
	absentLen   = 1<<14 - 1
	maxValueLen = absentLen - 1
	bigBytes    = headerBytes + 8

	newBit        = 1 << 31 // of word 1, see pin
	stateShift    = 30
	metaBit       = 1 << 29
	unlinkedBit   = 1 << 28
	bigBit        = 1 << 27
	keyShift      = 14
	keyMask       = maxKeyLen << keyShift
	valueMask     = 1<<14 - 1
	stateMask     = uint32(3) << stateShift
	stateClean    = 0
	stateDirty    = 1 // + generation parity: 1 or 2
	stateDead     = 3
	entryMaxBytes = 8<<10 + 512 // rows above are kept apart
)

type header uint32

func (h header) state() int     { return int(h >> stateShift) }
func (h header) dirty() bool    { return h.state() == stateDirty || h.state() == stateDirty+1 }
func (h header) meta() bool     { return h&metaBit != 0 }
func (h header) unlinked() bool { return h&unlinkedBit != 0 }
func (h header) big() bool      { return h&bigBit != 0 }
func (h header) absent() bool   { return h&valueMask == absentLen }
func (h header) klen() int      { return int(h&keyMask) >> keyShift }
func (h header) vlen() int {
	if h.absent() {
		return 0
	}
	return int(h & valueMask)
}

func (h header) size() int {
	if h.big() {
		return bigBytes
	}
	return entrySize(h.klen(), h.vlen())
}

func entrySize(klen, vlen int) int {
	return (headerBytes + klen + vlen + granule - 1) &^ (granule - 1)
}

func (h header) withState(s int) header { return h&^header(stateMask) | header(s)<<stateShift }

// position is where a dirty entry stands in its list.
func (a *arena) position(off uint32) uint32 { return *a.word(off, 1) &^ newBit }

func (a *arena) header(off uint32) header { return header(atomic.LoadUint32(a.word(off, 0))) }

func (a *arena) setHeader(off uint32, h header) { atomic.StoreUint32(a.word(off, 0), uint32(h)) }

func (a *arena) bigID(off uint32) uint32 {
	return binary.LittleEndian.Uint32(a.bytes(off, headerBytes, headerBytes+4))
}
