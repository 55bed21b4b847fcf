package command

import "cobble/storage"

// overwriting is what a session keeps for commands that are no more than new bytes in a row.
type overwriting struct {
	room   storage.Overwrite
	misses uint8 // in a row
	skip   uint8 // so many are not tried
}

// overwriteSkips bounds how many commands are not tried after one that was something else: as
// a power of two. A try in vain costs a twentieth of a SET.
const overwriteSkips = 6

// overwrite executes a SET without options, an INCR or one of its like where that takes no more
// than new bytes in a row, and replies. If it reports false nothing has happened, and Run will do.
func (c *Call) overwrite() bool {
	add := c.Cmd.addend
	if !c.NoWait || add == nil && len(c.Args) != 3 || c.Client.track.on {
		return false
	}
	o := &c.over
	if o.skip > 0 {
		o.skip--
		return false
	}
	looked := c.atLook
	slot := c.slotOf(c.Args[1])
	c.one[0] = slot
	var lsn storage.LSN
	var done bool
	if add == nil {
		if lsn, done = c.Env.Engine.Overwrite(&o.room, c.Now, slot, c.Args[1], c.Args[2], (*servedHere)(c)); done {
			c.Out.OK()
		}
	} else if by, err := add(c.Args); err == nil {
		var sum int64
		if sum, lsn, done = c.Env.Engine.OverwriteSum(&o.room, c.Now, slot, c.Args[1], by, (*servedHere)(c)); done {
			c.Out.Int(sum)
		}
	}
	if !done {
		c.atLook = looked
		o.misses = min(o.misses+1, overwriteSkips)
		o.skip = 1 << o.misses
		return false
	}
	o.misses = 0
	c.seen(lsn)
	return true
}

// servedHere asks, with the slot locked, whether this node serves it.
type servedHere Call

// Open implements storage.Gate.
func (g *servedHere) Open() bool {
	c := (*Call)(g)
	return c.view().Serves(c.one[0])
}
