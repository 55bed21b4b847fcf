package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"cobble/slots"
)

// groups is how many hash tags the keys of a plan have, each in a slot of its own.
const groups = 12

// keysPerGroup is small, so that operations meet.
const keysPerGroup = 5

// step is one transaction on the keys of one group.
type step struct {
	group    int
	commands [][]string
}

// plan is what a seed does.
type plan struct {
	rng  *rand.Rand
	name string // part of its keys
	ids  int    // of stream entries, so far
	tags [groups]string
}

func newPlan(seed uint64) *plan {
	p := &plan{rng: rand.New(rand.NewPCG(seed, 14)), name: fmt.Sprint("s", seed)}
	firsts := []slots.Slot{0, 5461, 10923} // of the nodes of a new cluster
	for g := range groups {
		want := firsts[g%3] + slots.Slot(g/3)
		for tag := 0; p.tags[g] == ""; tag++ {
			if slots.Of(fmt.Append(nil, tag)) == want {
				p.tags[g] = strconv.Itoa(tag)
			}
		}
	}
	return p
}

func (p *plan) key(group, i int) string {
	return fmt.Sprintf("%s:%d:{%s}", p.name, i, p.tags[group])
}

// sequenceKey holds the number of the last step of a group that was executed.
func (p *plan) sequenceKey(group int) string {
	return fmt.Sprintf("%s:sequence:{%s}", p.name, p.tags[group])
}

func (p *plan) next() step {
	s := step{group: p.rng.IntN(groups)}
	for range 1 + p.rng.IntN(3) {
		s.commands = append(s.commands, p.command(s.group))
	}
	return s
}

func (p *plan) field() string { return fmt.Sprint("f", p.rng.IntN(40)) }

func (p *plan) text() string {
	switch p.rng.IntN(5) {
	case 0:
		return strconv.FormatInt(p.rng.Int64()>>p.rng.IntN(64), 10)
	case 1:
		return strings.Repeat(string(rune('a'+p.rng.IntN(26))), p.rng.IntN(300))
	case 2:
		return strings.Repeat("long", p.rng.IntN(5000))
	default:
		return fmt.Sprint("v", p.rng.IntN(1000))
	}
}

func (p *plan) small() string { return strconv.Itoa(p.rng.IntN(2000) - 1000) }

// templates are the commands; what begins with $ is filled in by fill. There is no
// command whose reply depends on time, on chance, or on how a value is laid out.
var templates = strings.Split(strings.TrimSpace(`
SET $key $text
SET $key $text
SET $key $text NX GET
SET $key $text XX
GET $key
GETDEL $key
GETSET $key $text
SETNX $key $text
APPEND $key $text
STRLEN $key
SETRANGE $key $offset $text
GETRANGE $key $small $small
INCR $key
INCRBY $key $small
DECRBY $key $small
INCRBYFLOAT $key 0.5
MSET $key $text $key $text
MSETNX $key $text $key $text
SET $key $text IFEQ $text
SET $key $text IFNE $text GET
DELIFEQ $key $text
DELEX $key IFNE $text
DIGEST $key
BITOP DIFF $key $key $key
BITOP ONE $key $key $key $key
MSETEX 2 $key $text $key $text XX KEEPTTL
MGET $key $key $key
SETBIT $key $offset 1
GETBIT $key $offset
BITCOUNT $key
DEL $key
DEL $key $key
UNLINK $key
EXISTS $key $key $key
TYPE $key
RENAME $key $key
RENAMENX $key $key
COPY $key $key
COPY $key $key REPLACE
HSET $key $field $text
HSET $key $field $text $field $text $field $text $field $small
HSET $key $field $small $field $small $field $text $field $small
HSETNX $key $field $text
HMSET $key $field $text
HGET $key $field
HMGET $key $field $field $field
HGETALL $key
HKEYS $key
HVALS $key
HLEN $key
HSTRLEN $key $field
HEXISTS $key $field
HDEL $key $field $field
HINCRBY $key $field $small
HINCRBYFLOAT $key $field 0.25
HPEXPIREAT $key 4000000000000 FIELDS 3 $field $field $field
HEXPIREAT $key 4000000001 GT FIELDS 2 $field $field
HEXPIREAT $key 1 FIELDS 1 $field
HPERSIST $key FIELDS 2 $field $field
HPEXPIRETIME $key FIELDS 3 $field $field $field
HGETEX $key EXAT 4000000002 FIELDS 2 $field $field
HSETEX $key EXAT 4000000003 FIELDS 2 $field $text $field $small
HSETEX $key FXX KEEPTTL FIELDS 1 $field $text
HGETDEL $key FIELDS 2 $field $field
LPUSH $key $text $field $field
RPUSH $key $field $field $field
RPUSH $key $field $text $text $text
LPUSHX $key $field
LPOP $key
RPOP $key
LPOP $key 3
LLEN $key
LINDEX $key $small
LSET $key 0 $field
LRANGE $key $small $small
LTRIM $key 1 -2
LREM $key 0 $field
LINSERT $key BEFORE $field $field
LPOS $key $field COUNT 0
RPOPLPUSH $key $key
LMOVE $key $key LEFT RIGHT
LMPOP 2 $key $key RIGHT COUNT 2
SADD $key $field
SADD $key $field $field $small $text
SADD $key $small $small $small $small
SREM $key $field $small
SCARD $key
SISMEMBER $key $field
SMISMEMBER $key $field $field $small
SMOVE $key $key $field
SINTERCARD 2 $key $key
SINTERSTORE $key $key $key
SUNIONSTORE $key $key $key
SDIFFSTORE $key $key $key
PFADD $key $field $field $text
PFCOUNT $key
PFMERGE $key $key
ZADD $key $small $field
ZADD $key $small $field $small $field $small $field $small $field
ZADD $key GT CH $small $field $small $text
ZINCRBY $key $small $field
ZREM $key $field $field
ZCARD $key
ZSCORE $key $field
ZMSCORE $key $field $field
ZRANK $key $field
ZREVRANK $key $field
ZRANGE $key $small $small WITHSCORES
ZRANGE $key -500 500 BYSCORE WITHSCORES
ZREVRANGE $key 0 10
ZCOUNT $key -100 100
ZRANGESTORE $key $key 0 20
ZREMRANGEBYSCORE $key 900 1000
ZREMRANGEBYRANK $key 0 0
ZPOPMIN $key
ZPOPMAX $key 2
ZMPOP 2 $key $key MIN
ZUNIONSTORE $key 2 $key $key
ZINTERSTORE $key 2 $key $key AGGREGATE MAX
ZDIFFSTORE $key 2 $key $key
ZINTERCARD 2 $key $key
GEOADD $key 13.36 38.11 $field 2.35 48.86 $field
GEOSEARCH $key FROMLONLAT 10 45 BYRADIUS 800 km ASC WITHDIST
XADD $key $id $field $text
XADD $key $id $field $small $field $text
XADD $key MAXLEN = 30 $id $field $small
XADD $key NOMKSTREAM $id $field $field
XDEL $key $seen $seen
XTRIM $key MINID $seen
XLEN $key
XRANGE $key $seen + COUNT 5
XREVRANGE $key + - COUNT 3
XREAD COUNT 4 STREAMS $key $seen
XGROUP CREATE $key g 0
XGROUP SETID $key g $seen
XGROUP CREATECONSUMER $key g c2
XGROUP DELCONSUMER $key g c2
XREADGROUP GROUP g c1 COUNT 3 STREAMS $key >
XREADGROUP GROUP g c2 COUNT 2 NOACK STREAMS $key >
XREADGROUP GROUP g c1 COUNT 5 STREAMS $key 0
XACK $key g $seen $seen $seen
XPENDING $key g
XCLAIM $key g c2 0 $seen $seen JUSTID
XAUTOCLAIM $key g c1 0 - COUNT 2 JUSTID
EVAL return{redis.call('SET',KEYS[1],ARGV[1]),redis.call('STRLEN',KEYS[1]),redis.call('EXISTS',KEYS[2])} 2 $key $key $text
EVAL for~i=1,10~do~redis.call('HINCRBY',KEYS[1],'f'..i,i)end~return~redis.call('HLEN',KEYS[1]) 1 $key
EVAL local~n=redis.call('INCR',KEYS[1])redis.call('RPUSH',KEYS[2],n)return~n 2 $key $key
EVAL local~e=redis.pcall('LPUSH',KEYS[1],ARGV[1])if~e.err~then~return~redis.call('DEL',KEYS[1])end~return~e 1 $key $text
EVAL_RO return{redis.call('TYPE',KEYS[1]),redis.call('EXISTS',KEYS[2])} 2 $key $key
`), "\n")

