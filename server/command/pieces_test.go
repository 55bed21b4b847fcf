package command

import (
	"fmt"
	"strings"
	"testing"

	"cobble/slots"
)

// many is one element more than a command may write in one record when it need not.
const many = 4097

// TestLongCommands: commands on more elements than one hold of a slot takes have the replies and the effects of Redis,
// in the shapes that results may have: large, small, none, in place of a source.
func TestLongCommands(t *testing.T) {
	p := newPair(t, 2)
	fill := func(words []string, element func(i int) []string, from, to int) {
		args := words
		for i := from; i < to; i++ {
			args = append(args, element(i)...)
		}
		p.sameArgs(args...)
	}
	member := func(i int) []string { return []string{fmt.Sprintf("m%d", i)} }
	scored := func(i int) []string { return []string{fmt.Sprint(float64(i%100) / 8), fmt.Sprintf("m%d", i)} }
	field := func(i int) []string { return []string{fmt.Sprintf("m%d", i), fmt.Sprint(i)} }
	fill([]string{"SADD", "{k}s1"}, member, 0, many)
	fill([]string{"SADD", "{k}s2"}, member, many/2, many+many/2)
	fill([]string{"SADD", "{k}s3"}, member, many-5, 2*many)
	fill([]string{"SADD", "{k}ints"}, func(i int) []string { return []string{fmt.Sprint(i)} }, 0, many)
	fill([]string{"SADD", "{k}small"}, member, 10, 20)
	fill([]string{"ZADD", "{k}z1"}, scored, 0, many)
	fill([]string{"ZADD", "{k}z2"}, scored, many/2, many+many/2)
	fill([]string{"HSET", "{k}h"}, field, 0, many)
	fill([]string{"RPUSH", "{k}l"}, member, 0, many)
	p.same("LINSERT {k}l BEFORE m100 inserted")
	for i := range many {
		p.sameArgs("XADD", "{k}x", fmt.Sprintf("1-%d", i+1), "f", "v")
	}
	p.same("XGROUP CREATE {k}x g 0")
	p.same("SETRANGE {k}str 5000000 end")
	p.same("EXPIREAT {k}h 33177117420")

	drafts := func() uint64 { return p.call.Env.Engine.Stats().Drafts }
	result := func(line string, key string) {
		t.Helper()
		before := drafts()
		reply := p.same(line)
		few := strings.HasSuffix(line, "INTERSTORE {k}d 2 {k}z1 {k}small") || strings.HasSuffix(line, "INTERSTORE {k}d {k}s1 {k}small") || strings.Contains(line, "DIFFSTORE {k}d {k}small")
		if reply != ":0\r\n" && (drafts() == before) != few && strings.Contains(line, "STORE") {
			t.Errorf("%s: drafts before %d, after %d", line, before, drafts())
		}
		for _, ask := range []string{"TYPE", "DEBUG DIGEST-VALUE", "EXPIRETIME"} {
			p.same(ask + " " + key)
		}
	}
	for _, key := range []string{"s1", "ints", "z1", "h", "l", "x", "str"} {
		result("COPY {k}"+key+" {k}copy"+key, "{k}copy"+key)
		result("COPY {k}"+key+" {k}copys1", "{k}copys1")
		result("COPY {k}"+key+" {k}copys1 REPLACE", "{k}copys1")
	}
	for _, line := range []string{
		"SUNIONSTORE {k}d {k}s1 {k}s2", "SUNIONSTORE {k}d {k}s1 {k}none", "SUNIONSTORE {k}d {k}ints {k}small", "SUNIONSTORE {k}s3 {k}s3 {k}s1",
		"SINTERSTORE {k}d {k}s1 {k}s2", "SINTERSTORE {k}d {k}s1 {k}small", "SINTERSTORE {k}d {k}s1 {k}none", "SINTERSTORE {k}d {k}s1 {k}ints",
		"SDIFFSTORE {k}d {k}s1 {k}s2", "SDIFFSTORE {k}d {k}small {k}s1", "SDIFFSTORE {k}d {k}s2 {k}small", "SDIFFSTORE {k}d {k}s1 {k}s1",
		"ZUNIONSTORE {k}d 2 {k}z1 {k}z2", "ZUNIONSTORE {k}d 3 {k}z1 {k}z2 {k}s1 WEIGHTS 2 0.5 1 AGGREGATE MAX", "ZUNIONSTORE {k}z2 2 {k}z2 {k}small",
		"ZINTERSTORE {k}d 2 {k}z1 {k}z2 AGGREGATE MIN", "ZINTERSTORE {k}d 2 {k}z1 {k}small", "ZINTERSTORE {k}d 2 {k}z1 {k}none",
		"ZDIFFSTORE {k}d 2 {k}z1 {k}z2", "ZDIFFSTORE {k}d 2 {k}z1 {k}z1",
	} {
		result(line, "{k}d")
		result("TYPE {k}s3", "{k}s3")
	}
	fill([]string{"GEOADD", "{k}g"}, func(i int) []string {
		return []string{fmt.Sprint(float64(i%70) / 100), fmt.Sprint(40 + float64(i/70)/100), fmt.Sprintf("m%d", i)}
	}, 0, many)
	p.same("ZADD {k}lex 0 a")
	fill([]string{"ZADD", "{k}lex"}, func(i int) []string { return []string{"0", fmt.Sprintf("m%d", i)} }, 0, many)
	for _, line := range []string{
		"ZRANGESTORE {k}d {k}z1 0 -1", "ZRANGESTORE {k}d {k}lex (a + BYLEX", "ZRANGESTORE {k}d {k}lex + - BYLEX REV LIMIT 1 4097",
		"ZRANGESTORE {k}copyz1 {k}z1 -inf (100 BYSCORE", "ZRANGESTORE {k}lex {k}lex 1 -1 REV",
		"GEOSEARCHSTORE {k}d {k}g FROMLONLAT 0.3 40.3 BYRADIUS 500 km", "GEOSEARCHSTORE {k}d {k}g FROMLONLAT 0.3 40.3 BYRADIUS 500 km DESC COUNT 5000",
		"GEOSEARCHSTORE {k}d {k}g FROMMEMBER m7 BYBOX 1000 1000 km STOREDIST", "GEORADIUS {k}g 0.3 40.3 500 km STORE {k}d",
		"GEORADIUSBYMEMBER {k}g m8 500 km STOREDIST {k}d", "GEOSEARCHSTORE {k}g {k}g FROMLONLAT 0.3 40.3 BYRADIUS 500 km",
		"GEORADIUS {k}g 0.3 40.3 500 km ASC COUNT 4096 STORE {k}g",
		"SORT {k}s1 ALPHA STORE {k}d", "SORT {k}ints STORE {k}d", "SORT {k}ints DESC LIMIT 7 10 STORE {k}d", "SORT {k}ints BY nosort GET # GET none STORE {k}d",
		"SORT {k}l ALPHA DESC STORE {k}d", "SORT {k}l BY nosort DESC STORE {k}d", "SORT {k}z1 BY nosort DESC STORE {k}d", "SORT {k}z1 BY nosort LIMIT 0 -1 STORE {k}d",
		"SORT {k}l ALPHA STORE {k}copyl", "SORT {k}copyl BY nosort DESC STORE {k}copyl",
	} {
		if strings.Contains(line, "STOREDIST") { // distances differ in their last bits
			p.same(line)
			p.same("ZCARD {k}d")
			p.same("DEL {k}d")
		} else {
			result(line, "{k}d")
		}
		for _, key := range []string{"copyz1", "lex", "g", "copyl"} {
			p.same("DEBUG DIGEST-VALUE {k}" + key)
		}
	}
	for _, line := range []string{
		"ZRANGESTORE {k}d {k}lex 10 5000 REV", "ZRANK {k}d m4000", "ZRANGESTORE {k}d {k}none 0 -1", "EXISTS {k}d", "ZRANGESTORE {k}d {k}z1 10 19", "ZRANGE {k}d 0 -1", "ZRANGESTORE {k}d {k}s1 0 -1",
		"GEOSEARCHSTORE {k}d {k}g FROMLONLAT 0 -80 BYRADIUS 1 km", "EXISTS {k}d", "GEOSEARCHSTORE {k}d {k}l FROMLONLAT 0 -80 BYRADIUS 1 km",
		"SORT {k}s1 STORE {k}d", "SORT {k}h STORE {k}d", "SET {k}d 1", "SORT {k}none STORE {k}d", "EXISTS {k}d", "MSET {k}w_m1 7 {k}w_m2 5", "SORT {k}s1 BY {k}w_* STORE {k}d", "LLEN {k}d", "LRANGE {k}d -2 -1",
	} {
		p.same(line)
	}
	p.same("DEL {k}l")
	fill([]string{"RPUSH", "{k}l"}, func(i int) []string { // so long that looking for an element is
		if i%4 == 0 {
			return []string{"x"}
		}
		return member(i)
	}, 0, 17*many)
	for _, line := range []string{
		"LREM {k}l 0 none", "LINSERT {k}l BEFORE none new", "LINSERT {k}l AFTER m69001 new", "LREM {k}l 1 m69001", "LREM {k}l -1 m1",
		"LREM {k}l 5000 x", "LREM {k}l -5000 x", "LREM {k}l 0 x",
	} {
		before := drafts()
		p.same(line)
		if (drafts() > before) == strings.Contains(line, "none") { // whatever writes nothing is not counted
			t.Errorf("%s: %d drafts, and %d before", line, drafts(), before)
		}
		for _, ask := range []string{"LLEN {k}l", "DEBUG DIGEST-VALUE {k}l", "OBJECT ENCODING {k}l", "LINDEX {k}l 30000", "LPOS {k}l m40001"} {
			p.same(ask)
		}
	}
	p.same("LTRIM {k}l 5000 20000")
	p.same("DEBUG DIGEST-VALUE {k}l")
	p.same("DEL {k}l")
	fill([]string{"RPUSH", "{k}l"}, func(int) []string { return []string{"x"} }, 0, 2*many)
	p.same("LREM {k}l 0 x")
	p.same("EXISTS {k}l")
	p.same("ZRANK {k}z2 m4000")
	p.same("ZRANGE {k}z2 2000 2010 WITHSCORES")
	for _, line := range []string{
		"ZUNION 3 {k}z1 {k}z2 {k}s1 WEIGHTS 0.5 -2 0.25 WITHSCORES", "ZUNION 3 {k}z1 {k}z1 {k}small AGGREGATE MIN", "ZUNION 2 {k}none {k}z1 WEIGHTS 1 -inf WITHSCORES",
		"ZINTER 2 {k}z1 {k}z2 WITHSCORES", "ZDIFF 2 {k}z1 {k}z2", "ZINTERCARD 2 {k}z1 {k}z2", "ZINTERCARD 2 {k}z1 {k}z2 LIMIT 7", "ZINTERCARD 3 {k}z1 {k}s1 {k}s1 LIMIT 5000",
		"ZINTERCARD 2 {k}small {k}s1 LIMIT 10", "SINTERCARD 2 {k}s1 {k}s2", "SINTERCARD 2 {k}s1 {k}s2 LIMIT 2",
	} {
		p.same(line)
	}
	p.same("WATCH {k}d")
	p.same("SUNIONSTORE {k}d {k}s1 {k}s2")
	p.same("MULTI")
	p.same("PING")
	p.same("EXEC")
	p.same("MULTI")
	p.same("SUNIONSTORE {k}d {k}s1 {k}s2")
	p.same("COPY {k}d {k}e")
	p.same("EXEC")
	p.same("DEBUG DIGEST-VALUE {k}d {k}e")
}

