package driver

import "sync"

// queue holds the frames that wait for one peer, in two classes: control
// (messages of the machine, pings) always goes first, bulk (casts) has what is
// left of the connection.
//
// Bounds and outcomes: when control is full its oldest frame is dropped, since
// what is said later supersedes it and a peer that far behind is as good as
// gone; when bulk is full the new frame is dropped, as for any at-most-once
// publication.
type queue struct {
	mu        sync.Mutex
	control   [][]byte
	bulk      [][]byte
	bulkBytes int
	bulkLimit int // bytes; 0: defaultBulk
	dropped   uint64
	allocated int           // bytes waiting, both classes
	signal    chan struct{} // capacity 1
}

const (
	controlFrames = 1024
	defaultBulk   = 64 << 20 // bytes
)

func newQueue(bulkLimit int) *queue {
	if bulkLimit <= 0 {
		bulkLimit = defaultBulk
	}
	return &queue{bulkLimit: bulkLimit, signal: make(chan struct{}, 1)}
}

func (q *queue) put(frame []byte) {
	q.mu.Lock()
	if len(q.control) >= controlFrames {
		q.allocated -= len(q.control[0])
		q.control[0] = nil
		q.control = q.control[1:]
		q.dropped++
	}
	q.control = append(q.control, frame)
	q.allocated += len(frame)
	q.mu.Unlock()
	q.wake()
}

func (q *queue) putBulk(frame []byte) bool {
	q.mu.Lock()
	if q.bulkBytes+len(frame) > q.bulkLimit {
		q.dropped++
		q.mu.Unlock()
		return false
	}
	q.bulk = append(q.bulk, frame)
	q.bulkBytes += len(frame)
	q.allocated += len(frame)
	q.mu.Unlock()
	q.wake()
	return true
}

func (q *queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// take returns all control frames, or else one bulk frame: a control frame
// never waits for more than one of the other class.
func (q *queue) take() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.control
	q.control = nil
	if len(out) == 0 && len(q.bulk) > 0 {
		out = q.bulk[:1:1]
		q.bulk = q.bulk[1:]
		q.bulkBytes -= len(out[0])
	}
	for _, f := range out {
		q.allocated -= len(f)
	}
	return out
}

// clear forgets what waits: it was for a connection that is gone.
func (q *queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.control, q.bulk, q.bulkBytes, q.allocated = nil, nil, 0, 0
}

func (q *queue) waiting() (bytes int, empty bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.allocated, len(q.control) == 0 && len(q.bulk) == 0
}
