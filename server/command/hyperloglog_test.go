package command

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestHyperLogLogRowsAreRedis(t *testing.T) { sameRows(t, hyperLogLogCommands()) }

func TestHyperLogLogRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		PFADD h
		GET h
		PFCOUNT h
		GET h
		PFADD h
		PFADD h a
		PFADD h a
		GET h
		PFCOUNT h
		PFCOUNT h
		GET h
		PFADD h a b c d e f g "" "\x00"
		OBJECT ENCODING h
		PFDEBUG ENCODING h
		PFDEBUG DECODE h
		PFCOUNT h nothing
		PFCOUNT nothing
		PFCOUNT nothing nowhere
		PFADD i c x y
		PFCOUNT h i
		PFCOUNT h i h h
		EXPIRE h 1000
		PFADD h more
		TTL h
		PFMERGE h i
		TTL h
		GET h
		PFMERGE new
		GET new
		PFMERGE new2 h i
		GET new2
		PFMERGE i i
		PFDEBUG TODENSE h
		PFDEBUG TODENSE h
		STRLEN h
		GET h
		PFDEBUG DECODE h
		PFDEBUG ENCODING h
		PFDEBUG GETREG h
		PFDEBUG GETREG i
		PFDEBUG ENCODING i
		PFCOUNT i
		PFADD h z
		PFCOUNT h
		GET h
		PFMERGE new2 h
		GET new2
		PFDEBUG GETREG nothing
		PFDEBUG NOSUCH h
		PFDEBUG GETREG
		PFDEBUG GETREG h i
		PFSELFTEST
		SET s string
		PFADD s a
		PFCOUNT s
		PFCOUNT h s
		PFMERGE s h
		PFMERGE h s
		PFDEBUG GETREG s
		SET n 123
		PFADD n a
		HSET hash f v
		PFADD hash a
		PFCOUNT hash
		PFMERGE hash h
		PFDEBUG GETREG hash
		SET bad "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00"
		PFADD bad a
		PFCOUNT bad
		PFCOUNT bad h
		PFMERGE h bad
		PFDEBUG GETREG bad
		PFDEBUG DECODE bad
		SET bad "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		PFADD bad a
		SET bad "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		PFADD bad a
		SET bad "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
		OBJECT ENCODING bad
		PFADD bad
		OBJECT ENCODING bad
		PFADD bad a
		GET bad
	`)
}

// Sketches of random elements are the same byte by byte at every size, as is what
// they count and what they become together.
func TestHyperLogLogsAreRedis(t *testing.T) {
	for seed := range uint64(6) {
		p := newPair(t, 2)
		rng := rand.New(rand.NewPCG(seed, 41))
		sparse := strconv.Itoa([]int{3000, 100, 0, 12000, 30000, 600}[seed])
		p.same("CONFIG SET hll-sparse-max-bytes " + sparse)
		for range 250 {
			key := fmt.Sprint("h", rng.IntN(4))
			switch rng.IntN(8) {
			case 0, 1, 2, 3:
				args := []string{"PFADD", key}
				for range rng.IntN(1 << rng.IntN(9)) {
					args = append(args, strconv.Itoa(rng.IntN(1<<(6+rng.IntN(16)))))
				}
				p.sameArgs(args...)
			case 4:
				p.sameArgs("PFCOUNT", key)
			case 5:
				p.sameArgs("PFCOUNT", key, fmt.Sprint("h", rng.IntN(4)))
			case 6:
				if rng.IntN(4) == 0 {
					p.sameArgs("PFMERGE", key, fmt.Sprint("h", rng.IntN(4)))
				} else if rng.IntN(8) == 0 {
					p.sameArgs("DEL", key)
				}
			case 7:
				p.sameArgs("GET", key)
			}
			p.sameArgs("GET", key)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// A sketch counts within its error, and adding costs no more than it must.
func TestHyperLogLogAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, run := newRunner(t)
	run("PFADD", "h", "a", "b")
	args := [][]byte{[]byte("PFADD"), []byte("h"), []byte("a")}
	if n := testing.AllocsPerRun(200, func() {
		c.Out.Reset()
		c.Execute(args)
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
