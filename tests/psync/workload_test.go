package psync

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"cobble/tests/differential"
	"cobble/tests/proc"
)

// work makes random commands on a few keys of every type, whose values are so large that each element has a row.
type work struct {
	rng *rand.Rand
	id  int
}

func (w *work) n(n int) int            { return w.rng.IntN(n) }
func (w *work) num(n int) string       { return strconv.Itoa(w.rng.IntN(n)) }
func (w *work) key(k string) string    { return "{" + k + "}" + w.num(3) }
func (w *work) one(s ...string) string { return s[w.rng.IntN(len(s))] }

// text is a value, some of them repeated, some of them long.
func (w *work) text() string {
	if w.n(20) == 0 {
		return strings.Repeat(w.num(10), w.n(3000))
	}
	return "v" + w.num(300)
}

func (w *work) texts(n int) (out []string) {
	for range 1 + w.n(n) {
		out = append(out, w.text())
	}
	return out
}

func (w *work) pairs(n int, first, second func() string) (out []string) {
	for range 1 + w.n(n) {
		out = append(out, first(), second())
	}
	return out
}

func (w *work) command() []string {
	switch w.n(8) {
	case 0, 1, 2:
		return w.list()
	case 3, 4:
		return w.stream()
	case 5:
		return w.named()
	case 6:
		return w.str()
	}
	return w.any()
}

func with(head []string, tail []string) []string { return append(head, tail...) }

func (w *work) list() []string {
	k, end := w.key("l"), w.one("L", "R")
	switch w.n(16) {
	case 0, 1, 2, 3:
		if w.n(10) == 0 {
			return with([]string{end + "PUSH", k}, w.texts(3000))
		}
		return with([]string{end + "PUSH", k}, w.texts(60))
	case 4:
		if w.n(4) == 0 {
			return []string{end + "POP", k, w.num(1200)}
		}
		return []string{end + "POP", k, w.num(40)}
	case 5:
		return []string{end + "POP", k}
	case 6, 7:
		return []string{"LSET", k, strconv.Itoa(w.n(600) - 300), w.text()}
	case 8, 9, 10:
		return []string{"LINSERT", k, w.one("BEFORE", "AFTER"), w.text(), w.text()}
	case 11:
		return []string{"LREM", k, strconv.Itoa(w.n(9) - 4), w.text()}
	case 12:
		if w.n(3) == 0 {
			return []string{"LTRIM", k, w.num(20), strconv.Itoa(-1 - w.n(20))}
		}
		return []string{"LTRIM", k, w.num(800), strconv.Itoa(-1 - w.n(800))}
	case 13:
		return []string{"LMOVE", k, w.key("l"), w.one("LEFT", "RIGHT"), w.one("LEFT", "RIGHT")}
	case 14:
		return []string{"BLMPOP", "0.01", "2", w.key("l"), w.key("l"), w.one("LEFT", "RIGHT"), "COUNT", "3"}
	}
	return []string{"SORT", k, "ALPHA", "STORE", w.key("l")}
}

