package server

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/cluster"
	"cobble/slots"
)

// startNode starts a cluster of one that owns every slot.
func startNode(t *testing.T) *running {
	t.Helper()
	n := start(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
	c := n.dial()
	c.want("CLUSTER ADDSLOTSRANGE 0 16383", "+OK\r\n")
	eventually(t, "the cluster is up", func() bool { return n.node.driver.View().State == cluster.StateOK })
	return n
}

// task does something in the order of the machine's tasks, and waits for it.
func (n *running) task(do func()) {
	done := make(chan struct{})
	n.node.tasks <- func() { do(); close(done) }
	<-done
}

// WAIT without a limit of time ends when the node is not a primary any more, as in
// redis-server: with an error, and the connection is closed.
func TestWaitEndsOnADeposedPrimary(t *testing.T) {
	n := startNode(t)
	c := n.dial()
	c.want("SET k v", "+OK\r\n")
	c.send("WAIT 1 0\r\n")
	other := n.dial()
	eventually(t, "WAIT waits", func() bool { return strings.Contains(other.do("INFO clients"), "blocked_clients:1\r\n") })
	n.task(func() {
		n.node.repl.becomeReplica(cluster.BecomeReplica{Of: cluster.ID{1}, Addr: cluster.Addr{IP: "127.0.0.1", Port: 1, BusPort: 2}, Term: 2})
	})
	const want = "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"
	if got := c.reply(); got != want {
		t.Errorf("WAIT is answered %q, want %q", got, want)
	}
	if _, is := c.closed(); !is {
		t.Error("the connection is still open")
	}
}

// Slots that are lost while a manual failover holds writes back lose their keys
// when writes are let in again, but for those that have come back.
func TestDropSlotsWhileHeld(t *testing.T) {
	n := startNode(t)
	c := n.dial()
	lost, kept := slots.Of([]byte("a")), slots.Of([]byte("b"))
	c.want("SET a 1", "+OK\r\n")
	c.want("SET b 1", "+OK\r\n")
	c.want("CLUSTER DELSLOTS "+strconv.Itoa(int(lost)), "+OK\r\n")
	n.task(func() { n.node.repl.hold(time.Now().Add(time.Minute), func(uint64) {}) })
	var set slots.Set
	set.Add(lost)
	set.Add(kept)
	n.node.hooks().DropSlots(set)
	n.task(func() {})
	c.want("CLUSTER COUNTKEYSINSLOT "+strconv.Itoa(int(lost)), ":1\r\n")
	n.node.hooks().ResumeWrites()
	n.task(func() {})
	c.want("CLUSTER COUNTKEYSINSLOT "+strconv.Itoa(int(lost)), ":0\r\n")
	c.want("CLUSTER COUNTKEYSINSLOT "+strconv.Itoa(int(kept)), ":1\r\n")
}
