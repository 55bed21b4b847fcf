package differential

import (
	"crypto/sha1"
	"encoding/hex"
)

// These families have several sessions, a setup, or time that passes.

// scripts are texts that EVAL gets; what they call is among their arguments.
var scripts = []string{
	"return redis.call(unpack(ARGV))",
	"return redis.pcall(unpack(ARGV))",
	"local r = redis.pcall(unpack(ARGV)); if type(r) == 'table' and r.err then return redis.error_reply(r.err) end; return r",
	"return {redis.call(unpack(ARGV)), redis.call('TYPE', KEYS[1])}",
	"redis.setresp(3); local r = redis.pcall(unpack(ARGV)); if type(r) == 'table' and r.err then return r end; return r",
	"redis.setresp(3); return type(redis.pcall(unpack(ARGV)))",
	"return type(redis.pcall(unpack(ARGV)))",
	"redis.call('DEL', KEYS[1] or '{t}a'); local r = redis.pcall(unpack(ARGV)); return type(r) == 'table' and #r",
	"return {KEYS[1], ARGV[1], #ARGV, 3.99, -2.5, true, false, 'x', {1, 2, {3}}, 1, nil, 4}",
	"return redis.status_reply(ARGV[1])",
	"return redis.error_reply(ARGV[1])",
	"return {err = ARGV[1]}",
	"return {ok = ARGV[1]}",
	"return {double = 3.5}",
	"return redis.sha1hex(ARGV[1])",
	"return #KEYS",
	"redis.call('SET', KEYS[1], ARGV[1]); redis.call('NOSUCH'); return 1",
	"redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])",
	"for i = 1, 3 do redis.call('APPEND', KEYS[1], i) end; return redis.call('STRLEN', KEYS[1])",
	"return cjson.decode(ARGV[1])",
	"return cmsgpack.unpack(cmsgpack.pack(ARGV))",
	"return bit.band(tonumber(ARGV[1]) or 7, 255)",
	"return {struct.unpack('>I2', struct.pack('>I2', 258))}",
	"return string.format('%d %s %5.2f', 3, 'x', 2.5)",
	"local t = {}; for w in string.gmatch(ARGV[1], '%w+') do t[#t + 1] = w end; return t",
	"error('oh')", "return nosuchvariable", "x = 1", "return (", "return redis.call()", "return redis.call('GET')",
	"#!lua flags=no-writes\nreturn redis.call(unpack(ARGV))",
	"#!lua\nreturn redis.call(unpack(ARGV))",
	"return table.concat(ARGV, ',')",
}

const library = "#!lua name=lib1\n" +
	"redis.register_function('call', function(keys, args) return redis.call(unpack(args)) end)\n" +
	"redis.register_function{function_name='look', callback=function(keys, args) return redis.call(unpack(args)) end, flags={'no-writes'}}\n" +
	"redis.register_function('echo', function(keys, args) return {keys, args} end)\n"

// others are libraries and what is no library.
var others = []string{library, "#!lua name=lib2\nredis.register_function('two', function() return 2 end)", "#!lua name=lib3\nredis.register_function('call', function() return 2 end)",
	"#!lua name=bad name\nreturn 1", "#!lua\nreturn 1", "return 1", "#!lua name=lib4\nreturn 1", "#!lua name=lib4\nsyntax error", "#!js name=x\n1", ""}

func hashOf(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}

func scriptSetup() [][]string {
	setup := [][]string{{"SCRIPT", "FLUSH"}, {"FUNCTION", "FLUSH"}, {"FUNCTION", "LOAD", library}}
	for _, s := range scripts[:6] {
		setup = append(setup, []string{"SCRIPT", "LOAD", s})
	}
	return setup
}

// called is what a script is given to call.
const called = "(GET key | SET key value | INCR key | INCRBYFLOAT key float | HSET key (field value)... | HLEN key | HGET key field | RPUSH key member... | LRANGE key 0 -1 |" +
	" LPOP key [small] | SADD key member... | SISMEMBER key member | ZADD key score member | ZSCORE key member | ZRANGE key 0 -1 WITHSCORES | ZADD key INCR score member |" +
	" DEL key | TYPE key | EXISTS key | MGET key... | SETRANGE key small value | PING | ECHO word | EXPIRE key seconds | SMISMEMBER key member member |" +
	" XADD key entryid field value | XRANGE key - + | GETRANGE key index index | RENAME key key | MULTI | SUBSCRIBE word | NOSUCH key | GEOPOS key member | LMPOP 1 key LEFT | word)"

