package command

import (
	"math"

	"cobble/storage"
	"cobble/storage/format"
)

// claiming is what XCLAIM was asked for.
type claiming struct {
	minIdle, at   int64 // milliseconds; at is the time the claimed entries are said to be delivered
	retry         int64 // -1: one more
	force, justID bool
	last          storage.StreamID
	ids           []storage.StreamID
}

func (c *Call) claimArguments() (a claiming, err error) {
	a.retry, a.at = -1, c.Now
	var ok bool
	if a.minIdle, ok = storage.ParseInt(c.Args[4]); !ok {
		return a, Error("ERR Invalid min-idle-time argument for XCLAIM")
	}
	a.minIdle = max(a.minIdle, 0)
	at := 5
	for ; at < len(c.Args); at++ {
		id, err := strictID(c.Args[at], 0)
		if err != nil {
			break
		}
		a.ids = append(a.ids, id)
	}
	for ; at < len(c.Args); at++ {
		arg, more := c.Args[at], at+1 < len(c.Args)
		switch {
		case equalFold(arg, "force"):
			a.force = true
		case equalFold(arg, "justid"):
			a.justID = true
		case more && equalFold(arg, "idle"):
			at++
			n, ok := storage.ParseInt(c.Args[at])
			if !ok {
				return a, Error("ERR Invalid IDLE option argument for XCLAIM")
			}
			a.at = c.Now - n
		case more && equalFold(arg, "time"):
			at++
			if a.at, ok = storage.ParseInt(c.Args[at]); !ok {
				return a, Error("ERR Invalid TIME option argument for XCLAIM")
			}
		case more && equalFold(arg, "retrycount"):
			at++
			if a.retry, ok = storage.ParseInt(c.Args[at]); !ok {
				return a, Error("ERR Invalid RETRYCOUNT option argument for XCLAIM")
			}
		case more && equalFold(arg, "lastid"):
			at++
			if a.last, err = strictID(c.Args[at], 0); err != nil {
				return a, err
			}
		default:
			return a, errorf("ERR Unrecognized XCLAIM option '%s'", arg)
		}
	}
	if a.at < 0 || a.at > c.Now {
		a.at = c.Now
	}
	return a, nil
}

func xclaim(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g, ok, err := s.Group(c.Args[2])
	if err != nil {
		return err
	}
	if !ok {
		return errorf("NOGROUP No such key '%s' or consumer group '%s'", c.Args[1], c.Args[2])
	}
	a, err := c.claimArguments()
	if err != nil {
		return err
	}
	if g.Last.Less(a.last) {
		g.Last = a.last
	}
	to, err := c.claimant(tx, g, c.Args[3])
	if err != nil {
		return err
	}
	head, n := c.Out.Len(), 0
	for _, id := range a.ids {
		claimed, err := c.claim(s, g, to, &a, id)
		if err != nil {
			return err
		}
		if claimed {
			n++
			to.Active = c.Now
		}
	}
	c.Out.ArrayAt(head, n)
	to.Save()
	g.Save()
	s.Create()
	s.Save()
	return nil
}

// claimant returns the consumer that is to own entries, which is made if there is none.
func (c *Call) claimant(tx *storage.Tx, g *storage.Group, name []byte) (*storage.Consumer, error) {
	to, ok, err := g.Consumer(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		to = g.AddConsumer(name, c.Now)
		noteConsumer(tx, c.Args[1])
	}
	to.Seen = uint64(c.Now)
	return to, nil
}

// noteConsumer tells of a consumer that was made because it was named.
func noteConsumer(tx *storage.Tx, key []byte) { tx.Note(eventStream, "xgroup-createconsumer", key) }

// claim makes a consumer the owner of one entry and replies with it. It reports whether it did.
func (c *Call) claim(s *storage.Stream, g *storage.Group, to *storage.Consumer, a *claiming, id storage.StreamID) (bool, error) {
	p, pending, err := g.PendingOf(id)
	if err != nil {
		return false, err
	}
	has, err := s.Has(id)
	if err != nil {
		return false, err
	}
	if !has {
		if pending { // what is deleted cannot be dealt with any more
			return false, c.forget(g, to, p)
		}
		return false, nil
	}
	switch {
	case !pending && !a.force:
		return false, nil
	case pending && a.minIdle > 0 && c.Now-int64(p.Time) < a.minIdle:
		return false, nil
	}
	if err := c.take(g, to, a, p, pending, id); err != nil {
		return false, err
	}
	return true, c.claimed(s, id, a.justID)
}

