package acl

import (
	"container/list"
	"sync"
)

// Context is where a request was refused.
type Context uint8

// The contexts, as ACL LOG names them.
const (
	TopLevel Context = iota
	InMulti
	InScript
)

func (c Context) String() string { return [...]string{"toplevel", "multi", "lua"}[c] }

// Reason names a denial as ACL LOG does.
func (d Denial) Reason() string {
	return [...]string{"", "command", "key", "auth", "channel"}[d]
}

// Entry is one or more requests refused for the same reason.
type Entry struct {
	ID       int64 // counts entries from 0, for ever
	Count    int64
	Why      Denial
	Context  Context
	Object   string // the command, key or channel; of a wrong password the command that gave it
	Username string
	Client   string // as CLIENT LIST prints it, of the last time
	Created  int64  // Unix milliseconds
	Updated  int64
}

const (
	groupWithin = 60_000 // milliseconds since the last time
	groupAmong  = 10     // of the newest entries
)

// Log keeps what was refused, the newest first. Its methods may be called from any
// goroutine; none waits for anything.
type Log struct {
	mu      sync.Mutex
	max     int64
	next    int64
	entries list.List // of *Entry
}

// SetMax bounds the log from the next entry on, as in Redis.
func (l *Log) SetMax(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.max = n
}

// Add notes a refusal at the time e.Updated. One like an entry of the last minute is
// counted with it.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.entries.Front()
	for n := 0; n < groupAmong && at != nil; n, at = n+1, at.Next() {
		old := at.Value.(*Entry)
		if old.Why != e.Why || old.Context != e.Context || old.Object != e.Object || old.Username != e.Username || e.Updated-old.Updated > groupWithin {
			continue
		}
		old.Count++
		old.Client, old.Updated = e.Client, e.Updated
		l.entries.MoveToFront(at)
		return
	}
	e.ID, e.Count, e.Created = l.next, 1, e.Updated
	l.next++
	l.entries.PushFront(&e)
	for int64(l.entries.Len()) > l.max {
		l.entries.Remove(l.entries.Back())
	}
}

// List returns up to n entries, the newest first.
func (l *Log) List(n int64) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Entry
	for at := l.entries.Front(); at != nil && int64(len(all)) < n; at = at.Next() {
		all = append(all, *at.Value.(*Entry))
	}
	return all
}

// Reset forgets all entries.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries.Init()
}
