package command

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// What Redis 7.2 says of commands that the oracle, 7.0, says otherwise: the tips.
var tipsSince72 = map[string][]string{
	"randomkey": {"response_policy:special"},
	"scan":      {"response_policy:special"},
}

// And scripts may call blocking commands, which do not wait there.
var flagGoneIn72 = map[string]string{"bzpopmin": "noscript", "bzpopmax": "noscript"}

// And the arity.
var aritySince72 = map[string]int{"zrank": -3, "zrevrank": -3}

var infoFlags = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"}, {NoScript, "noscript"},
	{Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"}, {SkipMonitor, "skip_monitor"}, {SkipSlowlog, "skip_slowlog"},
	{Asking, "asking"}, {Fast, "fast"}, {NoAuth, "no_auth"}, {MayReplicate, "may_replicate"}, {NoMandatoryKeys, "no_mandatory_keys"},
	{NoMulti, "no_multi"}, {MovableKeys, "movablekeys"}, {AllowBusy, "allow_busy"}, {NoAsyncLoading, "no_async_loading"},
}

var infoKeyFlags = []struct {
	flag KeyFlags
	name string
}{
	{KeyRO, "RO"}, {KeyRW, "RW"}, {KeyOW, "OW"}, {KeyRM, "RM"}, {KeyAccess, "access"}, {KeyUpdate, "update"}, {KeyInsert, "insert"},
	{KeyDelete, "delete"}, {KeyNotKey, "not_key"}, {KeyIncomplete, "incomplete"}, {KeyVariableFlags, "variable_flags"},
}

// describe prints what COMMAND INFO says of a row, sets in alphabetical order.
func describe(cmd *Command) string {
	var flags, keys []string
	for _, f := range infoFlags {
		if cmd.Flags&f.flag != 0 {
			flags = append(flags, f.name)
		}
	}
	for _, k := range cmd.Keys {
		var kf []string
		for _, f := range infoKeyFlags {
			if k.Flags&f.flag != 0 {
				kf = append(kf, f.name)
			}
		}
		sort.Strings(kf)
		begin := fmt.Sprintf("index %d", k.Index)
		if k.Keyword != "" {
			begin = fmt.Sprintf("keyword %s from %d", k.Keyword, k.StartFrom)
		}
		if k.Search != nil {
			keys = append(keys, fmt.Sprint(kf, "unknown"))
			continue
		}
		if k.KeyNum >= 0 {
			keys = append(keys, fmt.Sprintf("%s %s number at %d keys at %d step %d", kf, begin, k.KeyNum, k.FirstKey, max(k.Step, 1)))
			continue
		}
		keys = append(keys, fmt.Sprintf("%s %s last %d step %d limit %d", kf, begin, k.Last, k.Step, k.Limit))
	}
	categories := strings.Fields(cmd.Categories)
	for _, c := range []struct {
		flag Flags
		name string
	}{{Write, "@write"}, {ReadOnly, "@read"}, {Admin, "@admin"}, {Admin, "@dangerous"}, {PubSub, "@pubsub"}, {Fast, "@fast"}, {Blocking, "@blocking"}} {
		if cmd.Flags&c.flag != 0 {
			categories = append(categories, c.name)
		}
	}
	if cmd.Flags&Fast == 0 {
		categories = append(categories, "@slow")
	}
	sort.Strings(flags)
	sort.Strings(categories)
	tips := slices.Clone(cmd.Tips)
	sort.Strings(tips)
	return fmt.Sprintf("%s arity %d flags %s categories %s tips %s keys %s", cmd.FullName(), cmd.Arity, flags, slices.Compact(categories), tips, keys)
}