// payloads are values as DUMP of Redis 7.0 has them.
var payloads = []string{
	"\x00\x05hello\x0a\x00\x63\x72\xdf\x76\x65\x34\x20\x0a", "\x00\xc0\x7b\x0a\x00\x48\xe2\x53\xe1\x00\x7a\x67\xb9",
	"\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81\x61\x02\x81\x62\x02\x03\x01\xff\x0a\x00\xdc\xa1\xe6\x7d\x50\x05\x50\x48",
	"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x03\x00\x0a\x00\xa5\x02\x5c\xe2\x6d\x6e\x4d\x1b",
	"\x02\x02\x01\x62\x01\x61\x0a\x00\x75\xd9\x9d\x83\x5e\xf8\x5f\x65",
	"\x10\x12\x12\x00\x00\x00\x04\x00\x81\x66\x02\x81\x76\x02\x81\x67\x02\x01\x01\xff\x0a\x00\x23\xc1\xa5\xe3\x5d\xfa\xe8\x1c",
	"\x11\x14\x14\x00\x00\x00\x04\x00\x81\x61\x02\x01\x01\x81\x62\x02\x83\x32\x2e\x35\x04\xff\x0a\x00\xd4\x4c\x6e\xa4\xf6\x44\xd9\xd7",
	"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x01\x02\x67\x31\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x0a\x00\x38\x1d\x88\x84\xdd\x92\xbe\x1d",
}

var scriptFamily = &family{name: "scripts", setup: scriptSetup(), commands: []string{
	"40 EVAL callscript 1 key " + called, "10 EVAL script 1 key " + called, "10 EVAL script (0 | 1 key | 2 key key | small) [value] [value]", "6 EVAL_RO callscript 1 key " + called,
	"10 EVALSHA hash 1 key " + called, "3 EVALSHA_RO hash 1 key " + called, "2 EVALSHA word 0", "SCRIPT EXISTS hash hash word", "SCRIPT LOAD script", "SCRIPT FLUSH [SYNC | ASYNC | word]", "3 SCRIPT LOAD callscript",
	"10 FCALL fcall 1 key " + called, "6 FCALL_RO flook 1 key " + called, "3 FCALL flook 1 key " + called, "2 FCALL_RO fcall 1 key " + called, "4 FCALL fecho (1 key | 0) member...", "FCALL word 0", "FCALL fecho small key",
	"4 FUNCTION LOAD [REPLACE] librarytext", "2 FUNCTION LIST [LIBRARYNAME libraryname] [WITHCODE]", "FUNCTION DELETE libraryname", "FUNCTION STATS", "FUNCTION FLUSH [SYNC | ASYNC | word]", "FUNCTION DUMP",
	"FUNCTION RESTORE word", "FUNCTION KILL", "SCRIPT KILL", "SCRIPT word", "FUNCTION word",
	"4 SET key value", "2 RPUSH key member", "2 GET key", "3 DEL key",
}}

var groupFamily = &family{name: "groups", commands: []string{
	"10 XADD stream entryid (field value)...", "4 XADD stream smallid field value", "8 XGROUP CREATE stream group (0 | $ | entryid) [MKSTREAM] [ENTRIESREAD small]", "2 XGROUP SETID stream group (0 | $ | entryid) [ENTRIESREAD small]",
	"XGROUP DESTROY stream group", "3 XGROUP CREATECONSUMER stream group consumer", "XGROUP DELCONSUMER stream group consumer",
	"12 XREADGROUP GROUP group consumer [COUNT small] [NOACK] STREAMS stream >", "3 XREADGROUP GROUP group consumer [COUNT small] STREAMS stream (0 | entryid)",
	"2 XREADGROUP GROUP group consumer COUNT near STREAMS stream stream > >", "XREADGROUP GROUP group consumer BLOCK 1 STREAMS stream >", "XREAD BLOCK 1 STREAMS stream ($ | entryid)",
	"4 XACK stream group entryid...", "4 XCLAIM stream group consumer min-idle-time entryid... [IDLE zero] [RETRYCOUNT small] [FORCE] [JUSTID] [LASTID entryid]",
	"4 XAUTOCLAIM stream group consumer min-idle-time (0 | entryid) [COUNT small] [JUSTID]", "3 XPENDING stream group", "5 XPENDING stream group [IDLE zero] (- | entryid) (+ | entryid) small [consumer]",
	"3 XINFO STREAM stream", "3 XINFO STREAM stream FULL [COUNT small]", "3 XINFO GROUPS stream", "3 XINFO CONSUMERS stream group", "XINFO word stream",
	"2 XDEL stream entryid...", "XTRIM stream (MAXLEN | MINID) small", "XSETID stream entryid", "XLEN stream", "2 XRANGE stream - + [COUNT small]", "DEL stream", "SET stream value", "COPY stream stream [REPLACE]", "RENAME stream stream",
}}

