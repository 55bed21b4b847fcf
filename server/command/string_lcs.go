package command

import (
	"cobble/storage"
)

const (
	errLCSType Error = "ERR The specified keys must contain string values"
	errLCSBoth Error = "ERR If you want both the length and indexes, please just use IDX."
	errLCSSize Error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
)

// lcsOptions are the arguments of LCS after its keys.
type lcsOptions struct {
	length, indexes, withLength bool
	minLength                   int64
}

func parseLCS(args [][]byte) (o lcsOptions, err error) {
	for i := 0; i < len(args); i++ {
		switch {
		case fold(args[i], "LEN"):
			o.length = true
		case fold(args[i], "IDX"):
			o.indexes = true
		case fold(args[i], "WITHMATCHLEN"):
			o.withLength = true
		case fold(args[i], "MINMATCHLEN") && i+1 < len(args):
			i++
			n, ok := storage.ParseInt(args[i])
			if !ok {
				return o, ErrNotInteger
			}
			o.minLength = n
		default:
			return o, ErrSyntax
		}
	}
	if o.length && o.indexes {
		return o, errLCSBoth
	}
	return o, nil
}

// lcsTable holds the length of the longest common subsequence of each pair of
// prefixes (the textbook dynamic programme).
type lcsTable struct {
	a, b  []byte
	cells []uint32
}

func newLCSTable(a, b []byte) *lcsTable {
	t := &lcsTable{a: a, b: b, cells: make([]uint32, (len(a)+1)*(len(b)+1))}
	width := len(b) + 1
	for i := 1; i <= len(a); i++ {
		above, row := t.cells[(i-1)*width:i*width], t.cells[i*width:(i+1)*width]
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				row[j] = above[j-1] + 1
			} else {
				row[j] = max(above[j], row[j-1])
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

func (t *lcsTable) length() int64 { return int64(t.at(len(t.a), len(t.b))) }

// lcsMatch is a run of equal bytes: where it begins in both strings, and its length.
type lcsMatch struct{ a, b, length int }

// matches returns the runs of one longest common subsequence, the last one first.
func (t *lcsTable) matches() []lcsMatch {
	var out []lcsMatch
	run := false // the last step was a match
	for i, j := len(t.a), len(t.b); i > 0 && j > 0; {
		if t.a[i-1] == t.b[j-1] {
			i, j = i-1, j-1
			if !run {
				out = append(out, lcsMatch{})
			}
			m := &out[len(out)-1]
			m.a, m.b, m.length = i, j, m.length+1
			run = true
			continue
		}
		run = false
		if t.at(i-1, j) > t.at(i, j-1) {
			i--
		} else {
			j--
		}
	}
	return out
}

func lcs(c *Call, tx *storage.Tx) error {
	var values [2][]byte
	for i := range values {
		var err error
		switch values[i], _, err = tx.StringGet(c.Args[1+i]); err {
		case nil:
		case storage.ErrWrongType:
			return errLCSType
		default:
			return err
		}
	}
	o, err := parseLCS(c.Args[3:])
	if err != nil {
		return err
	}
	if uint64(len(values[0])+1)*uint64(len(values[1])+1)*4 > storage.MaxString {
		return errLCSSize
	}
	t := newLCSTable(values[0], values[1])
	switch {
	case o.length:
		c.Out.Int(t.length())
	case o.indexes:
		c.lcsIndexes(t, o)
	default:
		matches := t.matches()
		text := make([]byte, 0, t.length())
		for i := len(matches) - 1; i >= 0; i-- {
			m := matches[i]
			text = append(text, t.a[m.a:m.a+m.length]...)
		}
		c.Out.Bulk(text)
	}
	return nil
}

func (c *Call) lcsIndexes(t *lcsTable, o lcsOptions) {
	matches := t.matches()
	kept := matches[:0]
	for _, m := range matches {
		if int64(m.length) >= o.minLength {
			kept = append(kept, m)
		}
	}
	c.Out.Map(2)
	c.Out.BulkString("matches")
	c.Out.Array(len(kept))
	for _, m := range kept {
		parts := 2
		if o.withLength {
			parts = 3
		}
		c.Out.Array(parts)
		for _, first := range [...]int{m.a, m.b} {
			c.Out.Array(2)
			c.Out.Int(int64(first))
			c.Out.Int(int64(first + m.length - 1))
		}
		if o.withLength {
			c.Out.Int(int64(m.length))
		}
	}
	c.Out.BulkString("len")
	c.Out.Int(t.length())
}
