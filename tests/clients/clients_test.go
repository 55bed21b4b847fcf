package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cobble/tests/proc"
	"cobble/tools/topology"
)

func startCluster(t *testing.T) *proc.Cluster {
	o := proc.Options{}
	if os.Getenv("COBBLE_PROGRAM") == "redis" {
		o.Program = proc.Redis
	}
	c := proc.StartCluster(t, 3, 1, o)
	proc.Eventually(t, time.Minute, "three replicas", func() error {
		nodes, err := topology.ParseNodes(mustText(c.Servers[0].Try("CLUSTER", "NODES")))
		replicas := 0
		for _, n := range nodes {
			if n.IsReplica() {
				replicas++
			}
		}
		if err != nil || replicas != 3 {
			return fmt.Errorf("%d replicas, %v", replicas, err)
		}
		return nil
	})
	return c
}

func mustText(reply interface{ Str() (string, error) }, err error) string {
	if err != nil {
		return ""
	}
	text, _ := reply.Str()
	return text
}

func TestNodeClients(t *testing.T) {
	install(t)
	c := startCluster(t)
	for _, library := range []string{"ioredis", "node-redis", "node-redis-3"} {
		t.Run(library, func(t *testing.T) { nodeSession(t, c, library) })
	}
}

// install brings the libraries that package-lock.json names.
func install(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed to drive the Node clients: %v", program, err)
		}
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--omit=dev")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

func nodeSession(t *testing.T, c *proc.Cluster, library string) {
	cmd := exec.Command("node", append([]string{"session.js", library}, c.Addrs()...)...)
	cmd.Dir, cmd.SysProcAttr = "node", &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	fail := func(format string, args ...any) {
		t.Helper()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf(format+"\n%s", append(args, stderr.String())...)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != "ready" {
		fail("%s: first line %q", library, lines.Text())
	}
	awaitWrites(lines, 300, fail)
	victim := primaryOf(t, c)
	victim.Kill9()
	defer func() {
		if !victim.Alive() {
			victim.Restart()
		}
	}()
	if library == "ioredis" {
		awaitWrites(lines, 600, fail)
	} // node-redis holds commands for a lost node back until somebody answers at its address again
	victim.Restart()
	awaitWrites(lines, 600, fail)
	c.WaitOK()
	_ = stdin.Close()
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(last, "done") {
		t.Fatalf("%s ended with %v after %q\n%s", library, err, last, stderr.String())
	}
	t.Logf("%s: errors seen during the failover: %s", library, strings.TrimPrefix(last, "done "))
}

// awaitWrites reads until n more writes were acknowledged.
func awaitWrites(lines *bufio.Scanner, n int, fail func(string, ...any)) {
	first := -1
	for lines.Scan() {
		count, err := strconv.Atoi(lines.Text())
		if err != nil {
			fail("unexpected line %q", lines.Text())
		}
		if first < 0 {
			first = count
		}
		if count-first >= n {
			return
		}
	}
	fail("the session ended: %v", lines.Err())
}

// primaryOf gives a running primary with slots.
func primaryOf(t *testing.T, c *proc.Cluster) *proc.Server {
	for _, s := range c.Servers {
		nodes, err := topology.ParseNodes(mustText(s.Try("CLUSTER", "NODES")))
		if err != nil {
			t.Fatal(err)
		}
		if me, err := topology.Myself(nodes); err == nil && me.IsPrimary() && !me.Slots.Empty() {
			return s
		}
	}
	t.Fatal("no primary")
	return nil
}

func TestGoRedis(t *testing.T) {
	c := startCluster(t)
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Protocol: protocol, MaxRedirects: 16})
			defer client.Close()
			goSession(t, client)
		})
	}
}

func goSession(t *testing.T, client *redis.ClusterClient) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v; want %v", what, got, err, want)
		}
	}
	for _, key := range []string{"k", "h", "{t}n"} {
		if err := client.Del(ctx, key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := client.Set(ctx, "k", "v", time.Minute).Result()
	check("SET", s, err, "OK")
	s, err = client.Get(ctx, "k").Result()
	check("GET", s, err, "v")
	if _, err = client.Get(ctx, "none").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET none: %v", err)
	}
	n, err := client.HSet(ctx, "h", "a", 1, "b", 2).Result()
	check("HSET", n, err, 2)
	m, err := client.HGetAll(ctx, "h").Result()
	check("HGETALL", m, err, map[string]string{"a": "1", "b": "2"})
	f, err := client.HIncrByFloat(ctx, "h", "a", 0.5).Result()
	check("HINCRBYFLOAT", f, err, 1.5)
	multi, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "{t}n")
		p.IncrBy(ctx, "{t}n", 4)
		return nil
	})
	check("EXEC", multi[1].(*redis.IntCmd).Val(), err, 5)
	err = client.Watch(ctx, func(tx *redis.Tx) error {
		if err := client.Set(ctx, "{t}n", "changed", 0).Err(); err != nil {
			return err
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "{t}n"); return nil })
		return err
	}, "{t}n")
	if !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("EXEC after a change of the watched key: %v", err)
	}
	pipe := client.Pipeline()
	for i := range 2000 {
		pipe.Set(ctx, fmt.Sprintf("many:%d", i), i, 0)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	total := 0
	err = client.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		var cursor uint64
		for {
			keys, next, err := node.Scan(ctx, cursor, "many:*", 100).Result()
			if err != nil {
				return err
			}
			mu <- struct{}{}
			total += len(keys)
			<-mu
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	check("SCAN of all primaries", total, err, 2000)
	if err := client.Get(ctx, "h").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("GET of a hash: %v", err)
	}
}

var mu = make(chan struct{}, 1)
