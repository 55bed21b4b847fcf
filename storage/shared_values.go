package storage

import (
	"bytes"
	"maps"
	"sort"
	"sync"

	"cobble/storage/format"
	"cobble/storage/log"
)

// sharedValues are values that belong to the shard and to no slot (libraries of functions). They are few and small,
// so all of them are in memory; they are logged, replicated and recovered as rows are.
type sharedValues struct {
	mu      sync.Mutex // taken after commits
	values  map[string][]byte
	changed bool   // since the last cut
	version uint64 // counts changes
}

// Shared returns the value of a name, nil if there is none. It must not be changed.
func (e *Engine) Shared(name string) []byte {
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	return e.shared.values[name]
}

// SharedVersion returns a number that changes with every change of a shared value.
func (e *Engine) SharedVersion() uint64 {
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	return e.shared.version
}

// SetShared changes a shared value at time now (Unix milliseconds); nil removes it. The position must be Awaited
// before anybody is told. It returns ErrFollower on a replica.
func (e *Engine) SetShared(now int64, name string, value []byte) (LSN, error) {
	rec := &log.Record{TimeMS: now, Kind: log.KindShared, Payload: format.AppendShared(nil, name, value), Essential: len(value) == 0}
	e.commits.RLock()
	defer e.commits.RUnlock()
	switch {
	case e.closed.Load():
		return 0, ErrClosed
	case e.follower:
		return 0, ErrFollower
	}
	if err := e.writeTrouble(); err != nil && !rec.Essential {
		return 0, err
	}
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	lsn, err := e.log.Append(rec)
	if err != nil {
		return 0, logError(err)
	}
	e.shared.set(name, value)
	return lsn, nil
}

// set changes a value. mu is held.
func (s *sharedValues) set(name string, value []byte) {
	if s.values == nil {
		s.values = map[string][]byte{}
	}
	s.values[name] = bytes.Clone(value)
	if value == nil {
		delete(s.values, name)
	}
	s.changed = true
	s.version++
}

// applyShared applies a record that was not made here.
func (e *Engine) applyShared(rec *log.Record, raw []byte) error {
	name, value, err := format.DecodeShared(rec.Payload)
	if err != nil {
		return err
	}
	e.commits.RLock()
	defer e.commits.RUnlock()
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	if raw != nil {
		if _, err := e.log.AppendRaw(raw); err != nil {
			return logError(err)
		}
	}
	e.shared.set(name, value)
	return nil
}

// cut returns the values, for a generation, if they have changed since the last one. commits is held for writing.
func (s *sharedValues) cut() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	s.changed = false
	return maps.Clone(s.values)
}

// reset forgets all values: the store is about to be read.
func (s *sharedValues) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.changed = map[string][]byte{}, false
	s.version++
}

// load takes the values from the store's row.
func (s *sharedValues) load(row []byte) error {
	values, err := format.DecodeSharedRow(row)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = values
	return nil
}

// sharedRow encodes values for the store: one row for all, since they are few.
func sharedRow(values map[string][]byte) []byte {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	row := format.AppendSharedHead(nil, len(names))
	for _, name := range names {
		row = format.AppendSharedEntry(row, name, values[name])
	}
	return row
}
