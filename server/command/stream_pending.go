package command

import "cobble/storage"

func xack(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g, ok, err := s.Group(c.Args[2])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Int(0)
		return nil
	}
	ids, err := strictIDs(c.Args[3:])
	if err != nil {
		return err
	}
	n := int64(0)
	for _, id := range ids {
		ok, err := g.Acknowledge(id)
		if err != nil {
			return err
		}
		if ok {
			n++
		}
	}
	if n > 0 {
		g.Save()
		s.Create()
		s.Save()
	}
	c.Out.Int(n)
	return nil
}

func xpending(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 3 {
		return c.pendingSummary(tx)
	}
	if len(c.Args) < 6 || len(c.Args) > 9 { // more than a consumer may follow, and is not looked at
		return ErrSyntax
	}
	at, idle := 3, int64(0)
	if equalFold(c.Args[3], "idle") {
		var ok bool
		if idle, ok = storage.ParseInt(c.Args[4]); !ok {
			return ErrNotInteger
		}
		if at = 5; len(c.Args) < 8 {
			return ErrSyntax
		}
	}
	count, ok := storage.ParseInt(c.Args[at+2])
	if !ok {
		return ErrNotInteger
	}
	from, to, err := interval(c.Args[at], c.Args[at+1])
	if err != nil {
		return err
	}
	g, err := c.groupOf(tx)
	if err != nil {
		return err
	}
	var only *storage.Consumer
	if len(c.Args) > at+3 {
		var ok bool
		if only, ok, err = g.Consumer(c.Args[at+3]); err != nil {
			return err
		} else if !ok {
			c.Out.Array(0)
			return nil
		}
	}
	return c.pendingList(g, only, from, to, max(count, 0), idle)
}

// groupOf returns the group that the command names after its key.
func (c *Call) groupOf(tx *storage.Tx) (*storage.Group, error) {
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return nil, err
	}
	g, ok, err := s.Group(c.Args[2])
	if err == nil && !ok {
		err = errorf("NOGROUP No such key '%s' or consumer group '%s'", c.Args[1], c.Args[2])
	}
	return g, err
}

// namesOf returns the names of a group's consumers by their numbers.
func namesOf(g *storage.Group) (map[uint64][]byte, error) {
	names := map[uint64][]byte{}
	err := g.EachConsumer(func(c *storage.Consumer) error { names[c.CID] = c.Name; return nil })
	return names, err
}

func (c *Call) pendingList(g *storage.Group, only *storage.Consumer, from, to storage.StreamID, count, idle int64) error {
	names, err := namesOf(g)
	if err != nil {
		return err
	}
	head, n := c.Out.Len(), int64(0)
	show := func(p storage.Pending) (bool, error) {
		if n == count || to.Less(p.ID) {
			return false, nil
		}
		age := max(c.Now-int64(p.Time), 0)
		if age < idle {
			return true, nil
		}
		c.Out.Array(4)
		c.streamID(p.ID)
		c.Out.Bulk(names[p.CID])
		c.Out.Int(age)
		c.Out.Int(int64(p.Count))
		n++
		return true, nil
	}
	if only == nil {
		err = g.EachPending(from, show)
	} else {
		err = only.EachOwned(from, func(id storage.StreamID) (bool, error) {
			p, _, err := g.PendingOf(id)
			if err != nil {
				return false, err
			}
			return show(p)
		})
	}
	if err == nil {
		c.Out.ArrayAt(head, int(n))
	}
	return err
}

func (c *Call) pendingSummary(tx *storage.Tx) error {
	g, err := c.groupOf(tx)
	if err != nil {
		return err
	}
	c.Out.Array(4)
	c.Out.Int(int64(g.Pending))
	if g.Pending == 0 {
		c.Out.Null()
		c.Out.Null()
		c.Out.NullArray()
		return nil
	}
	var first, last storage.StreamID
	if first, last, err = g.PendingBounds(); err != nil {
		return err
	}
	c.streamID(first)
	c.streamID(last)
	head, n := c.Out.Len(), 0
	err = g.EachConsumer(func(consumer *storage.Consumer) error {
		if consumer.Pending == 0 {
			return nil
		}
		n++
		c.Out.Array(2)
		c.Out.Bulk(consumer.Name)
		c.Out.BulkInt(int64(consumer.Pending))
		return nil
	})
	c.Out.ArrayAt(head, n)
	return err
}
