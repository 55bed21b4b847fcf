package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cobble/cluster"
	"cobble/slots"
	"cobble/tests/proc"
)

// patience bounds every wait; the tests assert conditions, not times.
const patience = 3 * time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// node is a whole node without a server.
type node struct {
	t   *testing.T
	dir string
	*Driver
	port int

	mu    sync.Mutex
	route *slots.View
	fatal error
	lines []string
}

// startNode starts a node on a bus port; 0 is one that stays free for it when it is started again.
func startNode(t *testing.T, dir string, port int, change ...func(*Options)) *node {
	t.Helper()
	if port == 0 {
		port = proc.FreePort(t)
	}
	n := &node{t: t, dir: dir, port: port}
	config := cluster.DefaultConfig(cluster.Addr{IP: "127.0.0.1", Port: uint16(7000 + port%1000)})
	config.NodeTimeout = 2000
	o := Options{
		Dir: dir, ConfigFile: "nodes.conf", Bind: []string{"127.0.0.1"}, BusPort: port,
		Settings: Settings{Machine: config, Endpoint: "ip"},
		Hooks: Hooks{
			Publish: func(_ *cluster.View, r *slots.View) { n.mu.Lock(); n.route = r; n.mu.Unlock() },
			Log:     func(level byte, line string) { n.mu.Lock(); n.lines = append(n.lines, line); n.mu.Unlock() },
			Fatal:   func(err error) { n.mu.Lock(); n.fatal = err; n.mu.Unlock() },
		},
	}
	for _, f := range change {
		f(&o)
	}
	d, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	n.Driver = d
	n.port = d.port.Number()
	t.Cleanup(d.Close)
	return n
}

func (n *node) do(admin cluster.Admin) {
	n.t.Helper()
	if r := n.Do(nil, admin); r.Err != "" {
		n.t.Fatalf("%T: %s", admin, r.Err)
	}
}

func (n *node) addr() cluster.Addr { return n.View().Myself().Addr }

// text is what CLUSTER NODES would mostly show: who knows whom, who owns what.
func (n *node) text() string {
	var b strings.Builder
	for _, x := range n.View().Nodes {
		set := ""
		if x.Slots != nil {
			set = x.Slots.String()
		}
		fmt.Fprintf(&b, "%s %s %v %v %d %s\n", x.ID, x.Addr.IP, x.Handshake, x.Fail || x.PFail, x.ConfigEpoch, set)
	}
	return b.String()
}

func (n *node) routes() *slots.View {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.route
}

// third is one of three equal parts of the slots.
func third(i int) slots.Set {
	var s slots.Set
	s.AddRange(slots.Range{First: slots.Slot(i * slots.Count / 3), Last: slots.Slot((i+1)*slots.Count/3 - 1)})
	return s
}

// createCluster does what redis-cli --cluster create does before REPLICATE.
func createCluster(t *testing.T, n int) []*node {
	t.Helper()
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = startNode(t, t.TempDir(), 0)
		if i < 3 {
			nodes[i].do(cluster.AddSlots{Slots: third(i)})
		}
		nodes[i].do(cluster.SetConfigEpoch{Epoch: int64(i + 1)})
	}
	for _, x := range nodes[1:] {
		x.do(cluster.Meet{Addr: nodes[0].addr()})
	}
	waitAgreed(t, nodes)
	return nodes
}

func agreed(nodes []*node) bool {
	want := nodes[0].text()
	for _, n := range nodes {
		if len(n.View().Nodes) != len(nodes) || n.View().State != cluster.StateOK || n.text() != want {
			return false
		}
	}
	return !strings.Contains(want, "true")
}

func waitAgreed(t *testing.T, nodes []*node) {
	t.Helper()
	defer func() {
		if t.Failed() {
			for _, n := range nodes {
				t.Logf("%s says\n%s%v", n.View().Myself().ID, n.text(), n.View().Reason)
			}
		}
	}()
	eventually(t, "all agree and the cluster is ok", func() bool { return agreed(nodes) })
}

