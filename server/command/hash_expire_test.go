package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/storage"
)

// HGETEX with a time and no number is what redis-server 8.0.2 does not survive.
func TestHashFieldArgumentsEnd(t *testing.T) {
	_, do := newRunner(t)
	for _, line := range []string{"HGETEX h EX 10 FIELDS", "HGETEX h PERSIST FIELDS", "HSETEX h EX 10 FNX EXAT", "HEXPIRE h 10 NX FIELDS 1", "HGETEX h EX EX EX"} {
		if got := do(strings.Fields(line)...); got[0] != '-' {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, line := range []string{"HGETEX none FIELDS 2 a b", "HGETDEL none FIELDS 2 a b"} {
		if got := do(strings.Fields(line)...); got != "*2\r\n$-1\r\n$-1\r\n" {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// fieldEvents are the events that redis-server 8.0.2 tells of commands and of fields
// whose time comes.
const fieldEvents = `
	HSET h a 1 b 2 c 3 d 4 e 5 => new hset
	HEXPIRE h 100 FIELDS 2 a b => hexpire
	HEXPIRE h 100 NX FIELDS 2 a b =>
	HEXPIRE h 0 FIELDS 2 a zz => hdel
	HEXPIRE h 0 FIELDS 1 zz =>
	HPERSIST h FIELDS 2 b c => hpersist
	HPERSIST h FIELDS 2 b c =>
	HGETEX h FIELDS 1 b =>
	HGETEX h EX 100 FIELDS 1 b => hexpire
	HGETEX h PERSIST FIELDS 1 b => hpersist
	HGETEX h PERSIST FIELDS 1 b =>
	HGETEX h EXAT 1 FIELDS 1 b => hdel
	HSETEX h FIELDS 1 b 1 => hset
	HSETEX h EX 100 FIELDS 1 b 1 => hset hexpire
	HSETEX h KEEPTTL FIELDS 1 b 1 => hset
	HINCRBY h b 1 => hincrby
	HSETEX h EXAT 1 FIELDS 1 b 1 => hset hdel
	HSETEX h FXX FIELDS 1 b 1 =>
	HSETEX h2 EX 100 FIELDS 1 b 1 => new hset hexpire
	HGETDEL h2 FIELDS 1 zz =>
	HGETDEL h2 FIELDS 1 b => hdel del
	HSET h3 a 1 => new hset
	HEXPIRE h3 0 FIELDS 1 a => hdel del
	HSET h4 a 1 => new hset
	HGETEX h4 EXAT 1 FIELDS 1 a => hdel del
	HSET h5 a 1 b 2 => new hset
	HPEXPIRE h5 1 FIELDS 1 a => hexpire
	HPEXPIRE h5 20000 FIELDS 1 b => hexpire
	sweep 10 => hexpired
	sweep 10000 =>
	sweep 20001 => hexpired del
	HGETEX none FIELDS 1 a => keymiss
	HTTL none FIELDS 1 a => keymiss
`

func TestHashFieldEvents(t *testing.T) {
	c, do := newRunner(t)
	var got []string
	c.Env.Engine.OnEvents(func(_ storage.LSN, events []storage.Event) {
		for _, e := range events {
			got = append(got, e.Name)
		}
	})
	c.Env.Engine.SetEvents(1<<16 - 1)
	for line := range strings.Lines(fieldEvents) {
		command, want, is := strings.Cut(strings.TrimSpace(line), " =>")
		if !is {
			continue
		}
		got = nil
		if words := strings.Fields(command); words[0] == "sweep" {
			later, _ := strconv.ParseInt(words[1], 10, 64)
			if _, err := c.Env.Engine.SweepExpired(c.Now+later, 100); err != nil {
				t.Fatal(err)
			}
		} else {
			do(words...)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v, want%s", command, got, want)
		}
	}
}

// Fields that expire are a change to those who WATCH, once they have, and before and
// after somebody has removed them; INFO counts hashes and fields.
func TestHashFieldsExpireForOthers(t *testing.T) {
	for name, sweep := range map[string]bool{"hidden": false, "removed": true} {
		c, do := newRunner(t)
		for _, fields := range []int{1, 200} { // in both layouts
			do("DEL", "h")
			for i := range fields {
				do("HSET", "h", fmt.Sprint("f", i), "v")
			}
			do("HPEXPIRE", "h", "50", "FIELDS", "1", "f0")
			do("HPEXPIRE", "h", "5000", "FIELDS", "1", "g")
			do("HSETEX", "h", "PX", "500", "FIELDS", "1", "g", "w")
			if got := do("INFO", "keyspace"); !strings.Contains(got, "db0:keys=1,expires=0,avg_ttl=0,subexpiry=1") {
				t.Errorf("%s: %q", name, got)
			}
			try := func(later int64, want string) {
				t.Helper()
				do("WATCH", "h")
				c.Now += later
				if sweep {
					if _, err := c.Env.Engine.SweepExpired(c.Now, 100); err != nil {
						t.Fatal(err)
					}
				}
				do("MULTI")
				do("HLEN", "h")
				if got := do("EXEC"); got != want {
					t.Errorf("%s, %d fields, after %d ms: %q, want %q", name, fields, later, got, want)
				}
			}
			try(40, fmt.Sprintf("*1\r\n:%d\r\n", fields+1))
			try(20, "*-1\r\n")
			try(100, fmt.Sprintf("*1\r\n:%d\r\n", fields))
			try(1000, "*-1\r\n")
		}
	}
}

// A hash all of whose fields have expired is empty to whoever reads it, before anybody
// has removed them, and new to whoever writes.
func TestHashOfExpiredFields(t *testing.T) {
	for _, fields := range []int{2, 200} { // in both layouts
		c, do := newRunner(t)
		fill := func() {
			for i := range fields {
				do("HSETEX", "h", "PX", "10", "FIELDS", "1", fmt.Sprint("f", i), "5")
			}
			c.Now += 11
		}
		fill()
		for _, line := range strings.Split(strings.TrimSpace(`
			HLEN h => :0
			HGETALL h => *0
			HKEYS h => *0
			HGET h f1 => $-1
			HMGET h f0 none => *2|$-1|$-1
			HEXISTS h f1 => :0
			HSTRLEN h f1 => :0
			HSCAN h 0 COUNT 1000 => *2|$1|0|*0
			HRANDFIELD h => $-1
			HRANDFIELD h 2 => *0
			HRANDFIELD h -2 WITHVALUES => *0
			HTTL h FIELDS 1 f1 => *1|:-2
			HPERSIST h FIELDS 1 f1 => *1|:-2
			HEXPIRE h 10 FIELDS 1 f1 => *1|:-2
			HGETEX h FIELDS 1 f1 => *1|$-1
			HGETDEL h FIELDS 1 f1 => *1|$-1
			HDEL h f1 => :0
			HSETEX h FXX FIELDS 1 f1 v => :0
			DUMP h => $-1
			HSETNX h f0 new => :1
			HINCRBY h f1 1 => :1
			HTTL h FIELDS 2 f0 f1 => *2|:-1|:-1
			HLEN h => :2`), "\n") {
			command, want, _ := strings.Cut(strings.TrimSpace(line), " => ")
			if got := do(strings.Fields(command)...); got != strings.ReplaceAll(want, "|", "\r\n")+"\r\n" {
				t.Errorf("%d fields, %s: %q, want %s", fields, command, got, want)
			}
		}
	}
}
