package command

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// TestStreamParity compares streams with redis-server, in both protocols.
func TestStreamParity(t *testing.T) {
	sameLines(t, `
		XLEN s
		XADD s 1-1 a 1
		XADD s 1-1 a 1
		XADD s 1-* a 2
		XADD s 1-* a 3 b 4
		XADD s 0-0 a 1
		XADD s 0-* a 1
		XADD new 0-* a 1
		XADD new 0-0 a 1
		XADD s 2 x y
		XADD s 3-5 x
		XADD s 3-5
		XADD s
		XADD s abc x y
		XADD s 1-2-3 x y
		XADD s -5 x y
		XADD s NOMKSTREAM 4-1 x y
		XADD none NOMKSTREAM 4-1 x y
		XADD none NOMKSTREAM * x y
		EXISTS none
		XADD s MAXLEN 3 5-1 x y
		XLEN s
		XADD s MAXLEN = 3 6-1 x y
		XADD s MAXLEN ~ 3 7-1 x y
		XADD s MINID 6 8-1 x y
		XADD s MAXLEN 3 MINID 5 9-1 x y
		XADD s MAXLEN 3 LIMIT 5 9-1 x y
		XADD s LIMIT 5 9-1 x y
		XADD s MAXLEN -1 9-1 x y
		XADD s MAXLEN x 9-1 x y
		XADD s MAXLEN
		XADD s MAXLEN ~ 3 LIMIT -1 9-1 x y
		XRANGE s - +
		XRANGE s 6 +
		XRANGE s (6-1 (8-1
		XRANGE s 7 7
		XRANGE s + -
		XRANGE s - + COUNT 1
		XRANGE s - + COUNT 0
		XRANGE s - + COUNT -1
		XRANGE s - + COUNT x
		XRANGE s - + FOO
		XRANGE s x y
		XRANGE s ( +
		XRANGE s (18446744073709551615-18446744073709551615 +
		XRANGE s - (0-0
		XRANGE nokey - +
		XREVRANGE s + -
		XREVRANGE s + - COUNT 2
		XREVRANGE s 7-1 6-1
		XDEL s 7-1 7-1 99-1
		XDEL s x
		XDEL nokey 1-1
		XRANGE s - +
		XINFO STREAM s
		XTRIM s MAXLEN 1
		XTRIM s MAXLEN 0
		XTRIM s
		XTRIM s FOO 1
		XTRIM s MAXLEN 1 LIMIT 3
		XTRIM s MAXLEN ~ 1 LIMIT 3
		XTRIM nokey MAXLEN 1
		XLEN s
		EXISTS s
		TYPE s
		OBJECT ENCODING s
		XINFO STREAM s
		XINFO STREAM nokey
		XADD s 100-1 a b
		XSETID s 200-0
		XSETID s 50-0
		XSETID s 300-0 ENTRIESADDED 100 MAXDELETEDID 10-0
		XSETID s 300-0 ENTRIESADDED -1
		XSETID s 300-0 ENTRIESADDED 0
		XSETID s 5-0 MAXDELETEDID 10-0
		XSETID s 300-0 FOO 1
		XSETID nokey 1-1
		XINFO STREAM s
		XADD s 18446744073709551615-18446744073709551615 a b
		XADD s * a b
		XADD s 18446744073709551615-* a b
		DEL s
		SET str x
		XADD str 1-1 a b
		XLEN str
		XRANGE str - +
		XREAD STREAMS str 0
		XADD a 1-1 f v
		XADD a 2-1 f v
		XADD b 1-1 f v
		XREAD STREAMS a b 0 0
		XREAD COUNT 1 STREAMS a b 0 0
		XREAD STREAMS a b 1-1 1-1
		XREAD STREAMS a b 2-1 1-1
		XREAD STREAMS a $
		XREAD STREAMS nokey 0
		XREAD STREAMS a >
		XREAD STREAMS a x
		XREAD COUNT x STREAMS a 0
		XREAD COUNT -1 STREAMS a 0
		XREAD BLOCK -1 STREAMS a 0
		XREAD BLOCK x STREAMS a 0
		XREAD NOACK STREAMS a 0
		XREAD GROUP g c STREAMS a 0
		XREAD FOO STREAMS a 0
		XREAD BLOCK 1 STREAMS a 0
		XINFO HELP
		XGROUP HELP
		XINFO FOO
		XGROUP FOO
		XGROUP CREATE
	`)
}

