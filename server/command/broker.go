package command

import (
	"bytes"
	"encoding/binary"
	"sort"
	"sync"
	"sync/atomic"

	"cobble/server/glob"
	"cobble/server/resp"
	"cobble/slots"
)

// Broker is who listens to what: channels, patterns and channels of a shard. Its methods may be called from any
// goroutine; none waits for a client.
type Broker struct {
	mu       sync.RWMutex
	topics   [topicKinds]map[string]map[*Client]struct{}
	of       map[*Client]*subscriptions
	monitors map[*Client]struct{}
	watched  atomic.Int32 // how many monitors there are
}

// topicKind is what one can subscribe to.
type topicKind uint8

const (
	topicChannel topicKind = iota
	topicPattern
	topicShard
	topicKinds
)

// The words of each kind, in replies and messages.
var topicWords = [topicKinds]struct{ subscribe, unsubscribe, message string }{
	{"subscribe", "unsubscribe", "message"},
	{"psubscribe", "punsubscribe", "pmessage"},
	{"ssubscribe", "sunsubscribe", "smessage"},
}

// subscriptions are those of one client. The broker's lock guards them.
type subscriptions [topicKinds]map[string]struct{}

// count is how many subscriptions a reply counts with this kind: those to channels of a shard apart from the others.
func (s *subscriptions) count(kind topicKind) int {
	switch {
	case s == nil:
		return 0
	case kind == topicShard:
		return len(s[topicShard])
	}
	return len(s[topicChannel]) + len(s[topicPattern])
}

func (b *Broker) init() {
	for kind := range b.topics {
		b.topics[kind] = map[string]map[*Client]struct{}{}
	}
	b.of, b.monitors = map[*Client]*subscriptions{}, map[*Client]struct{}{}
}

// subscribe adds a subscription and returns how many of the kind the client has.
func (b *Broker) subscribe(client *Client, kind topicKind, topic string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of[client]
	if s == nil {
		s = &subscriptions{}
		b.of[client] = s
	}
	if s[kind] == nil {
		s[kind] = map[string]struct{}{}
	}
	s[kind][topic] = struct{}{}
	listeners := b.topics[kind][topic]
	if listeners == nil {
		listeners = map[*Client]struct{}{}
		b.topics[kind][topic] = listeners
	}
	listeners[client] = struct{}{}
	client.listens.Store(int32(s.count(topicChannel) + s.count(topicShard)))
	return s.count(kind)
}

// unsubscribe removes a subscription, there or not, and returns how many of the kind are left.
func (b *Broker) unsubscribe(client *Client, kind topicKind, topic string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.drop(client, kind, topic)
}

// drop is unsubscribe with the lock held.
func (b *Broker) drop(client *Client, kind topicKind, topic string) int {
	s := b.of[client]
	if s == nil {
		return 0
	}
	delete(s[kind], topic)
	if listeners := b.topics[kind][topic]; listeners != nil {
		delete(listeners, client)
		if len(listeners) == 0 {
			delete(b.topics[kind], topic)
		}
	}
	left := s.count(topicChannel) + s.count(topicShard)
	client.listens.Store(int32(left))
	if left == 0 {
		delete(b.of, client)
	}
	return s.count(kind)
}

// subscribed returns a client's subscriptions of a kind, in order of their names.
func (b *Broker) subscribed(client *Client, kind topicKind) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.of[client]
	if s == nil {
		return nil
	}
	return sortedKeys(s[kind])
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// counts returns how many subscriptions of each kind a client has.
func (b *Broker) counts(client *Client) (n [topicKinds]int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if s := b.of[client]; s != nil {
		for kind := range n {
			n[kind] = len(s[kind])
		}
	}
	return n
}

// leave forgets a client.
func (b *Broker) leave(client *Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.of[client]; s != nil {
		for kind := range topicKinds {
			for topic := range s[kind] {
				b.drop(client, kind, topic)
			}
		}
	}
	if _, ok := b.monitors[client]; ok {
		delete(b.monitors, client)
		b.watched.Add(-1)
	}
}

