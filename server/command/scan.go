package command

import (
	"bytes"

	"cobble/server/glob"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/format"
)

// A cursor of SCAN says where to go on, and nothing is kept between calls:
//
//	cursor = position(39 bits) slot(14 bits)
//
// The position is the upper part of the keys' hashes, in whose order a slot is
// walked; keys that share it are returned together. So a cursor stays right over
// restarts, failovers and changes of other keys, on any node that has the slot,
// and it fits a JavaScript number. 0 is the beginning, and the end.
const (
	slotBits     = 14
	positionBits = 39
	hashShift    = 64 - positionBits

	errCursor Error = "ERR invalid cursor"
)

func scanCursor(position uint64, slot slots.Slot) uint64 { return position<<slotBits | uint64(slot) }

func splitCursor(cursor uint64) (position uint64, slot slots.Slot) {
	return cursor >> slotBits & (1<<positionBits - 1), slots.Slot(cursor & (slots.Count - 1))
}

// parseCursor reads an unsigned integer as C's strtoul does, blanks excepted; a C
// string ends at its first zero byte.
func parseCursor(b []byte) (uint64, bool) {
	negative := false
	b, _, _ = bytes.Cut(b, []byte{0})
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		if b = b[1:]; len(b) == 0 {
			return 0, false
		}
	}
	n := uint64(0)
	for _, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, true
}

// scanOptions are the options of the SCAN family.
type scanOptions struct {
	count    int64
	match    []byte // nil: all
	typeName []byte // nil: all
}

// parseScan reads MATCH, COUNT and, where it is allowed, TYPE.
func parseScan(args [][]byte, typed bool) (o scanOptions, err error) {
	o.count = 10
	for i := 0; i < len(args); i += 2 {
		last := i+1 == len(args)
		switch {
		case fold(args[i], "COUNT") && !last:
			n, ok := storage.ParseInt(args[i+1])
			if !ok {
				return o, ErrNotInteger
			}
			if n < 1 {
				return o, ErrSyntax
			}
			o.count = n
		case fold(args[i], "MATCH") && !last:
			o.match = args[i+1]
			if string(o.match) == "*" {
				o.match = nil
			}
		case fold(args[i], "TYPE") && !last && typed:
			o.typeName = args[i+1]
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

// scanned is what a SCAN has found so far.
type scanned struct {
	keys  [][]byte
	arena []byte
	seen  int64 // keys looked at
}

func scan(c *Call) error {
	cursor, ok := parseCursor(c.Args[1])
	if !ok {
		return errCursor
	}
	o, err := parseScan(c.Args[2:], true)
	if err != nil {
		return err
	}
	var found scanned
	position, first := splitCursor(cursor)
	next := uint64(0)
	err = c.eachSlot(int(first), func(slot slots.Slot, _ int64) (bool, error) {
		from := uint64(0)
		if slot == first {
			from = position
		}
		if found.seen >= o.count {
			next = scanCursor(from, slot)
			return false, nil
		}
		ended := false
		start := found
		err := c.viewSlot(slot, func(tx *storage.Tx) (err error) {
			found = start
			next, ended, err = found.slot(tx, slot, from, &o)
			return err
		})
		return ended, err
	})
	if err != nil {
		return err
	}
	c.Out.Array(2)
	c.Out.BulkInt(int64(next))
	c.Out.Array(len(found.keys))
	for _, key := range found.keys {
		c.Out.Bulk(key)
	}
	return nil
}

// slot walks one slot from a position, until enough keys were looked at and all
// that share the position of the last one. ended: there are no more in the slot.
func (s *scanned) slot(tx *storage.Tx, slot slots.Slot, from uint64, o *scanOptions) (next uint64, ended bool, err error) {
	ended = true
	last := uint64(0)
	err = tx.EachKey(slot, from<<hashShift, func(hash uint64, key []byte, m *format.Meta) bool {
		position := hash >> hashShift
		if s.seen >= o.count && position != last {
			next, ended = scanCursor(position, slot), false
			return false
		}
		s.seen++
		last = position
		if o.match != nil && !glob.Match(o.match, key) || o.typeName != nil && !fold(o.typeName, m.Type.String()) {
			return true
		}
		at := len(s.arena)
		s.arena = append(s.arena, key...)
		s.keys = append(s.keys, s.arena[at:len(s.arena):len(s.arena)])
		return true
	})
	return next, ended, err
}
