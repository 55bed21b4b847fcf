package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// TestShutdownWaitsForReplicas asks a primary to end by SIGTERM while its replica does not move: it waits, can be called
// back, and once the replica goes on it ends and the replica has what was acknowledged.
func TestShutdownWaitsForReplicas(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options("--shutdown-timeout", "600"))
	sh := c.Shards()[0]
	sh.Replica.WaitReplicaOf(sh.Primary)
	sh.Primary.Do("SET", sh.Key, "first")
	sh.Primary.Do("WAIT", "1", "0")
	sh.Replica.Pause()
	sh.Primary.Do("SET", sh.Key, "last")
	says := func(text string, times int) {
		t.Helper()
		proc.Eventually(t, time.Minute, text, func() error {
			if n := strings.Count(sh.Primary.Log(), text); n < times {
				return fmt.Errorf("said %d times, not %d:\n%s", n, times, sh.Primary.Log())
			}
			return nil
		})
	}

	asked := make(chan error, 1)
	go func() {
		r, err := sh.Primary.Try("SHUTDOWN")
		asked <- fmt.Errorf("%v, %v", r, err)
	}()
	says("Waiting for replicas before shutting down.", 1)
	if got := sh.Primary.Do("INFO", "server").Text; !strings.Contains(got, "shutdown_in_milliseconds:") {
		t.Errorf("INFO does not tell of the shutdown:\n%s", got)
	}
	sh.Primary.Do("SHUTDOWN", "ABORT")
	if err := <-asked; !strings.Contains(err.Error(), "ERR Errors trying to SHUTDOWN. Check logs.") {
		t.Errorf("who asked for what was aborted got %v", err)
	}
	if _, err := sh.Primary.Try("SHUTDOWN", "ABORT"); err == nil || !strings.Contains(err.Error(), "ERR No shutdown in progress.") {
		t.Errorf("nothing to abort: %v", err)
	}
	sh.Primary.Do("SET", sh.Key, "last of all")

	sh.Primary.Terminate()
	says("Waiting for replicas before shutting down.", 2)
	sh.Replica.Cont()
	if code := sh.Primary.WaitExit(time.Minute); code != 0 {
		t.Errorf("exit code %d", code)
	}
	says("1 of 1 replicas are in sync when shutting down.", 1)
	untilWritable(t, sh.Replica, "{"+sh.Key+"}other", time.Now())
	if got := sh.Replica.Do("GET", sh.Key).Text; got != "last of all" {
		t.Errorf("the replica took over with %q", got)
	}
}

// TestShutdownGivesUpOnReplicas has a replica that never moves again.
func TestShutdownGivesUpOnReplicas(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options("--shutdown-timeout", "1"))
	sh := c.Shards()[0]
	sh.Replica.WaitReplicaOf(sh.Primary)
	sh.Primary.Do("WAIT", "1", "0")
	sh.Replica.Pause()
	sh.Primary.Do("SET", sh.Key, "v")
	sh.Primary.Terminate()
	if code := sh.Primary.WaitExit(time.Minute); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, text := range []string{"Lagging replica", "0 of 1 replicas are in sync when shutting down."} {
		if !strings.Contains(sh.Primary.Log(), text) {
			t.Errorf("the log does not say %q:\n%s", text, sh.Primary.Log())
		}
	}
}
