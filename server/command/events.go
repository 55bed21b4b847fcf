package command

import (
	"strings"
	"sync"

	"cobble/server/config"
	"cobble/storage"
)

// Keyspace notifications (notify-keyspace-events; Redis: notify.c). What a command did is told from the keys that its
// part of the transaction has changed, so that a command cannot forget its event; the transaction keeps the events, and
// the engine hands them over when it is committed. They are published when they are durable.

// The classes of events: the bits of notify-keyspace-events.
const (
	eventGeneric uint16 = 1 << iota
	eventString
	eventList
	eventSet
	eventHash
	eventZSet
	eventExpired
	eventEvicted
	eventStream
	eventModule
	eventKeyspace // __keyspace@0__:key
	eventKeyevent // __keyevent@0__:event
	eventKeyMiss
	eventNew
)

// keyEvent is what a command that changes a key does to it.
type keyEvent struct {
	class uint16
	name  string // "" for no event of its own
	// tell replaces the plain rule: the event for a key that is there afterwards or was before, then "del" if it is gone.
	tell func(c *Call, tx *storage.Tx, changes []storage.Change)
}

// eventsOf is a table of the commands whose events have other names than they have themselves, or other classes than
// their groups.
var eventsOf = map[string]keyEvent{
	"setnx": {eventString, "set", nil}, "getset": {eventString, "set", nil}, "mset": {eventString, "set", nil}, "msetnx": {eventString, "set", nil},
	"set": {tell: tellSet}, "setex": {tell: tellSet}, "psetex": {tell: tellSet}, "msetex": {tell: tellMSetEx}, "delifeq": {}, "delex": {},
	"incr": {eventString, "incrby", nil}, "decr": {eventString, "incrby", nil}, "decrby": {eventString, "incrby", nil},
	"bitfield": {eventString, "setbit", nil}, "bitop": {tell: tellStore(eventString, "set")},
	"pfadd": {eventString, "pfadd", nil}, "pfmerge": {eventString, "pfadd", nil}, "pfcount": {tell: tellNothing}, "pfdebug": {tell: tellNothing},
	"getdel": {}, "del": {}, "unlink": {}, "getex": {tell: tellExpiry},
	"expire": {tell: tellExpiry}, "pexpire": {tell: tellExpiry}, "expireat": {tell: tellExpiry}, "pexpireat": {tell: tellExpiry},
	"rename": {tell: tellRename}, "renamenx": {tell: tellRename}, "copy": {tell: tellCreated("copy_to")}, "restore": {tell: tellCreated("restore")},
	"restore-asking": {tell: tellCreated("restore")},
	"sort":           {tell: tellStore(eventList, "sortstore")},
	"lpushx":         {eventList, "lpush", nil}, "rpushx": {eventList, "rpush", nil}, "blpop": {eventList, "lpop", nil}, "brpop": {eventList, "rpop", nil},
	"lmove": {tell: tellMove}, "blmove": {tell: tellMove}, "rpoplpush": {tell: tellMove}, "brpoplpush": {tell: tellMove},
	"lmpop": {tell: tellPop(eventList, "lpop", "rpop")}, "blmpop": {tell: tellPop(eventList, "lpop", "rpop")},
	"smove": {tell: tellSetMove}, "hmset": {eventHash, "hset", nil}, "hsetnx": {eventHash, "hset", nil},
	"hexpire": {tell: tellFields}, "hpexpire": {tell: tellFields}, "hexpireat": {tell: tellFields}, "hpexpireat": {tell: tellFields},
	"hgetex": {tell: tellFields}, "hsetex": {tell: tellFields}, "hgetdel": {eventHash, "hdel", nil},
	"sinterstore": {tell: tellStore(eventSet, "sinterstore")}, "sunionstore": {tell: tellStore(eventSet, "sunionstore")}, "sdiffstore": {tell: tellStore(eventSet, "sdiffstore")},
	"zadd": {tell: tellZAdd}, "geoadd": {eventZSet, "zadd", nil}, "zincrby": {eventZSet, "zincr", nil},
	"bzpopmin": {eventZSet, "zpopmin", nil}, "bzpopmax": {eventZSet, "zpopmax", nil},
	"zmpop": {tell: tellPop(eventZSet, "zpopmin", "zpopmax")}, "bzmpop": {tell: tellPop(eventZSet, "zpopmin", "zpopmax")},
	"zunionstore": {tell: tellStore(eventZSet, "zunionstore")}, "zinterstore": {tell: tellStore(eventZSet, "zinterstore")},
	"zdiffstore": {tell: tellStore(eventZSet, "zdiffstore")}, "zrangestore": {tell: tellStore(eventZSet, "zrangestore")},
	"geosearchstore": {tell: tellStore(eventZSet, "geosearchstore")}, "georadius": {tell: tellStore(eventZSet, "georadiusstore")},
	"georadiusbymember": {tell: tellStore(eventZSet, "georadiusstore")},
	"xadd":              {tell: tellXAdd}, "xdelex": {tell: tellXDelete}, "xackdel": {tell: tellXDelete}, "xreadgroup": {tell: tellNothing}, "xack": {tell: tellNothing}, "xclaim": {tell: tellNothing}, "xautoclaim": {tell: tellNothing},
}

