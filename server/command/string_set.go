package command

import (
	"bytes"
	"math"

	"cobble/storage"
)

// The options of SET, GETEX and MSETEX, as bits, so that what excludes what is one mask.
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
	optIfEq
	optIfNe
	optIfDigestEq
	optIfDigestNe

	optExpiry  = optEX | optPX | optEXAT | optPXAT
	optCompare = optIfEq | optIfNe | optIfDigestEq | optIfDigestNe
)

// The commands that know an option.
const (
	ofSet = 1 << iota
	ofGetEx
	ofMSetEx
	ofDelEx
)

// setOptions lists each option, what it may not stand with, and which commands know
// it. An expiry may be repeated: the last one counts.
var setOptions = []struct {
	name      string
	bit, bars setOption
	of        int
}{
	{"NX", optNX, optXX | optCompare, ofSet | ofMSetEx},
	{"XX", optXX, optNX | optCompare, ofSet | ofMSetEx},
	{"GET", optGet, 0, ofSet},
	{"KEEPTTL", optKeepTTL, optPersist | optExpiry, ofSet | ofMSetEx},
	{"PERSIST", optPersist, optKeepTTL | optExpiry, ofGetEx},
	{"EX", optEX, optKeepTTL | optPersist | optExpiry&^optEX, ofSet | ofGetEx | ofMSetEx},
	{"PX", optPX, optKeepTTL | optPersist | optExpiry&^optPX, ofSet | ofGetEx | ofMSetEx},
	{"EXAT", optEXAT, optKeepTTL | optPersist | optExpiry&^optEXAT, ofSet | ofGetEx | ofMSetEx},
	{"PXAT", optPXAT, optKeepTTL | optPersist | optExpiry&^optPXAT, ofSet | ofGetEx | ofMSetEx},
	{"IFEQ", optIfEq, optNX | optXX | optCompare, ofSet | ofDelEx},
	{"IFNE", optIfNe, optNX | optXX | optCompare, ofSet | ofDelEx},
	{"IFDEQ", optIfDigestEq, optNX | optXX | optCompare, ofSet | ofDelEx},
	{"IFDNE", optIfDigestNe, optNX | optXX | optCompare, ofSet | ofDelEx},
}

// setWords are the options that stand behind a command.
type setWords struct {
	options setOption
	expiry  []byte // the argument of EX and its like
	compare []byte // that of IFEQ and its like
}

// parseSetOptions reads the options of a command.
func parseSetOptions(args [][]byte, command int) (w setWords, err error) {
next:
	for i := 0; i < len(args); i++ {
		for _, o := range setOptions {
			if o.of&command == 0 || w.options&o.bars != 0 || !fold(args[i], o.name) {
				continue
			}
			if o.bit&(optExpiry|optCompare) != 0 {
				if i++; i == len(args) {
					return w, ErrSyntax
				}
				if o.bit&optExpiry != 0 {
					w.expiry = args[i]
				} else {
					w.compare = args[i]
				}
			}
			w.options |= o.bit
			continue next
		}
		return w, ErrSyntax
	}
	return w, nil
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
	w, err := parseSetOptions(c.Args[3:], ofSet)
	if err != nil {
		return err
	}
	if o, err = c.setOptions(w); err != nil {
		return err
	}
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

// setOptions are what the words ask of the storage.
func (c *Call) setOptions(w setWords) (o storage.SetOptions, err error) {
	if w.expiry != nil {
		if o.ExpireAt, err = c.expireTime(w.expiry, w.options); err != nil {
			return o, err
		}
	}
	o.If, err = w.condition()
	o.IfAbsent, o.IfPresent = w.options&optNX != 0, w.options&optXX != 0
	o.ReturnOld, o.KeepTTL = w.options&optGet != 0, w.options&optKeepTTL != 0
	return o, err
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
	w, err := parseSetOptions(c.Args[2:], ofGetEx)
	if err != nil {
		return err
	}
	value, ok, err := tx.StringGet(c.Args[1])
	if err != nil || !ok {
		c.Out.Null()
		return err
	}
	defer tx.Touch(tx.Touch(false)) // it counts as one use
	switch {
	case w.expiry != nil:
		at, err := c.expireTime(w.expiry, w.options)
		if err != nil {
			return err
		}
		if _, err := tx.Expire(c.Args[1], at, storage.ExpireAlways); err != nil {
			return err
		}
	case w.options&optPersist != 0:
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
