package storage

import (
	"bytes"
	"cmp"
)

// Scored is a member of a sorted set with its score.
type Scored struct {
	Member []byte
	Score  float64
}

// CompareScored is the order of a sorted set.
func CompareScored(a, b Scored) int {
	if c := cmp.Compare(a.Score, b.Score); c != 0 {
		return c
	}
	return bytes.Compare(a.Member, b.Member)
}

// ScoredList collects copies of members.
type ScoredList struct {
	All   []Scored
	names Texts
}

// Add adds a copy of a member.
func (l *ScoredList) Add(member []byte, score float64) {
	l.All = append(l.All, Scored{Member: l.names.Keep(member), Score: score})
}

// Texts keeps copies of texts, none of them nil, in blocks.
type Texts struct{ block []byte }

const (
	leastTextBlock = 1 << 10
	mostTextBlock  = 1 << 20
)

// Keep returns a copy of text, which stays as long as anybody has it.
func (t *Texts) Keep(text []byte) []byte {
	if t.block == nil || len(text) > cap(t.block)-len(t.block) {
		t.block = make([]byte, 0, max(len(text), min(max(2*cap(t.block), leastTextBlock), mostTextBlock)))
	}
	at := len(t.block)
	t.block = append(t.block, text...)
	return t.block[at:len(t.block):len(t.block)]
}
