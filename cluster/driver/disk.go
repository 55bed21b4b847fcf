package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"cobble/cluster"
)

const (
	// lazyDelay gathers node tables that nothing waits for; the machine gathers
	// changes, too, before it asks.
	lazyDelay = 20 * time.Millisecond
	// quietDelay is how long nothing has to happen before nodes.conf is brought up
	// to date with its journal.
	quietDelay = time.Second
)

// disk is the goroutine that makes things durable, so that a slow disk never
// keeps the machine from hearing and answering.
//
// Jobs are carried out in the order they came, runs of one sort as one write:
// of several node tables the last is written, and acceptor lines share a sync.
type disk struct {
	nodes    *nodesFile
	acceptor *acceptorFile
	durable  func(cluster.Token) // called after each sync, ascending
	failed   func(error)         // called once; nothing more is written

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

func startDisk(nodes *nodesFile, acceptor *acceptorFile, durable func(cluster.Token), failed func(error)) *disk {
	d := &disk{
		nodes: nodes, acceptor: acceptor, durable: durable, failed: failed,
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
	defer d.nodes.close()
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
			_ = d.tidy(&lazy) // nothing depends on it
			_ = d.tidy(&lazy)
			return
		}
		switch {
		case lazy != nil:
			timer.Reset(lazyDelay)
		case d.nodes.behind():
			timer.Reset(quietDelay)
		}
		select {
		case <-d.signal:
		case <-timer.C:
			if err := d.tidy(&lazy); err != nil {
				d.failed(err)
				return
			}
		}
	}
}

// tidy does the next thing that nothing waits for: writes what is lazy, or else
// brings nodes.conf up to date.
func (d *disk) tidy(lazy **cluster.NodesConf) error {
	switch {
	case *lazy != nil:
		conf := *lazy
		*lazy = nil
		return d.writeNodes(conf)
	case d.nodes.behind():
		if err := d.nodes.compact(); err != nil {
			return fmt.Errorf("can't update cluster config file: %w", err)
		}
	}
	return nil
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
	if err := d.nodes.write(conf); err != nil {
		return fmt.Errorf("can't update cluster config file: %w", err)
	}
	return nil
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

// StartError is a reason not to start, worded for the operator as redis-server does.
type StartError struct{ Text string }

func (e *StartError) Error() string { return e.Text }
