package migrate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cobble/slots"
	"cobble/tests/proc"
)

// counters is how many slots have keys that writers add to: the first of each node,
// which are those that redis-cli moves first.
const counters = 24

// counterNames returns a string and a hash key for each of these slots.
func counterNames() (texts, hashes [counters]string) {
	firsts := []slots.Slot{0, 5461, 10923}
	for i := range counters {
		want := firsts[i%3] + slots.Slot(i/3)
		for tag := 0; texts[i] == ""; tag++ {
			if slots.Of(fmt.Append(nil, tag)) == want {
				texts[i], hashes[i] = fmt.Sprintf("n{%d}", tag), fmt.Sprintf("h{%d}", tag)
			}
		}
	}
	return texts, hashes
}

// addUntil adds 1 to counters in turn until stop, as a string and as a field of a
// hash, and counts what was acknowledged.
func addUntil(t *testing.T, client *redis.ClusterClient, first int, stop <-chan struct{}, acknowledged *[2 * counters]atomic.Int64) {
	ctx := context.Background()
	texts, hashes := counterNames()
	for i := first; ; i = (i + 1) % counters {
		select {
		case <-stop:
			return
		default:
		}
		if err := client.Incr(ctx, texts[i]).Err(); err != nil {
			t.Errorf("INCR %s: %v", texts[i], err)
			return
		}
		acknowledged[i].Add(1)
		if err := client.HIncrBy(ctx, hashes[i], "field", 1).Err(); err != nil {
			t.Errorf("HINCRBY %s: %v", hashes[i], err)
			return
		}
		acknowledged[counters+i].Add(1)
	}
}

// redis-cli moves slots back and forth while clients write to their keys: nobody
// sees an error, and no acknowledged write is lost or counted twice.
func TestReshardUnderWriters(t *testing.T) {
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Addrs(), MaxRedirects: 60, MinRetryBackoff: time.Millisecond, MaxRetryBackoff: 20 * time.Millisecond,
		ReadTimeout: patience, WriteTimeout: patience, // after one it would send the INCR again, which may have been executed
	})
	defer client.Close()
	var acknowledged [2 * counters]atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() { addUntil(t, client, i*counters/4, stop, &acknowledged) })
	}
	ids := make([]string, 3)
	for i, s := range c.Servers {
		ids[i] = s.Do("CLUSTER", "MYID").Text
	}
	for round := range 6 {
		for i, slot := range []string{"0", "5462", "10924"} {
			to := (round + i) % 3
			moveSlot(t, c, slot, c.Servers[to], ids[to])
		}
	}
	for i := range 3 {
		c.CLI("--cluster", "reshard", c.Servers[0].Addr, "--cluster-from", ids[i], "--cluster-to", ids[(i+1)%3], "--cluster-slots", fmt.Sprint(reshardSlots()), "--cluster-yes", "--cluster-pipeline", "7")
	}
	close(stop)
	writers.Wait()
	out := c.CLI("--cluster", "check", c.Servers[0].Addr)
	if !strings.Contains(out, "[OK] All 16384 slots covered.") {
		t.Errorf("redis-cli --cluster check says\n%s", out)
	}
	texts, hashes := counterNames()
	total := int64(0)
	for i := range counters {
		n, err := client.Get(context.Background(), texts[i]).Int64()
		if want := acknowledged[i].Load(); n != want || err != nil {
			t.Errorf("%s is %d (%v), %d were acknowledged", texts[i], n, err, want)
		}
		h, err := client.HGet(context.Background(), hashes[i], "field").Int64()
		if want := acknowledged[counters+i].Load(); h != want || err != nil {
			t.Errorf("%s is %d (%v), %d were acknowledged", hashes[i], h, err, want)
		}
		total += n + h
	}
	t.Logf("%d writes", total)
}

// reshardSlots is how many slots redis-cli moves from each node to the next.
func reshardSlots() int {
	if os.Getenv("COBBLE_PROCESSES") == "full" {
		return 300
	}
	return 10
}

// moveSlot moves one slot as redis-cli does, one key at a time.
func moveSlot(t *testing.T, c *proc.Cluster, slot string, to *proc.Server, toID string) {
	t.Helper()
	var from *proc.Server
	for _, s := range c.Servers {
		if s != to && s.Do("CLUSTER", "COUNTKEYSINSLOT", slot).Text != "0" {
			from = s
		}
	}
	if from == nil {
		return // it is there already
	}
	fromID := from.Do("CLUSTER", "MYID").Text
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	for {
		keys, err := from.Do("CLUSTER", "GETKEYSINSLOT", slot, "1").Strs()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		if r := from.Do("MIGRATE", "127.0.0.1", fmt.Sprint(to.Port), keys[0], "0", "60000"); r.Text != "OK" && r.Text != "NOKEY" {
			t.Fatalf("MIGRATE %s: %v", keys[0], r)
		}
	}
	for _, s := range append([]*proc.Server{to, from}, c.Servers...) {
		s.Do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
}

// redis-cli imports a redis-server's keys into a cluster: the source sends RESTORE.
func TestImportFromRedis(t *testing.T) {
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	source := start(t, proc.Redis)
	want := fillOne(t, source, 80)
	out := c.CLI("--cluster", "import", c.Servers[0].Addr, "--cluster-from", source.Addr, "--cluster-copy")
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ReadTimeout: patience})
	defer client.Close()
	for key, w := range want {
		slot, err := client.ClusterKeySlot(context.Background(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Servers {
			if s.Do("CLUSTER", "COUNTKEYSINSLOT", fmt.Sprint(slot)).Text != "0" {
				sameButExpiry(t, key, value(s.Do, key), w)
			}
		}
		if n, err := client.Exists(context.Background(), key).Result(); n != 1 || err != nil {
			t.Errorf("%s did not arrive: %v", key, err)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}
