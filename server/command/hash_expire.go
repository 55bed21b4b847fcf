package command

import (
	"strings"

	"cobble/storage"
)

// Commands for fields of hashes that expire (Redis 7.4 and 8.0).

const (
	errNoFields     Error = "ERR Mandatory argument FIELDS is missing or not at the right position"
	errFieldsCount  Error = "ERR The `numfields` parameter must match the number of arguments"
	errFieldsMore   Error = "ERR Parameter `numFields` should be greater than 0"
	errFieldsNumber Error = "ERR Number of fields must be a positive integer"
	errFieldsSet    Error = "ERR invalid number of fields"
	errFieldTime    Error = "ERR invalid expire time, must be >= 0"
	errOneTime      Error = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	errOneIf        Error = "ERR Only one of FXX or FNX arguments can be specified"
)

var hashReadUpdate = Key(KeyRW|KeyAccess|KeyUpdate, 1, 1, 1)

func hashExpireCommands() []Command {
	row := func(name, since, summary string, run func(*Call, *storage.Tx) error) Command {
		return Command{Name: name, Arity: -5, Flags: ReadOnly | Fast, Categories: "@hash", Keys: hashRead, Group: "hash", Since: since,
			Summary: summary, Complexity: fieldsAsked, Run: run}
	}
	write := func(name, since, summary string, arity int, run func(*Call, *storage.Tx) error) Command {
		c := row(name, since, summary, run)
		c.Arity, c.Flags, c.Keys = arity, Write|Fast, hashUpdate
		return c
	}
	rows := []Command{
		write("hexpire", "7.4.0", "Makes fields of a hash expire after some seconds.", -6, hexpire),
		write("hpexpire", "7.4.0", "Makes fields of a hash expire after some milliseconds.", -6, hexpire),
		write("hexpireat", "7.4.0", "Makes fields of a hash expire at a Unix time in seconds.", -6, hexpire),
		write("hpexpireat", "7.4.0", "Makes fields of a hash expire at a Unix time in milliseconds.", -6, hexpire),
		write("hpersist", "7.4.0", "Takes the expiry from fields of a hash.", -5, hpersist),
		row("httl", "7.4.0", "Returns the seconds that fields of a hash have left.", httl),
		row("hpttl", "7.4.0", "Returns the milliseconds that fields of a hash have left.", httl),
		row("hexpiretime", "7.4.0", "Returns the Unix times in seconds at which fields of a hash expire.", httl),
		row("hpexpiretime", "7.4.0", "Returns the Unix times in milliseconds at which fields of a hash expire.", httl),
		write("hgetex", "8.0.0", "Returns the values of fields of a hash and changes when they expire.", -5, hgetex),
		write("hsetex", "8.0.0", "Sets fields of a hash, on a condition if there is one, and when they expire.", -6, hsetex),
		write("hgetdel", "8.0.0", "Returns the values of fields of a hash and deletes them.", -5, hgetdel),
	}
	for i := range rows {
		c := &rows[i]
		switch {
		case strings.HasSuffix(c.Name, "ttl"):
			c.Tips = anyOutput
		case c.Name == "hgetex":
			c.Keys = hashReadUpdate
		case c.Name == "hsetex":
			c.Flags |= DenyOOM
		case c.Name == "hgetdel":
			c.Keys = Key(KeyRW|KeyAccess|KeyDelete, 1, 1, 1)
		}
	}
	return rows
}

// didFields is what a command did to fields of a hash, for its events.
type didFields uint8

const (
	didSet didFields = 1 << iota
	didExpire
	didPersist
	didDelete
)

// tellFields tells it.
func tellFields(c *Call, tx *storage.Tx, changes []storage.Change) {
	for _, change := range changes {
		tellNew(tx, change)
		for i, name := range [...]string{"hset", "hexpire", "hpersist", "hdel"} {
			if c.fields&(1<<i) != 0 {
				tx.Note(eventHash, name, change.Key)
			}
		}
		tellGone(tx, change)
	}
}

// fieldsFrom returns the fields that stand after the word FIELDS at a place and their
// number, which is said to be wrong by count.
func (c *Call) fieldsFrom(at int, count error) ([][]byte, error) {
	if at+2 > len(c.Args) {
		return nil, c.wrongArity()
	}
	if !fold(c.Args[at], "FIELDS") {
		return nil, errNoFields
	}
	n, ok := storage.ParseInt(c.Args[at+1])
	switch {
	case !ok || n < 1:
		return nil, count
	case n != int64(len(c.Args)-at-2):
		return nil, errFieldsCount
	}
	return c.Args[at+2:], nil
}

