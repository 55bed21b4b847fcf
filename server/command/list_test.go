package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestListRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		LPUSH l
		LPUSH l a b c
		RPUSH l 1 2 300 -5 "" "x y"
		LPUSHX none a
		RPUSHX none a b
		LPUSHX l p q
		RPUSHX l r
		LLEN l
		LLEN none
		LRANGE l 0 -1
		LRANGE l -3 -1
		LRANGE l 2 1
		LRANGE l 2 -9223372036854775808
		LRANGE l 9223372036854775807 -9223372036854775808
		LRANGE l -9223372036854775808 9223372036854775807
		LRANGE l 5 100
		LRANGE l -100 2
		LRANGE l 100 200
		LRANGE l a 1
		LRANGE l 1 b
		LRANGE none 0 -1
		LRANGE none a b
		LINDEX l 0
		LINDEX l -1
		LINDEX l 5
		LINDEX l 100
		LINDEX l -100
		LINDEX l x
		LINDEX none x
		LINDEX l 9223372036854775807
		LINDEX l -9223372036854775808
		LSET l 0 zero
		LSET l -1 last
		LSET l 100 x
		LSET l -100 x
		LSET l x x
		LSET none 0 x
		LSET none x x
		LRANGE l 0 -1
		LPOP l
		RPOP l
		LPOP l 0
		LPOP l 2
		RPOP l 2
		LPOP l -1
		LPOP l x
		LPOP l 1 2
		LPOP none
		LPOP none 2
		LPOP none 0
		LPOP l 100
		LLEN l
		EXISTS l
		RPUSH l a b c a b c a
		LPOS l a
		LPOS l a RANK 2
		LPOS l a RANK -1
		LPOS l a RANK -2
		LPOS l a RANK 0
		LPOS l a RANK x
		LPOS l a RANK 9
		LPOS l a RANK 9 COUNT 0
		LPOS l a COUNT 0
		LPOS l a COUNT 2
		LPOS l a COUNT -1
		LPOS l a COUNT x
		LPOS l a COUNT 2 RANK -1
		LPOS l a COUNT 0 MAXLEN 4
		LPOS l a COUNT 0 MAXLEN 4 RANK -1
		LPOS l a MAXLEN -1
		LPOS l a MAXLEN 0
		LPOS l c MAXLEN 2
		LPOS l a COUNT
		LPOS l a NOTHING 1
		LPOS none a
		LPOS none a COUNT 1
		LPOS none a COUNT x
		LPOS l nothing
		LPOS l nothing COUNT 0
		LREM l 1 b
		LREM l -1 a
		LREM l 0 c
		LREM l x c
		LREM none x c
		LREM none 1 c
		LREM l 5 nothing
		LRANGE l 0 -1
		LREM l 0 a
		LREM l 0 b
		EXISTS l
		RPUSH l a b c
		LINSERT l BEFORE a x
		LINSERT l after c y
		LINSERT l BEFORE b z
		LINSERT l AROUND b z
		LINSERT none AROUND b z
		LINSERT none BEFORE b z
		LINSERT l BEFORE nothing z
		LRANGE l 0 -1
		LTRIM l 1 -2
		LRANGE l 0 -1
		LTRIM l x 1
		LTRIM none x 1
		LTRIM none 0 1
		LTRIM l 0 100
		LTRIM l -9223372036854775808 9223372036854775807
		LTRIM l 2 -9223372036854775808
		EXISTS l
		RPUSH l a b c
		LTRIM l -100 0
		LRANGE l 0 -1
		RPUSH l b c
		RPOPLPUSH l m
		RPOPLPUSH l l
		RPOPLPUSH none m
		RPOPLPUSH none string
		LMOVE l m LEFT RIGHT
		LMOVE l m RIGHT LEFT
		LMOVE l m UP LEFT
		LMOVE l m LEFT UP
		LMOVE m m LEFT RIGHT
		LRANGE m 0 -1
		EXISTS l
		DEL m
		RPUSH m only
		EXPIRE m 100
		LMOVE m m LEFT LEFT
		TTL m
		RPUSH m 1 2 3 4 5
		LMPOP 1 m LEFT
		LMPOP 2 none m RIGHT COUNT 2
		LMPOP 2 none none2 LEFT
		LMPOP 0 m LEFT
		LMPOP -1 m LEFT
		LMPOP x m LEFT
		LMPOP 2 m LEFT
		LMPOP 3 m LEFT
		LMPOP 1 m UP
		LMPOP 1 m LEFT COUNT
		LMPOP 1 m LEFT COUNT 0
		LMPOP 1 m LEFT COUNT x
		LMPOP 1 m LEFT COUNT 1 COUNT 1
		LMPOP 1 m LEFT NOTHING 1
		LMPOP 1 m
		LMPOP 1 m LEFT COUNT 100
		MULTI
		LMPOP 0 m LEFT
		LMPOP 7 m LEFT
		RPUSH m x
		EXEC
		SET string v
		LPUSH string a
		LPUSHX string a
		LPOP string
		LPOP string 1
		LLEN string
		LINDEX string 0
		LINDEX string x
		LSET string 0 x
		LRANGE string 0 1
		LTRIM string 0 1
		LREM string 0 1
		LINSERT string BEFORE a b
		LPOS string a
		LMOVE string m LEFT LEFT
		LMOVE m string LEFT LEFT
		LMPOP 1 string LEFT
		LMPOP 2 m string LEFT
		LMPOP 2 m string LEFT
		RPOPLPUSH string m
		RPUSH m 1 2 3
		GET m
		TYPE m
		SET m over
		LPUSH m x
		DEL m
		RPUSH m 1 2 3
		DEBUG DIGEST-VALUE m
		COPY m n
		RPUSH n 4
		RENAME n o
		LRANGE o 0 -1
		LRANGE m 0 -1
		DEL o
		SCAN 0 TYPE list COUNT 1000
	`)
}

// Long sequences of random changes of one list, small and large, against redis-server.
func TestListsLikeRedisAtRandom(t *testing.T) {
	p := newPair(t, 2)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		p.same("FLUSHALL")
		long := rng.IntN(2) == 0
		value := func() string {
			if rng.IntN(20) == 0 {
				return strings.Repeat("v", rng.IntN(1500))
			}
			return fmt.Sprint(rng.IntN(12))
		}
		index := func() string { return fmt.Sprint(rng.IntN(300) - 150) }
		if long {
			for i := range 400 {
				p.sameArgs("RPUSH", "l", fmt.Sprint(i%17))
			}
		}
		for range 400 {
			end := []string{"LEFT", "RIGHT"}
			key := []string{"l", "l", "l", "m"}[rng.IntN(4)]
			switch rng.IntN(14) {
			case 0:
				p.sameArgs("LPUSH", key, value(), value())
			case 1:
				p.sameArgs("RPUSH", key, value(), value())
			case 2:
				p.sameArgs("LPOP", key)
			case 3:
				p.sameArgs("RPOP", key, fmt.Sprint(rng.IntN(4)))
			case 4:
				p.sameArgs("LSET", key, index(), value())
			case 5:
				p.sameArgs("LINSERT", key, []string{"BEFORE", "AFTER"}[rng.IntN(2)], value(), value())
			case 6:
				p.sameArgs("LREM", key, fmt.Sprint(rng.IntN(5)-2), value())
			case 7:
				p.sameArgs("LRANGE", key, index(), index())
			case 8:
				p.sameArgs("LINDEX", key, index())
			case 9:
				p.sameArgs("LPOS", key, value(), "COUNT", fmt.Sprint(rng.IntN(4)), "RANK", fmt.Sprint(1+rng.IntN(2)))
			case 10:
				p.sameArgs("LMOVE", key, []string{"l", "m"}[rng.IntN(2)], end[rng.IntN(2)], end[rng.IntN(2)])
			case 11:
				if rng.IntN(4) == 0 {
					p.sameArgs("LTRIM", key, fmt.Sprint(rng.IntN(3)), fmt.Sprint(-1-rng.IntN(3)))
				}
			case 12:
				for range 30 { // until the gaps are used up
					p.sameArgs("LINSERT", key, "BEFORE", "7", "7")
				}
				p.sameArgs("LREM", key, "-25", "7")
			case 13:
				p.sameArgs("DEBUG", "DIGEST-VALUE", key)
			}
		}
		p.same("LRANGE l 0 -1")
		p.same("LRANGE m 0 -1")
	}
}
