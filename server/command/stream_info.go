package command

import (
	"cobble/storage"
	"cobble/storage/format"
)

func streamInfoSubcommands() []Command {
	key := Key(KeyRO|KeyAccess, 2, 2, 1)
	return []Command{
		{Name: "stream", Arity: -3, Flags: ReadOnly, Keys: key, Since: "5.0.0", Complexity: "O(1)", Summary: "Tells about a stream.", Run: xinfoStream},
		{Name: "groups", Arity: 3, Flags: ReadOnly, Keys: key, Since: "5.0.0", Complexity: "O(1)", Summary: "Tells about the groups of a stream.", Run: xinfoGroups},
		{Name: "consumers", Arity: 4, Flags: ReadOnly, Keys: key, Since: "5.0.0", Complexity: "O(1)", Tips: anyOutput, Summary: "Tells about the consumers of a group.", Run: xinfoConsumers},
		{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Complexity: "O(1)", Summary: "Returns helpful text about the different subcommands.", Serve: helpOf("XINFO", xinfoHelp)},
	}
}

func (c *Call) field(name string) { c.Out.BulkString(name) }

// streamNodes is how many nodes Redis would keep a stream in.
func (c *Call) streamNodes(s *storage.Stream) int64 {
	node := max(c.Env.Config.Int("stream-node-max-entries"), 1)
	return (s.Len() + node - 1) / node
}

