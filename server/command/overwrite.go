package command

import "cobble/storage"

// overwriting is what a session keeps for SETs that are no more than new bytes in a row.
type overwriting struct {
	room   storage.Overwrite
	misses uint8 // in a row
	skip   uint8 // so many are not tried
}

// overwriteSkips bounds how many SETs are not tried after one that was something else: as
// a power of two. A try in vain costs a twentieth of a SET.
const overwriteSkips = 6

// overwrite executes a SET without options where that takes no more than new bytes in a
// row, and replies. If it reports false nothing has happened, and Run will do.
func (c *Call) overwrite() bool {
	if !c.NoWait || len(c.Args) != 3 || c.Client.track.on {
		return false
	}
	o := &c.over
	if o.skip > 0 {
		o.skip--
		return false
	}
	looked := c.atLook
	c.one[0] = c.slotOf(c.Args[1])
	lsn, done := c.Env.Engine.Overwrite(&o.room, c.Now, c.one[0], c.Args[1], c.Args[2], (*servedHere)(c))
	if !done {
		c.atLook = looked
		o.misses = min(o.misses+1, overwriteSkips)
		o.skip = 1 << o.misses
		return false
	}
	o.misses = 0
	c.seen(lsn)
	c.Out.OK()
	return true
}

// servedHere asks, with the slot locked, whether this node serves it.
type servedHere Call

// Open implements storage.Gate.
func (g *servedHere) Open() bool {
	c := (*Call)(g)
	return c.view().Serves(c.one[0])
}
