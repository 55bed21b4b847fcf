package migrate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// sample is a kind of value: how one is made, and how it is written to once it has been moved. No command's effect depends on the
// time or on chance, so that every server ends with the same value.
type sample struct {
	name    string
	make    func(rng *rand.Rand, key string) [][]string
	further func(key string) [][]string
}

// samples are all types, each in its small and in its large encodings.
var samples = []sample{
	{"integer", func(rng *rand.Rand, key string) [][]string {
		return [][]string{{"SET", key, strconv.Itoa(rng.IntN(1e6))}}
	}, lines("INCRBY $ 7")},
	{"text", func(rng *rand.Rand, key string) [][]string {
		return [][]string{{"SET", key, strings.Repeat("string", rng.IntN(10000))}}
	}, lines("APPEND $ end", "SETBIT $ 70001 1")},
	{"small hash", pairs("HSET", 5, nil), lines("HSET $ field0 new other x", "HDEL $ field1")},
	{"large hash", pairs("HSET", 600, nil), lines("HSET $ field0 new other x", "HDEL $ field1")},
	{"small list", elements("RPUSH", 5), lines("LPUSH $ first", "RPOP $")},
	{"large list", elements("RPUSH", 3000), lines("LPUSH $ first", "RPOP $", "LINSERT $ BEFORE e500 new", "LTRIM $ 3 -4")},
	{"integer set", numbers("SADD", 40), lines("SADD $ 70000 9000000000", "SREM $ 3")},
	{"small set", elements("SADD", 20), lines("SADD $ new", "SREM $ e3")},
	{"large set", elements("SADD", 2000), lines("SADD $ new", "SREM $ e3")},
	{"small sorted set", pairs("ZADD", 20, score), lines("ZADD $ 5 new", "ZPOPMIN $")},
	{"large sorted set", pairs("ZADD", 1500, score), lines("ZADD $ 5 new", "ZINCRBY $ 1.5 field7", "ZREMRANGEBYRANK $ 10 20")},
	{"places", func(_ *rand.Rand, key string) [][]string {
		return [][]string{{"GEOADD", key, "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"}}
	}, lines("GEOADD $ 2.35 48.86 Paris")},
	{"sparse HyperLogLog", elements("PFADD", 50), lines("PFADD $ new newer", "PFCOUNT $")},
	{"dense HyperLogLog", elements("PFADD", 6000), lines("PFADD $ new newer", "PFCOUNT $")},
	{"stream", stream(20), furtherStream},
	{"long stream", stream(900), furtherStream},
	{"empty stream", func(_ *rand.Rand, key string) [][]string {
		return [][]string{{"XGROUP", "CREATE", key, "g", "$", "MKSTREAM"}, {"XGROUP", "CREATECONSUMER", key, "g", "idle"}, {"XSETID", key, "7-7", "ENTRIESADDED", "12", "MAXDELETEDID", "6-1"}}
	}, lines("XADD $ 5000-* f v", "XREADGROUP GROUP g new COUNT 10 STREAMS $ >",
		"XCLAIM $ g other 0 5000-0 5000-1 5000-2 5000-3 TIME 1700000000000 RETRYCOUNT 4")},
}

// lines gives commands of words in which $ is the key.
func lines(list ...string) func(string) [][]string {
	return func(key string) (commands [][]string) {
		for _, line := range list {
			words := strings.Fields(line)
			for i, w := range words {
				if w == "$" {
					words[i] = key
				}
			}
			commands = append(commands, words)
		}
		return commands
	}
}

// score needs at most 17 digits: of others redis-server 7.0 shows more than are needed.
func score(rng *rand.Rand, i int) string {
	return []string{"-inf", "0", "1099511627776.5", "0.125", strconv.Itoa(rng.IntN(1000) - 500), fmt.Sprint(float64(rng.IntN(1000)) / 16)}[min(i, 4+rng.IntN(2))]
}

// pairs makes n fields with values, or with scores in front of them.
func pairs(command string, n int, score func(*rand.Rand, int) string) func(*rand.Rand, string) [][]string {
	return func(rng *rand.Rand, key string) [][]string {
		args := []string{command, key}
		for i := range n {
			if field := fmt.Sprint("field", i); score == nil {
				args = append(args, field, strings.Repeat("v", rng.IntN(80)))
			} else {
				args = append(args, score(rng, i), field)
			}
		}
		return [][]string{args}
	}
}

// elements adds n texts, one of them so long that nothing is stored beside it.
func elements(command string, n int) func(*rand.Rand, string) [][]string {
	return func(rng *rand.Rand, key string) [][]string {
		args := []string{command, key}
		for i := range n {
			args = append(args, fmt.Sprint("e", i))
		}
		if n > 1000 {
			args = append(args, strings.Repeat("long", 5000+rng.IntN(5000)))
		}
		return [][]string{args}
	}
}

func numbers(command string, n int) func(*rand.Rand, string) [][]string {
	return func(_ *rand.Rand, key string) [][]string {
		args := []string{command, key}
		for i := range n {
			args = append(args, strconv.Itoa(i))
		}
		return [][]string{args}
	}
}

