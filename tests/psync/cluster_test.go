package psync

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// equal waits until a follower has what a node of a cluster has.
func equal(t *testing.T, node, r *proc.Server, keys int) {
	t.Helper()
	proc.Eventually(t, 60*time.Second, "the follower to have what its node has", func() error {
		want := content(t, node)
		if len(want) < keys {
			return fmt.Errorf("the node has %d keys", len(want))
		}
		return differences(want, content(t, r))
	})
}

// A follower of a node of a cluster has that node's keys: while slots leave and come, and while the node becomes a replica
// and a primary again.
func TestNodeOfCluster(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	var primaries []*proc.Server
	var mate *proc.Server
	for _, s := range c.Servers {
		if strings.Contains(s.Do("ROLE").String(), "master") {
			primaries = append(primaries, s)
		}
	}
	node, other := primaries[0], primaries[1].Do("CLUSTER", "MYID").Text
	id := node.Do("CLUSTER", "MYID").Text
	for _, s := range c.Servers {
		if strings.Contains(s.Do("INFO", "replication").Text, "master_port:"+strconv.Itoa(node.Port)) {
			mate = s
		}
	}
	if mate == nil {
		t.Fatal("the node has no replica")
	}
	write := func(what string) {
		t.Helper()
		for i := range 60 {
			r, err := node.Try("RPUSH", fmt.Sprint(what, i), "a", what)
			if err == nil {
				err = r.Err()
			}
			if err != nil && !strings.HasPrefix(err.Error(), "MOVED") {
				t.Fatal(err)
			}
		}
	}
	write("first")
	backup(t, c, primaries...)
	r, chained := follower(t, node), follower(t, mate)
	equal(t, node, r, 5)
	write("second")
	equal(t, node, r, 20)
	equal(t, mate, chained, 20)

	reshard := func(from, to string, slots int) {
		t.Helper()
		c.CLIWithin(2*time.Minute, "--cluster", "reshard", node.Addr, "--cluster-from", from, "--cluster-to", to, "--cluster-slots", strconv.Itoa(slots), "--cluster-yes")
		c.WaitOK()
	}
	reshard(id, other, 300)
	equal(t, node, r, 5)
	reshard(other, id, 200)
	equal(t, node, r, 5)
	write("third")
	equal(t, node, r, 20)

	if got := mate.Do("CLUSTER", "FAILOVER"); got.Text != "OK" {
		t.Fatal(got)
	}
	proc.Eventually(t, time.Minute, "the roles to change", func() error {
		if role := node.Do("ROLE").String(); !strings.Contains(role, "slave") {
			return fmt.Errorf("the node is %s", role)
		}
		return nil
	})
	node.WaitLog("is cut: this node has become a replica")
	node, mate = mate, node
	write("fourth")
	equal(t, mate, r, 20)
	equal(t, node, chained, 20)
}
