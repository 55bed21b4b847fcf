package command

import "slices"

// What a subscription, a tracked prefix and a watched key count for, and a queued command and each of its arguments
// besides their bytes.
const (
	topicBytes    = 64
	watchedBytes  = 64
	queuedBytes   = 32
	queuedArgSize = 24
)

// held returns how many bytes the client's buffers have: tot-mem of CLIENT LIST, and what maxmemory-clients limits. mu is held.
func (c *Client) held() int64 {
	i := &c.info
	return int64(i.queryBytes+i.queryFree+i.argBytes+i.multiBytes) + c.Unsent.Load() + c.box.size() + topicBytes*int64(c.listens.Load()) + c.prefixBytes.Load()
}

// memory returns the bytes that the transaction takes.
func (t *transaction) memory() int { return t.bytes + watchedBytes*len(t.watched) }

// size returns how many bytes of messages wait.
func (b *mailbox) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.mail))
}

// memory returns what the buffers of followers, and those of all other clients, have.
func (cs *Clients) memory() (followers, others int64) {
	for _, client := range cs.All() {
		client.mu.Lock()
		held := client.held()
		client.mu.Unlock()
		if client.follows.Load() {
			followers += held
		} else {
			others += held
		}
	}
	return followers, others
}

// Evict closes the clients that hold most, one after another, while all that are not followers hold limit bytes or more.
// Clients that said NO-EVICT count and stay. tell gets the line of CLIENT LIST of each before it is closed; now is Unix
// milliseconds. It reports whether that was enough. Any goroutine may call it, one at a time.
func (cs *Clients) Evict(limit, now int64, e *Env, tell func(line string)) bool {
	type holder struct {
		client *Client
		bytes  int64
	}
	var holders []holder
	total := int64(0)
	for _, client := range cs.All() {
		if client.follows.Load() || client.gone.Load() { // what is gone gives back its memory in a moment
			continue
		}
		client.mu.Lock()
		held, stays := client.held(), client.info.noEvict
		client.mu.Unlock()
		total += held
		if held > 0 && !stays {
			holders = append(holders, holder{client, held})
		}
	}
	if total < limit {
		return true
	}
	slices.SortFunc(holders, func(a, b holder) int { return int(min(max(b.bytes-a.bytes, -1), 1)) })
	for _, h := range holders {
		tell(h.client.describe(now, e))
		h.client.gone.Store(true)
		h.client.Kill()
		e.Stats.EvictedClients.Add(1)
		if total -= h.bytes; total < limit {
			return true
		}
	}
	return false
}
