package command

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cobble/server/config"
	"cobble/storage"
	"cobble/tools/respconn"
)

// aclPair is this server and the oracle, with sessions that are there on both sides.
type aclPair struct {
	t      testing.TB
	env    *Env
	oracle *oracle
	ours   map[string]*Call
	theirs map[string]*oracle
	closed map[string]bool
	log    []string
}

func newACLPair(t testing.TB) *aclPair {
	c, _ := newTestCall(t)
	return &aclPair{t: t, env: c.Env, oracle: newOracle(t), ours: map[string]*Call{}, theirs: map[string]*oracle{}, closed: map[string]bool{}}
}

// session returns both ends of a session, which begins with its first command.
func (p *aclPair) session(name string) (*Call, *oracle) {
	if p.ours[name] == nil {
		client := &Client{Kill: func() { p.closed[name] = true }}
		p.ours[name] = NewCall(p.env, client)
		p.env.Clients.Add(client, p.env)
		conn, err := net.Dial("tcp", p.oracle.conn.RemoteAddr().String())
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = conn.Close() })
		p.theirs[name] = &oracle{t: p.t, conn: conn, in: bufio.NewReader(conn)}
	}
	return p.ours[name], p.theirs[name]
}

// same runs "@session command …" on both. What 7.2 says otherwise than 7.0 is put
// into the words of 7.0.
func (p *aclPair) same(line string) string {
	p.t.Helper()
	name := "main"
	if line[0] == '@' {
		name, line, _ = strings.Cut(line[1:], " ")
	}
	return p.sameArgs(name, wordsOf(p.t, line)...)
}

func (p *aclPair) sameArgs(name string, args ...string) string {
	p.t.Helper()
	call, o := p.session(name)
	p.log = append(p.log, fmt.Sprintf("@%s %.200q", name, args))
	raw := execute(call, args...)
	ours, theirs := in70(raw, args), in70(o.do(args...), args)
	if call.Client.Closing {
		p.closed[name] = true
	}
	if ours != theirs {
		p.t.Errorf("%s\n  ours   %.1500s\n  theirs %.1500s\nafter\n  %s", p.log[len(p.log)-1], ours, theirs, strings.Join(p.log[max(0, len(p.log)-15):], "\n  "))
	}
	return raw
}

// sameEnd checks that both have closed the session, or that both have not.
func (p *aclPair) sameEnd(name string) {
	p.t.Helper()
	_, o := p.session(name)
	o.send("PING")
	_, err := o.in.ReadString('\n')
	if gone := err == io.EOF || err != nil; gone != p.closed[name] {
		p.t.Errorf("session %s: closed here %v, there %v, after\n  %s", name, p.closed[name], gone, strings.Join(p.log[max(0, len(p.log)-6):], "\n  "))
	}
}

// The differences between 7.0 and 7.2, as far as they are words.
var since72 = []struct {
	find    *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`NOPERM User \S* has no`), "NOPERM this user has no"},
	{regexp.MustCompile(`NOPERM No permissions to access a (key|channel)`), "NOPERM this user has no permissions to access one of the ${1}s used as arguments"},
	{regexp.MustCompile(`ACL failure in script: User \S* has no permissions to run the '[^']*' command`), "The user executing the script can't run this command or subcommand"},
	{regexp.MustCompile(`ACL failure in script: No permissions to access a key`), "The user executing the script can't access at least one of the keys mentioned in the command arguments"},
	{regexp.MustCompile(`ACL failure in script: No permissions to access a channel`), "The user executing the script can't publish to the channel mentioned in the command"},
	{regexp.MustCompile(`User \S* has no permissions`), "This user has no permissions"},
	{regexp.MustCompile(` sanitize-payload`), ""}, // 7.0 says it only of users for whom it was said
}

// in70 prints a reply for comparison.
func in70(reply string, args []string) string {
	tree, err := respconn.Read(bufio.NewReader(strings.NewReader(reply)))
	if err != nil {
		return fmt.Sprintf("%v in %q", err, reply)
	}
	v := map70(plain(tree))
	if what := strings.ToLower(strings.Join(args[:min(2, len(args))], " ")); what == "acl getuser" && v != nil {
		hideCommands(v)
	} else if what == "acl log" {
		hideTimes(v)
	}
	return fmt.Sprintf("%c %q", reply[0], v)
}

// plain makes strings and lists of a reply; a list begins with its type.
func plain(r reply) any {
	switch {
	case r.IsAggregate():
		list := []any{fmt.Sprintf("%c", r.Kind)}
		for _, e := range r.Elems {
			list = append(list, plain(e))
		}
		return list
	case r.Absent:
		return nil
	}
	return r.Text
}

func map70(v any) any {
	switch v := v.(type) {
	case string:
		for _, d := range since72 {
			v = d.find.ReplaceAllString(v, d.replace)
		}
		return v
	case []any:
		for i := range v {
			v[i] = map70(v[i])
		}
		return slices.DeleteFunc(v, func(item any) bool { return item == any("sanitize-payload") })
	}
	return v
}