func (w *work) stream() []string {
	k, g, c := "{x}"+w.num(2), "g"+w.num(2), "c"+w.num(3)
	id := func() string { return strconv.Itoa(max(1, w.id-w.n(150))) + "-" + w.num(2) }
	ids := func(n int) (out []string) {
		for range 1 + w.n(n) {
			out = append(out, id())
		}
		return out
	}
	switch w.n(26) {
	case 0, 1, 2, 3, 4, 5:
		w.id++
		return []string{"XADD", k, strconv.Itoa(w.id) + "-" + w.one("0", "1", "*"), "f", w.text(), "g", w.num(5)}
	case 6:
		w.id++
		return []string{"XADD", k, "MAXLEN", w.num(200), strconv.Itoa(w.id) + "-*", "f", "v"}
	case 7:
		return []string{"XADD", "{x}2", w.one("MAXLEN", "MINID"), w.num(30), "*", "f", "v"}
	case 8:
		return with([]string{"XDEL", k}, ids(5))
	case 9:
		return []string{"XTRIM", k, "MINID", id()}
	case 10:
		return []string{"XGROUP", "CREATE", k, g, w.one("0", "$"), "MKSTREAM"}
	case 11, 12, 13:
		return []string{"XREADGROUP", "GROUP", g, c, "COUNT", w.num(30), "STREAMS", k, ">"}
	case 14:
		return []string{"XREADGROUP", "GROUP", g, c, "NOACK", "STREAMS", k, ">"}
	case 15:
		return []string{"XREADGROUP", "GROUP", g, c, "COUNT", w.num(5), "STREAMS", k, w.one("0", id())}
	case 16, 17:
		return with([]string{"XACK", k, g}, ids(20))
	case 18:
		return append(with([]string{"XCLAIM", k, g, c, "0"}, ids(20)), w.one("JUSTID", "FORCE"))
	case 19:
		return []string{"XAUTOCLAIM", k, g, c, "0", "0", "COUNT", w.num(20)}
	case 20:
		return []string{"XGROUP", w.one("CREATECONSUMER", "DELCONSUMER"), k, g, c}
	case 21:
		return []string{"XGROUP", "SETID", k, g, w.one("0", "$", id()), "ENTRIESREAD", w.num(50)}
	case 22:
		if w.n(3) == 0 {
			return []string{"XGROUP", "DESTROY", k, g}
		}
		return []string{"XTRIM", k, "MAXLEN", w.num(100)}
	case 23:
		w.id++
		return []string{"XSETID", k, strconv.Itoa(w.id) + "-" + w.num(5), "ENTRIESADDED", "100000", "MAXDELETEDID", id()}
	}
	return []string{"XREADGROUP", "GROUP", g, c, "COUNT", "1", "STREAMS", k, ">"}
}

func (w *work) named() []string {
	field := func() string { return "f" + w.num(400) }
	score := func() string { return w.one("inf", "-inf", "0", "0.1", "1e300", w.num(100), "3.0000000000000004") }
	h, s, z := w.key("h"), w.key("s"), w.key("z")
	switch w.n(20) {
	case 17:
		return []string{"HPEXPIRE", h, w.one("1", "20", "100000"), "FIELDS", "2", field(), field()}
	case 18:
		return []string{"HPERSIST", h, "FIELDS", "1", field()}
	case 0, 1:
		return with([]string{"HSET", h}, w.pairs(80, field, w.text))
	case 2:
		return []string{"HDEL", h, field(), field(), field()}
	case 3:
		return []string{"HINCRBYFLOAT", h, "n", "0.1"}
	case 4, 5:
		return with([]string{"SADD", s}, w.texts(80))
	case 6:
		return []string{"SPOP", s, w.num(10)}
	case 7:
		return with([]string{"SREM", s}, w.texts(20))
	case 8:
		return []string{"SMOVE", s, w.key("s"), w.text()}
	case 9:
		return []string{w.one("SUNIONSTORE", "SDIFFSTORE", "SINTERSTORE"), w.key("s"), s, w.key("s")}
	case 10, 11:
		return with([]string{"ZADD", z}, w.pairs(80, score, field))
	case 12:
		return []string{"ZINCRBY", z, "0.1", field()}
	case 13:
		return []string{w.one("ZPOPMIN", "ZPOPMAX"), z, w.num(10)}
	case 14:
		return []string{"ZREMRANGEBYRANK", z, w.num(10), w.num(30)}
	case 15:
		return []string{"ZUNIONSTORE", w.key("z"), "2", z, w.key("z")}
	case 16:
		return []string{"ZRANGESTORE", w.key("z"), z, "0", w.num(200)}
	}
	return []string{"GEOADD", z, "13.3" + w.num(100), "38.1", field()}
}

