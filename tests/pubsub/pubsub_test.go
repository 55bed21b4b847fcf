package pubsub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// dialogue is what clients a, b and c say, a line each: "a> command" sends, "a< n" reads n replies or messages.
const dialogue = `
a> SUBSCRIBE one two one
a< 3
a> PING
a< 1
a> PING hello
a< 1
b> PUBLISH one hi
b< 1
a< 1
a> PSUBSCRIBE o* th*
a< 2
b> PUBLISH one again
b< 1
a< 2
b> PUBLISH three x
b< 1
a< 1
b> PUBSUB CHANNELS on*
b< 1
b> PUBSUB CHANNELS t*
b< 1
b> PUBSUB NUMSUB one three
b< 1
b> PUBSUB NUMPAT
b< 1
b> PUBSUB NUMSUB
b< 1
b> PUBSUB HELP
b< 1
b> PUBSUB nosuch
b< 1
b> PUBSUB CHANNELS a b
b< 1
a> UNSUBSCRIBE one
a< 1
a> UNSUBSCRIBE nosuch
a< 1
b> PUBLISH one unheard
b< 1
a< 1
a> PUNSUBSCRIBE o* th*
a< 2
a> UNSUBSCRIBE two
a< 1
a> UNSUBSCRIBE
a< 1
a> PUNSUBSCRIBE
a< 1
a> GET x
a< 1
a> SSUBSCRIBE s1 s1
a< 2
b> SPUBLISH s1 m
b< 1
a< 1
b> PUBLISH s1 m
b< 1
b> PUBSUB SHARDCHANNELS
b< 1
b> PUBSUB SHARDNUMSUB s1 s2
b< 1
a> SUNSUBSCRIBE
a< 1
a> SUNSUBSCRIBE
a< 1
c> MULTI
c< 1
c> SUBSCRIBE inside
c< 1
c> EXEC
c< 1
b> PUBLISH inside x
b< 1
c< 1
c> RESET
c< 1
b> PUBLISH inside x
b< 1
b> SUBSCRIBE
b< 1
b> PUBLISH one
b< 1
`

// only2 is what RESP2 alone refuses.
const only2 = `
a> SUBSCRIBE x
a< 1
a> GET k
a< 1
a> CLIENT ID
a< 1
a> PUBLISH x y
a< 1
a> QUIT
a< 1
`

func run(t *testing.T, s *proc.Server, proto string, script string) (log []string) {
	t.Helper()
	clients, ids, said := map[byte]*respconn.Conn{}, map[byte]string{}, map[byte]string{}
	for _, name := range "abc" {
		c := s.Conn()
		clients[byte(name)] = c
		if proto == "3" {
			if _, err := c.Do("HELLO", "3"); err != nil {
				t.Fatal(err)
			}
		}
		id, err := c.Do("CLIENT", "ID")
		if err != nil {
			t.Fatal(err)
		}
		ids[byte(name)] = strings.TrimPrefix(id.String(), ":")
	}
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		if line == "" {
			continue
		}
		c, words := clients[line[0]], strings.Fields(line[2:])
		if line[1] == '>' {
			for i, word := range words { // $a is the ID of a
				if len(word) == 2 && word[0] == '$' {
					words[i] = ids[word[1]]
				}
			}
			c.Send(words...)
			if err := c.Flush(); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			log = append(log, line)
			said[line[0]] = strings.TrimSpace(line[2:])
			continue
		}
		n := 0
		fmt.Sscan(words[0], &n)
		for range n {
			reply, err := c.ReceiveAny()
			if err != nil {
				t.Fatalf("after %s: %v", strings.Join(log, "\n"), err)
			}
			text := reply.String()
			for name, id := range ids {
				if said[line[0]] == "CLIENT GETREDIR" && text == ":"+id || strings.Contains(text, "redir-broken") && strings.HasSuffix(text, ":"+id+"]") {
					text = strings.TrimSuffix(strings.TrimSuffix(text, "]"), id) + "the ID of " + string(name)
				}
			}
			log = append(log, fmt.Sprintf("%c %s", line[0], text))
		}
	}
	return log
}

func TestDialogue(t *testing.T) {
	compare(t, "2", dialogue+only2)
	compare(t, "3", dialogue)
}

// compare has the dialogue with redis-server, and with both drivers of Cobble.
func compare(t *testing.T, proto, script string) {
	t.Helper()
	redis := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true})
	want := run(t, redis, proto, script)
	for _, driver := range []string{"yes", "no"} {
		cobble := proc.Start(t, proc.Options{Standalone: true, Args: []string{"--event-loop", driver}})
		got := run(t, cobble, proto, script)
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("RESP%s, event-loop %s:\n%s\nwant %s", proto, driver, strings.Join(got[max(0, i-3):min(len(got), i+1)], "\n"), want[i])
				break
			}
		}
	}
}