// TestGroupParity compares groups of consumers with redis-server.
func TestGroupParity(t *testing.T) {
	sameLines(t, `
		XGROUP CREATE s g $
		XGROUP CREATE s g $ MKSTREAM
		XGROUP CREATE s g $ MKSTREAM
		XGROUP CREATE s g2 0 FOO
		XGROUP CREATE s g2 0 ENTRIESREAD 5
		XGROUP CREATE s g3 x
		XGROUP CREATE s g3 0 ENTRIESREAD -5
		XINFO STREAM s
		XINFO GROUPS s
		XINFO GROUPS nokey
		XINFO CONSUMERS s g
		XINFO CONSUMERS s nogroup
		XADD s 1-1 a 1
		XADD s 2-1 a 2
		XADD s 3-1 a 3
		XADD s 4-1 a 4
		XINFO GROUPS s
		XREADGROUP GROUP g alice COUNT 2 STREAMS s >
		XINFO GROUPS s
		XREADGROUP GROUP g bob COUNT 1 STREAMS s >
		XREADGROUP GROUP g alice STREAMS s 0
		XREADGROUP GROUP g alice STREAMS s 1-1
		XREADGROUP GROUP g alice COUNT 1 STREAMS s 0
		XREADGROUP GROUP g carol STREAMS s 0
		XREADGROUP GROUP nogroup x STREAMS s >
		XREADGROUP GROUP g x STREAMS nokey >
		XREADGROUP GROUP g x STREAMS s $
		XREADGROUP GROUP g x STREAMS s
		XREADGROUP STREAMS s s s >
		XREADGROUP COUNT 1 NOACK NOACK STREAMS s >
		XPENDING s g
		XPENDING s nogroup
		XPENDING nokey g
		XPENDING s g - + 0
		XPENDING s g - +
		XPENDING s g - + x
		XPENDING s g - + 10 nobody
		XPENDING s g IDLE 100000 - + 10
		XPENDING s g IDLE x - + 10
		XACK s g 1-1 1-1 9-9
		XACK s g x
		XACK s nogroup 1-1
		XACK nokey g 1-1
		XPENDING s g
		XREADGROUP GROUP g alice NOACK STREAMS s >
		XPENDING s g
		XINFO GROUPS s
		XDEL s 2-1
		XREADGROUP GROUP g alice STREAMS s 0
		XINFO GROUPS s
		XCLAIM s g bob 0 2-1 JUSTID
		XPENDING s g
		XADD s 5-1 a 5
		XADD s 6-1 a 6
		XREADGROUP GROUP g alice STREAMS s >
		XCLAIM s g bob 0 5-1
		XCLAIM s g bob 0 5-1 JUSTID
		XCLAIM s g bob 100000 6-1
		XCLAIM s g bob 0 4-1
		XCLAIM s g bob 0 4-1 FORCE
		XCLAIM s g dave 0 4-1 FORCE RETRYCOUNT 7 JUSTID
		XCLAIM s g dave 0 4-1 IDLE 10 TIME 5 LASTID 99-1
		XCLAIM s g dave 0 4-1 FOO
		XCLAIM s g dave x 4-1
		XCLAIM s g dave 0 4-1 IDLE x
		XCLAIM s nogroup dave 0 4-1
		XCLAIM nokey g dave 0 4-1
		XPENDING s g
		XAUTOCLAIM s g erin 0 0
		XAUTOCLAIM s g erin 0 0 COUNT 1
		XAUTOCLAIM s g erin 0 0 COUNT 1 JUSTID
		XAUTOCLAIM s g erin 0 5-1 COUNT 10
		XAUTOCLAIM s g erin 100000 0
		XAUTOCLAIM s g erin 0 0 COUNT 0
		XAUTOCLAIM s g erin x 0
		XAUTOCLAIM s g erin 0 x
		XAUTOCLAIM s nogroup erin 0 0
		XDEL s 5-1
		XAUTOCLAIM s g frank 0 0
		XPENDING s g
		XGROUP CREATECONSUMER s g new
		XGROUP CREATECONSUMER s g new
		XGROUP CREATECONSUMER s nogroup new
		XGROUP CREATECONSUMER nokey g new
		XGROUP DELCONSUMER s g frank
		XGROUP DELCONSUMER s g nobody
		XGROUP DELCONSUMER s nogroup nobody
		XPENDING s g
		XGROUP SETID s g 0
		XGROUP SETID s g $
		XGROUP SETID s g 2-0 ENTRIESREAD 1
		XGROUP SETID s nogroup 0
		XINFO GROUPS s
		XREADGROUP GROUP g zoe STREAMS s >
		XINFO GROUPS s
		DUMP nokey
		XGROUP DESTROY s g
		XGROUP DESTROY s g
		XGROUP DESTROY nokey g
		XINFO GROUPS s
		XREADGROUP GROUP g2 x STREAMS s >
		COPY s copy
		XRANGE copy - +
		XINFO GROUPS copy
		RENAME copy renamed
		XLEN renamed
		DEBUG DIGEST-VALUE s renamed
		DEL s
		XREADGROUP GROUP g2 x STREAMS s >
		XLEN renamed
	`)
}