// hideCommands takes the commands out of ACL GETUSER: 7.0 prints rules that it makes
// up, 7.2 those that were given.
func hideCommands(v any) {
	list, ok := v.([]any)
	for i := 0; ok && i < len(list); i++ {
		hideCommands(list[i])
		if list[i] == any("commands") {
			list[i+1] = "hidden"
			i++
		}
	}
}

// hideTimes leaves of ACL LOG the fields that both versions have and that can be equal.
func hideTimes(v any) {
	list, ok := v.([]any)
	if !ok {
		return
	}
	for i := range list {
		if entry, ok := list[i].([]any); ok {
			list[i] = entry[:11]
		}
	}
}

func (p *aclPair) lines(script string) {
	p.t.Helper()
	for _, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '/' {
			p.same(line)
		}
	}
}

func TestACLRowsAreRedis(t *testing.T) {
	sameRows(t, aclCommands())
}

const setUserScript = `
	ACL SETUSER a %RW~x %~x|%RR~x|%R|%RWx|%|%r~x %W~x %R~y|%RW~*
	ACL SETUSER b ~* ~x|allkeys %R~x|allkeys ~*|~|"~a b"|ALLKEYS|ResetKeys|~a ~b ~a ~a* %R~a|~* resetkeys ~b
	ACL SETUSER c allchannels &x|&x &x &y &*|&|"&a b"|resetchannels &a &b* &a|ALLCHANNELS|&x
	ACL SETUSER d +@nope|+@|+|-|foo||+get|+GET -Set|+get\x00|"+get "|-select\x7c0|+get\x7c|+config\x7cnope|+config\x7cget\x7cx|+nope\x7cx|-config\x7cset|+@ALL|-@read|+@Write|@all|all|+all
	ACL SETUSER e #abc|!abc|<abc|>|>x >x >y|<x|!e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855|nopass|>z|resetpass|#E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
	ACL SETUSER e #e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855|#e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855ff|#e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g
	ACL SETUSER f ()|( )|"( +get )"|(on)|(>x)|"(+get (+set))"|(+get on )|"(+get 'x)"|)|(|x)|(~a +get) (%W~b +set)|(~a +get|(~a +@all -get) ~z|clearselectors|"(~\"a\" +get)"|(reset)|(~* ~a)
	ACL SETUSER g on|off|ON nopass|skip-sanitize-payload|sanitize-payload|on off on|reset|on >p ~a &b +get (+set)|reset
	ACL SETUSER h +select\x7c0 +select\x7c1|+SELECT\x7cA|-select|+select +select\x7c0|-@connection|+@all -@all +@read -@READ|+@string +@set -@string +@string|+config +config\x7cget -config
	ACL SETUSER h reset -config\x7cget +@all -config\x7cget|reset +debug\x7cdigest|reset +@all -config +config\x7cget|reset +get\x7cx +getset -get|reset nocommands allcommands +@all
	ACL SETUSER "a b"|ACL SETUSER "a\x00b"|ACL SETUSER ""|ACL USERS|ACL DELUSER "" nobody|ACL USERS|ACL DELUSER default a|ACL GETUSER nope|ACL DELUSER a b|ACL USERS
	ACL GENPASS 0|ACL GENPASS x|ACL GENPASS 4097|ACL GENPASS -1|ACL GENPASS 1 2|ACL LOAD|ACL SAVE|ACL LOG x|ACL LOG 1 2|ACL LOG 0|ACL LOG -1|ACL LOG RESET|ACL SAVE x|ACL WHOAMI x
	ACL DRYRUN nope get x|ACL DRYRUN default nope|ACL DRYRUN default|ACL DRYRUN default get|ACL DRYRUN default config|ACL DRYRUN default config nope|ACL DRYRUN default config get|ACL DRYRUN default get x
	ACL DRYRUN h acl\x7cwhoami|ACL CAT nope|ACL CAT a b|ACL CAT|ACL SETUSER|ACL DELUSER|ACL FOO|ACL HELP|ACL SETUSER d acl`

// Rules of all kinds, one after another: what they are answered, and what the user
// is afterwards.
func TestACLSetUserIsRedis(t *testing.T) {
	p := newACLPair(t)
	for _, line := range strings.Split(setUserScript, "\n") {
		for i, part := range strings.Split(strings.TrimSpace(line), "|") {
			part = strings.ReplaceAll(part, `\x7c`, "|")
			if i > 0 && strings.HasPrefix(line, "\tACL SETUSER ") && !strings.HasPrefix(part, "ACL ") {
				part = "ACL SETUSER " + strings.Fields(line)[2] + " " + part
			}
			if part == "" {
				continue
			}
			p.same(part)
			if words := strings.Fields(part); len(words) > 2 && words[1] == "SETUSER" && !strings.Contains(part, `"a`) {
				p.same("ACL GETUSER " + words[2])
				p.sameDryRuns(words[2])
			}
		}
	}
}

