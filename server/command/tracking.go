package command

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"cobble/server/resp"
	"cobble/slots"
	"cobble/storage"
)

// Tracking knows which clients cache which keys, and tells them when a key has changed (CLIENT TRACKING; Redis:
// tracking.c). Keys that a client reads are noted under the lock of their slot and it is told under the same lock, so
// that no change is missed; who hears of a change and reads the key waits for that lock, so it reads what is new.
// Methods may be called from any goroutine.
type Tracking struct {
	env     *Env
	maxKeys atomic.Int64 // tracking-table-max-keys

	mu      sync.Mutex
	clients map[uint64]*Client // those that track
	// keys holds who is to hear of a key, once. Clients that do not track any more stay until then, as in Redis.
	keys     map[string]map[uint64]struct{}
	items    int64
	prefixes map[string]map[*Client]struct{} // of those that hear of all keys
	lost     slots.Set                       // not served here, as far as clients were told

	keysStay bool // a rule that a test switches off: who was told of a key hears no more of it
}

// tracked is what a client wants to hear. Its session changes it, with Tracking.mu held, and reads it without.
type tracked struct {
	on, broadcast, optIn, optOut, noLoop bool

	broken   bool  // redirect is gone; guarded by mu
	redirect int64 // ID of the client that gets the messages, 0: the client itself
	prefixes []string

	caching bool // CLIENT CACHING was said; the session's own
}

func (t *Tracking) start(e *Env) {
	t.env = e
	t.clients, t.keys, t.prefixes = map[uint64]*Client{}, map[string]map[uint64]struct{}{}, map[string]map[*Client]struct{}{}
}

// set begins, changes or ends a client's tracking.
func (t *Tracking) set(client *Client, to tracked, prefixes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to.broadcast {
		if len(prefixes) == 0 {
			prefixes = []string{""}
		}
		to.prefixes = client.track.prefixes
		for _, prefix := range prefixes {
			if !slices.Contains(to.prefixes, prefix) {
				to.prefixes = append(to.prefixes, prefix)
				client.prefixBytes.Add(int64(len(prefix)) + topicBytes)
			}
			if t.prefixes[prefix] == nil {
				t.prefixes[prefix] = map[*Client]struct{}{}
			}
			t.prefixes[prefix][client] = struct{}{}
		}
		sort.Strings(to.prefixes)
	}
	to.caching = client.track.caching
	client.track = to
	t.clients[client.ID] = client
	if len(t.clients) == 1 {
		t.env.Engine.Observe(t)
	}
}

// leave ends a client's tracking. Its session calls it.
func (t *Tracking) leave(client *Client) {
	if !client.track.on {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, prefix := range client.track.prefixes {
		delete(t.prefixes[prefix], client)
		if len(t.prefixes[prefix]) == 0 {
			delete(t.prefixes, prefix)
		}
	}
	client.track = tracked{}
	client.prefixBytes.Store(0)
	delete(t.clients, client.ID)
	if len(t.clients) == 0 { // nobody will be told of the keys that are left
		t.env.Engine.Observe(nil)
		t.keys, t.items = map[string]map[uint64]struct{}{}, 0
	}
}

// read notes that a client has read keys. The lock of their slot is held.
func (t *Tracking) read(client *Client, args [][]byte, keys []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range keys {
		key := string(args[at])
		ids := t.keys[key]
		if ids == nil {
			ids = map[uint64]struct{}{}
			t.keys[key] = ids
		}
		if _, ok := ids[client.ID]; !ok {
			ids[client.ID] = struct{}{}
			t.items++
		}
	}
	if most := t.maxKeys.Load(); most > 0 {
		for key := range t.keys { // any, as it comes: Redis takes one at random
			if int64(len(t.keys)) <= most {
				break
			}
			t.forget(0, key)
		}
	}
}

// forget tells those who cache a key that it has changed. mu is held.
func (t *Tracking) forget(by uint64, key string) {
	ids := t.keys[key]
	if ids == nil {
		return
	}
	if !t.keysStay {
		delete(t.keys, key)
		t.items -= int64(len(ids))
	}
	for id := range ids {
		client := t.clients[id]
		if client == nil || client.track.broadcast || client.track.noLoop && id == by {
			continue
		}
		t.send(client, key)
	}
}

// Changed implements storage.Observer.
func (t *Tracking) Changed(by uint64, keys [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		if t.keys[string(key)] != nil {
			t.forget(by, string(key))
		}
	}
	if len(t.prefixes) == 0 {
		return
	}
	for _, prefix := range sortedKeys(t.prefixes) {
		var found []string
		for _, key := range keys {
			if strings.HasPrefix(string(key), prefix) && !slices.Contains(found, string(key)) {
				found = append(found, string(key))
			}
		}
		if len(found) == 0 {
			continue
		}
		sort.Strings(found)
		for client := range t.prefixes[prefix] {
			if !client.track.noLoop || client.ID != by {
				t.send(client, found...)
			}
		}
	}
}

// Emptied implements storage.Observer: who caches keys of these slots forgets them; who hears of all keys by prefix, or
// if all slots are empty everybody, forgets all.
func (t *Tracking) Emptied(set *slots.Set) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.empty(set)
}

