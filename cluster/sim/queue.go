package sim

// happening is something that is due at a moment of virtual time.
type happening struct {
	at   int64 // microseconds
	seq  uint64
	run  func(*World) // used by schedules of faults
	host *Host
	life uint32 // host's life it belongs to; deliveries to an earlier life are void
	kind happeningKind
	what any
	n    uint64
}

type happeningKind uint8

const (
	runFunc happeningKind = iota
	deliver               // what: cluster.Event for host
	wake
	synced // n: token
)

// queue is a binary heap ordered by (at, seq).
type queue struct{ heap []happening }

func (q *queue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) push(h happening) {
	q.heap = append(q.heap, h)
	i := len(q.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			break
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

func (q *queue) pop() happening {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = happening{}
	q.heap = q.heap[:last]
	i := 0
	for {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			break
		}
		q.heap[i], q.heap[child] = q.heap[child], q.heap[i]
		i = child
	}
	return top
}
