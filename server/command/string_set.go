package command

import (
	"bytes"
	"math"

	"cobble/storage"
)

// The options of SET and GETEX, as bits, so that what excludes what is one mask.
type setOption uint16

const (
	optNX setOption = 1 << iota
	optXX
	optGet
	optKeepTTL
	optPersist
	optEX
	optPX
	optEXAT
	optPXAT

	optExpiry = optEX | optPX | optEXAT | optPXAT
)

// setOptions lists each option, what it may not stand with, and whether the
// command SET or GETEX knows it. An expiry may be repeated: the last one counts.
var setOptions = []struct {
	name       string
	bit, bars  setOption
	set, getEx bool
}{
	{"NX", optNX, optXX, true, false},
	{"XX", optXX, optNX, true, false},
	{"GET", optGet, 0, true, false},
	{"KEEPTTL", optKeepTTL, optPersist | optExpiry, true, false},
	{"PERSIST", optPersist, optKeepTTL | optExpiry, false, true},
	{"EX", optEX, optKeepTTL | optPersist | optExpiry&^optEX, true, true},
	{"PX", optPX, optKeepTTL | optPersist | optExpiry&^optPX, true, true},
	{"EXAT", optEXAT, optKeepTTL | optPersist | optExpiry&^optEXAT, true, true},
	{"PXAT", optPXAT, optKeepTTL | optPersist | optExpiry&^optPXAT, true, true},
}

// parseSetOptions reads the options of SET or GETEX; expiry is the argument of EX and its like.
func parseSetOptions(args [][]byte, getEx bool) (options setOption, expiry []byte, err error) {
next:
	for i := 0; i < len(args); i++ {
		for _, o := range setOptions {
			if !(getEx && o.getEx || !getEx && o.set) || options&o.bars != 0 || !fold(args[i], o.name) {
				continue
			}
			if o.bit&optExpiry != 0 {
				if i++; i == len(args) {
					return 0, nil, ErrSyntax
				}
				expiry = args[i]
			}
			options |= o.bit
			continue next
		}
		return 0, nil, ErrSyntax
	}
	return options, expiry, nil
}

// fold reports whether an argument is the word, in any case.
func fold(arg []byte, word string) bool {
	return len(arg) == len(word) && bytes.EqualFold(arg, []byte(word))
}

// expireTime reads the argument of an EX, PX, EXAT or PXAT: Unix milliseconds.
func (c *Call) expireTime(arg []byte, kind setOption) (int64, error) {
	n, ok := storage.ParseInt(arg)
	if !ok {
		return 0, ErrNotInteger
	}
	seconds, relative := kind&(optEX|optEXAT) != 0, kind&(optEX|optPX) != 0
	if n <= 0 || seconds && n > math.MaxInt64/1000 {
		return 0, c.errExpireTime()
	}
	if seconds {
		n *= 1000
	}
	if relative {
		if n > math.MaxInt64-c.Now {
			return 0, c.errExpireTime()
		}
		n += c.Now
	}
	return n, nil
}

func (c *Call) errExpireTime() error {
	return Error("ERR invalid expire time in '" + c.Cmd.FullName() + "' command")
}

func set(c *Call, tx *storage.Tx) error {
	var o storage.SetOptions
	if len(c.Args) == 3 { // the common case
		if _, err := tx.StringSet(c.Args[1], c.Args[2], o); err != nil {
			return err
		}
		c.Out.OK()
		return nil
	}
	options, expiry, err := parseSetOptions(c.Args[3:], false)
	if err != nil {
		return err
	}
	if expiry != nil {
		if o.ExpireAt, err = c.expireTime(expiry, options); err != nil {
			return err
		}
	}
	o.IfAbsent, o.IfPresent = options&optNX != 0, options&optXX != 0
	o.ReturnOld, o.KeepTTL = options&optGet != 0, options&optKeepTTL != 0
	r, err := tx.StringSet(c.Args[1], c.Args[2], o)
	switch {
	case err != nil:
		return err
	case o.ReturnOld:
		c.bulkOrNull(r.Old, r.Had)
	case r.Done:
		c.Out.OK()
	default:
		c.Out.Null()
	}
	return nil
}

func setNX(c *Call, tx *storage.Tx) error {
	r, err := tx.StringSet(c.Args[1], c.Args[2], storage.SetOptions{IfAbsent: true})
	c.intBool(r.Done)
	return err
}

// intBool writes 1 or 0.
func (c *Call) intBool(b bool) {
	if b {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
}

// setEX is SETEX and PSETEX.
func setEX(c *Call, tx *storage.Tx) error {
	kind := optEX
	if c.Cmd.Name == "psetex" {
		kind = optPX
	}
	at, err := c.expireTime(c.Args[2], kind)
	if err != nil {
		return err
	}
	_, err = tx.StringSet(c.Args[1], c.Args[3], storage.SetOptions{ExpireAt: at})
	c.Out.OK()
	return err
}

func getSet(c *Call, tx *storage.Tx) error {
	r, err := tx.StringSet(c.Args[1], c.Args[2], storage.SetOptions{ReturnOld: true})
	c.bulkOrNull(r.Old, r.Had)
	return err
}

func getEx(c *Call, tx *storage.Tx) error {
	options, expiry, err := parseSetOptions(c.Args[2:], true)
	if err != nil {
		return err
	}
	value, ok, err := tx.StringGet(c.Args[1])
	if err != nil || !ok {
		c.Out.Null()
		return err
	}
	switch {
	case expiry != nil:
		at, err := c.expireTime(expiry, options)
		if err != nil {
			return err
		}
		if _, err := tx.Expire(c.Args[1], at, storage.ExpireAlways); err != nil {
			return err
		}
	case options&optPersist != 0:
		if _, err := tx.Persist(c.Args[1]); err != nil {
			return err
		}
	}
	c.Out.Bulk(value)
	return nil
}

// wrongArity is the reply to a known command with the wrong number of arguments.
func (c *Call) wrongArity() error {
	return Error("ERR wrong number of arguments for '" + c.Cmd.FullName() + "' command")
}

func mset(c *Call, tx *storage.Tx) error {
	if len(c.Args)%2 == 0 {
		return c.wrongArity()
	}
	for i := 1; i < len(c.Args); i += 2 {
		if _, err := tx.StringSet(c.Args[i], c.Args[i+1], storage.SetOptions{}); err != nil {
			return err
		}
	}
	c.Out.OK()
	return nil
}

func msetNX(c *Call, tx *storage.Tx) error {
	if len(c.Args)%2 == 0 {
		return c.wrongArity()
	}
	for i := 1; i < len(c.Args); i += 2 {
		entry, err := tx.Lookup(c.Args[i])
		if err != nil {
			return err
		}
		if entry.Live {
			c.Out.Int(0)
			return nil
		}
	}
	for i := 1; i < len(c.Args); i += 2 {
		if _, err := tx.StringSet(c.Args[i], c.Args[i+1], storage.SetOptions{}); err != nil {
			return err
		}
	}
	c.Out.Int(1)
	return nil
}
