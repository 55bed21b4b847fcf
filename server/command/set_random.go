package command

import (
	"math"

	"cobble/storage"
)

func spop(c *Call, tx *storage.Tx) error {
	count, counted := int64(1), len(c.Args) == 3
	if counted {
		n, ok := storage.ParseInt(c.Args[2])
		if !ok || n < 0 {
			return errNotPositive
		}
		count = n
	} else if len(c.Args) > 3 {
		return ErrSyntax
	}
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	if !counted && !s.Live() {
		c.Out.Null()
		return nil
	}
	count = min(count, s.Len())
	if counted {
		c.Out.Set(int(count))
	}
	if count == 0 {
		return nil
	}
	if err := c.long(count); err != nil {
		return err
	}
	return s.Pop(count, c.Out.Bulk)
}

func srandmember(c *Call, tx *storage.Tx) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	count := int64(1)
	if len(c.Args) == 3 {
		n, ok := storage.ParseInt(c.Args[2])
		switch {
		case !ok:
			return ErrNotInteger
		case n == math.MinInt64:
			return errRandomRange
		}
		count = n
	}
	s, err := tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	if len(c.Args) == 2 {
		if !s.Live() {
			c.Out.Null()
		}
		return s.Random(1, c.Out.Bulk)
	}
	switch {
	case !s.Live() || count == 0:
		c.Out.Array(0)
		return nil
	case count > 0:
		count = min(count, s.Len())
	case count < -maxRandom:
		return ErrOutOfRange
	}
	n := max(count, -count)
	if err := c.long(n); err != nil {
		return err
	}
	c.Out.Array(int(n))
	if count > 0 {
		return s.RandomDistinct(n, c.Out.Bulk)
	}
	return s.Random(n, c.Out.Bulk)
}