// TestLongCommandOfASlotThatLeaves: what has come to pass with its slot before the last record is heeded, as of then.
func TestLongCommandOfASlotThatLeaves(t *testing.T) {
	c, do := newRunner(t)
	view := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: make([]slots.Node, 2)}
	c.Env.View.Store(view)
	args := []string{"SADD", "{k}from"}
	for i := range many {
		args = append(args, fmt.Sprintf("m%d", i))
	}
	do(args...)
	of := slots.Of([]byte("k"))
	micros, calls, last, at := c.Env.Process.Micros, 0, 0, 0
	var change func()
	var slept int64 // µs
	c.Env.Process.Micros = func() int64 {
		if calls++; c.Env.Engine.Stats().Drafts == 0 {
			last = calls
		}
		if calls == at {
			change()
		}
		return micros() + slept
	}
	if got := do("COPY", "{k}from", "{k}to"); got != ":1\r\n" || last == 0 || c.Env.Engine.Stats().Drafts != 1 {
		t.Fatalf("%q, %d times asked for the time", got, last)
	}
	do("DEL", "{k}to")
	at = last
	for name, test := range map[string]struct {
		change func()
		want   string
	}{
		"its new owner has it": {func() {
			moved := *view
			moved.Owner[of] = 1
			c.Env.View.Store(&moved)
		}, "-MOVED "},
		"it begins to leave": {func() {
			leaves := *view
			leaves.Migrating = map[slots.Slot]uint16{of: 1}
			c.Env.View.Store(&leaves)
		}, "-TRYAGAIN "},
		"another slot begins to leave": {func() {
			leaves := *view
			leaves.Migrating = map[slots.Slot]uint16{of + 1: 1}
			c.Env.View.Store(&leaves)
		}, ":1"},
		"the node has slept": {func() {
			c.Env.ServeUntil.Store(micros()/1000 + 10_000)
			slept = 20_000_000
		}, "-CLUSTERDOWN "},
	} {
		calls, change = 0, test.change
		if got := do("COPY", "{k}from", "{k}to"); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %s", name, got, test.want)
		}
		c.Env.View.Store(view)
		c.Env.ServeUntil.Store(0)
		slept = 0
		whole := fmt.Sprintf(":%d\r\n", many)
		if got := do("SCARD", "{k}to"); (got == whole) != (test.want == ":1") || got != whole && got != ":0\r\n" {
			t.Errorf("%s: the copy has %q", name, got)
		}
		do("DEL", "{k}to")
	}
}
