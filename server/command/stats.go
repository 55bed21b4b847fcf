package command

import (
	"math/bits"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"cobble/storage"
)

// Stats are the counters of INFO. Everything is an atomic: the path of a command
// takes no lock, and a session adds up runs of the same command before it touches them.
type Stats struct {
	Connections, RejectedConnections  atomic.Int64
	NetIn, NetOut, Reads, Writes      atomic.Int64
	InFlight                          atomic.Int64 // clients waiting in a command
	KeyspaceHits, KeyspaceMisses      atomic.Int64
	EvictedKeys, expiredBefore        atomic.Int64
	EvictedClients                    atomic.Int64
	fieldsBefore                      atomic.Int64
	UnexpectedErrors, LimitedByOutput atomic.Int64
	LimitedByQuery, BlockedByPause    atomic.Int64
	commands, errors                  atomic.Int64
	perCommand                        []CommandStats
	errorCodes                        sync.Map // code → *atomic.Int64
	errorKinds                        atomic.Int64
	LastSave                          atomic.Int64 // Unix seconds
	Rates                             Rates
}

// CommandStats are the counters of one command.
type CommandStats struct {
	calls, nanos, rejected, failed atomic.Int64
	times                          atomic.Pointer[histogram]
}

// Rates are what INFO calls instantaneous, as the server's clock samples them.
type Rates struct{ Commands, NetIn, NetOut atomic.Int64 } // per second

func (s *Stats) init(t *Table) { s.perCommand = make([]CommandStats, len(t.all)) }

func (s *Stats) of(c *Command) *CommandStats { return &s.perCommand[c.index] }

// Commands returns how many commands were run.
func (s *Stats) Commands() int64 { return s.commands.Load() }

// Reset is CONFIG RESETSTAT. expired is how many keys have expired so far, and fields how many fields.
func (s *Stats) Reset(expired, fields int64) {
	for _, n := range []*atomic.Int64{&s.Connections, &s.RejectedConnections, &s.NetIn, &s.NetOut, &s.Reads, &s.Writes, &s.KeyspaceHits,
		&s.KeyspaceMisses, &s.EvictedKeys, &s.EvictedClients, &s.UnexpectedErrors, &s.LimitedByOutput, &s.LimitedByQuery, &s.BlockedByPause,
		&s.commands, &s.errors} {
		n.Store(0)
	}
	s.expiredBefore.Store(expired)
	s.fieldsBefore.Store(fields)
	for i := range s.perCommand {
		p := &s.perCommand[i]
		p.calls.Store(0)
		p.nanos.Store(0)
		p.rejected.Store(0)
		p.failed.Store(0)
		p.times.Store(nil)
	}
	s.errorCodes.Clear()
	s.errorKinds.Store(0)
}

// tally counts runs of one command in a session.
type tally struct {
	cmd                  *Command
	calls, nanos, failed int64
	hits, misses         int64
}

func (s *Stats) add(t *tally) {
	if t.calls == 0 {
		return
	}
	p := s.of(t.cmd)
	p.calls.Add(t.calls)
	p.nanos.Add(t.nanos)
	if t.failed != 0 {
		p.failed.Add(t.failed)
	}
	if t.hits != 0 {
		s.KeyspaceHits.Add(t.hits)
	}
	if t.misses != 0 {
		s.KeyspaceMisses.Add(t.misses)
	}
	s.commands.Add(t.calls)
	*t = tally{}
}

// account books the command that just ended.
func (c *Call) account(err error) {
	c.clock = c.Env.Process.Nanos()
	nanos := c.clock - c.began // or that of a few: whoever hears of a long one hears of the last
	part := nanos
	if c.untimed.n > 0 {
		part /= c.untimed.n + 1
		c.bookUntimed(part)
	}
	c.tallyFor(c.Cmd)
	c.tally.nanos += part
	if err != nil {
		c.tally.failed++
		c.Env.Stats.countError(err)
	}
	if c.Env.SlotStats.on.Load() {
		c.bookSlot(part, err)
	}
	if c.Env.trackTimes.Load() {
		c.Env.Stats.of(c.Cmd).record(part, 1)
	}
	if limit := c.Env.slowMicros.Load(); limit >= 0 && nanos >= limit*1000 && c.Cmd.Flags&SkipSlowlog == 0 {
		c.Env.Slow.add(c, nanos/1000)
	}
	if c.isLarge() {
		c.noteLarge()
	}
	if limit := c.Env.Latency.threshold.Load(); limit > 0 && nanos >= limit*1_000_000 {
		c.Env.Latency.Add(c.latencyEvent(), c.Now/1000, nanos/1_000_000)
	}
}

// untimed counts runs of one command that ended without a look at the clock.
type untimed struct {
	cmd *Command
	n   int64
}

const (
	untimedMost = 3               // runs in a row without a look at the clock
	coarsest    = int64(1000_000) // nanoseconds: what asks for shorter times has them measured one by one
)

// leaveUntimed reports whether the command that just ended is short and the next of the
// pipeline is like it: then a few share one look at the clock, which costs as much as a
// tenth of such a command, and are booked with equal parts of the time.
func (c *Call) leaveUntimed() bool {
	if !c.Follows || c.untimed.n >= untimedMost || !c.Cmd.short || c.Env.SlotStats.on.Load() {
		return false
	}
	if limit := c.Env.slowMicros.Load(); limit >= 0 && limit*1000 < coarsest {
		return false
	}
	if c.isLarge() {
		return false
	}
	c.tallyFor(c.Cmd)
	c.untimed.cmd = c.Cmd
	c.untimed.n++
	c.clock = c.began
	return true
}

