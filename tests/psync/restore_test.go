package psync

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// TestLongRestores: values of every type that are restored in pieces reach a follower, which needs no new copy for it.
func TestLongRestores(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true})
	r := followed(t, s)
	c := s.Conn()
	defer c.Close()
	const n = 5000
	long := strings.Repeat("v", 70)
	big := strings.Repeat("x", 1<<20)
	fill := func(head []string, n int, f func(i int) []string) {
		for from := 0; from < n; from += 2000 {
			args := append([]string{}, head...)
			for i := from; i < from+2000 && i < n; i++ {
				args = append(args, f(i)...)
			}
			do(t, c, args...)
		}
	}
	fill([]string{"SADD", "{a}set"}, n, func(i int) []string { return []string{fmt.Sprint("m", i)} })
	fill([]string{"SADD", "{a}ints"}, n, func(i int) []string { return []string{strconv.Itoa(i)} })
	fill([]string{"ZADD", "{a}zset"}, n, func(i int) []string { return []string{fmt.Sprint(float64(i) / 7), fmt.Sprint("m", i)} })
	fill([]string{"HSET", "{a}hash"}, n, func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint(i)} })
	fill([]string{"HSET", "{a}fields"}, n, func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint(i)} })
	do(t, c, "HPEXPIRE", "{a}fields", "1000000", "FIELDS", "3", "f0", "f9", "f4000")
	fill([]string{"RPUSH", "{a}list"}, n, func(i int) []string { return []string{[]string{fmt.Sprint("e", i), fmt.Sprint(i), long}[i%3]} })
	fill([]string{"HSET", "{a}large"}, 5, func(i int) []string { return []string{fmt.Sprint(i), big + fmt.Sprint(i)} })
	for i := range n {
		c.Send("XADD", "{a}stream", fmt.Sprintf("%d-1", i+1), "f", fmt.Sprint(i))
	}
	c.Flush()
	for range n {
		c.Receive()
	}
	do(t, c, "XGROUP", "CREATE", "{a}stream", "g", "0")
	do(t, c, "XGROUP", "CREATE", "{a}stream", "h", "5-1")
	do(t, c, "XGROUP", "CREATECONSUMER", "{a}stream", "h", "idle")
	do(t, c, "XREADGROUP", "GROUP", "g", "c", "COUNT", "3000", "STREAMS", "{a}stream", ">")
	do(t, c, "XDEL", "{a}stream", "9-1", "4700-1", "5000-1")
	do(t, c, "SETRANGE", "{a}string", "5000000", "end")
	do(t, c, "SETRANGE", "{a}string", "100000", "mid")
	for _, key := range strings.Fields("set ints zset hash fields list large stream string") {
		payload := do(t, c, "DUMP", "{a}"+key).Text
		do(t, c, "RESTORE", "{a}set", "33177117420000", payload, "ABSTTL", "REPLACE")
		do(t, c, "RESTORE", "{a}new "+key, "0", payload)
	}
	settled(t, s, r)
	copies(t, s, 1, 0)
	sane(t, r)
}
