package log

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The crash harness. A seed runs a log through several lives. In each life
// random operations go on until a file system operation chosen in advance; at
// that instant the disk is cloned with 0, 30, 70 or 100 % of what was not
// synced, and the next life starts from the clone. What the clone must hold is
// kept in a model apart from the log:
//
//   - the log is a prefix of the model's history, byte by byte, without a hole,
//   - it reaches at least to the last acknowledged record: Synced for a crash
//     of the machine, Written for one of the process,
//   - it begins no later than what Trim was allowed to drop, and no pinned
//     record is missing,
//   - records that were cut off do not come back.
//
// After some crashes of the process alone a bit that was synced changes: the log
// must refuse to open, change nothing, and open without what is behind it when
// it is told to.
type crashModel struct {
	mu      sync.Mutex
	history []modelRecord // everything that may be in the log
	acked   [levels]LSN   // what was told to be reached
	synced  LSN           // how far the log itself was told that it is synced
	allowed LSN           // Trim was never allowed to remove beyond
	pinned  LSN           // lowest position of a pin that is held
}

type modelRecord struct {
	lsn LSN
	raw []byte
}

// crashPoint clones the disk at the nth operation that changes it.
type crashPoint struct {
	fs    *vfs.MemFS
	model *crashModel
	cfg   vfs.CrashCloneCfg

	mu    sync.Mutex
	left  int
	clone *vfs.MemFS
	// The model at the instant before the crash.
	history         []modelRecord
	acked           [levels]LSN
	allowed, pinned LSN
	synced          LSN
}

func (c *crashPoint) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.take()
	}
	return nil
}

// take makes the clone; mu is held.
func (c *crashPoint) take() {
	c.model.mu.Lock()
	c.history = slices.Clone(c.model.history)
	c.acked, c.allowed, c.pinned, c.synced = c.model.acked, c.model.allowed, c.model.pinned, c.model.synced
	c.model.mu.Unlock()
	c.clone = c.fs.CrashClone(c.cfg)
}

func (c *crashPoint) String() string { return "crash point" }

func (c *crashPoint) crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clone != nil
}

// seeds returns how many seeds to run: COBBLE_SEEDS, or n.
func seeds(t testing.TB, n int) int {
	if s := os.Getenv("COBBLE_SEEDS"); s != "" {
		v, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("COBBLE_SEEDS: %v", err)
		}
		return v
	}
	return n
}

