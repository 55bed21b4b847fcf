package command

import "cobble/storage"

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
