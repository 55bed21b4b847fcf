package command

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// The operations of Redis 8.2 against the bits counted one by one, on short strings and
// on such as stand in several rows.
func TestBitOpOfMany(t *testing.T) {
	_, do := newRunner(t)
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]func(x bool, others int) bool{
		"DIFF":  func(x bool, others int) bool { return x && others == 0 },
		"DIFF1": func(x bool, others int) bool { return !x && others > 0 },
		"ANDOR": func(x bool, others int) bool { return x && others > 0 },
		"one": func(x bool, others int) bool {
			if x {
				others++
			}
			return others == 1
		},
	}
	for range 60 {
		keys, values, longest := []string{"a", "b", "c", "d"}[:2+rng.IntN(3)], map[string][]byte{}, 0
		for _, key := range keys {
			size := rng.IntN(40)
			if rng.IntN(3) == 0 {
				size = rng.IntN(20_000)
			}
			v := make([]byte, size)
			for i := range v {
				many, few := rng.Uint32(), rng.Uint32()
				v[i] = byte(many & few)
			}
			do("DEL", key)
			if size > 0 {
				do("SET", key, string(v))
			}
			values[key], longest = v, max(longest, size)
		}
		for op, holds := range want {
			do(append([]string{"BITOP", op, "to"}, keys...)...)
			expected := make([]byte, longest)
			for at := range expected {
				for bit := range 8 {
					at8 := func(key string) int {
						if v := values[key]; at < len(v) {
							return int(v[at] >> bit & 1)
						}
						return 0
					}
					others := 0
					for _, key := range keys[1:] {
						others += at8(key)
					}
					if holds(at8(keys[0]) == 1, others) {
						expected[at] |= 1 << bit
					}
				}
			}
			ones := 0
			for _, b := range expected {
				ones += bits.OnesCount8(b)
			}
			reply := fmt.Sprintf("$%d\r\n%s\r\n", longest, expected)
			if longest == 0 {
				reply = "$-1\r\n"
			}
			if do("GET", "to") != reply {
				t.Fatalf("BITOP %s of %d keys, %d bytes: not the bits wanted, which are %d", op, len(keys), longest, ones)
			}
		}
	}
	sameReplies(t, do, `
		BITOP DIFF to a => -ERR BITOP DIFF must be called with at least two source keys.
		BITOP diff1 to a => -ERR BITOP DIFF1 must be called with at least two source keys.
		BITOP ANDOR to a => -ERR BITOP ANDOR must be called with at least two source keys.
		SET x 1 => +OK
		BITOP ONE to x => :1
		GET to => $1 1
		BITOP ONE to x x => :1
		BITCOUNT to => :0
		BITOP DIFF to none none2 => :0
		EXISTS to => :0
		BITOP DIFFER to x x => -ERR syntax error`)
}
