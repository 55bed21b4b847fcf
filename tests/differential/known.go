package differential

import (
	"regexp"
	"slices"
	"strings"

	"cobble/tools/respconn"
)

// known is one way in which Cobble's reply may differ from Redis 7.0's. An entry is as narrow as it can be written: it
// names commands, and looks at both replies.
type known struct {
	name     string
	commands []string // upper case; empty means any
	why      string
	applies  func(args []string, oracle, subject reply) bool
	ends     bool // what the servers hold differs from here on: the sequence is over
}

// newer are the differences between Redis 7.0 (the oracle) and 7.2 (the target).
var newer = []known{
	{
		name: "bits of nothing", commands: []string{"BITCOUNT", "BITPOS"},
		why: "7.2 checks the arguments before the key, even when it does not exist (redis #11734)",
		applies: func(_ []string, oracle, subject reply) bool {
			return subject.Err() != nil && (oracle.Kind == respconn.Integer || strings.HasPrefix(oracle.Text, "WRONGTYPE"))
		},
	},
	{
		name: "short scores", commands: []string{"ZADD", "ZINCRBY", "ZSCORE", "ZMSCORE", "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE",
			"ZPOPMIN", "ZPOPMAX", "ZMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "ZUNION", "ZINTER", "ZDIFF", "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "ZRANDMEMBER"},
		why:     "7.2 prints the shortest digits that read back as the same number, 7.0 seventeen",
		applies: func(_ []string, oracle, subject reply) bool { return sameScores(oracle, subject) },
	},
	{
		name: "rank with score", commands: []string{"ZRANK", "ZREVRANK"},
		why: "7.2 has the option WITHSCORE, so that more arguments are a syntax error or one too many",
		applies: func(args []string, oracle, _ reply) bool {
			return len(args) > 3 && strings.HasPrefix(oracle.Text, "ERR wrong number of arguments")
		},
	},
	{
		name: "lag behind deleted entries", commands: []string{"XINFO"},
		why: "7.0 takes no notice of deleted entries that a group has yet to read",
		applies: func(args []string, oracle, subject reply) bool {
			counts := []string{"lag", "entries-read"}
			a, b := clone(oracle), clone(subject)
			for _, r := range []reply{a, b} {
				groups := r.Elems
				if found, ok := r.Field("groups"); ok {
					groups = found.Elems
				}
				for i := range groups {
					groups[i] = without(groups[i], counts, nil)
				}
			}
			return same(args, nil, a, b)
		},
	},
	{
		name: "slots of a command in a script", commands: []string{"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"},
		why: "newer versions name the command whose keys are in several slots",
		applies: func(_ []string, oracle, subject reply) bool {
			return strings.Contains(oracle.String(), "Script attempted to access a non local key") && strings.Contains(subject.String(), "in script attempted to access keys that don't hash to the same slot")
		},
	},
	{
		name: "nonsense before STREAMS", commands: []string{"XREAD", "XREADGROUP"},
		why: "keys are found by the key specification, behind the word STREAMS, whatever stands before it",
		applies: func(_ []string, oracle, subject reply) bool {
			return oracle.Err() != nil && strings.HasPrefix(subject.Text, "CROSSSLOT") || strings.HasPrefix(oracle.Text, "CROSSSLOT") && subject.Err() != nil
		},
	},
	{
		name: "the last entry", commands: []string{"XREAD", "XREADGROUP"},
		why: "newer versions take + for the last entry, and refuse it in XREADGROUP with a reason",
		applies: func(args []string, oracle, subject reply) bool {
			return slices.Contains(args, "+") && strings.HasPrefix(oracle.Text, "ERR Invalid stream ID") && !strings.HasPrefix(subject.Text, "ERR Invalid stream ID")
		},
	},
	{
		name: "unbalanced streams", commands: []string{"XREAD", "XREADGROUP"},
		why: "7.2 names the command as it is called, and the ID that it may take",
		applies: func(_ []string, oracle, subject reply) bool {
			return strings.HasPrefix(oracle.Text, "ERR Unbalanced XREAD list") && strings.HasPrefix(subject.Text, "ERR Unbalanced 'xread")
		},
	},
	{
		name: "small lists", commands: []string{"OBJECT"},
		why: "7.2 keeps small lists in one listpack",
		applies: func(args []string, oracle, subject reply) bool {
			return isEncoding(args) && oracle.Text == "quicklist" && subject.Text == "listpack"
		},
	},
	{
		name: "lowest rank", commands: []string{"LPOS"},
		why: "7.2 refuses the one rank that cannot be negated",
		applies: func(_ []string, _, subject reply) bool {
			return strings.HasPrefix(subject.Text, "ERR value is out of range, value must between -9223372036854775807")
		},
	},
	{
		name: "endless waits", commands: []string{"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"},
		why: "7.2 has a sentence of its own for a time-out that is too long",
		applies: func(_ []string, oracle, subject reply) bool {
			return oracle.Text == "ERR timeout is negative" && subject.Text == "ERR timeout is out of range"
		},
	},
	{
		name: "small sets", commands: []string{"OBJECT"},
		why: "7.2 keeps small sets of strings in a listpack",
		applies: func(args []string, oracle, subject reply) bool {
			return isEncoding(args) && oracle.Text == "hashtable" && subject.Text == "listpack"
		},
	},
	{
		name: "HELLO reads first", commands: []string{"HELLO"},
		why: "7.2 reads all options before it authenticates",
		applies: func(_ []string, oracle, subject reply) bool {
			return strings.HasPrefix(oracle.Text, "WRONGPASS") && (strings.HasPrefix(subject.Text, "ERR Syntax error in HELLO option") || strings.HasPrefix(subject.Text, "ERR Client names"))
		},
	},
	{
		name: "keys of a short command", commands: []string{"COMMAND"},
		why: "7.2 takes COMMAND GETKEYS of a command without arguments, and then says that it is invalid",
		applies: func(args []string, oracle, subject reply) bool {
			return len(args) == 3 && strings.HasPrefix(oracle.Text, "ERR wrong number of arguments for 'command|getkeys") &&
				strings.HasPrefix(subject.Text, "ERR ")
		},
	},
}