// lists are the commands of lists, which mostly meet each other's keys.
var lists = map[string]bool{
	"LPUSH": true, "RPUSH": true, "LPUSHX": true, "LPOP": true, "RPOP": true, "LLEN": true, "LINDEX": true, "LSET": true, "LRANGE": true,
	"LTRIM": true, "LREM": true, "LINSERT": true, "LPOS": true, "RPOPLPUSH": true, "LMOVE": true, "LMPOP": true,
}

// sets are those of sets.
var sets = map[string]bool{
	"SADD": true, "SREM": true, "SCARD": true, "SISMEMBER": true, "SMISMEMBER": true, "SMOVE": true, "SINTERCARD": true,
	"SINTERSTORE": true, "SUNIONSTORE": true, "SDIFFSTORE": true,
}

func (p *plan) command(group int) []string {
	words := strings.Fields(templates[p.rng.IntN(len(templates))])
	for i, w := range words {
		if i == 1 && strings.HasPrefix(words[0], "EVAL") {
			words[1] = strings.ReplaceAll(w, "~", " ") // which stands for a space in a script
		}
		switch w {
		case "$key":
			// Commands of a type mostly meet keys of that type.
			k := p.rng.IntN(keysPerGroup)
			switch {
			case p.rng.IntN(8) == 0:
			case words[0][0] == 'H':
				k = p.rng.IntN(2)
			case words[0][0] == 'Z' || words[0][0] == 'G' && words[0][1] == 'E' && words[0][2] == 'O':
				k = 4 - 3*p.rng.IntN(2)
			case words[0][0] == 'X':
				k = 0
			case lists[words[0]]:
				k = 2 + p.rng.IntN(2)
			case sets[words[0]]:
				k = 3 + p.rng.IntN(2)
			}
			words[i] = p.key(group, k)
		case "$text":
			words[i] = p.text()
		case "$id":
			p.ids++
			words[i] = fmt.Sprint(p.ids, "-", p.rng.IntN(3))
		case "$seen":
			words[i] = fmt.Sprint(max(1, p.ids-p.rng.IntN(200)), "-", p.rng.IntN(3))
		case "$field":
			words[i] = p.field()
		case "$small":
			words[i] = p.small()
		case "$offset":
			words[i] = strconv.Itoa(p.rng.IntN(20000))
		}
	}
	return words
}