func TestCrash(t *testing.T) {
	for _, policy := range []Policy{Always, EverySec, No} {
		t.Run(fmt.Sprint("policy=", policy), func(t *testing.T) {
			t.Parallel()
			for seed := range seeds(t, 60) {
				if err := crashSeed(uint64(seed), policy, mutants{}); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

// TestCrashMutants removes one rule at a time; the harness must notice.
func TestCrashMutants(t *testing.T) {
	for name, m := range map[string]mutants{
		"skip the CRC":                  {skipCRC: true},
		"acknowledge before write":      {ackBeforeWrite: true},
		"acknowledge before sync":       {ackBeforeSync: true},
		"trim ignores pins":             {trimIgnoresPins: true},
		"reuse the name of an empty":    {afterRecovery: renewEmpty},
		"next segment before the sync":  {rollWithoutSync: true},
		"cut leaves the records behind": {keepTornTail: true},
		"cut what was synced silently":  {ignoreSyncPoint: true},
		"sync point before the sync":    {pointBeforeSync: true},
		"whole records prove a sync":    {refuseTorn: true},
		"cut leaves the sync point":     {cutKeepsPoint: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 1000 {
				for _, policy := range []Policy{Always, EverySec} {
					if err := crashSeed(uint64(seed), policy, m); err != nil {
						t.Logf("caught by seed %d: %v", seed, err)
						return
					}
				}
			}
			t.Error("no seed noticed")
		})
	}
}

// renewEmpty opens a new segment although the last one is empty, so that two
// segments have one name.
func renewEmpty(l *Log) {
	last := l.segs[len(l.segs)-1]
	if last.first != l.End() || len(l.segs) == 1 {
		return
	}
	old := l.segs
	seg, err := l.makeFirst(Start{Position: Position{LSN: l.End(), Term: l.term.Number, CRC: l.crc}, Term: l.term})
	if err != nil {
		return
	}
	seg.prev = old[len(old)-2].first
	if _, err := seg.file.WriteAt(seg.append(nil), 0); err != nil {
		return
	}
	last.end = l.End()
	l.file.Close()
	l.file, l.fileSeg = seg.file, seg
	l.segs = append(old, seg)
}

// crashSeed runs one seed and returns what is wrong.
func crashSeed(seed uint64, policy Policy, m mutants) error {
	rng := rand.New(rand.NewPCG(seed, 4711))
	fs := vfs.NewCrashableMem()
	model := &crashModel{pinned: ^LSN(0)}
	damaged := false // and not yet open since
	for life := range 8 {
		percent := []int{0, 30, 70, 100}[rng.IntN(4)]
		cp := &crashPoint{fs: fs, model: model, left: 1 + rng.IntN(120),
			cfg: vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, uint64(life)))}}
		o := smallOptions(errorfs.Wrap(fs, cp))
		o.Policy, o.mutant = policy, m
		o.SegmentBytes = 12 << 10 // three pages
		o.Retain = int64(rng.IntN(3)) * 8 << 10
		o.RecoverDamaged = damaged
		l, err := Open(o)
		if err != nil {
			return fmt.Errorf("life %d: open: %w", life, err)
		}
		damaged = damaged && cp.crashed()
		err = model.check(l)
		if err == nil {
			err = model.live(l, rng, cp)
		}
		if err != nil {
			l.Close()
			return fmt.Errorf("life %d, %d %% kept: %w", life, percent, err)
		}
		cp.mu.Lock()
		if cp.clone == nil {
			cp.take()
		}
		cp.mu.Unlock()
		l.Close()
		fs = cp.clone
		model.crash(cp, percent == 100)
		if percent == 100 && !damaged && !m.refuseTorn && rng.IntN(2) == 0 { // ordinary crashes must catch refuseTorn
			if damaged, err = model.damage(fs, rng, m); err != nil {
				return fmt.Errorf("life %d: %w", life, err)
			}
		}
	}
	return nil
}

// damage changes one bit of a synced record that is still needed, and checks
// that the log does not open. From then on what is behind it may be gone.
func (m *crashModel) damage(fs *vfs.MemFS, rng *rand.Rand, mut mutants) (bool, error) {
	if m.synced == 0 { // there need not even be a directory
		return false, nil
	}
	o := smallOptions(fs)
	o.mutant = mut
	var firsts []LSN
	names, err := fs.List(o.Dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if first, ok := parseSegmentName(name); ok {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	var in []modelRecord
	for _, r := range m.history {
		if len(firsts) > 0 && r.lsn > firsts[0] && r.lsn <= m.synced {
			in = append(in, r)
		}
	}
	if len(in) == 0 {
		return false, nil
	}
	hit := in[rng.IntN(len(in))]
	start := hit.lsn - LSN(len(hit.raw))
	i := 0
	for i+1 < len(firsts) && firsts[i+1] <= start {
		i++
	}
	at := segmentHeaderLen + int64(start-firsts[i]) + rng.Int64N(int64(len(hit.raw)))
	if err := flipBit(fs, o.Dir+"/"+segmentName(firsts[i]), at, byte(1)<<rng.IntN(8)); err != nil {
		return false, err
	}
	before, err := dirText(fs, o.Dir)
	if err != nil {
		return false, err
	}
	l, err := Open(o)
	var c *CorruptError
	if err == nil {
		err = fmt.Errorf("a synced record at LSN %d is damaged, and the log opens and ends at %d", start, l.End())
		l.Close()
		return false, err
	}
	if !errors.As(err, &c) || c.LSN != start || c.File != segmentName(firsts[i]) {
		return false, fmt.Errorf("a synced record at LSN %d is damaged: %w", start, err)
	}
	if after, err := dirText(fs, o.Dir); err != nil || after != before {
		return false, fmt.Errorf("the refused log was changed: %w", err)
	}
	for level := range m.acked {
		m.acked[level] = min(m.acked[level], start)
	}
	m.synced = min(m.synced, start)
	return true, nil
}

func flipBit(fs vfs.FS, name string, at int64, bit byte) error {
	f, err := fs.OpenReadWrite(name, writeCategory)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b[:], at); err != nil {
		return err
	}
	return f.Sync()
}

// dirText is everything in a directory but spare files, to be compared.
func dirText(fs vfs.FS, dir string) (string, error) {
	names, err := fs.List(dir)
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, spareSuffix) {
			continue
		}
		f, err := fs.Open(dir + "/" + name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "%s:", name)
		_, err = io.Copy(&all, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return all.String(), nil
}

// crash takes the model back to the crash point. With
// everything kept it was the process that died, not the machine.
func (m *crashModel) crash(cp *crashPoint, process bool) {
	m.history, m.acked, m.allowed, m.pinned = cp.history, cp.acked, cp.allowed, cp.pinned
	m.synced = cp.synced
	if process {
		m.acked[Synced] = max(m.acked[Synced], m.acked[Written])
	} else {
		m.synced = 0 // the sync point need not be the last one
	}
	m.acked[Written] = m.acked[Synced]
}

// check compares a log just opened with the model and lets the model go on
// from where the log ends.
func (m *crashModel) check(l *Log) error {
	end, start := l.End(), l.Start()
	if end < m.acked[Synced] {
		return fmt.Errorf("the log ends at %d, %d was acknowledged", end, m.acked[Synced])
	}
	if limit := min(m.allowed, m.pinned); start > limit {
		return fmt.Errorf("the log starts at %d, nothing behind %d may be missing (trim %d, pin %d)", start, limit, m.allowed, m.pinned)
	}
	if err := m.compare(l, start, end); err != nil {
		return err
	}
	n, term := 0, uint64(0)
	for n < len(m.history) && m.history[n].lsn <= end {
		if r := (Record{}); r.Decode(m.history[n].raw) == nil && r.Kind == KindTerm {
			t, _ := parseTerm(r.Payload, 0)
			term = t.Number
		}
		n++
	}
	if got := l.Term().Number; got != term {
		return fmt.Errorf("term %d, want %d", got, term)
	}
	m.mu.Lock() // the log makes room in the background, which may be the crash point
	defer m.mu.Unlock()
	m.history = m.history[:n]
	m.acked = [levels]LSN{Written: end, Synced: end} // Open synced it
	m.synced = end
	m.pinned = ^LSN(0)
	return nil
}

// compare reads (start, end] and compares it with the history.
func (m *crashModel) compare(l *Log, start, end LSN) error {
	r, err := l.NewReader(start)
	if err != nil {
		return fmt.Errorf("reader at %d: %w", start, err)
	}
	defer r.Close()
	i := 0
	for i < len(m.history) && m.history[i].lsn <= start {
		i++
	}
	for r.Position() < end {
		e, err := r.TryNext()
		if err != nil {
			return fmt.Errorf("read at %d: %w", r.Position(), err)
		}
		if i == len(m.history) || m.history[i].lsn != e.LSN || !bytes.Equal(m.history[i].raw, e.Raw) {
			return fmt.Errorf("the record at %d–%d was never appended there, or was cut off", e.Start(), e.LSN)
		}
		i++
	}
	return nil
}

// live runs random operations until the crash.
func (m *crashModel) live(l *Log, rng *rand.Rand, cp *crashPoint) error {
	var pin *Pin
	for !cp.crashed() && l.Err() == nil {
		var err error
		switch k := rng.IntN(100); {
		case k < 60:
			err = m.appendSome(l, rng)
		case k < 75:
			err = m.wait(l, l.End(), []Level{Written, Synced}[rng.IntN(2)])
		case k < 80:
			err = m.wait(l, l.End(), l.Promised())
		case k < 90:
			pin, err = m.trim(l, rng, pin)
		case k < 94:
			pin, err = m.cut(l, rng, pin)
		default:
			if err = m.wait(l, l.End(), Written); err == nil {
				err = m.compare(l, l.Start(), l.End())
			}
		}
		if err != nil {
			return err
		}
	}
	return l.Err()
}

func (m *crashModel) appendSome(l *Log, rng *rand.Rand) error {
	for range 1 + rng.IntN(4) {
		size := rng.IntN(700)
		if rng.IntN(12) == 0 {
			size = 9000 + rng.IntN(9000)
		}
		r := &Record{Kind: KindBatch, TimeMS: rng.Int64N(1 << 40), Payload: make([]byte, size)}
		for i := range r.Payload {
			r.Payload[i] = byte(rng.Uint32())
		}
		if rng.IntN(20) == 0 {
			r = &Record{Kind: KindTerm, Payload: TermPayload(l.Term().Number+1, ReplID{byte(rng.Uint32())})}
		}
		n, prev := r.encodedLen(), l.Tip()
		raw, _ := appendRecord(nil, r, n, prev.LSN+LSN(n), prev.CRC)
		// Before the append: from then on a round of I/O may take it along.
		m.mu.Lock()
		m.history = append(m.history, modelRecord{prev.LSN + LSN(n), raw})
		m.mu.Unlock()
		if _, err := l.Append(r); err != nil {
			return fmt.Errorf("append: %w", err)
		}
	}
	return nil
}

func (m *crashModel) wait(l *Log, lsn LSN, level Level) error {
	done := make(chan error, 1)
	l.Park(lsn, level, func(err error) {
		if err == nil { // from now on somebody counts on it
			m.mu.Lock()
			m.acked[level] = max(m.acked[level], lsn)
			if level == Synced {
				m.synced = max(m.synced, lsn)
			}
			m.mu.Unlock()
		}
		done <- err
	})
	return <-done
}

// trim trims below a watermark, with or without a pin that moves.
func (m *crashModel) trim(l *Log, rng *rand.Rand, pin *Pin) (*Pin, error) {
	synced := l.Reached(Synced)
	before := m.someLSN(rng, l.Start(), synced)
	if pin == nil && rng.IntN(2) == 0 {
		at := m.someLSN(rng, l.Start(), l.End())
		p, err := l.Pin(at)
		if err != nil {
			return nil, fmt.Errorf("pin at %d: %w", at, err)
		}
		pin = p
		m.mu.Lock()
		m.pinned = at
		m.mu.Unlock()
	}
	m.mu.Lock()
	m.allowed = max(m.allowed, before)
	m.mu.Unlock()
	start, err := l.Trim(before)
	if err != nil {
		return pin, fmt.Errorf("trim: %w", err)
	}
	if limit := min(m.allowed, m.pinned); start > limit {
		return pin, fmt.Errorf("trim to %d, nothing behind %d may go", start, limit)
	}
	if pin != nil && rng.IntN(3) == 0 {
		m.mu.Lock()
		m.pinned = ^LSN(0)
		m.mu.Unlock()
		pin.Release()
		pin = nil
	}
	return pin, nil
}

// someLSN returns a position between two records, from ≤ it ≤ to.
func (m *crashModel) someLSN(rng *rand.Rand, from, to LSN) LSN {
	var in []LSN
	for _, r := range m.history {
		if r.lsn >= from && r.lsn <= to {
			in = append(in, r.lsn)
		}
	}
	if len(in) == 0 {
		return from
	}
	return in[rng.IntN(len(in))]
}

// cut drops a tail that nobody may count on any more from the call on.
func (m *crashModel) cut(l *Log, rng *rand.Rand, pin *Pin) (*Pin, error) {
	at := m.someLSN(rng, l.Start(), l.End())
	if pin != nil {
		m.mu.Lock()
		m.pinned = ^LSN(0)
		m.mu.Unlock()
		pin.Release()
	}
	m.mu.Lock()
	for level := range m.acked {
		m.acked[level] = min(m.acked[level], at)
	}
	m.synced = min(m.synced, at)
	m.mu.Unlock()
	if err := l.CutTo(at); err != nil {
		return nil, fmt.Errorf("cut to %d: %w", at, err)
	}
	m.mu.Lock()
	n := 0
	for n < len(m.history) && m.history[n].lsn <= at {
		n++
	}
	m.history = m.history[:n]
	m.mu.Unlock()
	if l.End() != at {
		return nil, fmt.Errorf("cut to %d, the log ends at %d", at, l.End())
	}
	if r, err := l.NewReader(at); err != nil {
		return nil, err
	} else if _, err := r.TryNext(); err != io.EOF {
		return nil, fmt.Errorf("read behind a cut: %v", err)
	}
	return nil, nil
}
