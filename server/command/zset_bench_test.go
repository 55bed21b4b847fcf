package command

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// fillZSet adds members 0 to n, whose scores are their numbers.
func fillZSet(t testing.TB, do func(args ...string) string, key string, n int) {
	t.Helper()
	for from := 0; from < n; from += 2000 {
		args := []string{"ZADD", key}
		for i := from; i < min(from+2000, n); i++ {
			args = append(args, strconv.Itoa(i), fmt.Sprintf("member:%010d", i))
		}
		if reply := do(args...); reply[0] != ':' {
			t.Fatal(reply)
		}
	}
}

// BenchmarkZSet runs commands on a sorted set in memory, without a socket. With
// COBBLE_MEMBERS=n it has n members.
func BenchmarkZSet(b *testing.B) {
	sizes := []int{10, 100, 10_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv("COBBLE_MEMBERS")); err == nil {
		sizes = []int{n}
	}
	for _, size := range sizes {
		c, do := newRunner(b)
		fillZSet(b, do, "z", size)
		rng := rand.New(rand.NewPCG(1, 2))
		run := func(args ...[]byte) {
			c.Out.Reset()
			c.Args, c.Cmd = args, c.Env.Table.Find(args[0])
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
		}
		key, name, score, rank := []byte("z"), []byte(nil), []byte(nil), []byte(nil)
		lines := map[string]func(){
			"ZADD":     func() { run([]byte("zadd"), key, score, name) },
			"ZSCORE":   func() { run([]byte("zscore"), key, name) },
			"ZRANK":    func() { run([]byte("zrank"), key, name) },
			"ZRANGE10": func() { run([]byte("zrange"), key, rank, strconv.AppendInt(nil, int64(rng.IntN(size))+9, 10)) },
			"BYSCORE10": func() {
				run([]byte("zrangebyscore"), key, score, []byte("+inf"), []byte("LIMIT"), []byte("0"), []byte("10"))
			},
			"ZCOUNT":        func() { run([]byte("zcount"), key, score, []byte("+inf")) },
			"ZPOPMIN+ZADD":  func() { run([]byte("zpopmin"), key); run([]byte("zadd"), key, score, name) },
			"ZRANGE first3": func() { run([]byte("zrange"), key, []byte("0"), []byte("2")) },
		}
		for _, what := range []string{"ZSCORE", "ZADD", "ZRANK", "ZRANGE first3", "BYSCORE10", "ZCOUNT", "ZPOPMIN+ZADD"} {
			b.Run(fmt.Sprintf("%s/%d", what, size), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					i := rng.IntN(size)
					name = fmt.Appendf(name[:0], "member:%010d", i)
					score = strconv.AppendInt(score[:0], int64(rng.IntN(size)), 10)
					rank = strconv.AppendInt(rank[:0], int64(i), 10)
					lines[what]()
				}
			})
		}
	}
}
