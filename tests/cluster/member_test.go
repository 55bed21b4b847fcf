package cluster

import (
	"strconv"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// A node is killed the moment it shows another one, and the moment it has confirmed FORGET, with nobody there to remind
// it: it knows what it said.
func TestMembershipSurvivesKill9(t *testing.T) {
	t.Parallel()
	for range 3 {
		a, b := proc.Start(t, proc.Options{}), proc.Start(t, proc.Options{})
		id := b.Do("CLUSTER", "MYID").Text
		known := func() bool { return strings.Contains(a.Do("CLUSTER", "NODES").Text, id) }
		if r := a.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(b.Port)); r.Text != "OK" {
			t.Fatal(r)
		}
		for !known() && a.Alive() { // as fast as can be: the test is about the first moment
			continue
		}
		a.Kill9()
		b.Kill9()
		a.Restart()
		if !known() {
			t.Fatal("the node that was met is forgotten")
		}
		if r := a.Do("CLUSTER", "FORGET", id); r.Text != "OK" {
			t.Fatal(r)
		}
		a.Kill9()
		a.Restart()
		if known() {
			t.Fatal("the node is known again that was forgotten")
		}
	}
}
