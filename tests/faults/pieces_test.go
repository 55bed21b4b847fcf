package faults

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// fillSets makes two sets of so many members, of which half are in both.
func fillSets(t *testing.T, s *proc.Server, one, two string, n int) {
	t.Helper()
	c := s.Conn()
	defer c.Close()
	for _, set := range []struct {
		key   string
		first int
	}{{one, 0}, {two, n / 2}} {
		const batch = 5000
		for from := set.first; from < set.first+n; from += batch {
			args := []string{"SADD", set.key}
			for i := from; i < from+batch; i++ {
				args = append(args, fmt.Sprintf("member:%08d", i))
			}
			if reply, err := c.Do(args...); err != nil || reply.Err() != nil {
				t.Fatal(reply, err)
			}
		}
	}
}

func offset(t *testing.T, s *proc.Server) int {
	t.Helper()
	_, rest, _ := strings.Cut(s.Do("INFO", "replication").Text, "master_repl_offset:")
	text, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// begin sends a command whose reply nobody awaits, and waits until a part of it is in the log.
func begin(t *testing.T, s *proc.Server, args ...string) (reply chan string) {
	t.Helper()
	before := offset(t, s)
	c := s.Conn()
	reply = make(chan string, 1)
	go func() {
		defer c.Close()
		switch r, err := c.Do(args...); {
		case err != nil:
			reply <- err.Error()
		case r.Err() != nil:
			reply <- r.Err().Error()
		default:
			reply <- r.Text
		}
	}()
	proc.Eventually(t, time.Minute, "the command to be under way", func() error {
		if n := offset(t, s) - before; n < 256<<10 {
			return fmt.Errorf("%d bytes are written", n)
		}
		return nil
	})
	return reply
}

// TestLongCommands has primaries end in the middle of commands that are written in pieces: what they make is whole or not
// there, on every node the same, and whoever was told that it is there finds it.
func TestLongCommands(t *testing.T) {
	t.Parallel()
	large := number("COBBLE_ELEMENTS", 60_000) // enough for an end in the middle
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	shards := c.Shards()
	for i, test := range []struct {
		name string
		args func(one, two, to string) []string
		size int
		end  func(sh proc.Shard)
	}{
		{"COPY, kill -9", func(one, _, to string) []string { return []string{"COPY", one, to} }, large, func(sh proc.Shard) { sh.Primary.Kill9() }},
		{"SUNIONSTORE, kill -9", func(one, two, to string) []string { return []string{"SUNIONSTORE", to, one, two} }, large * 3 / 2, func(sh proc.Shard) { sh.Primary.Kill9() }},
		{"COPY, CLUSTER FAILOVER", func(one, _, to string) []string { return []string{"COPY", one, to} }, large, func(sh proc.Shard) {
			if got := sh.Replica.Do("CLUSTER", "FAILOVER"); got.Text != "OK" {
				t.Fatal(got)
			}
		}},
	} {
		sh := shards[i]
		tag := "{" + sh.Key + "}"
		one, two, to := tag+"one", tag+"two", tag+"to"
		fillSets(t, sh.Primary, one, two, large)
		sh.Replica.WaitReplicaOf(sh.Primary)
		proc.Eventually(t, time.Minute, "the replica to have the sets", func() error {
			if have, want := offset(t, sh.Replica), offset(t, sh.Primary); have < want {
				return fmt.Errorf("it is at %d of %d", have, want)
			}
			return nil
		})
		reply := begin(t, sh.Primary, test.args(one, two, to)...)
		test.end(sh)
		untilWritable(t, sh.Replica, tag, time.Now())
		size := sh.Replica.Do("SCARD", to).Text
		if size != "0" && size != strconv.Itoa(test.size) {
			t.Errorf("%s: what it makes has %s members of %d", test.name, size, test.size)
		}
		said := <-reply
		t.Logf("%s: it replies %q, and has made %s members", test.name, said, size)
		if said == "1" && size == "0" && strings.HasSuffix(test.name, "FAILOVER") {
			t.Errorf("%s: what was acknowledged is lost", test.name)
		}
		if !sh.Primary.Alive() {
			sh.Primary.Restart()
		}
		sh.Primary.WaitReplicaOf(sh.Replica)
		proc.Eventually(t, time.Minute, "both to have the same", func() error {
			if a, b := sh.Primary.Do("DEBUG", "DIGEST").Text, sh.Replica.Do("DEBUG", "DIGEST").Text; a != b {
				return fmt.Errorf("%s and %s", a, b)
			}
			return nil
		})
		if got := sh.Replica.Do(test.args(one, two, to)...); got.Err() != nil {
			t.Errorf("%s, once more: %v", test.name, got)
		}
		if got := sh.Replica.Do("SCARD", to); got.Text != strconv.Itoa(test.size) {
			t.Errorf("%s, once more: %v members", test.name, got)
		}
	}
}