func (p *aclPair) sameDryRuns(user string) {
	p.t.Helper()
	for _, cmd := range []string{"GET x", "GET a", `GET ""`, "SET b v", "SET a v GET", "CONFIG GET x", "CONFIG SET x y", "SELECT 0", "SELECT a", "PUBLISH a b", "PSUBSCRIBE b*", "AUTH x", "PING"} {
		p.same("ACL DRYRUN " + user + " " + cmd)
	}
}

// Every command of a restricted user, wherever it stands.
func TestACLIsEnforcedAsInRedis(t *testing.T) {
	p := newACLPair(t)
	p.lines(`
		ACL SETUSER u on >p +@all -@dangerous +sort -del +config|get %R~r* %W~w* ~a* &b (+del ~d*)
		@1 AUTH u q
		@1 AUTH u p
		@1 ACL WHOAMI
		@1 GET r
		@1 GET w
		@1 SET w 1
		@1 SET w 1 GET
		@1 SET r 1
		@1 SET get 1
		@1 GET x
		@1 DEL a
		@1 DEL d1 d2
		@1 DEL d1 a
		@1 MGET a r1 x
		@1 MSET a 1 w 2
		@1 MSET a 1 r 2
		@1 COPY r w
		@1 COPY w r
		@1 COPY r a
		@1 RENAME w a
		@1 RENAME a w
		@1 LMOVE a w LEFT RIGHT
		@1 LMOVE w a LEFT RIGHT
		@1 BITFIELD r GET u8 0
		@1 BITFIELD r GET u8 0 SET u8 0 1
		@1 BITFIELD_RO r GET u8 0
		@1 BITFIELD w OVERFLOW WRAP INCRBY u8 0 1
		@1 ZUNIONSTORE w 2 r a
		@1 ZUNIONSTORE w 2 r x
		@1 ZUNIONSTORE r 1 r
		@1 ZUNIONSTORE w x r
		@1 ZUNION 2 r x
		@1 SINTERCARD 2 r x
		@1 XREAD STREAMS r x 0 0
		@1 XREADGROUP GROUP g c STREAMS r 0
		@1 GEORADIUS r 1 1 1 km STORE r
		@1 GEORADIUS r 1 1 1 km STORE w
		@1 GEOSEARCHSTORE w r FROMLONLAT 1 1 BYRADIUS 1 km
		@1 SORT r
		@1 SORT r STORE r
		@1 SORT r STORE w
		@1 SORT r BY x*
		@1 SORT r GET #
		@1 SORT_RO r BY nosort
		@1 SORT_RO r BY x* GET y
		@1 OBJECT ENCODING x
		@1 OBJECT ENCODING r
		@1 MEMORY USAGE x
		@1 DUMP r
		@1 RESTORE w 0 x
		@1 MIGRATE 127.0.0.1 1 r 0 10
		@1 EXISTS r x
		@1 TOUCH r x
		@1 EXPIRE r 1
		@1 TTL x
		@1 TYPE x
		@1 SUNSUBSCRIBE x
		@1 PUBLISH b 1
		@1 PUBLISH c 1
		@1 SPUBLISH c 1
		@1 SUBSCRIBE c
		@1 SUBSCRIBE b c
		@1 PSUBSCRIBE c*
		@1 SSUBSCRIBE c
		@1 CONFIG GET maxmemory
		@1 CONFIG SET maxmemory 0
		@1 CLIENT NO-EVICT on
		@1 CLIENT LIST
		@1 CLIENT SETNAME x
		@1 KEYS *
		@1 FLUSHALL
		@1 DEBUG JMAP
		@1 NOSUCH
		@1 GET
		@1 WATCH x
		@1 WATCH r
		@1 EVAL "return 1" 1 x
		@1 EVAL_RO "return 1" 1 r
		@1 EVAL "return 1" 1 r
		@1 FCALL f 1 x
		@1 LCS r x
		@1 PFCOUNT r x
		@1 PFMERGE w r
		@1 BITOP AND w r r1
		@1 BITOP AND r w
		@1 BLPOP x 0
		@1 BLPOP r 0
		@1 LMPOP 2 a x LEFT
		@1 GETEX r
		@1 GETDEL a
		@1 GETSET w 1
		@1 STRLEN w
		@1 APPEND w 1
		@1 SETRANGE w 0 x
		@1 GETRANGE r 0 1
		@1 XADD w * a b
		@1 XGROUP CREATE w g $
		@1 XINFO STREAM w
		@1 ZRANGESTORE w r 0 1
		@1 ZADD w 1 a
		@1 HSET w f v
		@1 HGET w f
		@1 SMOVE w a m
		@1 SMOVE r a m
		ACL LOG 100
		ACL LOG RESET
		ACL LOG
	`)
}