// eventClasses are those of the groups of commands.
var eventClasses = map[string]uint16{"string": eventString, "bitmap": eventString, "list": eventList, "set": eventSet, "hash": eventHash,
	"sorted-set": eventZSet, "sorted_set": eventZSet, "stream": eventStream, "generic": eventGeneric, "geo": eventZSet}

// eventOf returns what a command does to keys that it changes.
func eventOf(cmd *Command) keyEvent {
	name := cmd.Name
	if cmd.container != nil { // as in XGROUP CREATE
		name = cmd.container.Name + "-" + cmd.Name
	}
	if e, ok := eventsOf[name]; ok {
		return e
	}
	return keyEvent{class: eventClasses[cmd.Group], name: name}
}

// note notes the events of a command that has run in a transaction, from the keys that have changed since mark.
func (c *Call) note(tx *storage.Tx, mark int) error {
	changes, err := tx.Changes(mark)
	if err != nil {
		return err
	}
	e := eventOf(c.Cmd)
	if e.tell != nil {
		e.tell(c, tx, changes)
		return nil
	}
	for _, change := range changes {
		tellChange(tx, change, e.class, e.name)
	}
	return nil
}

// tellChange is the plain rule.
func tellChange(tx *storage.Tx, change storage.Change, class uint16, name string) {
	tellNew(tx, change)
	if (change.Before || change.After) && name != "" {
		tx.Note(class, name, change.Key)
	}
	tellGone(tx, change)
}

func tellNew(tx *storage.Tx, change storage.Change) {
	if !change.Before && change.After {
		tx.Note(eventNew, "new", change.Key)
	}
}

func tellGone(tx *storage.Tx, change storage.Change) {
	if change.Before && !change.After {
		tx.Note(eventGeneric, "del", change.Key)
	}
}

func tellNothing(*Call, *storage.Tx, []storage.Change) {}

// hasWord reports whether an option stands in the arguments from the n-th on.
func (c *Call) hasWord(n int, words ...string) bool {
	for _, arg := range c.Args[min(n, len(c.Args)):] {
		for _, word := range words {
			if fold(arg, word) {
				return true
			}
		}
	}
	return false
}

func tellSet(c *Call, tx *storage.Tx, changes []storage.Change) {
	expires := true
	if c.Cmd.Name == "set" {
		w, err := parseSetOptions(c.Args[3:], ofSet)
		expires = err == nil && w.expiry != nil
	}
	tellSets(tx, changes, expires)
}

