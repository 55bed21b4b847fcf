package command

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage"
)

// start runs a command as its own session in the background and returns where its reply will be.
func start(e *Env, args ...string) <-chan string {
	c := NewCall(e, &Client{authenticated: true})
	c.Now = time.Now().UnixMilli()
	out := make(chan string, 1)
	go func() { out <- execute(c, args...) }()
	return out
}

func untilRunning(t *testing.T, e *Env, n int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); e.Scripts.count.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d scripts run, want %d", e.Scripts.count.Load(), n)
		}
	}
}

// TestScriptKill stops a script that never ends: nothing of what it wrote is left, others for its slot are told that
// it is busy, and those for other slots are served meanwhile.
func TestScriptKill(t *testing.T) {
	c, do := newRunner(t)
	realTime(c.Env)
	c.Env.Scripts.threshold.Store(1)
	do("SET", "k", "before")
	reply := start(c.Env, "EVAL", "redis.call('set',KEYS[1],'after') while true do end", "1", "k")
	untilRunning(t, c.Env, 1)
	if got := do("SET", "other", "1"); got != "+OK\r\n" {
		t.Errorf("another slot: %q", got)
	}
	for c.Env.Scripts.holder(slots.Of([]byte("k"))) == nil {
		time.Sleep(time.Millisecond)
	}
	if got := do("GET", "k"); !strings.HasPrefix(got, "-BUSY ") {
		t.Errorf("the same slot: %q", got)
	}
	if got := do("SCRIPT", "KILL"); got != "+OK\r\n" {
		t.Errorf("kill: %q", got)
	}
	if got := <-reply; !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL...") {
		t.Errorf("the killed script replied %q", got)
	}
	if got := do("GET", "k"); got != "$6\r\nbefore\r\n" {
		t.Errorf("after the kill: %q", got)
	}
	if got := do("SCRIPT", "KILL"); got != "-NOTBUSY No scripts in execution right now.\r\n" {
		t.Errorf("a second kill: %q", got)
	}
}

// TestScriptCannotCatchItsEnd: pcall catches neither a kill nor the end of a try.
func TestScriptCannotCatchItsEnd(t *testing.T) {
	c, do := newRunner(t)
	realTime(c.Env)
	c.Env.Scripts.threshold.Store(1)
	reply := start(c.Env, "EVAL", "while true do pcall(function() local co = coroutine.wrap(function() while true do end end) co() end) end", "0")
	untilRunning(t, c.Env, 1)
	if got := do("SCRIPT", "KILL"); got != "+OK\r\n" {
		t.Errorf("kill: %q", got)
	}
	if got := <-reply; !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL...") {
		t.Errorf("the killed script replied %q", got)
	}
	// The first call meets a slot that is not locked yet, the second one too: each ends a try.
	if got := do("EVAL", "local ok = pcall(redis.call,'set','a',1) ok = pcall(redis.call,'set','b',2) return redis.call('get','a')", "0"); got != "$1\r\n1\r\n" {
		t.Errorf("undeclared keys: %q", got)
	}
}

// TestScriptsShareNothing: what one script does to its environment another does not see, and no interpreter is lost.
func TestScriptsShareNothing(t *testing.T) {
	_, do := newRunner(t)
	for _, attack := range []string{
		"table.insert(_G, 1) return 1", "rawset(string,'x',1) return 1", "getmetatable('').__index = nil return 1", "string.x = 1 return 1",
		"KEYS = nil return 1", "local t = table t.concat = nil return 1", "setmetatable(string,nil) return 1", "table.sort(redis) return 1",
		"cjson.null = 1 return 1", "redis.call = nil return 1", "for k,v in pairs(_G) do if type(v) == 'table' then v.leak = 1 end end return 1",
		"local f = loadstring('leak = 1') f() return 1", "collectgarbage() return 1", "coroutine.wrap(function() leak = 1 end)() return 1",
	} {
		do("EVAL", attack, "0")
		if got := do("EVAL", "local t = {} for k in pairs(_G) do t[#t+1] = k end "+
			"return {type(rawget(_G,'leak')), tostring(rawget(_G,1)), ('x'):upper(), table.concat({1,2},','), type(redis.call), tostring(string.x), tostring(rawget(redis,'leak'))}", "0"); got !=
			"*7\r\n$3\r\nnil\r\n$3\r\nnil\r\n$1\r\nX\r\n$3\r\n1,2\r\n$8\r\nfunction\r\n$3\r\nnil\r\n$3\r\nnil\r\n" {
			t.Errorf("after %s: %q", attack, got)
		}
	}
}

// TestScriptInCluster: a node of a cluster runs a script on the slot of its keys, and only there.
func TestScriptInCluster(t *testing.T) {
	c, do := newRunner(t)
	view := *slots.Local()
	view.Enabled = true
	c.Env.View.Store(&view)
	for _, line := range [][2]string{
		{"EVAL|return redis.call('set',KEYS[1],1)|1|{a}k", "+OK\r\n"},
		{"EVAL|return redis.call('get','{a}k')|1|{a}k", "$1\r\n1\r\n"},
		{"EVAL|return 1|2|{a}k|{b}k", "-CROSSSLOT Keys in request don't hash to the same slot\r\n"},
		{"EVAL|#!lua\nreturn redis.call('get','{b}k')|1|{a}k", "-ERR Script attempted to access keys that do not hash to the same slot script: "},
		{"EVAL|#!lua flags=allow-cross-slot-keys\nreturn redis.call('get','{b}k')|1|{a}k", "$-1\r\n"},
		{"EVAL|#!lua flags=no-cluster\nreturn 1|0", "-ERR Can not run script on cluster, 'no-cluster' flag is set.\r\n"},
	} {
		if got := do(strings.Split(line[0], "|")...); !strings.HasPrefix(got, line[1]) {
			t.Errorf("%s: %q, want %q", line[0], got, line[1])
		}
	}
	c.Env.Engine.SetFollower(true)
	if got := do("EVAL", "return redis.call('set',KEYS[1],2)", "1", "{a}k"); !strings.HasPrefix(got, "-READONLY You can't write against a read only replica.") {
		t.Errorf("a write on a replica: %q", got)
	}
	if got := do("FUNCTION", "FLUSH"); !strings.HasPrefix(got, "-READONLY ") {
		t.Errorf("functions of a replica: %q", got)
	}
}

