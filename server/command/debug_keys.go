package command

import (
	"fmt"
	"math"

	"cobble/storage"
	"cobble/storage/format"
)

const errNotPositive Error = "ERR value is out of range, must be positive"

func parsePositive(arg []byte) (int64, error) {
	n, ok := storage.ParseInt(arg)
	if !ok || n < 0 {
		return 0, errNotPositive
	}
	return n, nil
}

// debugPopulate is DEBUG POPULATE count [prefix] [size].
func debugPopulate(c *Call) error {
	count, err := parsePositive(c.Args[2])
	if err != nil {
		return err
	}
	prefix, size := "key", int64(0)
	if len(c.Args) > 3 {
		prefix = string(c.Args[3])
	}
	if len(c.Args) > 4 {
		if size, err = parsePositive(c.Args[4]); err != nil {
			return err
		}
	}
	if size > storage.MaxString {
		return storage.ErrTooLarge
	}
	if err := c.populate(count, prefix, int(size)); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// debugObject is DEBUG OBJECT key: one line about how a value is kept.
func debugObject(c *Call) error {
	return c.debugValue(func(tx *storage.Tx, e *storage.Entry) error {
		m := &e.Meta
		size, layout := uint64(len(m.Inline)), "inline"
		if m.Layout != format.Inline {
			size, layout = m.Bytes, "rows"
		}
		idle, _, _ := tx.IdleTime(c.Args[2])
		c.Out.Status(fmt.Sprintf("Value at:0x%x refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d layout:%s version:%d",
			m.OID, m.Enc, min(size, math.MaxInt64), (c.Now/1000-int64(idle))&(1<<24-1), idle, layout, m.Version))
		return nil
	})
}
