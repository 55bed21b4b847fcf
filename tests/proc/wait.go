package proc

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// stop is an error that ends a poll at once: the condition cannot come true any more.
type stop struct{ error }

// poll tries a condition until it gives nil; the error is the last one it gave. The pause between tries grows, so that
// what is true at once costs nothing and what takes seconds is not asked thousands of times.
func poll(within time.Duration, condition func() error) error {
	deadline := time.Now().Add(within)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := condition()
		var s stop
		switch {
		case err == nil:
			return nil
		case errors.As(err, &s):
			return s.error
		case time.Now().After(deadline):
			return fmt.Errorf("after %v: %w", within, err)
		}
		time.Sleep(pause)
	}
}

// Eventually waits until a condition gives nil, and fails the test with its last error when it does not in time. The
// time is a bound on a hang, not on speed: choose it large.
func Eventually(t testing.TB, within time.Duration, what string, condition func() error) {
	t.Helper()
	if err := poll(within, condition); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}
