package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// Import collects the rows of slots that come from elsewhere and replaces the
// slots by them in one step. It is for one goroutine.
type Import struct {
	engine *Engine
	set    slots.Set
	build  *tableBuilder
	deltas []log.Delta
}

// MissingFileError says that an import record of the primary came before the side
// file it names. It has to be put at Path, synced.
type MissingFileError struct{ Name, Path string }

func (e *MissingFileError) Error() string { return "storage: side file " + e.Name + " is missing" }

// NewImport begins an import of the slots in set.
func (e *Engine) NewImport(set slots.Set) *Import {
	e.pacing.waiting.Add(1)
	e.flushing.Lock()
	e.pacing.waiting.Add(-1)
	e.imports++
	n := e.imports
	e.flushing.Unlock()
	tip := e.log.Tip()
	b := e.newTableBuilder(fmt.Sprintf("%016x-%08x-%04x", uint64(tip.LSN), tip.CRC, n))
	b.dir = importDir
	return &Import{engine: e, set: set, build: b}
}

// Add appends a row. Row keys ascend and belong to the slots of the import.
func (im *Import) Add(key, value []byte) error {
	if len(key) < 3 || format.SlotOf(key) >= slots.Count || !im.set.Has(slots.Slot(format.SlotOf(key))) {
		return fmt.Errorf("%w: imported row of another slot", format.ErrCorrupt)
	}
	return im.build.add(key, value, false)
}

// SetCounters says what the counters of a slot of the import are (LSN is not
// used). Slots must come in ascending order; a slot left out has no keys.
func (im *Import) SetCounters(slot slots.Slot, c Counters) {
	im.deltas = append(im.deltas, log.Delta{Slot: slot, Keys: int32(c.Keys), Expires: int32(c.Expires), SubExpires: int32(c.SubExpires), Bytes: c.Bytes, NextOID: c.NextOID})
}

// Commit makes the slots what the import holds, at time now (Unix milliseconds).
// Whoever looks at one of them meanwhile waits. When it returns the import is
// durable and visible.
func (im *Import) Commit(now int64) (LSN, error) {
	e := im.engine
	if err := im.build.finish(); err != nil {
		im.Abort()
		return 0, err
	}
	if err := syncDir(e.fs, e.fs.PathJoin(e.opts.Dir, importDir)); err != nil {
		im.Abort()
		return 0, err
	}
	b := format.Barrier{Ranges: rangesOf(im.set)}
	for _, path := range im.build.paths {
		b.Files = append(b.Files, e.fs.PathBase(path))
	}
	rec := &log.Record{TimeMS: now, Kind: log.KindImport, Payload: format.AppendImport(nil, b.Ranges, b.Files)}
	next := 0
	b.Each(func(s uint16) {
		if next < len(im.deltas) && im.deltas[next].Slot == slots.Slot(s) {
			rec.Deltas = append(rec.Deltas, im.deltas[next])
			next++
			return
		}
		rec.Deltas = append(rec.Deltas, log.Delta{Slot: slots.Slot(s)})
	})
	if next != len(im.deltas) {
		panic("storage: counters of an import are not of its slots, ascending")
	}
	if err := e.lockStore(); err != nil {
		return 0, err
	}
	defer e.flushing.Unlock()
	if err := e.finishPending(); err != nil {
		return 0, err
	}
	err := e.runBarrier(&b, rec, nil)
	return rec.LSN, err
}

// Abort throws the import away.
func (im *Import) Abort() { im.build.discard() }

// checkSideFiles returns an error if a file of an import is not there.
func (e *Engine) checkSideFiles(b *format.Barrier) error {
	for _, name := range b.Files {
		path := e.SideFile(name)
		if _, err := e.fs.Stat(path); isNotExist(err) {
			return &MissingFileError{name, path}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ingestSideFiles puts the rows of an import into the store, and leaves the side
// files where they are: others may read the record.
func (e *Engine) ingestSideFiles(b *format.Barrier) error {
	var paths []string
	for _, name := range b.Files {
		path := e.fs.PathJoin(e.opts.Dir, ingestDir, name)
		if err := e.fs.Remove(path); err != nil && !isNotExist(err) {
			return err
		}
		if err := e.fs.Link(e.SideFile(name), path); err != nil { // ingest consumes its argument
			return err
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return nil
	}
	return e.store.Ingest(context.Background(), paths)
}

// SideFile returns the path of a side file.
func (e *Engine) SideFile(name string) string {
	return e.fs.PathJoin(e.opts.Dir, importDir, name)
}

// noteSideFiles says which position of the log names the files of an import.
// flushing is held.
func (e *Engine) noteSideFiles(b *format.Barrier, lsn LSN) {
	for _, name := range b.Files {
		e.sideFiles[name] = lsn
	}
}

// findSideFiles notes the side files that are there. Which records name them, if
// any, is not known without reading all of the log: they are kept until the log no
// longer reaches back to its end of now.
func (e *Engine) findSideFiles() error {
	names, err := e.fs.List(e.fs.PathJoin(e.opts.Dir, importDir))
	e.sideFiles = make(map[string]LSN, len(names))
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			e.sideFiles[name] = e.log.End()
		}
	}
	return err
}

// dropSideFiles removes side files that no record of the log names any more.
// flushing is held.
func (e *Engine) dropSideFiles(start LSN) error {
	var errs error
	for name, lsn := range e.sideFiles {
		if lsn > start {
			continue
		}
		if err := e.fs.Remove(e.SideFile(name)); err != nil && !isNotExist(err) {
			errs = errors.Join(errs, err)
			continue
		}
		delete(e.sideFiles, name)
	}
	return errs
}
