package command

import (
	"strings"

	"cobble/storage"
)

func bitmapCommands() []Command {
	combines := append(Key(KeyOW|KeyUpdate, 2, 2, 1), Key(KeyRO|KeyAccess, 3, -1, 1)...)
	return []Command{
		{Name: "setbit", Arity: 4, Flags: Write | DenyOOM, Categories: "@bitmap", Keys: changesKey, Group: "bitmap", Since: "2.2.0",
			Summary: "Sets one bit of a string value, which is padded with zeros to reach it.", Complexity: "O(1)", Run: setBit},
		{Name: "getbit", Arity: 3, Flags: ReadOnly | Fast, Categories: "@bitmap", Keys: readsKey, Group: "bitmap", Since: "2.2.0",
			Summary: "Returns one bit of a string value.", Complexity: "O(1)", Run: getBit},
		{Name: "bitcount", Arity: -2, Flags: ReadOnly, Categories: "@bitmap", Keys: readsKey, Group: "bitmap", Since: "2.6.0",
			Summary: "Counts the bits of a string value that are set.", Complexity: "O(N) where N is the number of bytes.", Run: bitCount},
		{Name: "bitpos", Arity: -3, Flags: ReadOnly, Categories: "@bitmap", Keys: readsKey, Group: "bitmap", Since: "2.8.7",
			Summary: "Finds the first bit of a string value that is 1, or 0.", Complexity: "O(N) where N is the number of bytes.", Run: bitPos},
		{Name: "bitop", Arity: -4, Flags: Write | DenyOOM, Categories: "@bitmap", Keys: combines, Group: "bitmap", Since: "2.6.0",
			Summary: "Combines string values bit by bit and stores the result.", Complexity: "O(N) where N is the number of bytes.", Run: bitOp},
		{Name: "bitfield", Arity: -2, Flags: Write | DenyOOM, Categories: "@bitmap", Keys: Key(KeyRW|KeyAccess|KeyUpdate|KeyVariableFlags, 1, 1, 1), Group: "bitmap", Since: "3.2.0",
			Summary: "Reads and writes integers of any width inside a string value.", Complexity: "O(N) where N is the number of operations.", Run: bitField},
		{Name: "bitfield_ro", Arity: -2, Flags: ReadOnly | Fast, Categories: "@bitmap", Keys: readsKey, Group: "bitmap", Since: "6.0.0",
			Summary: "Reads integers of any width inside a string value.", Complexity: "O(N) where N is the number of operations.", Run: bitField},
	}
}

const (
	errBitOffset Error = "ERR bit offset is not an integer or out of range"
	errBit       Error = "ERR bit is not an integer or out of range"
	errBitArg    Error = "ERR The bit argument must be 1 or 0."
	errBitNot    Error = "ERR BITOP NOT must be called with a single source key."
)

// bitOffset reads a bit offset into a string of up to most bytes; with a width, "#n"
// means the n-th field of that width.
func bitOffset(arg []byte, width, most int64) (int64, error) {
	scale := int64(1)
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, scale = arg[1:], width
	}
	n, ok := storage.ParseInt(arg)
	if !ok || n < 0 || n > (8*most-1)/scale {
		return 0, errBitOffset
	}
	return n * scale, nil
}

func setBit(c *Call, tx *storage.Tx) error {
	offset, err := bitOffset(c.Args[2], 0, c.Env.Engine.MaxString())
	if err != nil {
		return err
	}
	on, ok := storage.ParseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		return errBit
	}
	was, err := tx.BitSet(c.Args[1], offset, on == 1)
	c.intBool(was)
	return err
}

func getBit(c *Call, tx *storage.Tx) error {
	offset, err := bitOffset(c.Args[2], 0, c.Env.Engine.MaxString())
	if err != nil {
		return err
	}
	on, err := tx.BitGet(c.Args[1], offset)
	c.intBool(on)
	return err
}

// bitRange reads "[start [end [BYTE|BIT]]]".
func bitRange(args [][]byte) (r storage.BitRange, err error) {
	r.Open = true
	if len(args) > 3 {
		return r, ErrSyntax
	}
	for i, arg := range args {
		n, ok := int64(0), true
		if i < 2 {
			n, ok = storage.ParseInt(arg)
		}
		switch {
		case !ok:
			return r, ErrNotInteger
		case i == 0:
			r.First = n
		case i == 1:
			r.Last, r.Open = n, false
		case fold(arg, "BIT"):
			r.Bits = true
		case !fold(arg, "BYTE"):
			return r, ErrSyntax
		}
	}
	return r, nil
}

func bitCount(c *Call, tx *storage.Tx) error {
	if len(c.Args) == 3 {
		return ErrSyntax
	}
	r, err := bitRange(c.Args[2:])
	if err != nil {
		return err
	}
	n, err := tx.BitCount(c.Args[1], r)
	c.Out.Int(n)
	return err
}

