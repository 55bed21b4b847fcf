package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// scattered is a permutation of 0 ≤ i < n, so that elements come in no order.
func scattered(i, n int) int {
	step := 7_368_787 // a prime
	if n%step == 0 {
		step = 1
	}
	return int(int64(i) * int64(step) % int64(n))
}

func memberName(i int) string { return fmt.Sprintf("member:%010d", i) }

// filling returns a fill of commands NAME key element …; each element is given by
// words of its number.
func filling(name string, words func(i, n int) []string) func(dst []byte, from, to, n int) []byte {
	return func(dst []byte, from, to, n int) []byte {
		args := []string{name, bigKey}
		for i := from; i < to; i++ {
			args = append(args, words(i, n)...)
		}
		return encode(dst, args...)
	}
}

func command(name string, times int, words ...string) bigCommand {
	return bigCommand{name, times, func(int, *rand.Rand) []string { return words }}
}

func bigTypes() []bigType {
	return []bigType{
		{"list", filling("RPUSH", func(i, n int) []string { return []string{memberName(i)} }), 100, listBig},
		{"hash", filling("HSET", func(i, n int) []string { return []string{memberName(scattered(i, n)), "value:" + strconv.Itoa(i)} }), 100, hashBig},
		{"set", filling("SADD", func(i, n int) []string { return []string{memberName(scattered(i, n))} }), 100, setBig},
		{"zset", filling("ZADD", func(i, n int) []string { x := scattered(i, n); return []string{strconv.Itoa(x), memberName(x)} }), 100, zsetBig},
		{"stream", func(dst []byte, from, to, n int) []byte {
			return encode(dst, "XADD", bigKey, strconv.Itoa(from+1)+"-0", "field", "value:"+strconv.Itoa(from))
		}, 1, streamBig},
	}
}

// wholeBig are commands that concern all of a key, of which the last deletes it.
func wholeBig() []bigCommand {
	return []bigCommand{
		command("RENAME there and back", 1, "RENAME", bigKey, "{c}other"),
		command("RENAME back", 1, "RENAME", "{c}other", bigKey),
		command("DUMP", 1, "DUMP", bigKey),
		command("COPY", 1, "COPY", bigKey, "{c}copy"),
		command("UNLINK", 1, "UNLINK", "{c}copy"),
		command("DEL", 1, "DEL", bigKey),
	}
}

func listBig(n int) []bigCommand {
	middle := func(rng *rand.Rand) string { return strconv.Itoa(n/4 + rng.IntN(n/2)) }
	lindex := func(name string) bigCommand {
		return bigCommand{name, 1000, func(_ int, rng *rand.Rand) []string { return []string{"LINDEX", bigKey, middle(rng)} }}
	}
	lrange := func(name string) bigCommand {
		return bigCommand{name, 500, func(_ int, rng *rand.Rand) []string {
			at := n/4 + rng.IntN(n/2)
			return []string{"LRANGE", bigKey, strconv.Itoa(at), strconv.Itoa(at + 99)}
		}}
	}
	return append([]bigCommand{
		command("LLEN", 1000, "LLEN", bigKey),
		command("LPUSH", 1000, "LPUSH", bigKey, "new"),
		command("RPOP", 1000, "RPOP", bigKey),
		lindex("LINDEX middle"),
		lrange("LRANGE 100 middle"),
		{"LSET middle", 1000, func(_ int, rng *rand.Rand) []string { return []string{"LSET", bigKey, middle(rng), "set"} }},
		{"LINSERT near the head", 500, func(i int, _ *rand.Rand) []string {
			return []string{"LINSERT", bigKey, "BEFORE", memberName(1000 + i%100), "inserted"}
		}},
		{"LINSERT in the middle", 3, func(i int, _ *rand.Rand) []string {
			return []string{"LINSERT", bigKey, "AFTER", memberName(n/2 + i), "inserted"}
		}},
		lindex("LINDEX middle, after LINSERT"),
		lrange("LRANGE 100 middle, after LINSERT"),
		{"LSET middle, after LINSERT", 1000, func(_ int, rng *rand.Rand) []string { return []string{"LSET", bigKey, middle(rng), "set"} }},
		command("LPOS of the last", 3, "LPOS", bigKey, "absent"),
		command("LREM of one in the middle", 3, "LREM", bigKey, "1", "set"),
		command("LREM of all that were set", 1, "LREM", bigKey, "0", "set"),
		{"LTRIM of 10 at each end", 100, func(i int, _ *rand.Rand) []string { return []string{"LTRIM", bigKey, "10", "-11"} }},
		command("LTRIM to the half", 1, "LTRIM", bigKey, strconv.Itoa(n/4), strconv.Itoa(n/4*3)),
		command("LRANGE of 100,000", 3, "LRANGE", bigKey, "1000", "100999"),
	}, wholeBig()...)
}