// describeInfo prints the same of a reply to COMMAND INFO.
func describeInfo(info []any) (string, []any) {
	list := func(v any) []string {
		var out []string
		for _, item := range v.([]any) {
			out = append(out, item.(string))
		}
		sort.Strings(out)
		return out
	}
	field := func(v any, names ...string) any {
		for _, name := range names {
			fields := v.([]any)
			at := slices.Index(fields, any(name))
			if at < 0 {
				return ""
			}
			v = fields[at+1]
		}
		return v
	}
	var keys []string
	for _, k := range info[8].([]any) {
		begin := fmt.Sprintf("index %s", field(k, "begin_search", "spec", "index"))
		if field(k, "begin_search", "type") == "keyword" {
			begin = fmt.Sprintf("keyword %s from %s", field(k, "begin_search", "spec", "keyword"), field(k, "begin_search", "spec", "startfrom"))
		}
		if field(k, "find_keys", "type") == "unknown" {
			keys = append(keys, fmt.Sprint(list(field(k, "flags")), "unknown"))
			continue
		}
		if field(k, "find_keys", "type") == "keynum" {
			keys = append(keys, fmt.Sprintf("%s %s number at %s keys at %s step %s", list(field(k, "flags")), begin,
				field(k, "find_keys", "spec", "keynumidx"), field(k, "find_keys", "spec", "firstkey"), field(k, "find_keys", "spec", "keystep")))
			continue
		}
		keys = append(keys, fmt.Sprintf("%s %s last %s step %s limit %s", list(field(k, "flags")), begin,
			field(k, "find_keys", "spec", "lastkey"), field(k, "find_keys", "spec", "keystep"), field(k, "find_keys", "spec", "limit")))
	}
	name := info[0].(string)
	flags := slices.DeleteFunc(list(info[2]), func(flag string) bool { return flag == flagGoneIn72[name] })
	if arity, ok := aritySince72[name]; ok {
		info[1] = strconv.Itoa(arity)
	}
	tips := append(list(info[7]), tipsSince72[name]...)
	sort.Strings(tips)
	return fmt.Sprintf("%s arity %s flags %s categories %s tips %s keys %s", name, info[1], flags, list(info[6]), tips, keys), info[9].([]any)
}

// parseReply reads one RESP2 reply: strings and arrays.
func parseReply(s string) (v any, rest string) {
	line, rest, _ := strings.Cut(s, "\r\n")
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '$':
		if n < 0 {
			return nil, rest
		}
		return rest[:n], rest[n+2:]
	case '*':
		list := []any{}
		for range n {
			var item any
			item, rest = parseReply(rest)
			list = append(list, item)
		}
		return list, rest
	}
	return line[1:], rest
}

// sameRows compares the rows of a family with what the oracle says of them.
func sameRows(t *testing.T, rows []Command) {
	o := newOracle(t)
	for i := range rows {
		row := &rows[i]
		if row.Group == "" || row.Since == "" || row.Summary == "" || row.Complexity == "" {
			t.Errorf("%s: the row is not documented", row.Name)
		}
		reply, _ := parseReply(o.do("COMMAND", "INFO", row.Name))
		info, ok := reply.([]any)[0].([]any)
		if !ok {
			t.Errorf("%s: unknown to the oracle", row.Name)
			continue
		}
		sameRow(t, row, info)
		docs, _ := parseReply(o.do("COMMAND", "DOCS", row.Name))
		about := docs.([]any)[1].([]any)
		for field, ours := range map[string]string{"since": row.Since, "group": row.Group} {
			if theirs := about[slices.Index(about, any(field))+1]; theirs != ours {
				t.Errorf("%s: %s %s, want %s", row.Name, field, ours, theirs)
			}
		}
	}
}

func sameRow(t *testing.T, row *Command, info []any) {
	theirs, subs := describeInfo(info)
	if ours := describe(row); ours != theirs {
		t.Errorf("\n ours   %s\n theirs %s", ours, theirs)
	}
	if len(subs) != len(row.Sub) {
		t.Errorf("%s: %d subcommands, want %d", row.Name, len(row.Sub), len(subs))
	}
	for _, s := range subs {
		sub := s.([]any)
		_, name, _ := strings.Cut(sub[0].(string), "|")
		if ours := row.FindSub([]byte(name)); ours == nil {
			t.Errorf("%s: no subcommand %s", row.Name, name)
		} else {
			ours.container = row
			sameRow(t, ours, sub)
		}
	}
}

func TestRowsAreRedis(t *testing.T) {
	sameRows(t, stringCommands())
	sameRows(t, genericCommands())
	sameRows(t, bitmapCommands())
}
