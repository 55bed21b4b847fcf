package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cobble/cluster"
)

// nodesFile is the node table on disk: nodes.conf, a text that operators and
// tools read, and a journal of what has changed since it was written. A change
// costs one append and one sync; now and then, and at a clean stop, nodes.conf
// is replaced and the journal begins anew. One goroutine uses it.
//
// The two are paired by a generation number. nodes.conf of the next generation
// is durable before the journal of that generation is there, so:
//
//	equal numbers        the journal goes on from nodes.conf
//	the journal is older a crash came between the two: nodes.conf has everything
//	the journal is newer nodes.conf is a copy from before: the node does not start
//	no nodes.conf        a node that was made to forget: the journal is set aside
//
// Each life begins by replacing nodes.conf, so that nothing is ever written
// behind the remains of a crash.
type nodesFile struct {
	path       string
	disk       fileSystem
	generation uint64
	conf       *cluster.NodesConf // what the files say
	text       int                // bytes of nodes.conf

	journal journalFile // nil: nodes.conf is to be replaced
	size    int64
	seq     uint64 // of the last record; 0: nodes.conf is up to date
}

const (
	journalMin    = 64 << 10 // bytes; a shorter journal is not compacted for its size
	journalFactor = 4        // compacted when that many times longer than nodes.conf
)

// fileSystem is what nodesFile does to the disk, so that a test can let it
// forget what was not synced.
type fileSystem interface {
	read(path string) ([]byte, error)
	write(path string, content []byte) error // creates or truncates, and syncs the content
	rename(from, to string) error
	syncDir(path string) error // of the directory that path is in
	open(path string) (journalFile, error)
}

// journalFile is an open file; *os.File is one.
type journalFile interface {
	WriteAt(b []byte, at int64) (int, error)
	Sync() error
	Close() error
}

func journalPath(nodesPath string) string { return nodesPath + ".journal" }

// openNodes reads the files. What there is to say to the operator is passed to
// note. The table is nil when there is none yet.
func openNodes(path string, disk fileSystem, note func(string)) (*nodesFile, error) {
	n := &nodesFile{path: path, disk: disk}
	var err error
	if n.conf, err = readNodes(disk, path); err != nil {
		return nil, err
	}
	b, err := disk.read(journalPath(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if n.conf != nil {
			n.generation = n.conf.Generation
		}
		return n, nil
	case err != nil:
		return nil, &StartError{"Loading the journal of the cluster node config from " + journalPath(path) + ": " + err.Error()}
	case n.conf == nil:
		aside := journalPath(path) + ".orphan"
		note("There is a journal of a cluster node config, but not the config itself. It is set aside as " + aside + ".")
		return n, errors.Join(disk.rename(journalPath(path), aside), disk.syncDir(path))
	}
	generation, changes, whole, err := parseJournal(b)
	n.generation = n.conf.Generation
	switch {
	case err != nil:
	case generation < n.generation:
		return n, nil
	case generation > n.generation:
		err = fmt.Errorf("%s is older than its journal (%d, %d): it is a copy from before. Bring back the one that belongs to the journal, "+
			"or remove the journal to go on without what it holds", filepath.Base(path), n.generation, generation)
	default:
		for i := 0; err == nil && i < len(changes); i++ {
			n.conf, err = n.conf.Apply(changes[i])
		}
	}
	if err != nil {
		return nil, &StartError{"Unrecoverable error: corrupted journal of the cluster config file \"" + path + "\". " + err.Error()}
	}
	if whole < len(b) {
		note(fmt.Sprintf("The last record of %s is incomplete, as a crash leaves it; it was never confirmed.", journalPath(path)))
	}
	return n, nil
}

// readNodes reads nodes.conf; nil when there is none yet.
func readNodes(disk fileSystem, path string) (*cluster.NodesConf, error) {
	b, err := disk.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &StartError{"Loading the cluster node config from " + path + ": " + err.Error()}
	case len(b) == 0:
		return nil, nil // created and never written, as Redis takes it
	}
	conf, err := cluster.DecodeNodesConf(b)
	if err != nil {
		return nil, &StartError{"Unrecoverable error: corrupted cluster config file \"" + path + "\". " + err.Error()}
	}
	return conf, nil
}

// write makes conf durable. After an error the files are not to be used again:
// what reached the disk is unknown.
func (n *nodesFile) write(conf *cluster.NodesConf) error {
	if n.journal == nil || n.size > max(journalMin, int64(journalFactor*n.text)) {
		return n.replace(conf)
	}
	record := appendJournalRecord(nil, n.seq+1, conf.ChangeSince(n.conf))
	if len(record) > journalRecordMax {
		return n.replace(conf)
	}
	if _, err := n.journal.WriteAt(record, n.size); err != nil {
		return err
	}
	if err := n.journal.Sync(); err != nil {
		return err
	}
	n.conf, n.size, n.seq = conf, n.size+int64(len(record)), n.seq+1
	return nil
}

// behind reports whether nodes.conf lacks something that its journal has.
func (n *nodesFile) behind() bool { return n.seq > 0 }

// compact brings nodes.conf up to date.
func (n *nodesFile) compact() error { return n.replace(n.conf) }

// replace writes nodes.conf anew and begins an empty journal.
func (n *nodesFile) replace(conf *cluster.NodesConf) error {
	n.close()
	n.generation++
	numbered := *conf
	numbered.Generation = n.generation
	text := cluster.EncodeNodesConf(&numbered)
	// In this order: a journal newer than nodes.conf would keep the node from starting.
	if err := replaceDurably(n.disk, n.path, text); err != nil {
		return err
	}
	head := appendJournalHead(nil, n.generation)
	if err := replaceDurably(n.disk, journalPath(n.path), head); err != nil {
		return err
	}
	journal, err := n.disk.open(journalPath(n.path))
	if err != nil {
		return err
	}
	n.conf, n.text, n.journal, n.size, n.seq = conf, len(text), journal, int64(len(head)), 0
	return nil
}

func (n *nodesFile) close() {
	if n.journal != nil {
		_ = n.journal.Close() // every record was synced
		n.journal = nil
	}
}

// replaceDurably puts content in place of a file so that at any moment, across
// any crash, there is the old or the new one whole, and the new one for good
// when it returns.
func replaceDurably(disk fileSystem, path string, content []byte) error {
	temp := path + ".tmp"
	if err := disk.write(temp, content); err != nil { // synced before the rename, or a crash could leave an empty file under the name
		return err
	}
	if err := disk.rename(temp, path); err != nil {
		return err
	}
	return disk.syncDir(path)
}

// realDisk is the operating system's.
type realDisk struct{}

func (realDisk) read(path string) ([]byte, error)      { return os.ReadFile(path) }
func (realDisk) rename(from, to string) error          { return os.Rename(from, to) }
func (realDisk) open(path string) (journalFile, error) { return os.OpenFile(path, os.O_RDWR, 0o644) }

func (realDisk) write(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (realDisk) syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
