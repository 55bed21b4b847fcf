package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// side is a cluster of three primaries, A, B and C. Commands name them {A} by id and {A:port} by port, and so do the
// replies once they are rendered.
type side struct {
	c        *proc.Cluster
	fill     *strings.Replacer // placeholders to words
	blank    *strings.Replacer // words to placeholders
	sessions [2]*respconn.Conn // with A: RESP2 and RESP3
}

func startSide(t *testing.T, p proc.Program) *side {
	t.Helper()
	s := &side{c: proc.StartCluster(t, 3, 0, proc.Options{Program: p})}
	var fill, blank []string
	for i, server := range s.c.Servers {
		name := string(rune('A' + i))
		id, port, bus := text(t, server, "CLUSTER", "MYID"), fmt.Sprint(server.Port), fmt.Sprint(server.Port+proc.BusOffset)
		fill = append(fill, "{"+name+"}", id, "{"+name+":port}", port)
		blank = append(blank, id, "{"+name+"}", bus, "{"+name+":bus}", port, "{"+name+":port}")
	}
	s.fill, s.blank = strings.NewReplacer(fill...), strings.NewReplacer(blank...)
	for i, proto := range []string{"2", "3"} {
		s.sessions[i] = s.c.Servers[0].Conn()
		if _, err := s.sessions[i].Do("HELLO", proto); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// moments are times in milliseconds, of this century.
var moments = regexp.MustCompile(`\b1\d{12}\b`)

// ask sends a command and renders the reply, types included, in a form on which two right servers agree.
func (s *side) ask(t *testing.T, session int, line string) string {
	t.Helper()
	r, err := s.sessions[session].Do(strings.Fields(s.fill.Replace(line))...)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	render := func(r respconn.Reply) string { return moments.ReplaceAllString(s.blank.Replace(r.String()), "<time>") }
	switch line {
	case "CLUSTER NODES", "CLUSTER INFO": // lines in any order, and some that count what happened
		var lines []string
		for _, l := range strings.Split(strings.TrimPrefix(r.Text, "txt:"), "\n") {
			if !strings.HasPrefix(l, "cluster_stats_messages") && !strings.HasPrefix(l, "cluster_current_epoch") {
				lines = append(lines, render(respconn.Reply{Kind: r.Kind, Text: l}))
			}
		}
		slices.Sort(lines)
		return strings.ReplaceAll(strings.Join(lines, "\n"), " 0 0 1 connected", " 0 <time> 1 connected")
	case "CLUSTER SHARDS", "CLUSTER LINKS":
		var parts []string
		for _, e := range r.Elems {
			parts = append(parts, render(e))
		}
		slices.Sort(parts)
		return string(r.Kind) + strings.Join(parts, "\n")
	case "CLUSTER HELP":
		return string(r.Kind)
	}
	return render(r)
}

// alike are commands that both sides must answer alike, in this order: each finds what those before it left.
var alike = `
CLUSTER NODES
CLUSTER SLOTS
CLUSTER SHARDS
CLUSTER LINKS
CLUSTER INFO
CLUSTER MYID
CLUSTER HELP
CLUSTER
CLUSTER NOSUCH
CLUSTER INFO x
CLUSTER NODES x
CLUSTER KEYSLOT
CLUSTER KEYSLOT foo{bar}baz
CLUSTER KEYSLOT {}x
CLUSTER COUNTKEYSINSLOT 16384
CLUSTER COUNTKEYSINSLOT -1
CLUSTER COUNTKEYSINSLOT x
CLUSTER COUNTKEYSINSLOT 866
SET foo{hello} v
SET {hello} w
CLUSTER COUNTKEYSINSLOT 866
CLUSTER GETKEYSINSLOT 866 0
CLUSTER GETKEYSINSLOT 866 -1
CLUSTER GETKEYSINSLOT 866 x
CLUSTER GETKEYSINSLOT x 1
CLUSTER GETKEYSINSLOT 16384 1
CLUSTER GETKEYSINSLOT 1 1
DEL foo{hello}
CLUSTER GETKEYSINSLOT 866 10
GET bar
GET foo
MGET bar foo
CLUSTER ADDSLOTS
CLUSTER ADDSLOTS x
CLUSTER ADDSLOTS -1
CLUSTER ADDSLOTS 16384
CLUSTER ADDSLOTS 1 16384
CLUSTER ADDSLOTS 1
CLUSTER ADDSLOTS 16383
CLUSTER ADDSLOTSRANGE 1
CLUSTER ADDSLOTSRANGE 1 2 3
CLUSTER ADDSLOTSRANGE 5 1
CLUSTER ADDSLOTSRANGE a b
CLUSTER ADDSLOTSRANGE 1 2
CLUSTER DELSLOTS x
CLUSTER DELSLOTS 1 1
CLUSTER DELSLOTS 1
CLUSTER DELSLOTS 1
CLUSTER ADDSLOTS 1 1
CLUSTER ADDSLOTS 1
CLUSTER DELSLOTSRANGE 3 4 4 5
CLUSTER DELSLOTSRANGE 3 99999
CLUSTER DELSLOTSRANGE 3 5
CLUSTER SLOTS
CLUSTER ADDSLOTSRANGE 3 4 4 5
CLUSTER ADDSLOTSRANGE 3 4 5 5
CLUSTER SLOTS
CLUSTER MEET 1.2.3 99
CLUSTER MEET 127.0.0.1
CLUSTER MEET 127.0.0.1 0
CLUSTER MEET 127.0.0.1 -1
CLUSTER MEET 127.0.0.1 99999999
CLUSTER MEET 127.0.0.1 x
CLUSTER MEET 127.0.0.1 2100 x
CLUSTER MEET 127.0.0.1 2100 0
CLUSTER MEET 127.0.0.1 60000
CLUSTER MEET localhost 6000
CLUSTER MEET 127.0.0.1 2100 12100 5
CLUSTER FORGET abc
CLUSTER FORGET 0123456789012345678901234567890123456789
CLUSTER FORGET {A}
CLUSTER REPLICATE abc
CLUSTER REPLICATE {A}
CLUSTER REPLICATE {B}
CLUSTER REPLICAS abc
CLUSTER REPLICAS {A}
CLUSTER SLAVES {A}
CLUSTER COUNT-FAILURE-REPORTS abc
CLUSTER COUNT-FAILURE-REPORTS {A}
CLUSTER COUNT-FAILURE-REPORTS {B}
CLUSTER SETSLOT 1
CLUSTER SETSLOT x STABLE
CLUSTER SETSLOT 16384 STABLE
CLUSTER SETSLOT 1 NOSUCH
CLUSTER SETSLOT 1 STABLE
CLUSTER SETSLOT 1 STABLE x
CLUSTER SETSLOT 1 NODE
CLUSTER SETSLOT 1 NODE abc
CLUSTER SETSLOT 1 MIGRATING abc
CLUSTER SETSLOT 1 IMPORTING abc
CLUSTER SETSLOT 1 IMPORTING {B}
CLUSTER SETSLOT 9000 MIGRATING {B}
CLUSTER SETSLOT 9000 IMPORTING abc
CLUSTER SETSLOT 1 MIGRATING {A}
CLUSTER SETSLOT 1 STABLE
CLUSTER SETSLOT 866 MIGRATING {B}
CLUSTER SETSLOT 9000 IMPORTING {B}
CLUSTER NODES
GET {hello}
GET other{hello}
MGET {hello} other{hello}
SET other{hello} x
CLUSTER SETSLOT 866 NODE {B}
CLUSTER SETSLOT 866 STABLE
CLUSTER SETSLOT 9000 STABLE
CLUSTER NODES
CLUSTER FAILOVER x
CLUSTER FAILOVER
CLUSTER FAILOVER FORCE
CLUSTER FAILOVER FORCE x
CLUSTER RESET x
CLUSTER RESET SOFT x
CLUSTER RESET
CLUSTER SET-CONFIG-EPOCH x
CLUSTER SET-CONFIG-EPOCH -1
CLUSTER SET-CONFIG-EPOCH 0
CLUSTER SET-CONFIG-EPOCH 50
CLUSTER SAVECONFIG
CLUSTER SAVECONFIG x
CLUSTER FLUSHSLOTS
READONLY
READWRITE
ASKING
GET foo
READONLY x
MULTI
CLUSTER KEYSLOT foo
CLUSTER DELSLOTS 7
CLUSTER ADDSLOTS 7
CLUSTER SETSLOT 7 STABLE
EXEC
CLUSTER BUMPEPOCH x
SELECT 1
SELECT 0
CLUSTER SLOTS
CLUSTER INFO
`

func TestAnswersAreRedis(t *testing.T) {
	t.Parallel()
	redis, cobble := startSide(t, proc.Redis), startSide(t, proc.Cobble)
	for session := range redis.sessions {
		for _, line := range strings.Split(strings.TrimSpace(alike), "\n") {
			want, got := redis.ask(t, session, line), cobble.ask(t, session, line)
			// What travels over the bus, or is counted once a second, comes when it comes.
			for end := time.Now().Add(time.Minute); got != want && settles[line] && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				want, got = redis.ask(t, session, line), cobble.ask(t, session, line)
			}
			if got != want {
				t.Errorf("RESP%d %s\n   redis: %s\n  cobble: %s", session+2, line, want, got)
			}
		}
	}
}

// settles are the commands whose answer is compared again until it agrees.
var settles = map[string]bool{"CLUSTER NODES": true, "CLUSTER SLOTS": true, "CLUSTER SHARDS": true, "CLUSTER LINKS": true, "CLUSTER INFO": true}
