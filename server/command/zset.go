package command

import (
	"slices"

	"cobble/storage"
)

// The key specifications of commands of sorted sets, and what rows say of their cost.
var (
	zsetSize   = Key(KeyRO, 1, 1, 1)
	zsetRead   = Key(KeyRO|KeyAccess, 1, 1, 1)
	zsetUpdate = Key(KeyRW|KeyUpdate, 1, 1, 1)
	zsetDelete = Key(KeyRW|KeyDelete, 1, 1, 1)
	zsetChange = Key(KeyRW|KeyAccess|KeyUpdate, 1, 1, 1)
)

const (
	costRank  = "O(log(N)) where N is the number of members."
	costRange = "O(log(N)+M) where N is the number of members and M that of those returned."
	costTake  = "O(log(N)+M) where N is the number of members and M that of those removed."
)

func zsetCommands() []Command {
	rows := slices.Concat(zsetBasicRows(), zsetRangeRows(), zsetPopRows(), zsetBlockingRows(), zsetAlgebraRows())
	for i := range rows {
		rows[i].Group, rows[i].Categories = "sorted-set", "@sortedset"
	}
	return rows
}

func zsetBasicRows() []Command {
	return []Command{
		{Name: "zadd", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: zsetUpdate, Since: "1.2.0",
			Summary: "Adds members to a sorted set, which is created if there is none, or changes their scores.", Complexity: "O(log(N)) for each member, where N is the number of members.", Run: zadd},
		{Name: "zincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: zsetChange, Since: "1.2.0",
			Summary: "Adds to the score of a member of a sorted set, which starts at 0.", Complexity: costRank, Run: zadd},
		{Name: "zrem", Arity: -3, Flags: Write | Fast, Keys: zsetDelete, Since: "1.2.0",
			Summary: "Removes members of a sorted set, and the sorted set with its last member.", Complexity: "O(M*log(N)) where N is the number of members and M that of those to be removed.", Run: zrem},
		{Name: "zcard", Arity: 2, Flags: ReadOnly | Fast, Keys: zsetSize, Since: "1.2.0",
			Summary: "Returns the number of members of a sorted set.", Complexity: "O(1)", Run: zcard},
		{Name: "zscore", Arity: 3, Flags: ReadOnly | Fast, Keys: zsetRead, Since: "1.2.0",
			Summary: "Returns the score of a member of a sorted set.", Complexity: "O(1)", Run: zscore},
		{Name: "zmscore", Arity: -3, Flags: ReadOnly | Fast, Keys: zsetRead, Since: "6.2.0",
			Summary: "Returns the scores of members of a sorted set.", Complexity: "O(N) where N is the number of members asked for.", Run: zmscore},
		{Name: "zrank", Arity: -3, Flags: ReadOnly | Fast, Keys: zsetRead, Since: "2.0.0",
			Summary: "Returns the rank of a member of a sorted set, lowest score first.", Complexity: costRank, Run: zrank},
		{Name: "zrevrank", Arity: -3, Flags: ReadOnly | Fast, Keys: zsetRead, Since: "2.0.0",
			Summary: "Returns the rank of a member of a sorted set, highest score first.", Complexity: costRank, Run: zrank},
		{Name: "zscan", Arity: -3, Flags: ReadOnly, Keys: zsetRead, Since: "2.8.0", Tips: anyOutput,
			Summary:    "Walks over the members of a sorted set, some with each call.",
			Complexity: "O(1) for a call, O(N) for the whole walk, where N is the number of members.", Run: zscan},
		{Name: "zrandmember", Arity: -2, Flags: ReadOnly, Keys: zsetRead, Since: "6.2.0", Tips: anyOutput,
			Summary: "Returns members of a sorted set chosen at random.", Complexity: "O(N) where N is the number of members returned.", Run: zrandmember},
	}
}

// zaddOptions are the options of ZADD.
type zaddOptions struct {
	storage.ZAdd
	changed bool // CH
}

const (
	errZAddExists    Error = "ERR XX and NX options at the same time are not compatible"
	errZAddCompare   Error = "ERR GT, LT, and/or NX options at the same time are not compatible"
	errZAddIncrement Error = "ERR INCR option supports a single increment-element pair"
)

