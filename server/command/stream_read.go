package command

import (
	"bytes"
	"fmt"
	"slices"

	"cobble/server/resp"
	"cobble/storage"
	"cobble/storage/format"
)

// streamRead is what XREAD and XREADGROUP were asked for.
type streamRead struct {
	group, consumer []byte // nil: XREAD
	count           int64  // -1: all
	block           int64  // milliseconds, 0: for ever, -1: not at all
	noAck           bool
	keys, ids       [][]byte
}

// readArguments reads the arguments of XREAD and XREADGROUP.
func (c *Call) readArguments() (r streamRead, err error) {
	r.count, r.block = -1, -1
	grouped := c.Cmd.Name == "xreadgroup"
	at := 1
	for ; ; at++ {
		if at == len(c.Args) {
			return r, ErrSyntax
		}
		arg, more := c.Args[at], len(c.Args)-1-at
		switch {
		case more > 0 && equalFold(arg, "block"):
			at++
			if r.block, err = c.timeoutMillis(c.Args[at]); err != nil {
				return r, err
			}
		case more > 0 && equalFold(arg, "count"):
			at++
			var ok bool
			if r.count, ok = storage.ParseInt(c.Args[at]); !ok {
				return r, ErrNotInteger
			}
			if r.count <= 0 {
				r.count = -1
			}
		case more >= 2 && equalFold(arg, "group"):
			if !grouped {
				return r, Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
			}
			r.group, r.consumer = c.Args[at+1], c.Args[at+2]
			at += 2
		case equalFold(arg, "noack"):
			if !grouped {
				return r, Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
			}
			r.noAck = true
		case more > 0 && equalFold(arg, "streams"):
			rest := c.Args[at+1:]
			if len(rest)%2 != 0 {
				symbol := '$'
				if grouped {
					symbol = '>'
				}
				return r, errorf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.", c.Cmd.Name, symbol)
			}
			r.keys, r.ids = rest[:len(rest)/2], rest[len(rest)/2:]
			if grouped && r.group == nil {
				return r, Error("ERR Missing GROUP option for XREADGROUP")
			}
			return r, nil
		default:
			return r, ErrSyntax
		}
	}
}

// streamTurn is one stream of a command, with what it asks of it.
type streamTurn struct {
	key      []byte
	s        *storage.Stream
	g        *storage.Group
	after    storage.StreamID
	history  bool  // entries that the consumer has already
	newOnly  bool  // ">"
	twins    int64 // how many turns before have the same stream of a group, and read on from it
	consumer *storage.Consumer
}

// twinOf finds the last turn of a key; nil if there is none.
func twinOf(turns []streamTurn, key []byte) *streamTurn {
	for i := len(turns) - 1; i >= 0; i-- {
		if bytes.Equal(turns[i].key, key) {
			return &turns[i]
		}
	}
	return nil
}

// xread is XREAD and XREADGROUP.
func xread(c *Call, tx *storage.Tx) error {
	r, err := c.readArguments()
	if err != nil {
		return err
	}
	turns, waits, err := c.streamTurns(tx, &r)
	if err != nil {
		return err
	}
	if len(turns) == 0 {
		if r.block < 0 || !waits {
			c.Out.NullArray()
			return nil
		}
		c.pinTop(tx, &r)
		return c.block(tx, waitFor{keys: r.keys, holds: format.Stream, orGone: r.group != nil, same: string(r.group), timeout: r.block, empty: (*resp.Writer).NullArray})
	}
	if c.Out.Proto() == 3 {
		c.Out.Map(len(turns))
	} else {
		c.Out.Array(len(turns))
	}
	for i := range turns {
		t := &turns[i]
		if c.Out.Proto() != 3 {
			c.Out.Array(2)
		}
		c.Out.Bulk(t.key)
		if err := c.readTurn(tx, t, &r); err != nil {
			return err
		}
	}
	return nil
}

