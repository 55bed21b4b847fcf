package driver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/cluster"
)

// What redis-cli --cluster add-node and del-node do, again and again: a node
// that is forgotten by all can still hand its vote over and reset.
func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	nodes := createCluster(t, 6)
	fresh := startNode(t, t.TempDir(), 0)
	for round := range 6 {
		fresh.do(cluster.Meet{Addr: nodes[round%6].addr()})
		all := append(nodes[:6:6], fresh)
		waitAgreed(t, all)
		id := fresh.View().Myself().ID
		for _, n := range nodes {
			n.do(cluster.Forget{ID: id})
		}
		for end := time.Now().Add(patience); ; { // a busy machine may need longer than a RESET waits, which then says so
			r := fresh.Do(nil, cluster.Reset{})
			if r.Err == "" {
				break
			}
			if !strings.Contains(r.Err, "Try again") || time.Now().After(end) {
				t.Fatalf("round %d: %s\n%s", round, r.Err, electorsText(all))
			}
		}
		waitAgreed(t, nodes)
		if !fresh.View().Myself().IsPrimary() || len(fresh.View().Nodes) != 1 {
			t.Fatalf("round %d: after RESET\n%s", round, fresh.text())
		}
		fresh.do(cluster.Reset{Hard: true}) // the old id is banned for a minute
	}
}

func electorsText(nodes []*node) (out string) {
	for _, n := range nodes {
		out += fmt.Sprintf("%s obeys %+v\n", n.View().Myself().ID, n.View().Electors)
	}
	return out
}
