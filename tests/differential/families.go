package differential

// families are the grammars. Each has some commands of other types, so that wrong types happen, and deletes, so that
// keys come and go.
var families = prepared(
	&family{name: "strings", commands: []string{
		"8 SET key value [NX | XX] [GET] [EX seconds | PX millis | EXAT atsecond | PXAT atmilli | KEEPTTL]",
		"2 SET key number",
		"4 GET key", "2 GETEX key [EX seconds | PX millis | EXAT atsecond | PXAT atmilli | PERSIST]",
		"GETDEL key", "2 GETSET key value", "SETEX key seconds value", "PSETEX key millis value", "2 SETNX key value",
		"2 MSET (key value)...", "2 MSETNX (key value)...", "2 MGET key...", "MGET key otherkey", "MSET key value otherkey value",
		"3 APPEND key value", "2 STRLEN key", "4 SETRANGE key offset value", "4 GETRANGE key index index", "SUBSTR key index index",
		"2 INCR key", "3 INCRBY key int", "6 INCRBYFLOAT key float", "DECR key", "2 DECRBY key int",
		"4 LCS key key [LEN] [IDX] [MINMATCHLEN int] [WITHMATCHLEN]",
		"TTL key", "PTTL key", "OBJECT ENCODING key", "2 HSET key field value", "2 DEL key...", "EXISTS key", "TYPE key",
	}},
	&family{name: "bitmaps", commands: []string{
		"6 SETBIT key bitpos bit", "4 GETBIT key bitpos", "6 BITCOUNT key [index index [BYTE | BIT]]",
		"6 BITPOS key bit [index [index [BYTE | BIT]]]", "4 BITOP (AND | OR | XOR) key key...", "2 BITOP NOT key key", "BITOP word key key",
		"8 BITFIELD key (GET bittype bitoff | SET bittype bitoff int | INCRBY bittype bitoff int | OVERFLOW (WRAP | SAT | FAIL | word))...",
		"2 BITFIELD_RO key (GET bittype bitoff)...", "BITFIELD_RO key SET bittype bitoff int",
		"4 SET key value", "2 GET key", "STRLEN key", "HSET key field value", "2 DEL key", "OBJECT ENCODING key", "TYPE key",
		"EXPIRE key seconds", "TTL key",
	}},
	&family{name: "hashes", commands: []string{
		"8 HSET key (field value)...", "2 HSETNX key field value", "3 HGET key field", "2 HMGET key field...", "2 HMSET key (field value)...",
		"4 HDEL key field...", "2 HLEN key", "2 HSTRLEN key field", "2 HEXISTS key field", "2 HGETALL key", "2 HKEYS key", "2 HVALS key",
		"4 HINCRBY key field int", "6 HINCRBYFLOAT key field float", "2 HSET key field number",
		"3 HRANDFIELD key [count [WITHVALUES]]", "3 HSCAN key 0 [MATCH pattern] [COUNT small]", "HSCAN key word",
		"SET key value", "DEL key", "2 OBJECT ENCODING key", "TYPE key", "EXISTS key", "EXPIRE key seconds", "TTL key", "PERSIST key",
	}},
	&family{name: "lists", commands: []string{
		"6 LPUSH key value...", "6 RPUSH key (value)...", "LPUSHX key value", "RPUSHX key value value", "4 RPUSH key number number number",
		"3 LPOP key [small]", "3 RPOP key [small]", "2 LLEN key", "3 LINDEX key index", "4 LSET key index value",
		"4 LRANGE key index index", "2 LTRIM key index index", "2 LREM key int value", "LREM key small number",
		"3 LINSERT key (BEFORE | AFTER | word) value value", "3 LINSERT key BEFORE number number",
		"3 LPOS key value [RANK int] [COUNT small] [MAXLEN small]", "LPOS key number COUNT 0",
		"3 RPOPLPUSH key key", "4 LMOVE key key (LEFT | RIGHT) (LEFT | RIGHT)", "LMOVE key key word LEFT",
		"3 LMPOP 1 key (LEFT | RIGHT) [COUNT small]", "2 LMPOP 2 key key (LEFT | RIGHT)", "2 BLPOP key key 0.001", "BRPOP key 0.001", "BLPOP key word", "BLMOVE key key LEFT (LEFT | word) 0.001", "BRPOPLPUSH key key 0.001",
		"BLMPOP 0.001 2 key key (LEFT | RIGHT) [COUNT small]", "LMPOP int key LEFT [COUNT int]", "LMPOP small key key word",
		"DEBUG DIGEST-VALUE key", "OBJECT ENCODING key", "SET key value", "2 DEL key", "TYPE key", "EXISTS key", "EXPIRE key seconds", "TTL key",
		"COPY key key [REPLACE]", "RENAME key key",
	}},
	&family{name: "sorts", commands: []string{
		"6 RPUSH key number number number", "3 RPUSH key member member", "SET key value",
		"8 SORT key [BY word] [LIMIT small small] [ASC | DESC] [ALPHA]", "4 SORT key (ALPHA | DESC | ASC | LIMIT small small | BY word | word | STORE key)...",
		"4 SORT key [LIMIT small small] [DESC] [ALPHA] STORE key", "2 SORT_RO key [LIMIT small small] [DESC] [ALPHA]", "SORT_RO key STORE key", "SORT key BY pattern", "SORT key GET pattern",
		"DEL key", "TYPE key", "2 LRANGE key 0 -1", "SORT key STORE otherkey", "COMMAND GETKEYS SORT key (BY word | LIMIT small small | STORE key | GET pattern)...",
	}},
	&family{name: "sketches", commands: []string{
		"8 PFADD key member...", "2 PFADD key", "4 PFCOUNT key", "2 PFCOUNT key...", "3 PFMERGE key key...", "3 GET key", "PFDEBUG ENCODING key", "PFDEBUG DECODE key",
		"PFDEBUG TODENSE key", "PFDEBUG word key", "SET key value", "SADD key member", "DEL key", "OBJECT ENCODING key",
		"STRLEN key", "COPY key key [REPLACE]", "EXPIRE key seconds", "TTL key",
	}},
	&family{name: "sets", commands: []string{
		"8 SADD key member...", "4 SREM key member...", "2 SCARD key", "3 SISMEMBER key member", "2 SMISMEMBER key member...", "2 SMEMBERS key",
		"3 SMOVE key key member", "SMOVE key otherkey member", "3 SRANDMEMBER key [count]", "SPOP key 0", "SPOP key word", "SSCAN key word",
		"3 SSCAN key 0 [MATCH pattern] [COUNT small]", "2 SINTER key...", "2 SUNION key...", "2 SDIFF key...", "SUNION key otherkey",
		"2 SINTERSTORE key key...", "2 SUNIONSTORE key key...", "2 SDIFFSTORE key key...", "SDIFFSTORE otherkey key key",
		"SORT key [ALPHA] [DESC]", "SORT key [ALPHA] STORE key", "2 SINTERCARD 1 key [LIMIT small]", "2 SINTERCARD 2 key key [LIMIT small] [LIMIT small]", "SINTERCARD small key key key", "SINTERCARD int key",
		"SET key value", "DEL key", "3 OBJECT ENCODING key", "TYPE key", "EXISTS key", "EXPIRE key seconds", "TTL key", "COPY key key [REPLACE]", "RENAME key key",
	}},
	&family{name: "zsets", commands: []string{
		"10 ZADD key (score member)...", "4 ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member", "2 ZADD key [XX] [GT | LT] [CH] (score member)...",
		"4 ZINCRBY key score member", "3 ZREM key member...", "ZCARD key", "2 ZSCORE key member", "2 ZMSCORE key member...", "2 ZRANK key member", "2 ZREVRANK key member",
		"3 ZRANGE key index index [REV] [WITHSCORES]", "2 ZREVRANGE key index index [WITHSCORES]", "3 ZRANGE key scorebound scorebound BYSCORE [REV] [LIMIT small small] [WITHSCORES]",
		"2 ZRANGEBYSCORE key scorebound scorebound [WITHSCORES] [LIMIT small small]", "2 ZREVRANGEBYSCORE key scorebound scorebound [WITHSCORES] [LIMIT small small]",
		"2 ZCOUNT key scorebound scorebound", "ZRANGE key index index [BYSCORE | BYLEX] [REV] [LIMIT index small] [WITHSCORES]",
		"4 ZADD lexkey (0 member)...", "2 ZREM lexkey member", "2 ZRANGEBYLEX lexkey lexbound lexbound [LIMIT small small]", "2 ZREVRANGEBYLEX lexkey lexbound lexbound [LIMIT small small]",
		"2 ZLEXCOUNT lexkey lexbound lexbound", "ZREMRANGEBYLEX lexkey lexbound lexbound", "2 ZRANGE lexkey lexbound lexbound BYLEX [REV] [LIMIT small small]",
		"ZREMRANGEBYRANK key index index", "ZREMRANGEBYSCORE key scorebound scorebound", "2 ZRANGESTORE key key index index [REV]", "ZRANGESTORE key key scorebound scorebound BYSCORE [REV] [LIMIT small small]",
		"2 ZPOPMIN key [small]", "2 ZPOPMAX key [small]", "2 ZMPOP 2 key key (MIN | MAX) [COUNT small]", "ZMPOP small key key word",
		"2 ZUNION 2 key key [WEIGHTS score score] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]", "2 ZINTER 2 key key [WEIGHTS score score] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]",
		"2 ZDIFF 2 key key [WITHSCORES]", "ZUNIONSTORE key 3 key key key [WEIGHTS score score score] [AGGREGATE (SUM | MIN | MAX | word)]", "ZINTERSTORE key 2 key key [WEIGHTS score score]",
		"ZDIFFSTORE key 2 key key", "2 ZINTERCARD 2 key key [LIMIT small]", "ZUNION int key key", "3 ZRANDMEMBER key [count [WITHSCORES]]", "3 ZSCAN key 0 [MATCH pattern] [COUNT small]", "ZSCAN key word",
		"2 SADD key member...", "SET key value", "2 DEL key", "3 OBJECT ENCODING key", "2 DEBUG DIGEST-VALUE key", "TYPE key", "EXPIRE key seconds", "TTL key", "COPY key key [REPLACE]", "RENAME key key",
	}},
	&family{name: "positions", commands: []string{
		"10 GEOADD key (longitude latitude member)...", "2 GEOADD key [NX | XX] [CH] longitude latitude member", "2 GEOPOS key member...", "2 GEOHASH key member...",
		"3 GEODIST key member member [unit]", "3 GEORADIUS key longitude latitude distance unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT small [ANY]] [ASC | DESC]",
		"2 GEORADIUS_RO key longitude latitude distance unit [WITHDIST] [COUNT small] [ASC | DESC]", "2 GEORADIUSBYMEMBER key member distance unit [WITHDIST] [COUNT small] [ASC | DESC]",
		"GEORADIUSBYMEMBER_RO key member distance unit [WITHCOORD]", "GEORADIUS key longitude latitude distance unit [COUNT small] STORE key",
		"4 GEOSEARCH key (FROMMEMBER member | FROMLONLAT longitude latitude) (BYRADIUS distance unit | BYBOX distance distance unit) [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT small [ANY]] [ASC | DESC]",
		"2 GEOSEARCHSTORE key key (FROMMEMBER member | FROMLONLAT longitude latitude) (BYRADIUS distance unit | BYBOX distance distance unit) [COUNT small]",
		"ZADD key score member", "2 ZREM key member", "2 ZRANGE key 0 -1 [WITHSCORES]", "SET key value", "DEL key", "OBJECT ENCODING key",
	}},
	&family{name: "keys", commands: []string{
		"6 SET key value [EX seconds]", "4 HSET key (field value)...", "2 RPUSH key value...", "2 GET key", "HGETALL key",
		"3 DEL key...", "2 UNLINK key...", "3 EXISTS key...", "2 TYPE key", "2 TOUCH key...", "DEL key otherkey",
		"3 EXPIRE key seconds [NX | XX | GT | LT]", "3 PEXPIRE key millis [NX | XX | GT | LT]",
		"3 EXPIREAT key atsecond [NX | XX | GT | LT]", "3 PEXPIREAT key atmilli [NX] [XX] [GT] [LT]",
		"3 TTL key", "3 PTTL key", "2 PERSIST key", "2 EXPIRETIME key", "2 PEXPIRETIME key",
		"4 RENAME key key", "4 RENAMENX key key", "RENAME key otherkey", "4 COPY key key [REPLACE] [DB db]",
		"RANDOMKEY", "2 KEYS pattern", "3 SCAN 0 [MATCH pattern] [COUNT small] [TYPE typename]", "SCAN word", "2 DBSIZE",
		"FLUSHALL [ASYNC | SYNC]", "FLUSHDB [ASYNC | SYNC]", "FLUSHALL word",
		"3 OBJECT ENCODING key", "OBJECT REFCOUNT key", "OBJECT IDLETIME key", "OBJECT FREQ key", "OBJECT word key", "OBJECT HELP",
		"2 DUMP key", "RESTORE key millis value [REPLACE] [ABSTTL] [IDLETIME int] [FREQ int]", "SELECT db", "MOVE key db",
		"APPEND key value", "INCR key", "HDEL key field", "SORT key word",
	}},
	&family{name: "transactions", sessions: 2, commands: []string{
		"8 MULTI", "10 EXEC", "2 DISCARD", "6 WATCH key...", "2 UNWATCH", "WATCH key otherkey",
		"6 SET key value [EX seconds]", "3 GET key", "4 INCR key", "2 HSET key field value", "2 DEL key", "2 EXPIRE key seconds", "APPEND key value",
		"MGET key otherkey", "GET otherkey", "INCRBYFLOAT key float", "HGETALL key", "NOSUCHCOMMAND key", "GET", "FLUSHALL", "PING [word]",
		"RENAME key key", "SELECT db", "DBSIZE", "EXISTS key", "MSET (key value)...", "PERSIST key", "HINCRBY key field int",
	}},
	&family{name: "connection", commands: []string{
		"PING [word]", "ECHO word", "SELECT db", "HELLO [2 | 3 | int] [SETNAME name] [AUTH word word]", "CLIENT GETNAME", "CLIENT SETNAME name",
		"CLIENT ID", "CLIENT NO-EVICT (ON | OFF | word)", "CLIENT REPLY word", "CLIENT word", "CLIENT", "RESET", "TIME",
		"COMMAND COUNT word", "COMMAND GETKEYS (GET key | SET key value | MSET (key value)... | MGET key... | word | HSET key field value | DEL key... | PING)",
		"COMMAND GETKEYSANDFLAGS (GET key | SET key value | MSET (key value)... | COPY key key | BITOP AND key key key)", "COMMAND word", "COMMAND INFO",
		"AUTH word", "AUTH word word", "AUTH word word word", "CLUSTER KEYSLOT value", "CLUSTER COUNTKEYSINSLOT offset", "CLUSTER GETKEYSINSLOT offset small",
		"CLUSTER word", "CLUSTER", "READONLY", "READWRITE", "ASKING", "CONFIG GET word", "CONFIG SET word word", "CONFIG word", "CONFIG",
		"OBJECT", "MEMORY USAGE key", "MEMORY word", "LATENCY word", "SLOWLOG GET word", "SLOWLOG word", "SLOWLOG LEN", "NOSUCHCOMMAND word value",
		"CONFIG SET MAXMEMORY word", "DEBUG word", "WAIT 0 int", "LOLWUT VERSION int word", "SWAPDB db db", "INFO NOTHING", "SHUTDOWN word",
		"MONITOR word", "SUBSTR word", "DEBUG SLEEP 0", "CLIENT KILL word", "CLIENT KILL ID word", "CLIENT LIST word",
		"CLIENT UNPAUSE", "CLIENT TRACKING word", "CLIENT CACHING word", "CLIENT GETREDIR", "CLIENT TRACKINGINFO", "CLIENT UNBLOCK word",
	}},
)

func prepared(all ...*family) []*family {
	for _, f := range all {
		f.prepare()
	}
	return all
}
