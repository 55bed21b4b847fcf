package command

import (
	"bytes"
	"math"
	"strconv"

	"cobble/storage"
	"cobble/storage/format"
)

const (
	errStreamID        Error = "ERR Invalid stream ID specified as stream command argument"
	errStreamTop       Error = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
	errStreamExhausted Error = "ERR The stream has exhausted the last possible ID, unable to add more items"
)

func streamCommands() []Command {
	read, update, remove := Key(KeyRO|KeyAccess, 1, 1, 1), Key(KeyRW|KeyUpdate, 1, 1, 1), Key(KeyRW|KeyDelete, 1, 1, 1)
	adds := Key(KeyRW|KeyUpdate, 1, 1, 1)
	streams := func(flags KeyFlags, from int) []KeySpec {
		return []KeySpec{{Flags: flags, Keyword: "STREAMS", StartFrom: from, Last: -1, Step: 1, Limit: 2, KeyNum: -1}}
	}
	const each = "O(1) for each single item, regardless of the stream size."
	rows := []Command{
		{Name: "xadd", Arity: -5, Flags: Write | DenyOOM | Fast, Keys: adds, Since: "5.0.0", Tips: anyOutput,
			Summary: "Appends an entry to a stream, which is created if there is none.", Complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.", Run: xadd},
		{Name: "xlen", Arity: 2, Flags: ReadOnly | Fast, Keys: Key(KeyRO, 1, 1, 1), Since: "5.0.0", Summary: "Returns the number of entries of a stream.", Complexity: "O(1)", Run: xlen},
		{Name: "xdel", Arity: -3, Flags: Write | Fast, Keys: remove, Since: "5.0.0", Summary: "Removes entries of a stream.", Complexity: each, Run: xdel},
		{Name: "xtrim", Arity: -4, Flags: Write, Keys: remove, Since: "5.0.0", Tips: anyOutput, Summary: "Removes entries from the beginning of a stream.",
			Complexity: "O(N), with N being the number of evicted entries.", Run: xtrim},
		{Name: "xrange", Arity: -4, Flags: ReadOnly, Keys: read, Since: "5.0.0", Summary: "Returns entries within a range of IDs.", Complexity: "O(N) with N being the number of elements being returned.", Run: xrange},
		{Name: "xrevrange", Arity: -4, Flags: ReadOnly, Keys: read, Since: "5.0.0", Summary: "Returns entries within a range of IDs, the last first.", Complexity: "O(N) with N being the number of elements returned.", Run: xrange},
		{Name: "xread", Arity: -4, Flags: ReadOnly | Blocking | MovableKeys, Keys: streams(KeyRO|KeyAccess, 1), Since: "5.0.0", Summary: "Returns entries of streams after given IDs, and waits for some if there are none.",
			Run: xread},
		{Name: "xreadgroup", Arity: -7, Flags: Write | Blocking | MovableKeys, Keys: streams(KeyRO|KeyAccess, 4), Since: "5.0.0", Summary: "Returns entries that no consumer of a group has yet, or those that one has, and waits for some if there are none.",
			Complexity: "O(M) with M being the number of elements returned.", Run: xread},
		{Name: "xack", Arity: -4, Flags: Write | Fast, Keys: update, Since: "5.0.0", Summary: "Tells that a consumer has dealt with entries.", Complexity: "O(1) for each message ID processed.", Run: xack},
		{Name: "xpending", Arity: -3, Flags: ReadOnly, Keys: read, Since: "5.0.0", Tips: anyOutput, Summary: "Returns entries that consumers have and have not acknowledged.",
			Complexity: "O(N) with N being the number of elements returned.", Run: xpending},
		{Name: "xclaim", Arity: -6, Flags: Write | Fast, Keys: update, Since: "5.0.0", Tips: anyOutput, Summary: "Makes a consumer the owner of entries that another has.",
			Complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.", Run: xclaim},
		{Name: "xautoclaim", Arity: -6, Flags: Write | Fast, Keys: remove, Since: "6.2.0", Tips: anyOutput, Summary: "Makes a consumer the owner of entries that others have kept for too long.",
			Complexity: "O(1) if COUNT is small.", Run: xautoclaim},
		{Name: "xsetid", long: true, Arity: -3, Flags: Write | DenyOOM | Fast, Keys: update, Since: "5.0.0", Summary: "Sets what a stream says of its past.", Complexity: "O(1)", Run: xsetid},
		{Name: "xgroup", Arity: -2, Since: "5.0.0", Summary: "A container for commands about groups of consumers.", Complexity: "Depends on subcommand.", Sub: groupSubcommands()},
		{Name: "xinfo", Arity: -2, Since: "5.0.0", Summary: "A container for commands that tell about streams.", Complexity: "Depends on subcommand.", Sub: streamInfoSubcommands()},
	}
	for i := range rows {
		rows[i].Group = "stream"
		if rows[i].Sub == nil {
			rows[i].Categories = "@stream"
		}
		for j := range rows[i].Sub {
			rows[i].Sub[j].Group, rows[i].Sub[j].Categories = "stream", "@stream"
		}
	}
	return rows
}

// parseStreamID reads "ms", "ms-seq", and unless strict "-" and "+"; a missing sequence number is missing. anySeq
// reports "ms-*", which only XADD may say.
func parseStreamID(arg []byte, missing uint64, strict bool) (id storage.StreamID, anySeq bool, err error) {
	if !strict && len(arg) == 1 && arg[0] == '-' {
		return storage.StreamID{}, false, nil
	}
	if !strict && len(arg) == 1 && arg[0] == '+' {
		return format.MaxStreamID, false, nil
	}
	if len(arg) > 127 {
		return id, false, errStreamID
	}
	if end := bytes.IndexByte(arg, 0); end >= 0 { // Redis reads it as a C string
		arg = arg[:end]
	}
	ms, seq, found := bytes.Cut(arg, []byte("-"))
	var ok bool
	if id.MS, ok = parseUint(ms); !ok {
		return id, false, errStreamID
	}
	switch {
	case !found:
		id.Seq = missing
	case string(seq) == "*":
		return id, true, nil
	default:
		if id.Seq, ok = parseUint(seq); !ok {
			return id, false, errStreamID
		}
	}
	return id, false, nil
}

// parseUint reads what Redis's string2ull reads.
func parseUint(b []byte) (uint64, bool) {
	if n, ok := storage.ParseInt(b); ok {
		return uint64(n), n >= 0
	}
	b = bytes.TrimPrefix(bytes.TrimLeft(b, " \t\n\v\f\r"), []byte("+")) // what is left to strtoull
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil
}

// strictID reads an ID that is whole but for its sequence number.
func strictID(arg []byte, missing uint64) (storage.StreamID, error) {
	id, anySeq, err := parseStreamID(arg, missing, true)
	if err == nil && anySeq {
		err = errStreamID
	}
	return id, err
}

// strictIDs reads IDs that are whole but for their sequence numbers.
func strictIDs(args [][]byte) ([]storage.StreamID, error) {
	ids := make([]storage.StreamID, 0, len(args))
	for _, arg := range args {
		id, err := strictID(arg, 0)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *Call) streamID(id storage.StreamID) {
	var b [42]byte
	text := strconv.AppendUint(b[:0], id.MS, 10)
	text = append(text, '-')
	c.Out.Bulk(strconv.AppendUint(text, id.Seq, 10))
}

func (c *Call) streamEntry(id storage.StreamID, fields [][]byte) {
	c.Out.Array(2)
	c.streamID(id)
	c.Out.Array(len(fields))
	for _, f := range fields {
		c.Out.Bulk(f)
	}
}

func xadd(c *Call, tx *storage.Tx) error {
	var add appending
	t, at, err := c.trimArguments(&add)
	if err != nil {
		return err
	}
	fields := c.Args[min(at+1, len(c.Args)):]
	if len(fields) < 2 || len(fields)%2 != 0 {
		return c.wrongArity()
	}
	if add.given && add.seq && add.id.IsZero() {
		return Error("ERR The ID specified in XADD must be greater than 0-0")
	}
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	if !s.Live() && add.noMake {
		c.Out.Null()
		return nil
	}
	if s.Last() == format.MaxStreamID {
		return errStreamExhausted
	}
	id := add.id
	switch {
	case !add.given:
		id = storage.StreamID{MS: uint64(c.Now)}
		if !s.Last().Less(id) {
			id, _ = s.Last().Next()
		}
	case !add.seq && id.MS == s.Last().MS && s.Live():
		if s.Last().Seq == math.MaxUint64 {
			return errStreamTop
		}
		id.Seq = s.Last().Seq + 1
	case !add.seq && id.MS == 0:
		id.Seq = 1
	}
	if !s.Last().Less(id) {
		return errStreamTop
	}
	s.Add(id, fields)
	cut, err := t.apply(c, s)
	if err != nil {
		return err
	}
	c.trimmed = cut > 0
	s.Save()
	c.streamID(id)
	return nil
}

func xlen(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	c.Out.Int(s.Len())
	return nil
}

func xdel(c *Call, tx *storage.Tx) error {
	s, err := tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	if !s.Live() {
		c.Out.Int(0)
		return nil
	}
	ids, err := strictIDs(c.Args[2:])
	if err != nil {
		return err
	}
	n := int64(0)
	for _, id := range ids {
		ok, err := s.Delete(id)
		if err != nil {
			return err
		}
		if ok {
			n++
		}
	}
	s.Save()
	c.Out.Int(n)
	return nil
}

// interval reads the ends of a range of IDs, "(" before one leaves it out.
func interval(from, to []byte) (start, end storage.StreamID, err error) {
	read := func(arg []byte, missing uint64, step func(storage.StreamID) (storage.StreamID, bool), bad Error) (storage.StreamID, error) {
		if len(arg) > 1 && arg[0] == '(' {
			id, err := strictID(arg[1:], missing)
			if err != nil {
				return id, err
			}
			next, ok := step(id)
			if !ok {
				return id, bad
			}
			return next, nil
		}
		id, anySeq, err := parseStreamID(arg, missing, false)
		if err == nil && anySeq {
			err = errStreamID
		}
		return id, err
	}
	if start, err = read(from, 0, storage.StreamID.Next, "ERR invalid start ID for the interval"); err != nil {
		return
	}
	end, err = read(to, math.MaxUint64, storage.StreamID.Prev, "ERR invalid end ID for the interval")
	return
}

func xrange(c *Call, tx *storage.Tx) error {
	backwards := c.Cmd.Name == "xrevrange"
	from, to := c.Args[2], c.Args[3]
	if backwards {
		from, to = to, from
	}
	start, end, err := interval(from, to)
	if err != nil {
		return err
	}
	count := int64(-1)
	for i := 4; i < len(c.Args); i++ {
		if !equalFold(c.Args[i], "count") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		i++
		var ok bool
		if count, ok = storage.ParseInt(c.Args[i]); !ok {
			return ErrNotInteger
		}
		count = max(count, 0)
	}
	s, err := tx.Stream(c.Args[1])
	switch {
	case err != nil:
		return err
	case !s.Live():
		c.Out.Array(0)
		return nil
	case count == 0:
		c.Out.NullArray()
		return nil
	}
	_, err = c.streamRange(s, start, end, count, backwards, nil)
	return err
}

// streamRange replies with the entries of a range, up to count of them (-1: all), and calls each for every one.
func (c *Call) streamRange(s *storage.Stream, from, to storage.StreamID, count int64, backwards bool, each func(storage.StreamID) error) (n int64, err error) {
	head := c.Out.Len()
	w := s.Walk(from, to, backwards)
	for n != count && w.Next() {
		c.streamEntry(w.ID(), w.Fields())
		n++
		if each != nil {
			if err = each(w.ID()); err != nil {
				break
			}
		}
	}
	if e := w.Close(); err == nil {
		err = e
	}
	if err != nil {
		c.Out.CutTo(head)
		return 0, err
	}
	c.Out.ArrayAt(head, int(n))
	return n, nil
}

func xsetid(c *Call, tx *storage.Tx) error {
	id, err := strictID(c.Args[2], 0)
	if err != nil {
		return err
	}
	added, deleted := int64(-1), storage.StreamID{}
	for i := 3; i < len(c.Args); i += 2 {
		switch {
		case i+1 == len(c.Args):
			return ErrSyntax
		case equalFold(c.Args[i], "entriesadded"):
			var ok bool
			if added, ok = storage.ParseInt(c.Args[i+1]); !ok {
				return ErrNotInteger
			}
			if added < 0 {
				return Error("ERR entries_added must be positive")
			}
		case equalFold(c.Args[i], "maxdeletedid"):
			if deleted, err = strictID(c.Args[i+1], 0); err != nil {
				return err
			}
			if id.Less(deleted) {
				return Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
			}
		default:
			return ErrSyntax
		}
	}
	s, err := tx.Stream(c.Args[1])
	switch {
	case err != nil:
		return err
	case !s.Live():
		return ErrNoKey
	}
	if s.Len() > 0 {
		w := s.Walk(storage.StreamID{}, format.MaxStreamID, true)
		top := storage.StreamID{}
		if w.Next() {
			top = w.ID()
		}
		if err := w.Close(); err != nil {
			return err
		}
		if id.Less(top) {
			return Error("ERR The ID specified in XSETID is smaller than the target stream top item")
		}
		if added != -1 && s.Len() > added {
			return Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
		}
	}
	if added == -1 {
		added = int64(s.Added())
	}
	if deleted.IsZero() {
		deleted = s.Deleted()
	}
	if err := s.Set(id, deleted, uint64(added)); err != nil {
		return err
	}
	s.Save()
	c.Out.OK()
	return nil
}
