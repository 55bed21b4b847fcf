package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"cobble/cluster"
)

// lazyDelay gathers node tables that nothing waits for; the machine gathers
// changes, too, before it asks.
const lazyDelay = 20 * time.Millisecond

// disk is the goroutine that makes things durable, so that a slow disk never
// keeps the machine from hearing and answering.
//
// Jobs are carried out in the order they came, runs of one sort as one write:
// of several node tables the last is written, and acceptor lines share a sync.
type disk struct {
	nodesPath string
	acceptor  *acceptorFile
	durable   func(cluster.Token) // called after each sync, ascending
	failed    func(error)         // called once; nothing more is written

	mu     sync.Mutex
	jobs   []diskJob
	closed bool
	signal chan struct{} // capacity 1
	done   chan struct{}
}

// diskJob is one persist; exactly one of conf and updates is set.
type diskJob struct {
	token   cluster.Token
	conf    *cluster.NodesConf
	sync    bool
	updates []cluster.AcceptorUpdate
}

func startDisk(nodesPath string, acceptor *acceptorFile, durable func(cluster.Token), failed func(error)) *disk {
	d := &disk{
		nodesPath: nodesPath, acceptor: acceptor, durable: durable, failed: failed,
		signal: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go d.run()
	return d
}

func (d *disk) put(j diskJob) {
	d.mu.Lock()
	d.jobs = append(d.jobs, j)
	d.mu.Unlock()
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// close writes what waits and ends the goroutine.
func (d *disk) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	select {
	case d.signal <- struct{}{}:
	default:
	}
	<-d.done
}

func (d *disk) take() (jobs []diskJob, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	jobs, d.jobs = d.jobs, nil
	return jobs, d.closed
}

func (d *disk) run() {
	defer close(d.done)
	defer func() { _ = d.acceptor.close() }()
	var lazy *cluster.NodesConf // a table nothing waits for, not yet written
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		jobs, closed := d.take()
		for len(jobs) > 0 {
			n, err := d.next(jobs, &lazy)
			if err != nil {
				d.failed(err)
				return
			}
			jobs = jobs[n:]
		}
		if closed {
			if lazy != nil {
				_ = d.writeNodes(lazy) // nothing depends on it
			}
			return
		}
		if lazy != nil {
			timer.Reset(lazyDelay)
		}
		select {
		case <-d.signal:
		case <-timer.C:
			if lazy != nil {
				if err := d.writeNodes(lazy); err != nil {
					d.failed(err)
					return
				}
				lazy = nil
			}
		}
	}
}

// next carries out the first run of jobs of one sort, and returns its length.
func (d *disk) next(jobs []diskJob, lazy **cluster.NodesConf) (n int, err error) {
	if jobs[0].updates != nil {
		var all []cluster.AcceptorUpdate
		for n < len(jobs) && jobs[n].updates != nil {
			all = append(all, jobs[n].updates...)
			n++
		}
		if err := d.acceptor.append(all); err != nil {
			return n, fmt.Errorf("can't update the acceptor file: %w", err)
		}
		d.durable(jobs[n-1].token)
		return n, nil
	}
	durably := false
	for n < len(jobs) && jobs[n].updates == nil {
		durably = durably || jobs[n].sync
		n++
	}
	last := jobs[n-1]
	if !durably {
		*lazy = last.conf
		return n, nil
	}
	if err := d.writeNodes(last.conf); err != nil {
		return n, err
	}
	*lazy = nil
	d.durable(last.token)
	return n, nil
}

func (d *disk) writeNodes(conf *cluster.NodesConf) error {
	if err := replaceFile(d.nodesPath, cluster.EncodeNodesConf(conf), true); err != nil {
		return fmt.Errorf("can't update cluster config file: %w", err)
	}
	return nil
}

// replaceFile puts content in place of a file so that at any moment, across
// any crash, there is the old or the new one whole. With durable the new one is
// there for good when it returns.
func replaceFile(path string, content []byte, durable bool) error {
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync() // before the rename, or a crash could leave an empty file under the name
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil || !durable {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lockFile holds the exclusive right to a nodes.conf, by a lock on a file
// beside it: nodes.conf itself is replaced at every write.
func lockFile(nodesPath string) (*os.File, error) {
	f, err := os.OpenFile(nodesPath+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &StartError{"Can't open " + nodesPath + " in order to acquire a lock: " + err.Error()}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &StartError{"Sorry, the cluster configuration file " + filepath.Base(nodesPath) + " is already used by a different Redis Cluster node. Please make sure that different nodes use different cluster configuration files."}
		}
		return nil, &StartError{"Impossible to lock " + nodesPath + ": " + err.Error()}
	}
	return f, nil
}

// readNodes reads nodes.conf; nil when there is none yet.
func readNodes(path string) (*cluster.NodesConf, error) {
	b, err := os.ReadFile(path)
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

// StartError is a reason not to start, worded for the operator as redis-server does.
type StartError struct{ Text string }

func (e *StartError) Error() string { return e.Text }
