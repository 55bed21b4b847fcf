package command

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestZSetRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		ZCARD z
		ZSCORE z a
		ZMSCORE z a b
		ZRANK z a
		ZREVRANK z a
		ZREM z a
		ZRANGE z 0 -1
		ZRANGE z 0 -1 WITHSCORES
		ZADD z XX 1 a
		ZADD z XX INCR 1 a
		ZADD z 1
		ZADD z 1 a 2
		ZADD z NX XX 1 a
		ZADD z NX GT 1 a
		ZADD z LT NX 1 a
		ZADD z GT LT 1 a
		ZADD z INCR 1 a 2 b
		ZADD z nx
		ZADD z x a
		ZADD z nan a
		ZADD z "" a
		ZADD z " 1" a
		ZADD z "1 " a
		ZADD z 1e400 a
		ZADD z -1e400 a
		ZADD z 1e-400 a
		ZADD z 0e-400 zero
		ZADD z 0x10 hex 0x1p-2 hexp 0x.8 hexdot
		ZADD z 1_0 a
		ZADD z infinity i -Inf j +INF k infin l
		ZADD z inf i -inf j
		ZADD z 1 a 2 b 3 c
		ZADD z CH 1 a 5 b 4 d
		ZADD z NX 9 a 9 e
		ZADD z XX CH 1.5 a 1 none
		ZADD z GT CH 1 a 10 b
		ZADD z LT CH 1 a 20 b
		ZADD z GT 7 fresh
		ZADD z INCR 2 a
		ZADD z INCR -inf i
		ZADD z NX INCR 2 a
		ZADD z GT INCR -2 a
		ZADD z LT INCR -2 a
		ZADD z LT CH INCR 2 a
		ZINCRBY z 2.5 a
		ZINCRBY z 2.5 brand
		ZINCRBY z x a
		ZINCRBY z nan a
		ZINCRBY z -inf i
		ZINCRBY z inf i
		ZINCRBY z nx a
		ZADD z -0 minus 0 plus
		ZADD z 0 minus
		ZSCORE z minus
		ZSCORE z plus
		ZSCORE z i
		ZSCORE z j
		ZSCORE z none
		ZMSCORE z a none minus i
		ZMSCORE z
		ZRANK z a
		ZREVRANK z a
		ZRANK z none
		ZREVRANK z none
		ZCARD z
		ZRANGE z 0 -1 WITHSCORES
		ZREVRANGE z 0 -1 WITHSCORES
		ZRANGE z 0 -1 REV
		ZRANGE z 0 -1 REV WITHSCORES
		ZRANGE z 1 3
		ZRANGE z -3 -2
		ZRANGE z 5 2
		ZRANGE z 100 200
		ZRANGE z -100 1
		ZRANGE z -100 -50
		ZRANGE z 9223372036854775807 -9223372036854775808
		ZRANGE z x 1
		ZRANGE z 1 x
		ZRANGE z 0 -1 LIMIT 0 1
		ZRANGE z 0 -1 LIMIT 0 -1
		ZRANGE z 0 -1 LIMIT 1 -1
		ZRANGE z 0 1 REV LIMIT -1 -1
		ZRANGESTORE limited z 0 1 LIMIT 1 -1
		ZRANGE z 0 -1 LIMIT 0
		ZRANGE z 0 -1 WITHSCORE
		ZRANGE z 0 -1 REV REV
		ZRANGE z 0 -1 BYSCORE BYLEX
		ZRANGE z 0 10 BYSCORE
		ZRANGE z (0 10 BYSCORE WITHSCORES
		ZRANGE z 10 0 BYSCORE REV
		ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2
		ZRANGE z -inf +inf BYSCORE LIMIT 1 -1
		ZRANGE z -inf +inf BYSCORE LIMIT -1 2
		ZRANGE z -inf +inf BYSCORE LIMIT 2 0
		ZRANGE z -inf +inf BYSCORE LIMIT 100 5
		ZRANGE z "" "" BYSCORE
		ZRANGE z ( (1 BYSCORE
		ZRANGE z " 1" 5 BYSCORE
		ZRANGE z "1 " 5 BYSCORE
		ZRANGE z " " 5 BYSCORE
		ZRANGE z 1 1e999 BYSCORE
		ZRANGE z nan 1 BYSCORE
		ZRANGE z x 1 BYSCORE
		ZRANGE z "1\x00abc" 5 BYSCORE
		ZRANGE z - + BYLEX WITHSCORES
		ZRANGE z - + BYLEX LIMIT x 1
		ZRANGEBYSCORE z -inf inf
		ZRANGEBYSCORE z -inf inf WITHSCORES LIMIT 1 2
		ZRANGEBYSCORE z 1 2 REV
		ZRANGEBYSCORE z 1 2 BYSCORE
		ZREVRANGEBYSCORE z inf -inf WITHSCORES
		ZREVRANGEBYSCORE z (5 (1
		ZREVRANGEBYSCORE z 1 5
		ZREVRANGE z 0 2 LIMIT 1 1
		ZCOUNT z -inf inf
		ZCOUNT z (0 5
		ZCOUNT z 5 0
		ZCOUNT z x 0
		ZCOUNT none x 0
		ZCOUNT none 0 1
		ZADD lex 0 a 0 b 0 c 0 d 0 aa 0 "" 0 10 0 9
		ZRANGEBYLEX lex - +
		ZRANGEBYLEX lex [a (c
		ZRANGEBYLEX lex (a [c LIMIT 1 1
		ZRANGEBYLEX lex + -
		ZRANGEBYLEX lex [a [a
		ZRANGEBYLEX lex (a (a
		ZRANGEBYLEX lex ( [
		ZRANGEBYLEX lex [ [
		ZRANGEBYLEX lex a b
		ZRANGEBYLEX lex +a b
		ZRANGEBYLEX lex "" +
		ZREVRANGEBYLEX lex + -
		ZREVRANGEBYLEX lex [c [a
		ZREVRANGEBYLEX lex [a [c
		ZREVRANGEBYLEX lex [c - LIMIT 1 2
		ZRANGE lex [c [a BYLEX REV
		ZLEXCOUNT lex - +
		ZLEXCOUNT lex [aa [c
		ZLEXCOUNT lex [c [a
		ZLEXCOUNT lex x y
		ZLEXCOUNT none - +
		ZRANGESTORE dest z 1 3
		ZRANGE dest 0 -1 WITHSCORES
		ZRANGESTORE dest z 0 5 BYSCORE LIMIT 1 2
		ZRANGE dest 0 -1 WITHSCORES
		ZRANGESTORE dest lex [c [a BYLEX REV
		ZRANGE dest 0 -1
		ZRANGESTORE dest z 0 5 WITHSCORES
		ZRANGESTORE dest none 0 5
		EXISTS dest
		ZRANGESTORE z z 0 -1
		ZREMRANGEBYRANK none 0 1
		ZREMRANGEBYRANK z 0 x
		ZREMRANGEBYRANK z 1 2
		ZREMRANGEBYRANK z -1 -1
		ZREMRANGEBYRANK z 5 1
		ZREMRANGEBYSCORE z (1 3
		ZREMRANGEBYSCORE z x 3
		ZREMRANGEBYLEX lex [a [aa
		ZREMRANGEBYLEX lex a b
		ZREMRANGEBYLEX lex - (b
		ZRANGE lex 0 -1
		ZRANGE z 0 -1 WITHSCORES
		ZREM z a b none
		ZREMRANGEBYRANK z 0 -1
		EXISTS z
		SET s v
		ZADD s 1 a
		ZINCRBY s 1 a
		ZREM s a
		ZCARD s
		ZSCORE s a
		ZMSCORE s a
		ZRANK s a
		ZRANGE s 0 -1
		ZRANGESTORE d s 0 -1
		ZRANGESTORE s lex 0 -1
		TYPE s
		SET s v
		ZCOUNT s 0 1
		ZLEXCOUNT s - +
		ZREMRANGEBYRANK s 0 1
		ZSCAN s 0
		ZRANDMEMBER s
		ZRANDMEMBER s 1
		ZADD s x a
		ZSCAN none 0
		ZSCAN lex 0
		ZSCAN lex 0 MATCH [a-c]* COUNT 100
		ZSCAN lex x
		ZSCAN lex 0 COUNT 0
		ZSCAN lex 0 TYPE zset
		ZRANDMEMBER none
		ZRANDMEMBER none 3
		ZRANDMEMBER none 3 WITHSCORES
		ZADD one 2.5 m
		ZRANDMEMBER one
		ZRANDMEMBER one 3
		ZRANDMEMBER one -3
		ZRANDMEMBER one 3 WITHSCORES
		ZRANDMEMBER one -2 WITHSCORES
		ZRANDMEMBER one 0 WITHSCORES
		ZRANDMEMBER one x
		ZRANDMEMBER one 1 WITHVALUES
		ZRANDMEMBER one 1 WITHSCORES x
		ZRANDMEMBER one -9223372036854775808
		ZRANDMEMBER one -9223372036854775807 WITHSCORES
		OBJECT ENCODING one
		TYPE one
		SCAN 0 TYPE zset COUNT 1000 MATCH one
		COPY one other
		RENAME other another
		ZRANGE another 0 -1 WITHSCORES
		DEBUG DIGEST-VALUE one lex another
	`)
}

func TestZSetPopsAndAlgebraAreRedis(t *testing.T) {
	sameLines(t, `
		ZPOPMIN z
		ZPOPMAX z 2
		ZPOPMIN z x
		ZPOPMIN z -1
		ZPOPMIN z 1 2
		ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
		ZPOPMIN z 0
		ZPOPMIN z
		ZPOPMAX z
		ZPOPMIN z 2
		ZPOPMAX z 1
		ZPOPMAX z 9223372036854775807
		EXISTS z
		ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
		ZMPOP 0 z MIN
		ZMPOP x z MIN
		ZMPOP 1 z
		ZMPOP 1 z LEFT
		ZMPOP 2 z MIN
		ZMPOP 1 z MIN COUNT
		ZMPOP 1 z MIN COUNT 0
		ZMPOP 1 z MIN COUNT x
		ZMPOP 1 z MIN COUNT 1 COUNT 2
		ZMPOP 3 none missing z MIN
		ZMPOP 2 none z MAX COUNT 2
		ZMPOP 1 none MAX COUNT 2
		ZMPOP 1 z MIN COUNT 100
		SET s v
		ZPOPMIN s
		ZPOPMIN s 0
		ZMPOP 2 none s MIN
		ZADD z 1 a
		ZMPOP 2 z s MIN
		ZADD one 1 a 2 b 3 c
		ZADD two 10 b 20 c 30 d
		SADD set b c e
		ZUNION 2 one two
		ZUNION 2 one two WITHSCORES
		ZUNION 3 one two set WITHSCORES
		ZUNION 2 one two WEIGHTS 2 3 WITHSCORES
		ZUNION 2 one two WEIGHTS 2 WITHSCORES
		ZUNION 2 one two WEIGHTS 2 x
		ZUNION 2 one two AGGREGATE MIN WITHSCORES
		ZUNION 2 one two WITHSCORES AGGREGATE MAX
		ZUNION 2 one two AGGREGATE AVG
		ZUNION 2 one two AGGREGATE
		ZUNION 0 one
		ZUNION x one
		ZUNION 3 one two
		ZUNION -1 one two
		ZUNION 1 none
		ZUNION 2 one one WITHSCORES
		ZUNION 2 one s
		ZUNION 2 s one WEIGHTS x
		ZINTER 2 one two WITHSCORES
		ZINTER 3 one two set WITHSCORES
		ZINTER 3 one two set WEIGHTS 1 0.5 -2 AGGREGATE MIN WITHSCORES
		ZINTER 2 one none
		ZINTER 2 none s
		ZINTER 2 one one WITHSCORES
		ZINTER 1 set WITHSCORES
		ZDIFF 2 one two WITHSCORES
		ZDIFF 2 one set
		ZDIFF 2 set one WITHSCORES
		ZDIFF 2 none one
		ZDIFF 1 one WITHSCORES
		ZDIFF 2 one one
		ZDIFF 2 one two WEIGHTS 1 2
		ZDIFF 2 one two AGGREGATE SUM
		ZINTERCARD 2 one two
		ZINTERCARD 2 one two LIMIT 1
		ZINTERCARD 2 one two LIMIT 0
		ZINTERCARD 2 one two LIMIT -1
		ZINTERCARD 2 one two LIMIT x
		ZINTERCARD 2 one two LIMIT
		ZINTERCARD 2 one two WITHSCORES
		ZINTERCARD 0 one
		ZINTERCARD 3 one two
		ZUNIONSTORE d 2 one two
		ZRANGE d 0 -1 WITHSCORES
		ZUNIONSTORE d 2 one two WITHSCORES
		ZUNIONSTORE one 2 one two WEIGHTS 1 -1
		ZRANGE one 0 -1 WITHSCORES
		ZINTERSTORE d 2 one set AGGREGATE MAX
		ZRANGE d 0 -1 WITHSCORES
		ZINTERSTORE d 2 one none
		EXISTS d
		ZDIFFSTORE d 2 two set
		ZRANGE d 0 -1 WITHSCORES
		ZDIFFSTORE s 2 two set
		TYPE s
		ZDIFFSTORE d 0 two
		ZDIFFSTORE d 1
		ZUNIONSTORE d 1
		ZADD inf inf a -inf b
		ZADD fin -inf a inf b
		ZUNION 2 inf fin WITHSCORES
		ZUNION 1 inf WEIGHTS 0 WITHSCORES
		ZINTER 2 inf fin WEIGHTS 0 1 WITHSCORES
		ZUNION 2 inf fin AGGREGATE MIN WITHSCORES
		ZUNION 1 inf WEIGHTS nan
		ZUNION 1 inf WEIGHTS inf WITHSCORES
	`)
}

func TestZSetRowsAreRedis(t *testing.T) { sameRows(t, zsetCommands()) }

// Random scripts of several sessions that add, pop and wait.
func TestBlockingZSetsAtRandom(t *testing.T) {
	s := newScene(t, 5, 3)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 6))
		key := func() string { return string("abc"[rng.IntN(3)]) }
		end := func() string { return []string{"MIN", "MAX"}[rng.IntN(2)] }
		for range 100 {
			session := rng.IntN(5)
			if s.waits[session] {
				continue
			}
			member, score := strconv.Itoa(rng.IntN(30)), strconv.Itoa(rng.IntN(9))
			commands := [][]string{
				{"BZPOPMIN", key(), "0"}, {"BZPOPMAX", key(), key(), "0"}, {"BZMPOP", "0", "2", key(), key(), end(), "COUNT", "2"}, {"BZPOPMIN", key(), key(), "0"},
				{"ZADD", key(), score, member}, {"ZADD", key(), score, member, "3", "m"}, {"ZINCRBY", key(), score, member}, {"GEOADD", key(), "1", "1", member},
				{"ZUNIONSTORE", key(), "2", key(), key()}, {"ZRANGESTORE", key(), key(), "0", "1"}, {"RENAME", key(), key()}, {"COPY", key(), key(), "REPLACE"},
				{"ZCARD", key()}, {"ZPOPMIN", key()}, {"DEL", key()}, {"SADD", key(), member}, {"ZRANGE", key(), "0", "-1", "WITHSCORES"},
			}
			if session < 2 { // somebody always adds
				commands = commands[4:]
			}
			s.do(session, commands[rng.IntN(len(commands))]...)
		}
		for range 20 {
			if len(s.waits) == 0 {
				break
			}
			for k := range 3 {
				s.do(s.free(), "DEL", string("abc"[k]))
				s.do(s.free(), "ZADD", string("abc"[k]), "1", "end")
			}
		}
		s.do(0, "FLUSHALL")
	}
}

func TestBlockingZSetRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		BZPOPMIN z
		BZPOPMIN z x
		BZPOPMIN z -1
		BZMPOP x 1 z MIN
		BZMPOP 0 0 z MIN
		BZMPOP 0 1 z LEFT
		BZMPOP 0 1 z MIN COUNT 0
		ZADD z 1 a 2 b 3 c 4 d
		BZPOPMIN none z 0
		BZPOPMAX z 0
		BZMPOP 0 2 none z MIN COUNT 5
		SET s v
		BZPOPMIN s 0
		BZMPOP 0 1 s MAX
		MULTI
		BZPOPMIN none 0
		BZMPOP 5 1 none MIN
		EXEC
	`)
}
