package gossip

import (
	"hash/maphash"
	"sync"
	"time"
)

// seen remembers payloads for a while. memberlist hands a user message on to
// nobody: only its first sender repeats it, to a few random members. So each
// member that sees a payload for the first time queues it again, which makes
// the spread epidemic, and drops the copies that come back.
type seen struct {
	mu       sync.Mutex
	seed     maphash.Seed
	new, old map[uint64]struct{}
	turned   time.Time
}

const (
	seenSpan  = 5 * time.Second // a payload is remembered for one to two spans
	seenLimit = 8192            // payloads in a span; more turn it early
)

func newSeen() *seen {
	return &seen{seed: maphash.MakeSeed(), new: map[uint64]struct{}{}, old: map[uint64]struct{}{}}
}

// first reports whether payload was not seen lately, and remembers it. Sending
// the same bytes again later is a fresh announcement, not an echo.
func (s *seen) first(payload []byte, now time.Time) bool {
	h := maphash.Bytes(s.seed, payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.new) >= seenLimit || now.Sub(s.turned) >= seenSpan {
		if now.Sub(s.turned) >= 2*seenSpan {
			clear(s.new)
		}
		s.old, s.new = s.new, s.old
		clear(s.new)
		s.turned = now
	}
	_, a := s.new[h]
	_, b := s.old[h]
	s.new[h] = struct{}{}
	return !a && !b
}
