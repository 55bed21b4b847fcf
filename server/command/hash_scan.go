package command

import (
	"math"
	"strconv"

	"cobble/server/glob"
	"cobble/storage"
)

// maxRandom bounds the fields of one HRANDFIELD reply; Redis would run out of memory.
const maxRandom = 1 << 27

const errRandomRange Error = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"

func hscan(c *Call, tx *storage.Tx) error {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		return errCursor
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	return c.scanElements(h.Live(), func(count int64, f func(name, value []byte)) (uint64, error) {
		return h.Scan(cursor, count, f)
	})
}

// scanElements is HSCAN and its like once the key is known: scan calls f with about
// count elements and returns the next cursor. An element of a nil value is replied
// as its name alone.
func (c *Call) scanElements(live bool, scan func(count int64, f func(name, value []byte)) (uint64, error)) error {
	if !live {
		c.Out.Array(2)
		c.Out.BulkString("0")
		c.Out.Array(0)
		return nil
	}
	o, err := parseScan(c.Args[3:], false)
	if err != nil {
		return err
	}
	var found []byte // names and values one after the other, up to each of ends
	var ends []int
	next, err := scan(o.count, func(name, value []byte) {
		if o.match != nil && !glob.Match(o.match, name) {
			return
		}
		found = append(found, name...)
		ends = append(ends, len(found))
		if value != nil {
			found = append(found, value...)
			ends = append(ends, len(found))
		}
	})
	c.Out.Array(2)
	c.Out.BulkString(strconv.FormatUint(next, 10))
	c.Out.Array(len(ends))
	start := 0
	for _, end := range ends {
		c.Out.Bulk(found[start:end])
		start = end
	}
	return err
}

func hrandfield(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 2 {
		return hrandfieldOne(c, tx)
	}
	count, ok := storage.ParseInt(c.Args[2])
	switch withValues := len(c.Args) == 4; {
	case !ok:
		return ErrNotInteger
	case count == math.MinInt64:
		return errRandomRange
	case len(c.Args) > 4 || withValues && !fold(c.Args[3], "withvalues"):
		return ErrSyntax
	case withValues && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		return ErrOutOfRange
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if h.Len() == 0 || count == 0 {
		c.Out.Array(0)
		return nil
	}
	if count > 0 {
		count = min(count, h.Len())
		c.startRandom(count)
		return h.RandomDistinct(count, c.randomField)
	}
	if count < -maxRandom {
		return ErrOutOfRange
	}
	c.startRandom(-count)
	return h.Random(-count, c.randomField)
}

func hrandfieldOne(c *Call, tx *storage.Tx) error {
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if h.Len() == 0 {
		c.Out.Null()
		return nil
	}
	return h.Random(1, func(field, _ []byte) { c.Out.Bulk(field) })
}

// startRandom begins HRANDFIELD's reply of n fields, with values if it has four
// arguments: in RESP3 an array of pairs, in RESP2 one twice as long.
func (c *Call) startRandom(n int64) {
	if len(c.Args) == 4 && c.Out.Proto() == 2 {
		n *= 2
	}
	c.Out.Array(int(n))
}

func (c *Call) randomField(field, value []byte) {
	if len(c.Args) == 4 && c.Out.Proto() == 3 {
		c.Out.Array(2)
	}
	c.Out.Bulk(field)
	if len(c.Args) == 4 {
		c.Out.Bulk(value)
	}
}
