package command

import "cobble/storage"

// runIn runs the command in a transaction, and notes what others want to hear of it: one load each when nobody does.
func (c *Call) runIn(tx *storage.Tx) error {
	events, tracks := c.Env.Engine.Events(), c.Client.track.on
	if events == 0 && !tracks {
		return c.Cmd.Run(c, tx)
	}
	if tracks {
		tx.By(c.Client.ID)
	}
	mark := tx.Mark()
	if events&eventKeyMiss != 0 {
		if err := c.noteMisses(tx); err != nil {
			return err
		}
	}
	err := c.Cmd.Run(c, tx)
	if tracks {
		c.caches(tx)
	}
	if err == nil && events != 0 && tx.Writable() && !tx.Incomplete() {
		return c.note(tx, mark)
	}
	return err
}
