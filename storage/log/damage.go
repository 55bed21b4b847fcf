package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// Between a segment's name and the offset from which on its bytes were kept
	// aside: an ordinary torn tail, or what Options.RecoverDamaged gave up.
	tornInfix    = ".torn-"
	damagedInfix = ".damaged-"
	// keptTails is how many files of kept tails stay.
	keptTails = 4
	// maxLookBehind bounds how many bytes behind a bad record are searched for
	// whole ones.
	maxLookBehind = 64 << 20
)

// survey says what stands behind a bad record.
type survey struct {
	whole int // records whose CRC is right
	last  LSN // the end of the last one
}

// lookBehind searches the bytes [from, to) of a segment for whole records. A
// record says where in the log it ends and its CRC continues that of the record
// before it, so neither a stale one nor one inside a value is taken for one.
func lookBehind(file vfs.File, seg *segmentHeader, from, to int64) (survey, error) {
	var s survey
	b := make([]byte, max(0, min(to-from, maxLookBehind)))
	n, err := file.ReadAt(b, from)
	if err != nil && err != io.EOF {
		return s, err
	}
	b = b[:n]
	lsnAt := func(i int) LSN { return seg.first + LSN(from+int64(i)-segmentHeaderLen) }
	prev := map[int]uint32{} // where a record would start: the CRC stored in the one before
	for i := 0; i+recordHeaderLen <= len(b); i++ {
		n := int(binary.LittleEndian.Uint32(b[i:]))
		if n < recordHeaderLen+2 || n > len(b)-i || LSN(binary.LittleEndian.Uint64(b[i+10:])) != lsnAt(i+n) {
			continue
		}
		raw := b[i : i+n]
		if crc, known := prev[i]; known && crc32.Update(crc, castagnoli, raw[8:]) == rawCRC(raw) {
			s.whole++
			s.last = lsnAt(i + n)
		}
		prev[i+n] = rawCRC(raw)
	}
	return s, nil
}

// keepAside copies the bytes [from, to) of a segment into a file of their own
// and makes it durable, and returns its name.
func (l *Log) keepAside(seg *segment, from, to int64) (string, error) {
	name, err := l.asideName(seg.first, from)
	if err != nil {
		return "", err
	}
	aside, err := l.fs.Create(l.path(name), writeCategory)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(aside, io.NewSectionReader(seg.file, from, to-from))
	err = errors.Join(err, aside.Sync(), aside.Close())
	if err == nil {
		err = l.dir.Sync()
	}
	if err != nil {
		return "", errors.Join(err, l.fs.Remove(l.path(name)))
	}
	return name, l.dropOldTails(name)
}

// asideName returns a free name for the bytes of a segment from an offset on.
func (l *Log) asideName(first LSN, from int64) (string, error) {
	infix := tornInfix
	if l.recovery.Damage != nil {
		infix = damagedInfix
	}
	base := segmentName(first) + infix + strconv.FormatInt(from, 10)
	name := base
	for i := 2; ; i++ {
		_, err := l.fs.Stat(l.path(name))
		if oserror.IsNotExist(err) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}

// dropOldTails removes all torn tails but the last few. Damaged ones stay until
// somebody removes them.
func (l *Log) dropOldTails(made string) error {
	names, err := l.fs.List(l.opts.Dir)
	if err != nil {
		return err
	}
	at := map[string]int64{}
	var tails []string
	for _, name := range names {
		if name == made || !strings.Contains(name, tornInfix) {
			continue
		}
		info, err := l.fs.Stat(l.path(name))
		if err != nil {
			return err
		}
		at[name] = info.ModTime().UnixNano()
		tails = append(tails, name)
	}
	sort.Slice(tails, func(i, j int) bool { return at[tails[i]] < at[tails[j]] })
	for len(tails) >= keptTails {
		if err := l.fs.Remove(l.path(tails[0])); err != nil {
			return err
		}
		tails = tails[1:]
	}
	return nil
}

// setAside takes segments out of the log under another name, the newest first,
// so that a crash leaves no hole.
func (l *Log) setAside(segs []*segment) error {
	for i := len(segs) - 1; i >= 0; i-- {
		name, err := l.asideName(segs[i].first, 0)
		if err != nil {
			return err
		}
		if err := l.fs.Rename(l.path(segmentName(segs[i].first)), l.path(name)); err != nil {
			return err
		}
		if err := l.dir.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// giveUpDamaged takes a damaged place, and what is behind it, out of the log, as
// Options.RecoverDamaged asks for. If the rows hold what is damaged nothing of
// them is lost: the log begins anew at the watermark, with the whole records
// behind that.
func (l *Log) giveUpDamaged(damage *CorruptError) error {
	if last := l.recovery.Damage; last != nil && damage.LSN <= last.LSN {
		return damage // it is still there
	}
	l.recovery.Damage = damage
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return err
		}
		l.file = nil
	}
	segs, err := l.segmentFiles()
	if err != nil {
		return err
	}
	if damage.LSN < l.opts.VerifyFrom {
		return l.restartAtWatermark(segs, damage)
	}
	if err := l.point.lower(damage.LSN); err != nil {
		return err
	}
	keep := 0
	for keep < len(segs) && (segs[keep].first < damage.LSN || segs[keep].first == damage.LSN && damage.Offset > 0) {
		keep++
	}
	return l.setAside(segs[keep:])
}

// restartAtWatermark makes a log that begins at the watermark of one that is
// damaged before it.
func (l *Log) restartAtWatermark(segs []*segment, damage *CorruptError) error {
	if l.opts.Start.Position.LSN != l.opts.VerifyFrom {
		return damage
	}
	for i, seg := range segs {
		if seg.first == l.opts.VerifyFrom {
			return l.setAside(segs[:i])
		}
	}
	if err := l.salvage(segs); err != nil {
		return err
	}
	return l.setAside(segs)
}

// salvage makes a segment that begins at the watermark and holds the whole
// records behind it.
func (l *Log) salvage(segs []*segment) error {
	at := l.opts.Start
	size := l.opts.SegmentBytes
	for _, seg := range segs {
		info, err := l.fs.Stat(l.path(segmentName(seg.first)))
		if err != nil {
			return err
		}
		size = max(size, int64(seg.first)-int64(at.Position.LSN)+info.Size())
	}
	made, err := l.makeSegment(at, size, func(to *segment) error {
		here := mark{at.Position.LSN, at.Position.CRC}
		for i, seg := range segs {
			limit := ^LSN(0) >> 1
			if i+1 < len(segs) {
				limit = segs[i+1].first
			}
			if here.lsn < seg.first || here.lsn >= limit {
				continue
			}
			var err error
			if here, err = l.copyRecords(to, seg, here, limit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return made.file.Close()
}

// copyRecords copies the whole records of a segment from here on, and returns
// where they end.
func (l *Log) copyRecords(to, from *segment, here mark, limit LSN) (mark, error) {
	c, err := l.openCursor(from, here)
	if err != nil {
		return here, err
	}
	defer c.close()
	for {
		raw, err := c.next(limit)
		if err == errZero || err == io.EOF || errors.Is(err, ErrFormat) {
			return mark{c.pos, c.crc}, nil
		}
		if err != nil {
			return here, err
		}
		if _, err := to.file.WriteAt(raw, to.offset(c.pos-LSN(len(raw)))); err != nil {
			return here, err
		}
	}
}