func (w *work) str() []string {
	k := w.key("t")
	switch w.n(10) {
	case 0:
		return []string{"SET", k, strings.Repeat(w.num(10), w.n(30_000)), w.one("EX", "PX"), "100000"}
	case 1:
		return []string{"SET", k, strings.Repeat("x", w.n(20_000)), w.one("KEEPTTL", "GET")}
	case 2, 3:
		return []string{"APPEND", k, strings.Repeat(w.num(10), w.n(9_000))}
	case 4:
		return []string{"SETRANGE", k, w.num(100_000), w.text()}
	case 5:
		return []string{"SETBIT", k, w.num(800_000), w.one("0", "1")}
	case 6:
		return []string{"BITOP", w.one("AND", "OR", "XOR"), w.key("t"), k, w.key("t")}
	case 7:
		return []string{"INCRBYFLOAT", "{t}n", "0.1"}
	case 8:
		return with([]string{"PFADD", "{t}p"}, w.texts(50))
	}
	return []string{"BITFIELD", k, "SET", "u8", w.num(500_000), w.num(255)}
}

// any changes keys of any type.
func (w *work) any() []string {
	kind := w.one("l", "x", "h", "s", "z", "t")
	k := w.key(kind)
	switch w.n(18) {
	case 0, 1:
		return []string{"RENAME", k, w.key(kind)}
	case 2:
		return []string{"RENAMENX", k, w.key(kind)}
	case 3:
		return []string{"COPY", k, w.key(kind), "REPLACE"}
	case 4:
		return []string{"RENAME", k, "other" + w.num(2)} // of another slot
	case 5, 6, 7:
		return []string{"PEXPIRE", k, w.one("1", "5", "1000000", "2000000")}
	case 8, 9:
		return []string{"PERSIST", k}
	case 10:
		if w.n(3) == 0 {
			return []string{"SET", k, "now a string"}
		}
		return []string{"DEL", k}
	case 12:
		if w.n(20) == 0 {
			return []string{w.one("FLUSHALL", "FLUSHDB")}
		}
		return []string{"UNLINK", k, w.key(kind)}
	case 11:
		return []string{"GETDEL", "{t}0"}
	}
	return []string{"EVAL", `for i = 1, tonumber(ARGV[1]) do redis.call('RPUSH', KEYS[1], 'v' .. i); redis.call('LPOP', KEYS[1]) end
		redis.pcall('LSET', KEYS[1], 0, 'set by the script'); redis.pcall('LREM', KEYS[1], 1, 'v3')
		redis.call('LPUSH', KEYS[1], 'a', 'b'); redis.pcall('HSET', KEYS[2], 'f' .. ARGV[1], redis.call('TIME')[2])
		return redis.pcall('RENAME', KEYS[1], KEYS[3])`, "3", w.key("l"), w.key("h"), w.key("l"), w.num(30)}
}

// next is a command, or a transaction of some.
func (w *work) next() [][]string {
	if w.n(6) != 0 {
		return [][]string{w.command()}
	}
	out := [][]string{{"MULTI"}}
	for range 1 + w.n(6) {
		out = append(out, w.command())
	}
	return append(out, []string{"EXEC"})
}

// sane fails if a follower has answered its primary with an error, which Redis logs as critical.
func sane(t *testing.T, r *proc.Server) {
	t.Helper()
	for _, line := range strings.Split(r.Log(), "\n") {
		if strings.Contains(line, "CRITICAL") || strings.Contains(line, "Connection with master lost") {
			t.Errorf("the follower: %.600s", line)
		}
	}
}

func seeds() uint64 {
	if n, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil {
		return uint64(n)
	}
	return 3
}

// A follower ends with what its primary has, after commands of all kinds, those that Redis has to carry out by chance or
// by the clock among them; and it never hears of one that it cannot carry out.
func TestGeneratedWork(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true})
	r := followed(t, s)
	c := s.Conn()
	defer c.Close()
	for seed := uint64(1); seed <= seeds(); seed++ {
		w := &work{rng: rand.New(rand.NewPCG(seed, 2))}
		commands := differential.Workload(seed, 1500)
		for range 2000 {
			commands = append(commands, w.next()...)
		}
		for len(commands) > 0 {
			n := min(100, len(commands))
			if _, err := c.Pipeline(commands[:n]); err != nil {
				t.Fatal(err)
			}
			commands = commands[n:]
		}
		do(t, c, "DISCARD")
		settled(t, s, r)
		sane(t, r)
		if t.Failed() {
			t.Fatal(fmt.Sprint("seed ", seed))
		}
	}
}
