package differential

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// unfit says that a command must not be run: it would expire something while the servers are compared, or make one of
// them allocate or answer with something huge.
//
// Where lifetimes may lapse they may be a few milliseconds, but nothing between that and what is far off.
func unfit(args []string, lapses bool) bool {
	name := strings.ToUpper(args[0])
	number := func(i int) (int64, bool) {
		if i < 0 || i >= len(args) {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(args[i], "#"), 10, 64)
		return n, err == nil
	}
	soon := func(i int, second int64) bool {
		n, ok := number(i)
		return ok && n > 0 && n <= 100*second && !(lapses && second > 1 && n <= lapse)
	}
	if unfitLifetime(name, args, soon) || unfitOrder(name, args) || unfitWait(name, args) || unfitAdmin(name, args, number) {
		return true
	}
	switch name {
	case "SETRANGE", "SETBIT", "BITFIELD":
		for i := range args {
			if n, ok := number(i); ok && n > 100000 && n < 1<<32 && !(name == "SETRANGE" && n >= 512<<20 && i == 2) {
				return true
			}
			if strings.HasPrefix(args[i], "-92233720368547758") && name == "BITFIELD" {
				return true // Redis overflows itself, and saturates at the other end
			}
		}
	case "HRANDFIELD", "SRANDMEMBER", "ZRANDMEMBER":
		if n, ok := number(2); ok && n < -1000 && n != math.MinInt64 && (len(args) == 3 || n > math.MinInt64/2) {
			return true
		}
	case "SPOP": // what it leaves is left to chance
		if n, ok := number(2); len(args) == 2 || ok && n > 0 && len(args) == 3 {
			return true
		}
	case "XADD": // an ID of the server's clock
		return slices.Contains(args, "*")
	case "CLUSTER", "CLIENT":
		return unfitForOthers(name, args[1:])
	case "GEOSEARCHSTORE", "GEORADIUS", "GEORADIUSBYMEMBER": // the last of 17 digits is the C library's
		return has(args, "STOREDIST")
	case "HELLO": // 7.0 takes the name before it reads on
		return len(args) != 4 && has(args, "SETNAME")
	}
	return false
}

// lapse is the longest lifetime, in milliseconds, that a wait outlasts.
const lapse = 2

// shortLived reports whether a command may have given something a lifetime that is over soon.
func shortLived(args []string) bool {
	for _, a := range args[1:] {
		if a == "1" || a == "2" {
			name := strings.ToUpper(args[0])
			return name == "PEXPIRE" || name == "PSETEX" || name == "RESTORE" || slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, "PX") })
		}
	}
	return false
}

// sortedBy is the pattern of a SORT's BY.
func sortedBy(args []string) (pattern string, ok bool) {
	for i := 2; i+1 < len(args); i++ {
		if strings.EqualFold(args[i], "BY") {
			pattern, ok = args[i+1], true
		}
	}
	return pattern, ok
}

// tooLong reports whether a command would wait for longer than it may, or for ever.
func tooLong(args []string, at int, most float64) bool {
	if at >= len(args) {
		return false
	}
	n, err := strconv.ParseFloat(args[at], 64)
	return err == nil && (n == 0 || n > most || n > 0 && n < 0.0005)
}

// unfitForOthers says so of subcommands of CLUSTER and CLIENT that change what others rely on.
func unfitForOthers(name string, args []string) bool {
	if len(args) == 0 {
		return false
	}
	slot := func(a string) bool { n, err := strconv.Atoi(a); return err == nil && n >= 0 && n < 16384 }
	switch sub := strings.ToUpper(args[0]); sub {
	case "BUMPEPOCH", "FLUSHSLOTS", "MYSHARDID", "SET-CONFIG-EPOCH", "SETINFO", "NO-TOUCH":
		return name == "CLUSTER" || sub == "SETINFO" || sub == "NO-TOUCH"
	case "DELSLOTS", "DELSLOTSRANGE", "SETSLOT":
		return slices.ContainsFunc(args[1:], slot)
	case "RESET":
		return len(args) != 2 || strings.EqualFold(args[1], "HARD") || strings.EqualFold(args[1], "SOFT")
	case "PAUSE":
		return len(args) > 1 && len(args[1]) > 0 && args[1] != "0" && args[1] != "1"
	case "REPLY":
		return len(args) > 1 && (strings.EqualFold(args[1], "OFF") || strings.EqualFold(args[1], "SKIP"))
	case "TRACKING":
		return len(args) > 1 && strings.EqualFold(args[1], "ON")
	}
	return false
}

