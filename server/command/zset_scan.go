package command

import (
	"math"

	"cobble/server/resp"
	"cobble/storage"
)

func zscan(c *Call, tx *storage.Tx) error {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		return errCursor
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	// Redis prints what a listpack holds, but rounds what a skip list holds.
	text := resp.AppendDouble
	if !z.Packed() {
		text = storage.AppendLongText
	}
	return c.scanElements(z.Live(), func(count int64, f func(name, value []byte)) (uint64, error) {
		var room [32]byte
		return z.Scan(cursor, count, func(member []byte, score float64) { f(member, text(room[:0], score)) })
	})
}

func zrandmember(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 2 {
		z, err := tx.ZSet(c.Args[1])
		if err == nil && !z.Live() {
			c.Out.Null()
		}
		if err != nil {
			return err
		}
		return z.Random(1, func(member []byte, _ float64) { c.Out.Bulk(member) })
	}
	count, ok := storage.ParseInt(c.Args[2])
	withScores := len(c.Args) == 4
	switch {
	case !ok:
		return ErrNotInteger
	case count == math.MinInt64:
		return errRandomRange
	case len(c.Args) > 4 || withScores && !fold(c.Args[3], "withscores"):
		return ErrSyntax
	case withScores && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		return ErrOutOfRange
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if !z.Live() || count == 0 {
		c.Out.Array(0)
		return nil
	}
	if err := c.long(max(min(count, z.Len()), -count)); err != nil {
		return err
	}
	emit := func(member []byte, score float64) { c.scored(member, score, withScores) }
	if count > 0 {
		count = min(count, z.Len())
		c.scoredArray(count, withScores)
		return z.RandomDistinct(count, emit)
	}
	if count < -maxRandom {
		return ErrOutOfRange
	}
	c.scoredArray(-count, withScores)
	return z.Random(-count, emit)
}

// scoredArray begins a reply of n members: with scores in RESP3 an array of pairs,
// in RESP2 one twice as long.
func (c *Call) scoredArray(n int64, withScores bool) {
	if withScores && c.Out.Proto() == 2 {
		n *= 2
	}
	c.Out.Array(int(n))
}

// scored writes one of them.
func (c *Call) scored(member []byte, score float64, withScores bool) {
	if withScores && c.Out.Proto() == 3 {
		c.Out.Array(2)
	}
	c.Out.Bulk(member)
	if withScores {
		c.Out.Double(score)
	}
}
