package command

import (
	"fmt"
	"slices"

	"cobble/storage"
	"cobble/storage/hyperloglog"
)

func hyperLogLogCommands() []Command {
	rows := []Command{
		{Name: "pfadd", Arity: -2, Flags: Write | DenyOOM | Fast, Keys: Key(KeyRW|KeyInsert, 1, 1, 1), Since: "2.8.9",
			Summary: "Adds elements to a HyperLogLog, which is created if there is none.", Complexity: "O(1) for each element.", Run: pfadd},
		{Name: "pfcount", Arity: -2, Flags: ReadOnly | mayWrite | MayReplicate, Keys: Key(KeyRW|KeyAccess, 1, -1, 1), Since: "2.8.9",
			Summary: "Estimates how many different elements one HyperLogLog, or several together, were given.", Complexity: "O(N) where N is the number of keys.", Run: pfcount},
		{Name: "pfmerge", Arity: -2, Flags: Write | DenyOOM, Since: "2.8.9",
			Keys:    slices.Concat(Key(KeyRW|KeyAccess|KeyInsert, 1, 1, 1), Key(KeyRO|KeyAccess, 2, -1, 1)),
			Summary: "Merges HyperLogLogs into one.", Complexity: "O(N) where N is the number of keys.", Run: pfmerge},
		{Name: "pfdebug", Arity: 3, Flags: Write | DenyOOM | Admin, Keys: Key(KeyRW|KeyAccess, 2, 2, 1), Since: "2.8.9",
			Summary: "Shows how a HyperLogLog is kept.", Complexity: "N/A", Run: pfdebug},
		{Name: "pfselftest", Arity: 1, Flags: Admin, Since: "2.8.9",
			Summary: "Compares estimates of HyperLogLogs with what they should be.", Complexity: "N/A", Serve: pfselftest},
	}
	for i := range rows {
		rows[i].Group, rows[i].Categories = "hyperloglog", "@hyperloglog"
	}
	return rows
}

func pfadd(c *Call, tx *storage.Tx) error {
	s, err := tx.Sketch(c.Args[1])
	if err != nil {
		return err
	}
	updated := s.Create()
	for _, element := range c.Args[2:] {
		changed, err := s.Add(element)
		if err != nil {
			return err
		}
		updated = updated || changed
	}
	if updated {
		s.Forget()
	}
	c.intBool(updated)
	return s.Save()
}

func pfcount(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 2 {
		s, err := tx.Sketch(c.Args[1])
		if err != nil || !s.Live() {
			c.Out.Int(0)
			return err
		}
		n, err := s.Count()
		if err != nil {
			return err
		}
		c.Out.Int(int64(n))
		if !tx.Writable() {
			return nil
		}
		return s.Save()
	}
	all, _, err := unite(tx, c.Args[1:])
	if err != nil {
		return err
	}
	c.Out.Int(int64(all.Count()))
	return nil
}

// unite returns the highest registers of the sketches that there are, and whether
// one of those is dense.
func unite(tx *storage.Tx, keys [][]byte) (all *hyperloglog.Registers, dense bool, err error) {
	all = new(hyperloglog.Registers)
	for _, key := range keys {
		s, err := tx.Sketch(key)
		if err != nil {
			return nil, false, err
		}
		if !s.Live() {
			continue
		}
		dense = dense || !s.Sparse()
		if all.Merge(s.Bytes()) != nil {
			return nil, false, storage.ErrCorruptSketch
		}
	}
	return all, dense, nil
}

func pfmerge(c *Call, tx *storage.Tx) error {
	all, dense, err := unite(tx, c.Args[1:])
	if err != nil {
		return err
	}
	s, err := tx.Sketch(c.Args[1])
	if err != nil {
		return err
	}
	s.Create()
	if err := s.Merge(all, dense); err != nil {
		return err
	}
	s.Forget()
	c.Out.OK()
	return s.Save()
}

func pfdebug(c *Call, tx *storage.Tx) error {
	s, err := tx.Sketch(c.Args[2])
	if err != nil {
		return err
	}
	if !s.Live() {
		return Error("ERR The specified key does not exist")
	}
	switch what := c.Args[1]; {
	case fold(what, "getreg"):
		if err := s.ToDense(); err != nil {
			return err
		}
		all, err := hyperloglog.All(s.Bytes())
		if err != nil {
			return storage.ErrCorruptSketch
		}
		c.Out.Array(len(all))
		for _, rank := range all {
			c.Out.Int(int64(rank))
		}
	case fold(what, "decode"):
		if !s.Sparse() {
			return Error("ERR HLL encoding is not sparse")
		}
		c.Out.Bulk(hyperloglog.AppendOpcodes(nil, s.Bytes()))
	case fold(what, "encoding"):
		if s.Sparse() {
			c.Out.Status("sparse")
		} else {
			c.Out.Status("dense")
		}
	case fold(what, "todense"):
		c.intBool(s.Sparse())
		if err := s.ToDense(); err != nil {
			return err
		}
	default:
		return errorf("ERR Unknown PFDEBUG subcommand '%s'", what)
	}
	return s.Save()
}

// pfselftest adds a hundred thousand elements and looks at the estimate now and
// then: it must stay within six times the standard error.
func pfselftest(c *Call) error {
	const elements, standardError = 100_000, 1.04 / 128
	sketch := hyperloglog.New()
	var text [24]byte
	for i := 1; i <= elements; i++ {
		var err error
		if sketch, _, err = hyperloglog.Add(sketch, fmt.Append(text[:0], i), 3000); err != nil {
			return err
		}
		if i&(i-1) != 0 && i != elements {
			continue
		}
		n, err := hyperloglog.Count(sketch)
		if err != nil {
			return err
		}
		if off := float64(n) - float64(i); off*off > 36*standardError*standardError*float64(i)*float64(i)+1 {
			return errorf("ERR TESTFAILED sparse and dense registers: estimate %d for %d elements", n, i)
		}
	}
	c.Out.OK()
	return nil
}