// fieldTime returns the time that an argument names, Unix milliseconds: in units of so
// many of them, after since.
func (c *Call) fieldTime(arg []byte, unit, since int64) (int64, error) {
	at, ok := storage.ParseInt(arg)
	switch {
	case !ok:
		return 0, ErrNotInteger
	case at < 0:
		return 0, errFieldTime
	case at > (storage.MaxFieldDeadline-since)/unit:
		return 0, c.errExpireTime()
	}
	return at*unit + since, nil
}

// timeOption returns what the options EX, PX, EXAT and PXAT count in (milliseconds),
// and from when on; ok is false for another word.
func (c *Call) timeOption(word []byte) (unit, since int64, ok bool) {
	switch {
	case fold(word, "EX"):
		return 1000, c.Now, true
	case fold(word, "PX"):
		return 1, c.Now, true
	case fold(word, "EXAT"):
		return 1000, 0, true
	case fold(word, "PXAT"):
		return 1, 0, true
	}
	return 0, 0, false
}

// hexpire is HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT.
func hexpire(c *Call, tx *storage.Tx) error {
	c.fields = 0
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	unit, since := int64(1), c.Now
	if c.Cmd.Name[1] == 'e' {
		unit = 1000
	}
	if strings.HasSuffix(c.Cmd.Name, "at") {
		since = 0
	}
	at, err := c.fieldTime(c.Args[2], unit, since)
	if err != nil {
		return err
	}
	cond, first := storage.ExpireAlways, 3
	if only, err := parseExpireIf(c.Args[3:4]); err == nil {
		cond, first = only, 4
	}
	fields, err := c.fieldsFrom(first, errFieldsMore)
	if err != nil {
		return err
	}
	if err := c.beginFields(&h, fields); err != nil {
		return err
	}
	return c.eachField(&h, fields, func(field []byte) (storage.DeadlineResult, error) { return h.ExpireField(field, at, cond) })
}

// fieldsOf returns the hash and the fields of a command that has no options, and begins
// a reply of one element for each.
func (c *Call) fieldsOf(tx *storage.Tx) (h storage.Hash, fields [][]byte, err error) {
	if h, err = tx.Hash(c.Args[1]); err != nil {
		return h, nil, err
	}
	if fields, err = c.fieldsFrom(2, errFieldsNumber); err != nil {
		return h, nil, err
	}
	return h, fields, c.beginFields(&h, fields)
}

// beginFields begins a reply of one element for each field.
func (c *Call) beginFields(h *storage.Hash, fields [][]byte) error {
	err := h.Prefetch(fields, 1)
	if err == nil {
		c.Out.Array(len(fields))
	}
	return err
}

// eachField replies what a change does to each field, and saves the hash.
func (c *Call) eachField(h *storage.Hash, fields [][]byte, change func(field []byte) (storage.DeadlineResult, error)) error {
	for _, field := range fields {
		done, err := change(field)
		if err != nil {
			return err
		}
		c.did(done, didExpire)
		c.Out.Int(int64(done))
	}
	h.Save()
	return nil
}

// did notes what became of a field.
func (c *Call) did(done storage.DeadlineResult, change didFields) {
	switch done {
	case storage.FieldDeleted:
		c.fields |= didDelete
	case storage.FieldChanged:
		c.fields |= change
	}
}

func hpersist(c *Call, tx *storage.Tx) error {
	h, fields, err := c.fieldsOf(tx)
	if err != nil {
		return err
	}
	return c.eachField(&h, fields, h.PersistField)
}

// httl is HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME.
func httl(c *Call, tx *storage.Tx) error {
	h, fields, err := c.fieldsOf(tx)
	if err != nil {
		return err
	}
	for _, field := range fields {
		n, ok, err := h.Deadline(field)
		switch {
		case err != nil:
			return err
		case !ok:
			c.Out.Int(int64(storage.FieldMissing))
			continue
		case n == 0:
			c.Out.Int(int64(storage.FieldNoDeadline))
			continue
		}
		if strings.HasSuffix(c.Cmd.Name, "ttl") {
			n -= c.Now
		}
		if c.Cmd.Name[1] != 'p' { // up to the next second
			n = (n + 999) / 1000
		}
		c.Out.Int(n)
	}
	return nil
}