// TestStreamsAtRandom compares random commands.
func TestStreamsAtRandom(t *testing.T) {
	for seed := range int64(4) {
		rng := rand.New(rand.NewSource(seed))
		p := newPair(t, 2+int(seed%2))
		key := func() string { return fmt.Sprintf("s%d", rng.Intn(2)) }
		id := func() string { return fmt.Sprintf("%d-%d", rng.Intn(30), rng.Intn(3)) }
		group := func() string { return fmt.Sprintf("g%d", rng.Intn(2)) }
		who := func() string { return fmt.Sprintf("c%d", rng.Intn(3)) }
		for range 1500 {
			switch rng.Intn(16) {
			case 0, 1, 2:
				p.sameArgs("XADD", key(), id(), "f", fmt.Sprint(rng.Intn(1000)))
			case 3:
				p.sameArgs("XADD", key(), fmt.Sprintf("%d-*", rng.Intn(30)), "f", "v", "g", "w")
			case 4:
				p.sameArgs("XDEL", key(), id(), id())
			case 5:
				p.sameArgs("XRANGE", key(), id(), "+", "COUNT", fmt.Sprint(rng.Intn(5)))
			case 6:
				p.sameArgs("XREVRANGE", key(), "+", id())
			case 7:
				k, g := key(), group()
				p.sameArgs("XGROUP", "CREATE", k, g, id(), "MKSTREAM")
				for c := range 3 { // 7.2 makes consumers that get nothing, the oracle does not
					p.sameArgs("XGROUP", "CREATECONSUMER", k, g, fmt.Sprintf("c%d", c))
				}
			case 8:
				p.sameArgs("XREADGROUP", "GROUP", group(), who(), "COUNT", fmt.Sprint(1+rng.Intn(4)), "STREAMS", key(), ">")
			case 9:
				p.sameArgs("XREADGROUP", "GROUP", group(), who(), "STREAMS", key(), "0")
			case 10:
				p.sameArgs("XACK", key(), group(), id(), id(), id())
			case 11:
				p.sameArgs("XPENDING", key(), group())
			case 12:
				p.sameArgs("XCLAIM", key(), group(), who(), "0", id(), id(), "JUSTID")
			case 13:
				p.sameArgs("XAUTOCLAIM", key(), group(), who(), "0", id(), "COUNT", fmt.Sprint(1+rng.Intn(4)))
			case 14:
				if rng.Intn(4) == 0 {
					p.sameArgs("XTRIM", key(), "MAXLEN", fmt.Sprint(rng.Intn(20)))
				} else if rng.Intn(6) == 0 {
					p.sameArgs("DEL", key())
				}
			case 15:
				p.sameArgs("XINFO", "GROUPS", key())
				p.sameArgs("XINFO", "STREAM", key())
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestStreamTravels: a stream with groups goes to redis-server and back by DUMP and RESTORE.
// TestLongTrims: what goes with very many entries at once, and what is left, is what Redis says.
func TestLongTrims(t *testing.T) {
	p := newPair(t, 2)
	const fill = "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call('XADD', KEYS[1], i, 'f', i) end"
	look := func(lines ...string) {
		t.Helper()
		for _, line := range append(lines, "XLEN s", "XRANGE s - + COUNT 3", "XREVRANGE s + - COUNT 3", "XREAD COUNT 2 STREAMS s 0", "DEBUG DIGEST-VALUE s") {
			p.same(line)
		}
		info := strings.Split(p.ours("XINFO", "STREAM", "s"), "\r\n")
		theirs := strings.Split(p.theirs.do("XINFO", "STREAM", "s"), "\r\n")
		for i, word := range theirs { // the tree is Redis's own
			if i < len(info) && word != info[i] && !strings.HasPrefix(theirs[i-1], "$radix") && !strings.HasPrefix(theirs[max(i-2, 0)], "$radix") && !strings.Contains(theirs[max(i-1, 0)], "radix-tree") {
				t.Errorf("after %q: %q, want %q", lines, info, theirs)
				return
			}
		}
	}
	p.sameArgs("EVAL", fill, "1", "s", "1", "14000")
	p.same("XGROUP CREATE s g 0")
	// (This one runs again when the rows are in order: its own keys must still be known then.)
	p.sameArgs("EVAL", "return #redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 3000, 'STREAMS', KEYS[1], '>')[1][2]", "1", "s")
	look("XDEL s 2 4097 5000 8192 8193 9001 13999", "XTRIM s MAXLEN 13000", "XPENDING s g")
	look("XTRIM s MINID 2500", "XAUTOCLAIM s g d 0 0 COUNT 3000 JUSTID", "XCLAIM s g d 0 100 2999 JUSTID", "XPENDING s g", "XRANGE s 100 200", "XDEL s 100")
	look("XADD s MAXLEN = 9000 20000 f v")
	look("XADD s MINID = 9001 20001 f v", "COPY s c", "XLEN c", "XRANGE c - + COUNT 2", "XTRIM c MAXLEN 10", "XRANGE c - +", "DEL c")
	look("XTRIM s MINID 12900", "XTRIM s MAXLEN ~ 5000 LIMIT 0", "XTRIM s MAXLEN 1000")
	look("MULTI", "XADD s 20002 f v", "XTRIM s MAXLEN 1", "XADD s 20003 f v", "XLEN s", "EXEC")
	p.sameArgs("EVAL", fill, "1", "s", "30001", "34000")
	look("XADD s MAXLEN 0 40000 f v", "XADD s 40000 f v", "XADD s 39999 f v")
	look("XSETID s 31000", "XREADGROUP GROUP g c STREAMS s 0", "XADD s 31500 f again", "XRANGE s - +", "XADD s 31400 f v", "XPENDING s g")
	look("DEL s", "XADD s 30500 f new", "XRANGE s - +")
}

func TestStreamTravels(t *testing.T) {
	p := newPair(t, 2)
	for i := range 250 {
		p.sameArgs("XADD", "s", fmt.Sprintf("%d-%d", 1000+i*i, i%3), "field", fmt.Sprint(i), "other", strings.Repeat("x", i%60))
	}
	for _, line := range []string{"XADD s 900000-1 a b c d", "XDEL s 1004-2 1009-0", "XTRIM s MAXLEN 200", "XGROUP CREATE s g 0", "XGROUP CREATE s h $ ENTRIESREAD 7",
		"XREADGROUP GROUP g alice COUNT 30 STREAMS s >", "XREADGROUP GROUP g bob COUNT 5 STREAMS s >", "XDEL s 4600-0"} {
		p.same(line)
	}
	payload := func(reply string) string {
		_, body, _ := strings.Cut(reply, "\r\n")
		return strings.TrimSuffix(body, "\r\n")
	}
	if got := p.theirs.do("RESTORE", "there", "0", payload(p.ours("DUMP", "s"))); got != "+OK\r\n" {
		t.Fatalf("redis-server does not take our payload: %q", got)
	}
	if got := p.ours("RESTORE", "there", "0", payload(p.theirs.do("DUMP", "s"))); got != "+OK\r\n" {
		t.Fatalf("we do not take redis-server's payload: %q", got)
	}
	for _, line := range []string{"XRANGE there - +", "XLEN there", "XINFO GROUPS there", "XPENDING there g", "XREADGROUP GROUP g alice STREAMS there 0",
		"XREADGROUP GROUP g bob COUNT 100 STREAMS there >", "DEBUG DIGEST-VALUE s there"} {
		p.same(line)
	}
}

// TestBlockingStreamsAreRedis: who waits for entries gets those that come after it asked, readers all of them, members
// of a group one each.
func TestBlockingStreamsAreRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		newScene(t, 5, proto).play(`
			0 XREAD BLOCK 0 STREAMS s $
			1 XREAD BLOCK 0 COUNT 1 STREAMS s other 0 0
			2 XADD s 1-1 a 1
			0 XREAD BLOCK 0 STREAMS s $
			2 XADD s 1-2 a 1
			0 XREAD BLOCK 0 STREAMS s 1-1
			0 XREAD BLOCK 0 STREAMS s 5-0
			2 XADD s 3-0 a 1
			2 XADD s 5-1 a 1
			2 XGROUP CREATE s g $
			2 XGROUP CREATECONSUMER s g a
			2 XGROUP CREATECONSUMER s g b
			0 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
			1 XREADGROUP GROUP g b BLOCK 0 STREAMS s >
			2 XADD s 6-0 a 1
			2 XADD s 7-0 a 1
			2 XPENDING s g
			0 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
			3 MULTI
			3 XADD s 8-0 a 1
			3 XADD s 9-0 a 1
			3 XREAD BLOCK 0 STREAMS s $
			3 EXEC
			2 XPENDING s g
			2 XINFO GROUPS s
			0 XREAD BLOCK 0 STREAMS t $
			2 RPUSH t x
			2 DEL t
			2 XADD t 1-1 a b
		`)
	}
}
