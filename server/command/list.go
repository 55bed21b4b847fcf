package command

import (
	"math"

	"cobble/storage"
)

// The key specifications of list commands.
var (
	listSize   = Key(KeyRO, 1, 1, 1)
	listRead   = Key(KeyRO|KeyAccess, 1, 1, 1)
	listInsert = Key(KeyRW|KeyInsert, 1, 1, 1)
	listUpdate = Key(KeyRW|KeyUpdate, 1, 1, 1)
	listDelete = Key(KeyRW|KeyDelete, 1, 1, 1)
	listPop    = Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1)
	listMove   = append(Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1), Key(KeyRW|KeyInsert, 2, 2, 1)...)
	listNumber = []KeySpec{{Flags: KeyRW | KeyAccess | KeyDelete, Index: 1, FirstKey: 1, Step: 1}}
)

func listCommands() []Command {
	const pushed = "O(1) for each element pushed."
	rows := []Command{
		{Name: "lpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: listInsert, Since: "1.0.0",
			Summary: "Pushes elements to the head of a list, which is created if there is none.", Complexity: pushed, Run: push},
		{Name: "rpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: listInsert, Since: "1.0.0",
			Summary: "Pushes elements to the tail of a list, which is created if there is none.", Complexity: pushed, Run: push},
		{Name: "lpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: listInsert, Since: "2.2.0",
			Summary: "Pushes elements to the head of a list if there is one.", Complexity: pushed, Run: push},
		{Name: "rpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: listInsert, Since: "2.2.0",
			Summary: "Pushes elements to the tail of a list if there is one.", Complexity: pushed, Run: push},
		{Name: "lpop", Arity: -2, Flags: Write | Fast, Keys: listPop, Since: "1.0.0",
			Summary: "Takes elements off the head of a list and returns them.", Complexity: "O(N) where N is the number of elements returned.", Run: pop},
		{Name: "rpop", Arity: -2, Flags: Write | Fast, Keys: listPop, Since: "1.0.0",
			Summary: "Takes elements off the tail of a list and returns them.", Complexity: "O(N) where N is the number of elements returned.", Run: pop},
		{Name: "llen", Arity: 2, Flags: ReadOnly | Fast, Keys: listSize, Since: "1.0.0",
			Summary: "Returns the length of a list.", Complexity: "O(1)", Run: llen},
		{Name: "lindex", Arity: 3, Flags: ReadOnly, Keys: listRead, Since: "1.0.0",
			Summary: "Returns an element of a list by its index.", Complexity: "O(1) for a list that was changed only at its ends, else O(log N) where N is the length of the list.", Run: lindex},
		{Name: "lset", Arity: 4, Flags: Write | DenyOOM, Keys: listUpdate, Since: "1.0.0",
			Summary: "Replaces an element of a list by its index.", Complexity: "O(1) for a list that was changed only at its ends, else O(log N) where N is the length of the list.", Run: lset},
		{Name: "lrange", Arity: 4, Flags: ReadOnly, Keys: listRead, Since: "1.0.0",
			Summary: "Returns a range of elements of a list.", Complexity: "O(N) where N is the number of elements returned.", Run: lrange},
		{Name: "ltrim", Arity: 4, Flags: Write, Keys: listDelete, Since: "1.0.0",
			Summary:    "Removes what is outside of a range from both ends of a list.",
			Complexity: "O(N) where N is the lesser of the elements that go and those that stay, but no more than some thousand.", Run: ltrim},
		{Name: "lrem", long: true, Arity: 4, Flags: Write, Keys: listDelete, Since: "1.0.0",
			Summary: "Removes elements of a list that equal a value.", Complexity: "O(N) where N is the length of the list.", Run: lrem},
		{Name: "linsert", long: true, Arity: 5, Flags: Write | DenyOOM, Keys: listInsert, Since: "2.2.0",
			Summary:    "Inserts an element before or after another of a list.",
			Complexity: "O(N) where N is the number of elements before the place.", Run: linsert},
		{Name: "lpos", Arity: -3, Flags: ReadOnly, Keys: listRead, Since: "6.0.6",
			Summary: "Returns the indexes of elements of a list that equal a value.", Complexity: "O(N) where N is the number of elements looked at.", Run: lpos},
		{Name: "rpoplpush", Arity: 3, Flags: Write | DenyOOM, Keys: listMove, Since: "1.2.0",
			Summary: "Moves the last element of a list to the head of another and returns it.", Complexity: "O(1)", Run: lmove},
		{Name: "lmove", Arity: 5, Flags: Write | DenyOOM, Keys: listMove, Since: "6.2.0",
			Summary: "Moves an element from an end of a list to an end of another and returns it.", Complexity: "O(1)", Run: lmove},
		{Name: "lmpop", Arity: -4, Flags: Write | MovableKeys, Keys: listNumber, Since: "7.0.0",
			Summary:    "Takes elements off the first of several lists that has any.",
			Complexity: "O(N+M) where N is the number of keys and M the number of elements returned.", Check: checkMultiPop, Run: lmpop},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "list", "@list"
	}
	return rows
}

// push is LPUSH, RPUSH, LPUSHX and RPUSHX.
func push(c *Call, tx *storage.Tx) error {
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	if onlyIfThere := len(c.Cmd.Name) > len("lpush"); onlyIfThere && !l.Live() {
		c.Out.Int(0)
		return nil
	}
	end := storage.Head
	if c.Cmd.Name[0] == 'r' {
		end = storage.Tail
	}
	if err := l.Push(end, c.Args[2:]...); err != nil {
		return err
	}
	l.Save()
	c.Out.Int(l.Len())
	return nil
}