// TestScriptIsOneRecord: what a script does is one record of the log, so no crash and no replica sees a part of it.
func TestScriptIsOneRecord(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "k", "0")
	before := c.Env.Engine.Log().End()
	one := do("EVAL", "for i=1,1 do redis.call('set','{k}'..i,i) end return 1", "1", "k")
	first := c.Env.Engine.Log().End() - before
	before += first
	many := do("EVAL", "for i=1,100 do redis.call('set','{k}'..i,i) end return 1", "1", "k")
	if one != many {
		t.Fatal(one, many)
	}
	records := 0
	_, err := c.Env.Engine.View(c.Now, 0, storage.OpFunc(func(*storage.Tx) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	if size := c.Env.Engine.Log().End() - before; size > 100*first/2 {
		t.Errorf("100 writes took %d bytes of log, one took %d: %d records?", size, first, records)
	}
}

// realTime makes a test's process wait as long as it says.
func realTime(e *Env) {
	began := time.Now()
	e.Process.Nanos = func() int64 { return int64(time.Since(began)) }
	e.Process.After = func(ms int64) <-chan struct{} {
		done := make(chan struct{})
		time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { close(done) })
		return done
	}
}

// TestScriptOnTheLoop: where others wait, a short script runs at once, and one that takes long or needs more leaves,
// without a trace of its first try.
func TestScriptOnTheLoop(t *testing.T) {
	c, do := newRunner(t)
	realTime(c.Env)
	slow := false
	c.Env.Process.AfterFunc = func(ms int64, f func()) func() bool {
		if !slow { // a short script is one that time does not pass in: on a busy machine it does
			return func() bool { return true }
		}
		return time.AfterFunc(time.Duration(ms)*time.Millisecond, f).Stop
	}
	c.NoWait = true
	do("SET", "k", "1")
	for _, line := range []struct {
		script, want string
		slow, leaves bool
	}{
		{"return redis.call('incr',KEYS[1])", ":2\r\n", false, false},
		{"redis.call('incr',KEYS[1]) for i=1,2000000 do local x = i end return redis.call('incr',KEYS[1])", ":4\r\n", true, true},
		{"redis.call('incr',KEYS[1]) redis.call('set','elsewhere',1) return redis.call('incr',KEYS[1])", ":6\r\n", false, true},
		{"return redis.call('get',KEYS[1])", "$1\r\n6\r\n", false, false},
	} {
		slow = line.slow
		c.Out.Reset()
		c.Execute([][]byte{[]byte("EVAL"), []byte(line.script), []byte("1"), []byte("k")})
		if left := c.Later != nil; left != line.leaves {
			t.Errorf("%s: left the loop: %v", line.script, left)
		}
		for c.Later != nil {
			c.Later(nil)
		}
		if got := string(c.Out.Bytes()); got != line.want {
			t.Errorf("%s: %q, want %q", line.script, got, line.want)
		}
	}
}

// TestScriptIsLate: a script whose time was over before it began leaves, too, and a word that comes when it has left
// does not reach it there.
func TestScriptIsLate(t *testing.T) {
	c, do := newRunner(t)
	realTime(c.Env)
	var end func()
	var run *scriptRun
	c.Env.Process.AfterFunc = func(_ int64, f func()) func() bool {
		end, run = f, c.script.run
		f()
		return func() bool { return false }
	}
	c.NoWait = true
	c.Out.Reset()
	c.Execute([][]byte{[]byte("EVAL"), []byte("redis.call('incr',KEYS[1]) for i=1,100000 do local x = i end return 1"), []byte("1"), []byte("k")})
	if c.Later == nil {
		t.Error("it did not leave")
	}
	end()
	if run.late {
		t.Error("the next try would be ended")
	}
	for c.Later != nil {
		c.Later(nil)
	}
	if got := string(c.Out.Bytes()); got != ":1\r\n" {
		t.Errorf("%q", got)
	}
	c.NoWait = false
	if got := do("GET", "k"); got != "$1\r\n1\r\n" {
		t.Errorf("incremented: %q", got)
	}
}

// TestTimeOfWhatWaited: a command that may have had to wait, for a script that holds its slot or for the disk, happens
// when it has its turn: what it stores for a while lives that long from then on. So do a script and a transaction.
func TestTimeOfWhatWaited(t *testing.T) {
	for _, lines := range [][][]string{
		{{"SET", "k", "v", "PX", "1000"}},
		{{"EVAL", "return redis.call('set',KEYS[1],'v','px',1000)", "1", "k"}},
		{{"MULTI"}, {"SET", "k", "v", "PX", "1000"}, {"EXEC"}},
	} {
		c, do := newRunner(t)
		turn := c.Now + 5000
		c.Env.Process.Micros = func() int64 { return turn * 1000 }
		for _, line := range lines {
			do(line...)
		}
		if got, want := do("PEXPIRETIME", "k"), fmt.Sprintf(":%d\r\n", turn+1000); got != want {
			t.Errorf("%v: expires at %q, want %q", lines, got, want)
		}
	}
}