func TestACLInTransactionsAndScripts(t *testing.T) {
	p := newACLPair(t)
	p.lines(`
		ACL SETUSER c on nopass +@all -@admin -del ~a* &b
		@2 AUTH c x
		@2 MULTI
		@2 GET b
		@2 GET a
		@2 EXEC
		@2 MULTI
		@2 GET a
		@2 SET a 1
		@2 EXEC
		@2 MULTI
		@2 GET a
		@2 SET ab 1
		@2 PUBLISH b 1
		@2 EVAL "return redis.call('get', 'a')" 0
		@2 PING
		@2 TIME
		ACL SETUSER c -get resetkeys resetchannels -time
		@2 EXEC
		@2 SET a 1
		ACL SETUSER c ~a* +get
		@2 EVAL "return redis.call('get','b')" 0
		@2 EVAL "return redis.pcall('del','b')" 0
		@2 EVAL "return redis.pcall('publish','zz','1')" 0
		@2 EVAL "return redis.call('time')" 0
		@2 EVAL "return redis.acl_check_cmd('get','b')" 0
		@2 EVAL "return redis.acl_check_cmd('get','a')" 0
		@2 EVAL "return redis.acl_check_cmd('get')" 0
		@2 EVAL "return redis.acl_check_cmd('del','a')" 0
		@2 EVAL "return redis.acl_check_cmd('nope')" 0
		@2 EVAL "return redis.acl_check_cmd('config', 'get', 'x')" 0
		@2 EVAL "redis.call('set', KEYS[1], 'v') redis.pcall('get', 'q') return redis.call('get', KEYS[1])" 1 aa
		@2 EVAL "#!lua\nreturn redis.call('del', KEYS[1])" 1 aa
		FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function(keys) return redis.pcall('get', keys[1] or 'b') end)"
		@2 FCALL f 1 aa
		@2 FCALL f 0
		@2 FUNCTION LIST
		ACL SETUSER c -exec
		@2 MULTI
		@2 EXEC
		@2 DISCARD
		ACL SETUSER c +exec -multi
		@2 MULTI
		@2 GET a
		ACL SETUSER c +multi
		@2 MULTI
		@2 AUTH default x y
		@2 AUTH c x
		@2 GET a
		@2 RESET
		@2 GET b
		ACL LOG 100
		CONFIG RESETSTAT
	`)
}

// The types of RESP3.
func TestACLRepliesInRESP3(t *testing.T) {
	p := newACLPair(t)
	ours, theirs := p.session("main")
	execute(ours, "HELLO", "3")
	theirs.do("HELLO", "3")
	p.lines(`
		ACL SETUSER u on nopass >p &a ~b (+get ~x) (&y)
		ACL GETUSER u
		ACL GETUSER nobody
		ACL LIST
		ACL USERS
		ACL WHOAMI
		ACL DRYRUN u get x
		ACL DRYRUN u get y
		ACL CAT
		AUTH u q
		AUTH u p
		GET x
		GET y
		RESET
		ACL LOG
	`)
}

// Settings that rules depend on.
func TestACLSettingsAreRedis(t *testing.T) {
	newACLPair(t).lines(`
		CONFIG SET acl-pubsub-default allchannels
		ACL SETUSER a
		ACL GETUSER a
		ACL SETUSER a resetchannels (+get ~x) (resetchannels +set)
		ACL GETUSER a
		ACL SETUSER a reset
		ACL GETUSER a
		CONFIG SET acl-pubsub-default resetchannels
		ACL SETUSER a reset
		ACL SETUSER b
		ACL GETUSER a
		ACL GETUSER b
		CONFIG SET requirepass p
		ACL GETUSER default
		AUTH q
		AUTH p
		ACL SETUSER default >q
		ACL GETUSER default
		CONFIG GET requirepass
		CONFIG SET requirepass ""
		ACL GETUSER default
		AUTH q
		AUTH default q
		ACL SETUSER a on nopass
		@1 AUTH a x
		@1 GET x
		@1 GET y
		@1 DEL x
		@1 PUBLISH x y
		@1 GET x
		CONFIG SET acllog-max-len 2
		ACL LOG
		CONFIG SET acllog-max-len 0
		ACL LOG
		@1 GET x
		ACL LOG
		@1 EVAL "return redis.acl_check_cmd('config')" 0
		ACL SETUSER a +eval +config
		@1 EVAL "return redis.acl_check_cmd('config')" 0
		@1 EVAL "return redis.acl_check_cmd('config', 'nope')" 0
		@1 EVAL "return redis.acl_check_cmd('CONFIG', 'GET', 'x')" 0
		@1 EVAL "return redis.acl_check_cmd('set', 'k')" 0
		@1 EVAL "return redis.acl_check_cmd()" 0
	`)
}

// A transaction may change who it runs as, and what he may do.
func TestACLChangesInsideTransactions(t *testing.T) {
	newACLPair(t).lines(`
		SET k v
		ACL SETUSER r on nopass +get ~k
		ACL SETUSER w on nopass +@all ~w
		@1 AUTH r x
		@1 GET k
		@1 SET k 1
		@1 AUTH w x
		@1 MULTI
		@1 SET w 1
		@1 AUTH r x
		@1 SET w 2
		@1 EXEC
		@1 ACL WHOAMI
		@1 GET k
		@1 GET w
		@1 RESET
		MULTI
		ACL SETUSER default -get
		GET k
		SET k 2
		ACL SETUSER default +get
		GET k
		EXEC
		AUTH r
		AUTH r x
		ACL SETUSER default >p
	`)
}