func hgetex(c *Call, tx *storage.Tx) error {
	c.fields = 0
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	at, persist, first := int64(0), fold(c.Args[2], "PERSIST"), 2
	if unit, since, ok := c.timeOption(c.Args[2]); ok {
		if at, err = c.fieldTime(c.Args[3], unit, since); err != nil {
			return err
		}
		at, first = max(at, 1), 4 // 0 is a time that has passed, too
	} else if persist {
		first = 3
	}
	fields, err := c.fieldsFrom(first, errFieldsNumber)
	if err != nil {
		return err
	}
	if err := c.beginFields(&h, fields); err != nil {
		return err
	}
	for _, field := range fields {
		value, ok, err := h.Get(field)
		if err != nil {
			return err
		}
		c.bulkOrNull(value, ok)
		done, change := storage.FieldKept, didExpire
		if persist {
			change = didPersist
			done, err = h.PersistField(field)
		} else if at != 0 {
			done, err = h.ExpireField(field, at, storage.ExpireAlways)
		}
		if err != nil {
			return err
		}
		c.did(done, change)
	}
	h.Save()
	return nil
}

func hgetdel(c *Call, tx *storage.Tx) error {
	h, fields, err := c.fieldsOf(tx)
	if err != nil {
		return err
	}
	for _, field := range fields {
		value, ok, err := h.Get(field)
		if err != nil {
			return err
		}
		c.bulkOrNull(value, ok)
		if _, err := h.Delete(field); err != nil {
			return err
		}
	}
	h.Save()
	return nil
}

// hsetexOptions are the options of HSETEX.
type hsetexOptions struct {
	ifNone, ifAll bool // FNX, FXX
	keep          bool
	at            int64    // 0 = never
	pairs         [][]byte // fields and values in turn
}

func (c *Call) parseHSetEx() (o hsetexOptions, err error) {
	timed := false
	for i := 2; i < len(c.Args); i++ {
		word := c.Args[i]
		unit, since, isTime := c.timeOption(word)
		switch {
		case fold(word, "FIELDS"):
			o.pairs, err = c.hsetexFields(i + 1)
			return o, err
		case fold(word, "FNX"), fold(word, "FXX"):
			if o.ifNone || o.ifAll {
				return o, errOneIf
			}
			o.ifNone = fold(word, "FNX")
			o.ifAll = !o.ifNone
		case fold(word, "KEEPTTL"):
			if timed {
				return o, errOneTime
			}
			timed, o.keep = true, true
		case isTime:
			if timed {
				return o, errOneTime
			}
			if i++; i == len(c.Args) {
				return o, c.wrongArity()
			}
			if o.at, err = c.fieldTime(c.Args[i], unit, since); err != nil {
				return o, err
			}
			timed, o.at = true, max(o.at, 1)
		default:
			return o, errorf("ERR unknown argument: %s", word)
		}
	}
	return o, c.wrongArity()
}

func (c *Call) hsetexFields(at int) ([][]byte, error) {
	const most = 1<<31 - 1
	if at+3 > len(c.Args) {
		return nil, c.wrongArity()
	}
	n, ok := storage.ParseInt(c.Args[at])
	switch {
	case !ok || n < 1 || n > most:
		return nil, errFieldsSet
	case 2*n != int64(len(c.Args)-at-1):
		return nil, c.wrongArity()
	}
	return c.Args[at+1:], nil
}

func hsetex(c *Call, tx *storage.Tx) error {
	c.fields = 0
	o, err := c.parseHSetEx()
	if err != nil {
		return err
	}
	h, err := tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if err := h.Prefetch(o.pairs, 2); err != nil {
		return err
	}
	if o.ifNone || o.ifAll {
		for i := 0; i < len(o.pairs); i += 2 {
			has, err := h.Has(o.pairs[i])
			if err != nil {
				return err
			}
			if has == o.ifNone {
				c.Out.Int(0)
				return nil
			}
		}
	}
	c.fields = didSet
	for i := 0; i < len(o.pairs); i += 2 {
		if err := c.setField(&h, o.pairs[i], o.pairs[i+1], &o); err != nil {
			return err
		}
	}
	h.Save()
	c.Out.Int(1)
	return nil
}

func (c *Call) setField(h *storage.Hash, field, value []byte, o *hsetexOptions) error {
	if o.keep {
		_, err := h.SetKeep(field, value)
		return err
	}
	if o.at == 0 || o.at > c.Now {
		if o.at != 0 {
			c.fields |= didExpire
		}
		_, err := h.SetUntil(field, value, o.at)
		return err
	}
	if _, err := h.Set(field, value); err != nil {
		return err
	}
	c.fields |= didDelete
	_, err := h.ExpireField(field, o.at, storage.ExpireAlways)
	return err
}