// unfitAdmin says so of commands on which a server waits, ends, or tells what is its own.
func unfitAdmin(name string, args []string, number func(int) (int64, bool)) bool {
	switch name {
	case "WAIT":
		if n, ok := number(1); ok && n > 0 {
			return true
		}
	case "DEBUG":
		if len(args) > 2 && strings.EqualFold(args[1], "SLEEP") && args[2] != "0" {
			return true
		}
	case "SHUTDOWN", "MONITOR": // the end, and a stream with the time in it
		if len(args) == 1 {
			return true
		}
	case "SCAN", "HSCAN", "SSCAN", "ZSCAN": // a cursor that the server did not give may say anything
		at := 1
		if name != "SCAN" {
			at = 2
		}
		if n, ok := number(at); ok && n != 0 {
			return true
		}
		if at < len(args) && (strings.Trim(args[at], "+-0123456789") == "" && len(args[at]) > 5 || strings.HasPrefix(args[at], "\x00")) {
			return true
		}
	}
	return false
}

// unfitLifetime says so of what would make something expire soon.
func unfitLifetime(name string, args []string, soon func(i int, second int64) bool) bool {
	switch name {
	case "EXPIRE", "SETEX":
		if soon(2, 1) {
			return true
		}
	case "PEXPIRE", "PSETEX", "RESTORE":
		if soon(2, 1000) {
			return true
		}
	}
	for i, a := range args {
		switch strings.ToUpper(a) {
		case "EX":
			if soon(i+1, 1) {
				return true
			}
		case "PX":
			if soon(i+1, 1000) {
				return true
			}
		}
	}
	return false
}

// has reports whether a word is among the arguments, in any case.
func has(args []string, word string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, word) })
}

// unfitOrder says so where the order of elements is left open.
func unfitOrder(name string, args []string) bool {
	if strings.HasPrefix(name, "Z") && slices.Contains(args, "-0") { // which a small sorted set of Redis holds as 0, and a large one does not
		return true
	}
	if strings.HasPrefix(name, "SORT") && len(args) > 1 {
		if strings.HasPrefix(args[1], "{t}sorted") || strings.HasPrefix(args[1], "{t}geo") {
			return true // see "sorting changes nothing"
		}
		by, ok := sortedBy(args)
		return ok && !strings.Contains(by, "*") && !strings.HasPrefix(args[1], "{t}list") && has(args, "LIMIT")
	}
	if name == "ZADD" && len(args) > 1 && strings.HasPrefix(args[1], "{t}lex") { // their scores are equal, for the commands that go by that
		for i := 2; i < len(args); i += 2 {
			if args[i] != "0" {
				return true
			}
		}
	}
	if lex := strings.Contains(name, "LEX") || has(args, "BYLEX"); lex && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "{t}lex") }) {
		return slices.ContainsFunc(args, func(a string) bool { return typed.MatchString(a) }) // scores that differ leave the order open
	}
	return false
}

// unfitWait says so of what waits for long, and of what has more than one reply.
func unfitWait(name string, args []string) bool {
	switch name {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE": // one reply for each channel
		return true
	case "SAVE", "BGSAVE", "BGREWRITEAOF", "MIGRATE", "FAILOVER":
		return len(args) == 1 || name == "MIGRATE"
	case "XREAD", "XREADGROUP":
		i := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "BLOCK") })
		return i >= 0 && tooLong(args, i+1, 100)
	case "BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX", "BLMOVE", "BRPOPLPUSH":
		return tooLong(args, len(args)-1, 0.1)
	case "BLMPOP", "BZMPOP":
		return tooLong(args, 1, 0.1)
	}
	return false
}