func hashBig(n int) []bigCommand {
	one := func(name string, words ...string) bigCommand {
		return bigCommand{name, 1000, func(_ int, rng *rand.Rand) []string {
			return append([]string{name, bigKey, memberName(rng.IntN(n))}, words...)
		}}
	}
	return append([]bigCommand{
		command("HLEN", 1000, "HLEN", bigKey),
		one("HGET"), one("HSET", "changed"),
		{"HSET of new fields", 1000, func(i int, _ *rand.Rand) []string { return []string{"HSET", bigKey, "new:" + strconv.Itoa(i), "v"} }},
		one("HDEL"), one("HINCRBY", "1"),
		command("HSCAN", 1, "HSCAN", bigKey, "0"),
		{"HSCAN COUNT 100", 200, func(_ int, rng *rand.Rand) []string {
			return []string{"HSCAN", bigKey, strconv.FormatUint(rng.Uint64N(uint64(n)), 10), "COUNT", "100"}
		}},
		command("HRANDFIELD", 1000, "HRANDFIELD", bigKey),
		command("HRANDFIELD 10", 500, "HRANDFIELD", bigKey, "10"),
		command("HGETALL", 1, "HGETALL", bigKey),
	}, wholeBig()...)
}

func setBig(n int) []bigCommand {
	one := func(name string) bigCommand {
		return bigCommand{name, 1000, func(_ int, rng *rand.Rand) []string { return []string{name, bigKey, memberName(rng.IntN(n))} }}
	}
	return append([]bigCommand{
		command("SCARD", 1000, "SCARD", bigKey),
		one("SISMEMBER"), one("SADD"),
		{"SADD of new members", 1000, func(i int, _ *rand.Rand) []string { return []string{"SADD", bigKey, "new:" + strconv.Itoa(i)} }},
		one("SREM"),
		command("SRANDMEMBER", 1000, "SRANDMEMBER", bigKey),
		command("SRANDMEMBER 10", 500, "SRANDMEMBER", bigKey, "10"),
		command("SPOP", 1000, "SPOP", bigKey),
		command("SSCAN COUNT 100", 200, "SSCAN", bigKey, "0", "COUNT", "100"),
		{"SADD of a small set", 100, func(i int, _ *rand.Rand) []string { return []string{"SADD", "{c}small", memberName(i * 7)} }},
		command("SINTER small with big", 200, "SINTER", "{c}small", bigKey),
		command("SINTERSTORE small with big", 200, "SINTERSTORE", "{c}out", "{c}small", bigKey),
		command("SDIFF small without big", 200, "SDIFF", "{c}small", bigKey),
		command("SUNIONSTORE small and big", 1, "SUNIONSTORE", "{c}out", "{c}small", bigKey),
		command("UNLINK of that", 1, "UNLINK", "{c}out"),
	}, wholeBig()...)
}

