package command

import (
	"errors"
	"math"
	"slices"
	"strings"

	"cobble/storage"
)

// zsetInputs is the key specification of a number of keys that follow it.
func zsetInputs(at int) []KeySpec {
	return []KeySpec{{Flags: KeyRO | KeyAccess, Index: at, KeyNum: 0, FirstKey: 1}}
}

func zsetAlgebraRows() []Command {
	read := func(name, since, cost, summary string) Command {
		return Command{Name: name, Arity: -3, Flags: ReadOnly | MovableKeys, Keys: zsetInputs(1), Since: since, Summary: summary, Complexity: cost, Run: zcombine, Check: checkCombine}
	}
	store := func(name, since, cost, summary string) Command {
		return Command{Name: name, long: true, Arity: -4, Flags: Write | DenyOOM | MovableKeys, Keys: append(Key(KeyOW|KeyUpdate, 1, 1, 1), zsetInputs(2)...), Since: since, Summary: summary,
			Complexity: cost, Run: zcombine, Check: checkCombine}
	}
	const (
		unites    = "O(N)+O(M*log(M)) where N is the number of members in all sorted sets and M that of the result."
		intersect = "O(N*K)+O(M*log(M)) where N is the number of members in the smallest of K sorted sets and M that of the result."
		subtracts = "O(N*K)+O(M*log(M)) where N is the number of members in the first of K sorted sets and M that of the result."
	)
	return []Command{
		read("zunion", "6.2.0", unites, "Returns the members that any of several sorted sets has, with combined scores."),
		read("zinter", "6.2.0", intersect, "Returns the members that all of several sorted sets have, with combined scores."),
		read("zdiff", "6.2.0", subtracts, "Returns the members of a sorted set that several others do not have."),
		read("zintercard", "7.0.0", intersect, "Counts the members that all of several sorted sets have, up to a limit."),
		store("zunionstore", "2.0.0", unites, "Stores the members that any of several sorted sets has, with combined scores."),
		store("zinterstore", "2.0.0", intersect, "Stores the members that all of several sorted sets have, with combined scores."),
		store("zdiffstore", "6.2.0", subtracts, "Stores the members of a sorted set that several others do not have."),
	}
}

const (
	errWeight        Error = "ERR weight value is not a float"
	errNegativeLimit Error = "ERR LIMIT can't be negative"
)

// combination is what a command wants to make of sorted sets.
type combination struct {
	keys       [][]byte
	weights    []float64 // nil: all 1
	aggregate  func(a, b float64) float64
	withScores bool
	limit      int64 // 0: none
	large      bool  // what it looks at should not be in memory
}

// sumScores adds scores; what is not a number counts as 0.
func sumScores(a, b float64) float64 {
	if a += b; math.IsNaN(a) {
		return 0
	}
	return a
}