func xinfoStream(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[2])
	if err != nil {
		return err
	}
	if !s.Live() {
		return ErrNoKey
	}
	full, count := false, int64(10)
	if len(c.Args) > 3 {
		if !equalFold(c.Args[3], "full") {
			return c.badSubcommand()
		}
		full = true
		switch {
		case len(c.Args) == 4:
		case len(c.Args) == 6 && equalFold(c.Args[4], "count"):
			var ok bool
			if count, ok = storage.ParseInt(c.Args[5]); !ok {
				return ErrNotInteger
			}
			count = max(count, 0)
		default:
			return c.badSubcommand()
		}
	}
	if full {
		return c.streamFull(s, count)
	}
	c.Out.Map(10)
	c.streamFacts(s)
	c.field("groups")
	c.Out.Int(s.Groups())
	for _, end := range []struct {
		name string
		back bool
	}{{"first-entry", false}, {"last-entry", true}} {
		c.field(end.name)
		w := s.Walk(storage.StreamID{}, format.MaxStreamID, end.back)
		if w.Next() {
			c.streamEntry(w.ID(), w.Fields())
		} else {
			c.Out.Null()
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// streamFacts replies with seven fields that both forms of XINFO STREAM have.
func (c *Call) streamFacts(s *storage.Stream) {
	c.field("length")
	c.Out.Int(s.Len())
	nodes := c.streamNodes(s)
	c.field("radix-tree-keys")
	c.Out.Int(nodes)
	c.field("radix-tree-nodes")
	c.Out.Int(nodes + 1)
	c.field("last-generated-id")
	c.streamID(s.Last())
	c.field("max-deleted-entry-id")
	c.streamID(s.Deleted())
	c.field("entries-added")
	c.Out.Int(int64(s.Added()))
	c.field("recorded-first-entry-id")
	c.streamID(s.First())
}

func (c *Call) streamFull(s *storage.Stream, count int64) error {
	if count == 0 {
		count = -1
	}
	c.Out.Map(9)
	c.streamFacts(s)
	c.field("entries")
	if _, err := c.streamRange(s, storage.StreamID{}, format.MaxStreamID, count, false, nil); err != nil {
		return err
	}
	c.field("groups")
	c.Out.Array(int(s.Groups()))
	return s.EachGroup(func(g *storage.Group) error {
		c.Out.Map(7)
		c.field("name")
		c.Out.Bulk(g.Name)
		c.field("last-delivered-id")
		c.streamID(g.Last)
		c.groupProgress(s, g)
		c.field("pel-count")
		c.Out.Int(int64(g.Pending))
		return c.groupFull(g, count)
	})
}

// groupFull replies with what is pending in a group, and with its consumers.
func (c *Call) groupFull(g *storage.Group, count int64) error {
	names, err := namesOf(g)
	if err != nil {
		return err
	}
	c.field("pending")
	head, n := c.Out.Len(), int64(0)
	err = g.EachPending(storage.StreamID{}, func(p storage.Pending) (bool, error) {
		c.Out.Array(4)
		c.streamID(p.ID)
		c.Out.Bulk(names[p.CID])
		c.Out.Int(int64(p.Time))
		c.Out.Int(int64(p.Count))
		n++
		return n != count, nil
	})
	if err != nil {
		return err
	}
	c.Out.ArrayAt(head, int(n))
	c.field("consumers")
	c.Out.Array(len(names))
	return g.EachConsumer(func(consumer *storage.Consumer) error {
		c.Out.Map(5)
		c.field("name")
		c.Out.Bulk(consumer.Name)
		c.field("seen-time")
		c.Out.Int(int64(consumer.Seen))
		c.field("active-time")
		c.Out.Int(consumer.Active)
		c.field("pel-count")
		c.Out.Int(int64(consumer.Pending))
		c.field("pending")
		head, n := c.Out.Len(), int64(0)
		err := consumer.EachOwned(storage.StreamID{}, func(id storage.StreamID) (bool, error) {
			p, _, err := g.PendingOf(id)
			if err != nil {
				return false, err
			}
			c.Out.Array(3)
			c.streamID(id)
			c.Out.Int(int64(p.Time))
			c.Out.Int(int64(p.Count))
			n++
			return n != count, nil
		})
		c.Out.ArrayAt(head, int(n))
		return err
	})
}

// groupProgress replies with how much a group has read, and how much it has yet to.
func (c *Call) groupProgress(s *storage.Stream, g *storage.Group) {
	c.field("entries-read")
	if g.Read == -1 {
		c.Out.Null()
	} else {
		c.Out.Int(g.Read)
	}
	c.field("lag")
	lag, known := int64(0), true
	switch {
	case s.Added() == 0:
	case g.Read != -1 && !tombstonesAfter(s, g.Last):
		lag = int64(s.Added()) - g.Read
	default:
		read := readUpTo(s, g.Last)
		lag, known = int64(s.Added())-read, read != -1
	}
	if known {
		c.Out.Int(lag)
	} else {
		c.Out.Null()
	}
}

func xinfoGroups(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[2])
	if err != nil {
		return err
	}
	if !s.Live() {
		return ErrNoKey
	}
	c.Out.Array(int(s.Groups()))
	return s.EachGroup(func(g *storage.Group) error {
		consumers := 0
		if err := g.EachConsumer(func(*storage.Consumer) error { consumers++; return nil }); err != nil {
			return err
		}
		c.Out.Map(6)
		c.field("name")
		c.Out.Bulk(g.Name)
		c.field("consumers")
		c.Out.Int(int64(consumers))
		c.field("pending")
		c.Out.Int(int64(g.Pending))
		c.field("last-delivered-id")
		c.streamID(g.Last)
		c.groupProgress(s, g)
		return nil
	})
}

func xinfoConsumers(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[2])
	if err != nil {
		return err
	}
	if !s.Live() {
		return ErrNoKey
	}
	g, ok, err := s.Group(c.Args[3])
	if err != nil {
		return err
	}
	if !ok {
		return errorf("NOGROUP No such consumer group '%s' for key name '%s'", c.Args[3], c.Args[2])
	}
	head, n := c.Out.Len(), 0
	err = g.EachConsumer(func(consumer *storage.Consumer) error {
		n++
		c.Out.Map(4)
		c.field("name")
		c.Out.Bulk(consumer.Name)
		c.field("pending")
		c.Out.Int(int64(consumer.Pending))
		c.field("idle")
		c.Out.Int(max(c.Now-int64(consumer.Seen), 0))
		c.field("inactive")
		if consumer.Active == -1 {
			c.Out.Int(-1)
		} else {
			c.Out.Int(max(c.Now-consumer.Active, 0))
		}
		return nil
	})
	c.Out.ArrayAt(head, n)
	return err
}

const xinfoHelp = `
CONSUMERS <key> <groupname>
    Show consumers of <groupname>.
GROUPS <key>
    Show the stream consumer groups.
STREAM <key> [FULL [COUNT <count>]
    Show information about the stream.`
