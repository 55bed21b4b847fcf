package command

import (
	"bytes"
	"math"

	"cobble/storage"
)

func zsetRangeRows() []Command {
	read := func(name, since, summary string) Command {
		return Command{Name: name, Arity: -4, Flags: ReadOnly, Keys: zsetRead, Since: since, Summary: summary, Complexity: costRange, Run: zrange}
	}
	count := func(name, since, summary string) Command {
		return Command{Name: name, Arity: 4, Flags: ReadOnly | Fast, Keys: zsetRead, Since: since, Summary: summary, Complexity: costRank, Run: zcount}
	}
	remove := func(name, since, summary string) Command {
		return Command{Name: name, Arity: 4, Flags: Write, Keys: zsetDelete, Since: since, Summary: summary, Complexity: costTake, Run: zremrange}
	}
	return []Command{
		read("zrange", "1.2.0", "Returns members of a sorted set in a range of ranks, scores or names."),
		read("zrevrange", "1.2.0", "Returns members of a sorted set in a range of ranks, highest score first."),
		read("zrangebyscore", "1.0.5", "Returns members of a sorted set in a range of scores."),
		read("zrevrangebyscore", "2.2.0", "Returns members of a sorted set in a range of scores, highest score first."),
		read("zrangebylex", "2.8.9", "Returns members of a sorted set, all of one score, in a range of names."),
		read("zrevrangebylex", "2.8.9", "Returns members of a sorted set, all of one score, in a range of names, last first."),
		{Name: "zrangestore", long: true, Arity: -5, Flags: Write | DenyOOM, Since: "6.2.0", Run: zrangestore, Complexity: costRange,
			Keys:    append(Key(KeyOW|KeyUpdate, 1, 1, 1), Key(KeyRO|KeyAccess, 2, 2, 1)...),
			Summary: "Makes a sorted set of members of another in a range."},
		count("zcount", "2.0.0", "Returns the number of members of a sorted set in a range of scores."),
		count("zlexcount", "2.8.9", "Returns the number of members of a sorted set, all of one score, in a range of names."),
		remove("zremrangebyrank", "2.0.0", "Removes members of a sorted set in a range of ranks."),
		remove("zremrangebyscore", "1.2.0", "Removes members of a sorted set in a range of scores."),
		remove("zremrangebylex", "2.8.9", "Removes members of a sorted set, all of one score, in a range of names."),
	}
}

const (
	errMinMaxFloat Error = "ERR min or max is not a float"
	errMinMaxLex   Error = "ERR min or max not valid string range item"
	errLimitByRank Error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errScoresByLex Error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
)

// rangeBy is what the ends of a range are.
type rangeBy int8

const (
	byRank rangeBy = 1 + iota
	byScore
	byLex
)

// zrangeQuery is what a range command asks for.
type zrangeQuery struct {
	by            rangeBy
	reverse       bool
	withScores    bool
	offset, limit int64

	start, stop         int64
	lowScore, highScore storage.ScoreBound
	lowLex, highLex     storage.LexBound
}

// rangeForms are the commands whose names say what kind of range they take. (ZRANGE
// and ZRANGESTORE have options for it.)
var rangeForms = map[string]zrangeQuery{
	"zrevrange":        {by: byRank, reverse: true},
	"zrangebyscore":    {by: byScore},
	"zrevrangebyscore": {by: byScore, reverse: true},
	"zrangebylex":      {by: byLex},
	"zrevrangebylex":   {by: byLex, reverse: true},
	"zcount":           {by: byScore},
	"zlexcount":        {by: byLex},
	"zremrangebyrank":  {by: byRank},
	"zremrangebyscore": {by: byScore},
	"zremrangebylex":   {by: byLex},
}

// parseRange reads min, max and options. Store is ZRANGESTORE, which replies no scores.
func parseRange(form zrangeQuery, args [][]byte, store bool) (q zrangeQuery, err error) {
	q = form
	q.limit = -1
	if err := q.options(args[2:], form.by == 0, store); err != nil {
		return q, err
	}
	if q.by == 0 {
		q.by = byRank
	}
	if q.by == byRank {
		if q.limit != -1 {
			return q, errLimitByRank
		}
		q.offset = 0 // as Redis: LIMIT n -1 is as good as none
	}
	if q.withScores && q.by == byLex {
		return q, errScoresByLex
	}
	return q, q.ends(args[0], args[1])
}

// options reads what comes after the ends; open says that the form is among them.
func (q *zrangeQuery) options(args [][]byte, open, store bool) error {
	turned := !open // no more REV
	for i := 0; i < len(args); i++ {
		switch {
		case !store && fold(args[i], "WITHSCORES"):
			q.withScores = true
		case fold(args[i], "LIMIT") && len(args)-i > 2:
			offset, ok1 := storage.ParseInt(args[i+1])
			limit, ok2 := storage.ParseInt(args[i+2])
			if !ok1 || !ok2 {
				return ErrNotInteger
			}
			q.offset, q.limit = offset, limit
			i += 2
		case !turned && fold(args[i], "REV"):
			q.reverse, turned = true, true
		case open && q.by == 0 && fold(args[i], "BYLEX"):
			q.by = byLex
		case open && q.by == 0 && fold(args[i], "BYSCORE"):
			q.by = byScore
		default:
			return ErrSyntax
		}
	}
	return nil
}

