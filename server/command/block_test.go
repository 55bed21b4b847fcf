package command

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scene is several sessions on this server and the same on a redis-server.
type scene struct {
	t       testing.TB
	ours    []*Call
	theirs  []*oracle
	control *oracle
	waits   map[int]bool // sessions that wait, by number
	log     []string
}

// newScene makes n sessions. A pending wait of ours is not ended by time.
func newScene(t testing.TB, n, proto int) *scene {
	s := &scene{t: t, waits: map[int]bool{}}
	first, _ := newTestCall(t)
	first.Env.Process.AfterFunc = func(int64, func()) func() bool { return func() bool { return true } }
	s.control = newOracle(t)
	for range n {
		c := NewCall(first.Env, &Client{})
		first.Env.Clients.Add(c.Client, first.Env)
		c.Out.SetProto(proto)
		s.ours = append(s.ours, c)
		conn, err := net.Dial("tcp", s.control.conn.RemoteAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		o := &oracle{t: t, conn: conn, in: bufio.NewReader(conn)}
		s.theirs = append(s.theirs, o)
		if proto == 3 {
			o.do("HELLO", "3")
		}
	}
	return s
}

// blocked returns how many clients of the oracle wait.
func (s *scene) blocked() int {
	_, rest, _ := strings.Cut(s.control.do("INFO", "clients"), "blocked_clients:")
	n, _, _ := strings.Cut(rest, "\r\n")
	count, err := strconv.Atoi(n)
	if err != nil {
		s.t.Fatal(err)
	}
	return count
}

// do has a session run a command; if it waits then, so must the oracle's. Then it
// compares the replies of all that were waiting.
func (s *scene) do(session int, args ...string) {
	s.t.Helper()
	s.log = append(s.log, fmt.Sprintf("%d: %q", session, args))
	c := s.ours[session]
	c.Out.Reset()
	var split [][]byte
	for _, a := range args {
		split = append(split, []byte(a))
	}
	c.Now = time.Now().UnixMilli()
	c.Execute(split)
	for c.Later != nil && c.Wait == nil {
		c.Later(nil)
	}
	s.theirs[session].send(args...)
	if c.Wait != nil {
		over := make(chan struct{})
		c.Wait.Notify(func() { close(over) })
		select {
		case <-over:
			s.t.Fatalf("a command that waits is over at once: %s", s.story())
		default:
		}
		s.waits[session] = true
		for s.blocked() < len(s.waits) {
			if s.theirs[session].in.Buffered() > 0 || s.hasData(session) {
				s.t.Fatalf("ours waits, theirs does not: %s", s.story())
			}
		}
		return
	}
	s.compare(session, string(c.Out.Bytes()))
	s.settle()
}

// settle compares the replies of sessions that waited.
func (s *scene) settle() {
	s.t.Helper()
	s.control.do("PING")
	for session := range len(s.ours) {
		if !s.waits[session] {
			continue
		}
		c := s.ours[session]
		c.Wait.mu.Lock()
		over := c.Wait.over
		c.Wait.mu.Unlock()
		if !over {
			if s.hasData(session) {
				s.t.Fatalf("session %d: ours waits on, theirs has a reply: %s", session, s.story())
			}
			continue
		}
		c.Unpark()
		delete(s.waits, session)
		s.compare(session, string(c.Out.Bytes()))
	}
}

func (s *scene) compare(session int, ours string) {
	s.t.Helper()
	var theirs strings.Builder
	_ = s.theirs[session].conn.SetReadDeadline(time.Now().Add(time.Minute))
	s.theirs[session].read(&theirs)
	if ours != theirs.String() {
		s.t.Fatalf("session %d\n  ours   %.300q\n  theirs %.300q\nafter\n  %s", session, ours, theirs.String(), s.story())
	}
}

// hasData reports whether the oracle has replied; what it replied was written
// before a reply to a later command of another connection.
func (s *scene) hasData(session int) bool {
	o := s.theirs[session]
	_ = o.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := o.in.Peek(1)
	_ = o.conn.SetReadDeadline(time.Time{})
	if err != nil {
		o.in.Reset(o.conn)
	}
	return err == nil
}

func (s *scene) story() string { return strings.Join(s.log[max(0, len(s.log)-25):], "\n  ") }

// play runs the lines of a script: a session's number and its command.
func (s *scene) play(script string) {
	s.t.Helper()
	for _, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		session, rest, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(session)
		if err != nil {
			s.t.Fatal(line)
		}
		s.do(n, wordsOf(s.t, rest)...)
	}
}

func TestBlockingListsAreRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		s := newScene(t, 5, proto)
		s.play(`
			0 BLPOP l 0
			1 BRPOP l 0
			2 RPUSH l a b c
			2 LRANGE l 0 -1
			0 BLPOP k l 0
			0 BLPOP k l 0
			2 LPUSH k x y
			2 LLEN k
			0 BLMPOP 0 2 m n LEFT COUNT 2
			2 RPUSH n 1 2 3
			2 LRANGE n 0 -1
			2 FLUSHALL
			0 BLMOVE a b LEFT RIGHT 0
			1 BLPOP b 0
			2 RPUSH a v
			2 EXISTS a b
			0 BRPOPLPUSH a a 0
			1 BLPOP a 0
			2 LPUSH a v
			2 EXISTS a
			0 BLPOP q 0
			1 BLPOP q 0
			3 BLPOP q 0
			2 MULTI
			2 RPUSH q 1
			2 DEL q
			2 RPUSH q 2 3
			2 EXEC
			2 LPUSH q last
			0 BLPOP w 0
			2 SET w string
			2 DEL w
			2 SADD2 w x
			2 HSET w f v
			2 DEL w
			2 RPUSH other z
			2 RENAME other w
			0 BLPOP w 0
			2 RPUSH other z
			2 COPY other w
			0 BLPOP w 0
			2 RPUSH other z
			2 LMOVE other w LEFT LEFT
			2 FLUSHALL
			0 BLMOVE s d LEFT LEFT 0
			1 BLPOP s 0
			2 SET d string
			2 RPUSH s 1
			2 DEL d
			0 BLPOP same same 0
			2 RPUSH same 1 2
			1 BLPOP same 0
			2 MULTI
			2 BLPOP nothing 0
			2 BLMOVE nothing x LEFT LEFT 0
			2 BRPOPLPUSH nothing x 0
			2 BLMPOP 0 1 nothing LEFT
			2 BLPOP nothing x
			2 EXEC
		`)
	}
}

func TestBlockingArgumentsAreRedis(t *testing.T) {
	sameLines(t, `
		BLPOP l x
		BLPOP l -1
		BLPOP l -inf
		BLPOP l nan
		BLPOP l ""
		BLPOP l
		BLPOP l 0.01
		BRPOP l m 0.001
		BLMOVE l m LEFT RIGHT 0.01
		BLMOVE l m LEFT UP 0.01
		BLMOVE l m UP LEFT x
		BLMOVE l m LEFT LEFT x
		BRPOPLPUSH l m 0.01
		BRPOPLPUSH l m x
		BLMPOP 0.01 1 l LEFT
		BLMPOP 0.01 2 l m RIGHT COUNT 3
		BLMPOP x 1 l LEFT
		BLMPOP 0 0 l LEFT
		BLMPOP 0 -1 l LEFT
		BLMPOP 0 x l LEFT
		BLMPOP 0 3 l LEFT
		BLMPOP 0 1 l UP
		BLMPOP 0 1 l LEFT COUNT 0
		BLMPOP 0 1 l LEFT COUNT
		BLMPOP -1 7 l LEFT
		SET s v
		BLPOP s 0
		BLPOP none s 0
		BRPOPLPUSH s l 0
		BLMPOP 0 1 s LEFT
		RPUSH l 1 2 3 4 5 6
		BRPOPLPUSH l s 0
		BLPOP l 0
		BRPOP none l 0
		BLMOVE l l LEFT RIGHT 0
		BLMPOP 0 2 none l LEFT COUNT 2
		LRANGE l 0 -1
		MULTI
		BLPOP none 0
		BLMOVE none l LEFT LEFT 0
		BLMPOP 5 1 none LEFT
		BLPOP l 0
		EXEC
		LRANGE l 0 -1
	`)
}

// Random scripts of several sessions that push, move and wait.
func TestBlockingListsAtRandom(t *testing.T) {
	s := newScene(t, 7, 2)
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 5))
		key := func() string { return string("abcd"[rng.IntN(4)]) }
		end := func() string { return []string{"LEFT", "RIGHT"}[rng.IntN(2)] }
		inMulti := map[int]bool{}
		for range 120 {
			session := rng.IntN(7)
			if s.waits[session] {
				continue
			}
			v := strconv.Itoa(rng.IntN(100))
			commands := [][]string{
				{"BLPOP", key(), "0"}, {"BRPOP", key(), key(), "0"}, {"BLMOVE", key(), key(), end(), end(), "0"},
				{"BLMPOP", "0", "2", key(), key(), end(), "COUNT", "2"}, {"BRPOPLPUSH", key(), key(), "0"},
				{"RPUSH", key(), v}, {"LPUSH", key(), v, v + "x"}, {"LMOVE", key(), key(), end(), end()},
				{"RENAME", key(), key()}, {"COPY", key(), key(), "REPLACE"}, {"LLEN", key()}, {"LPOP", key()}, {"DEL", key()},
				{"MULTI"}, {"EXEC"},
			}
			if session < 2 { // somebody always pushes
				commands = commands[5:]
			}
			command := commands[rng.IntN(len(commands))]
			switch command[0] {
			case "MULTI", "EXEC":
				if inMulti[session] != (command[0] == "EXEC") {
					continue
				}
				inMulti[session] = command[0] == "MULTI"
			}
			s.do(session, command...)
		}
		for session := range 7 {
			if inMulti[session] {
				s.do(session, "EXEC")
			}
		}
		for range 20 { // moves from key to key may end, or be left
			if len(s.waits) == 0 {
				break
			}
			for k := range 4 {
				s.do(s.free(), "RPUSH", string("abcd"[k]), "end")
			}
		}
		s.do(0, "FLUSHALL")
	}
}

func (s *scene) free() int {
	for session := range s.ours {
		if !s.waits[session] {
			return session
		}
	}
	s.t.Fatal("all wait")
	return 0
}
