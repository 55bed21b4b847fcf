package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cobble/storage/dump"
)

// TestLongRestores: values of more elements than one hold of a slot takes are restored in pieces, from the payloads of
// both servers, and nothing tells them from others.
func TestLongRestores(t *testing.T) {
	p := newPair(t, 2)
	long := strings.Repeat("v", 70)
	fill := func(words []string, n int, element func(i int) []string) {
		for from := 0; from < n; from += 2000 {
			args := slices.Clone(words)
			for i := from; i < min(n, from+2000); i++ {
				args = append(args, element(i)...)
			}
			p.sameArgs(args...)
		}
	}
	fill([]string{"SADD", "{k}set"}, many, func(i int) []string { return []string{fmt.Sprint("m", i)} })
	fill([]string{"SADD", "{k}ints"}, many, func(i int) []string { return []string{fmt.Sprint(i * 3)} })
	fill([]string{"ZADD", "{k}zset"}, many, func(i int) []string { return []string{fmt.Sprint(float64(i%100) / 8), fmt.Sprint("m", i)} })
	fill([]string{"HSET", "{k}hash"}, many, func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint(i)} })
	fill([]string{"RPUSH", "{k}list"}, many, func(i int) []string { return []string{fmt.Sprint("e", i), fmt.Sprint(i), long}[i%3 : i%3+1] })
	for i := range many {
		p.sameArgs("XADD", "{k}stream", fmt.Sprintf("%d-1", i+1), "f", fmt.Sprint(i))
	}
	p.same("XGROUP CREATE {k}stream g 0")
	p.same("XREADGROUP GROUP g c COUNT 10 STREAMS {k}stream >")
	p.same("SETRANGE {k}string 5000000 end")

	restore := func(want string, args ...string) {
		t.Helper()
		before := p.call.Env.Engine.Stats().Drafts
		if reply := p.sameArgs(args...); reply != want {
			t.Errorf("RESTORE %s: %q, want %q", args[1], reply, want)
		}
		if drafts := p.call.Env.Engine.Stats().Drafts; want == "+OK\r\n" && drafts == before {
			t.Errorf("RESTORE %s was one record", args[1])
		}
		p.same("DEBUG DIGEST-VALUE " + args[1])
		p.same("OBJECT ENCODING " + args[1])
	}
	last := ""
	for _, key := range []string{"set", "ints", "zset", "hash", "list", "stream", "string"} {
		for _, payload := range []string{bulk(t, p.ours("DUMP", "{k}"+key)), bulk(t, p.theirs.do("DUMP", "{k}"+key))} {
			p.same("DEL {k}new")
			restore("+OK\r\n", "RESTORE", "{k}new", "0", payload)
			restore("-BUSYKEY Target key name already exists.\r\n", "RESTORE", "{k}new", "0", payload)
			restore("+OK\r\n", "RESTORE", "{k}into", "33177117420000", payload, "REPLACE", "ABSTTL", "IDLETIME", "7")
			p.same("PEXPIRETIME {k}into")
			restore("-ERR DUMP payload version or checksum are wrong\r\n", "RESTORE", "{k}into", "0", payload[:len(payload)-1]+string([]byte{payload[len(payload)-1] ^ 1}), "REPLACE")
			last = payload
		}
		p.same("TYPE {k}into")
	}
	p.same("XINFO STREAM {k}new")
	p.same("RESTORE {k}x 0 bad")
	p.same("WATCH {k}into")
	restore("+OK\r\n", "RESTORE", "{k}into", "0", last, "REPLACE")
	p.same("MULTI")
	p.same("PING")
	p.same("EXEC")
	p.sameArgs("RESTORE", "{k}into", "1", last, "REPLACE", "ABSTTL")
	p.same("EXISTS {k}into")
	p.same("MULTI")
	p.sameArgs("RESTORE", "{k}into", "0", last, "REPLACE")
	p.same("EXEC")
	p.same("DEBUG DIGEST-VALUE {k}into")
}

// TestLongPayloads: sorted sets may come in any order, and no name twice.
func TestLongPayloads(t *testing.T) {
	p := newPair(t, 2)
	order := make([]int, many)
	for i := range order {
		order[i] = i
	}
	add := func(b []byte, kind byte, i int) []byte {
		b = dump.AppendString(b, fmt.Appendf(nil, "m%04d", i))
		if kind == dump.TypeZSet {
			return dump.AppendScore(b, float64(i/7))
		} else if kind == dump.TypeHash {
			return dump.AppendString(b, []byte("v"))
		}
		return b
	}
	for _, kind := range []byte{dump.TypeZSet, dump.TypeSet, dump.TypeHash} {
		for name, change := range map[string]func(){
			"rises":    func() {},
			"falls":    func() { slices.Reverse(order) },
			"any":      func() { rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] }) },
			"the same": func() { order[17] = order[4000] },
		} {
			slices.Sort(order)
			for i := range order {
				order[i] = i
			}
			change()
			b := dump.AppendLength([]byte{kind}, many)
			for _, i := range order {
				b = add(b, kind, i)
			}
			if got := p.ours("RESTORE", "k", "0", string(dump.Seal(slices.Clone(b[:len(b)-3]), 0)), "REPLACE"); got != "-ERR Bad data format\r\n" {
				t.Errorf("type %d, %s, not whole: %q", kind, name, got)
			}
			reply := p.sameArgs("RESTORE", "k", "0", string(dump.Seal(b, 0)), "REPLACE")
			if bad := reply == "-ERR Bad data format\r\n"; bad != (name == "the same") {
				t.Errorf("type %d, %s: %q", kind, name, reply)
			}
			p.same("DEBUG DIGEST-VALUE k")
			if kind == dump.TypeZSet {
				p.same("ZRANGE k 2000 2010 WITHSCORES")
				p.same("ZRANK k m4000")
				p.same("ZREMRANGEBYRANK k 100 3000")
				p.same("ZRANGE k 0 -1")
			}
		}
	}
}