// tellSets is for strings that were set.
func tellSets(tx *storage.Tx, changes []storage.Change, expires bool) {
	for _, change := range changes {
		tellChange(tx, change, eventString, "set")
		if change.After && expires {
			tx.Note(eventGeneric, "expire", change.Key)
		}
	}
}

// tellExpiry is for commands that set an expiry, or take it away.
func tellExpiry(c *Call, tx *storage.Tx, changes []storage.Change) {
	for _, change := range changes {
		switch {
		case !change.After:
			tellGone(tx, change)
		case c.Cmd.Name == "getex" && c.hasWord(2, "PERSIST"):
			tx.Note(eventGeneric, "persist", change.Key)
		default:
			tx.Note(eventGeneric, "expire", change.Key)
		}
	}
}

func tellRename(c *Call, tx *storage.Tx, changes []storage.Change) {
	if len(changes) > 0 {
		tx.Note(eventNew, "new", c.Args[2])
		tx.Note(eventGeneric, "rename_from", c.Args[1])
		tx.Note(eventGeneric, "rename_to", c.Args[2])
	}
}

// tellCreated is for commands that delete the key first, if it is there.
func tellCreated(name string) func(*Call, *storage.Tx, []storage.Change) {
	return func(_ *Call, tx *storage.Tx, changes []storage.Change) {
		for _, change := range changes {
			if change.After {
				tx.Note(eventNew, "new", change.Key)
				tx.Note(eventGeneric, name, change.Key)
			} else {
				tellGone(tx, change)
			}
		}
	}
}

// tellStore is for commands that put a result into a key, or delete it if there is none.
func tellStore(class uint16, name string) func(*Call, *storage.Tx, []storage.Change) {
	return func(_ *Call, tx *storage.Tx, changes []storage.Change) {
		for _, change := range changes {
			if change.After {
				tellChange(tx, change, class, name)
			} else {
				tellGone(tx, change)
			}
		}
	}
}

// tellMove is for an element that goes from list to list: it is pushed before it is popped.
func tellMove(c *Call, tx *storage.Tx, changes []storage.Change) {
	pop, push := "rpop", "lpush"
	if strings.HasSuffix(c.Cmd.Name, "lmove") {
		if fold(c.Args[3], "LEFT") {
			pop = "lpop"
		}
		if fold(c.Args[4], "RIGHT") {
			push = "rpush"
		}
	}
	if len(changes) == 0 {
		return
	}
	from, to := changeOf(changes, c.Args[1]), changeOf(changes, c.Args[2])
	tellNew(tx, to)
	tx.Note(eventList, push, c.Args[2])
	tx.Note(eventList, pop, c.Args[1])
	tellGone(tx, from)
}

func tellSetMove(c *Call, tx *storage.Tx, changes []storage.Change) {
	for _, change := range changes { // the destination may hold the member already
		if string(change.Key) == string(c.Args[1]) {
			tx.Note(eventSet, "srem", change.Key)
			tellGone(tx, change)
		}
	}
	for _, change := range changes {
		if string(change.Key) != string(c.Args[1]) {
			tellChange(tx, change, eventSet, "sadd")
		}
	}
}

// changeOf returns what happened to a key; nothing, if it is not in the list.
func changeOf(changes []storage.Change, key []byte) storage.Change {
	for _, change := range changes {
		if string(change.Key) == string(key) {
			return change
		}
	}
	return storage.Change{Key: key}
}

// tellPop is for commands that name the end that they take from.
func tellPop(class uint16, first, last string) func(*Call, *storage.Tx, []storage.Change) {
	return func(c *Call, tx *storage.Tx, changes []storage.Change) {
		name, at := first, 1
		if c.Cmd.Name[0] == 'b' { // a time-out comes before the number of keys
			at = 2
		}
		keys, _ := storage.ParseInt(c.Args[at])
		if where := c.Args[at+int(keys)+1]; fold(where, "RIGHT") || fold(where, "MAX") {
			name = last
		}
		for _, change := range changes {
			tellChange(tx, change, class, name)
		}
	}
}

