package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/log"
)

// checkpoints keeps the copy of the store that full syncs read from: one, shared
// by all replicas that need one at the same time, for as long as the log still
// reaches back to its position. It stays for a while after the last one has
// left, so that a replica whose connection or process died can go on.
type checkpoints struct {
	store Store
	fs    vfs.FS
	dir   string
	keep  time.Duration
	logf  func(string, ...any)

	mu      sync.Mutex
	making  sync.Mutex // one checkpoint is made at a time; taken before mu
	current *checkpoint
	closed  bool
}

type checkpoint struct {
	id    checkpointID
	dir   string
	files []file
	pin   *log.Pin
	users int         // guarded by checkpoints.mu
	timer *time.Timer // ends the wait for users, while there are none
}

const makingDir = "making"

func (id checkpointID) String() string { return fmt.Sprintf("%016x-%016x", uint64(id.lsn), id.nonce) }

func parseCheckpointID(name string) (checkpointID, bool) {
	var lsn, nonce uint64
	if n, err := fmt.Sscanf(name, "%016x-%016x", &lsn, &nonce); n != 2 || err != nil {
		return checkpointID{}, false
	}
	id := checkpointID{log.LSN(lsn), nonce}
	return id, id.String() == name
}

// newNonce tells apart the checkpoints of one position; its upper half is the
// CRC of the log there, so that a later process can tell whether a checkpoint is
// of its history.
func newNonce(crc uint32) uint64 { return uint64(crc)<<32 | uint64(rand.Uint32()) }

// adopt keeps the newest checkpoint that an earlier process left, if the log
// goes on from it, and removes all others.
func (c *checkpoints) adopt() error {
	if err := c.fs.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	names, err := c.fs.List(c.dir)
	if err != nil {
		return err
	}
	sort.Strings(names)
	for i := len(names) - 1; i >= 0; i-- {
		dir := c.fs.PathJoin(c.dir, names[i])
		if id, ok := parseCheckpointID(names[i]); ok && c.current == nil {
			if cp, err := c.open(id, dir); err == nil {
				c.current = cp
				c.linger(cp)
				continue
			}
		}
		if err := c.fs.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// open takes over a checkpoint that is on disk.
func (c *checkpoints) open(id checkpointID, dir string) (*checkpoint, error) {
	pin, err := c.store.Log().Pin(id.lsn)
	if err != nil {
		return nil, err
	}
	at, err := c.store.Log().PositionAt(id.lsn)
	if err == nil && at.CRC != uint32(id.nonce>>32) {
		err = log.ErrDiverged
	}
	cp := &checkpoint{id: id, dir: dir, pin: pin}
	if err == nil {
		cp.files, err = c.list(dir)
	}
	if err != nil {
		pin.Release()
		return nil, err
	}
	return cp, nil
}

func (c *checkpoints) list(dir string) ([]file, error) {
	names, err := c.fs.List(dir)
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var files []file
	for _, name := range names {
		info, err := c.fs.Stat(c.fs.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		if info.IsDir() || !plainName(name) {
			return nil, fmt.Errorf("stream: unexpected %s in a checkpoint", name)
		}
		files = append(files, file{name: name, size: info.Size()})
	}
	return files, nil
}

// acquire returns the checkpoint to sync from. It must be released.
func (c *checkpoints) acquire() (*checkpoint, error) {
	c.making.Lock()
	defer c.making.Unlock()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errors.New("stream: the source is closed")
	}
	if cp := c.current; cp != nil {
		if !isClosed(cp.pin.Broken()) {
			c.use(cp)
			c.mu.Unlock()
			return cp, nil
		}
		c.current = nil
		c.dropUnused(cp)
	}
	c.mu.Unlock()
	cp, err := c.make()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = cp
	c.use(cp)
	return cp, nil
}

// make makes a checkpoint, under another name until it is whole.
func (c *checkpoints) make() (*checkpoint, error) {
	dir := c.fs.PathJoin(c.dir, makingDir)
	if err := c.fs.RemoveAll(dir); err != nil {
		return nil, err
	}
	lsn, pin, err := c.store.Checkpoint(dir)
	if err != nil {
		return nil, err
	}
	at, err := c.store.Log().PositionAt(lsn)
	cp := &checkpoint{id: checkpointID{lsn, newNonce(at.CRC)}, pin: pin}
	cp.dir = c.fs.PathJoin(c.dir, cp.id.String())
	if err == nil {
		cp.files, err = c.list(dir)
	}
	if err == nil {
		err = c.fs.Rename(dir, cp.dir)
	}
	if err != nil {
		pin.Release()
		return nil, errors.Join(err, c.fs.RemoveAll(dir))
	}
	return cp, nil
}

// use counts one more user. mu is held.
func (c *checkpoints) use(cp *checkpoint) {
	cp.users++
	if cp.timer != nil {
		cp.timer.Stop()
		cp.timer = nil
	}
}

// release is the end of one use.
func (c *checkpoints) release(cp *checkpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cp.users--
	switch {
	case cp.users > 0:
	case c.current == cp && !c.closed:
		c.linger(cp)
	case c.current != cp:
		c.dropUnused(cp)
	}
}

// linger removes the checkpoint when nobody has come back in time. mu is held,
// or no other goroutine knows of c.
func (c *checkpoints) linger(cp *checkpoint) {
	cp.timer = time.AfterFunc(c.keep, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if cp.users == 0 && c.current == cp {
			c.current = nil
			c.dropUnused(cp)
		}
	})
}

// dropUnused removes a checkpoint that is not current any more, if nobody uses
// it. mu is held.
func (c *checkpoints) dropUnused(cp *checkpoint) {
	if cp.users > 0 {
		return
	}
	cp.pin.Release()
	if err := c.fs.RemoveAll(cp.dir); err != nil {
		c.logf("cannot remove checkpoint %s: %v", cp.dir, err)
	}
}

// close ends the waiting; the checkpoint stays on disk for the next process.
func (c *checkpoints) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.current != nil && c.current.timer != nil {
		c.current.timer.Stop()
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
