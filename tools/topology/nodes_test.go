package topology

import (
	"strings"
	"testing"
)

var (
	a = strings.Repeat("a", 40)
	b = strings.Repeat("b", 40)
	c = strings.Repeat("c", 40)
)

func TestParseNodes(t *testing.T) {
	text := a + " 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5 9 [10->-" + b + "] [11-<-" + c + "]\n" +
		b + " ::1:7001@17001,example.org slave,fail? " + a + " 5 6 2 disconnected\n" +
		c + " :0@0 master,noaddr - 0 0 0 disconnected\r\n"
	nodes, err := ParseNodes(text)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%v, %v", nodes, err)
	}
	n := nodes[0]
	if n.ID != a || n.Addr() != "127.0.0.1:7000" || n.BusPort != 17000 || !n.Has("myself") || !n.IsPrimary() ||
		n.Slots.String() != "0-5 9" || n.Migrating[10] != b || n.Importing[11] != c || n.Open() != 2 || !n.Linked || n.Epoch != 1 {
		t.Errorf("%+v", n)
	}
	n = nodes[1]
	if n.Addr() != "[::1]:7001" || n.Hostname != "example.org" || n.Primary != a || !n.IsReplica() || n.Has("fail") || !n.Reachable() || n.Linked {
		t.Errorf("%+v", n)
	}
	if nodes[2].Reachable() || nodes[2].Host != "" {
		t.Errorf("%+v", nodes[2])
	}
	me, err := Myself(nodes)
	if err != nil || me.ID != a {
		t.Errorf("%v, %v", me, err)
	}
	if got, want := Signature(nodes), a+":0-5 9"; got != want {
		t.Errorf("signature %q", got)
	}
}

func TestParseNodesRefuses(t *testing.T) {
	for _, text := range []string{
		"", "\n", "x", a + " 127.0.0.1 master - 0 0 1 connected", a + " h:x@1 master - 0 0 1 connected",
		a + " h:1@x master - 0 0 1 connected", a + " h:1@2 master - 0 0 x connected", a + " h:1@2 master - 0 0 1 connected 16384",
		a + " h:1@2 master - 0 0 1 connected 5-3", a + " h:1@2 master - 0 0 1 connected [5]", a + " h:1@2 master - 0 0 1 connected [x->-y]",
	} {
		if nodes, err := ParseNodes(text); err == nil {
			t.Errorf("%q was read as %+v", text, nodes[0])
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add(a + " 127.0.0.1:7000@17000,h,shard-id=x myself,master - 0 0 1 connected 0-5 9 [10->-" + b + "]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if nodes, err := ParseNodes(text); err == nil {
			Signature(nodes)
		}
	})
}
