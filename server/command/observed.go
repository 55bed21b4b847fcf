package command

import "cobble/storage"

// runIn runs the command in a transaction, and notes what others want to hear of it. It costs two loads when nobody does.
func (c *Call) runIn(tx *storage.Tx) error {
	tracks := c.Client.track.on
	if !tracks {
		return c.Cmd.Run(c, tx)
	}
	tx.By(c.Client.ID)
	err := c.Cmd.Run(c, tx)
	c.caches(tx)
	return err
}