func TestACLUsersComeAndGo(t *testing.T) {
	p := newACLPair(t)
	p.lines(`
		ACL SETUSER default on >secret
		@new PING
		@new GET x
		@new AUTH x
		@new AUTH default secret
		@new PING
		@old PING
		@old HELLO 2 AUTH default no
		@old AUTH secret
		ACL SETUSER default nopass
		@open PING
		ACL SETUSER default off
		@shut PING
		@shut AUTH default x
		@open PING
		ACL SETUSER default on
		ACL SETUSER u on nopass +@all ~* &*
		@u AUTH u x
		@u2 AUTH u x
		@v AUTH u x
		@v ACL SETUSER v on nopass +@all &a &b*
		@v AUTH v x
		CLIENT KILL USER nosuch
		CLIENT KILL USER default SKIPME yes ID 9999
		@u SUBSCRIBE a
		@v SUBSCRIBE a
		ACL SETUSER v &c
		@v PING
		ACL SETUSER u off
		@u2 PING
		@gone AUTH u x
		ACL DELUSER u
	`)
	p.sameEnd("u")
	p.sameEnd("u2")
	p.sameEnd("v")
	p.lines(`
		ACL SETUSER w on nopass +@all &a &b*
		@w1 AUTH w x
		@w1 SUBSCRIBE a
		@w2 AUTH w x
		@w2 PSUBSCRIBE b*
		@w3 AUTH w x
		@w3 SSUBSCRIBE b1
		@w4 AUTH w x
		ACL SETUSER w resetchannels &b*
	`)
	for _, name := range []string{"w1", "w2", "w3", "w4"} {
		p.sameEnd(name)
	}
	p.lines(`
		@x AUTH w x
		@x ACL DELUSER w
	`)
	p.sameEnd("x")
}

// Commands to be tried, with arguments of every kind.
var dryCommands = []string{"GET %k", "SET %k v", "SET %k v GET", "DEL %k %k", "COPY %k %k", "SORT %k STORE %k", "SORT_RO %k", "LMOVE %k %k LEFT LEFT", "EVAL x 2 %k %k", "EVAL_RO x 1 %k",
	"BITFIELD %k GET u8 0", "BITFIELD %k SET u8 0 1", "ZUNIONSTORE %k 2 %k %k", "XREAD STREAMS %k %k 0 0", "MIGRATE h 1 %k 0 1", `MIGRATE h 1 "" 0 1 KEYS %k %k`, "GEORADIUS %k 1 1 1 km STORE %k",
	"OBJECT ENCODING %k", "MEMORY USAGE %k", "PUBLISH %k m", "SPUBLISH %k m", "SUBSCRIBE %k %k", "PSUBSCRIBE %k", "SSUBSCRIBE %k", "UNSUBSCRIBE %k", "CONFIG GET x", "CONFIG SET x y", "CLIENT LIST",
	"CLIENT ID", "SELECT 0", "SELECT 1", "PING", "AUTH x", "HELLO", "KEYS %k", "FLUSHALL", "ACL LIST", "ACL WHOAMI", "DEBUG DIGEST", "SCRIPT FLUSH", "FUNCTION LIST", "XINFO STREAM %k", "XGROUP CREATE %k g 0",
	"BLPOP %k %k 0", "LMPOP 2 %k %k LEFT", "PFCOUNT %k %k", "PFMERGE %k %k", "GETEX %k", "GETDEL %k", "TTL %k", "EXPIRE %k 1", "RENAME %k %k", "WATCH %k", "HSET %k f v", "HGETALL %k",
	"ZRANGESTORE %k %k 0 1", "SINTERSTORE %k %k", "BITOP AND %k %k", "LCS %k %k", "RESTORE %k 0 x", "DUMP %k", "OBJECT FREQ %k", "GEOSEARCHSTORE %k %k FROMLONLAT 1 1 BYRADIUS 1 m", "INFO", "COMMAND COUNT"}

func randomACLRule(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	sign := pick("+", "-")
	switch r.IntN(12) {
	case 0, 1, 2:
		return sign + "@" + pick("all", "read", "write", "fast", "slow", "keyspace", "string", "dangerous", "admin", "connection", "pubsub", "blocking", "scripting", "transaction", "list", "set", "sortedset",
			"hash", "bitmap", "hyperloglog", "geo", "stream", "nosuch")
	case 3, 4:
		return sign + pick("get", "set", "DEL", "config", "config|get", "client|id", "client", "acl", "acl|whoami", "eval", "publish", "psubscribe", "nosuch", "config|nosuch", "memory|usage", "bitfield", "sort")
	case 5:
		return sign + pick("select|0", "select|1", "debug|digest", "get|a")
	case 6, 7:
		return pick("~", "~", "%R~", "%W~", "%RW~", "%rw~") + pick("a", "b*", "*", "?b", "[a-c]", "**", "")
	case 8:
		return "&" + pick("a", "b*", "*", "?b", "[a-c]")
	case 9:
		return pick("allkeys", "resetkeys", "allchannels", "resetchannels", "clearselectors", "on", "off", "nopass", "resetpass", ">p", "<p", ">q", "skip-sanitize-payload", "sanitize-payload", "", "reset")
	case 10:
		return "(" + pick("+get ~a", "+@read %R~b*", "+@all ~* &*", "~a +set -get", "&a +publish", "-@all", "+nosuch", "+@write %W~a %R~*")
	}
	return pick(")", "+set)", "%W~a)", "(", "x", "%R")
}

