package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/log"
	"cobble/storage/tables"
)

// What is in Options.Dir.
const (
	versionFile = "VERSION" // format version of everything below
	lockFile    = "LOCK"
	currentFile = "CURRENT" // name of the directory of the store
	logDir      = "log"
	ingestDir   = "ingest" // tables under construction; emptied by Open
	importDir   = "import" // side files of import records
	storePrefix = "rows-"
	firstStore  = storePrefix + "000001"
	otherLog    = "log-reset" // in currentFile: the log is not of this store yet

	versionText = "cobble storage 1\n"
)

// Open opens the store in o.Dir, or makes one, and brings back everything that
// the log holds.
func Open(o Options) (*Engine, error) {
	o.setDefaults()
	e := &Engine{
		opts:       o,
		generation: 1,
		fs:         o.FS,
		kick:       make(chan struct{}, 1),
		logTick:    make(chan timeTick, 1),
		closing:    make(chan struct{}),
		stopped:    make(chan struct{}),
		pool:       sync.Pool{New: func() any { return new(Tx) }},
		views:      new(sync.WaitGroup),
	}
	e.throttled.cond.L = &e.throttled.mu
	e.maxString.Store(MaxString)
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.closeFiles())
	}
	if len(e.waiting) > 0 || e.flushDue(e.log.End()) {
		e.requestFlush()
	}
	e.loops.Add(2)
	go e.flushLoop()
	go e.tickLoop()
	return e, nil
}

func (e *Engine) open() error {
	if err := e.prepareDir(); err != nil {
		return err
	}
	e.blocks.cache = pebble.NewCache(blockCacheBound)
	e.SetBudget(e.opts.Budget)
	table, err := cache.New(cache.Config{MaxBytes: shareOf(e.opts.Budget).table, Reserve: e.opts.reserve, Layout: tableLayout, StaysWhole: e.opts.mutant.wholeEvicted, AllNew: e.opts.mutant.allNew, FrozenToo: e.opts.mutant.overwriteFrozen})
	if err != nil {
		return err
	}
	e.table = table
	name, _, err := e.currentStore()
	if err != nil {
		return err
	}
	if err := e.removeOldStores(name); err != nil {
		return err
	}
	if e.store, err = e.openStore(name); err != nil {
		return err
	}
	e.storeDir, e.sorted = e.fs.PathJoin(e.opts.Dir, name), tables.New(e.fs, e.storeOpt.MakeReaderOptions())
	if err := e.storeChanged(); err != nil {
		return err
	}
	if err := e.readHeaders(); err != nil {
		return err
	}
	if err := e.openLog(); err != nil {
		return err
	}
	if err := e.findSideFiles(); err != nil {
		return err
	}
	return e.replay()
}

