package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cobble/storage"
)

const recordLimit = 64 << 10

// newBoundedCall returns a server whose transactions write so many bytes at most.
func newBoundedCall(t *testing.T, bound int64) func(args ...string) string {
	c, _ := newTestCallOf(t, storage.Options{Dir: t.TempDir(), RecordBytes: bound})
	return func(args ...string) string {
		c.Out.Reset()
		request := make([][]byte, len(args))
		for i := range args {
			request[i] = []byte(args[i])
		}
		c.Execute(request)
		for c.Later != nil {
			later := c.Later
			c.Later = nil
			later(nil)
		}
		return string(c.Out.Bytes())
	}
}

const recordLimitText = "-ERR the command or transaction changes more than one record of the log holds, nothing of it was applied\r\n"

// execOf queues commands and returns the reply of EXEC.
func execOf(t *testing.T, do func(...string) string, commands ...[]string) string {
	t.Helper()
	do("MULTI")
	for _, args := range commands {
		if got := do(args...); got != "+QUEUED\r\n" {
			t.Fatalf("%s: %q", args[0], got)
		}
	}
	return do("EXEC")
}

// TestTransactionsAboveOneRecord writes more than a record holds in every way that is one record: nothing may be applied,
// and the reply must say so.
func TestTransactionsAboveOneRecord(t *testing.T) {
	const aborted = "-EXECABORT Transaction discarded because of: ERR the command"
	big := strings.Repeat("x", recordLimit/8)
	var sets, unions, dels [][]string
	msetArgs, delArgs := []string{"MSET"}, []string{"DEL"}
	for i := range 10 {
		sets = append(sets, []string{"SET", fmt.Sprintf("{t}s%d", i), big})
		msetArgs = append(msetArgs, fmt.Sprintf("{t}m%d", i), big)
		unions = append(unions, []string{"ZUNIONSTORE", fmt.Sprintf("{t}u%d", i), "1", "{t}z"})
	}
	do := newBoundedCall(t, recordLimit)
	for from := 0; from < 4000; from += 400 {
		args := []string{"MSET"}
		zadd := []string{"ZADD", "{t}z"}
		for i := range 400 {
			key := fmt.Sprintf("{t}a key to be deleted %d", from+i)
			args, delArgs = append(args, key, "v"), append(delArgs, key)
			if from < 800 {
				zadd = append(zadd, "1", fmt.Sprintf("member%d", from+i))
			}
		}
		do(args...)
		if from < 800 {
			do(zadd...)
		}
		dels = append(dels, append([]string{"DEL"}, args[1:]...))
	}
	before := do("DEBUG", "DIGEST")
	for _, c := range []struct {
		name, want string
		run        func() string
	}{
		{"EXEC of SETs", aborted, func() string { return execOf(t, do, sets...) }},
		{"EXEC of DELs", aborted, func() string { return execOf(t, do, dels...) }},
		{"EXEC of ZUNIONSTOREs", aborted, func() string { return execOf(t, do, unions...) }},
		{"EXEC with a script", aborted, func() string {
			return execOf(t, do, []string{"SET", "{t}first", "1"},
				[]string{"EVAL", "for i=1,10 do redis.call('SET', KEYS[1]..i, ARGV[1]) end", "1", "{t}e", big})
		}},
		{"a script", recordLimitText, func() string {
			return do("EVAL", "for i=1,10 do redis.pcall('SET', KEYS[1]..i, ARGV[1]) end return 'done'", "1", "{t}e", big)
		}},
		{"MSET", recordLimitText, func() string { return do(msetArgs...) }},
		{"DEL", recordLimitText, func() string { return do(delArgs...) }},
	} {
		if got := c.run(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %.200q", c.name, got)
		}
		if after := do("DEBUG", "DIGEST"); after != before {
			t.Fatalf("%s was refused and has changed something", c.name)
		}
	}
	if got := execOf(t, do, sets[:7]...); got != "*7\r\n"+strings.Repeat("+OK\r\n", 7) {
		t.Errorf("EXEC below the bound: %q", got)
	}
}

