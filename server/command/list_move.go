package command

import (
	"math"
	"strings"

	"cobble/storage"
)

// end reads LEFT or RIGHT, of a command of sorted sets MIN or MAX.
func (c *Call) end(arg []byte) (storage.End, error) {
	first, last := "left", "right"
	if strings.HasSuffix(c.Cmd.Name, "zmpop") {
		first, last = "min", "max"
	}
	switch {
	case equalFold(arg, first):
		return storage.Head, nil
	case equalFold(arg, last):
		return storage.Tail, nil
	}
	return storage.Head, ErrSyntax
}

// lmove is LMOVE and RPOPLPUSH.
func lmove(c *Call, tx *storage.Tx) error {
	from, to := storage.Tail, storage.Head
	if c.Cmd.Name == "lmove" {
		var err error
		if from, err = c.end(c.Args[3]); err != nil {
			return err
		}
		if to, err = c.end(c.Args[4]); err != nil {
			return err
		}
	}
	value, ok, err := tx.ListMove(c.Args[1], c.Args[2], from, to)
	c.bulkOrNull(value, ok)
	return err
}

// multiPop are the arguments of LMPOP behind its keys.
type multiPop struct {
	keys  [][]byte
	end   storage.End
	count int64
}

// multiPopArgs reads NUMKEYS, which stands at an index, and all that follows.
func (c *Call) multiPopArgs(at int) (m multiPop, err error) {
	n, ok := storage.ParseInt(c.Args[at])
	if !ok || n < 1 {
		return m, Error("ERR numkeys should be greater than 0")
	}
	if n >= int64(len(c.Args)-at-1) {
		return m, ErrSyntax
	}
	m.keys, m.count = c.Args[at+1:at+1+int(n)], 1
	rest := c.Args[at+1+int(n):]
	if m.end, err = c.end(rest[0]); err != nil {
		return m, err
	}
	switch {
	case len(rest) == 1:
	case len(rest) < 3 || !equalFold(rest[1], "count"):
		return m, ErrSyntax
	default:
		if m.count, ok = storage.ParseInt(rest[2]); !ok || m.count < 1 {
			return m, Error("ERR count should be greater than 0")
		}
		if len(rest) > 3 {
			return m, ErrSyntax
		}
	}
	return m, nil
}

func checkMultiPop(c *Call) error {
	_, err := c.multiPopArgs(1)
	return err
}

func lmpop(c *Call, tx *storage.Tx) error {
	m, err := c.multiPopArgs(1)
	if err != nil {
		return err
	}
	done, err := c.popFirst(tx, m)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}

// popFirst takes elements off the first of the lists that has any and writes its
// name and them; it reports whether one had.
func (c *Call) popFirst(tx *storage.Tx, m multiPop) (bool, error) {
	for _, key := range m.keys {
		if !c.mayAsk(tx, key) {
			continue
		}
		l, err := tx.List(key)
		if err != nil {
			return false, err
		}
		if !l.Live() {
			continue
		}
		c.Out.Array(2)
		c.Out.Bulk(key)
		c.Out.Array(int(min(m.count, l.Len(), math.MaxInt32)))
		if err := l.Pop(m.end, m.count, func(v []byte) { c.Out.Bulk(v) }); err != nil {
			return false, err
		}
		l.Save()
		return true, nil
	}
	return false, nil
}
