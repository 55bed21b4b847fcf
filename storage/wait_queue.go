package storage

import "container/heap"

// waitQueue are the waiters for one key, in lanes of those that want the same. The
// table's mu guards it.
type waitQueue struct {
	name   string // as of watchName
	lanes  []*waitLane
	byKind map[Wants]*waitLane // of more than a few lanes
	orGone int                 // how many waiters want to know that the key is gone
	noted  bool                // it stands in serving.ready
}

// waitLane are waiters for one key that want the same, the longest waiting first.
type waitLane struct {
	wants       Wants
	queue       *waitQueue
	at          int // in queue.lanes
	first, last *waitNode
}

// waitNode is a waiter's place in the queue of one key.
type waitNode struct {
	waiter     *Waiter
	lane       *waitLane // nil: it has left
	prev, next *waitNode
	order      uint64 // of arrival
}

// fewLanes are found without a map.
const fewLanes = 8

// laneFor returns the lane of those that want something, a new one if there is none.
func (q *waitQueue) laneFor(wants Wants) *waitLane {
	if q.byKind != nil {
		if l := q.byKind[wants]; l != nil {
			return l
		}
	} else {
		for _, l := range q.lanes {
			if l.wants == wants {
				return l
			}
		}
	}
	l := &waitLane{wants: wants, queue: q, at: len(q.lanes)}
	q.lanes = append(q.lanes, l)
	if q.byKind == nil && len(q.lanes) > fewLanes {
		q.byKind = map[Wants]*waitLane{}
		for _, old := range q.lanes {
			q.byKind[old.wants] = old
		}
	} else if q.byKind != nil {
		q.byKind[wants] = l
	}
	return l
}

func (l *waitLane) append(n *waitNode) {
	n.lane, n.prev = l, l.last
	if l.last == nil {
		l.first = n
	} else {
		l.last.next = n
	}
	l.last = n
}

// remove takes a waiter out of the lane, and an empty lane out of the queue.
func (l *waitLane) remove(n *waitNode) {
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.lane = nil
	if l.first != nil {
		return
	}
	q := l.queue
	end := q.lanes[len(q.lanes)-1]
	q.lanes[l.at], end.at = end, l.at
	q.lanes[len(q.lanes)-1] = nil
	q.lanes = q.lanes[:len(q.lanes)-1]
	delete(q.byKind, l.wants)
}

// waitTurns gives the waiters for one key their turns in the order of their arrival:
// the next ones of all lanes, as a heap. Nobody comes meanwhile, since the slot is
// locked; some may leave.
type waitTurns struct {
	next   []waitTurn
	orGone int // how many of them want to know that the key is gone
}

type waitTurn struct {
	lane *waitLane
	node *waitNode
}

func (t *waitTurns) Len() int           { return len(t.next) }
func (t *waitTurns) Less(i, j int) bool { return t.next[i].node.order < t.next[j].node.order }
func (t *waitTurns) Swap(i, j int)      { t.next[i], t.next[j] = t.next[j], t.next[i] }
func (t *waitTurns) Push(x any)         { t.next = append(t.next, x.(waitTurn)) }

func (t *waitTurns) Pop() any {
	last := t.next[len(t.next)-1]
	t.next = t.next[:len(t.next)-1]
	return last
}

// turns begins the turns of a queue.
func (t *waitTable) turns(q *waitQueue) *waitTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	turns := &waitTurns{next: make([]waitTurn, 0, len(q.lanes))}
	for _, l := range q.lanes {
		turns.next = append(turns.next, waitTurn{l, l.first})
		if l.wants.OrGone {
			turns.orGone++
		}
	}
	heap.Init(turns)
	return turns
}

// skip ends the turns of the lane that is next.
func (t *waitTurns) skip() {
	if t.next[0].lane.wants.OrGone {
		t.orGone--
	}
	heap.Pop(t)
}

// advance goes on behind the waiter that had its turn. If it has left meanwhile the
// next is the first of its lane that came after it.
func (t *waitTable) advance(turns *waitTurns) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := &turns.next[0]
	next := turn.node.next
	if turn.node.lane == nil {
		for next = turn.lane.first; next != nil && next.order <= turn.node.order; {
			next = next.next
		}
	}
	if next == nil {
		turns.skip()
		return
	}
	turn.node = next
	heap.Fix(turns, 0)
}