// prepareDir makes the directory, locks it, and refuses one of another version.
func (e *Engine) prepareDir() error {
	dir := e.opts.Dir
	for _, sub := range []string{"", logDir, ingestDir, importDir} {
		if err := e.fs.MkdirAll(e.fs.PathJoin(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{e.fs.PathDir(dir), dir} {
		if err := syncDir(e.fs, d); err != nil {
			return err
		}
	}
	lock, err := e.fs.Lock(e.fs.PathJoin(dir, lockFile))
	if err != nil {
		return fmt.Errorf("the data directory %s is in use by another process (%w)", dir, err)
	}
	e.dirLock = lock
	text, err := readFile(e.fs, e.fs.PathJoin(dir, versionFile))
	switch {
	case err != nil && !isNotExist(err):
		return err
	case err != nil:
		if err := writeFile(e.fs, dir, versionFile, versionText); err != nil {
			return err
		}
	case text != versionText:
		return fmt.Errorf("the data directory %s says %q, this binary reads %q: start it with the version that wrote it, or with an empty directory",
			dir, strings.TrimSpace(text), strings.TrimSpace(versionText))
	}
	return e.emptyIngestDir()
}

func (e *Engine) emptyIngestDir() error {
	dir := e.fs.PathJoin(e.opts.Dir, ingestDir)
	names, err := e.fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := e.fs.Remove(e.fs.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// currentStore returns the name of the store's directory, and whether the log is
// that of the store before it.
func (e *Engine) currentStore() (name string, logOfOther bool, err error) {
	text, err := readFile(e.fs, e.fs.PathJoin(e.opts.Dir, currentFile))
	if isNotExist(err) {
		return firstStore, false, e.setCurrentStore(firstStore, false)
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	return name, rest == otherLog, err
}

// setCurrentStore names the store, and says in the same breath whether the log
// is still that of the store before.
func (e *Engine) setCurrentStore(name string, logOfOther bool) error {
	if logOfOther {
		name += " " + otherLog
	}
	return writeFile(e.fs, e.opts.Dir, currentFile, name+"\n")
}

func (e *Engine) openLog() error {
	dir := e.fs.PathJoin(e.opts.Dir, logDir)
	store, stale, err := e.currentStore()
	if err != nil {
		return err
	}
	if stale { // the crash came between the change of the store and of the log
		if err := errors.Join(e.fs.RemoveAll(dir), e.fs.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
	}
	l, err := log.Open(log.Options{
		FS:             e.fs,
		Dir:            dir,
		SegmentBytes:   e.opts.SegmentBytes,
		Retain:         e.opts.RetainLog,
		PinBytes:       e.opts.PinLog,
		Policy:         e.opts.Policy,
		InSync:         e.opts.InSync,
		VerifyFrom:     LSN(e.position.LSN),
		Start:          e.logStart(),
		RecoverDamaged: e.opts.RecoverDamagedLog,
		Tick:           e.logTick,
		Now:            e.opts.Now,
	})
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	e.log = l
	e.reportRecovery(l.Recovered())
	if err := l.Follows(e.logStart().Position); err != nil {
		return fmt.Errorf("the log is not the one that the store was built from: %w", err)
	}
	if !stale {
		return nil
	}
	return e.setCurrentStore(store, false)
}

// reportRecovery logs what Open of the log had to leave out.
func (e *Engine) reportRecovery(r log.Recovery) {
	if r.Damage != nil {
		e.opts.Logf("the log was damaged and, as configured, goes on without what cannot be read; the bytes are in its files named damaged: %v", r.Damage)
	}
	if r.TornFile == "" {
		return
	}
	kept := "the disk had no room to keep them"
	if r.Kept != "" {
		kept = "kept in " + r.Kept
	}
	e.opts.Logf("the log ended in the middle of a record, as after a crash: %d bytes of %s at offset %d dropped, %d whole records among them; %s",
		r.TornBytes, r.TornFile, r.TornOffset, r.Whole, kept)
}

// logStart is where a log begins that continues what the store holds.
func (e *Engine) logStart() log.Start {
	w := &e.position
	return log.Start{
		Position: log.Position{LSN: LSN(w.LSN), Term: w.Term, CRC: w.CRC},
		Term:     log.Term{Number: w.Term, Start: LSN(w.TermStart), ReplID: w.ReplID},
	}
}

// tickLoop passes the clock on.
func (e *Engine) tickLoop() {
	defer e.loops.Done()
	tick := e.opts.Tick
	if tick == nil {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		tick = t.C
	}
	sinceCut := 0
	var generations uint64
	for {
		select {
		case now := <-tick:
			select {
			case e.logTick <- now:
			default: // the log is still busy with the last one
			}
			if n := e.stats.generations.Load(); n != generations {
				generations, sinceCut = n, 0
			}
			if sinceCut++; sinceCut >= idleTicks {
				sinceCut = 0
				e.requestFlush()
			}
			e.checkDisk()
			e.checkLog()
			e.renewReaders()
		case <-e.closing:
			return
		}
	}
}

// Close brings everything into the store and closes it. Transactions under way
// end first, later ones get ErrClosed.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return ErrClosed
	}
	close(e.closing)
	e.unthrottle()
	for s := range slots.Slot(slots.Count) {
		e.table.Lock(s)
		e.table.Unlock(s) //nolint:staticcheck // only waits for who is inside
	}
	if err := e.waitForLoops(); err != nil {
		return errors.Join(err, e.abandon())
	}
	err := e.Flush()
	return errors.Join(err, e.closeFiles())
}

// waitForLoops returns when the engine's goroutines have ended, or the error that
// stopped the engine: then one of them may be held in Pebble for good.
func (e *Engine) waitForLoops() error {
	ended := make(chan struct{})
	go func() { e.loops.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-e.stopped:
	}
	return e.failure()
}

// abandon closes what can be closed of an engine that was stopped. The store is
// left as it is: it is not to be touched any more, and the log has everything.
func (e *Engine) abandon() error {
	return errors.Join(e.log.Close(), e.dirLock.Close())
}

func (e *Engine) closeFiles() error {
	e.flushing.Lock()
	defer e.flushing.Unlock()
	e.released = true
	var err error
	if e.log != nil {
		err = e.log.Close()
	}
	e.stores.Lock()
	store := e.store
	if e.store = nil; store != nil {
		if e.sorted != nil {
			e.sorted.Drop()
		}
		err = errors.Join(err, e.readers.renew())
	}
	e.stores.Unlock()
	if store != nil {
		e.views.Wait()
		err = errors.Join(err, store.Close())
	}
	e.retired.Wait()
	e.blocks.close()
	if e.table != nil {
		err = errors.Join(err, e.table.Close())
	}
	if e.dirLock != nil {
		err = errors.Join(err, e.dirLock.Close())
	}
	return err
}