func tellZAdd(c *Call, tx *storage.Tx, changes []storage.Change) {
	name := "zadd"
	for _, arg := range c.Args[2:] {
		if _, ok := storage.ParseLongDouble(arg); ok {
			break
		}
		if fold(arg, "INCR") {
			name = "zincr"
		}
	}
	for _, change := range changes {
		tellChange(tx, change, eventZSet, name)
	}
}

// tellXAdd: the entry is told of before what it pushed out.
func tellXAdd(c *Call, tx *storage.Tx, changes []storage.Change) {
	for _, change := range changes {
		tellChange(tx, change, eventStream, "xadd")
		if c.trimmed && change.After {
			tx.Note(eventStream, "xtrim", change.Key)
		}
	}
}

// noteMisses notes the keys that a reading command has not found.
func (c *Call) noteMisses(tx *storage.Tx) error {
	keys := c.keys
	switch name := c.Cmd.Name; {
	case len(keys) == 0 || c.Cmd.container != nil: // OBJECT
		return nil
	case name == "bitop" || strings.HasSuffix(name, "store"):
		keys = keys[1:]
	case name == "copy" || name == "sort" || name == "georadius" || name == "georadiusbymember":
		keys = keys[:1]
	case c.Cmd.Flags&ReadOnly == 0 && name != "getex" && name != "getdel" && name != "hgetex" && name != "hgetdel" && name != "getset" && name != "pfmerge":
		return nil
	}
	for _, at := range keys {
		entry, err := tx.Lookup(c.Args[at])
		if err != nil {
			return err
		}
		if !entry.Live {
			tx.Note(eventKeyMiss, "keymiss", c.Args[at])
		}
	}
	return nil
}

// Notifier publishes events when they are durable, in the order in which they came.
type Notifier struct {
	env *Env

	mu      sync.Mutex
	waiting []toldEvents
	events  int
	running bool
}

type toldEvents struct {
	lsn     storage.LSN
	classes uint16 // as of the change: what is switched off behind it is told of it still
	events  []storage.Event
}

// maxToldEvents is how many events may wait for the log; more are dropped, as messages to nobody are.
const maxToldEvents = 1 << 20

func (n *Notifier) start(e *Env) {
	n.env = e
	e.Engine.OnEvents(n.take)
	e.follow("notify-keyspace-events", func(v config.Value) {
		classes := uint16(v.Int)
		if classes&(eventKeyspace|eventKeyevent) == 0 {
			classes = 0
		}
		e.Engine.SetEvents(classes)
	})
}

// take is called with slots locked.
func (n *Notifier) take(lsn storage.LSN, events []storage.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.events+len(events) > maxToldEvents {
		return
	}
	n.events += len(events)
	n.waiting = append(n.waiting, toldEvents{lsn, n.env.Engine.Events(), events})
	if !n.running {
		n.running = true
		go n.run()
	}
}

// run publishes what waits, and ends when nothing does.
func (n *Notifier) run() {
	for {
		n.mu.Lock()
		waiting := n.waiting
		n.waiting, n.events, n.running = nil, 0, len(waiting) > 0
		n.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		for _, told := range waiting {
			if n.env.Engine.Await(told.lsn) == nil {
				n.publish(told.classes, told.events)
			}
		}
	}
}

func (n *Notifier) publish(classes uint16, events []storage.Event) {
	for _, e := range events {
		if classes&eventKeyspace != 0 {
			n.env.Broker.Publish(false, append([]byte("__keyspace@0__:"), e.Key...), []byte(e.Name))
		}
		if classes&eventKeyevent != 0 {
			n.env.Broker.Publish(false, []byte("__keyevent@0__:"+e.Name), e.Key)
		}
	}
}
