package storage

import (
	"bytes"
	"errors"
	"sync/atomic"

	"cobble/storage/format"
	"cobble/storage/hyperloglog"
)

// Errors of Sketch and its methods.
var (
	ErrNotSketch     = errors.New("storage: the string is not a HyperLogLog")
	ErrCorruptSketch = errors.New("storage: a HyperLogLog with registers that make no sense")
)

// Sketch is a string key that holds a HyperLogLog. Its changes are in the
// transaction only after Save; only one is to be changed in a transaction at a time.
type Sketch struct {
	tx      *Tx
	e       Entry
	value   []byte // in tx.sketch once it was changed
	own     bool
	changed bool
}

const defaultSparseBytes = 3000

type sketchLimit struct{ atomic.Int64 } // bytes of a sparse sketch − default

// SetSparseBytes sets hll-sparse-max-bytes.
func (e *Engine) SetSparseBytes(n int64) { e.encodings.sparse.Store(n - defaultSparseBytes) }

func (l *sketchLimit) bytes() int64 { return l.Load() + defaultSparseBytes }

// Sketch looks key up. A key that does not exist has no sketch until Create.
func (tx *Tx) Sketch(key []byte) (Sketch, error) {
	e, err := tx.LookupType(key, format.String)
	s := Sketch{tx: tx, e: e}
	if err != nil || !e.Live {
		return s, err
	}
	if s.value, err = tx.stringBytes(&e); err != nil {
		return s, err
	}
	if e.Meta.Enc == format.EncInt || !hyperloglog.Valid(s.value) {
		return s, ErrNotSketch
	}
	return s, nil
}

// Live reports whether there is a sketch.
func (s *Sketch) Live() bool { return s.value != nil }

// Sparse reports whether the sketch is sparse.
func (s *Sketch) Sparse() bool { return hyperloglog.Sparse(s.value) }

// Bytes returns the sketch. It must not be changed.
func (s *Sketch) Bytes() []byte { return s.value }

// Create makes a sketch of nothing where there is none, and reports whether it did.
func (s *Sketch) Create() bool {
	if s.Live() {
		return false
	}
	s.value, s.own, s.changed = hyperloglog.New(), true, true
	return true
}

// takeOwn copies the sketch to where it may be changed.
func (s *Sketch) takeOwn() {
	if !s.own {
		s.tx.sketch = append(s.tx.sketch[:0], s.value...)
		s.value, s.own = s.tx.sketch, true
	}
}

// Add adds an element and reports whether that changed the registers.
func (s *Sketch) Add(element []byte) (changed bool, err error) {
	s.takeOwn()
	s.value, changed, err = hyperloglog.Add(s.value, element, s.tx.engine.encodings.sparse.bytes())
	s.changed = s.changed || changed
	return changed, sketchError(err)
}

// Merge raises the registers of the sketch to those of all; dense says that it is
// to be dense.
func (s *Sketch) Merge(all *hyperloglog.Registers, dense bool) error {
	if dense {
		if err := s.ToDense(); err != nil {
			return err
		}
	}
	s.takeOwn()
	var err error
	s.value, err = all.Store(s.value, s.tx.engine.encodings.sparse.bytes())
	s.changed = true
	return sketchError(err)
}

// ToDense makes the sketch dense.
func (s *Sketch) ToDense() (err error) {
	if s.Sparse() {
		s.value, err = hyperloglog.ToDense(s.value)
		s.own, s.changed = true, true
	}
	return sketchError(err)
}

// Forget marks the cached estimate as one that does not count.
func (s *Sketch) Forget() {
	s.takeOwn()
	hyperloglog.Forget(s.value)
	s.changed = true
}

// Count returns the estimate, cached or counted now. What was counted is cached,
// which takes a Save, if the transaction may write.
func (s *Sketch) Count() (uint64, error) {
	if n, ok := hyperloglog.Cached(s.value); ok {
		return n, nil
	}
	n, err := hyperloglog.Count(s.value)
	if err == nil && s.tx.writable {
		s.takeOwn()
		hyperloglog.SetCached(s.value, n)
		s.changed = true
	}
	return n, sketchError(err)
}

// Save writes the changes to the transaction. Of a sketch in chunks only those
// that changed are written.
func (s *Sketch) Save() error {
	if s.Live() && s.e.Meta.Enc != format.EncRaw {
		s.changed = true // Redis unshares the string
	}
	if !s.changed || !s.Live() {
		return nil
	}
	s.changed = false
	if s.e.Meta.Layout != format.Chunks || int64(len(s.value)) != stringLen(&s.e.Meta) {
		s.tx.fillString(&s.e, format.EncRaw, s.value)
		s.tx.save(&s.e)
		return nil
	}
	for idx, rest := int64(0), s.value; len(rest) > 0; idx++ {
		n := min(ChunkSize, len(rest))
		row, _, err := s.tx.getRow(s.tx.chunkKey(&s.e, s.e.Meta.OID, idx))
		if err != nil {
			return err
		}
		if !bytes.Equal(row, rest[:n]) {
			s.tx.putRow(s.tx.chunkKey(&s.e, s.e.Meta.OID, idx), rest[:n])
			if s.tx.engine.opts.mutant.sketchOneChunk {
				break
			}
		}
		rest = rest[n:]
	}
	s.e.Meta.Enc = format.EncRaw
	s.tx.save(&s.e)
	return nil
}

func sketchError(err error) error {
	if errors.Is(err, hyperloglog.ErrCorrupt) {
		return ErrCorruptSketch
	}
	return err
}