func lessScore(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func moreScore(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// parseKeys reads the number of keys and the keys, and returns what is behind them.
func (q *combination) parseKeys(c *Call) (rest [][]byte, err error) {
	at := 1
	if strings.HasSuffix(c.Cmd.Name, "store") {
		at = 2
	}
	n, ok := storage.ParseInt(c.Args[at])
	switch {
	case !ok:
		return nil, ErrNotInteger
	case n < 1:
		return nil, Error("ERR at least 1 input key is needed for '" + c.Cmd.Name + "' command")
	case n > int64(len(c.Args)-at-1):
		return nil, ErrSyntax
	}
	q.keys = c.Args[at+1 : at+1+int(n)]
	return c.Args[at+1+int(n):], nil
}

// parseOptions reads what is behind the keys.
func (q *combination) parseOptions(c *Call, args [][]byte) error {
	stores, counts := strings.HasSuffix(c.Cmd.Name, "store"), c.Cmd.Name == "zintercard"
	weighs := !counts && !strings.HasPrefix(c.Cmd.Name, "zdiff")
	q.aggregate = sumScores
	for len(args) > 0 {
		switch {
		case weighs && len(args) > len(q.keys) && fold(args[0], "WEIGHTS"):
			q.weights = nil
			for _, text := range args[1 : 1+len(q.keys)] {
				weight, ok := storage.ParseDouble(text)
				if !ok {
					return errWeight
				}
				q.weights = append(q.weights, weight)
			}
			args = args[1+len(q.keys):]
		case weighs && len(args) > 1 && fold(args[0], "AGGREGATE"):
			switch {
			case fold(args[1], "SUM"):
				q.aggregate = sumScores
			case fold(args[1], "MIN"):
				q.aggregate = lessScore
			case fold(args[1], "MAX"):
				q.aggregate = moreScore
			default:
				return ErrSyntax
			}
			args = args[2:]
		case !stores && !counts && fold(args[0], "WITHSCORES"):
			q.withScores, args = true, args[1:]
		case counts && len(args) > 1 && fold(args[0], "LIMIT"):
			var ok bool
			if q.limit, ok = storage.ParseInt(args[1]); !ok || q.limit < 0 {
				return errNegativeLimit
			}
			args = args[2:]
		default:
			return ErrSyntax
		}
	}
	return nil
}

func checkCombine(c *Call) error {
	var q combination
	_, err := q.parseKeys(c)
	return err
}

// zcombine is ZUNION, ZINTER, ZDIFF, their STORE forms and ZINTERCARD.
func zcombine(c *Call, tx *storage.Tx) error {
	var q combination
	options, err := q.parseKeys(c)
	if err != nil {
		return err
	}
	inputs := make([]storage.Weighed, len(q.keys))
	for i, key := range q.keys {
		if inputs[i].Scores, err = tx.Scores(key); err != nil {
			return err
		}
	}
	if err := q.parseOptions(c, options); err != nil {
		return err
	}
	total, size := c.combined(len(inputs), func(i int) (int64, int64) { return inputs[i].Len(), inputs[i].Size() })
	if err := c.long(total); err != nil {
		return err
	}
	if strings.HasSuffix(c.Cmd.Name, "store") {
		if err := tx.Long(total, size, c.Args...); err != nil {
			return err
		}
	}
	for i := range inputs {
		if inputs[i].Weight = 1; q.weights != nil {
			inputs[i].Weight = q.weights[i]
		}
	}
	q.large = tx.Large(total, size)
	err = q.answer(c, tx, inputs)
	for i := range inputs {
		if closed := inputs[i].Close(); err == nil {
			err = closed
		}
	}
	return err
}

// answer computes the result, and replies or stores it.
func (q *combination) answer(c *Call, tx *storage.Tx, inputs []storage.Weighed) error {
	how, stores := c.Cmd.Name[1:4], strings.HasSuffix(c.Cmd.Name, "store")
	if c.Cmd.Name == "zintercard" {
		n := int64(0)
		err := q.each(how, inputs, func([]byte, float64) error {
			if n++; n == q.limit {
				return errEnough
			}
			return nil
		})
		c.Out.Int(n)
		return err
	}
	if stores && tx.InDraft() { // nothing has the whole result in memory
		to := tx.GatherZSet(c.Args[1])
		err := q.each(how, inputs, to.Add)
		n := int64(0)
		if err == nil {
			n, err = to.Finish()
		}
		c.Out.Int(n)
		return err
	}
	found, err := q.collect(tx, how, inputs)
	if err != nil {
		return err
	}
	n := int64(len(found.All))
	if stores {
		c.Out.Int(n)
		return tx.StoreZSet(c.Args[1], found.All)
	}
	slices.SortFunc(found.All, storage.CompareScored)
	c.scoredArray(n, q.withScores)
	for i := range found.All {
		c.scored(found.All[i].Member, found.All[i].Score, q.withScores)
	}
	return nil
}

// errEnough ends the search for more.
var errEnough = errors.New("command: enough was found")

// collect returns the result.
func (q *combination) collect(tx *storage.Tx, how string, inputs []storage.Weighed) (found storage.ScoredList, err error) {
	if how == "uni" && !q.large {
		sortInputs(inputs)
		return tx.UniteInMemory(inputs, q.aggregate)
	}
	err = q.each(how, inputs, func(member []byte, score float64) error {
		found.Add(member, score)
		return nil
	})
	return found, err
}

// sortInputs has the smallest come first, as in Redis: sums of floating-point numbers depend on the order.
func sortInputs(inputs []storage.Weighed) {
	slices.SortStableFunc(inputs, func(a, b storage.Weighed) int { return int(a.Len() - b.Len()) })
}

// each calls f with the members of the result, in no order of their scores, until it returns an error.
func (q *combination) each(how string, inputs []storage.Weighed, f func(member []byte, score float64) error) error {
	var err error
	switch how {
	case "dif":
		err = subtract(inputs, f)
	case "int":
		sortInputs(inputs)
		err = q.intersect(inputs, f)
	default:
		sortInputs(inputs)
		err = storage.Unite(inputs, q.aggregate, f)
	}
	if err == errEnough {
		err = nil
	}
	return err
}

func subtract(inputs []storage.Weighed, f func(member []byte, score float64) error) error {
	return inputs[0].Each(func(member []byte, score float64) (bool, error) {
		for i := range inputs[1:] {
			if _, has, err := inputs[1+i].Find(member); has || err != nil {
				return err == nil, err
			}
		}
		return true, f(member, score)
	})
}

func (q *combination) intersect(inputs []storage.Weighed, f func(member []byte, score float64) error) error {
	return inputs[0].Each(func(member []byte, score float64) (bool, error) {
		score = inputs[0].Weigh(score)
		for i := range inputs[1:] {
			in := &inputs[1+i]
			other, has, err := in.Find(member)
			if !has || err != nil {
				return err == nil, err
			}
			score = q.aggregate(score, in.Weight*other)
		}
		return true, f(member, score)
	})
}