// parseZAdd reads the options, and returns the scores and members after them.
func parseZAdd(args [][]byte, increment bool) (o zaddOptions, rest [][]byte, err error) {
	o.Increment = increment
options:
	for ; len(args) > 0; args = args[1:] {
		switch {
		case fold(args[0], "NX"):
			o.IfAbsent = true
		case fold(args[0], "XX"):
			o.IfPresent = true
		case fold(args[0], "CH"):
			o.changed = true
		case fold(args[0], "INCR"):
			o.Increment = true
		case fold(args[0], "GT"):
			o.Greater = true
		case fold(args[0], "LT"):
			o.Less = true
		default:
			break options
		}
	}
	switch {
	case len(args) == 0 || len(args)%2 != 0:
		err = ErrSyntax
	case o.IfAbsent && o.IfPresent:
		err = errZAddExists
	case o.IfAbsent && (o.Greater || o.Less) || o.Greater && o.Less:
		err = errZAddCompare
	case o.Increment && len(args) > 2:
		err = errZAddIncrement
	}
	return o, args, err
}

// zadd is ZADD and ZINCRBY.
func zadd(c *Call, tx *storage.Tx) error {
	o, pairs, err := parseZAdd(c.Args[2:], c.Cmd.Name == "zincrby")
	if err != nil {
		return err
	}
	var room [16]float64
	scores := room[:0]
	for i := 0; i < len(pairs); i += 2 {
		score, ok := storage.ParseDouble(pairs[i])
		if !ok {
			return ErrNotFloat
		}
		scores = append(scores, score)
	}
	return c.addScored(tx, o, scores, pairs[1:], 2)
}

// addScored gives scores to the members that are every step-th of names, and writes
// the reply of ZADD.
func (c *Call) addScored(tx *storage.Tx, o zaddOptions, scores []float64, names [][]byte, step int) error {
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if err := z.Prefetch(names, step); err != nil {
		return err
	}
	added, updated := int64(0), int64(0)
	var last storage.ZAdded
	for i, score := range scores {
		if last, err = z.Add(names[step*i], score, o.ZAdd); err != nil {
			return err
		}
		if last.Added {
			added++
		}
		if last.Updated {
			updated++
		}
	}
	switch {
	case !o.Increment && o.changed:
		c.Out.Int(added + updated)
	case !o.Increment:
		c.Out.Int(added)
	case last.Skipped:
		c.Out.Null()
	default:
		c.Out.Double(last.Score)
	}
	return z.Save()
}

func zrem(c *Call, tx *storage.Tx) error {
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if err := z.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	removed := int64(0)
	for _, member := range c.Args[2:] {
		had, err := z.Remove(member)
		if err != nil {
			return err
		}
		if had {
			removed++
		}
	}
	c.Out.Int(removed)
	return z.Save()
}

func zcard(c *Call, tx *storage.Tx) error {
	z, err := tx.ZSet(c.Args[1])
	c.Out.Int(z.Len())
	return err
}

func zscore(c *Call, tx *storage.Tx) error {
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	score, ok, err := z.Score(c.Args[2])
	c.doubleOrNull(score, ok)
	return err
}

func (c *Call) doubleOrNull(f float64, ok bool) {
	if ok {
		c.Out.Double(f)
	} else {
		c.Out.Null()
	}
}

func zmscore(c *Call, tx *storage.Tx) error {
	return c.eachScore(tx, c.doubleOrNull)
}

// eachScore calls f with the scores of the members in Args from 2 on.
func (c *Call) eachScore(tx *storage.Tx, f func(score float64, ok bool)) error {
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if err := z.Prefetch(c.Args[2:], 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		score, ok, err := z.Score(member)
		if err != nil {
			return err
		}
		f(score, ok)
	}
	return nil
}

// zrank is ZRANK and ZREVRANK.
func zrank(c *Call, tx *storage.Tx) error {
	withScore := len(c.Args) == 4
	switch {
	case len(c.Args) > 4:
		return c.wrongArity()
	case withScore && !fold(c.Args[3], "WITHSCORE"):
		return ErrSyntax
	}
	z, err := tx.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	rank, score, ok, err := z.Rank(c.Args[2])
	switch {
	case err != nil:
		return err
	case !ok && withScore:
		c.Out.NullArray()
		return nil
	case !ok:
		c.Out.Null()
		return nil
	case c.Cmd.Name == "zrevrank":
		rank = z.Len() - 1 - rank
	}
	if withScore {
		c.Out.Array(2)
	}
	c.Out.Int(rank)
	if withScore {
		c.Out.Double(score)
	}
	return nil
}