// monitored are commands that a monitor looks at.
var monitored = [][]string{
	{"SET", "k", "a \"b\"\n\x00\xff"}, {"get", "k"}, {"EVAL", "return 1", "0"}, {"PING"}, {"CONFIG", "GET", "x"},
	{"MULTI"}, {"SET", "a", "1"}, {"GET", "a"}, {"DISCARD"},
	{"MULTI"}, {"SET", "a", "1"}, {"NOSUCH"}, {"EXEC"},
	{"MULTI"}, {"SET", "a", "1"}, {"LPUSH", "a", "x"}, {"CONFIG", "GET", "port"},
	{"EVAL", "redis.call('set', KEYS[1], 'x') return redis.pcall('lpush', KEYS[1], 'x')", "1", "k"}, {"PING"}, {"GET", "a"}, {"EXEC"},
	{"WATCH", "a"}, {"SET", "a", "9"}, {"MULTI"}, {"GET", "a"}, {"EXEC"},
	{"EVAL", "redis.call('SET', KEYS[1], 'x') redis.pcall('nosuch') redis.pcall('config', 'get', 'x') redis.call('ping') return redis.call('get', KEYS[1])", "1", "k"},
	{"EVAL", "syntax(", "0"}, {"EVALSHA", "abc", "0"}, {"SET"}, {"EXEC"}, {"DISCARD"},
	{"FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('ff', function(k, a) return redis.call('incr', k[1]) end)"}, {"FCALL", "ff", "1", "n"},
	{"BLPOP", "none", "0.01"}, {"ECHO", "end"},
}

// TestMonitor: a monitor sees what others say, as redis-server shows it but for time and address.
func TestMonitor(t *testing.T) {
	shown := func(program proc.Program) (lines []string) {
		s := proc.Start(t, proc.Options{Program: program, Standalone: true})
		m, c := s.Conn(), s.Conn()
		if _, err := m.Do("MONITOR"); err != nil {
			t.Fatal(err)
		}
		for _, args := range monitored {
			if _, err := c.Do(args...); err != nil {
				t.Fatal(err)
			}
		}
		for len(lines) == 0 || !strings.Contains(lines[len(lines)-1], "end") {
			reply, err := m.ReceiveAny()
			if err != nil {
				t.Fatal(err)
			}
			text, _ := reply.Str()
			who, text, _ := strings.Cut(text, "] ")
			if !strings.HasSuffix(who, "[0 lua") {
				who = "client"
			}
			lines = append(lines, who[max(0, len(who)-6):]+" "+text)
		}
		return lines
	}
	got, want := shown(proc.Cobble), shown(proc.Redis)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCluster: a message goes to the subscribers at every node; one of a shard to those of the shard; a channel whose
// slot moves away loses its subscribers, and they are told.
func TestCluster(t *testing.T) {
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	for i, s := range c.Servers {
		listener := s.Conn()
		if _, err := listener.Do("SUBSCRIBE", "news"); err != nil {
			t.Fatal(err)
		}
		from := c.Servers[(i+1)%len(c.Servers)]
		heard := make(chan error, 1)
		go func() {
			_, err := listener.ReceiveAny()
			heard <- err
		}()
		proc.Eventually(t, time.Minute, "a message from another node", func() error {
			from.Do("PUBLISH", "news", "x")
			select {
			case err := <-heard:
				return err
			case <-time.After(20 * time.Millisecond):
				return fmt.Errorf("nothing yet")
			}
		})
	}
	// The slot of {a} is 15495, of the third primary.
	owner, other := c.Servers[2], c.Servers[0]
	if reply, err := other.Try("SSUBSCRIBE", "{a}x"); err == nil || !strings.HasPrefix(err.Error(), "MOVED 15495 ") {
		t.Fatalf("at a node of another shard: %s %v", reply, err)
	}
	listener := owner.Conn()
	if _, err := listener.Do("SSUBSCRIBE", "{a}x"); err != nil {
		t.Fatal(err)
	}
	if reply := owner.Do("SPUBLISH", "{a}x", "m"); reply.String() != ":1" {
		t.Errorf("SPUBLISH: %s", reply)
	}
	if message, err := listener.ReceiveAny(); err != nil || !strings.Contains(message.String(), "smessage") {
		t.Errorf("message of the shard: %s %v", message, err)
	}
	otherID, err := other.Do("CLUSTER", "MYID").Str()
	if err != nil {
		t.Fatal(err)
	}
	owner.Do("CLUSTER", "SETSLOT", "15495", "NODE", otherID)
	if message, err := listener.ReceiveAny(); err != nil || !strings.Contains(message.String(), "sunsubscribe") {
		t.Errorf("when the slot has gone: %s %v", message, err)
	}
}
