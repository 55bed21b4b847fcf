package command

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"cobble/server/config"
	"cobble/slots"
)

func TestGenericRepliesAreRedis(t *testing.T) {
	long := strings.Repeat("x", 45)
	sameLines(t, `
		SET a{t} 1
		DEL a{t} b{t} a{t}
		MSET a{t} 1 b{t} xyz c{t} `+long+`
		EXISTS a{t} a{t} zz{t}
		TOUCH a{t} b{t} zz{t}
		UNLINK c{t} zz{t}
		TYPE a{t}
		TYPE zz
		RENAME a{t} d{t}
		RENAME a{t} d{t}
		RENAME d{t} d{t}
		RENAME zz zz
		RENAMENX d{t} d{t}
		RENAMENX d{t} b{t}
		RENAMENX zz{t} b{t}
		RENAMENX d{t} e{t}
		GET e{t}
		COPY e{t} b{t}
		COPY e{t} b{t} REPLACE
		GET b{t}
		COPY e{t} b{t} REPLACE DB 0
		COPY zz{t} b{t}
		COPY e{t} e{t}
		COPY zz zz
		COPY e{t} b{t} DB
		COPY e{t} b{t} DB x
		COPY e{t} b{t} DB 99
		COPY e{t} b{t} DB -1
		COPY e{t} e{t} DB 0
		MOVE e{t} 0
		MOVE none 0
		MOVE none x
		MOVE e{t} 99
		MOVE e{t} -1
		MOVE e{t} 99999999999
		COPY e{t} b{t} bogus
		COPY e{t} b{t} DB 99999999999
		EXPIRE e{t} 10 "\r\nbad\r\nword\r\n"
		OBJECT ENCODING e{t}
		OBJECT ENCODING zz
		OBJECT REFCOUNT e{t}
		OBJECT FREQ e{t}
		OBJECT FREQ zz
		OBJECT IDLETIME zz
		OBJECT bogus zz
		OBJECT ENCODING
		OBJECT ENCODING a b
		SET enc `+long[:44]+`
		OBJECT ENCODING enc
		SET enc `+long+`
		OBJECT ENCODING enc
		OBJECT REFCOUNT enc
		SET enc 9223372036854775807
		OBJECT ENCODING enc
		OBJECT REFCOUNT enc
		SET enc 9223372036854775808
		OBJECT ENCODING enc
		SET enc -1
		OBJECT REFCOUNT enc
		APPEND enc 1
		OBJECT ENCODING enc
		INCR enc
		OBJECT ENCODING enc
		SETRANGE enc 0 1
		OBJECT ENCODING enc
		INCRBYFLOAT enc 1
		OBJECT ENCODING enc
		APPEND newenc 12
		OBJECT ENCODING newenc
		GETSET enc 10
		OBJECT ENCODING enc
		COPY enc{t} enc2{t}
		EXPIRE zz 10
		EXPIRE enc 10 NX
		EXPIRE enc 10 NX
		EXPIRE enc 20 XX
		EXPIRE enc 15 GT
		EXPIRE enc 30 GT
		EXPIRE enc 40 LT
		EXPIRE enc 20 LT
		TTL enc
		EXPIRE enc 20 XX GT LT
		EXPIRE enc 20 NX XX
		EXPIRE enc 20 NX GT
		EXPIRE enc 20 GT LT
		EXPIRE enc 20 bogus
		EXPIRE enc x
		EXPIRE enc x bogus
		EXPIRE zz x
		EXPIRE enc 9223372036854775807
		EXPIRE enc 9223372036854775
		EXPIRE enc -9223372036854775808
		PEXPIRE enc 9223372036854775807
		PEXPIREAT enc 9223372036854775807
		PEXPIRETIME enc
		PERSIST enc
		PERSIST enc
		PERSIST zz
		EXPIRE enc 10 GT
		EXPIRE enc 10 XX
		TTL enc
		EXPIRE enc 10 LT
		TTL zz
		PTTL zz
		EXPIRETIME zz
		EXPIREAT enc 33177117420
		EXPIRETIME enc
		PEXPIRETIME enc
		PEXPIREAT enc 33177117420500
		EXPIRETIME enc
		PEXPIREAT enc 33177117420499
		EXPIRETIME enc
		SET enc v KEEPTTL
		EXPIRETIME enc
		SET enc 1 EXAT 33177117420
		INCR enc
		APPEND enc 1
		SETRANGE enc 0 5
		INCRBYFLOAT enc 2
		EXPIRETIME enc
		SET enc{t} 1 EXAT 33177117420
		RENAME enc{t} moved{t}
		EXPIRETIME moved{t}
		COPY moved{t} copied{t}
		EXPIRETIME copied{t}
		GETSET moved{t} x
		TTL moved{t}
		EXPIRE copied{t} -1
		EXISTS copied{t}
		EXPIRE copied{t} -1
		KEYS newenc
		KEYS none
		FLUSHALL bogus
		FLUSHALL SYNC SYNC
		FLUSHALL
		DBSIZE
		RANDOMKEY
		KEYS *
		SCAN 0
		SET one 1
		DBSIZE
		RANDOMKEY
		KEYS *
		KEYS o?e
		KEYS [a-z]ne
		SCAN 0
		SCAN 0 COUNT 100 TYPE string
		SCAN 0 COUNT 100 TYPE STRING
		SCAN 0 COUNT 100 TYPE list
		SCAN 0 COUNT 100 TYPE bogus
		SCAN 0 MATCH o*
		SCAN 0 MATCH x*
		SCAN 0 COUNT 0
		SCAN 0 COUNT -1
		SCAN 0 COUNT x
		SCAN 0 COUNT
		SCAN 0 MATCH
		SCAN 0 bogus 1
		SCAN x
		SCAN 1x
		SCAN ""
		SCAN 99999999999999999999999
		SCAN " 1"
		SCAN "\x00"
		SCAN "0\x00x"
		SCAN -
		FLUSHDB ASYNC
		FLUSHDB x
		DBSIZE
	`)
}