// bookUntimed books the runs that share the time; each is their part.
func (c *Call) bookUntimed(each int64) {
	u := c.untimed
	c.untimed.n = 0
	c.Env.Stats.of(u.cmd).nanos.Add(u.n * each)
	if c.Env.trackTimes.Load() {
		c.Env.Stats.of(u.cmd).record(each, u.n)
	}
}

// settle books what is not booked yet: no other command follows at once.
func (c *Call) settle() {
	if n := c.untimed.n; n > 0 {
		c.bookUntimed((c.Env.Process.Nanos() - c.clock) / n)
	}
}

// tallyFor counts a run of cmd, and what it found.
func (c *Call) tallyFor(cmd *Command) {
	if c.tally.cmd != cmd {
		c.Env.Stats.add(&c.tally)
		c.tally.cmd = cmd
	}
	c.tally.calls++
	c.tally.hits += c.hits
	c.tally.misses += c.misses
	c.hits, c.misses = 0, 0
}

// Restart says that time has passed since the last command; else the next is taken to
// begin where the last one ended, so that the clock is read once a command.
func (c *Call) Restart() {
	c.settle()
	c.clock = 0
}

// Flush ends a round: it adds the session's own counters to the server's. Afterwards
// the driver may set LSN to 0.
func (c *Call) Flush() {
	c.settle()
	c.Env.Stats.add(&c.tally)
	c.reached = c.Reached()
}

// Reached returns the position of the latest that the session has written or seen.
func (c *Call) Reached() storage.LSN { return max(c.reached, c.LSN) }

// maxErrorKinds bounds errorstats: an error text made of client input must not fill the memory.
const maxErrorKinds = 128

// countError books an error reply under its code, the first word of its text.
func (s *Stats) countError(err error) {
	s.errors.Add(1)
	code, _, _ := strings.Cut(ErrorText(err), " ")
	if n, ok := s.errorCodes.Load(code); ok {
		n.(*atomic.Int64).Add(1)
		return
	}
	if s.errorKinds.Load() >= maxErrorKinds {
		return
	}
	n, had := s.errorCodes.LoadOrStore(strings.Clone(code), new(atomic.Int64))
	if !had {
		s.errorKinds.Add(1)
	}
	n.(*atomic.Int64).Add(1)
}

// errorCounts returns the error codes in order, with their counts.
func (s *Stats) errorCounts() (codes []string, counts map[string]int64) {
	counts = map[string]int64{}
	s.errorCodes.Range(func(code, n any) bool {
		codes = append(codes, code.(string))
		counts[code.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	sort.Strings(codes)
	return codes, counts
}

// histogram counts durations in buckets of at most 1/16 relative width: 16
// buckets for each power of two of nanoseconds.
type histogram struct {
	counts [bucketOctaves * bucketsPerOctave]atomic.Int64
}

const (
	bucketsPerOctave = 16
	bucketOctaves    = 36 // up to 2³⁹ ns, nine minutes; longer ones count there
)

func bucketOf(nanos int64) int {
	n := uint64(max(nanos, 0))
	if n < bucketsPerOctave {
		return int(n)
	}
	octave := bits.Len64(n) - 5 // 16…31 is octave 0 behind the first sixteen
	i := bucketsPerOctave*(octave+1) + int(n>>octave) - bucketsPerOctave
	return min(i, bucketsPerOctave*bucketOctaves-1)
}

// bucketEnd is the largest duration that a bucket counts.
func bucketEnd(i int) int64 {
	if i < bucketsPerOctave {
		return int64(i)
	}
	octave := i/bucketsPerOctave - 1
	return int64(i%bucketsPerOctave+bucketsPerOctave+1)<<octave - 1
}

// record counts n runs of that duration.
func (p *CommandStats) record(nanos, n int64) {
	h := p.times.Load()
	if h == nil {
		p.times.CompareAndSwap(nil, new(histogram))
		h = p.times.Load()
		if h == nil { // RESETSTAT came between
			return
		}
	}
	h.counts[bucketOf(nanos)].Add(n)
}

// percentiles returns the durations in nanoseconds that the shares (0 to 100) do not exceed.
func (h *histogram) percentiles(shares []float64) []int64 {
	var total int64
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	out := make([]int64, len(shares))
	for k, share := range shares {
		need := max(int64(share/100*float64(total)+0.5), 1)
		var seen int64
		for i := range h.counts {
			if seen += h.counts[i].Load(); seen >= need {
				out[k] = bucketEnd(i)
				break
			}
		}
	}
	return out
}

// cumulative returns how many durations are at most 1, 2, 4 … µs, from the first
// bucket that counts any to the one that counts all.
func (h *histogram) cumulative() (micros, counts []int64) {
	var total, seen int64
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	i := 0
	for limit := int64(1); seen < total; limit *= 2 {
		for ; i < len(h.counts) && bucketEnd(i) < limit*1024; i++ {
			seen += h.counts[i].Load()
		}
		if seen > 0 {
			micros, counts = append(micros, limit), append(counts, seen)
		}
		if i == len(h.counts) {
			break
		}
	}
	return micros, counts
}