// Random rules on both sides: the same answer, the same user, and the same commands
// allowed.
func TestACLRandomRulesAreRedis(t *testing.T) {
	n := 25
	if s, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil {
		n = s
	}
	p := newACLPair(t)
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		user := fmt.Sprint("u", seed)
		for range 12 {
			args := []string{"ACL", "SETUSER", user}
			open := false // a selector without its end; 7.0 forgets it when another opens, 7.2 says that it is wrong
			for range r.IntN(5) {
				rule := randomACLRule(r)
				if open = open && !strings.HasSuffix(rule, ")"); open && strings.HasPrefix(rule, "(") {
					continue
				}
				open = open || rule == "("
				args = append(args, strings.Fields(rule)...)
				if len(rule) > 1 && rule[0] == '(' {
					if open = r.IntN(4) == 0; !open {
						args[len(args)-1] += ")"
					}
				}
			}
			p.sameArgs("main", args...)
			p.same("ACL GETUSER " + user)
			for range 8 {
				if strings.HasPrefix(p.env.userText(user), "?") {
					break
				}
				line := dryCommands[r.IntN(len(dryCommands))]
				for strings.Contains(line, "%k") {
					line = strings.Replace(line, "%k", []string{"a", "b", "bc", "ab", "d", "b*", "*"}[r.IntN(7)], 1)
				}
				p.same("ACL DRYRUN " + user + " " + line)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (e *Env) userText(name string) string {
	if u := e.ACL.users.Find(name); u != nil {
		return u.Rules().String()
	}
	return "?"
}

// What Redis 7.2 says where 7.0 speaks otherwise; taken down from newer servers.
func TestACLIn72(t *testing.T) {
	c, do := newRunner(t)
	for _, step := range [][2]string{
		{`ACL SETUSER a on >x ~foo:* %R~bar +@string -@dangerous +config|get -set`, "+OK\r\n"},
		{`ACL LIST`, "*2\r\n$164\r\nuser a on sanitize-payload #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~foo:* %R~bar resetchannels -@all +@string -@dangerous +config|get -set\r\n" +
			"$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n"},
		{`ACL SETUSER f (~a +get (~b +set)`, "-ERR Error in ACL SETUSER modifier '(~a +get (~b +set)': Syntax error\r\n"},
		{`ACL DRYRUN a get zoo`, "$49\r\nUser a has no permissions to access the 'zoo' key\r\n"},
		{`ACL DRYRUN a del zoo`, "$50\r\nUser a has no permissions to run the 'del' command\r\n"},
	} {
		if got := do(wordsOf(t, step[0])...); got != step[1] {
			t.Errorf("%s: %q, want %q", step[0], got, step[1])
		}
	}
	for rules, want := range map[string]string{
		"+@all -get +get +select|0": "+@all +get +select|0", "+CONFIG +Config|GET -CONFIG|set": "-@all +config +config|get -config|set", "+select|0 +select|1 +SELECT|A": "-@all +select|0 +select|1 +select|a",
		"+select|0 -select": "-@all -select", "+select +select|0": "-@all +select +select|0", "+select -@connection": "-@all +select -@connection", "+@all -@all +@read -@READ": "-@all -@read",
		"+@string +@set -@string +@string": "-@all +@set +@string", "+config +config|get -config": "-@all -config", "-config|get +@all -config|get": "+@all -config|get",
		"+@all -config +config|get": "+@all -config +config|get", "+get|x +getset -get": "-@all +getset -get",
	} {
		do(append([]string{"ACL", "SETUSER", "b", "reset"}, strings.Fields(rules)...)...)
		if got := c.Env.ACL.users.Find("b").Rules().Selectors()[0].Commands; got != want {
			t.Errorf("%s: %s, want %s", rules, got, want)
		}
	}
	do("ACL", "SETUSER", "b", "reset", "on", "nopass", "+get", "~a", "&a", "+publish", "+eval", "+exec", "+multi")
	do("AUTH", "b", "x")
	for line, want := range map[string]string{
		"GET b": "-NOPERM No permissions to access a key\r\n", "PUBLISH b x": "-NOPERM No permissions to access a channel\r\n", "CONFIG GET x": "-NOPERM User b has no permissions to run the 'config|get' command\r\n",
		`EVAL "return redis.pcall('get','b')" 0`: "-ERR ACL failure in script: No permissions to access a key\r\n", `EVAL "return redis.pcall('del','b')" 0`: "-ERR ACL failure in script: User b has no permissions to run the 'del' command\r\n",
	} {
		if got := do(wordsOf(t, line)...); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	do("RESET")
	log := do("ACL", "LOG", "1")
	for _, field := range []string{"entry-id\r\n:4\r\n", "timestamp-created\r\n:1700000000000\r\n", "timestamp-last-updated\r\n:1700000000000\r\n", "age-seconds\r\n$1\r\n0\r\n", " user=b "} {
		if !strings.Contains(log, field) {
			t.Errorf("ACL LOG lacks %q: %q", field, log)
		}
	}
	if !strings.HasPrefix(log, "*1\r\n*20\r\n$5\r\ncount\r\n:1\r\n") {
		t.Errorf("ACL LOG: %q", log)
	}
	if info := do("INFO", "stats"); !strings.Contains(info, "acl_access_denied_auth:0\r\nacl_access_denied_cmd:2\r\nacl_access_denied_key:2\r\nacl_access_denied_channel:1\r\n") {
		t.Errorf("INFO: %q", info)
	}
}

// A blocked command whose user may not run it any more when it is served.
func TestACLOfBlockedCommands(t *testing.T) {
	c, do := newRunner(t)
	do("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*")
	client := &Client{Kill: func() {}}
	waiting := NewCall(c.Env, client)
	c.Env.Clients.Add(client, c.Env)
	waiting.Now = c.Now
	execute(waiting, "AUTH", "u", "x")
	waiting.Out.Reset()
	waiting.Execute([][]byte{[]byte("BLPOP"), []byte("k"), []byte("0")})
	if waiting.Wait == nil {
		t.Fatal("it does not wait")
	}
	do("ACL", "SETUSER", "u", "resetkeys")
	do("RPUSH", "k", "v")
	waiting.Later(nil)
	if got := string(waiting.Out.Bytes()); got != "-NOPERM No permissions to access a key\r\n" {
		t.Errorf("served: %q", got)
	}
	if got := do("LLEN", "k"); got != ":1\r\n" {
		t.Errorf("the element: %q", got)
	}
	stats := c.Env.Stats.of(c.Env.Table.Find([]byte("blpop")))
	if stats.rejected.Load() != 1 || stats.calls.Load() != 0 {
		t.Errorf("rejected %d, calls %d", stats.rejected.Load(), stats.calls.Load())
	}
}

// newACLFileEnv is a server with an ACL file.
func newACLFileEnv(t *testing.T, path string) *Env {
	engine, err := storage.Open(storage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	settings := config.New()
	if err := settings.Load([]string{"--aclfile", path}, nil); err != nil {
		t.Fatal(err)
	}
	env := NewEnv(engine, settings, testProcess())
	if err := env.LoadUsers(); err != nil {
		t.Fatal(err)
	}
	return env
}

// ACL LOAD on files good and bad: the same users or the same complaint.
func TestACLFileIsRedis(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.acl")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user alice on >secret ~a* +get (~b* +set)\n")
	env := newACLFileEnv(t, path)
	p := &aclPair{t: t, env: env, oracle: newOracle(t, "--aclfile", path), ours: map[string]*Call{}, theirs: map[string]*oracle{}, closed: map[string]bool{}}
	p.same("ACL GETUSER alice")
	for _, content := range []string{"user a on\nuser a off\n", "user\n", "usr a\n\nuser b foo\nuser c +nope -nope @x\n", "user a ~* ~x foo\n", "user a (+get\n", "user a (+get\nuser\n", "user a\tb on\n", "USER a on\n", "#c\n",
		"user  on\n", "user a   on    +get\n", "user \"a on\n", "user 'a b' on\n", "user x on (+get) (~a\t+set )\n", "  user default on nopass +@all\r\n\tuser y on +get\t\n", "", "\n\n", "user b on #abc !abc\n", "user b on +config|x +@y\n"} {
		write(content)
		p.same("ACL LOAD")
		p.same("ACL USERS")
		for _, user := range []string{"a", "", "\"a", "default", "y", "x", "alice"} {
			p.sameArgs("main", "ACL", "GETUSER", user)
		}
	}
	write("user k on nopass +@all ~* &a\nuser gone on nopass +@all\nuser default on nopass +@all ~* &*\n")
	p.lines(`
		ACL LOAD
		@k AUTH k x
		@l AUTH k x
		@l SUBSCRIBE a
		@gone AUTH gone x
	`)
	write("user k on nopass +@all ~* &b\nuser default on nopass +@all ~* &*\n")
	p.same("ACL LOAD")
	p.sameEnd("l")
	p.sameEnd("gone")
	if p.closed["k"] { // 7.0 closes it, 7.2 does not
		t.Error("a user who may go on was disconnected")
	}
	p.same("ACL SAVE")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.same("ACL LOAD")
}

// ACL SAVE writes what ACL LOAD and the start read; what could not be read back is
// not written at all.
func TestACLSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	c := NewCall(newACLFileEnv(t, path), &Client{})
	do := func(line string) string { return execute(c, wordsOf(t, line)...) }
	do(`ACL SETUSER a on >p ~x %R~y &c +@all -get (+get ~z)`)
	if got := do("ACL SAVE"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	want := "user a on sanitize-payload #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 ~x %R~y resetchannels &c +@all -get (~z resetchannels -@all +get)\n" +
		"user default on nopass sanitize-payload ~* &* +@all\n"
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("saved\n%s\nwant\n%s", got, want)
	}
	list := do("ACL LIST")
	do("ACL DELUSER a")
	if got := do("ACL LOAD"); got != "+OK\r\n" || do("ACL LIST") != list {
		t.Errorf("loaded: %q %q", got, do("ACL LIST"))
	}
	do(`ACL SETUSER a "(~\"x)\")"`)
	if got := do("ACL SAVE"); !strings.HasPrefix(got, "-ERR There was an error trying to save the ACLs.") {
		t.Errorf("a pattern that cannot be read back: %q", got)
	}
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("the file was changed:\n%s", got)
	}
}

// Whatever a script asks about, with too few arguments too: no command makes the
// question point beyond them.
func TestACLQuestionsAreWithinTheArguments(t *testing.T) {
	c, do := newRunner(t)
	do("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~a", "&a")
	do("AUTH", "u", "x")
	r := rand.New(rand.NewPCG(3, 4))
	fill := []string{"a", "", "0", "1", "2", "-1", "99999999999999999999", "KEYS", "STREAMS", "STORE", "GET", "BY", "AUTH", "SET", "COUNT"}
	for _, cmd := range c.Env.Table.All() {
		for n := 1; n <= 9; n++ {
			for range 12 {
				args := [][]byte{[]byte(cmd.Name)}
				for len(args) < n {
					args = append(args, []byte(fill[r.IntN(len(fill))]))
				}
				q := c.ask(cmd, args)
				for _, k := range q.Keys {
					if k.At < 1 || k.At >= n {
						t.Fatalf("%s %q: key at %d", cmd.FullName(), args, k.At)
					}
				}
				if _, at := c.Client.user.Load().Rules().Check(q); at >= n {
					t.Fatalf("%s %q: %d", cmd.FullName(), args, at)
				}
				c.mayMakeUpKeys()
			}
		}
	}
}

// Random users at work: plainly, in transactions during which they change, and in scripts.
func TestACLRandomUsersAtWork(t *testing.T) {
	n := 15
	if s, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil {
		n = s
	}
	p := newACLPair(t)
	commands := []string{"GET %k", "SET %k v", "SET %k v GET", "DEL %k %k", "COPY %k %k", "MGET %k %k", "MSET %k 1 %k 2", "PUBLISH %k m", "LPUSH l%k x", "LMOVE l%k l%k LEFT RIGHT", "STRLEN %k",
		"HSET h%k f v", "HGET h%k f", "SUNIONSTORE s%k s%k s%k", "ZADD z%k 1 m", "ZUNIONSTORE z%k 2 z%k z%k", "SORT l%k ALPHA STORE l%k", "BITFIELD %k GET u8 0", "BITFIELD %k SET u8 0 1",
		"OBJECT ENCODING %k", "EXPIRE %k 100", "PING", "ECHO x", "DBSIZE", "TYPE %k", "RENAME %k %k", "GETDEL %k", "EXISTS %k %k", "APPEND %k x", "PFADD p%k a", "PFMERGE p%k p%k"}
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		pick := func(all ...string) string { return all[r.IntN(len(all))] }
		command := func() string {
			line := pick(commands...)
			for strings.Contains(line, "%k") {
				line = strings.Replace(line, "%k", pick("a", "b", "ab", "d"), 1)
			}
			return line
		}
		change := func() string {
			rule := randomACLRule(r)
			for strings.ContainsAny(rule, "()") || strings.Contains(rule, "nosuch") || rule == "off" || strings.HasSuffix(rule, "pass") || rule == "reset" {
				rule = randomACLRule(r)
			}
			return "ACL SETUSER u " + rule
		}
		p.lines("ACL SETUSER u reset on nopass +@all -@admin ~a* %R~*b %W~z* (+@read ~s* ~h*)\n@u AUTH u x")
		for range 25 {
			switch r.IntN(4) {
			case 0:
				p.same(change())
			case 1:
				p.same("@u " + command())
			case 2:
				p.same("ACL SETUSER u " + pick("allkeys", "allkeys allchannels +@all -@admin", "+@all -@admin", "allchannels"))
				p.same("@u MULTI")
				for range 1 + r.IntN(4) {
					p.same("@u " + command())
				}
				p.same("ACL SETUSER u " + pick("resetkeys", "resetkeys ~a", "resetkeys %R~*", "-@write", "-@read", "-@string", "-set", "resetchannels", "allkeys"))
				if got := p.same("@u EXEC"); strings.HasPrefix(got, "-NOPERM") || strings.HasPrefix(got, "-ERR") {
					p.same("@u DISCARD")
				}
			case 3:
				line := strings.Fields(command())
				p.sameArgs("u", append([]string{"EVAL", "return redis." + pick("call", "pcall") + "(unpack(ARGV))", "0"}, line...)...)
			}
		}
		p.lines("@u RESET\nACL LOG 100\nACL LOG RESET\nDBSIZE\nFLUSHALL")
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
