package differential

import (
	"sort"
	"strconv"
	"strings"

	"cobble/tools/respconn"
)

type reply = respconn.Reply

// rule brings a reply to a form that two right servers agree on. It may change r's elements.
type rule func(args []string, r reply) reply

// rules are keyed by command, or command and subcommand. A command that is not here is compared as it came.
var rules = map[string]rule{
	"KEYS": anyOrder, "SMEMBERS": anyOrder, "HKEYS": anyOrder, "HVALS": anyOrder, "SINTER": anyOrder, "SUNION": anyOrder, "SDIFF": anyOrder,
	"HGETALL": pairsAnyOrder, "CONFIG GET": pairsAnyOrder, "SCAN": scanned, "HSCAN": scannedPairs, "SSCAN": scanned, "ZSCAN": scannedScores,
	"RANDOMKEY": shape, "HRANDFIELD": shape, "SRANDMEMBER": shape, "ZRANDMEMBER": shape, "SPOP": shape, "TIME": shape, "DUMP": shape, "OBJECT IDLETIME": shape,
	"OBJECT FREQ": shape, "CLIENT ID": shape, "MEMORY USAGE": shape, "CLIENT LIST": shape, "CLIENT INFO": shape, "INFO": shape, "SLOWLOG LEN": shape, "SLOWLOG GET": kindOnly, "OBJECT REFCOUNT": shape,
	"HELLO": hello, "COMMAND INFO": flagsAnyOrder, "COMMAND COUNT": kindOnly, "COMMAND GETKEYSANDFLAGS": flagsAnyOrder, "CLIENT TRACKINGINFO": flagsAnyOrder,
}

// lifetimes are commands whose answer moves with the clock: how far apart two positive answers may be.
var lifetimes = map[string]int64{"TTL": 3, "PTTL": 3000, "EXPIRETIME": 3, "PEXPIRETIME": 3000}

func ruleFor(args []string) rule {
	if len(args) == 0 {
		return nil
	}
	name := strings.ToUpper(args[0])
	if len(args) == 2 && strings.EqualFold(args[1], "HELP") {
		return kindOnly // it is in our own words
	}
	if name == "COMMAND" && (len(args) == 1 || len(args) == 2 && strings.EqualFold(args[1], "INFO")) {
		return kindOnly // the whole table, in any order, which has a comparison of its own
	}
	if len(args) > 1 {
		if r := rules[name+" "+strings.ToUpper(args[1])]; r != nil {
			return r
		}
	}
	return rules[name]
}

// same reports whether two replies to the same command agree. queued are the commands that an EXEC answers.
func same(args []string, queued [][]string, oracle, subject reply) bool {
	if len(args) > 0 && strings.EqualFold(args[0], "EXEC") && oracle.IsAggregate() && subject.IsAggregate() {
		if oracle.Kind != subject.Kind || oracle.Absent != subject.Absent || len(oracle.Elems) != len(subject.Elems) {
			return false
		}
		for i := range oracle.Elems {
			var inner []string
			if i < len(queued) {
				inner = queued[i]
			}
			if !same(inner, nil, oracle.Elems[i], subject.Elems[i]) {
				return false
			}
		}
		return true
	}
	if near(args, oracle, subject) {
		return true
	}
	if r := ruleFor(args); r != nil {
		oracle, subject = r(args, clone(oracle)), r(args, clone(subject))
	}
	return oracle.Equal(subject)
}

func near(args []string, oracle, subject reply) bool {
	if len(args) == 0 || oracle.Kind != respconn.Integer || subject.Kind != respconn.Integer {
		return false
	}
	tolerance, ok := lifetimes[strings.ToUpper(args[0])]
	a, errA := oracle.Int()
	b, errB := subject.Int()
	if !ok || errA != nil || errB != nil || a <= 0 || b <= 0 {
		return false
	}
	d := a - b
	return -tolerance <= d && d <= tolerance
}

func clone(r reply) reply {
	elems := r.Elems
	r.Elems = nil
	for _, e := range elems {
		r.Elems = append(r.Elems, clone(e))
	}
	return r
}

func anyOrder(_ []string, r reply) reply {
	sort.Slice(r.Elems, func(i, j int) bool { return r.Elems[i].String() < r.Elems[j].String() })
	return r
}

func pairsAnyOrder(_ []string, r reply) reply {
	if len(r.Elems)%2 != 0 {
		return r
	}
	var pairs []reply
	for i := 0; i < len(r.Elems); i += 2 {
		pairs = append(pairs, reply{Kind: respconn.Array, Elems: r.Elems[i : i+2]})
	}
	anyOrder(nil, reply{Elems: pairs})
	r.Elems = nil
	for _, p := range pairs {
		r.Elems = append(r.Elems, p.Elems...)
	}
	return r
}

