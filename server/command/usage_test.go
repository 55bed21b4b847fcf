package command

import (
	"strings"
	"testing"
)

// What counts as a use, and how often, under an LFU policy: with lfu-log-factor 0 each use counts.
func TestUsesCountAsTheOracleCounts(t *testing.T) {
	p := newPair(t, 2)
	// Without a limit redis-server shares small integers, and their counters, among keys.
	p.theirs.do("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", "0", "lfu-decay-time", "0")
	p.ours("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", "0", "lfu-decay-time", "0")
	p.call.Env.Engine.CountUses(true, 0, 0) // as the server does
	for key, commands := range map[string]string{
		"s": `SET s 10|GET s|SET s 11|SET s longer-than-before|INCR s|INCRBY s 5|DECR s|APPEND s 1|STRLEN s|SETRANGE s 0 9|GETEX s|GETEX s EX 100
			SETNX s 1|SETEX s 100 1|SET s 1 XX KEEPTTL|SET s 1 NX|MSET s 1|MGET s s|EXISTS s s|TYPE s|TTL s|EXPIRE s 100|PERSIST s|TOUCH s
			OBJECT FREQ s|OBJECT ENCODING s|OBJECT REFCOUNT s|MEMORY USAGE s|WATCH s|UNWATCH|DUMP s|SETBIT s 1 1|GETBIT s 1|BITFIELD s SET u8 0 1|SET s 1
			INCRBYFLOAT s 1.5|INCRBYFLOAT s x|RENAME s q{s}|RENAME q{s} s|COPY s t{s}|COPY t{s} s REPLACE|LPUSH s 1
			EVAL return(redis.call("INCR",KEYS[1])) 1 s|EVAL return(redis.call("EXISTS",KEYS[1])) 1 s|DEL s|SET s 1`,
		"h": `HSET h a 1|HSET h a 2|HSET h b 3|HGET h a|HGETALL h|HLEN h|HINCRBY h a 1|HINCRBYFLOAT h a 1|HDEL h a|HDEL h none|HEXISTS h b|HSETNX h z 1`,
		"l": `RPUSH l a b c|LPUSH l x|LPOP l|LRANGE l 0 -1|LSET l 0 x|LREM l 0 a|LTRIM l 0 5|LINSERT l BEFORE b x|LMOVE l l LEFT RIGHT|SORT l ALPHA|SORT l ALPHA STORE l`,
		"S": `SADD S a b c|SADD S a|SADD S d|SREM S a|SISMEMBER S b|SMEMBERS S|SCARD S|SINTERSTORE S S|SORT S ALPHA|SMOVE S t{S} b`,
		"z": `ZADD z 1 a 2 b 3 c|ZADD z 4 d|ZINCRBY z 1 a|ZREM z a|ZSCORE z b|ZRANGE z 0 -1|ZPOPMIN z|ZUNIONSTORE z 1 z|ZCARD z`,
		"x": `XADD x 1-1 a b|XADD x 2-1 a b|XLEN x|XRANGE x - +|XDEL x 1-1|XTRIM x MAXLEN 0|XGROUP CREATE x g 0|XINFO STREAM x`,
	} {
		for command := range strings.SplitSeq(strings.ReplaceAll(commands, "\n", "|"), "|") {
			ours, theirs := p.ask(wordsOf(t, strings.TrimSpace(command))...)
			if ours.Kind != theirs.Kind {
				t.Fatalf("%s: ours %v, theirs %v", command, ours, theirs)
			}
			if p.same("OBJECT FREQ " + key); t.Failed() {
				t.Fatalf("after %s", command)
			}
		}
	}
}

// RESTORE's IDLETIME and FREQ are what OBJECT tells, each under its policy.
func TestRestoreTakesUsage(t *testing.T) {
	p := newPair(t, 2)
	p.same("SET k v")
	payload := p.theirs.do("DUMP", "k")
	payload = payload[strings.Index(payload, "\n")+1 : len(payload)-2]
	p.same("CONFIG SET maxmemory-policy allkeys-lfu")
	p.call.Env.Engine.CountUses(true, 0, 0)
	for _, option := range []string{"FREQ 200", "FREQ 0", "FREQ 255", "IDLETIME 1000", ""} {
		p.sameArgs(append([]string{"RESTORE", "k", "0", payload, "REPLACE"}, strings.Fields(option)...)...)
		p.same("OBJECT FREQ k")
	}
	p.same("CONFIG SET maxmemory-policy noeviction")
	for option, want := range map[string]string{"IDLETIME 1000": ":1000\r\n", "IDLETIME 0": ":0\r\n", "FREQ 7": ":0\r\n", "IDLETIME 9223372036854775807": ":8388607\r\n"} {
		p.ours(append([]string{"RESTORE", "k", "0", payload, "REPLACE"}, strings.Fields(option)...)...)
		if got := p.ours("OBJECT", "IDLETIME", "k"); got != want {
			t.Errorf("RESTORE %s: %q, want %q", option, got, want)
		}
	}
}
