package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSetRowsAreRedis(t *testing.T) { sameRows(t, setCommands()) }

func TestSetRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		SADD s
		SMEMBERS s
		SCARD s
		SISMEMBER s a
		SMISMEMBER s a b
		SMISMEMBER s
		SREM s a
		SPOP s
		SPOP s 3
		SPOP s 0
		SRANDMEMBER s
		SRANDMEMBER s 3
		SRANDMEMBER s -3
		SSCAN s 0
		SMOVE s t a
		SINTER s t
		SUNION s t
		SDIFF s t
		SINTERSTORE d s t
		SUNIONSTORE d s t
		SDIFFSTORE d s t
		SINTERCARD 1 s
		SADD s a
		SADD s a
		SADD s a a
		SMEMBERS s
		SPOP s 1
		EXISTS s
		SADD n 3 1 2 1
		SMEMBERS n
		OBJECT ENCODING n
		SADD n -70000 4294967296
		SMEMBERS n
		SISMEMBER n 01
		SISMEMBER n 1
		SISMEMBER n +1
		SISMEMBER n -0
		SISMEMBER n 4294967296
		SMISMEMBER n 1 x 2 1
		SREM n 1 2 9 1
		SCARD n
		SSCAN n 0
		SSCAN n 0 MATCH 4*
		SSCAN n 0 COUNT 0
		SSCAN n 0 COUNT 2 MATCH *
		SSCAN n x
		SSCAN n 0 TYPE set
		SMOVE n m 3
		SMOVE n m 3
		SMOVE n n 4294967296
		SMOVE n n 3
		SMOVE nothing n 3
		OBJECT ENCODING m
		SADD one a
		SRANDMEMBER one
		SRANDMEMBER one 1
		SRANDMEMBER one 5
		SRANDMEMBER one -3
		SRANDMEMBER one 0
		SRANDMEMBER one x
		SRANDMEMBER one 1 x
		SRANDMEMBER one -9223372036854775808
		SRANDMEMBER one 9223372036854775807
		SPOP one x
		SPOP one -1
		SPOP one 1 2
		SPOP one 0
		SPOP one 9223372036854775807
		SPOP one
		SADD x a b c d
		SADD y c
		SADD z a c e
		SINTER x y z
		SINTER y
		SINTER x nothing
		SINTER nothing x
		SDIFF y
		SDIFF y x
		SDIFF y nothing
		SDIFF nothing y
		SUNION nothing y
		SUNION y y
		SDIFF y y
		SINTERSTORE d x y z
		SMEMBERS d
		SUNIONSTORE d d y
		SDIFFSTORE d d y
		EXISTS d
		SUNIONSTORE d y nothing
		EXPIRE d 1000
		SUNIONSTORE d d
		TTL d
		SADD d more
		SINTERSTORE d x nothing
		EXISTS d
		SET d string
		SDIFFSTORE d x z
		TYPE d
		SINTERCARD 2 x z
		SINTERCARD 2 x z LIMIT 1
		SINTERCARD 2 x z LIMIT 0
		SINTERCARD 2 x z limit 1 LIMIT 5
		SINTERCARD 2 x z LIMIT
		SINTERCARD 2 x z LIMIT x
		SINTERCARD 2 x z LIMIT -1
		SINTERCARD 2 x z y
		SINTERCARD 0 x
		SINTERCARD -1 x
		SINTERCARD x x
		SINTERCARD 3 x z
		SINTERCARD 2 x
		SINTERCARD +1 x
		SINTERCARD 9223372036854775807 x
		SET string v
		SADD string v
		SREM string v
		SCARD string
		SISMEMBER string v
		SMISMEMBER string v
		SMEMBERS string
		SPOP string
		SPOP string 0
		SPOP string x
		SRANDMEMBER string
		SRANDMEMBER string 0
		SSCAN string 0
		SMOVE string x a
		SMOVE x string a
		SMOVE nothing string a
		SMOVE string string a
		SINTER x string
		SINTER nothing string
		SUNION string x
		SDIFF x string
		SINTERSTORE d nothing string
		SINTERSTORE string x z
		TYPE string
		HGET x f
		GET x
		SADD "" "" "\x00" "\r\n"
		SCARD ""
		SISMEMBER "" ""
		SREM "" "" "\x00"
		SMEMBERS ""
		TYPE x
		SADD dumped 1 2 3
		DUMP nothing
		COPY x copied
		SCARD copied
		RENAME copied renamed
		SCARD renamed
		DEBUG DIGEST-VALUE x n m renamed dumped
		SCAN 0 COUNT 1000 TYPE list
	`)
}

// encodings that Redis 7.2 reports and the oracle, 7.0, may not: a listpack for
// small sets that are not all integers. (Texts are of t_set.c of 7.2.)
func TestSetEncodingIs72(t *testing.T) {
	_, run := newRunner(t)
	numbers := func(from, to int) []string {
		var out []string
		for i := from; i < to; i++ {
			out = append(out, strconv.Itoa(i))
		}
		return out
	}
	texts := func(n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprint("m", i))
		}
		return out
	}
	add := func(key string, members ...string) {
		for _, m := range members {
			run("SADD", key, m)
		}
	}
	check := func(key, want string) {
		t.Helper()
		if got := run("OBJECT", "ENCODING", key); got != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
			t.Errorf("%s: %q, want %s", key, got, want)
		}
	}
	add("ints", numbers(0, 512)...)
	check("ints", "intset")
	add("ints", "512")
	check("ints", "hashtable")
	add("few", numbers(0, 127)...)
	add("few", "x")
	check("few", "listpack")
	add("few", "y")
	check("few", "hashtable")
	add("full", numbers(0, 128)...)
	check("full", "intset")
	add("full", "x")
	check("full", "hashtable")
	add("texts", texts(128)...)
	check("texts", "listpack")
	add("texts", "m0")
	check("texts", "listpack")
	add("texts", "another")
	check("texts", "hashtable")
	run("SREM", "texts", "another", "m0", "m1")
	check("texts", "hashtable")
	add("long", strings.Repeat("x", 64))
	check("long", "listpack")
	add("long", strings.Repeat("x", 65))
	check("long", "hashtable")
	add("intthenlong", "1", strings.Repeat("x", 65))
	check("intthenlong", "hashtable")
	add("textfirst", "x", "1", "2")
	run("SREM", "textfirst", "x")
	check("textfirst", "listpack")
	run("SINTERSTORE", "found", "textfirst", "ints")
	check("found", "intset")
	run("SUNIONSTORE", "all", "textfirst", "textfirst")
	check("all", "intset")
	run("SUNIONSTORE", "all", "textfirst", "few")
	check("all", "hashtable")

	// A command of many members at once expects that they are new.
	run(append([]string{"SADD", "hint"}, slices.Repeat([]string{"1"}, 512)...)...)
	check("hint", "intset")
	run(append([]string{"SADD", "hint"}, slices.Repeat([]string{"1"}, 513)...)...)
	check("hint", "hashtable")
	run(append([]string{"SADD", "hint2"}, slices.Repeat([]string{"x"}, 129)...)...)
	check("hint2", "hashtable")
	run("SREM", "hint", "1")
	run("SADD", "hint", "1")
	check("hint", "intset")

	// A difference from a large set is taken by removal, which shows.
	add("base", append(texts(129), "1")...)
	add("but", texts(3)...)
	run("SDIFFSTORE", "rest", "base", "but")
	check("rest", "listpack")
	run("SDIFFSTORE", "rest", "base", "but", "but")
	check("rest", "hashtable")
	run(append([]string{"SREM", "base"}, texts(100)...)...)
	check("base", "hashtable")
	run("SUNIONSTORE", "copied", "base", "nothing")
	check("copied", "listpack")

	// What is left by popping most of a set is a new set.
	run("SPOP", "base", "29")
	check("base", "listpack")
	add("p", numbers(0, 400)...)
	run("SPOP", "p", "399")
	check("p", "intset")
	add("q", texts(200)...)
	run("SPOP", "q", "150")
	check("q", "hashtable")
	run("SMOVE", "q", "onemember", "nothing")
	run("SADD", "mover", "5")
	run("SMOVE", "mover", "onemember", "5")
	check("onemember", "intset")

	run("CONFIG", "SET", "set-max-intset-entries", "3", "set-max-listpack-entries", "2", "set-max-listpack-value", "4")
	add("small", numbers(0, 4)...)
	check("small", "hashtable")
	add("small2", "1", "xxxx")
	check("small2", "listpack")
	add("small2", "2")
	check("small2", "hashtable")
	add("small3", "12345", "x")
	check("small3", "hashtable")
	add("small4", "1", "2", "x")
	check("small4", "hashtable")
}

// sortedReply orders the parts of a flat reply of bulk strings behind its head.
func sortedReply(reply string) string {
	if !strings.HasPrefix(reply, "*") && !strings.HasPrefix(reply, "~") {
		return reply
	}
	head, _, _ := strings.Cut(reply, "\r\n")
	return head + strings.Join(sortedGroups(reply, 1), "")
}

// Random commands on sets of all sizes get the same replies, up to order.
func TestSetsAreRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		rng := rand.New(rand.NewPCG(11, uint64(proto)))
		kinds := []func() string{
			func() string { return strconv.Itoa(rng.IntN(300)) },
			func() string { return strconv.Itoa((rng.IntN(300) - 150) << (8 * rng.IntN(8))) },
			func() string { return fmt.Sprint("m", rng.IntN(300)) },
			func() string { return strings.Repeat("x", rng.IntN(90)) + strconv.Itoa(rng.IntN(3)) },
		}
		keys := 0
		key := func() string { return fmt.Sprint("s", rng.IntN(6)) }
		member := func(key string) string { // some keys have members of one kind
			if k := int(key[1] - '0'); k < len(kinds) {
				return kinds[k]()
			}
			return kinds[rng.IntN(len(kinds))]()
		}
		sorted := func(args ...string) {
			ours, theirs := p.ours(args...), p.theirs.do(args...)
			if sortedReply(ours) != sortedReply(theirs) {
				t.Errorf("%v\n  ours   %.900q\n  theirs %.900q", args, ours, theirs)
			}
		}
		for i := range 4000 {
			k := key()
			switch rng.IntN(16) {
			case 0, 1, 2, 3, 4:
				args := []string{"SADD", k}
				for range 1 + rng.IntN(8) {
					args = append(args, member(k))
				}
				p.sameArgs(args...)
			case 5, 6:
				p.sameArgs("SREM", k, member(k), member(k), member(k))
			case 7:
				p.sameArgs("SISMEMBER", k, member(k))
			case 8:
				p.sameArgs("SMISMEMBER", k, member(k), member(k), member(k))
			case 9:
				p.sameArgs("SCARD", k)
			case 10:
				p.sameArgs("SMOVE", k, key(), member(k))
			case 11:
				sorted([]string{"SINTER", "SUNION", "SDIFF"}[rng.IntN(3)], k, key(), key())
			case 12:
				if keys++; keys%3 == 0 {
					p.sameArgs([]string{"SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"}[rng.IntN(3)], key(), k, key(), key())
				}
				p.sameArgs("SINTERCARD", "2", k, key(), "LIMIT", strconv.Itoa(rng.IntN(5)))
			case 13:
				sorted("SMEMBERS", k)
			case 14:
				if ours, theirs := p.ours("OBJECT", "ENCODING", k), p.theirs.do("OBJECT", "ENCODING", k); ours != theirs &&
					!(strings.Contains(ours, "listpack") && strings.Contains(theirs, "hashtable")) {
					t.Errorf("encoding of %s: ours %q, theirs %q", k, ours, theirs)
				}
			case 15:
				if rng.IntN(8) == 0 {
					p.sameArgs("DEL", k)
				}
				p.sameArgs("DEBUG", "DIGEST-VALUE", k)
			}
			if t.Failed() {
				t.Fatalf("after %d commands", i)
			}
		}
	}
}

// What goes out of a set by chance is what is then no more in it.
func TestSetPop(t *testing.T) {
	for _, n := range []int{1, 5, 100, 128, 129, 600, 1500} {
		for _, kind := range []string{"", "m"} {
			_, run := newRunner(t)
			args, there := []string{"SADD", "s"}, map[string]bool{}
			for i := range n {
				args = append(args, fmt.Sprint(kind, 1000+i))
				there[args[i+2]] = true
			}
			run(args...)
			for _, count := range []int{0, 1, 3, n / 3, n / 2, n / 4, n} {
				reply := run("SPOP", "s", strconv.Itoa(count))
				for _, m := range sortedGroups(reply, 1) {
					_, name, _ := strings.Cut(m, "\r\n")
					name = strings.TrimSuffix(name, "\r\n")
					if !there[name] {
						t.Fatalf("%d of %d: %q is popped and was not there", count, n, name)
					}
					delete(there, name)
				}
				if got := run("SCARD", "s"); got != fmt.Sprintf(":%d\r\n", len(there)) {
					t.Fatalf("%d of %d: %q left, want %d", count, n, got, len(there))
				}
				if left := sortedGroups(run("SMEMBERS", "s"), 1); len(left) != len(there) {
					t.Fatalf("%d of %d: %d members, want %d", count, n, len(left), len(there))
				}
			}
			if len(there) != 0 {
				t.Errorf("%d are left of %d", len(there), n)
			}
		}
	}
}

// Replies of chosen members have the shape that Redis gives them.
func TestSetRandomShapes(t *testing.T) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		for key, n := range map[string]int{"inline": 20, "rows": 400} {
			for i := range n {
				p.sameArgs("SADD", key, fmt.Sprint(1000+i))
			}
			for _, args := range [][]string{
				{"SRANDMEMBER", key}, {"SRANDMEMBER", key, "1"}, {"SRANDMEMBER", key, "7"}, {"SRANDMEMBER", key, "5000"},
				{"SRANDMEMBER", key, "-7"}, {"SRANDMEMBER", key, "-900"}, {"SPOP", key}, {"SPOP", key, "3"}, {"SPOP", key, "15"},
			} {
				ours, theirs := p.ours(args...), p.theirs.do(args...)
				if shape(ours) != shape(theirs) {
					t.Errorf("protocol %d: %v\n  ours   %.200q\n  theirs %.200q", proto, args, ours, theirs)
				}
			}
		}
	}
}

func TestSetAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, run := newRunner(t)
	for i := range 1000 {
		run("SADD", "rows", fmt.Sprint("member", i))
	}
	run("SADD", "inline", "a", "b", "c")
	for _, line := range []string{"SISMEMBER rows member7", "SISMEMBER inline b", "SADD rows member7", "SADD inline b", "SCARD rows"} {
		args := [][]byte{}
		for _, w := range strings.Fields(line) {
			args = append(args, []byte(w))
		}
		if n := testing.AllocsPerRun(200, func() {
			c.Out.Reset()
			c.Execute(args)
		}); n > 1 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

// Sets of every size and encoding that one server dumps, the other restores; both
// then say the same, digests included.
func TestSetDumpsTravel(t *testing.T) {
	p := newPair(t, 2)
	rng := rand.New(rand.NewPCG(11, 13))
	for i := range 60 {
		args, ints := []string{"SADD", "k"}, rng.IntN(2) == 0
		for range 1 + rng.IntN([]int{3, 100, 700}[rng.IntN(3)]) {
			m := strconv.Itoa(rng.IntN(2000) << (rng.IntN(4) * 12))
			if !ints {
				m = "m" + m
			}
			args = append(args, m)
		}
		p.same("DEL k n c")
		p.sameArgs(args...)
		if rng.IntN(2) == 0 {
			p.same("PEXPIREAT k 99999999999999")
		}
		ours, theirs := bulk(t, p.ours("DUMP", "k")), bulk(t, p.theirs.do("DUMP", "k"))
		if got := p.theirs.do("RESTORE", "n", "0", ours); got != "+OK\r\n" {
			t.Fatalf("set %d: their RESTORE: %q", i, got)
		}
		if got := p.ours("RESTORE", "n", "0", theirs); got != "+OK\r\n" {
			t.Fatalf("set %d: our RESTORE: %q", i, got)
		}
		if ints {
			p.same("OBJECT ENCODING n")
		}
		p.same("COPY n c")
		p.same("SREM c 0 m0 24 m24")
		p.same("DEBUG DIGEST-VALUE k n c none")
		p.same("DEBUG DIGEST")
		if t.Failed() {
			return
		}
	}
}
