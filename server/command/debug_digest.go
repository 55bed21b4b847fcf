package command

import (
	"encoding/hex"

	"cobble/slots"
	"cobble/storage"
)

// debugDigest sums up all keys of this node; zeros stand for none.
func debugDigest(c *Call) error {
	sum, lsn, err := c.Env.Engine.Digest(c.Now, nil)
	c.seen(lsn)
	if err != nil {
		return digestError(err)
	}
	c.Out.Status(hex.EncodeToString(sum[:]))
	return nil
}

// debugDigestValue sums up values, each by itself; zeros stand for no key.
func debugDigestValue(c *Call) error {
	keys := c.Args[2:]
	sums := make([]storage.Digest, len(keys))
	for i, key := range keys {
		if err := c.viewSlot(slots.Of(key), func(tx *storage.Tx) (err error) {
			sums[i], err = tx.DigestValue(key)
			return err
		}); err != nil {
			return digestError(err)
		}
	}
	c.Out.Array(len(sums))
	for i := range sums {
		c.Out.Status(hex.EncodeToString(sums[i][:]))
	}
	return nil
}

func digestError(err error) error {
	if err == storage.ErrUnknownValue {
		return Error("ERR DEBUG DIGEST does not support all types of the values yet")
	}
	return err
}