// stream makes n entries, some deleted, and two groups: what is pending has its time from XCLAIM.
func stream(n int) func(*rand.Rand, string) [][]string {
	return func(rng *rand.Rand, key string) (commands [][]string) {
		for i := range n {
			commands = append(commands, []string{"XADD", key, fmt.Sprintf("%d-%d", 1+i/3, i), "field", strings.Repeat("v", rng.IntN(50)), "n", strconv.Itoa(i)})
		}
		more := lines("XGROUP CREATE $ g 0 ENTRIESREAD 0", "XGROUP CREATE $ late 2-5", "XDEL $ 1-2 3-6", "XTRIM $ MINID = 1-1",
			"XREADGROUP GROUP g alice COUNT 7 STREAMS $ >", "XREADGROUP GROUP g bob COUNT 3 STREAMS $ >", "XACK $ g 1-1 2-4",
			"XCLAIM $ g alice 0 2-3 2-5 3-7 3-8 4-9 TIME 1700000000000 RETRYCOUNT 3", "XCLAIM $ g bob 0 4-10 4-11 5-12 TIME 1700000001234 RETRYCOUNT 1",
			"XDEL $ 4-9", "XGROUP CREATECONSUMER $ late waiting", "XREADGROUP GROUP late quick NOACK COUNT 2 STREAMS $ >")
		return append(commands, more(key)...)
	}
}

// furtherStream goes on where the groups were: what was read is not read again.
var furtherStream = lines("XADD $ 5000-* f v", "XREADGROUP GROUP g carol COUNT 2 STREAMS $ >",
	"XCLAIM $ g carol 0 5-13 5-14 6-15 6-16 6-17 7-18 7-19 7-20 8-21 5000-0 5000-1 5000-2 TIME 1700000009999 RETRYCOUNT 2", "XACK $ g 3-7", "XAUTOCLAIM $ late waiting 0 0", "XLEN $")

// asker sends one command.
type asker func(args ...string) respconn.Reply

// readings are the commands that show all of a value of a type.
var readings = map[string][]string{
	"string": {"GET $"},
	"hash":   {"HGETALL $"},
	"list":   {"LRANGE $ 0 -1"},
	"set":    {"SMEMBERS $"},
	"zset":   {"ZRANGE $ 0 -1 WITHSCORES", "ZRANK $ field5"},
	"stream": {"XRANGE $ - +", "XINFO STREAM $ FULL COUNT 0", "XPENDING $ g", "XINFO GROUPS $"},
}

// value is what a server says of a key, in an order that does not depend on the server.
func value(do asker, key string) string {
	kind := do("TYPE", key).Text
	out := kind
	for _, command := range lines(readings[kind]...)(key) {
		r := do(command...)
		switch command[0] {
		case "HGETALL":
			out += unordered(r, 2)
		case "SMEMBERS":
			out += unordered(r, 1)
		case "XINFO":
			out += " " + withoutVolatile(r)
		default:
			out += " " + r.String()
		}
	}
	return out + " digest " + do("DEBUG", "DIGEST-VALUE", key).String() + " expires " + do("PEXPIRETIME", key).Text
}

func unordered(r respconn.Reply, group int) string {
	var parts []string
	for i := 0; i+group <= len(r.Elems); i += group {
		parts = append(parts, fmt.Sprintf("%q", fmt.Sprint(r.Elems[i:i+group])))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// withoutVolatile shows a reply of XINFO without what is not part of the value: when a consumer was last seen, and
// how the tree is laid out.
func withoutVolatile(r respconn.Reply) string {
	if !r.IsAggregate() {
		return r.String()
	}
	var parts []string
	for i := 0; i < len(r.Elems); i++ {
		switch r.Elems[i].Text {
		case "seen-time", "active-time", "radix-tree-keys", "radix-tree-nodes":
			i++
			continue
		}
		parts = append(parts, withoutVolatile(r.Elems[i]))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// send sends commands of one key to one server, which must take all of them.
func send(t testing.TB, s *proc.Server, commands [][]string) {
	t.Helper()
	conn, err := respconn.Dial(s.Addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replies, err := conn.Pipeline(commands)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range replies {
		if r.Err() != nil {
			t.Fatalf("port %d, %.200q: %v", s.Port, commands[i], r.Err())
		}
	}
}

// name is the i-th key.
func name(i int) string { return fmt.Sprint("key:", i) }

// fill makes n keys and returns their names and values. Their kinds go round, half of them expire.
func fill(t testing.TB, to func(key string) *proc.Server, n int) map[string]string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for i := range n {
		key := name(i)
		commands := samples[i%len(samples)].make(rng, key)
		if rng.IntN(2) == 0 {
			commands = append(commands, []string{"PEXPIREAT", key, strconv.Itoa(4_000_000_000_000 + i)})
		}
		send(t, to(key), commands)
		want[key] = value(to(key).Do, key)
	}
	return want
}

// fillOne is fill with all keys on one server.
func fillOne(t testing.TB, s *proc.Server, n int) map[string]string {
	t.Helper()
	return fill(t, func(string) *proc.Server { return s }, n)
}
