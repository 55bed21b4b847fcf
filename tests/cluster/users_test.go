package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cobble/tests/proc"
)

// Users are about clients. A cluster whose default user may do next to nothing, and
// whose only other user knows nothing of nodes, is made, replicates, fails over and is
// resharded like any other: nodes do not speak to each other as users.
func TestClusterWithUsers(t *testing.T) {
	t.Setenv("REDISCLI_AUTH", "pw")
	c := proc.StartCluster(t, 3, 1, proc.Options{Password: "pw", Args: []string{"--requirepass", "pw"}})
	for _, s := range c.Servers {
		for _, line := range []string{
			"ACL SETUSER app on >x ~app:* +@read +@write +@connection +cluster -@dangerous resetchannels",
			"ACL SETUSER admin on >y ~* &* +@all",
			"ACL SETUSER default resetkeys resetchannels -@all +ping +info +cluster +acl|whoami",
		} {
			if r := s.Do(strings.Fields(line)...); r.Err() != nil {
				t.Fatal(line, r.Err())
			}
		}
	}
	db := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Username: "app", Password: "x", ReadTimeout: time.Minute})
	defer db.Close()
	ctx := t.Context()
	const keys = 200
	set := func(round int) {
		t.Helper()
		for i := range keys {
			key := fmt.Sprint("app:", i)
			proc.Eventually(t, time.Minute, "a write as app", func() error { return db.Set(ctx, key, fmt.Sprint(round, " ", i), 0).Err() })
		}
		if err := db.Set(ctx, "other", "x", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("round %d: another's key: %v", round, err)
		}
	}
	same := func(round int) {
		t.Helper()
		for i := range keys {
			var got string
			proc.Eventually(t, time.Minute, "a read as app", func() (err error) {
				got, err = db.Get(ctx, fmt.Sprint("app:", i)).Result()
				return err
			})
			if got != fmt.Sprint(round, " ", i) {
				t.Fatalf("round %d: app:%d is %q", round, i, got)
			}
		}
	}
	set(1)
	c.CLI("--user", "admin", "--pass", "y", "--cluster", "reshard", c.Servers[0].Addr, "--cluster-from", id(t, c.Servers[1]), "--cluster-to", id(t, c.Servers[0]), "--cluster-slots", "40", "--cluster-yes")
	c.WaitOK()
	same(1)
	caughtUp(t, c)
	dead := id(t, c.Servers[0])
	c.Servers[0].Kill9()
	proc.Eventually(t, time.Minute, "a failed primary", func() error {
		nodes, err := c.Servers[1].Try("CLUSTER", "NODES")
		for _, line := range strings.Split(nodes.Text, "\n") {
			if strings.HasPrefix(line, dead) && strings.Contains(line, "fail ") {
				return nil
			}
		}
		return fmt.Errorf("%v\n%s", err, nodes.Text)
	})
	proc.WaitOK(t, c.Servers[1:]...)
	db.ReloadState(ctx)
	same(1)
	set(2)
	same(2)
}

func id(t *testing.T, s *proc.Server) string {
	t.Helper()
	return text(t, s, "CLUSTER", "MYID")
}

// caughtUp waits until the replicas have what their primaries wrote.
func caughtUp(t *testing.T, c *proc.Cluster) {
	t.Helper()
	proc.Eventually(t, time.Minute, "replicas that have everything", func() error {
		offsets := map[string]int{}
		for _, s := range c.Servers {
			info, err := s.Try("INFO", "replication")
			if err != nil {
				return err
			}
			for _, line := range strings.Split(info.Text, "\r\n") {
				if name, offset, _ := strings.Cut(line, ":"); name == "master_repl_offset" {
					offsets[offset]++
				}
			}
		}
		for offset, n := range offsets {
			if n%2 != 0 {
				return fmt.Errorf("offset %s is said by %d nodes", offset, n)
			}
		}
		return nil
	})
}
