package pubsub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// eventful are commands whose events are compared, one after the other.
const eventful = `
SET a 1
SET a 2 EX 100
SET a 3 KEEPTTL
SET b 1 NX
SET b 1 NX
SETNX c 1
SETNX c 1
SETEX d 100 v
PSETEX d 100000 v
GETSET a 5
GETDEL a
GETDEL a
GETEX d
GETEX d PERSIST
GETEX d EX 10
GETEX d EXAT 1
MSET a 1 b 2 new 3
MSETNX m1 1 m2 2
MSETNX m1 1 m3 2
APPEND a x
APPEND fresh x
SETRANGE a 2 yy
SETRANGE a 2 ""
INCR n
INCRBY n 2
DECR n
DECRBY n 2
INCRBYFLOAT n 1.5
SETBIT bits 3 1
BITFIELD bits SET u8 0 9
BITFIELD bits GET u8 0
BITOP AND dest bits a
BITOP AND dest nosuch1 nosuch2
PFADD pf a b
PFADD pf a
PFMERGE pf2 pf
PFCOUNT pf pf2
EXPIRE a 100
EXPIRE a 200 NX
PERSIST a
PERSIST a
PEXPIRE a 100000
EXPIREAT a 1
EXPIRE nosuch 5
DEL b c nosuch
UNLINK new fresh
SET r1 v
RENAME r1 r2
SET r1 v
RENAME r1 r2
RENAMENX r2 r3
SET r2 v
RENAMENX r2 r3
RENAME r3 r3
COPY r3 r4
COPY r3 r4
COPY r3 r4 REPLACE
COPY nosuch r4
LPUSH l 1 2 3
RPUSH l 4
LPUSHX l 5
RPUSHX nosuch 5
LPUSHX nosuch 5
LSET l 0 x
LINSERT l BEFORE x y
LINSERT l BEFORE nosuch y
LREM l 0 x
LREM l 0 nosuch
LTRIM l 0 2
LPOP l
RPOP l
LPOP l 5
LPUSH l 1 2
LMOVE l l2 LEFT RIGHT
RPOPLPUSH l l2
RPOPLPUSH l l2
RPOPLPUSH l2 l2
LMPOP 2 nosuch l2 RIGHT COUNT 1
BLMPOP 0 1 l2 LEFT COUNT 10
LMPOP 1 l2 LEFT
RPUSH l 1 2
BLPOP l 0
BRPOP l 0
RPUSH l 3
BLMOVE l l3 LEFT LEFT 0
LTRIM l3 5 6
SADD s 1 2 3
SADD s 1
SREM s 1 9
SREM s 9
SMOVE s s2 2
SMOVE s s2 9
SADD s2 3
SMOVE s s2 3
SPOP s2
SPOP s2 5
SADD s a
SPOP s
SADD s a b
SADD t b c
SINTERSTORE d1 s t
SUNIONSTORE d1 s t
SDIFFSTORE d1 s s
SDIFFSTORE d1 s s
SORT s ALPHA STORE sorted
SORT nosuch STORE sorted
HSET h f 1
HSET h f 1 g 2
HSETNX h f 1
HSETNX h x 1
HMSET h a 1
HINCRBY h f 1
HINCRBYFLOAT h f 1.5
HDEL h nosuch
HDEL h f
HDEL h g x a
ZADD z 1 a 2 b 3 c 4 d 5 e
ZADD z 1 a
ZADD z XX 1 nosuch
ZADD z INCR 1 a
ZINCRBY z 1 a
ZREM z nosuch
ZREM z a
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYSCORE z 3 3
ZREMRANGEBYLEX z [x [y
ZPOPMIN z
ZPOPMAX z
ZADD z 1 a 2 b 3 c
ZMPOP 1 z MAX
BZMPOP 0 1 z MIN
BZPOPMIN z 0
ZADD z 1 a 2 b 3 c
BZPOPMAX z 0
ZRANGESTORE z2 z 0 -1
ZUNIONSTORE z3 2 z z2
ZINTERSTORE z3 2 z nosuch
ZDIFFSTORE z3 2 z nosuch
GEOADD g 13 38 p 15 37 q
GEOSEARCHSTORE g2 g FROMLONLAT 15 37 BYRADIUS 200 km
GEORADIUS g 15 37 200 km STORE g2
GEORADIUS g 15 37 200 km
GEOSEARCHSTORE g2 g FROMLONLAT 0 0 BYRADIUS 1 km
SET h v
INCR h
LPUSH a x
MULTI
SET tx 1
INCR tx
LPUSH tx 1
DEL tx
EXEC
EVAL redis.call('set',KEYS[1],1)redis.call('incr',KEYS[1])redis.pcall('lpush',KEYS[1],1) 1 scripted
GET nosuch
MGET a nosuch scripted nosuch2
EXISTS nosuch
TTL nosuch
HGET nosuch f
SINTER nosuch nosuch2
GETEX nosuch
OBJECT ENCODING nosuch
XADD x 1-1 f v
XADD x 2-1 f v
XADD x NOMKSTREAM 3-1 f v
XADD nosuch NOMKSTREAM 3-1 f v
XGROUP CREATE x grp 0
XGROUP CREATE made grp $ MKSTREAM
XGROUP CREATECONSUMER x grp me
XREADGROUP GROUP grp me COUNT 2 STREAMS x >
XACK x grp 1-1
XCLAIM x grp me 0 2-1
XREADGROUP GROUP grp you STREAMS x >
XREADGROUP GROUP grp you STREAMS x 0
XREADGROUP GROUP grp they STREAMS x 0
XCLAIM x grp them 0 2-1
XCLAIM x grp them 0 2-1
XAUTOCLAIM x grp another 0 0
XGROUP SETID x grp 0
XGROUP DELCONSUMER x grp me
XGROUP DESTROY x grp
XSETID x 9-1
XADD x MAXLEN 2 10-1 f v
XADD x MAXLEN 2 10-2 f v
XADD x MAXLEN 5 10-3 f v
XADD x MINID 10-3 10-4 f v
XADD x MAXLEN 0 10-5 f v
XADD x 11-1 f v
XADD x 12-1 f v
XDEL x 11-1
XDEL x 11-1
XTRIM x MAXLEN 1
XTRIM x MAXLEN 1
EVAL local t={} for i=1,5000 do t[i]=i%2 end for i=1,2 do redis.call('rpush',KEYS[1],unpack(t)) end 1 long
LREM long 0 2
LREM long 0 1
LREM long 0 0
SET gone v PX 1
`

