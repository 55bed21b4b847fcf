package command

import (
	"math"

	"cobble/storage"
)

// trimming is how XADD and XTRIM cut a stream.
type trimming struct {
	byLen, byID bool
	approximate bool
	maxLen      int64
	minID       storage.StreamID
	limit       int64 // entries to remove at most, 0: any
	refs        references
}

// appending is what XADD adds.
type appending struct {
	id         storage.StreamID
	given, seq bool // the ID, and its sequence number, stand in the command
	noMake     bool
}

// trimArguments reads the options of XADD and XTRIM and returns where they end: at the ID in XADD.
func (c *Call) trimArguments(add *appending) (t trimming, at int, err error) {
	limited, referred := false, false
	for at = 2; at < len(c.Args); at++ {
		arg, more := c.Args[at], len(c.Args)-1-at
		if refs, ok := referencesOf(arg); ok {
			if referred {
				return t, 0, ErrSyntax
			}
			t.refs, referred = refs, true
			continue
		}
		switch {
		case add != nil && len(arg) == 1 && arg[0] == '*':
			return t, at, t.check(c, limited, false)
		case more > 0 && (equalFold(arg, "maxlen") || equalFold(arg, "minid")):
			if t.byLen || t.byID {
				return t, 0, Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
			}
			t.approximate = more >= 2 && string(c.Args[at+1]) == "~"
			if t.approximate || more >= 2 && string(c.Args[at+1]) == "=" {
				at++
			}
			at++
			if equalFold(arg, "maxlen") {
				t.byLen = true
				var ok bool
				if t.maxLen, ok = storage.ParseInt(c.Args[at]); !ok {
					return t, 0, ErrNotInteger
				}
				if t.maxLen < 0 {
					return t, 0, Error("ERR The MAXLEN argument must be >= 0.")
				}
				continue
			}
			t.byID = true
			if t.minID, err = strictID(c.Args[at], 0); err != nil {
				return t, 0, err
			}
		case more > 0 && equalFold(arg, "limit"):
			at++
			var ok bool
			if t.limit, ok = storage.ParseInt(c.Args[at]); !ok {
				return t, 0, ErrNotInteger
			}
			if t.limit < 0 {
				return t, 0, Error("ERR The LIMIT argument must be >= 0.")
			}
			limited = true
		case add != nil && equalFold(arg, "nomkstream"):
			add.noMake = true
		case add != nil:
			var anySeq bool
			if add.id, anySeq, err = parseStreamID(arg, 0, true); err != nil {
				return t, 0, err
			}
			add.given, add.seq = true, !anySeq
			return t, at, t.check(c, limited, false)
		default:
			return t, 0, ErrSyntax
		}
	}
	return t, at, t.check(c, limited, add == nil)
}

func (t *trimming) check(c *Call, limited, needed bool) error {
	some := t.byLen || t.byID
	switch {
	case t.limit != 0 && !some:
		return Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	case needed && !some:
		return Error("ERR syntax error, XTRIM must be called with a trimming strategy")
	case limited && !t.approximate:
		return Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
	case !limited && t.approximate:
		t.limit = min(max(100*t.node(c), 10_000), 1_000_000)
	}
	return nil
}

// node is how many entries Redis keeps together: it removes so many at once where it may.
func (t *trimming) node(c *Call) int64 { return max(c.Env.Config.Int("stream-node-max-entries"), 1) }

// apply cuts the stream.
func (t *trimming) apply(c *Call, s *storage.Stream) (int64, error) {
	n, last := int64(math.MaxInt64), s.Last()
	switch {
	case t.byLen:
		n = s.Len() - t.maxLen
	case t.byID:
		var ok bool
		if last, ok = t.minID.Prev(); !ok {
			return 0, nil
		}
	default:
		return 0, nil
	}
	if t.approximate {
		if t.byID {
			most := int64(math.MaxInt64)
			if t.limit != 0 {
				most = t.limit
			}
			var err error
			if n, err = s.Count(t.minID, most); err != nil {
				return 0, err
			}
		}
		if t.limit != 0 {
			n = min(n, t.limit)
		}
		if n < s.Len() { // the last node goes only with all the others
			n -= n % t.node(c)
		}
	}
	return t.cut(s, n, last)
}

func xtrim(c *Call, tx *storage.Tx) error {
	t, _, err := c.trimArguments(nil)
	if err != nil {
		return err
	}
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	n, err := t.apply(c, s)
	if err != nil {
		return err
	}
	s.Save()
	c.Out.Int(n)
	return nil
}
