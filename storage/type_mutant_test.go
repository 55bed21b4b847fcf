package storage

import (
	"fmt"
	"runtime"
	"testing"
)

// catcher is a testing.TB that notes a failure instead of reporting it.
type catcher struct {
	testing.TB
	failure string
}

func (c *catcher) Helper()                           {}
func (c *catcher) Fatal(args ...any)                 { c.fail(fmt.Sprint(args...)) }
func (c *catcher) Fatalf(format string, args ...any) { c.fail(fmt.Sprintf(format, args...)) }
func (c *catcher) Error(args ...any)                 { c.fail(fmt.Sprint(args...)) }
func (c *catcher) Errorf(format string, args ...any) { c.fail(fmt.Sprintf(format, args...)) }

func (c *catcher) fail(text string) {
	c.failure = text
	runtime.Goexit()
}

// failure runs a test to its first failure, which it returns, or "".
func failure(t *testing.T, test func(t testing.TB)) string {
	c := &catcher{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				c.failure = fmt.Sprint("panic: ", p)
			}
		}()
		test(c)
	}()
	<-done
	return c.failure
}

// TestTypeMutants switches off one rule of a type at a time. The type's own random
// test must notice.
func TestTypeMutants(t *testing.T) {
	lists := func(m mutants) func(t testing.TB, seed uint64) {
		return func(t testing.TB, seed uint64) { listSeed(t, seed, m, map[string]int{}) }
	}
	sets := func(m mutants) func(t testing.TB, seed uint64) {
		return func(t testing.TB, seed uint64) { setSeed(t, seed, m, map[string]int{}) }
	}
	bitmaps := func(m mutants) func(t testing.TB, seed uint64) {
		return func(t testing.TB, seed uint64) { bitmapSeed(t, seed, m) }
	}
	sketches := func(m mutants) func(t testing.TB, seed uint64) {
		return func(t testing.TB, seed uint64) { sketchSeed(t, seed, m) }
	}
	streams := func(m mutants) func(t testing.TB, seed uint64) {
		return func(t testing.TB, seed uint64) { streamSeed(t, seed, m, map[string]bool{}) }
	}
	for _, m := range []struct {
		name string
		seed func(t testing.TB, seed uint64)
	}{
		{"a member of a set counts again", sets(mutants{setCountsTwice: true})},
		{"SSCAN goes on behind where it stopped", func(t testing.TB, _ uint64) { setScans(t, mutants{setScanSkips: true}) }},
		{"SPOP leaves a member that it returns", sets(mutants{setPopKeeps: true})},
		{"a range of bits is counted by bytes", bitmaps(mutants{bitsByBytes: true})},
		{"BITOP takes the first source for the longest", bitmaps(mutants{bitOpFirst: true})},
		{"one chunk of a HyperLogLog is written", sketches(mutants{sketchOneChunk: true})},
		{"a list's directory is not told of elements that come", lists(mutants{listUncounted: true})},
		{"a leaf of a list that was changed in the middle is taken for even", lists(mutants{listStaysEven: true})},
		{"what is beyond the end of a list stays when the end moves there", func(t testing.TB, _ uint64) { listBeyondEnd(t, mutants{listUncleared: true}) }},
		{"a draft does not see what it has written itself", func(t testing.TB, seed uint64) {
			listInPiecesSeed(t, seed, mutants{draftBlind: true}, map[string]int{})
		}},
		{"a long removal forgets its count", func(t testing.TB, seed uint64) {
			listInPiecesSeed(t, seed, mutants{removeUnbounded: true}, map[string]int{})
		}},
		{"a sorted set that came in pieces does not count the last", func(t testing.TB, seed uint64) { uniteSeed(t, seed, mutants{gatherShort: true}) }},
		{"entries that were trimmed are not queued", streams(mutants{trimUnmarked: true})},
		{"entries that were trimmed are forgotten with the first piece of them", streams(mutants{trimForgets: true})},
		{"a copy of a stream has what was trimmed", streams(mutants{trimCopied: true})},
		{"ids of a stream start again among what was trimmed", streams(mutants{idsAgain: true})},
		{"a stream whose ids start again is copied at once", func(t testing.TB, _ uint64) { idsStartAgain(t, mutants{renewAtOnce: true}) }},
		{"the first entry of a stream stays the first", func(t testing.TB, _ uint64) { firstEntry(t, mutants{firstStays: true}) }},
		{"a segment of a stream is not told of deletions", streams(mutants{segmentUncounted: true})},
	} {
		t.Run(m.name, func(t *testing.T) {
			const bound = 100 // each bug has its seed, the same every time; a seed leaves some MB // costs only when it is missed
			for seed := range uint64(bound) {
				if text := failure(t, func(t testing.TB) { m.seed(t, seed) }); text != "" {
					t.Logf("caught by seed %d: %.300s", seed, text)
					return
				}
			}
			t.Errorf("not noticed in %d seeds", bound)
		})
	}
}
