package command

import (
	"math"

	"cobble/storage"
	"cobble/storage/format"
)

const errNoStream Error = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."

func groupSubcommands() []Command {
	key := func(flags KeyFlags) []KeySpec { return Key(KeyRW|flags, 2, 2, 1) }
	return []Command{
		{Name: "create", Arity: -5, Flags: Write | DenyOOM, Keys: key(KeyInsert), Since: "5.0.0", Complexity: "O(1)", Summary: "Makes a group of consumers.", Run: xgroupCreate},
		{Name: "setid", Arity: -5, Flags: Write, Keys: key(KeyUpdate), Since: "5.0.0", Complexity: "O(1)", Summary: "Sets the last entry that a group has read.", Run: xgroupSetID},
		{Name: "destroy", Arity: 4, Flags: Write, Keys: key(KeyDelete), Since: "5.0.0",
			Complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).", Summary: "Removes a group of consumers.", Run: xgroupDestroy},
		{Name: "createconsumer", Arity: 5, Flags: Write | DenyOOM, Keys: key(KeyInsert), Since: "6.2.0", Complexity: "O(1)", Summary: "Makes a consumer of a group.", Run: xgroupCreateConsumer},
		{Name: "delconsumer", Arity: 5, Flags: Write, Keys: key(KeyDelete), Since: "5.0.0", Complexity: "O(1)", Summary: "Removes a consumer of a group.", Run: xgroupDelConsumer},
		{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Complexity: "O(1)", Summary: "Returns helpful text about the different subcommands.", Serve: helpOf("XGROUP", xgroupHelp)},
	}
}

// groupOptions reads MKSTREAM and ENTRIESREAD.
func (c *Call) groupOptions(create bool) (make bool, read int64, err error) {
	read = -1
	for i := 5; i < len(c.Args); i++ {
		switch {
		case create && equalFold(c.Args[i], "mkstream"):
			make = true
		case equalFold(c.Args[i], "entriesread") && i+1 < len(c.Args):
			i++
			var ok bool
			if read, ok = storage.ParseInt(c.Args[i]); !ok {
				return false, 0, ErrNotInteger
			}
			if read < -1 {
				return false, 0, Error("ERR value for ENTRIESREAD must be positive or -1")
			}
		default:
			return false, 0, c.badSubcommand()
		}
	}
	return make, read, nil
}

// groupStart reads the ID that a group has read up to; "$" is the last one. XGROUP SETID takes "-" and "+", too.
func groupStart(s *storage.Stream, arg []byte, strict bool) (storage.StreamID, error) {
	if string(arg) == "$" {
		return s.Last(), nil
	}
	id, anySeq, err := parseStreamID(arg, 0, strict)
	if err == nil && anySeq {
		err = errStreamID
	}
	return id, err
}

func xgroupCreate(c *Call, tx *storage.Tx) error {
	make, read, err := c.groupOptions(true)
	if err != nil {
		return err
	}
	s, err := tx.Stream(c.Args[2])
	if err != nil {
		return err
	}
	if !s.Live() && !make {
		return errNoStream
	}
	if len(c.Args) > 8 { // an option came twice
		return c.badSubcommand()
	}
	last, err := groupStart(s, c.Args[4], true)
	if err != nil {
		return err
	}
	if _, ok, err := s.Group(c.Args[3]); err != nil || ok {
		if err == nil {
			err = Error("BUSYGROUP Consumer Group name already exists")
		}
		return err
	}
	s.AddGroup(c.Args[3], last, read)
	s.Save()
	c.Out.OK()
	return nil
}

// xgroup returns the stream and the group that an XGROUP command names.
func (c *Call) xgroup(tx *storage.Tx, must bool) (*storage.Stream, *storage.Group, bool, error) {
	s, err := tx.Stream(c.Args[2])
	if err != nil {
		return nil, nil, false, err
	}
	if !s.Live() {
		return nil, nil, false, errNoStream
	}
	g, ok, err := s.Group(c.Args[3])
	if err == nil && !ok && must {
		err = errorf("NOGROUP No such consumer group '%s' for key name '%s'", c.Args[3], c.Args[2])
	}
	return s, g, ok, err
}

func xgroupSetID(c *Call, tx *storage.Tx) error {
	_, read, err := c.groupOptions(false)
	if err != nil {
		return err
	}
	s, g, _, err := c.xgroup(tx, true)
	if err != nil {
		return err
	}
	if n := len(c.Args); n != 5 && n != 7 {
		return c.badSubcommand()
	}
	last, err := groupStart(s, c.Args[4], false)
	if err != nil {
		return err
	}
	g.Last, g.Read = last, read
	g.Save()
	s.Create()
	s.Save()
	c.Out.OK()
	return nil
}

func xgroupDestroy(c *Call, tx *storage.Tx) error {
	s, g, ok, err := c.xgroup(tx, false)
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Int(0)
		return nil
	}
	if err := g.Destroy(); err != nil {
		return err
	}
	s.Save()
	c.Out.Int(1)
	return nil
}

func xgroupCreateConsumer(c *Call, tx *storage.Tx) error {
	s, g, _, err := c.xgroup(tx, true)
	if err != nil {
		return err
	}
	_, ok, err := g.Consumer(c.Args[4])
	if err != nil {
		return err
	}
	if ok {
		c.Out.Int(0)
		return nil
	}
	g.AddConsumer(c.Args[4], c.Now).Save()
	g.Save()
	s.Create()
	s.Save()
	c.Out.Int(1)
	return nil
}

func xgroupDelConsumer(c *Call, tx *storage.Tx) error {
	s, g, _, err := c.xgroup(tx, true)
	if err != nil {
		return err
	}
	consumer, ok, err := g.Consumer(c.Args[4])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Int(0)
		return nil
	}
	pending := consumer.Pending
	if err := consumer.Remove(); err != nil {
		return err
	}
	g.Save()
	s.Create()
	s.Save()
	c.Out.Int(int64(pending))
	return nil
}

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

const xgroupHelp = `
CREATE <key> <groupname> <id|$> [option]
    Create a new consumer group. Options are:
    * MKSTREAM
      Create the empty stream if it does not exist.
    * ENTRIESREAD entries_read
      Set the group's entries_read counter (internal use).
CREATECONSUMER <key> <groupname> <consumer>
    Create a new consumer in the specified group.
DELCONSUMER <key> <groupname> <consumer>
    Remove the specified consumer.
DESTROY <key> <groupname>
    Remove the specified group.
SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]
    Set the current group ID and entries_read counter.`
