package command

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"cobble/storage"
)

func TestStringRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		SET k v
		GET k
		SET k v2 GET
		SET n v NX GET
		SET n w NX GET
		SET n w NX
		SET n w XX
		SET x w XX
		SET x w XX GET
		SET k v EX 0
		SET k v EX -5
		SET k v PX 0
		SET k v EXAT 0
		SET k v PXAT -1
		SET k v EX abc
		SET k v EX 9223372036854775807
		SET k v PX 9223372036854775807
		SET k v EX 9223372036854775
		SET k v EXAT 9223372036854775
		SET k v PXAT 9223372036854775807
		SET k v EX
		SET k v EX 10 PX 10
		SET k v EX 10 EX 20
		SET k v NX NX
		SET k v NX XX
		SET k v XX NX
		SET k v KEEPTTL EX 10
		SET k v EX 10 KEEPTTL
		SET k v KEEPTTL
		SET k v PERSIST
		SET k v GET GET
		SET k v bogus
		SET k v PXAT 99999999999999
		SET k v1
		SET k v EXAT 99999999999 NX
		SET k v EXAT 99999999999 XX GET
		SET k v3 KEEPTTL GET
		SET gone v PXAT 1
		GET gone
		SETNX k v
		SETNX new v
		SETEX k 10 v
		SETEX k 0 v
		SETEX k -1 v
		SETEX k x v
		PSETEX k 0 v
		PSETEX k 100000 v
		SETEX k 9223372036854775807 v
		GETSET k w
		GETSET none w
		GETDEL none
		GETDEL nothing
		GETEX k
		GETEX k EX 0
		GETEX nothing EX 0
		GETEX nothing EX 10 PERSIST
		GETEX k PERSIST
		GETEX k KEEPTTL
		GETEX k NX
		GETEX k EX 100
		GETEX k EX
		GETEX k EX 100 PX 5
		GETEX k PERSIST EX 5
		GETEX k PXAT 1
		GET k
		MSET a{t} 1 b{t} 2
		MSET a{t} 1 b{t}
		MSET a{t} 1 a{t} 2
		GET a{t}
		MSETNX a{t} 1 c{t} 2
		MSETNX c{t} 1 d{t} 2
		MSETNX c{t} 1 d{t}
		MGET a{t} b{t} c{t} zz{t} a{t}
		APPEND a{t} xyz
		APPEND fresh ""
		GET fresh
		STRLEN a{t}
		STRLEN zz
		SETRANGE a{t} 2 ""
		SETRANGE zz 2 ""
		SETRANGE zz 5 ab
		GET zz
		SETRANGE zz -1 a
		SETRANGE zz x a
		SETRANGE zz 536870911 a2
		SETRANGE zz 9223372036854775807 a2
		GETRANGE zz 0 -1
		GETRANGE zz -2 -1
		GETRANGE zz -1 -2
		GETRANGE zz -100 2
		GETRANGE zz 3 1
		GETRANGE zz 5 100
		GETRANGE zz 100 200
		GETRANGE zz 0 -100
		GETRANGE zz a 1
		SUBSTR zz 1 2
		GETRANGE nokey 0 -1
		INCR i
		INCRBY i 10
		DECR i
		DECRBY i 4
		INCRBY i x
		INCRBY i 9223372036854775807
		SET i 9223372036854775807
		INCR i
		SET i -9223372036854775808
		DECR i
		DECRBY i 1
		DECRBY i -9223372036854775808
		INCRBY i 0
		SET i " 5"
		INCR i
		SET i 05
		INCR i
		SET i ""
		INCR i
		SET i -0
		INCR i
		SET i 1.5
		INCR i
		INCRBYFLOAT i 0.1
		INCRBYFLOAT i nan
		INCRBYFLOAT i inf
		INCRBYFLOAT i -inf
		INCRBYFLOAT i abc
		INCRBYFLOAT i " 1"
		INCRBYFLOAT i 1e3
		INCRBYFLOAT i -1e-3
		INCRBYFLOAT i 0x10
		INCRBYFLOAT i 0x1p-2
		INCRBYFLOAT i 1e5000
		INCRBYFLOAT i 1e4932
		INCRBYFLOAT i 1e4932
		INCRBYFLOAT i ""
		INCRBYFLOAT newf 3
		GET newf
		INCRBYFLOAT newf -3
		INCRBYFLOAT newf 5.0e3
		SET s abc
		INCRBYFLOAT s 1
		SET e1{t} ohmytext
		SET e2{t} mynewtext
		LCS e1{t} e2{t}
		LCS e1{t} e2{t} LEN
		LCS e1{t} e2{t} IDX
		LCS e1{t} e2{t} IDX MINMATCHLEN 4
		LCS e1{t} e2{t} IDX MINMATCHLEN 4 WITHMATCHLEN
		LCS e1{t} e2{t} IDX MINMATCHLEN -4 WITHMATCHLEN
		LCS e1{t} e2{t} IDX LEN
		LCS e1{t} e2{t} MINMATCHLEN
		LCS e1{t} e2{t} MINMATCHLEN x
		LCS e1{t} e2{t} bogus
		LCS e1{t} none{t}
		LCS e1{t} none{t} IDX
		LCS none{t} none{t} LEN
		LCS e1{t}
	`)
}

func TestLongDoublesAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rnd := rand.New(rand.NewPCG(7, 1))
	forms := []func() string{
		func() string { return fmt.Sprintf("%d", rnd.Int64N(2000)-1000) },
		func() string { return fmt.Sprintf("%.2f", rnd.Float64()*200-100) },
		func() string { return fmt.Sprintf("%g", rnd.NormFloat64()) },
		func() string { return fmt.Sprintf("%de%d", rnd.IntN(99), rnd.IntN(60)-30) },
		func() string { return fmt.Sprintf("%.17g", rnd.ExpFloat64()*1e18) },
		func() string { return fmt.Sprintf("%x", rnd.NormFloat64()) },
		func() string { return ".5" },
		func() string { return "+5." },
		func() string { return "010" },
		func() string {
			return []string{".", "+", "-", "1e", "1e+", "0x", "0x1p", "1_0", "0b1", "0o7", "infinity", "INF", "nan(1)", "1 ", "--1", "+-1", "1e99999999999999999999", "1e-99999999999999999999", "0e99999999", "1e-4951", "1e-4940", "in", "1f"}[rnd.IntN(23)]
		},
	}
	for i := range 3000 {
		key := fmt.Sprint("f", rnd.IntN(5))
		if i%20 == 0 {
			p.sameArgs("SET", key, forms[rnd.IntN(len(forms))]())
		}
		p.sameArgs("INCRBYFLOAT", key, forms[rnd.IntN(len(forms))]())
		if t.Failed() {
			return
		}
	}
}

// TestLongStringsAreRedis changes strings around the sizes where their layout changes.
func TestLongStringsAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rnd := rand.New(rand.NewPCG(3, 4))
	size := func() int {
		return max(0, []int{1, 44, 45, 100, storage.InlineString, storage.InlineString, 3 * storage.ChunkSize, 5 * storage.ChunkSize}[rnd.IntN(8)]+rnd.IntN(5)-2)
	}
	text := func() string { return strings.Repeat(string(rune('a'+rnd.IntN(26))), size()) }
	for range 1500 {
		key := fmt.Sprint("k", rnd.IntN(4))
		switch rnd.IntN(9) {
		case 0:
			p.sameArgs("SET", key, text())
		case 1:
			p.sameArgs("APPEND", key, text())
		case 2, 3:
			p.sameArgs("SETRANGE", key, fmt.Sprint(size()), text())
		case 4:
			p.sameArgs("GETDEL", key)
		case 5:
			p.sameArgs("STRLEN", key)
		case 6:
			p.sameArgs("GETRANGE", key, fmt.Sprint(size()-storage.ChunkSize), fmt.Sprint(size()-4))
		case 7:
			p.sameArgs("SET", key, fmt.Sprint(rnd.IntN(100)))
		}
		p.sameArgs("GET", key)
		if t.Failed() {
			return
		}
	}
}

func TestSubsequencesAreRedis(t *testing.T) {
	p := newPair(t, 3)
	rnd := rand.New(rand.NewPCG(5, 6))
	text := func() string {
		b := make([]byte, rnd.IntN(30))
		for i := range b {
			b[i] = byte('a' + rnd.IntN(3))
		}
		return string(b)
	}
	for range 300 {
		p.sameArgs("MSET", "a{t}", text(), "b{t}", text())
		p.same("LCS a{t} b{t}")
		p.same("LCS a{t} b{t} IDX WITHMATCHLEN MINMATCHLEN 2")
		if t.Failed() {
			return
		}
	}
}

// The rows are called thousands of times a second: they must not feed the collector.
func TestHotCommandsDoNotAllocate(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "k", "value")
	do("SET", "{k}n", "1000")
	for _, line := range []string{"GET k", "SET k value2", "INCR {k}n", "STRLEN k", "APPEND k x", "SET k v EX 100", "SETRANGE k 2 x", "EXISTS k", "EXPIRE k 100", "TTL k", "DEL k", "MGET k {k}n", "TYPE k", "GETBIT k 3", "SETBIT k 3 1"} {
		if n := allocationsOf(t, c, line); n > 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

// Where a string would become longer than proto-max-bulk-len, each command has its own way to say so.
func TestStringsEndAtTheBulkLimit(t *testing.T) {
	for _, limit := range []int64{2_000_000, 600_000_000} {
		p := newPair(t, 2)
		p.theirs.do("CONFIG", "SET", "proto-max-bulk-len", strconv.FormatInt(limit, 10))
		p.call.Env.Engine.SetMaxString(limit)
		num := func(n int64) string { return strconv.FormatInt(n, 10) }
		for _, args := range [][]string{
			{"SETRANGE", "k", num(limit), "a"}, {"SETRANGE", "k", "9223372036854775807", "a"}, {"SETRANGE", "k", num(limit + 1), ""},
			{"SETBIT", "k", num(8 * limit), "1"}, {"GETBIT", "k", num(8*limit - 1)}, {"GETBIT", "k", num(8 * limit)},
			{"BITFIELD", "k", "GET", "u8", num(8 * limit)}, {"BITFIELD", "k", "SET", "u8", "#" + num(limit), "1"},
			{"BITFIELD_RO", "k", "GET", "u8", num(8*limit - 1)}, {"STRLEN", "k"},
		} {
			p.sameArgs(args...)
		}
		if limit > 2_000_000 {
			continue // Redis would fill half a gigabyte
		}
		for _, args := range [][]string{
			{"SETRANGE", "k", num(limit - 1), "a"}, {"APPEND", "k", "b"}, {"APPEND", "k", ""}, {"SETBIT", "b", num(8*limit - 1), "1"},
			{"BITFIELD", "k", "SET", "u8", num(8*limit - 7), "1"}, {"STRLEN", "k"}, {"STRLEN", "b"}, {"APPEND", "k", ""}, {"APPEND", "k", "c"},
		} {
			p.sameArgs(args...)
		}
	}
}
