package command

import (
	"bytes"
	"slices"
	"strings"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/format"
)

// The keys that BY and GET name, and that of STORE, cannot be said in a specification.
var (
	sortPatterns = KeySpec{Flags: KeyRO | KeyAccess, KeyNum: -1, Search: func([][]byte) int { return 0 }}
	sortTarget   = KeySpec{Flags: KeyOW | KeyUpdate, KeyNum: -1, Search: findStore}
)

func sortCommands() []Command {
	rows := []Command{
		{Name: "sort", long: true, Flags: Write | DenyOOM | MovableKeys, Keys: slices.Concat(setRead, []KeySpec{sortPatterns, sortTarget}), Since: "1.0.0",
			Summary: "Sorts the elements of a list, a set or a sorted set, and may store them.", Run: sortCommand},
		{Name: "sort_ro", Flags: ReadOnly | MovableKeys, Keys: slices.Concat(setRead, []KeySpec{sortPatterns}), Since: "7.0.0",
			Summary: "Sorts the elements of a list, a set or a sorted set.", Run: sortCommand},
	}
	for i := range rows {
		rows[i].Arity, rows[i].Group, rows[i].Categories = -2, "generic", "@set @sortedset @list @dangerous"
		rows[i].Complexity = "O(N+M*log(M)) where N is the number of elements and M of those returned."
	}
	return rows
}

// findStore returns the position of the key of SORT's last STORE, 0 if there is none: of the one that parse finds. Redis
// looks for options in the name of the key too (COMMAND GETKEYS tells), and then locks nothing by it.
func findStore(args [][]byte) int {
	found := 0
	for i := 2; i < len(args); i++ {
		switch {
		case fold(args[i], "limit"):
			i += 2
		case fold(args[i], "get"), fold(args[i], "by"):
			i++
		case fold(args[i], "store") && i+1 < len(args):
			i++
			found = i
		}
	}
	return found
}

const (
	errSortBy     Error = "ERR BY option of SORT denied in Cluster mode."
	errSortGet    Error = "ERR GET option of SORT denied in Cluster mode."
	errSortNumber Error = "ERR One or more scores can't be converted into double"

	// errWider is how SORT says that it needs other slots too, and what it replies
	// where they cannot be had any more.
	errWider Error = "ERR BY and GET of SORT inside a transaction find only keys in the slots of its commands"
)

// sorting is a SORT.
type sorting struct {
	c           *Call
	tx          *storage.Tx
	desc, alpha bool
	by          []byte // nil: by the elements themselves
	unsorted    bool   // BY something that names no key
	skip, count int64  // count < 0: all
	get         [][]byte
	store       []byte // nil: the reply is the result
	length      int64  // of the value
	items       []sortItem
	texts       storage.Texts
	kind        format.Type
	failed      error // of looking up a key that BY or GET names
}

type sortItem struct {
	element []byte
	weight  *[]byte // alpha: what BY found, nil for nothing
	score   float64
}

func (s *sorting) parse(args [][]byte) error {
	s.count = -1
	for ; len(args) > 0; args = args[1:] {
		switch word, left := args[0], len(args)-1; {
		case fold(word, "asc"):
			s.desc = false
		case fold(word, "desc"):
			s.desc = true
		case fold(word, "alpha"):
			s.alpha = true
		case fold(word, "limit") && left >= 2:
			var ok, also bool
			s.skip, ok = storage.ParseInt(args[1])
			s.count, also = storage.ParseInt(args[2])
			if !ok || !also {
				return ErrNotInteger
			}
			args = args[2:]
		case fold(word, "store") && left >= 1 && s.c.Cmd.Flags&Write != 0:
			s.store, args = args[1], args[1:]
		case fold(word, "by") && left >= 1:
			s.by = args[1]
			if !hasStar(s.by) {
				s.unsorted = true
			} else if s.c.clusterMode() {
				return errSortBy
			} else if !s.c.mayMakeUpKeys() {
				return Error("ERR BY option of SORT denied due to insufficient ACL permissions.")
			}
			args = args[1:]
		case fold(word, "get") && left >= 1:
			if s.c.clusterMode() {
				return errSortGet
			}
			if !s.c.mayMakeUpKeys() {
				return Error("ERR GET option of SORT denied due to insufficient ACL permissions.")
			}
			s.get, args = append(s.get, args[1]), args[1:]
		default:
			return ErrSyntax
		}
	}
	return nil
}