func TestEvents(t *testing.T) {
	for _, classes := range []string{"KEAn", "Km", "Kg$", "Ex$lhn", "A"} {
		redis := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true})
		want := events(t, redis, classes)
		for _, driver := range []string{"yes", "no"} {
			cobble := proc.Start(t, proc.Options{Standalone: true, Args: []string{"--event-loop", driver}})
			if got := events(t, cobble, classes); got != want {
				g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
				for i := range w {
					if i >= len(g) || g[i] != w[i] {
						t.Errorf("%s, event-loop %s:\ngot\n%s\nwant\n%s", classes, driver, strings.Join(g[max(0, i-4):min(len(g), i+4)], "\n"), strings.Join(w[max(0, i-4):min(len(w), i+4)], "\n"))
						break
					}
				}
			}
		}
	}
}

// events returns what a client hears of the commands. A message that is sent when all are done ends it.
func events(t *testing.T, s *proc.Server, classes string) string {
	t.Helper()
	listener, c := s.Conn(), s.Conn()
	must := func(reply any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(reply, err)
		}
	}
	must(c.Do("CONFIG", "SET", "notify-keyspace-events", classes))
	must(listener.Do("PSUBSCRIBE", "__key*__:*"))
	for _, line := range strings.Split(strings.TrimSpace(eventful), "\n") {
		words := strings.Fields(line)
		for i := range words {
			if words[i] == `""` {
				words[i] = ""
			}
		}
		if words[0] == "EVAL" {
			words = append([]string{"EVAL", strings.Join(words[1:len(words)-2], " ")}, words[len(words)-2:]...)
		}
		c.Do(words...) // an error is as good as a reply
	}
	proc.Eventually(t, time.Minute, "a key that expires", func() error {
		reply, err := c.Do("INFO", "stats")
		if text, _ := reply.Str(); err != nil || strings.Contains(text, "\nexpired_keys:0\r") {
			return fmt.Errorf("none has expired: %v", err)
		}
		return nil
	})
	must(c.Do("CONFIG", "SET", "notify-keyspace-events", "KEA"))
	must(c.Do("SET", "finish", "x"))
	var heard []string
	for {
		message, err := listener.ReceiveAny()
		if err != nil {
			t.Fatalf("%v after %s", err, strings.Join(heard, "\n"))
		}
		words, err := message.Strs()
		if err != nil {
			t.Fatal(message, err)
		}
		if words[2] == "__keyspace@0__:finish" {
			return strings.Join(heard, "\n")
		}
		heard = append(heard, strings.Join(words[2:], " "))
	}
}

// What MIGRATE has moved is told as deleted, and created where it went.
func TestMigrateIsTold(t *testing.T) {
	told := func(program proc.Program) string {
		from, to := proc.Start(t, proc.Options{Program: program, Standalone: true}), proc.Start(t, proc.Options{Program: program, Standalone: true})
		var heard []string
		for _, key := range []string{"a", "b"} {
			from.Do("SET", key, "v")
		}
		var listeners []*respconn.Conn
		for _, s := range []*proc.Server{from, to} {
			s.Do("CONFIG", "SET", "notify-keyspace-events", "EAn")
			l := s.Conn()
			if _, err := l.Do("PSUBSCRIBE", "__keyevent@0__:*"); err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
		}
		from.Do("MIGRATE", "127.0.0.1", fmt.Sprint(to.Port), "a", "0", "60000", "COPY")
		from.Do("MIGRATE", "127.0.0.1", fmt.Sprint(to.Port), "", "0", "60000", "REPLACE", "KEYS", "a", "nosuch", "b")
		from.Do("SET", "finish", "")
		to.Do("SET", "finish", "")
		for _, l := range listeners {
			for last := ""; last != "finish"; {
				message, err := l.ReceiveAny()
				if err != nil {
					t.Fatal(err)
				}
				words, err := message.Strs()
				if err != nil {
					t.Fatal(message, err)
				}
				last = words[3]
				heard = append(heard, strings.Join(words[2:], " "))
			}
		}
		return strings.Join(heard, "\n")
	}
	if got, want := told(proc.Cobble), told(proc.Redis); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
