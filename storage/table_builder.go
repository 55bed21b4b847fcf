package storage

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableBuilder writes ascending rows into sorted tables of bounded size that do
// not overlap, ready for one ingest.
type tableBuilder struct {
	engine *Engine
	dir    string
	name   string
	paths  []string
	w      *sstable.Writer
	size   int64
	rests  bool // now and then, see restFlush
	piece  int  // bytes since the last rest
	// ranges are the range deletions of the slot at hand, ascending and disjoint.
	// A table is not ended inside one.
	ranges []rowRange
	within []byte // upper bound of the last range in the table
}

func (e *Engine) newTableBuilder(name string) *tableBuilder {
	return &tableBuilder{engine: e, dir: ingestDir, name: name}
}

// add appends a row, or the fact that it is absent.
func (b *tableBuilder) add(key, value []byte, absent bool) error {
	if err := b.addRanges(key); err != nil {
		return err
	}
	if b.size >= b.engine.opts.SSTBytes && bytes.Compare(key, b.within) >= 0 {
		if err := b.finish(); err != nil {
			return err
		}
	}
	if err := b.open(); err != nil {
		return err
	}
	b.size += int64(len(key) + len(value))
	if b.piece += len(key) + len(value); b.piece >= flushPiece {
		b.piece = 0
		if b.rests {
			b.engine.restFlush()
		}
	}
	if absent {
		return b.w.Delete(key)
	}
	return b.w.Set(key, value)
}

// addRanges appends the range deletions that begin at or below key; nil is the end
// of the slot.
func (b *tableBuilder) addRanges(key []byte) error {
	for len(b.ranges) > 0 && (key == nil || bytes.Compare(b.ranges[0].lo, key) <= 0) {
		r := b.ranges[0]
		b.ranges = b.ranges[1:]
		if err := b.open(); err != nil {
			return err
		}
		b.within = r.hi
		if err := b.w.DeleteRange(r.lo, r.hi); err != nil {
			return err
		}
	}
	return nil
}

func (b *tableBuilder) open() error {
	if b.w != nil {
		return nil
	}
	e := b.engine
	path := e.fs.PathJoin(e.opts.Dir, b.dir, fmt.Sprintf("%s-%06d.sst", b.name, len(b.paths)))
	f, err := e.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	b.paths = append(b.paths, path)
	// Written back as it grows: one sync of all of it would hold up those of the log.
	f = vfs.NewSyncingFile(&pieceFile{File: f, mutantLate: e.opts.mutant.tailUnsynced}, vfs.SyncingFileOptions{BytesPerSync: bytesPerSync})
	b.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), e.storeOpt.MakeWriterOptions(0, e.store.TableFormat()))
	return nil
}

// finish ends the table at hand; it is synced then.
func (b *tableBuilder) finish() error {
	if b.w == nil {
		return nil
	}
	err := b.w.Close()
	b.w, b.size, b.within = nil, 0, nil
	return err
}

// discard removes what was built. What cannot be removed now goes when the
// engine is opened again.
func (b *tableBuilder) discard() {
	if b.w != nil {
		_ = b.w.Close()
	}
	for _, path := range b.paths {
		_ = b.engine.fs.Remove(path)
	}
}