// hasStar reports whether a pattern, a C string, has a star.
func hasStar(pattern []byte) bool {
	text, _, _ := bytes.Cut(pattern, []byte{0})
	return bytes.IndexByte(text, '*') >= 0
}

func sortCommand(c *Call, tx *storage.Tx) error {
	s := sorting{c: c, tx: tx}
	if err := s.parse(c.Args[2:]); err != nil {
		return err
	}
	if err := s.load(c.Args[1]); err != nil {
		return err
	}
	if !s.unsorted {
		if err := s.sort(); err != nil {
			return err
		}
		from, to := s.bounds()
		s.items = s.items[from:to]
	}
	if s.store != nil && !s.looksUp() {
		c.Out.Int(int64(s.results()))
		return tx.StoreList(s.store, s.results(), s.result)
	}
	out := make([][]byte, s.results())
	for i := range out {
		out[i] = s.result(i)
	}
	if s.failed != nil {
		return s.failed
	}
	if s.store != nil {
		c.Out.Int(int64(len(out)))
		return tx.StoreList(s.store, len(out), func(i int) []byte { return out[i] })
	}
	c.Out.Array(len(out))
	for _, value := range out {
		c.bulkOrNull(value, value != nil)
	}
	return nil
}

// results is how many values the elements make, and result makes one of them.
func (s *sorting) results() int { return len(s.items) * max(len(s.get), 1) }

func (s *sorting) result(i int) []byte {
	if len(s.get) == 0 {
		return s.items[i].element
	}
	return s.lookup(s.get[i%len(s.get)], s.items[i/len(s.get)].element)
}

// looksUp reports whether BY or GET name keys.
func (s *sorting) looksUp() bool {
	return s.by != nil && hasStar(s.by) || slices.ContainsFunc(s.get, hasStar)
}

// bounds returns which of the elements LIMIT leaves, as a half-open range.
func (s *sorting) bounds() (from, to int64) {
	from = min(max(s.skip, 0), s.length)
	if s.count < 0 {
		return from, s.length
	}
	return from, from + min(s.count, s.length-from)
}

// load reads the elements; if they are not to be sorted, only those wanted, in the
// order of the value.
func (s *sorting) load(key []byte) error {
	entry, err := s.tx.Lookup(key)
	if err != nil || !entry.Live {
		return err
	}
	defer s.tx.Touch(s.tx.Touch(false)) // it counts as one use
	s.kind = entry.Meta.Type
	if s.kind == format.Set && s.unsorted && s.store != nil {
		// What is stored does not depend on how the set is kept.
		s.unsorted, s.alpha, s.by = false, true, nil
	}
	switch s.kind {
	case format.List:
		return s.loadList(key)
	case format.Set:
		return s.loadSet(key)
	case format.ZSet:
		return s.loadZSet(key)
	}
	return ErrWrongType
}

func (s *sorting) add(element []byte) {
	s.items = append(s.items, sortItem{element: s.texts.Keep(element)})
}

// wanted returns which elements, of a value of so many bytes, are to be loaded. What stores them may go on without the
// lock, unless it looks up keys that nobody holds.
func (s *sorting) wanted(length, size int64) (from, to int64, err error) {
	s.length = length
	if from, to = 0, length; s.unsorted {
		from, to = s.bounds()
	}
	if err := s.c.long(to - from); err != nil {
		return 0, 0, err
	}
	if s.store != nil && !s.looksUp() {
		each := int64(max(len(s.get), 1))
		if err := s.tx.Long((to-from)*each, size*each, s.c.Args...); err != nil {
			return 0, 0, err
		}
	}
	s.items = make([]sortItem, 0, to-from)
	return from, to, nil
}

func (s *sorting) loadList(key []byte) error {
	l, err := s.tx.List(key)
	if err != nil {
		return err
	}
	from, to, err := s.wanted(l.Len(), l.Size())
	if err != nil {
		return err
	}
	w := l.Walk(storage.End(s.unsorted && s.desc), from, to-from)
	for w.Next() {
		s.add(w.Value())
	}
	return w.Close()
}

