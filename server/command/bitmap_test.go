package command

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cobble/storage"
)

// BITCOUNT and BITPOS of 7.2 look at their arguments before they look for the key:
// no line here names a bad argument and a key that is not there.
func TestBitmapRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		SETBIT b 7 1
		SETBIT b 7 1
		SETBIT b 7 0
		SETBIT b 100 1
		GET b
		SETBIT b -1 1
		SETBIT b x 1
		SETBIT b 1 2
		SETBIT b 1 -1
		SETBIT b 1 x
		SETBIT b #1 1
		SETBIT b 4294967296 1
		GETBIT b 100
		GETBIT b 101
		GETBIT b 4294967295
		GETBIT b 4294967296
		GETBIT b -1
		GETBIT none 1
		SET n 12
		SETBIT n 7 1
		GET n
		OBJECT ENCODING n
		SET n 12
		SETBIT n 1 0
		OBJECT ENCODING n
		SET s foobar
		BITCOUNT s
		BITCOUNT s 0 0
		BITCOUNT s 1 1 BYTE
		BITCOUNT s 5 30 BIT
		BITCOUNT s 5 -5 bit
		BITCOUNT s -1 -2
		BITCOUNT s 5 1
		BITCOUNT s 0
		BITCOUNT s 0 x
		BITCOUNT s 0 1 hey
		BITCOUNT s 0 1 BIT BIT
		BITCOUNT none
		BITCOUNT none 0 1
		BITPOS s 1
		BITPOS s 0
		BITPOS s 1 2
		BITPOS s 1 2 -1 BIT
		BITPOS s 0 2 -1 BYTE
		BITPOS s 2
		BITPOS s x
		BITPOS s 1 x
		BITPOS s 1 1 x
		BITPOS s 1 1 2 x
		BITPOS s 1 1 2 BIT x
		BITPOS s 1 -8 -12
		BITPOS s 1 -8 -12 BIT
		BITPOS s 0 -80 -90 BIT
		BITCOUNT s -80 -90
		BITPOS none 1
		BITPOS none 0
		BITPOS none 0 5 7
		SET ones "\xff\xff\xff"
		BITPOS ones 0
		BITPOS ones 0 1
		BITPOS ones 0 3
		BITPOS ones 0 0 -1
		BITPOS ones 0 0 1
		BITPOS ones 1 7 15 BIT
		SET empty ""
		BITPOS empty 0
		BITPOS empty 1
		BITCOUNT empty
		SET a{t} abcdef
		SET b{t} "\x00\xff12"
		BITOP AND d{t} a{t} b{t}
		GET d{t}
		BITOP or d{t} a{t} b{t} none{t}
		GET d{t}
		BITOP XOR d{t} a{t} b{t}
		GET d{t}
		BITOP AND d{t} a{t} none{t}
		GET d{t}
		BITOP NOT d{t} a{t}
		GET d{t}
		OBJECT ENCODING d{t}
		BITOP NOT d{t} a{t} b{t}
		BITOP NAND d{t} a{t}
		BITOP AND a{t} a{t}
		GET a{t}
		BITOP AND a{t} none{t}
		EXISTS a{t}
		BITFIELD f GET u8 0
		EXISTS f
		BITFIELD f
		EXISTS f
		BITFIELD f SET u8 0 255 GET u4 2
		BITFIELD f SET i8 #1 -128 INCRBY i8 #1 -1 GET i8 #1
		BITFIELD f OVERFLOW SAT INCRBY u8 0 10 OVERFLOW WRAP INCRBY u8 0 10 OVERFLOW FAIL INCRBY u8 0 300
		BITFIELD f OVERFLOW FAIL SET u8 100 300
		STRLEN f
		BITFIELD f OVERFLOW bogus
		BITFIELD f OVERFLOW
		BITFIELD f GET u64 0
		BITFIELD f GET i64 0
		BITFIELD f GET i65 0
		BITFIELD f GET u0 0
		BITFIELD f GET x8 0
		BITFIELD f GET u 0
		BITFIELD f GET "" 0
		BITFIELD f GET u8 -1
		BITFIELD f GET u8 x
		BITFIELD f GET u8 #x
		BITFIELD f GET u8 4294967296
		BITFIELD f GET u8 #536870912
		BITFIELD f SET u8 0
		BITFIELD f SET u8 0 x
		BITFIELD f SET u63 1 -1 GET u63 1
		BITFIELD f bogus u8 0
		BITFIELD_RO f GET u8 0
		BITFIELD_RO f SET u8 0 1
		BITFIELD_RO f SET u8 0 x
		BITFIELD_RO f SET x8 0 x
		BITFIELD_RO f OVERFLOW SAT GET u8 0
		BITFIELD_RO f
	`)
}

// TestBitmapsAreRedis changes and reads bitmaps around chunk borders, some with holes.
func TestBitmapsAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rnd := rand.New(rand.NewPCG(11, 12))
	key := func() string { return fmt.Sprintf("{t}%d", rnd.IntN(4)) }
	const chunk = storage.ChunkSize
	byteAt := func() int64 {
		return []int64{0, 0, chunk, 3 * chunk, 40 * chunk, -chunk}[rnd.IntN(6)] + rnd.Int64N(20) - 10
	}
	bitAt := func() int64 { return max(0, byteAt()*8+rnd.Int64N(8)) }
	num := func(n int64) string { return fmt.Sprint(n) }
	field := func() []string {
		width := 1 + rnd.IntN(63)
		kind := fmt.Sprintf("%c%d", "iu"[rnd.IntN(2)], width)
		value := rnd.Int64() >> rnd.IntN(64) * int64(1-2*rnd.IntN(2))
		switch at := num(bitAt()); rnd.IntN(4) {
		case 0:
			return []string{"GET", kind, at}
		case 1:
			return []string{"SET", kind, at, num(value)}
		case 2:
			return []string{"INCRBY", kind, at, num(value)}
		default:
			return []string{"OVERFLOW", []string{"WRAP", "SAT", "FAIL"}[rnd.IntN(3)], "INCRBY", "i64", at, num(rnd.Int64() * int64(1-2*rnd.IntN(2)))}
		}
	}
	for range 4000 {
		switch k := key(); rnd.IntN(12) {
		case 0, 1:
			p.sameArgs("SETBIT", k, num(bitAt()), num(rnd.Int64N(2)))
		case 2:
			p.sameArgs("GETBIT", k, num(bitAt()))
		case 3:
			p.sameArgs("BITCOUNT", k, num(byteAt()), num(byteAt()))
			p.sameArgs("BITCOUNT", k)
		case 4:
			p.sameArgs("BITCOUNT", k, num(bitAt()), num(bitAt()), "BIT")
		case 5:
			p.sameArgs("BITPOS", k, num(rnd.Int64N(2)))
			p.sameArgs("BITPOS", k, num(rnd.Int64N(2)), num(byteAt()))
		case 6:
			p.sameArgs("BITPOS", k, num(rnd.Int64N(2)), num(bitAt()), num(bitAt()), "BIT")
			p.sameArgs("BITPOS", k, num(rnd.Int64N(2)), num(byteAt()), num(byteAt()))
		case 7:
			p.sameArgs("BITOP", []string{"AND", "OR", "XOR"}[rnd.IntN(3)], k, key(), key(), key())
		case 8:
			p.sameArgs("BITOP", "NOT", k, key())
		case 9, 10:
			args := []string{"BITFIELD", k}
			for range 1 + rnd.IntN(4) {
				args = append(args, field()...)
			}
			p.sameArgs(args...)
		case 11:
			if rnd.IntN(3) == 0 {
				p.sameArgs("DEL", k)
			}
		}
		if rnd.IntN(10) == 0 {
			p.sameArgs("GET", key())
		}
		if t.Failed() {
			return
		}
	}
}