func (t *Tracking) empty(set *slots.Set) {
	all := set.Len() == slots.Count
	if all {
		t.keys, t.items = map[string]map[uint64]struct{}{}, 0
	}
	for key := range t.keys {
		if set.Has(slots.Of([]byte(key))) {
			t.forget(0, key)
		}
	}
	for _, client := range t.clients {
		if all || client.track.broadcast {
			t.send(client)
		}
	}
}

// DropSlots tells clients that slots are not served here any more: nobody would tell them of changes.
func (t *Tracking) DropSlots(view *slots.View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var gone slots.Set
	for slot := range slots.Slot(slots.Count) {
		switch {
		case view.Holds(slot):
			t.lost.Remove(slot)
		case !t.lost.Has(slot):
			t.lost.Add(slot)
			gone.Add(slot)
		}
	}
	if len(t.clients) > 0 && !gone.Empty() {
		t.empty(&gone)
	}
}

// trackingChannel is what the messages seem to come from in RESP2.
const trackingChannel = "__redis__:invalidate"

// send tells a client that keys have changed; all keys, if none is named. mu is held.
func (t *Tracking) send(client *Client, keys ...string) {
	to, redirect := client, client.track.redirect
	if redirect != 0 {
		if to = t.env.Clients.find(uint64(redirect)); to == nil {
			client.track.broken = true
			if client.resp3.Load() {
				client.Push(newPush("tracking-redir-broken", redirect))
			}
			return
		}
	}
	var w resp.Writer
	switch {
	case to.resp3.Load():
		w.SetProto(3)
		w.Push(2)
		w.BulkString("invalidate")
	case redirect != 0 && to.listens.Load() != 0:
		w.Array(3)
		w.BulkString("message")
		w.BulkString(trackingChannel)
	default:
		return // RESP2 has no way to say it
	}
	if len(keys) == 0 {
		w.Null()
	} else {
		w.Array(len(keys))
	}
	for _, key := range keys {
		w.BulkString(key)
	}
	to.Push(&pushed{w.Bytes(), w.Bytes()})
}

// sizes returns what INFO counts.
func (t *Tracking) sizes() (clients, keys, items, prefixes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.clients)), int64(len(t.keys)), t.items, int64(len(t.prefixes))
}

// shown returns the letters and the redirection of CLIENT LIST.
func (t *Tracking) shown(client *Client) (letters string, redirect int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &client.track
	if !s.on {
		return "", -1
	}
	letters = "t"
	if s.broken {
		letters += "R"
	}
	if s.broadcast {
		letters += "B"
	}
	return letters, s.redirect
}

// caches notes the keys that a reading command of a client that tracks has read. The lock of their slot is held.
func (c *Call) caches(tx *storage.Tx) {
	s := &c.Client.track
	if c.Cmd.Flags&ReadOnly == 0 || s.broadcast || s.optIn && !s.caching || s.optOut && s.caching || c.serving || tx.Incomplete() {
		return
	}
	c.Env.Tracking.read(c.Client, c.Args, c.keys)
}

// find returns a connected client, or nil.
func (cs *Clients) find(id uint64) *Client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c := cs.all[id]; c != nil && !c.gone.Load() {
		return c
	}
	return nil
}