// ends reads the two ends of the range, which come highest first if it is reverse.
func (q *zrangeQuery) ends(low, high []byte) error {
	if q.reverse && q.by != byRank {
		low, high = high, low
	}
	var ok1, ok2 bool
	switch q.by {
	case byRank:
		q.start, ok1 = storage.ParseInt(low)
		q.stop, ok2 = storage.ParseInt(high)
		if !ok1 || !ok2 {
			return ErrNotInteger
		}
	case byScore:
		q.lowScore, ok1 = parseScoreBound(low)
		q.highScore, ok2 = parseScoreBound(high)
		if !ok1 || !ok2 {
			return errMinMaxFloat
		}
	case byLex:
		q.lowLex, ok1 = parseLexBound(low)
		q.highLex, ok2 = parseLexBound(high)
		if !ok1 || !ok2 {
			return errMinMaxLex
		}
	}
	return nil
}

// parseScoreBound reads a score, exclusive after "(". As in Redis it ends at a zero
// byte, blanks before it are passed over, and nothing is 0.
func parseScoreBound(text []byte) (b storage.ScoreBound, ok bool) {
	if b.Exclusive = len(text) > 0 && text[0] == '('; b.Exclusive {
		text = text[1:]
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	if len(text) == 0 {
		return b, true
	}
	b.Score, _, ok = storage.Strtod(bytes.TrimLeft(text, " \t\n\v\f\r"))
	return b, ok
}

func parseLexBound(text []byte) (b storage.LexBound, ok bool) {
	if len(text) == 0 {
		return b, false
	}
	switch b.Member = text[1:]; text[0] {
	case '+', '-':
		b.Infinite = int8(',') - int8(text[0])
		return b, len(text) == 1
	case '(':
		b.Exclusive = true
		return b, true
	}
	return b, text[0] == '['
}

// find returns the members of z that the query asks for, without its limit.
func (q *zrangeQuery) find(z *storage.ZSet) (storage.ZRange, error) {
	switch q.by {
	case byScore:
		return z.ByScore(q.lowScore, q.highScore)
	case byLex:
		return z.ByLex(q.lowLex, q.highLex, q.reverse)
	}
	n := z.Len()
	start, stop := q.start, q.stop
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	if start > stop || start >= n {
		return z.ByRank(0, 0), nil
	}
	stop = min(stop, n-1) + 1
	if q.reverse {
		start, stop = n-stop, n-start
	}
	return z.ByRank(start, stop), nil
}

// most is how many members the query asks for at most.
func (q *zrangeQuery) most() int64 {
	if q.offset < 0 {
		return 0 // Redis counts down from there, past the last member
	}
	if q.limit < 0 {
		return math.MaxInt64
	}
	return q.limit
}

// each calls f with the members asked for, and returns how many they are.
func (q *zrangeQuery) each(c *Call, z *storage.ZSet, f func(member []byte, score float64)) (n int64, err error) {
	most := q.most()
	if most == 0 || !z.Live() {
		return 0, nil
	}
	r, err := q.find(z)
	if err != nil {
		return 0, err
	}
	w := z.Walk(r, q.reverse, q.offset)
	for n < most && err == nil && w.Next() {
		f(w.Member(), w.Score())
		n++
		err = c.long(n)
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	return n, err
}

// zrange is ZRANGE, ZREVRANGE and their kin BYSCORE and BYLEX.
func zrange(c *Call, tx *storage.Tx) error {
	q, err := parseRange(rangeForms[c.Cmd.Name], c.Args[2:], false)
	if err != nil {
		return err
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	begin := c.Out.Len()
	n, err := q.each(c, &z, func(member []byte, score float64) { c.scored(member, score, q.withScores) })
	if err != nil {
		return err
	}
	if q.withScores && c.Out.Proto() == 2 {
		n *= 2
	}
	c.Out.ArrayAt(begin, int(n))
	return nil
}

func zrangestore(c *Call, tx *storage.Tx) error {
	q, err := parseRange(zrangeQuery{}, c.Args[3:], true)
	if err != nil {
		return err
	}
	z, err := tx.ZSet(c.Args[2])
	if err != nil {
		return err
	}
	most := q.most()
	if most == 0 || !z.Live() {
		c.Out.Int(0)
		return tx.StoreZSet(c.Args[1], nil)
	}
	r, err := q.find(&z)
	if err != nil {
		return err
	}
	r = r.Part(q.offset, most, q.reverse)
	n := r.Count()
	if err := c.long(n); err != nil {
		return err
	}
	if err := tx.Long(n, n*(z.Size()/z.Len()+1), c.Args...); err != nil {
		return err
	}
	c.Out.Int(n)
	return tx.StoreZRange(c.Args[1], &z, r)
}

// zcount is ZCOUNT and ZLEXCOUNT.
func zcount(c *Call, tx *storage.Tx) error {
	_, r, live, err := c.rangeOf(tx)
	if err != nil {
		return err
	}
	if !live {
		c.Out.Int(0)
		return nil
	}
	c.Out.Int(r.Count())
	return nil
}

// rangeOf finds the sorted set that Args[1] names, if it is there, and those of its members that the arguments after it name.
func (c *Call) rangeOf(tx *storage.Tx) (z storage.ZSet, r storage.ZRange, live bool, err error) {
	q, err := parseRange(rangeForms[c.Cmd.Name], c.Args[2:], true)
	if err != nil {
		return z, r, false, err
	}
	if z, err = tx.ZSet(c.Args[1]); err != nil || !z.Live() {
		return z, r, false, err
	}
	r, err = q.find(&z)
	return z, r, true, err
}

// zremrange is ZREMRANGEBYRANK, -BYSCORE and -BYLEX.
func zremrange(c *Call, tx *storage.Tx) error {
	z, r, live, err := c.rangeOf(tx)
	if err != nil {
		return err
	}
	if !live {
		c.Out.Int(0)
		return nil
	}
	if z.Len() > manyElements {
		if err := c.long(r.Count()); err != nil {
			return err
		}
	}
	n, err := z.RemoveRange(r, false, math.MaxInt64, nil)
	if err != nil {
		return err
	}
	c.Out.Int(n)
	return z.Save()
}
