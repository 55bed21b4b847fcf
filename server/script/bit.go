package script

import (
	"fmt"
	"math"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// newBit makes the bit object (Lua BitOp): operations on 32-bit integers.
func newBit(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	fold := func(op func(a, b uint32) uint32) lua.LGFunction {
		return func(L *lua.LState) int {
			n := checkBits(L, 1)
			for i := 2; i <= L.GetTop(); i++ {
				n = op(n, checkBits(L, i))
			}
			return pushBits(L, n)
		}
	}
	shift := func(op func(n uint32, by int) uint32) lua.LGFunction {
		return func(L *lua.LState) int { return pushBits(L, op(checkBits(L, 1), int(checkBits(L, 2)&31))) }
	}
	one := func(op func(n uint32) uint32) lua.LGFunction {
		return func(L *lua.LState) int { return pushBits(L, op(checkBits(L, 1))) }
	}
	for name, fn := range map[string]lua.LGFunction{
		"tobit":   one(func(n uint32) uint32 { return n }),
		"bnot":    one(func(n uint32) uint32 { return ^n }),
		"bswap":   one(bits.ReverseBytes32),
		"band":    fold(func(a, b uint32) uint32 { return a & b }),
		"bor":     fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold(func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift(func(n uint32, by int) uint32 { return n << by }),
		"rshift":  shift(func(n uint32, by int) uint32 { return n >> by }),
		"arshift": shift(func(n uint32, by int) uint32 { return uint32(int32(n) >> by) }),
		"rol":     shift(bits.RotateLeft32),
		"ror":     shift(func(n uint32, by int) uint32 { return bits.RotateLeft32(n, -by) }),
		"tohex":   toHex,
	} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	return t
}

// checkBits takes an argument modulo 2³², rounded to even as BitOp does by adding 2⁵²+2⁵¹.
func checkBits(L *lua.LState, i int) uint32 {
	f := float64(L.CheckNumber(i))
	f = math.RoundToEven(f)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	f = math.Mod(f, 1<<32)
	return uint32(int64(f))
}

func pushBits(L *lua.LState, n uint32) int {
	L.Push(lua.LNumber(int32(n)))
	return 1
}

func toHex(L *lua.LState) int {
	n, digits := checkBits(L, 1), int32(8)
	if L.GetTop() >= 2 {
		digits = int32(checkBits(L, 2))
	}
	form := "%0*x"
	if digits < 0 {
		digits, form = -digits, "%0*X"
	}
	digits = min(max(digits, 0), 8)
	if digits == 0 {
		L.Push(lua.LString(""))
		return 1
	}
	if digits < 8 {
		n &= 1<<(4*digits) - 1
	}
	L.Push(lua.LString(fmt.Sprintf(form, digits, n)))
	return 1
}
