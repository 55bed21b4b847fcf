package cluster

import (
	"fmt"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// A primary that is cut off with its clients stops taking writes; its replica takes over, and when the cut heals the
// old primary becomes a replica of the new one and gives up what it wrote alone.
func TestPartitionedPrimary(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	healthy(t, c)
	old := c.Servers[0]  // redis-cli gives the first server the first third of the slots
	const key = "{06S}k" // a slot of that third
	if got := text(t, old, "SET", key, "before"); got != "OK" {
		t.Fatalf("SET says %s", got)
	}
	if got := text(t, old, "WAIT", "1", "0"); got != "1" {
		t.Fatalf("WAIT says %s", got)
	}
	ids := map[*proc.Server]string{}
	var others []string
	for _, s := range c.Servers {
		ids[s] = text(t, s, "CLUSTER", "MYID")
		if s != old {
			others = append(others, ids[s])
		}
	}
	for _, s := range c.Servers[1:] {
		text(t, s, "DEBUG", "PARTITION", ids[old])
	}
	text(t, old, append([]string{"DEBUG", "PARTITION"}, others...)...)
	for _, s := range c.Servers { // now that it is cut off the silence may be short
		text(t, s, "CONFIG", "SET", "cluster-node-timeout", "1000")
	}

	proc.Eventually(t, patience, "the old primary stops", func() error {
		_, err := old.Try("SET", key, "alone")
		if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN") {
			return fmt.Errorf("SET says %v", err)
		}
		return nil
	})
	var heir *proc.Server
	proc.Eventually(t, patience, "its replica takes over", func() error {
		for _, s := range c.Servers[1:] {
			if r, err := s.Try("SET", key, "after"); err == nil && r.Text == "OK" {
				heir = s
				return nil
			}
		}
		return fmt.Errorf("nobody takes the write")
	})
	for _, s := range c.Servers {
		text(t, s, "CONFIG", "SET", "cluster-node-timeout", "10000")
		text(t, s, "DEBUG", "PARTITION")
	}
	proc.Eventually(t, patience, "the old primary follows the new one", func() error {
		r, err := old.Try("INFO", "replication")
		if err != nil {
			return err
		}
		for _, want := range []string{"role:slave", fmt.Sprintf("master_port:%d", heir.Port), "master_link_status:up"} {
			if !strings.Contains(r.Text, want) {
				return fmt.Errorf("no %s in\n%s", want, r.Text)
			}
		}
		return nil
	})
	c.WaitOK()
	check(t, c, old.Addr)
	conn := old.Conn()
	if _, err := conn.Do("READONLY"); err != nil {
		t.Fatal(err)
	}
	proc.Eventually(t, patience, "it has the new value", func() error {
		r, err := conn.Do("GET", key)
		if err != nil || r.Text != "after" {
			return fmt.Errorf("GET says %s, %v", r.Text, err)
		}
		return nil
	})
}

// A primary that was stopped for so long that it was replaced must not take the write that waited for it when it goes
// on, nor any other before it has heard who took its place: it cannot know yet, but it can see that its time was over.
func TestPausedPrimaryTakesNoWrite(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, proc.Options{NodeTimeout: 5000})
	healthy(t, c)
	const key = "{06S}k"
	old := c.Servers[0]
	text(t, old, "SET", key, "before")
	if got := text(t, old, "WAIT", "1", "0"); got != "1" {
		t.Fatalf("WAIT says %s", got)
	}
	conn := old.Conn()
	old.Pause()
	proc.Eventually(t, patience, "its replica takes over", func() error {
		for _, s := range c.Servers[1:] {
			if r, err := s.Try("SET", key, "after"); err == nil && r.Text == "OK" {
				return nil
			}
		}
		return fmt.Errorf("nobody takes the write")
	})
	conn.Send("SET", key, "from the dead")
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	old.Cont()
	r, err := conn.Receive()
	if err != nil || r.Err() == nil {
		t.Fatalf("the write that waited is answered with %v, %v", r, err)
	}
	proc.Eventually(t, patience, "it hears who took its place", func() error {
		r, err := old.Try("SET", key, "from the dead")
		if err == nil {
			t.Fatalf("it takes a write: %v", r)
		}
		if !strings.HasPrefix(err.Error(), "MOVED") {
			return err
		}
		return nil
	})
	c.WaitOK()
}
