package stream

import (
	"fmt"
	"runtime"
	"testing"
)

// trial is a test that is meant to fail: it runs a scenario with one rule
// removed.
type trial struct {
	testing.TB
	mutant  mutants
	failure string
	cleanup []func()
}

func (tr *trial) Helper()          {}
func (tr *trial) Cleanup(f func()) { tr.cleanup = append(tr.cleanup, f) }

func (tr *trial) Errorf(format string, args ...any) { tr.failure = fmt.Sprintf(format, args...) }

func (tr *trial) Fatalf(format string, args ...any) {
	tr.Errorf(format, args...)
	runtime.Goexit()
}

func (tr *trial) Fatal(args ...any) { tr.Fatalf("%s", fmt.Sprint(args...)) }

// try runs the scenario and returns why it failed, or nothing.
func try(t *testing.T, m mutants, scenario func(testing.TB)) string {
	tr := &trial{TB: t, mutant: m}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				tr.failure = fmt.Sprint(p)
			}
		}()
		scenario(tr)
	}()
	<-done
	failure := tr.failure // closing what is broken may fail too
	for i := len(tr.cleanup) - 1; i >= 0; i-- {
		tr.cleanup[i]()
	}
	return failure
}

// TestMutants removes one rule at a time; the scenario that holds it must
// notice.
func TestMutants(t *testing.T) {
	for name, c := range map[string]struct {
		m        mutants
		scenario func(testing.TB)
	}{
		"no follow check":        {mutants{continueAlways: true}, rejoin},
		"a part is trusted":      {mutants{trustPart: true}, damagedPartIsSentAgain},
		"ack before written":     {mutants{ackAtOnce: true}, ackMeansWritten},
		"offline replicas count": {mutants{countOffline: true}, onlyOnlineCounts},
		"no pin while streaming": {mutants{streamUnpinned: true}, pausedReplica},
		"opened files go on":     {mutants{keepSyncFile: true}, crashWhileOpening},
		"any term will do":       {mutants{anyTerm: true}, oldPrimaryIsLeft},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if failure := try(t, mutants{}, func(testing.TB) {}); failure != "" {
				t.Fatal(failure)
			}
			failure := try(t, c.m, c.scenario)
			if failure == "" {
				t.Fatal("nothing noticed")
			}
			t.Logf("caught: %s", failure)
		})
	}
}
