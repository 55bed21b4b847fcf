package storage

import (
	"errors"
	"math"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// A sorted set of up to inlineZSetMembers members whose listpack has up to
// inlineZSetBytes bytes stands in its metadata row, as Redis's listpack of members
// and scores; one stored as the result of a command, of up to storedZSetMembers and
// storedZSetBytes, does so too until a member is added. Any other has two rows for each member (format/zset.go) and, from
// leafMost members on, a leaf directory; it stays so. Count is its members, Bytes the
// lengths of members and 8 for each score.
const (
	inlineZSetMembers = 128
	inlineZSetBytes   = 2 << 10

	zsetScoreBytes = 8
)

// ErrScoreNaN is returned for a score that is not a number.
var ErrScoreNaN = errors.New("storage: resulting score is not a number (NaN)")

// ZSet is a sorted set as a transaction sees it. Changes are in the transaction only
// after Save. It is a value for one command: while it is in use nothing else may
// change the key.
type ZSet struct {
	members
	shrunk bool // layout Rows: a member was removed, perhaps from an end
	extra  format.ZSetExtra
	leaves leafChanges // layout Rows; dir is nil until it is needed
	items  []Scored    // layout Inline: what is packed; nil until it is needed
}

// ZSet looks key up; a key that does not exist is a sorted set without members.
func (tx *Tx) ZSet(key []byte) (z ZSet, err error) {
	z.tx, z.sub = tx, format.SubMember
	if err = tx.lookupType(&z.e, key, format.ZSet); err == nil {
		err = z.open()
	}
	return z, err
}

// zsetOf returns the sorted set of a key that holds one, or does not exist.
func (tx *Tx) zsetOf(e *Entry) (ZSet, error) {
	z := newZSet(tx, e)
	return z, z.open()
}

// open takes apart what e says.
func (z *ZSet) open() error {
	switch {
	case !z.e.Live:
		z.e.Meta = format.Meta{Type: format.ZSet, Enc: format.EncListpack}
	case z.inline():
		z.packed = z.e.Meta.Inline
	default:
		return z.extra.Decode(z.e.Meta.Extra)
	}
	return nil
}

func newZSet(tx *Tx, e *Entry) ZSet {
	return ZSet{members: members{tx: tx, e: *e, sub: format.SubMember}}
}

// Len returns the number of members.
func (z *ZSet) Len() int64 {
	if z.inline() {
		return int64(listpack.Count(z.packed) / 2)
	}
	return int64(z.e.Meta.Count)
}

// Score returns the score of a member.
func (z *ZSet) Score(member []byte) (score float64, ok bool, err error) {
	score, _, ok, err = z.find(member)
	return score, ok, err
}

// find returns the score of a member and, layout Inline, where it is.
func (z *ZSet) find(member []byte) (score float64, at listpack.PairAt, ok bool, err error) {
	if !z.inline() {
		score, ok, err = z.row(member)
		return score, at, ok, err
	}
	if z.packed == nil {
		return 0, at, false, nil
	}
	value, at, ok, err := listpack.Pair(z.packed, member)
	if err != nil || !ok {
		return 0, at, false, err
	}
	score, err = inlineScore(value)
	return score, at, err == nil, err
}

// row reads the score from the row of a member, layout Rows.
func (z *ZSet) row(member []byte) (score float64, ok bool, err error) {
	value, ok, err := z.members.row(member)
	if err != nil || !ok {
		return 0, false, err
	}
	score, err = format.ZSetScore(value)
	return score, err == nil, err
}

func (z *ZSet) scoreKey(score float64, member []byte) []byte {
	z.tx.scratch = format.AppendElement(z.tx.scratch[:0], uint16(z.e.Slot), z.e.Meta.OID, format.SubZSetScore)
	z.tx.scratch = format.AppendZSetOrder(z.tx.scratch, score, member)
	return z.tx.scratch
}

func (z *ZSet) leafKey() leafKey {
	return leafKey{slot: z.e.Slot, oid: z.e.Meta.OID, sub: format.SubZSetScore}
}

// directory returns the leaf directory of layout Rows. One that has no rows, of a
// sorted set with few members, is a single leaf in memory only.
func (z *ZSet) directory() (*leafDirectory, error) {
	if z.leaves.dir != nil {
		return z.leaves.dir, nil
	}
	var dir *leafDirectory
	var err error
	if z.extra.Leaves > 0 {
		dir, err = z.tx.leavesOf(z.leafKey(), z.extra.Leaves, z.extra.Stamp)
	} else if dir = z.tx.cachedLeaves(z.leafKey(), z.extra.Stamp); dir == nil {
		dir = newLeafDirectory(z.leafKey(), z.e.Meta.Count)
		z.tx.keepLeaves(dir, z.extra.Stamp)
	}
	if err != nil {
		return nil, err
	}
	z.leaves = leafChanges{tx: z.tx, dir: dir}
	return dir, nil
}

// ZAdd says how Add is to be done.
type ZAdd struct {
	IfAbsent, IfPresent bool // NX, XX
	Greater, Less       bool // GT, LT: only if the score changes that way
	Increment           bool // the score is added to what there is
}

// ZAdded is what Add did. Score is the member's score afterwards, unless it was
// Skipped: a condition of ZAdd did not hold.
type ZAdded struct {
	Added, Updated, Skipped bool
	Score                   float64
}

// Add gives a member a score. Member must not alias what another method returned.
// The error is ErrScoreNaN if the score is or becomes that.
func (z *ZSet) Add(member []byte, score float64, o ZAdd) (ZAdded, error) {
	if math.IsNaN(score) {
		return ZAdded{}, ErrScoreNaN
	}
	old, at, found, err := z.find(member)
	switch {
	case err != nil:
		return ZAdded{}, err
	case found && o.IfAbsent, !found && o.IfPresent:
		return ZAdded{Skipped: true}, nil
	case found && o.Increment:
		if score += old; math.IsNaN(score) {
			return ZAdded{}, ErrScoreNaN
		}
	}
	if found && (o.Less && score >= old || o.Greater && score <= old) {
		return ZAdded{Skipped: true}, nil
	}
	if found && score == old {
		return ZAdded{Score: old}, nil
	}
	z.changed = true
	if !found {
		z.noteSize(member)
	}
	kept := z.kept(score)
	if z.inline() {
		err = z.setInline(member, kept, at, found)
	} else {
		err = z.setRow(member, kept, old, found)
	}
	return ZAdded{Added: !found, Updated: found, Score: score}, err
}

// noteSize changes the encoding if a member that comes is too long, or one too many.
func (z *ZSet) noteSize(member []byte) {
	entries, longest := z.tx.engine.encodings.zset()
	if z.Len()+1 > entries || int64(len(member)) > longest {
		z.e.Meta.Enc = format.EncSkiplist
	}
}

// kept returns a score as it comes back: a listpack of Redis does not know −0.
func (z *ZSet) kept(score float64) float64 {
	if score == 0 && z.Packed() {
		return 0
	}
	return score
}

func (z *ZSet) setRow(member []byte, score, old float64, found bool) error {
	if found {
		z.tx.delRow(z.scoreKey(old, member))
		if err := z.count(old, -1); err != nil {
			return err
		}
	} else {
		z.e.Meta.Count++
		z.e.Meta.Bytes += uint64(len(member)) + zsetScoreBytes
	}
	z.putMember(member, score)
	z.widen()
	return z.count(score, 1)
}

// putMember writes both rows of a member; the key of the score row stays in
// tx.scratch.
func (z *ZSet) putMember(member []byte, score float64) {
	z.putScore(member, score)
	z.putPlace(member, score)
}

// putScore writes the row that is found by the member, and putPlace the one that has
// its place in the order.
func (z *ZSet) putScore(member []byte, score float64) {
	z.tx.value = format.AppendZSetScore(z.tx.value[:0], score)
	z.tx.putRow(z.rowKey(member), z.tx.value)
}

func (z *ZSet) putPlace(member []byte, score float64) {
	z.tx.value = format.AppendZSetMark(z.tx.value[:0], score)
	z.tx.putRow(z.scoreKey(score, member), z.tx.value)
}

// count tells the directory that the member whose score key is in tx.scratch has
// come or gone. A directory without rows that is not in memory is none the worse.
func (z *ZSet) count(score float64, delta int64) error {
	if z.leaves.dir == nil && z.extra.Leaves > 0 {
		if _, err := z.directory(); err != nil {
			return err
		}
	} else if z.leaves.dir == nil && !z.fresh {
		if dir := z.tx.cachedLeaves(z.leafKey(), z.extra.Stamp); dir != nil {
			z.leaves = leafChanges{tx: z.tx, dir: dir}
		}
	}
	atEnd := true
	if z.leaves.dir != nil {
		at := z.leaves.count(z.tx.scratch[format.ElementPrefix:], score == 0 && math.Signbit(score), delta)
		atEnd = z.leaves.dir.atEnd(at)
	}
	z.shrunk = z.shrunk || delta < 0 && atEnd
	return nil
}

// Remove removes a member and reports whether it was there.
func (z *ZSet) Remove(member []byte) (bool, error) {
	score, at, found, err := z.find(member)
	if err != nil || !found {
		return false, err
	}
	z.changed = true
	if z.inline() {
		z.takeOwn(emptyListpack[:])
		z.setList(listpack.Remove(z.packed, at.Key, at.End))
		return true, nil
	}
	return true, z.removeRows(member, score)
}

func (z *ZSet) removeRows(member []byte, score float64) error {
	z.e.Meta.Count--
	z.e.Meta.Bytes -= uint64(len(member)) + zsetScoreBytes
	z.tx.delRow(z.rowKey(member))
	z.tx.delRow(z.scoreKey(score, member))
	return z.count(score, -1)
}

// Save writes the changes to the transaction. A sorted set without members is
// deleted. It must not be called after a method has failed.
func (z *ZSet) Save() error {
	if !z.changed {
		return nil
	}
	z.changed = false
	if z.Len() == 0 {
		z.tx.remove(&z.e)
		return nil
	}
	z.e.Meta.Inline, z.e.Meta.Extra = nil, nil
	if z.inline() {
		z.e.Meta.Inline = z.packed
	} else {
		if err := z.saveLeaves(); err != nil {
			return err
		}
		if err := z.narrow(); err != nil {
			return err
		}
		z.tx.build = z.extra.Append(z.tx.build[:0])
		z.e.Meta.Extra = z.tx.build
	}
	z.tx.save(&z.e)
	return nil
}

// saveLeaves writes what has changed in the directory, and makes one for a sorted
// set that has become large.
func (z *ZSet) saveLeaves() error {
	z.extra.Stamp++
	switch dir := z.leaves.dir; {
	case z.extra.Leaves == 0 && z.e.Meta.Count <= leafMost:
		if dir != nil {
			dir.stamp = z.extra.Stamp
			z.leaves.touched = z.leaves.touched[:0]
		}
		return nil
	case dir == nil && z.extra.Leaves > 0:
		return nil
	case dir == nil:
		z.leaves = leafChanges{tx: z.tx, dir: newLeafDirectory(z.leafKey(), z.e.Meta.Count)}
		z.tx.keepLeaves(z.leaves.dir, z.extra.Stamp)
		z.leaves.lose()
	}
	if z.extra.Leaves == 0 {
		z.leaves.touch(nil)
	}
	if err := z.leaves.save(z.extra.Stamp); err != nil {
		return err
	}
	z.extra.Leaves = uint64(z.leaves.dir.leaves())
	return nil
}