func zsetBig(n int) []bigCommand {
	one := func(name string, words ...string) bigCommand {
		return bigCommand{name, 1000, func(_ int, rng *rand.Rand) []string {
			return append(append([]string{name, bigKey}, words...), memberName(rng.IntN(n)))
		}}
	}
	number := func(rng *rand.Rand) string { return strconv.Itoa(rng.IntN(n)) }
	return append([]bigCommand{
		one("ZRANK"), one("ZSCORE"), one("ZINCRBY", "0.5"),
		{"ZADD of new members", 1000, func(i int, rng *rand.Rand) []string {
			return []string{"ZADD", bigKey, number(rng), "new:" + strconv.Itoa(i)}
		}},
		one("ZREM"),
		{"ZRANGE 10 by rank", 1000, func(_ int, rng *rand.Rand) []string {
			at := rng.IntN(n - 10)
			return []string{"ZRANGE", bigKey, strconv.Itoa(at), strconv.Itoa(at + 9)}
		}},
		{"ZRANGE 10 by score", 1000, func(_ int, rng *rand.Rand) []string {
			return []string{"ZRANGE", bigKey, number(rng), "+inf", "BYSCORE", "LIMIT", "0", "10"}
		}},
		{"ZRANGEBYLEX LIMIT 10", 1000, func(_ int, rng *rand.Rand) []string {
			return []string{"ZRANGEBYLEX", bigKey, "[" + memberName(rng.IntN(n)), "+", "LIMIT", "0", "10"}
		}},
		{"ZCOUNT", 1000, func(_ int, rng *rand.Rand) []string { return []string{"ZCOUNT", bigKey, number(rng), "+inf"} }},
		command("ZPOPMIN", 1000, "ZPOPMIN", bigKey),
		command("ZREMRANGEBYRANK of 100", 100, "ZREMRANGEBYRANK", bigKey, strconv.Itoa(n/2), strconv.Itoa(n/2+99)),
		command("ZREMRANGEBYRANK of a tenth", 1, "ZREMRANGEBYRANK", bigKey, strconv.Itoa(n/2), strconv.Itoa(n/2+n/10)),
		{"ZADD of a small set", 100, func(i int, _ *rand.Rand) []string {
			return []string{"ZADD", "{c}small", strconv.Itoa(i), memberName(i * 7)}
		}},
		command("ZINTERSTORE small with big", 200, "ZINTERSTORE", "{c}out", "2", "{c}small", bigKey),
		command("ZUNIONSTORE small and big", 1, "ZUNIONSTORE", "{c}out", "2", "{c}small", bigKey),
		command("UNLINK of that", 1, "UNLINK", "{c}out"),
	}, wholeBig()...)
}

func streamBig(n int) []bigCommand {
	id := func(rng *rand.Rand) string { return strconv.Itoa(1+rng.IntN(n)) + "-0" }
	return append([]bigCommand{
		command("XLEN", 1000, "XLEN", bigKey),
		command("XADD", 1000, "XADD", bigKey, "*", "field", "value"),
		{"XRANGE COUNT 10", 1000, func(_ int, rng *rand.Rand) []string { return []string{"XRANGE", bigKey, id(rng), "+", "COUNT", "10"} }},
		{"XREVRANGE COUNT 10", 1000, func(_ int, rng *rand.Rand) []string {
			return []string{"XREVRANGE", bigKey, id(rng), "-", "COUNT", "10"}
		}},
		{"XREAD COUNT 10", 1000, func(_ int, rng *rand.Rand) []string {
			return []string{"XREAD", "COUNT", "10", "STREAMS", bigKey, id(rng)}
		}},
		{"XDEL", 1000, func(_ int, rng *rand.Rand) []string { return []string{"XDEL", bigKey, id(rng)} }},
		{"XTRIM MINID of 100", 100, func(i int, _ *rand.Rand) []string {
			return []string{"XTRIM", bigKey, "MINID", strconv.Itoa((i + 1) * 100)}
		}},
		command("XTRIM MAXLEN to the half", 1, "XTRIM", bigKey, "MAXLEN", strconv.Itoa(n/2)),
		command("XRANGE of 100,000", 3, "XRANGE", bigKey, strconv.Itoa(n*3/4), "+", "COUNT", "100000"),
	}, wholeBig()...)
}