// TestPatternsAreRedis lists keys that patterns of every shape match.
func TestPatternsAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rnd := rand.New(rand.NewPCG(9, 9))
	word := func(alphabet string, n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	const letters = "abc\\]-^*\x80\xff"
	for range 60 {
		p.sameArgs("SET", word(letters, 1+rnd.IntN(5)), "1")
	}
	patterns := 3000
	if raceEnabled { // nothing happens at the same time, and all slots are looked through each time
		patterns = 300
	}
	for range patterns {
		pattern := word(letters+"**??[[", 1+rnd.IntN(8))
		ours, theirs := sorted(p.ours("KEYS", pattern)), sorted(p.theirs.do("KEYS", pattern))
		if ours != theirs {
			t.Fatalf("KEYS %q\n ours   %q\n theirs %q", pattern, ours, theirs)
		}
	}
}

// sorted returns the bulk strings of an array reply in order.
func sorted(reply string) string {
	lines := strings.Split(reply, "\r\n")
	sort.Strings(lines)
	return strings.Join(lines, "|")
}

// scanAll walks SCAN to its end and returns how often each key came.
func scanAll(t *testing.T, do func(...string) string, between func(), args ...string) map[string]int {
	found := map[string]int{}
	cursor := "0"
	for {
		reply := strings.Split(do(append([]string{"SCAN", cursor}, args...)...), "\r\n")
		if !strings.HasPrefix(reply[0], "*2") {
			t.Fatalf("SCAN: %q", reply)
		}
		cursor = reply[2]
		for i := 5; i < len(reply); i += 2 {
			found[reply[i]]++
		}
		if cursor == "0" {
			return found
		}
		between()
	}
}

func TestScanReturnsEveryKeyOnce(t *testing.T) {
	c, do := newRunner(t)
	rnd := rand.New(rand.NewPCG(2, 2))
	want := map[string]bool{}
	for i := range 1000 {
		key := fmt.Sprint("key:", i)
		if i%2 == 0 {
			key = fmt.Sprintf("{%d}:%d", i%20, i) // many in a slot
		}
		want[key] = true
		do("SET", key, "v")
	}
	for _, count := range []string{"1", "7", "100", "5000"} {
		extra := 0
		found := scanAll(t, do, func() { // other keys come and go meanwhile
			extra++
			do("SET", fmt.Sprint("other:", rnd.IntN(100)), "v")
			do("DEL", fmt.Sprint("other:", rnd.IntN(100)))
		}, "COUNT", count)
		for key := range want {
			if found[key] != 1 {
				t.Errorf("COUNT %s: %s came %d times", count, key, found[key])
			}
		}
	}
	do("FLUSHALL")
	if got := do("DBSIZE"); got != ":0\r\n" {
		t.Errorf("DBSIZE after FLUSHALL: %q", got)
	}
	c.Now++
}

