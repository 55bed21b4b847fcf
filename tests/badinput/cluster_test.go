package badinput

import (
	"fmt"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// TestClusterNonsense gives a node orders that make no sense: each is answered with an
// error, and the cluster stays whole.
func TestClusterNonsense(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{}))
	s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	proc.WaitOK(t, s)
	fill(t, s, 0, 50)
	me, nobody := s.Do("CLUSTER", "MYID").Text, strings.Repeat("0", 40)
	for line, want := range map[string]string{
		"MEET":                          "ERR wrong number of arguments for 'cluster|meet' command",
		"MEET nowhere 1":                "ERR Invalid node address specified: nowhere:1",
		"MEET 127.0.0.1 0":              "ERR Invalid node address specified: 127.0.0.1:0",
		"MEET 127.0.0.1 99999":          "ERR Invalid node address specified: 127.0.0.1:99999",
		"MEET 127.0.0.1 x":              "ERR Invalid TCP base port specified: x",
		"SETSLOT":                       "ERR wrong number of arguments for 'cluster|setslot' command",
		"SETSLOT 16384 STABLE":          "ERR Invalid or out of range slot",
		"SETSLOT x STABLE":              "ERR Invalid or out of range slot",
		"SETSLOT 1 NODE " + nobody:      "ERR Unknown node " + nobody,
		"SETSLOT 1 MIGRATING " + nobody: "ERR I don't know about node " + nobody,
		"SETSLOT 1 IMPORTING " + nobody: "ERR I'm already the owner of hash slot 1",
		"SETSLOT 1 NONSENSE x":          "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
		"ADDSLOTS 1":                    "ERR Slot 1 is already busy",
		"ADDSLOTS -1":                   "ERR Invalid or out of range slot",
		"ADDSLOTS 99999999999999999999": "ERR Invalid or out of range slot",
		"ADDSLOTSRANGE 5 1":             "ERR start slot number 5 is greater than end slot number 1",
		"DELSLOTS 16384":                "ERR Invalid or out of range slot",
		"REPLICATE " + nobody:           "ERR Unknown node " + nobody,
		"REPLICATE " + me:               "ERR Can't replicate myself",
		"REPLICATE x":                   "ERR Unknown node x",
		"FORGET " + nobody:              "ERR Unknown node " + nobody,
		"FORGET " + me:                  "ERR I tried hard but I can't forget myself...",
		"FAILOVER":                      "ERR You should send CLUSTER FAILOVER to a replica",
		"FAILOVER NOW":                  "ERR syntax error",
		"RESET SOFTLY":                  "ERR syntax error",
		"REPLICAS " + nobody:            "ERR Unknown node " + nobody,
		"NONSENSE":                      "ERR unknown subcommand 'NONSENSE'. Try CLUSTER HELP.",
	} {
		if got := errorOf(s, append([]string{"CLUSTER"}, strings.Fields(line)...)...); got != want {
			t.Errorf("CLUSTER %s: %q, want %q", line, got, want)
		}
	}
	proc.WaitOK(t, s)
	has(t, s, 0, 50)
}

// TestMeetNobody meets an address where nothing listens: OK, as Redis says, and nothing comes of it.
func TestMeetNobody(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{}))
	s.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	proc.WaitOK(t, s)
	s.Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(proc.FreePort(t)))
	fill(t, s, 0, 50)
	proc.WaitOK(t, s)
	has(t, s, 0, 50)
}
