package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/topology"
)

// TestReshardUnderLoad moves slots with stock redis-cli while clients write: no key is lost or wrong, and clients see
// no error but TRYAGAIN.
func TestReshardUnderLoad(t *testing.T) {
	t.Parallel()
	keys, moved := number("COBBLE_KEYS", 10_000), number("COBBLE_SLOTS", 50)
	c := proc.StartCluster(t, 3, 1, options())
	w := startWorkload(t, c, keys, 6)
	fill(t, w)
	w.waitWrites(t, 1000)
	c.Shards() // waits until the roles have settled
	nodes, err := c.Servers[0].Nodes()
	if err != nil {
		t.Fatal(err)
	}
	var primaries []*topology.Node
	for _, n := range nodes {
		if n.IsPrimary() {
			primaries = append(primaries, n)
		}
	}
	// A loaded machine moves at least ten slots and ten thousand keys a second.
	limit := 2*time.Minute + time.Duration(moved)*100*time.Millisecond + time.Duration(keys)*100*time.Microsecond
	out := c.CLIWithin(limit, "--cluster", "reshard", c.Servers[0].Addr, "--cluster-from", primaries[0].ID, "--cluster-to", primaries[1].ID,
		"--cluster-slots", fmt.Sprint(moved), "--cluster-yes")
	w.waitWrites(t, 1000)
	w.halt()
	c.WaitOK()
	w.verify(t)
	for text, n := range w.failures() {
		if !strings.HasPrefix(text, "TRYAGAIN") {
			t.Errorf("clients saw %d × %q", n, text)
		}
	}
	if check := c.CLI("--cluster", "check", c.Servers[0].Addr); !strings.Contains(check, "All 16384 slots covered") {
		t.Errorf("check after the reshard:\n%s\n%s", check, out)
	}
	total := int64(0)
	err = w.client.ForEachMaster(context.Background(), sumKeys(&total))
	if err != nil || total != int64(keys) {
		t.Errorf("the primaries count %d keys (%v), want %d", total, err, keys)
	}
}
