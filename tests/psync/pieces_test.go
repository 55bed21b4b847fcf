package psync

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// Commands that are written in pieces reach a follower as what they did, between the writes of others, in pipelines, with
// sources that expire meanwhile, and with clients that wait for what they make.
func TestLongCommands(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true})
	r := followed(t, s)
	c := s.Conn()
	defer c.Close()
	const n = 20_000
	for from := 0; from < n; from += 5000 {
		sets, scores := []string{"SADD", "{a}one"}, []string{"ZADD", "{a}scores"}
		other := []string{"SADD", "{a}two"}
		for i := from; i < from+5000; i++ {
			sets, scores = append(sets, fmt.Sprint("m", i)), append(scores, strconv.Itoa(i+1), fmt.Sprint("m", i))
			other = append(other, fmt.Sprint("m", i+n/2))
		}
		do(t, c, sets...)
		do(t, c, other...)
		do(t, c, scores...)
		do(t, c, append([]string{"RPUSH", "{a}list"}, slices.Repeat([]string{"x", strconv.Itoa(from)}, 2500)...)...)
	}

	popped := make(chan string, 1)
	waiting := s.Conn()
	defer waiting.Close()
	go func() {
		got, err := waiting.Do("BZPOPMIN", "{a}best", "0")
		popped <- fmt.Sprint(got, err)
	}()
	oneWaits(t, s)
	stop := make(chan struct{})
	var others sync.WaitGroup
	defer others.Wait()
	for w := range 2 {
		others.Go(func() {
			oc := s.Conn()
			defer oc.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, args := range [][]string{
					{"INCR", "{a}count"}, {"SADD", "{a}two", fmt.Sprint("x", w, i)}, {"ZINCRBY", "{a}scores", "0.5", fmt.Sprint("m", 100+i%100)},
					{"COPY", "{a}two", "{a}one", "REPLACE"}, {"COPY", "{a}one", "{a}two", "REPLACE"}, {"SREM", "{a}to", fmt.Sprint("m", i)},
				} {
					if _, err := oc.Do(args...); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	func() {
		defer others.Wait()
		defer close(stop)
		pipeline(t, c, n)
	}()
	select {
	case got := <-popped:
		if want := `*3[$"{a}best" $"m0" $"1"] <nil>`; got != want {
			t.Errorf("the client that waits gets %s, want %s", got, want)
		}
	case <-time.After(60 * time.Second):
		t.Error("the client that waits is not served")
	}
	if got := do(t, c, "ZCARD", "{a}best").Text; got != strconv.Itoa(n) { // it was made again
		t.Errorf("%s members are left", got)
	}
	settled(t, s, r)
	sane(t, r)
}

// pipeline sends long commands with others behind them, which see what they have made.
func pipeline(t *testing.T, c *respconn.Conn, n int) {
	t.Helper()
	payload := do(t, c, "DUMP", "{a}one").Text
	for range 2 {
		lines := []struct {
			args []string
			want string
		}{
			{[]string{"ZUNIONSTORE", "{a}best", "1", "{a}scores"}, strconv.Itoa(n)},
			{[]string{"COPY", "{a}scores", "{a}copied", "REPLACE"}, "1"},
			{[]string{"ZCARD", "{a}copied"}, strconv.Itoa(n)},
			{[]string{"ZADD", "{a}copied", "1", "late"}, "1"},
			{[]string{"SUNIONSTORE", "{a}to", "{a}one", "{a}two"}, ""},
			{[]string{"COPY", "{a}to", "{a}short", "REPLACE"}, "1"},
			{[]string{"PEXPIRE", "{a}short", "20"}, "1"},
			{[]string{"SUNIONSTORE", "{a}of", "{a}short", "{a}none"}, ""},
			{[]string{"RESTORE", "{a}restored", "0", payload, "REPLACE"}, "OK"},
			{[]string{"SADD", "{a}restored", "late"}, "1"},
			{[]string{"ZRANGESTORE", "{a}range", "{a}scores", "0", "-1", "REV"}, strconv.Itoa(n)},
			{[]string{"GEOSEARCHSTORE", "{a}near", "{a}scores", "FROMLONLAT", "-179", "-80", "BYRADIUS", "20000", "km", "STOREDIST"}, ""},
			{[]string{"SORT", "{a}one", "ALPHA", "DESC", "STORE", "{a}sorted"}, ""},
			{[]string{"COPY", "{a}list", "{a}cut", "REPLACE"}, "1"},
			{[]string{"LREM", "{a}cut", "-6000", "x"}, "6000"},
			{[]string{"RPUSH", "{a}cut", "last"}, "14001"},
			{[]string{"LINSERT", "{a}cut", "BEFORE", "last", "between"}, "14002"},
			{[]string{"LREM", "{a}cut", "0", "x"}, "4000"},
			{[]string{"LREM", "{a}cut", "0", "5000"}, "2500"},
			{[]string{"MULTI"}, "OK"},
			{[]string{"ZREM", "{a}copied", "late"}, "QUEUED"},
			{[]string{"SINTERSTORE", "{a}both", "{a}one", "{a}two"}, "QUEUED"},
			{[]string{"EXEC"}, ""},
			{[]string{"EVAL", "return redis.call('ZADD', KEYS[1], 1, 'script')", "1", "{a}copied"}, "1"},
		}
		for _, line := range lines {
			c.Send(line.args...)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			got, err := c.Receive()
			if err != nil || got.Err() != nil || line.want != "" && got.Text != line.want {
				t.Errorf("%q: %v, %v, want %s", line.args, got, err, line.want)
			}
		}
	}
}