func (s *sorting) loadZSet(key []byte) error {
	z, err := s.tx.ZSet(key)
	if err != nil {
		return err
	}
	from, to, err := s.wanted(z.Len(), z.Size())
	if err != nil || from == to {
		return err
	}
	w := z.Walk(z.ByRank(0, z.Len()), s.unsorted && s.desc, from)
	for n := to - from; n > 0 && w.Next(); n-- {
		s.add(w.Member())
	}
	return w.Close()
}

func (s *sorting) loadSet(key []byte) error {
	set, err := s.tx.Set(key)
	if err != nil {
		return err
	}
	from, to, err := s.wanted(set.Len(), set.Size())
	if err != nil {
		return err
	}
	w := set.Walk()
	for at := int64(0); at < to && w.Next(); at++ {
		if at >= from {
			s.add(w.Member())
		}
	}
	return w.Close()
}

// sort weighs the elements and sorts them.
func (s *sorting) sort() error {
	wrong := false
	for i := range s.items {
		item := &s.items[i]
		weight := item.element
		if s.by != nil {
			if weight = s.lookup(s.by, item.element); weight == nil {
				continue
			}
		}
		if s.alpha && s.by != nil {
			found := weight
			item.weight = &found
		}
		if s.alpha {
			continue
		}
		var ok bool
		item.score, ok = sortScore(weight)
		wrong = wrong || !ok
	}
	if s.failed != nil {
		return s.failed
	}
	if wrong {
		return errSortNumber
	}
	slices.SortStableFunc(s.items, func(a, b sortItem) int {
		c := s.compare(&a, &b)
		if s.desc {
			return -c
		}
		return c
	})
	return nil
}

func (s *sorting) compare(a, b *sortItem) int {
	if s.alpha {
		x, y := a.element, b.element
		if s.by != nil {
			switch {
			case a.weight != nil && b.weight != nil:
				x, y = *a.weight, *b.weight
			case a.weight != nil:
				return 1
			case b.weight != nil:
				return -1
			default:
				return 0
			}
		}
		if s.store == nil { // C strings, for strcoll
			x, _, _ = bytes.Cut(x, []byte{0})
			y, _, _ = bytes.Cut(y, []byte{0})
		}
		return bytes.Compare(x, y)
	}
	switch {
	case a.score < b.score:
		return -1
	case a.score > b.score:
		return 1
	}
	return bytes.Compare(a.element, b.element)
}

// sortScore reads a weight as C's strtod does: blanks may be in front, a NUL ends
// it, and nothing is zero.
func sortScore(text []byte) (float64, bool) {
	text, _, _ = bytes.Cut(text, []byte{0})
	if len(text) == 0 {
		return 0, true
	}
	return storage.ParseDouble(bytes.TrimLeft(text, " \t\n\v\f\r"))
}

// lookup returns what a pattern of BY or GET names for an element: "#" the element,
// else the string under the key that it makes when the element takes the place of
// the star, or with "->" a field of the hash there. Nil: nothing. The value is valid
// as long as the transaction.
func (s *sorting) lookup(pattern, element []byte) []byte {
	if string(pattern) == "#" {
		return element
	}
	if !hasStar(pattern) {
		return nil
	}
	before, after, _ := bytes.Cut(pattern, []byte{'*'})
	field := []byte(nil)
	if at := strings.Index(string(after), "->"); at >= 0 && at+2 < len(after) {
		after, field = after[:at], after[at+2:]
	}
	key := slices.Concat(before, element, after)
	if !s.tx.Covers(key) {
		s.c.wider = append(s.c.wider, slots.Of(key))
		s.failed = errWider
		return nil
	}
	value, err := s.value(key, field)
	if err != nil && s.failed != errWider {
		s.failed = err
	}
	return value
}

func (s *sorting) value(key, field []byte) ([]byte, error) {
	entry, err := s.tx.Lookup(key)
	switch {
	case err != nil || !entry.Live:
		return nil, err
	case field == nil && entry.Meta.Type == format.String:
		value, _, err := s.tx.StringGet(key)
		return append([]byte{}, value...), err
	case field != nil && entry.Meta.Type == format.HashType:
		h, err := s.tx.Hash(key)
		if err != nil {
			return nil, err
		}
		value, ok, err := h.Get(field)
		if !ok {
			return nil, err
		}
		return append([]byte{}, value...), err
	}
	return nil, nil
}
