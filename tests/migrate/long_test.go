package migrate

import (
	"fmt"
	"strconv"
	"testing"

	"cobble/tests/proc"
)

// TestLongValueMoves: MIGRATE of a value that is restored in pieces, into a slot that is being imported.
func TestLongValueMoves(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	const key, n = "long", 10_000
	from := owners(t, c)(key)
	to := c.Servers[0]
	if to == from {
		to = c.Servers[1]
	}
	for i := 0; i < n; i += 2000 {
		args := []string{"SADD", key}
		for j := range 2000 {
			args = append(args, fmt.Sprint("m", i+j))
		}
		from.Do(args...)
	}
	slot, fromID, toID := from.Do("CLUSTER", "KEYSLOT", key).Text, from.Do("CLUSTER", "MYID").Text, to.Do("CLUSTER", "MYID").Text
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	if got := from.Do("MIGRATE", "127.0.0.1", strconv.Itoa(to.Port), key, "0", "60000").Text; got != "OK" {
		t.Fatal(got)
	}
	if got := from.Do("CLUSTER", "COUNTKEYSINSLOT", slot).Text; got != "0" {
		t.Errorf("%s keys are left", got)
	}
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	if got := to.Do("SCARD", key).Text; got != strconv.Itoa(n) {
		t.Errorf("%s members have come", got)
	}
}