// deliberate are differences that Cobble means to have.
var deliberate = []known{
	{
		name: "memory values beyond 64 bits", commands: []string{"CONFIG"},
		why: "Redis lets them wrap or saturate; Cobble refuses",
		applies: func(args []string, oracle, subject reply) bool {
			return oracle.Text == "OK" && strings.HasSuffix(subject.Text, "argument must be a memory value") &&
				len(args) > 3 && (len(args[3]) > 18 || strings.HasPrefix(args[3], "\x00"))
		},
	},
	{
		name: "RESTORE of an overflowing lifetime", commands: []string{"RESTORE", "RESTORE-ASKING"}, ends: true,
		why: "Redis adds the lifetime to the time without looking, and the key is long dead; Cobble refuses",
		applies: func(args []string, _, subject reply) bool {
			return len(args) > 2 && len(args[2]) == 19 && subject.Text == "ERR Invalid TTL value, must be >= 0"
		},
	},
	{
		name: "a STORE key named STORE", commands: []string{"SORT"},
		why: "Redis looks for options in the name of the key too and takes the word behind it for the key; Cobble asks for the slot of the key that it would write",
		applies: func(args []string, oracle, subject reply) bool {
			return strings.HasPrefix(oracle.Text, "CROSSSLOT") && subject.Err() != nil || strings.HasPrefix(subject.Text, "CROSSSLOT") && oracle.Err() != nil
		},
	},
	{
		name: "several filters", commands: []string{"CLIENT"},
		why: "CLIENT LIST takes any number of filters, as later servers do, and reads each before it looks for the next",
		applies: func(args []string, oracle, subject reply) bool {
			return len(args) > 4 && strings.EqualFold(args[1], "LIST") &&
				(oracle.Text == "ERR syntax error" ||
					oracle.Text == "ERR Invalid client ID" && (subject.Text == "ERR syntax error" || strings.EqualFold(args[len(args)-2], "ID")))
		},
	},
	{
		name: "GEORADIUS that stores twice, or too early", commands: []string{"GEORADIUS", "GEORADIUSBYMEMBER"}, ends: true,
		why: "Redis takes the last STORE of several, and looks for the key of a malformed command in another place than its key specification says",
		applies: func(args []string, oracle, subject reply) bool {
			stores := 0
			for _, a := range args {
				if strings.EqualFold(a, "STORE") || strings.EqualFold(a, "STOREDIST") {
					stores++
				}
			}
			return strings.HasPrefix(oracle.Text, "CROSSSLOT") && subject.Err() != nil || strings.HasPrefix(subject.Text, "CROSSSLOT") && oracle.Err() != nil ||
				stores > 1 && subject.Err() != nil
		},
	},
	{
		name: "sorting changes nothing", commands: []string{"OBJECT"},
		why: "Redis turns a sorted set into a skiplist when it is sorted by SORT; Cobble's SORT only reads",
		applies: func(args []string, oracle, subject reply) bool {
			return isEncoding(args) && oracle.Text == "skiplist" && subject.Text == "listpack" && len(args) > 2 && (typed.MatchString(args[2]) || len(args[2]) > 100)
		},
	},
	{
		name: "words with a NUL", commands: []string{"SORT", "SORT_RO"}, ends: true,
		why: "Redis compares with strcoll up to the first NUL byte, and leaves the order of what is equal so far to its hash table",
		applies: func(args []string, oracle, subject reply) bool {
			a, b := words(oracle), words(subject)
			return has(args, "ALPHA") && slices.Equal(a, b) && slices.ContainsFunc(a, func(w string) bool { return strings.Contains(w, "\x00") })
		},
	},
	{
		name: "half a number of keys", commands: []string{"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE", "ZINTERSTORE",
			"ZDIFFSTORE", "ZINTERCARD", "SINTERCARD", "LMPOP", "BLMPOP", "ZMPOP", "BZMPOP"},
		why: "Redis counts keys by the digits that a number begins with, to say CROSSSLOT of a command that is wrong anyway",
		applies: func(_ []string, oracle, subject reply) bool {
			return strings.HasPrefix(oracle.Text, "CROSSSLOT") && subject.Err() != nil
		},
	},
	{
		name: "line ends at the end", commands: []string{"FUNCTION"},
		why: "Cobble drops line ends at the end of every error; Redis makes spaces of those in some",
		applies: func(args []string, oracle, subject reply) bool {
			return oracle.Err() != nil && subject.Err() != nil && strings.TrimRight(oracle.Text, " ") == strings.TrimRight(subject.Text, " ") && strings.ContainsAny(strings.Join(args, ""), "\r\n")
		},
	},
	{
		name: "an old overflow", commands: []string{"SORT", "SORT_RO"}, ends: true,
		why: "Redis takes a number for too large if one that came before was, in whatever command",
		applies: func(_ []string, oracle, subject reply) bool {
			return oracle.Text == "ERR One or more scores can't be converted into double" && subject.Err() == nil
		},
	},
	{
		name: "after the last ID", commands: []string{"XREADGROUP"}, ends: true,
		why: "Redis begins again with the first entry; Cobble knows that there is none",
		applies: func(args []string, _, subject reply) bool {
			return slices.Contains(args, "18446744073709551615-18446744073709551615") && subject.Err() == nil
		},
	},
	{
		name: "LOLWUT", commands: []string{"LOLWUT"},
		why:     "the art ends with the server's name and version",
		applies: func(_ []string, oracle, subject reply) bool { return subject.Err() == nil },
	},
	{
		name: "Lua's words", commands: []string{"EVAL", "EVAL_RO", "SCRIPT", "FUNCTION"},
		why: "syntax errors are those of the interpreter, which is not Lua's own",
		applies: func(_ []string, oracle, subject reply) bool {
			at := strings.Index(oracle.Text, "user_script:")
			if at < 0 {
				at = strings.Index(oracle.Text, "user_function:")
			}
			return at > 0 && strings.HasPrefix(subject.Text, oracle.Text[:at])
		},
	},
	{
		name: "whole error texts",
		why:  "Redis cuts an error message, and a status of a script, at a NUL byte of an argument that it quotes; Cobble shows the argument whole",
		applies: func(args []string, oracle, subject reply) bool {
			if strings.EqualFold(args[0], "EXEC") && len(oracle.Elems) == len(subject.Elems) {
				differ := false
				for i, o := range oracle.Elems {
					if o.String() != subject.Elems[i].String() {
						differ = true
						if !cutAtNUL(o, subject.Elems[i]) {
							return false
						}
					}
				}
				return differ
			}
			return cutAtNUL(oracle, subject) && strings.IndexByte(strings.Join(args, " "), 0) >= 0
		},
	},
}

