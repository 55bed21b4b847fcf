package clustertool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
)

// rig is a set of real servers and the tool's view from outside.
type rig struct {
	t *testing.T
	*proc.Cluster
}

func (r *rig) run(want int, args ...string) (stdout string) {
	r.t.Helper()
	return r.answer("", want, args...)
}

func (r *rig) answer(stdin string, want int, args ...string) (stdout string) {
	r.t.Helper()
	var out, complain bytes.Buffer
	if code := Main(args, strings.NewReader(stdin), &out, &complain); code != want {
		r.t.Fatalf("cobble cluster %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), complain.String())
	}
	return out.String() + complain.String()
}

func (r *rig) addr(i int) string { return r.Servers[i].Addr }

func (r *rig) id(i int) string { return r.Servers[i].Do("CLUSTER", "MYID").Text }

// fill writes n keys through whoever serves them and returns a function that counts those still there and right.
func (r *rig) fill(n int) (count func() int) {
	t := &tool{timeout: 10e9}
	each := func(f func(p *peer, key, value string) bool) int {
		c, err := t.load(r.addr(0))
		if err != nil {
			r.t.Fatal(err)
		}
		good := 0
		for i := range n {
			key := fmt.Sprint("key:", i)
			owner := c.owners(slots.Of([]byte(key)))
			if len(owner) == 1 && f(owner[0], key, fmt.Sprint("value:", i)) {
				good++
			}
		}
		return good
	}
	each(func(p *peer, key, value string) bool {
		_, err := p.do("SET", key, value)
		return err == nil
	})
	return func() int {
		return each(func(p *peer, key, value string) bool {
			got, err := p.do("GET", key)
			return err == nil && got.Text == value
		})
	}
}

func testCluster(t *testing.T, program proc.Program) {
	const keys = 2000
	r := &rig{t, proc.StartServers(t, 8, proc.Options{Program: program})}
	six := r.Addrs()[:6]

	r.answer("no\n", exitFailed, append([]string{"create", "--replicas", "1"}, six...)...)
	r.run(exitOK, append([]string{"create", "--replicas", "1", "--dry-run"}, six...)...)
	r.answer("yes\n", exitOK, append([]string{"create", "--replicas", "1"}, six...)...)
	if out := r.run(exitOK, "check", r.addr(3)); !strings.Contains(out, "[ok]") {
		t.Error(out)
	}
	if out := r.CLI("--cluster", "check", r.addr(0)); !strings.Contains(out, "All 16384 slots covered") {
		t.Error(out)
	}
	if out := r.run(exitFailed, "create", "--yes", r.addr(0)); !strings.Contains(out, "already") {
		t.Errorf("create of a member: %s", out)
	}
	count := r.fill(keys)

	t.Run("info", func(t *testing.T) {
		var doc struct {
			OK     bool
			Result struct {
				Keys  int
				Nodes []nodeReport
			}
		}
		var out bytes.Buffer
		if code := Main([]string{"info", r.addr(0), "--json"}, strings.NewReader(""), &out, io.Discard); code != exitOK {
			t.Fatal(code)
		}
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil || !doc.OK || doc.Result.Keys != keys || len(doc.Result.Nodes) != 6 {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
	t.Run("reshard", func(t *testing.T) {
		r := &rig{t, r.Cluster}
		r.run(exitUsage, "reshard", r.addr(0), "--from", "all", "--to", "ffffffff", "--slots", "10")
		r.run(exitUsage, "reshard", r.addr(0), "--from", r.addr(0), "--to", r.addr(0), "--slots", "10")
		r.run(exitUsage, "reshard", r.addr(0), "--from", "all", "--to", r.addr(0), "--slots", "16384")
		out := r.run(exitOK, "reshard", r.addr(0), "--from", "all", "--to", r.id(0), "--slots", "60", "--yes")
		if !strings.Contains(out, "[ok] 60 slots") {
			t.Error(out)
		}
		if got := count(); got != keys {
			t.Errorf("%d of %d keys are right", got, keys)
		}
		r.run(exitOK, "check", r.addr(0))
	})
	t.Run("fix", func(t *testing.T) { (&rig{t, r.Cluster}).testFix(count, keys) })
	t.Run("add and remove", func(t *testing.T) {
		r := &rig{t, r.Cluster}
		r.run(exitOK, "add-node", r.addr(6), r.addr(0), "--yes")
		r.run(exitOK, "add-node", r.addr(7), r.addr(0), "--yes", "--replica", "--primary", r.addr(6))
		r.run(exitOK, "rebalance", r.addr(0), "--yes", "--weight", r.id(6)+"=0.01", "--use-empty", "--pipeline", "100")
		if n, _ := r.Servers[6].Do("DBSIZE").Int(); n == 0 {
			t.Error("after a rebalance the new node has no keys")
		}
		r.run(exitFailed, "del-node", r.addr(0), r.id(6), "--yes")
		r.run(exitOK, "del-node", r.addr(0), r.id(6), "--yes", "--drain")
		r.run(exitOK, "del-node", r.addr(0), r.addr(7), "--yes")
		r.run(exitOK, "check", r.addr(0))
		if got := count(); got != keys {
			t.Errorf("%d of %d keys are right", got, keys)
		}
	})
	t.Run("call", func(t *testing.T) {
		r := &rig{t, r.Cluster}
		if out := r.run(exitOK, "call", r.addr(0), "PING"); strings.Count(out, "PONG") != 6 {
			t.Error(out)
		}
		r.run(exitFailed, "call", r.addr(0), "NOSUCH")
	})
	t.Run("lost node", func(t *testing.T) {
		r := &rig{t, r.Cluster}
		r.Servers[5].Kill9()
		out := r.run(exitFailed, "check", r.addr(0))
		if !strings.Contains(out, "cannot be reached") && !strings.Contains(out, "flagged") {
			t.Error(out)
		}
	})
}

// testFix leaves a move open at each of its stages, and lets fix finish it.
func (r *rig) testFix(count func() int, keys int) {
	tl := &tool{timeout: 10e9, pipeline: 3, moveTimeout: 10e9, out: io.Discard}
	c, err := tl.load(r.addr(0))
	if err != nil {
		r.t.Fatal(err)
	}
	all := c.primaries()
	from, to := all[0], all[1]
	var open []slots.Slot
	for i := 0; i < keys && len(open) < 6; i++ { // slots of from that have keys
		if s := slots.Of(fmt.Appendf(nil, "key:%d", i)); from.me.Slots.Has(s) {
			open = append(open, s)
		}
	}
	setslot := func(p *peer, i int, args ...string) {
		if _, err := p.do(append([]string{"CLUSTER", "SETSLOT", fmt.Sprint(open[i])}, args...)...); err != nil {
			r.t.Fatal(err)
		}
	}
	setslot(to, 0, "IMPORTING", from.me.ID) // only the destination was told
	setslot(to, 1, "IMPORTING", from.me.ID)
	setslot(from, 1, "MIGRATING", to.me.ID) // no key has moved
	setslot(from, 2, "MIGRATING", to.me.ID) // only the source was told
	setslot(to, 3, "IMPORTING", from.me.ID)
	setslot(from, 3, "MIGRATING", to.me.ID)
	if _, err := tl.moveKeys(move{open[3], from, to}); err != nil { // all keys have moved
		r.t.Fatal(err)
	}
	setslot(to, 4, "IMPORTING", from.me.ID)
	setslot(from, 4, "MIGRATING", to.me.ID)
	if _, err := tl.moveKeys(move{open[4], from, to}); err != nil {
		r.t.Fatal(err)
	}
	setslot(to, 4, "NODE", to.me.ID) // the destination owns it, the source has not heard
	// A copy was made and the source was not told to delete it: the key is on both.
	setslot(to, 5, "IMPORTING", from.me.ID)
	setslot(from, 5, "MIGRATING", to.me.ID)
	host, port := announced(nil, to)
	r5, err := from.do("CLUSTER", "GETKEYSINSLOT", fmt.Sprint(open[5]), "1")
	if err != nil || len(r5.Elems) != 1 {
		r.t.Fatal(err, r5)
	}
	if _, err := from.do("MIGRATE", host, port, r5.Elems[0].Text, "0", "60000", "COPY"); err != nil {
		r.t.Fatal(err)
	}

	out := r.run(exitFailed, "check", r.addr(0))
	if strings.Count(out, "open slot") < 8 {
		r.t.Error(out)
	}
	r.run(exitFailed, "reshard", r.addr(0), "--from", "all", "--to", r.id(0), "--slots", "1", "--yes")
	// The claim of slot 4 must reach the source first.
	proc.Eventually(r.t, time.Minute, "one owner of every slot", func() error {
		if err := c.refresh(); err != nil {
			return err
		}
		if n := len(c.owners(open[4])); n != 1 {
			return fmt.Errorf("%d owners", n)
		}
		return nil
	})
	r.run(exitOK, "fix", r.addr(0), "--yes")
	r.run(exitOK, "check", r.addr(0))
	if got := count(); got != keys {
		r.t.Errorf("after fix %d of %d keys are right", got, keys)
	}
	if err := c.refresh(); err != nil {
		r.t.Fatal(err)
	}
	for i, owner := range []*peer{from, to, to, to, to, to} {
		if !owner.me.Slots.Has(open[i]) {
			r.t.Errorf("slot %d (%d) is not with %s", open[i], i, owner.addr)
		}
	}
	if _, err := from.do("CLUSTER", "DELSLOTS", fmt.Sprint(open[0])); err != nil {
		r.t.Fatal(err)
	}
	r.run(exitFailed, "check", from.addr)
	r.run(exitOK, "fix", from.addr, "--yes")
	r.run(exitOK, "check", from.addr)
}

func TestOnRedis(t *testing.T) {
	t.Parallel()
	testCluster(t, proc.Redis)
}

func TestPassword(t *testing.T) {
	c := proc.StartServers(t, 3, proc.Options{Program: proc.Redis, Password: "s3cret", Args: []string{"--requirepass", "s3cret", "--masterauth", "s3cret"}})
	r := &rig{t, c}
	out := r.run(exitFailed, append([]string{"create", "--yes"}, c.Addrs()...)...)
	if !strings.Contains(out, "wants a password") {
		t.Error(out)
	}
	if out := r.run(exitFailed, append([]string{"create", "--yes", "-a", "wrong"}, c.Addrs()...)...); strings.Contains(out, "wrong") && !strings.Contains(out, "WRONGPASS") {
		t.Error(out)
	}
	r.run(exitOK, append([]string{"create", "--yes", "-a", "s3cret"}, c.Addrs()...)...)
	for i := range 50 {
		_, err := c.Servers[0].Try("SET", fmt.Sprint("k", i), "v")
		var moved interface{ Code() string }
		if err != nil && (!errors.As(err, &moved) || moved.Code() != "MOVED") {
			t.Fatal(err)
		}
	}
	r.run(exitOK, "reshard", r.addr(0), "--from", r.addr(0), "--to", r.addr(1), "--slots", "100", "--yes", "-a", "s3cret", "--user", "default")
}

func TestOnCobble(t *testing.T) {
	t.Parallel()
	testCluster(t, proc.Cobble)
}
