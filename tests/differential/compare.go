package differential

import (
	"slices"
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
	"XPENDING": pending, "XINFO CONSUMERS": consumers, "XINFO STREAM": streamInfo, "XINFO GROUPS": groups, "XGROUP CREATECONSUMER": shape, "FUNCTION LIST": eachAnyOrder, "FUNCTION DUMP": shape, "LASTSAVE": shape,
	"CLUSTER INFO": kindOnly, "CLUSTER MYID": shape, "CLUSTER NODES": kindOnly, "CLUSTER SHARDS": kindOnly, "CLUSTER SLOTS": kindOnly, "CLUSTER LINKS": kindOnly, "LATENCY DOCTOR": kindOnly,
	"LATENCY LATEST": kindOnly, "MEMORY DOCTOR": kindOnly, "MEMORY MALLOC-STATS": kindOnly, "ROLE": kindOnly, "LATENCY HISTOGRAM": kindOnly, "COMMAND LIST": kindOnly, "LATENCY RESET": shape,
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
	if name == "COMMAND" && (len(args) == 1 || strings.EqualFold(args[1], "DOCS") || len(args) == 2 && strings.EqualFold(args[1], "INFO")) {
		return kindOnly // the whole table, in any order, which has a comparison of its own
	}
	if name == "SORT" || name == "SORT_RO" {
		if by, ok := sortedBy(args); ok && !strings.Contains(by, "*") && !strings.HasPrefix(args[1], "{t}list") {
			return anyOrder // of a set, as it comes
		}
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

// pending drops how long entries have been idle.
func pending(_ []string, r reply) reply {
	for i, e := range r.Elems {
		if len(e.Elems) == 4 && e.Elems[2].Kind == respconn.Integer {
			r.Elems[i].Elems[2] = shape(nil, e.Elems[2])
		}
	}
	return r
}

// without drops fields of a map, and keeps of others only the type.
func without(r reply, drop, keep []string) reply {
	var elems []reply
	for i := 0; i+1 < len(r.Elems); i += 2 {
		name, value := r.Elems[i], r.Elems[i+1]
		switch {
		case slices.Contains(drop, name.Text):
			continue
		case slices.Contains(keep, name.Text):
			value = shape(nil, value)
		}
		elems = append(elems, name, value)
	}
	r.Elems = elems
	return r
}

// eachAnyOrder sorts every list and set within the reply.
func eachAnyOrder(_ []string, r reply) reply {
	for i, e := range r.Elems {
		r.Elems[i] = eachAnyOrder(nil, e)
	}
	if r.Kind == respconn.Set || r.Kind == respconn.Array && !flatMap(r) {
		return anyOrder(nil, r)
	}
	return r
}

// flatMap reports whether an array of RESP2 is names and values.
func flatMap(r reply) bool {
	if len(r.Elems)%2 != 0 || len(r.Elems) == 0 {
		return false
	}
	for i := 0; i < len(r.Elems); i += 2 {
		if r.Elems[i].Kind != respconn.Bulk {
			return false
		}
	}
	return true
}

// groups drops how many consumers there are: since 7.2 one is made when it asks, even if it gets nothing.
func groups(_ []string, r reply) reply {
	for i, e := range r.Elems {
		r.Elems[i] = without(e, nil, []string{"consumers"})
	}
	return r
}

// consumers drops the clock, and consumers that have nothing, which 7.2 makes more often; "inactive" is of 7.2.
func consumers(_ []string, r reply) reply {
	var with []reply
	for _, e := range r.Elems {
		if n, ok := e.Field("pending"); ok && n.Text == "0" {
			continue
		}
		with = append(with, without(e, []string{"inactive"}, []string{"idle"}))
	}
	r.Elems = with
	return r
}

// streamInfo drops clocks, which XINFO STREAM FULL has in the groups and their consumers; "active-time" is of 7.2.
func streamInfo(_ []string, r reply) reply {
	field := func(r reply, name string) []reply {
		f, _ := r.Field(name)
		return f.Elems
	}
	found := field(r, "groups")
	for at, group := range found {
		for i, e := range field(group, "pending") {
			field(group, "pending")[i].Elems[2] = shape(nil, e.Elems[2])
		}
		var all []reply
		for _, consumer := range field(group, "consumers") {
			if n, _ := consumer.Field("pel-count"); n.Text == "0" {
				continue // see consumers
			}
			for j, e := range field(consumer, "pending") {
				field(consumer, "pending")[j].Elems[1] = shape(nil, e.Elems[1])
			}
			all = append(all, without(consumer, []string{"active-time"}, []string{"seen-time"}))
		}
		for i := 0; i+1 < len(group.Elems); i += 2 {
			if group.Elems[i].Text == "consumers" {
				found[at].Elems[i+1].Elems = all
			}
		}
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
	return cursor, err == nil && n == 0 || args[cursor] == ""
}