func bitPos(c *Call, tx *storage.Tx) error {
	bit, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	if bit != 0 && bit != 1 {
		return errBitArg
	}
	if len(c.Args) == 6 && !fold(c.Args[5], "BIT") && !fold(c.Args[5], "BYTE") {
		if _, ok := storage.ParseInt(c.Args[3]); ok { // the end is looked at after the unit
			return ErrSyntax
		}
	}
	r, err := bitRange(c.Args[3:])
	if err != nil {
		return err
	}
	n, err := tx.BitPos(c.Args[1], bit == 1, r)
	c.Out.Int(n)
	return err
}

func bitOp(c *Call, tx *storage.Tx) error {
	op := storage.BitAnd
	switch name := c.Args[1]; {
	case fold(name, "AND"):
	case fold(name, "OR"):
		op = storage.BitOr
	case fold(name, "XOR"):
		op = storage.BitXor
	case fold(name, "NOT"):
		op = storage.BitNot
		if len(c.Args) != 4 {
			return errBitNot
		}
	case fold(name, "DIFF"):
		op = storage.BitDiff
	case fold(name, "DIFF1"):
		op = storage.BitDiff1
	case fold(name, "ANDOR"):
		op = storage.BitAndOr
	case fold(name, "ONE"):
		op = storage.BitOne
	default:
		return ErrSyntax
	}
	if (op == storage.BitDiff || op == storage.BitDiff1 || op == storage.BitAndOr) && len(c.Args) < 5 {
		return Error("ERR BITOP " + strings.ToUpper(string(c.Args[1])) + " must be called with at least two source keys.")
	}
	n, err := tx.BitOp(op, c.Args[2], c.Args[3:])
	c.Out.Int(n)
	return err
}

const (
	errFieldType     Error = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
	errFieldOverflow Error = "ERR Invalid OVERFLOW type specified"
	errFieldReadOnly Error = "ERR BITFIELD_RO only supports the GET subcommand"
)

// parseFields reads the operations of BITFIELD on a string of up to most bytes.
func parseFields(args [][]byte, readOnly bool, most int64) (ops []storage.FieldOp, err error) {
	overflow, writes := storage.OverflowWrap, false
	for len(args) > 0 {
		op := storage.FieldOp{Overflow: overflow}
		used := 4
		switch {
		case fold(args[0], "GET") && len(args) >= 3:
			op.Verb, used = storage.FieldGet, 3
		case fold(args[0], "SET") && len(args) >= 4:
			op.Verb = storage.FieldSet
		case fold(args[0], "INCRBY") && len(args) >= 4:
			op.Verb = storage.FieldIncr
		case fold(args[0], "OVERFLOW") && len(args) >= 2:
			if overflow, err = parseOverflow(args[1]); err != nil {
				return nil, err
			}
			args = args[2:]
			continue
		default:
			return nil, ErrSyntax
		}
		if op.Signed, op.Bits, err = fieldType(args[1]); err != nil {
			return nil, err
		}
		if op.Offset, err = bitOffset(args[2], int64(op.Bits), most); err != nil {
			return nil, err
		}
		if op.Verb != storage.FieldGet {
			writes = true
			var ok bool
			if op.Value, ok = storage.ParseInt(args[3]); !ok {
				return nil, ErrNotInteger
			}
		}
		ops = append(ops, op)
		args = args[used:]
	}
	if writes && readOnly {
		return nil, errFieldReadOnly
	}
	return ops, nil
}

func parseOverflow(arg []byte) (storage.Overflow, error) {
	switch {
	case fold(arg, "WRAP"):
		return storage.OverflowWrap, nil
	case fold(arg, "SAT"):
		return storage.OverflowSat, nil
	case fold(arg, "FAIL"):
		return storage.OverflowFail, nil
	}
	return 0, errFieldOverflow
}

// fieldType reads "i5" or "u12".
func fieldType(arg []byte) (signed bool, bits int, err error) {
	if len(arg) < 2 || arg[0] != 'i' && arg[0] != 'u' {
		return false, 0, errFieldType
	}
	signed = arg[0] == 'i'
	n, ok := storage.ParseInt(arg[1:])
	if !ok || n < 1 || n > 64 || n == 64 && !signed {
		return false, 0, errFieldType
	}
	return signed, int(n), nil
}

func bitField(c *Call, tx *storage.Tx) error {
	ops, err := parseFields(c.Args[2:], c.Cmd.Flags&ReadOnly != 0, c.Env.Engine.MaxString())
	if err != nil {
		return err
	}
	results, err := tx.BitField(nil, c.Args[1], ops)
	if err != nil {
		return err
	}
	c.Out.Array(len(results))
	for _, r := range results {
		if r.Failed {
			c.Out.Null()
		} else {
			c.Out.Int(r.Value)
		}
	}
	return nil
}
