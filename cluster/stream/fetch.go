package stream

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A full sync in the directory for the next store:
//
//	SYNC        the id of the checkpoint that the files are of, in text
//	NAME        a file that is whole, and synced
//	NAME.part   a file that is not
const (
	syncFile   = "SYNC"
	partSuffix = ".part"

	fetchCategory vfs.DiskWriteCategory = "full-sync"
)

// partOf returns of which checkpoint dir holds a part; ok is false if of none.
func (c *pursuit) partOf(dir string) (id checkpointID, ok bool) {
	f, err := c.o.FS.Open(c.o.FS.PathJoin(dir, syncFile))
	if err != nil {
		return checkpointID{}, false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return checkpointID{}, false
	}
	return parseCheckpointID(strings.TrimSpace(string(text)))
}

// fullSync gets the files of a checkpoint and makes them the store.
func (c *pursuit) fullSync(body []byte) error {
	var f full
	if err := f.decode(body); err != nil {
		return err
	}
	if f.term < c.o.Term {
		return fmt.Errorf("stream: the primary has term %d, %d is expected", f.term, c.o.Term)
	}
	var total int64
	for i := range f.files {
		if strings.HasSuffix(f.files[i].name, partSuffix) || f.files[i].name == syncFile {
			return fmt.Errorf("%w: file %s", errFrame, f.files[i].name)
		}
		total += f.files[i].size
	}
	c.update(func(s *Status) {
		s.State, s.SyncTotal, s.SyncRead = LinkSyncing, total, 0
	})
	c.o.Logf('*', "PRIMARY <-> REPLICA sync: receiving %d bytes in %d files from primary %s", total, len(f.files), short(c.o.Of))
	dir, err := c.prepare(f.checkpoint)
	if err != nil {
		return err
	}
	for i := range f.files {
		if err := c.fetch(dir, uint32(i), &f.files[i]); err != nil {
			return err
		}
	}
	// From now on the files are the store's to change: they are no part of a
	// checkpoint to go on from, also not when the store cannot be opened.
	if !c.o.mutant.keepSyncFile {
		if err := c.o.FS.Remove(c.o.FS.PathJoin(dir, syncFile)); err != nil {
			return err
		}
	}
	if err := c.syncDir(dir); err != nil {
		return err
	}
	lsn, err := c.o.Store.ReplaceWith()
	if err != nil {
		return fmt.Errorf("open the store of the full sync: %w", err)
	}
	c.applied.Store(uint64(lsn))
	if lsn != f.checkpoint.lsn {
		return fmt.Errorf("stream: the checkpoint is of %d, its store of %d", f.checkpoint.lsn, lsn)
	}
	c.update(func(s *Status) { s.FullSyncs++ })
	c.o.Logf('*', "PRIMARY <-> REPLICA sync: finished with success, the store is as of offset %d", lsn)
	return nil
}

// prepare returns the directory to fill, empty unless it holds a part of this
// very checkpoint.
func (c *pursuit) prepare(id checkpointID) (string, error) {
	dir, err := c.o.Store.NextStoreDir()
	if err != nil {
		return "", err
	}
	if have, ok := c.partOf(dir); ok && have == id {
		return dir, nil
	}
	if err := c.o.FS.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := c.o.FS.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := c.syncDir(c.o.FS.PathDir(dir)); err != nil {
		return "", err
	}
	f, err := c.o.FS.Create(c.o.FS.PathJoin(dir, syncFile), fetchCategory)
	if err != nil {
		return "", err
	}
	_, err = f.Write([]byte(id.String() + "\n"))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return dir, c.syncDir(dir)
}

// fetch gets one file, or the rest of it.
func (c *pursuit) fetch(dir string, index uint32, want *file) error {
	fs := c.o.FS
	path := fs.PathJoin(dir, want.name)
	if info, err := fs.Stat(path); err == nil && info.Size() == want.size {
		c.progress(want.size)
		return nil
	}
	f, err := fs.OpenReadWrite(path+partSuffix, fetchCategory)
	if err != nil {
		return err
	}
	g, err := resumeAt(f, want.size)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	g.file = index
	if err := c.link.write(frameGet, g.append, nil); err != nil {
		return errors.Join(err, f.Close())
	}
	return c.receive(f, path+partSuffix, path, want.size, int64(g.offset))
}

// resumeAt returns what to ask for, given the part that is in f.
func resumeAt(f vfs.File, size int64) (get, error) {
	info, err := f.Stat()
	if err != nil {
		return get{}, err
	}
	have := info.Size()
	if have > size {
		have = 0
	}
	crc, err := prefixCRC(f, have)
	return get{offset: uint64(have), crc: crc}, err
}

// receive writes what comes to f, which is at partPath and holds have bytes
// already, and gives it its name when it is whole and synced. It closes f.
func (c *pursuit) receive(f vfs.File, partPath, path string, size, have int64) (err error) {
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	at := int64(-1)
	for {
		kind, body, err := c.link.read()
		if err != nil {
			return err
		}
		c.heard()
		switch kind {
		case frameBeat:
			if err := c.takeBeat(body); err != nil {
				return err
			}
			continue
		case frameRefused:
			return parseRefused(body)
		case frameData:
		default:
			return fmt.Errorf("%w: %q within a file", errFrame, kind)
		}
		offset, b, err := parseData(body)
		if err != nil {
			return err
		}
		if at < 0 { // the primary goes on behind the part, or begins anew
			if offset != have && offset != 0 {
				return errShortSync
			}
			at = offset
			if offset == 0 && have > 0 { // a new file, which cannot be too long
				if err, f = f.Close(), nil; err != nil {
					return err
				}
				if f, err = c.o.FS.Create(partPath, fetchCategory); err != nil {
					return err
				}
			}
			c.progress(at)
		}
		if offset != at || at+int64(len(b)) > size {
			return errShortSync
		}
		if len(b) == 0 {
			break
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
		c.progress(int64(len(b)))
	}
	if at != size {
		return errShortSync
	}
	err = errors.Join(f.Sync(), f.Close())
	f = nil
	if err != nil {
		return err
	}
	return c.o.FS.Rename(partPath, path)
}

// progress counts bytes of the full sync under way.
func (c *pursuit) progress(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.State == LinkSyncing {
		c.st.SyncRead += n
	}
}

// takeSideFile puts a file in place that a record to come names.
func (c *pursuit) takeSideFile(body []byte) error {
	p := parser{b: body}
	want := p.file()
	if err := p.err("side file", true); err != nil {
		return err
	}
	if !c.started {
		return fmt.Errorf("%w: side file before continue", errFrame)
	}
	path := c.o.Store.SideFile(want.name)
	dir := c.o.FS.PathDir(path)
	part := c.o.FS.PathJoin(dir, "incoming"+partSuffix)
	f, err := c.o.FS.Create(part, fetchCategory)
	if err != nil {
		return err
	}
	if err := c.receive(f, part, path, want.size, 0); err != nil {
		return err
	}
	return c.syncDir(dir)
}

func (c *pursuit) syncDir(dir string) error {
	d, err := c.o.FS.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