// pop is LPOP and RPOP.
func pop(c *Call, tx *storage.Tx) error {
	n, counted := int64(1), len(c.Args) == 3
	switch {
	case len(c.Args) > 3:
		return c.wrongArity()
	case counted:
		var ok bool
		if n, ok = storage.ParseInt(c.Args[2]); !ok || n < 0 {
			return errNotPositive
		}
	}
	l, err := tx.List(c.Args[1])
	switch {
	case err != nil:
		return err
	case !l.Live() && counted:
		c.Out.NullArray()
		return nil
	case !l.Live():
		c.Out.Null()
		return nil
	case counted:
		c.Out.Array(int(min(n, l.Len())))
	}
	end := storage.Head
	if c.Cmd.Name[0] == 'r' {
		end = storage.Tail
	}
	if err := l.Pop(end, n, func(v []byte) { c.Out.Bulk(v) }); err != nil {
		return err
	}
	l.Save()
	return nil
}

func llen(c *Call, tx *storage.Tx) error {
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	c.Out.Int(l.Len())
	return nil
}

func lindex(c *Call, tx *storage.Tx) error {
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	if !l.Live() {
		c.Out.Null()
		return nil
	}
	i, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	value, ok, err := l.Index(i)
	c.bulkOrNull(value, ok)
	return err
}

func lset(c *Call, tx *storage.Tx) error {
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	if !l.Live() {
		return ErrNoKey
	}
	i, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	ok, err = l.Set(i, c.Args[3])
	switch {
	case err != nil:
		return err
	case !ok:
		return Error("ERR index out of range")
	}
	l.Save()
	c.Out.OK()
	return nil
}

// listRange reads the arguments START and STOP.
func (c *Call) listRange() (start, stop int64, err error) {
	start, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return 0, 0, ErrNotInteger
	}
	if stop, ok = storage.ParseInt(c.Args[3]); !ok {
		return 0, 0, ErrNotInteger
	}
	return start, stop, nil
}

func lrange(c *Call, tx *storage.Tx) error {
	start, stop, err := c.listRange()
	if err != nil {
		return err
	}
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	n := l.Len()
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop = max(stop+n, -1)
	}
	n = max(min(stop, n-1)-start+1, 0)
	c.Out.Array(int(n))
	w := l.Walk(storage.Head, start, n)
	for w.Next() {
		c.Out.Bulk(w.Value())
	}
	return w.Close()
}

func ltrim(c *Call, tx *storage.Tx) error {
	start, stop, err := c.listRange()
	if err != nil {
		return err
	}
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	if err := l.Trim(start, stop); err != nil {
		return err
	}
	l.Save()
	c.Out.OK()
	return nil
}

func lrem(c *Call, tx *storage.Tx) error {
	count, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	removed, err := l.Remove(c.Args[3], count)
	if err != nil {
		return err
	}
	l.Save()
	c.Out.Int(removed)
	return nil
}

func linsert(c *Call, tx *storage.Tx) error {
	before := equalFold(c.Args[2], "before")
	if !before && !equalFold(c.Args[2], "after") {
		return ErrSyntax
	}
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	if !l.Live() {
		c.Out.Int(0)
		return nil
	}
	found, err := l.Insert(c.Args[3], c.Args[4], before)
	if err != nil {
		return err
	}
	l.Save()
	if found {
		c.Out.Int(l.Len())
	} else {
		c.Out.Int(-1)
	}
	return nil
}

// positions are the options of LPOS.
type positions struct {
	rank, count, longest int64 // count < 0: not given; longest 0: the whole list
}

func (c *Call) positionOptions() (p positions, err error) {
	p = positions{rank: 1, count: -1}
	for i := 3; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			return p, ErrSyntax
		}
		n, ok := storage.ParseInt(c.Args[i+1])
		switch {
		case equalFold(c.Args[i], "rank"):
			switch {
			case !ok:
				return p, ErrNotInteger
			case n == math.MinInt64:
				return p, Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
			case n == 0:
				return p, Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
			}
			p.rank = n
		case equalFold(c.Args[i], "count"):
			if !ok || n < 0 {
				return p, Error("ERR COUNT can't be negative")
			}
			p.count = n
		case equalFold(c.Args[i], "maxlen"):
			if !ok || n < 0 {
				return p, Error("ERR MAXLEN can't be negative")
			}
			p.longest = n
		default:
			return p, ErrSyntax
		}
	}
	return p, nil
}

func lpos(c *Call, tx *storage.Tx) error {
	p, err := c.positionOptions()
	if err != nil {
		return err
	}
	l, err := tx.List(c.Args[1])
	if err != nil {
		return err
	}
	end, skip := storage.Head, p.rank-1
	if p.rank < 0 {
		end, skip = storage.Tail, -p.rank-1
	}
	want, looked := p.count, l.Len()
	switch {
	case p.count < 0:
		want = 1
	case p.count == 0:
		want = math.MaxInt64
	}
	if p.longest > 0 {
		looked = min(looked, p.longest)
	}
	var found []int64
	w := l.Walk(end, 0, looked)
	for i := int64(0); int64(len(found)) < want && w.Next(); i++ {
		if string(w.Value()) != string(c.Args[2]) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		at := i
		if end == storage.Tail {
			at = l.Len() - 1 - i
		}
		found = append(found, at)
	}
	if err := w.Close(); err != nil {
		return err
	}
	if p.count < 0 {
		if len(found) == 0 {
			c.Out.Null()
		} else {
			c.Out.Int(found[0])
		}
		return nil
	}
	c.Out.Array(len(found))
	for _, at := range found {
		c.Out.Int(at)
	}
	return nil
}