// take moves a pending entry to a consumer, or makes it pending.
func (c *Call) take(g *storage.Group, to *storage.Consumer, a *claiming, p storage.Pending, pending bool, id storage.StreamID) error {
	if pending && p.CID != to.CID {
		if err := g.Lose(p); err != nil {
			return err
		}
	}
	if !pending {
		g.Pending++
	}
	if !pending || p.CID != to.CID {
		to.Pending++
	}
	count := p.Count
	switch {
	case a.retry >= 0:
		count = uint64(a.retry)
	case !pending && !a.justID:
		count = 2 // delivered once when it was made pending, and claimed
	case !pending:
		count = 1
	case !a.justID:
		count++
	}
	g.Give(storage.Pending{ID: id, StreamPending: format.StreamPending{CID: to.CID, Time: uint64(a.at), Count: count}}, p.CID, pending)
	return nil
}

// forget ends that an entry is pending which is deleted.
func (c *Call) forget(g *storage.Group, to *storage.Consumer, p storage.Pending) error {
	if p.CID == to.CID {
		to.Pending--
	} else if err := g.Lose(p); err != nil {
		return err
	}
	g.Take(p)
	g.Pending--
	return nil
}

// claimed replies with an entry, or its ID.
func (c *Call) claimed(s *storage.Stream, id storage.StreamID, justID bool) error {
	if justID {
		c.streamID(id)
		return nil
	}
	fields, _, err := s.Fields(id)
	if err != nil {
		return err
	}
	c.streamEntry(id, fields)
	return nil
}

func xautoclaim(c *Call, tx *storage.Tx) error {
	a := claiming{retry: -1, at: c.Now}
	var ok bool
	if a.minIdle, ok = storage.ParseInt(c.Args[4]); !ok {
		return Error("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	}
	a.minIdle = max(a.minIdle, 0)
	from, _, err := interval(c.Args[5], []byte("+"))
	if err != nil {
		return err
	}
	count := int64(100)
	for i := 6; i < len(c.Args); i++ {
		switch {
		case equalFold(c.Args[i], "count") && i+1 < len(c.Args):
			i++
			if count, ok = storage.ParseInt(c.Args[i]); !ok || count <= 0 || count > math.MaxInt64/160 {
				return Error("ERR COUNT must be > 0")
			}
		case equalFold(c.Args[i], "justid"):
			a.justID = true
		default:
			return ErrSyntax
		}
	}
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g, ok, err := s.Group(c.Args[2])
	if err != nil {
		return err
	}
	if !ok {
		return errorf("NOGROUP No such key '%s' or consumer group '%s'", c.Args[1], c.Args[2])
	}
	to, err := c.claimant(tx, g, c.Args[3])
	if err != nil {
		return err
	}
	return c.autoclaim(s, g, to, &a, from, count)
}

// autoclaim walks over pending entries: it claims up to count of those that are old enough, and looks at ten times as
// many.
func (c *Call) autoclaim(s *storage.Stream, g *storage.Group, to *storage.Consumer, a *claiming, from storage.StreamID, count int64) error {
	var pending []storage.Pending
	var next storage.StreamID // where the next call goes on; 0-0: it was the last
	attempts := count * 10
	err := g.EachPending(from, func(p storage.Pending) (bool, error) {
		if int64(len(pending)) == attempts {
			next = p.ID
			return false, nil
		}
		pending = append(pending, p)
		return true, nil
	})
	if err != nil {
		return err
	}
	c.Out.Array(3)
	head, n := c.Out.Len(), int64(0)
	var deleted []storage.StreamID
	for _, p := range pending {
		if count == 0 {
			next = p.ID
			break
		}
		has, err := s.Has(p.ID)
		if err != nil {
			return err
		}
		if !has {
			if err := c.forget(g, to, p); err != nil {
				return err
			}
			deleted = append(deleted, p.ID)
			count--
			continue
		}
		if a.minIdle > 0 && c.Now-int64(p.Time) < a.minIdle {
			continue
		}
		if err := c.take(g, to, a, p, true, p.ID); err != nil {
			return err
		}
		if err := c.claimed(s, p.ID, a.justID); err != nil {
			return err
		}
		n++
		count--
	}
	c.Out.ArrayAt(head, int(n))
	cursor := append([]byte(nil), c.Out.Since(head)...)
	c.Out.CutTo(head)
	c.streamID(next)
	c.Out.Raw(cursor)
	c.Out.Array(len(deleted))
	for _, id := range deleted {
		c.streamID(id)
	}
	if n > 0 {
		to.Active = c.Now
	}
	to.Save()
	g.Save()
	s.Create()
	s.Save()
	return nil
}