// Publish hands a message to this node's listeners of a channel, and of patterns that match it, and returns how many
// they are.
func (b *Broker) Publish(shard bool, channel, message []byte) (receivers int64) {
	kind := topicChannel
	if shard {
		kind = topicShard
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if listeners := b.topics[kind][string(channel)]; len(listeners) > 0 {
		text := newPush(topicWords[kind].message, channel, message)
		for client := range listeners {
			client.Push(text)
			receivers++
		}
	}
	if shard {
		return receivers
	}
	for pattern, listeners := range b.topics[topicPattern] {
		if !glob.Match([]byte(pattern), channel) {
			continue
		}
		text := newPush(topicWords[topicPattern].message, []byte(pattern), channel, message)
		for client := range listeners {
			client.Push(text)
			receivers++
		}
	}
	return receivers
}

// DropShards ends the subscriptions to channels whose slots are not served here any more, and tells the clients.
func (b *Broker) DropShards(view *slots.View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for channel, listeners := range b.topics[topicShard] {
		err := slots.Route(view, slots.Request{Slot: slots.Of([]byte(channel)), PubSub: true, ReadOnly: true})
		if _, moved := err.(*slots.Redirect); !moved {
			continue
		}
		for client := range listeners {
			left := b.drop(client, topicShard, channel)
			client.Push(newPush(topicWords[topicShard].unsubscribe, []byte(channel), int64(left)))
		}
	}
}

// sizes returns how many topics of a kind have listeners; of patterns that is what NUMPAT counts.
func (b *Broker) sizes() (n [topicKinds]int, clients int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for kind := range n {
		n[kind] = len(b.topics[kind])
	}
	return n, len(b.of)
}

func (b *Broker) matching(kind topicKind, pattern []byte) (found []string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for topic := range b.topics[kind] {
		if pattern == nil || glob.Match(pattern, []byte(topic)) {
			found = append(found, topic)
		}
	}
	sort.Strings(found)
	return found
}

func (b *Broker) listeners(kind topicKind, topic string) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.topics[kind][topic])
}

// monitor has a client see every command from now on.
func (b *Broker) monitor(client *Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.monitors[client]; !ok {
		b.monitors[client] = struct{}{}
		b.watched.Add(1)
	}
}

func (b *Broker) feed(line []byte) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for client := range b.monitors {
		client.Push(&pushed{resp2: line, resp3: line})
	}
}

// pushed is a message in both protocols, made once for all receivers.
type pushed struct{ resp2, resp3 []byte }

// newPush makes a message of strings ([]byte, string) and integers (int64).
func newPush(parts ...any) *pushed {
	var two, three resp.Writer
	three.SetProto(3)
	for _, w := range []*resp.Writer{&two, &three} {
		w.Push(len(parts))
		for _, part := range parts {
			switch v := part.(type) {
			case []byte:
				w.Bulk(v)
			case string:
				w.BulkString(v)
			case int64:
				w.Int(v)
			}
		}
	}
	return &pushed{two.Bytes(), three.Bytes()}
}

// mailbox holds what is to be sent to a client between its replies.
type mailbox struct {
	mu     sync.Mutex
	mail   []byte
	called bool                           // Notify was called since the last TakeMail
	held   bool                           // a reply comes first
	mutant struct{ unheld, dropped bool } // rules that a test switches off: a reply comes first; what is held stays
}

// maxMail is how many bytes may wait in a mailbox whose driver does not come for them; the output limits of pubsub
// clients count what the driver has taken.
const maxMail = 256 << 20

// Push has a message sent to the client as soon as no reply is in the way. Any goroutine may call it.
func (c *Client) Push(p *pushed) {
	text := p.resp2
	if c.resp3.Load() {
		text = p.resp3
	}
	c.box.mu.Lock()
	c.box.mail = append(c.box.mail, text...)
	over := len(c.box.mail) > maxMail
	call := !c.box.called
	c.box.called = true
	c.box.mu.Unlock()
	switch {
	case over:
		c.Kill()
	case call && c.Notify != nil:
		c.Notify()
	}
}

// TakeMail returns what waits in the mailbox, and empties it.
func (c *Client) TakeMail() []byte {
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	c.box.called = false
	if c.box.held {
		return nil
	}
	mail := c.box.mail
	c.box.mail = nil
	return mail
}

// holdMail keeps messages back until the reply to the command that runs now is sent: what it says of a key that the
// client caches is older than a message that the key has changed, and nothing is heard before the reply to SUBSCRIBE.
func (c *Client) holdMail() {
	c.box.mu.Lock()
	c.box.held = !c.box.mutant.unheld
	c.box.mu.Unlock()
	c.holds = true
}

// ReleaseMail lets messages out again. The driver calls it when the replies that were ready are sent.
func (c *Client) ReleaseMail() {
	if !c.holds {
		return
	}
	c.holds = false
	c.box.mu.Lock()
	c.box.held = false
	if c.box.mutant.dropped {
		c.box.mail = nil
	}
	call := len(c.box.mail) > 0 && !c.box.called
	c.box.called = c.box.called || call
	c.box.mu.Unlock()
	if call && c.Notify != nil {
		c.Notify()
	}
}

// Listens reports whether the client has subscribed to anything, or monitors: other output limits hold for it.
func (c *Client) Listens() bool { return c.listens.Load() != 0 || c.monitors.Load() }

// AppendCast encodes a message for the other nodes of a cluster: length of the channel, channel, message.
func AppendCast(dst, channel, message []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(channel)))
	return append(append(dst, channel...), message...)
}

// DecodeCast takes such a message apart; ok is false if it is malformed.
func DecodeCast(b []byte) (channel, message []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	b = b[w:]
	return bytes.Clone(b[:n]), bytes.Clone(b[n:]), true
}