var lifetimeFamily = &family{name: "lifetimes", lapses: true, percent: 12, commands: []string{
	"2 SET key value PX soon", "PSETEX key soon value", "4 PEXPIRE key soon [NX | XX | GT | LT]", "GETEX key PX soon", "RESTORE key soon payload [REPLACE]",
	"6 SET key value [EX seconds | KEEPTTL] [GET] [NX | XX]", "4 RPUSH key member...", "4 HSET key field value", "4 SADD key member...", "4 ZADD key score member", "2 XADD key entryid field value",
	"6 GET key", "4 TTL key", "4 PTTL key", "3 EXISTS key...", "3 TYPE key", "2 STRLEN key", "2 INCR key", "2 APPEND key value", "2 SETNX key value", "2 GETSET key value", "GETDEL key", "2 MGET key...", "MSETNX (key value)...",
	"3 RENAME key key", "3 RENAMENX key key", "3 COPY key key [REPLACE]", "4 DEL key...", "2 UNLINK key", "2 TOUCH key...", "2 PERSIST key", "2 EXPIRE key seconds [NX | XX | GT | LT]", "2 EXPIRETIME key", "KEYS *", "SCAN 0", "OBJECT ENCODING key",
	"2 LPOP key", "2 LLEN key", "2 LRANGE key 0 -1", "2 HGETALL key", "HINCRBY key field int", "2 SMEMBERS key", "SINTERSTORE key key key", "SUNION key key", "2 ZRANGE key 0 -1", "ZUNIONSTORE key 2 key key", "PFADD key member", "PFCOUNT key key",
	"SETRANGE key small value", "SETBIT key bitpos bit", "BITOP AND key key key", "LMOVE key key LEFT RIGHT", "SMOVE key key member", "2 DUMP key", "RPUSHX key member", "XREAD STREAMS key 0", "LMPOP 2 key key LEFT", "ZADD key XX CH score member",
}}

var administration = &family{name: "administration", percent: 30, commands: []string{
	"COMMAND GETKEYS word", "COMMAND LIST FILTERBY (ACLCAT word | MODULE word | PATTERN word)", "COMMAND LIST word", "COMMAND DOCS word", "COMMAND HELP", "CONFIG RESETSTAT", "CONFIG HELP", "CONFIG GET setting", "2 CONFIG GET setting setting",
	"CLIENT HELP", "CLIENT INFO", "CLIENT LIST (TYPE word | ID small | TYPE NORMAL)", "CLIENT PAUSE 0", "CLIENT PAUSE word", "CLIENT PAUSE 1 word", "CLIENT UNPAUSE", "CLIENT TRACKING OFF", "CLIENT TRACKING word", "CLIENT CACHING (YES | NO)", "CLIENT UNBLOCK small [TIMEOUT | ERROR | word]",
	"CLUSTER HELP", "CLUSTER INFO", "CLUSTER MYID", "CLUSTER NODES", "CLUSTER SHARDS", "CLUSTER SLOTS", "CLUSTER LINKS", "CLUSTER REPLICAS word", "CLUSTER SLAVES word", "CLUSTER REPLICATE word", "CLUSTER FORGET word", "CLUSTER COUNT-FAILURE-REPORTS word",
	"CLUSTER MEET word word", "CLUSTER ADDSLOTS (slot)...", "CLUSTER DELSLOTS badslot", "CLUSTER ADDSLOTSRANGE slot slot", "CLUSTER DELSLOTSRANGE badslot slot", "CLUSTER SETSLOT badslot (STABLE | NODE word | MIGRATING word | IMPORTING word | word)", "CLUSTER SETSLOT slot (NODE word | word)", "CLUSTER FAILOVER [FORCE | TAKEOVER | word]", "CLUSTER RESET word",
	"CLUSTER SAVECONFIG", "CLUSTER COUNTKEYSINSLOT slot", "CLUSTER GETKEYSINSLOT slot small", "CLUSTER KEYSLOT key",
	"LASTSAVE", "LATENCY HELP", "LATENCY HISTORY word", "LATENCY LATEST", "LATENCY RESET [word]", "LATENCY GRAPH word", "LATENCY DOCTOR", "LATENCY HISTOGRAM word", "MEMORY HELP", "MEMORY DOCTOR", "MEMORY PURGE", "MEMORY USAGE key [SAMPLES small]", "MEMORY MALLOC-STATS", "MODULE LIST", "MODULE HELP", "MODULE UNLOAD word",
	"PUBSUB CHANNELS [pattern]", "PUBSUB NUMSUB [word] [word]", "PUBSUB NUMPAT", "PUBSUB SHARDCHANNELS [pattern]", "PUBSUB SHARDNUMSUB [word]", "PUBSUB HELP", "PUBSUB word", "2 PUBLISH word value", "2 SPUBLISH key value",
	"ROLE", "REPLICAOF word word", "SLAVEOF word word", "FAILOVER [word]", "SLOWLOG HELP", "SLOWLOG RESET", "SLOWLOG GET small", "SCRIPT HELP", "FUNCTION HELP", "ACL WHOAMI", "ACL USERS", "ACL CAT word", "ACL HELP", "ACL GETUSER word", "SAVE word", "BGSAVE word", "BGREWRITEAOF word",
	"2 RESTORE key (0 | millis) payload [REPLACE] [ABSTTL] [IDLETIME small] [FREQ small]", "RESTORE-ASKING key 0 payload [REPLACE]", "2 DUMP key", "SET key value", "2 TYPE key", "2 DEL key", "OBJECT ENCODING key",
	"WAIT 0 (0 | 1)", "XGROUP HELP", "XINFO HELP", "OBJECT HELP", "INFO word", "TIME", "SWAPDB 0 0", "MOVE key db", "SELECT 0", "PFDEBUG GETREG key",
}}