// cutAtNUL reports whether oracle is an error or a status that says what subject says up to a NUL byte.
func cutAtNUL(oracle, subject reply) bool {
	at := strings.IndexByte(subject.Text, 0)
	plain := oracle.Err() != nil && subject.Err() != nil || oracle.Kind == respconn.Simple && subject.Kind == respconn.Simple
	return plain && at >= 0 && strings.HasPrefix(oracle.Text, subject.Text[:at])
}

// words are the elements of a reply, in order.
func words(r reply) []string {
	var all []string
	for _, e := range r.Elems {
		all = append(all, e.Text)
	}
	slices.Sort(all)
	return all
}

// typed are the keys of the syntax family, the only one that sorts sorted sets; it has one long key besides.
var typed = regexp.MustCompile(`^{t}[a-z-]+[0-2]$`)

func isEncoding(args []string) bool { return len(args) > 1 && strings.EqualFold(args[1], "ENCODING") }

// knownDifference finds the entry that explains a difference, nil when there is none.
func knownDifference(args []string, oracle, subject reply) *known {
	for _, table := range [][]known{newer, deliberate} {
		for i := range table {
			k := &table[i]
			if k.covers(args) && k.applies(args, oracle, subject) {
				return k
			}
		}
	}
	return nil
}

func (k *known) covers(args []string) bool {
	if len(k.commands) == 0 {
		return true
	}
	for _, name := range k.commands {
		if len(args) > 0 && strings.EqualFold(args[0], name) {
			return true
		}
	}
	return false
}