// streamTurns finds the streams that have something to reply. waits says that one could have something later.
func (c *Call) streamTurns(tx *storage.Tx, r *streamRead) (turns []streamTurn, waits bool, err error) {
	for i, key := range r.keys {
		if !c.mayAsk(tx, key) {
			continue
		}
		t := streamTurn{key: key}
		if twin := twinOf(turns, key); twin != nil && r.group != nil {
			t.s, t.g, t.twins = twin.s, twin.g, twin.twins
			if twin.newOnly {
				t.twins++
			}
		} else if t.s, err = tx.Stream(key); err != nil {
			return nil, false, err
		}
		if r.group != nil && t.g == nil {
			var ok bool
			if t.g, ok, err = t.s.Group(r.group); err != nil {
				return nil, false, err
			} else if !ok {
				return nil, false, errorf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", key, r.group)
			}
		}
		if err := t.start(r, r.ids[i]); err != nil {
			return nil, false, err
		}
		waits = waits || !t.history
		some := t.history
		if !some {
			if some, err = t.hasNew(r.count); err != nil {
				return nil, false, err
			}
		}
		if some {
			turns = append(turns, t)
		} else if r.group != nil && !c.serving {
			if err := c.greet(tx, &t, r); err != nil {
				return nil, false, err
			}
		}
	}
	return turns, waits, nil
}

// start reads the ID of a stream.
func (t *streamTurn) start(r *streamRead, id []byte) (err error) {
	switch string(id) {
	case "$":
		if r.group != nil {
			return Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
		}
		t.after = t.s.Last()
		return nil
	case "+":
		if r.group != nil {
			return Error("ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.")
		}
		return t.startLast()
	case ">":
		if r.group == nil {
			return Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
		}
		t.after, t.newOnly = t.g.Last, true
		return nil
	}
	t.after, err = strictID(id, 0)
	t.history = r.group != nil
	return err
}

// startLast is the ID "+" (Redis 7.4): the last entry that is there, or if there is
// none what comes next.
func (t *streamTurn) startLast() error {
	t.after = t.s.Last()
	if !t.s.Live() {
		return nil
	}
	w := t.s.Walk(storage.StreamID{}, format.MaxStreamID, true)
	if w.Next() {
		t.after, _ = w.ID().Prev() // 0-0 is no entry's
	}
	return w.Close()
}

// hasNew reports whether there is an entry to read, after those that the turns before take.
func (t *streamTurn) hasNew(count int64) (bool, error) {
	from, ok := t.after.Next()
	if !ok || !t.s.Live() || t.s.Last().Less(from) {
		return false, nil
	}
	if t.twins > 0 && count <= 0 {
		return false, nil
	}
	w := t.s.Walk(from, format.MaxStreamID, false)
	some := w.Next()
	for taken := t.twins * count; some && taken > 0; taken-- {
		some = w.Next()
	}
	return some, w.Close()
}

// pinTop replaces "$", and "+" of a stream without entries, by what it means now, for the command may run again later.
func (c *Call) pinTop(tx *storage.Tx, r *streamRead) {
	first := len(c.Args) - len(r.ids)
	for i, id := range r.ids {
		if string(id) != "$" && string(id) != "+" {
			continue
		}
		s, err := tx.Stream(r.keys[i])
		if err != nil {
			continue
		}
		if &c.Args[first] == &r.ids[0] {
			c.Args = slices.Clone(c.Args)
		}
		last := s.Last()
		c.Args[first+i] = fmt.Appendf(nil, "%d-%d", last.MS, last.Seq)
	}
}

// greet notes that a consumer asked, and makes it if it is new.
func (c *Call) greet(tx *storage.Tx, t *streamTurn, r *streamRead) error {
	consumer, ok, err := t.g.Consumer(r.consumer)
	if err != nil {
		return err
	}
	if !ok {
		consumer = t.g.AddConsumer(r.consumer, c.Now)
		noteConsumer(tx, t.key)
	}
	consumer.Seen = uint64(c.Now)
	consumer.Save()
	if !ok {
		t.g.Save()
		t.s.Create() // the key has changed
		t.s.Save()
	}
	t.consumer = consumer
	return nil
}