func TestSixMeetAndAgree(t *testing.T) {
	t.Parallel()
	nodes := createCluster(t, 6)
	for i, n := range nodes {
		r := n.routes()
		if !r.Enabled || r.Down || int(r.Self) != n.View().Self {
			t.Fatalf("node %d routes by a view with enabled %v, down %v, self %d", i, r.Enabled, r.Down, r.Self)
		}
		own := slots.Route(r, slots.Request{Slot: 0})
		if i == 0 && own != nil {
			t.Fatalf("the owner answers %v", own)
		}
		if i > 0 {
			want := fmt.Sprintf("MOVED 0 127.0.0.1:%d", nodes[0].addr().Port)
			if own == nil || own.Error() != want {
				t.Fatalf("node %d answers %v, want %s", i, own, want)
			}
		}
	}
	eventually(t, "everybody is connected with everybody, both ways", func() bool {
		for _, n := range nodes {
			if len(n.Links()) != 10 {
				return false
			}
		}
		return true
	})
}

func TestRestartRemembers(t *testing.T) {
	t.Parallel()
	nodes := createCluster(t, 3)
	before := nodes[1].View().Myself()
	nodes[1].Close()
	eventually(t, "its death is noticed", func() bool {
		x := nodes[0].View().Node(before.ID)
		return x.PFail || x.Fail
	})
	nodes[1] = startNode(t, nodes[1].dir, nodes[1].port)
	after := nodes[1].View().Myself()
	if after.ID != before.ID || after.Boot <= before.Boot || *after.Slots != *before.Slots {
		t.Fatalf("came back as %+v, was %+v", after, before)
	}
	waitAgreed(t, nodes)
}

func TestForgetAndReset(t *testing.T) {
	t.Parallel()
	nodes := createCluster(t, 4)
	gone := nodes[3]
	old := gone.View().Myself().ID
	for _, n := range nodes[:3] {
		n.do(cluster.Forget{ID: old})
	}
	gone.do(cluster.Reset{Hard: true})
	if v := gone.View(); len(v.Nodes) != 1 || v.Myself().ID == old {
		t.Fatalf("after RESET HARD:\n%s", gone.text())
	}
	waitAgreed(t, nodes[:3])
	gone.do(cluster.Meet{Addr: nodes[1].addr()})
	waitAgreed(t, nodes)
}

func TestSecondDriverOnTheSameFile(t *testing.T) {
	t.Parallel()
	n := startNode(t, t.TempDir(), 0)
	var refusal *StartError
	_, err := Start(Options{Dir: n.dir, ConfigFile: "nodes.conf", Bind: []string{"127.0.0.1"}})
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Text, "Sorry, the cluster configuration file nodes.conf is already used") {
		t.Fatalf("%v", err)
	}
	_, err = Start(Options{Dir: t.TempDir(), ConfigFile: "nodes.conf", Bind: []string{"127.0.0.1"}, BusPort: n.port})
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Text, "Failed listening on port") {
		t.Fatalf("%v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nodes.conf"), []byte("nonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Start(Options{Dir: dir, ConfigFile: "nodes.conf", Bind: []string{"127.0.0.1"}})
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Text, "Unrecoverable error: corrupted cluster config file") {
		t.Fatalf("%v", err)
	}
}

// A cut that lasts beyond the node timeout: the side without a majority of
// electors stops serving, the other goes on, and afterwards all agree again.
func TestPartition(t *testing.T) {
	t.Parallel()
	nodes := createCluster(t, 6)
	var left, right []cluster.ID
	for i, n := range nodes {
		if i < 2 {
			left = append(left, n.View().Myself().ID)
		} else {
			right = append(right, n.View().Myself().ID)
		}
	}
	for i, n := range nodes {
		if i < 2 {
			n.Cut(right)
		} else {
			n.Cut(left)
		}
	}
	down := func(n *node) bool { return n.View().State == cluster.StateFail }
	flags := func(n *node, of cluster.ID) bool { x := n.View().Node(of); return x.PFail || x.Fail }
	eventually(t, "the smaller side stops, both miss the other", func() bool {
		return down(nodes[0]) && down(nodes[1]) && flags(nodes[0], right[0]) && flags(nodes[5], left[0]) && flags(nodes[5], left[1])
	})
	if err := slots.Route(nodes[0].routes(), slots.Request{Slot: 0}); err == nil {
		t.Fatal("a primary in the minority still serves its slots")
	}
	for _, n := range nodes {
		n.Cut(nil)
	}
	waitAgreed(t, nodes)
}