// TestLaterPartAboveOneRecord has EXEC apply a part before the one that is too large: the replies tell which.
func TestLaterPartAboveOneRecord(t *testing.T) {
	do := newBoundedCall(t, recordLimit)
	big := strings.Repeat("x", recordLimit/2)
	got := execOf(t, do, []string{"SET", "{t}a", "1"}, []string{"DBSIZE"}, []string{"SET", "{t}b", big}, []string{"SET", "{t}c", big}, []string{"TIME"}, []string{"GET", "{t}b"})
	if want := "*6\r\n+OK\r\n:1\r\n" + recordLimitText + recordLimitText + "*2\r\n"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "$-1\r\n") {
		t.Errorf("EXEC: %.400q", got)
	}
	if got := do("DBSIZE"); got != ":1\r\n" {
		t.Errorf("afterwards there are %q keys", got)
	}
}

// TestRandomTransactionsAtTheBound compares transactions around the bound with an engine that has none: what is refused
// changes nothing, what is not does and replies the same, and nobody trips over rows that were left out.
func TestRandomTransactionsAtTheBound(t *testing.T) {
	limited := newBoundedCall(t, 2<<10)
	free := newBoundedCall(t, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	key := func(kind string) string { return fmt.Sprintf("{t}%s%d", kind, rng.IntN(3)) }
	text := func() string { return fmt.Sprintf("%d-%s", rng.IntN(300), strings.Repeat("y", rng.IntN(150))) }
	member := func() string { return fmt.Sprintf("%d-%060d", rng.IntN(300), 0) }
	n := func(most int) string { return fmt.Sprint(rng.IntN(most)) }
	kinds := []func() []string{
		func() []string { return []string{"SET", key("s"), text()} },
		func() []string { return []string{"APPEND", key("s"), text()} },
		func() []string { return []string{"RPUSH", key("l"), text(), text(), text()} },
		func() []string { return []string{"LPUSH", key("l"), text(), text()} },
		func() []string { return []string{"LPOP", key("l"), n(5)} },
		func() []string { return []string{"LMOVE", key("l"), key("l"), "LEFT", "RIGHT"} },
		func() []string { return []string{"LINSERT", key("l"), "BEFORE", text(), text()} },
		func() []string { return []string{"LTRIM", key("l"), n(10), "-" + n(10)} },
		func() []string { return []string{"SADD", key("t"), member(), member(), member()} },
		func() []string { return []string{"SREM", key("t"), member(), member()} },
		func() []string { return []string{"SUNIONSTORE", key("t"), key("t"), key("t")} },
		func() []string {
			return []string{"ZADD", key("z"), n(100), member(), n(100), member(), n(100), member()}
		},
		func() []string { return []string{"ZPOPMIN", key("z"), n(4)} },
		func() []string { return []string{"ZREMRANGEBYRANK", key("z"), n(9), n(9)} },
		func() []string { return []string{"ZUNIONSTORE", key("z"), "2", key("z"), key("z")} },
		func() []string { return []string{"HSET", key("h"), member(), text(), member(), text()} },
		func() []string { return []string{"HDEL", key("h"), member(), member()} },
		func() []string { return []string{"XADD", key("x"), "MAXLEN", n(200), "*", "f", text()} },
		func() []string { return []string{"XTRIM", key("x"), "MAXLEN", n(20)} },
		func() []string {
			k := n(2)
			kind := "slhtzx"[rng.IntN(6):][:1]
			return []string{"COPY", "{t}" + kind + k, key(kind), "REPLACE"}
		},
		func() []string { kind := "slhtzx"[rng.IntN(6):][:1]; return []string{"DEL", key(kind)} },
	}
	refused := 0
	for i := range 1200 {
		var commands [][]string
		for range 1 + rng.IntN(8) {
			commands = append(commands, kinds[rng.IntN(len(kinds))]())
		}
		before := limited("DEBUG", "DIGEST")
		got := execOf(t, limited, commands...)
		if strings.HasPrefix(got, "-EXECABORT") {
			refused++
			if limited("DEBUG", "DIGEST") != before {
				t.Fatalf("transaction %d was refused and has changed something: %.300q", i, commands)
			}
			continue
		}
		if want := execOf(t, free, commands...); got != want {
			t.Fatalf("transaction %d: %.300q\ngot  %.300q\nwant %.300q", i, commands, got, want)
		}
		if limited("DEBUG", "DIGEST") != free("DEBUG", "DIGEST") {
			t.Fatalf("transaction %d has not done the same: %.300q", i, commands)
		}
	}
	if refused < 100 || refused > 1000 {
		t.Errorf("%d of the transactions were refused", refused)
	}
}
