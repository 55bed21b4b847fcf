package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestHashRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		HGET h f
		HGETALL h
		HKEYS h
		HVALS h
		HLEN h
		HMGET h a b
		HSTRLEN h f
		HEXISTS h f
		HDEL h f
		HSCAN h 0
		HRANDFIELD h
		HRANDFIELD h 5
		HRANDFIELD h -5 WITHVALUES
		HSET h f
		HSET h f v g
		HSET h f v g w
		HSET h f v2 i x
		HSET h f v f w new n new m
		HGETALL h
		HKEYS h
		HVALS h
		HMSET h a 1
		HMSET h a
		HMSET h a 1 b
		HMGET h a none f
		HSETNX h a 2
		HSETNX h z 2
		HSTRLEN h f
		HSTRLEN h none
		HEXISTS h f
		HEXISTS h none
		HINCRBY h a 5
		HINCRBY h a -10
		HINCRBY h count 9223372036854775807
		HINCRBY h count 1
		HINCRBY h count -1
		HINCRBY h low -9223372036854775808
		HINCRBY h low -1
		HINCRBY h f 1
		HINCRBY h a x
		HINCRBY h a 1.5
		HINCRBY h a 9223372036854775808
		HSET h spaced " 1" zero 01 plus +1 minus -0
		HINCRBY h spaced 1
		HINCRBY h zero 1
		HINCRBY h plus 1
		HINCRBY h minus 1
		HINCRBYFLOAT h a 1.5
		HINCRBYFLOAT h a -0.1
		HINCRBYFLOAT h a 1e3
		HINCRBYFLOAT h f 1
		HINCRBYFLOAT h a x
		HINCRBYFLOAT h a inf
		HINCRBYFLOAT h a -inf
		HINCRBYFLOAT h a nan
		HINCRBYFLOAT h new2 0.1
		HINCRBYFLOAT h new2 0.2
		HSET h infinite inf
		HINCRBYFLOAT h infinite 1
		HINCRBYFLOAT huge f 1e4931
		HSTRLEN huge f
		HINCRBYFLOAT h spaced 1
		HINCRBYFLOAT h zero 1
		HGETALL h
		HDEL h a none b f f
		HLEN h
		HSCAN h 0
		HSCAN h 0 MATCH n*
		HSCAN h 0 MATCH n* COUNT 100
		HSCAN h 0 COUNT 100 MATCH *w
		HSCAN h 0 COUNT 0
		HSCAN h 0 COUNT -1
		HSCAN h 0 COUNT x
		HSCAN h 0 COUNT
		HSCAN h 0 NOVALUES
		HSCAN h 0 TYPE string
		HSCAN h x
		HSCAN h 18446744073709551616
		HSCAN h -1 MATCH nothing
		HRANDFIELD h x
		HRANDFIELD h 0
		HRANDFIELD h 0 WITHVALUES
		HRANDFIELD h 1 WITHX
		HRANDFIELD h 1 WITHVALUES x
		HRANDFIELD h -9223372036854775808
		HRANDFIELD h -9223372036854775807 WITHVALUES
		HRANDFIELD h 9223372036854775807 WITHVALUES
		HSET one f v
		HRANDFIELD one
		HRANDFIELD one 1
		HRANDFIELD one 10
		HRANDFIELD one -3
		HRANDFIELD one 10 WITHVALUES
		HRANDFIELD one -2 WITHVALUES
		HDEL one f
		HLEN one
		HGETALL one
		SET string v
		HSET string f v
		HSETNX string f v
		HMSET string f v
		HGET string f
		HMGET string f
		HGETALL string
		HKEYS string
		HVALS string
		HDEL string f
		HLEN string
		HSTRLEN string f
		HEXISTS string f
		HINCRBY string f 1
		HINCRBY string f x
		HINCRBYFLOAT string f 1
		HINCRBYFLOAT string f x
		HSCAN string 0
		HSCAN string x
		HRANDFIELD string
		HRANDFIELD string 1
		HRANDFIELD string x
		HSET h "" empty
		HGET h ""
		HSET h "\x00\xff" "\r\n"
		HGET h "\x00\xff"
		APPEND h x
	`)
}

// sortedGroups orders the parts of a flat RESP2 reply, of HGETALL and its like, by groups
// of bulk strings.
func sortedGroups(reply string, group int) []string {
	var parts []string
	for rest := reply[strings.Index(reply, "\r\n")+2:]; rest != ""; {
		at := strings.Index(rest, "\r\n")
		n, _ := strconv.Atoi(rest[1:at])
		parts, rest = append(parts, rest[:at+2+n+2]), rest[at+2+n+2:]
	}
	var groups []string
	for i := 0; i+group <= len(parts); i += group {
		groups = append(groups, strings.Join(parts[i:i+group], ""))
	}
	slices.Sort(groups)
	return groups
}

// Random commands on hashes of all sizes get the same replies, up to the order of
// fields once a hash is too large to stay inline.
func TestHashesAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rng := rand.New(rand.NewPCG(9, 10))
	field := func() string { return fmt.Sprint("f", rng.IntN(300)) }
	value := func() string {
		if rng.IntN(3) > 0 {
			return strconv.Itoa(rng.IntN(1 << rng.IntN(31)))
		}
		return strings.Repeat("v", rng.IntN(90))
	}
	for i := range 3000 {
		key := fmt.Sprint("h", rng.IntN(4))
		switch rng.IntN(12) {
		case 0, 1, 2:
			args := []string{"HSET", key}
			for range 1 + rng.IntN(6) {
				args = append(args, field(), value())
			}
			p.sameArgs(args...)
		case 3:
			p.sameArgs("HDEL", key, field(), field())
		case 4:
			p.sameArgs("HINCRBY", key, field(), value())
		case 5:
			p.sameArgs("HINCRBYFLOAT", key, field(), "0."+strconv.Itoa(rng.IntN(100)))
		case 6:
			p.sameArgs("HSETNX", key, field(), value())
		case 7:
			p.sameArgs("HMGET", key, field(), field(), field())
		case 8:
			p.sameArgs("HSTRLEN", key, field())
		case 9:
			p.sameArgs("HLEN", key)
		case 10:
			if rng.IntN(20) == 0 {
				for range 300 {
					p.sameArgs("HDEL", key, field(), field(), field())
				}
			}
			p.sameArgs("HEXISTS", key, field())
		case 11:
			for name, group := range map[string]int{"HGETALL": 2, "HKEYS": 1, "HVALS": 1} {
				ours, theirs := p.ours(name, key), p.theirs.do(name, key)
				if !slices.Equal(sortedGroups(ours, group), sortedGroups(theirs, group)) {
					t.Errorf("%s %s\n  ours   %q\n  theirs %q", name, key, ours, theirs)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("after %d commands", i)
		}
	}
}

// Replies of chosen fields have the shape that Redis gives them, in both protocols.
func TestHashRandomFieldShapes(t *testing.T) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		for _, key := range []string{"inline", "rows"} {
			n := map[string]int{"inline": 20, "rows": 400}[key]
			for i := range n {
				p.sameArgs("HSET", key, fmt.Sprint(1000+i), "value")
			}
			for _, args := range [][]string{
				{"HRANDFIELD", key}, {"HRANDFIELD", key, "1"}, {"HRANDFIELD", key, "7"}, {"HRANDFIELD", key, "5000"},
				{"HRANDFIELD", key, "-7"}, {"HRANDFIELD", key, "-900"}, {"HRANDFIELD", key, "3", "WITHVALUES"},
				{"HRANDFIELD", key, "390", "WITHVALUES"}, {"HRANDFIELD", key, "-500", "WITHVALUES"},
			} {
				ours, theirs := p.ours(args...), p.theirs.do(args...)
				if shape(ours) != shape(theirs) {
					t.Errorf("protocol %d: %v\n  ours   %.200q\n  theirs %.200q", proto, args, ours, theirs)
				}
			}
		}
	}
}

// shape replaces the digits inside field names, which are all of one length.
func shape(reply string) string {
	lines := strings.Split(reply, "\r\n")
	for i, line := range lines {
		if len(line) == 4 && strings.Trim(line, "0123456789") == "" {
			lines[i] = "field"
		}
	}
	return strings.Join(lines, "\r\n")
}

// A scan of a large hash, in its own cursors, sees what the hash has.
func TestHashScanOfRows(t *testing.T) {
	_, do := newTestCall(t)
	const n = 1000
	for i := range n {
		do("HSET", "h", fmt.Sprint("f", i), "v")
	}
	seen, cursor := map[string]bool{}, "0"
	for {
		reply := strings.Split(do("HSCAN", "h", cursor, "COUNT", "37", "MATCH", "f*"), "\r\n")
		cursor = reply[2]
		for i := 5; i < len(reply); i += 4 {
			if seen[reply[i]] {
				t.Fatalf("%s twice", reply[i])
			}
			seen[reply[i]] = true
		}
		if cursor == "0" {
			break
		}
	}
	if len(seen) != n {
		t.Fatalf("%d of %d fields seen", len(seen), n)
	}
	if got := do("HSCAN", "h", "18446744073709551615"); got != "*2\r\n$1\r\n0\r\n*0\r\n" {
		t.Errorf("a cursor beyond the end: %q", got)
	}
}

func TestHotHashCommandsDoNotAllocate(t *testing.T) {
	c, do := newRunner(t)
	for i := range 20 {
		do("HSET", "h", fmt.Sprint("f", i), fmt.Sprint(i))
	}
	for i := range 300 {
		do("HSET", "rows", fmt.Sprint("f", i), fmt.Sprint(i))
	}
	for line, most := range map[string]float64{
		"HGET h f15": 0, "HSET h f15 text": 0, "HSET h new text": 0, "HINCRBY h f3 1": 0, "HDEL h f15": 0, "HEXISTS h f1": 0,
		"HLEN h": 0, "HMGET h f1 f2": 0, "HGETALL h": 0, "HGET rows f15": 0, "HSET rows f15 text": 0,
	} {
		if n := allocationsOf(t, c, line); n > most {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

// The same with the engine around it: lock, log record and rows included.
func TestHashCommandsHardlyAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, do := newRunner(t)
	for i := range 20 {
		do("HSET", "h", fmt.Sprint("f", i), fmt.Sprint(i))
	}
	for i := range 300 {
		do("HSET", "rows", fmt.Sprint("f", i), fmt.Sprint(i))
	}
	for _, line := range []string{"HGET h f15", "HSET h f15 text", "HINCRBY h f3 1", "HGETALL h", "HGET rows f15", "HSET rows f15 text"} {
		args := wordsOf(t, line)
		c.Args = c.Args[:0]
		for _, a := range args {
			c.Args = append(c.Args, []byte(a))
		}
		c.Cmd = c.Env.Table.Find(c.Args[0])
		if n := testing.AllocsPerRun(1000, func() {
			c.Out.Reset()
			if err := c.Run(); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for _, size := range []int{10, 100, 1_000_000} {
		c, _ := newTestCall(b)
		c.Cmd = c.Env.Table.Find([]byte("hset"))
		for i := 0; i < size; i += 1000 {
			c.Args = [][]byte{nil, []byte("h")}
			for j := i; j < min(i+1000, size); j++ {
				c.Args = append(c.Args, fmt.Append(nil, "field:", j), []byte("value"))
			}
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
			c.Out.Reset()
		}
		for _, name := range []string{"hget", "hset"} {
			b.Run(fmt.Sprintf("%s/fields=%d", name, size), func(b *testing.B) {
				c.Cmd = c.Env.Table.Find([]byte(name))
				rng := rand.New(rand.NewPCG(1, 1))
				field := make([]byte, 0, 32)
				value := []byte("other")
				b.ReportAllocs()
				for b.Loop() {
					field = strconv.AppendInt(append(field[:0], "field:"...), int64(rng.IntN(size)), 10)
					c.Args = append(c.Args[:0], nil, []byte("h"), field)
					if name == "hset" {
						c.Args = append(c.Args, value)
					}
					c.Out.Reset()
					if err := c.Run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