// flagsAnyOrder sorts every set, and the innermost arrays, where servers print flags in the order they happen to have.
func flagsAnyOrder(_ []string, r reply) reply {
	inner := r.Kind == respconn.Set || r.Kind == respconn.Array
	for i, e := range r.Elems {
		if e.IsAggregate() {
			inner = false
			r.Elems[i] = flagsAnyOrder(nil, e)
		}
	}
	if inner {
		return anyOrder(nil, r)
	}
	return r
}

// scanned compares what whole iterations found: the runner has joined the pages, so the cursor is done and an element
// may have come twice.
func scanned(_ []string, r reply) reply {
	if len(r.Elems) != 2 {
		return r
	}
	list := anyOrder(nil, r.Elems[1])
	distinct := list.Elems[:0]
	for i, e := range list.Elems {
		if i == 0 || !e.Equal(list.Elems[i-1]) {
			distinct = append(distinct, e)
		}
	}
	list.Elems = distinct
	r.Elems[1] = list
	return r
}

func scannedPairs(_ []string, r reply) reply {
	if len(r.Elems) != 2 || len(r.Elems[1].Elems)%2 != 0 {
		return r
	}
	list := pairsAnyOrder(nil, r.Elems[1])
	var distinct []reply
	for i := 0; i < len(list.Elems); i += 2 {
		if i > 0 && list.Elems[i].Equal(list.Elems[i-2]) {
			continue
		}
		distinct = append(distinct, list.Elems[i:i+2]...)
	}
	list.Elems = distinct
	r.Elems[1] = list
	return r
}

// scannedScores does that for ZSCAN: of a listpack 7.2 shows shorter scores than 7.0.
func scannedScores(_ []string, r reply) reply {
	if len(r.Elems) == 2 {
		for i := 1; i < len(r.Elems[1].Elems); i += 2 {
			e := &r.Elems[1].Elems[i]
			if f, err := strconv.ParseFloat(e.Text, 64); err == nil {
				e.Text = strconv.FormatFloat(f, 'g', -1, 64)
			}
		}
	}
	return scannedPairs(nil, r)
}

// sameScores reports whether replies agree but for scores that the oracle prints with 17 digits and the subject with as
// many as it takes.
func sameScores(oracle, subject reply) bool {
	if oracle.Kind != subject.Kind || oracle.Absent != subject.Absent || len(oracle.Elems) != len(subject.Elems) {
		return false
	}
	for i := range oracle.Elems {
		if !sameScores(oracle.Elems[i], subject.Elems[i]) {
			return false
		}
	}
	if oracle.Text == subject.Text {
		return true
	}
	a, err1 := strconv.ParseFloat(oracle.Text, 64)
	b, err2 := strconv.ParseFloat(subject.Text, 64)
	return err1 == nil && err2 == nil && a == b && oracle.Text == strconv.FormatFloat(a, 'g', 17, 64)
}

// shape keeps types and counts, and drops what is random, a clock's, or a server's own. Errors stay as they are.
func shape(_ []string, r reply) reply {
	if r.Err() != nil || r.IsNull() {
		return r
	}
	if !r.IsAggregate() {
		r.Text = "?"
	}
	for i, e := range r.Elems {
		r.Elems[i] = shape(nil, e)
	}
	return r
}

// kindOnly keeps the type of the reply, and all of an error.
func kindOnly(_ []string, r reply) reply {
	if r.Err() == nil {
		r.Text, r.Elems = "", nil
	}
	return r
}

// hello drops the version and the connection's id.
func hello(_ []string, r reply) reply {
	for i := 0; i+1 < len(r.Elems); i += 2 {
		switch r.Elems[i].Text {
		case "version", "id":
			r.Elems[i+1] = shape(nil, r.Elems[i+1])
		}
	}
	return r
}

// paged reports whether a command begins an iteration, and at which argument its cursor is.
func paged(args []string) (cursor int, ok bool) {
	switch strings.ToUpper(args[0]) {
	case "SCAN":
		cursor = 1
	case "HSCAN", "SSCAN", "ZSCAN":
		cursor = 2
	default:
		return 0, false
	}
	if len(args) <= cursor {
		return 0, false
	}
	n, err := strconv.Atoi(args[cursor])
	return cursor, err == nil && n == 0
}