// readTurn replies with the entries of one stream.
func (c *Call) readTurn(tx *storage.Tx, t *streamTurn, r *streamRead) error {
	if t.newOnly {
		t.after = t.g.Last // a turn before may have read on
	}
	from, _ := t.after.Next()
	if t.g == nil {
		_, err := c.streamRange(t.s, from, format.MaxStreamID, r.count, false, nil)
		return err
	}
	if err := c.greet(tx, t, r); err != nil {
		return err
	}
	if t.history {
		return c.history(t, r)
	}
	n, err := c.streamRange(t.s, from, format.MaxStreamID, r.count, false, func(id storage.StreamID) error { return c.deliver(t, r, id) })
	if err != nil {
		return err
	}
	if n > 0 {
		t.consumer.Active = c.Now
	}
	t.consumer.Save()
	t.g.Save()
	t.s.Create()
	t.s.Save()
	return nil
}

// deliver gives a new entry to the consumer.
func (c *Call) deliver(t *streamTurn, r *streamRead, id storage.StreamID) error {
	t.g.StreamGroup = readOn(t.s, t.g.StreamGroup, id)
	if r.noAck {
		return nil
	}
	old, had, err := t.g.PendingOf(id) // after XGROUP SETID to an older entry
	if err != nil {
		return err
	}
	if had && old.CID != t.consumer.CID {
		if err := t.g.Lose(old); err != nil {
			return err
		}
	}
	if !had {
		t.g.Pending++
	}
	if !had || old.CID != t.consumer.CID {
		t.consumer.Pending++
	}
	t.g.Give(storage.Pending{ID: id, StreamPending: format.StreamPending{CID: t.consumer.CID, Time: uint64(c.Now), Count: 1}}, old.CID, had)
	return nil
}

// readOn moves a group on to an entry that it reads, with its count of entries read as Redis keeps it.
func readOn(s *storage.Stream, g format.StreamGroup, id storage.StreamID) format.StreamGroup {
	if !g.Last.Less(id) {
		return g
	}
	if g.Read != -1 && !tombstonesAfter(s, id) {
		g.Read++
	} else if s.Added() != 0 {
		g.Read = readUpTo(s, id)
	}
	g.Last = id
	return g
}

// tombstonesAfter reports whether entries from an id on may have been deleted.
func tombstonesAfter(s *storage.Stream, id storage.StreamID) bool {
	return s.Len() > 0 && !s.Deleted().IsZero() && !s.Deleted().Less(id)
}

// readUpTo is how many entries were added up to an id, -1 if that cannot be known.
func readUpTo(s *storage.Stream, id storage.StreamID) int64 {
	added := int64(s.Added())
	switch {
	case added == 0:
		return 0
	case s.Len() == 0 && !s.Last().Less(id), id == s.Last():
		return added
	case s.Last().Less(id):
		return -1
	}
	if s.Deleted().IsZero() || s.Deleted().Less(s.First()) {
		switch {
		case id.Less(s.First()):
			return added - s.Len()
		case id == s.First():
			return added - s.Len() + 1
		}
	}
	return -1
}

// history replies with entries that the consumer has, deleted ones as null.
func (c *Call) history(t *streamTurn, r *streamRead) error {
	head, n := c.Out.Len(), int64(0)
	from, ok := t.after.Next()
	if ok {
		err := t.consumer.EachOwned(from, func(id storage.StreamID) (bool, error) {
			fields, ok, err := t.s.Fields(id)
			n++
			switch {
			case err != nil:
				return false, err
			case ok:
				c.streamEntry(id, fields)
				return n != r.count, c.redelivered(t, id)
			}
			c.Out.Array(2)
			c.streamID(id)
			c.Out.NullArray()
			return n != r.count, nil
		})
		if err != nil {
			return err
		}
	}
	c.Out.ArrayAt(head, int(n))
	return nil
}

// redelivered counts that a consumer was given an entry again.
func (c *Call) redelivered(t *streamTurn, id storage.StreamID) error {
	p, ok, err := t.g.PendingOf(id)
	if err != nil || !ok {
		return err
	}
	p.Time = uint64(c.Now)
	p.Count++
	t.g.Again(t.consumer, p)
	return nil
}