func TestScanHidesExpiredKeys(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "gone", "v", "PX", "10")
	do("SET", "here", "v")
	c.Now += 11
	if found := scanAll(t, do, func() {}); len(found) != 1 || found["here"] != 1 {
		t.Errorf("SCAN: %v", found)
	}
	if got := do("KEYS", "*"); got != "*1\r\n$4\r\nhere\r\n" {
		t.Errorf("KEYS: %q", got)
	}
	for range 20 {
		if got := do("RANDOMKEY"); got != "$4\r\nhere\r\n" {
			t.Errorf("RANDOMKEY: %q", got)
		}
	}
}

func TestKeyspaceCommandsSeeOnlyWhatTheNodeHolds(t *testing.T) {
	c, do := newRunner(t)
	view := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: make([]slots.Node, 2)}
	c.Env.View.Store(view)
	do("MSET", "a", "1")
	do("MSET", "b", "1")
	moved := *view
	moved.Owner[slots.Of([]byte("b"))] = 1
	c.Env.View.Store(&moved)
	for line, want := range map[string]string{"DBSIZE": ":1\r\n", "KEYS *": "*1\r\n$1\r\na\r\n", "KEYS b": "*0\r\n", "SCAN 0": "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", "RANDOMKEY": "$1\r\na\r\n"} {
		if got := do(strings.Fields(line)...); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	moved.Primary, moved.Self = 1, 0
	if got := do("FLUSHALL"); !strings.HasPrefix(got, "-READONLY") {
		t.Errorf("FLUSHALL on a replica: %q", got)
	}
}

func TestRandomKeyReachesEveryKey(t *testing.T) {
	_, do := newRunner(t)
	for i := range 20 {
		do("SET", fmt.Sprintf("{t}%d", i), "v")
		do("SET", fmt.Sprint("k", i), "v")
	}
	seen := map[string]bool{}
	draws := 0
	for ; draws < 5000 && len(seen) < 40; draws++ { // by chance it takes 171
		seen[do("RANDOMKEY")] = true
	}
	t.Logf("%d draws", draws)
	if len(seen) != 40 {
		t.Errorf("RANDOMKEY chose %d of 40 keys", len(seen))
	}
}

func TestPopulate(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "key:3", "mine")
	if err := c.populate(10, "key", 0); err != nil {
		t.Fatal(err)
	}
	if err := c.populate(2, "big", 4); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"key:3": "mine", "key:9": "value:9", "big:1": "valu"} {
		if got := do("GET", key); got != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
			t.Errorf("GET %s: %q", key, got)
		}
	}
	if got := do("DBSIZE"); got != ":12\r\n" {
		t.Errorf("DBSIZE: %q", got)
	}
}

func TestReadingStatistics(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "k", "v")
	do("SET", "gone", "v", "PX", "100")
	run := func(line string) {
		c.Execute(func() (args [][]byte) {
			for _, w := range strings.Fields(line) {
				args = append(args, []byte(w))
			}
			return args
		}())
	}
	c.Now += 30_000
	for _, line := range []string{"GET k", "GET none", "EXISTS k k {k}none", "SET k w", "INCR none2", "GET gone", "DEL gone"} {
		run(line)
	}
	c.Flush()
	if hits, misses := c.Env.Stats.KeyspaceHits.Load(), c.Env.Stats.KeyspaceMisses.Load(); hits != 3 || misses != 3 {
		t.Errorf("%d hits, %d misses, want 3 and 3", hits, misses)
	}
	if n := c.Env.Engine.ExpiredKeys(); n != 1 {
		t.Errorf("%d expired keys, want 1", n)
	}
	c.Now += 30_000
	for _, line := range []string{"EXISTS k", "TTL k", "TYPE k", "OBJECT ENCODING k"} {
		do(strings.Fields(line)...)
	}
	if got := do("OBJECT", "IDLETIME", "k"); got != ":30\r\n" {
		t.Errorf("IDLETIME after 30 s: %q", got)
	}
	do("TOUCH", "k")
	if got := do("OBJECT", "IDLETIME", "k"); got != ":0\r\n" {
		t.Errorf("IDLETIME after TOUCH: %q", got)
	}
	if got := do("OBJECT", "FREQ", "k"); !strings.HasPrefix(got, "-ERR An LFU maxmemory policy is not selected") {
		t.Errorf("FREQ: %q", got)
	}
	if err := c.Env.Config.Set([]config.Pair{{Name: "maxmemory-policy", Value: "allkeys-lfu"}}, true); err != nil {
		t.Fatal(err)
	}
	if got := do("OBJECT", "IDLETIME", "k"); !strings.HasPrefix(got, "-ERR An LFU maxmemory policy is selected") {
		t.Errorf("IDLETIME: %q", got)
	}
}
