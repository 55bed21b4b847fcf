package script

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// newMsgpack makes the cmsgpack object. (Format: the MessagePack specification; choices as in lua-cmsgpack.)
func newMsgpack(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	for name, fn := range map[string]lua.LGFunction{"pack": packMsg, "unpack": unpackMsg, "unpack_one": unpackOne, "unpack_limit": unpackLimit} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	t.RawSetString("_NAME", lua.LString("cmsgpack"))
	t.RawSetString("_VERSION", lua.LString("lua-cmsgpack 0.4.0"))
	t.RawSetString("_COPYRIGHT", lua.LString("MessagePack for Lua"))
	t.RawSetString("_DESCRIPTION", lua.LString("MessagePack C implementation for Lua"))
	return t
}

const (
	maxMsgDepth = 16
	errMsgBytes = "Missing bytes in input."
	errMsgBad   = "Bad data format in input."
)

func packMsg(L *lua.LState) int {
	if L.GetTop() == 0 {
		L.ArgError(0, "MessagePack pack needs input.")
	}
	var b []byte
	for i := 1; i <= L.GetTop(); i++ {
		b = appendMsg(b, L.Get(i), 0)
	}
	L.Push(lua.LString(b))
	return 1
}

func appendMsg(b []byte, v lua.LValue, depth int) []byte {
	switch v := v.(type) {
	case lua.LString:
		return appendMsgString(b, string(v))
	case lua.LBool:
		if v {
			return append(b, 0xc3)
		}
		return append(b, 0xc2)
	case lua.LNumber:
		f := float64(v)
		if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return appendMsgInt(b, int64(f))
		}
		if float64(float32(f)) == f {
			return binary.BigEndian.AppendUint32(append(b, 0xca), math.Float32bits(float32(f)))
		}
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(f))
	case *lua.LTable:
		if depth == maxMsgDepth {
			return append(b, 0xc0)
		}
		return appendMsgTable(b, v, depth+1)
	}
	return append(b, 0xc0)
}

func appendMsgString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func appendMsgInt(b []byte, n int64) []byte {
	switch {
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		return append(b, byte(n))
	case n >= 0 && n <= 0xff:
		return append(b, 0xcc, byte(n))
	case n >= 0 && n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n >= 0 && n <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(n))
	case n >= math.MinInt8:
		return append(b, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

func appendMsgTable(b []byte, t *lua.LTable, depth int) []byte {
	highest, items, array := 0, 0, true
	t.ForEach(func(k, _ lua.LValue) {
		n, ok := k.(lua.LNumber)
		array = array && ok && n > 0 && n == lua.LNumber(math.Floor(float64(n)))
		if array {
			highest = max(highest, int(n))
		}
		items++
	})
	if array && highest == items {
		b = appendMsgHead(b, items, 0x90, 0xdc)
		for i := range items {
			b = appendMsg(b, t.RawGetInt(i+1), depth)
		}
		return b
	}
	b = appendMsgHead(b, items, 0x80, 0xde)
	t.ForEach(func(k, v lua.LValue) {
		b = appendMsg(appendMsg(b, k, depth), v, depth)
	})
	return b
}

func appendMsgHead(b []byte, n int, fix, mark byte) []byte {
	switch {
	case n < 16:
		return append(b, fix|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, mark), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, mark+1), uint32(n))
}

type msgReader struct {
	L    *lua.LState
	b    []byte
	at   int
	fail string
}

func (r *msgReader) take(n int) []byte {
	if r.fail == "" && (n < 0 || n > len(r.b)-r.at) {
		r.fail = errMsgBytes
	}
	if r.fail != "" {
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *msgReader) uint(n int) uint64 {
	var v uint64
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *msgReader) value(depth int) lua.LValue {
	head := r.take(1)
	if depth > 1000 {
		r.fail = errMsgBad
	}
	if r.fail != "" {
		return lua.LNil
	}
	switch c := head[0]; {
	case c < 0x80:
		return lua.LNumber(c)
	case c >= 0xe0:
		return lua.LNumber(int8(c))
	case c < 0x90:
		return r.table(int(c&15), true, depth)
	case c < 0xa0:
		return r.table(int(c&15), false, depth)
	case c < 0xc0:
		return lua.LString(r.take(int(c & 31)))
	case c >= 0xcc && c <= 0xcf:
		return lua.LNumber(r.uint(1 << (c - 0xcc)))
	case c >= 0xd0 && c <= 0xd3:
		width := 1 << (c - 0xd0)
		return lua.LNumber(int64(r.uint(width)<<(64-8*width)) >> (64 - 8*width))
	default:
		return r.wide(c, depth)
	}
}

func (r *msgReader) wide(c byte, depth int) lua.LValue {
	switch c {
	case 0xc0:
		return lua.LNil
	case 0xc2:
		return lua.LFalse
	case 0xc3:
		return lua.LTrue
	case 0xca:
		return lua.LNumber(math.Float32frombits(uint32(r.uint(4))))
	case 0xcb:
		return lua.LNumber(math.Float64frombits(r.uint(8)))
	case 0xc4, 0xd9:
		return lua.LString(r.take(int(r.uint(1))))
	case 0xc5, 0xda:
		return lua.LString(r.take(int(r.uint(2))))
	case 0xc6, 0xdb:
		return lua.LString(r.take(int(r.uint(4))))
	case 0xdc, 0xdd:
		return r.table(int(r.uint(2<<(c-0xdc))), false, depth)
	case 0xde, 0xdf:
		return r.table(int(r.uint(2<<(c-0xde))), true, depth)
	}
	r.fail = errMsgBad
	return lua.LNil
}

func (r *msgReader) table(n int, pairs bool, depth int) lua.LValue {
	if r.fail != "" || n > len(r.b)-r.at {
		if r.fail == "" {
			r.fail = errMsgBytes
		}
		return lua.LNil
	}
	t := r.L.NewTable()
	for i := 0; i < n && r.fail == ""; i++ {
		if !pairs {
			t.RawSetInt(i+1, r.value(depth+1))
			continue
		}
		key := r.value(depth + 1)
		value := r.value(depth + 1)
		if f, ok := key.(lua.LNumber); key == lua.LNil || ok && math.IsNaN(float64(f)) {
			r.fail = errMsgBad
			return lua.LNil
		}
		t.RawSet(key, value)
	}
	return t
}

func unpackMsg(L *lua.LState) int {
	return unpackSome(L, math.MaxInt32, 0, false)
}

func unpackOne(L *lua.LState) int { return unpackSome(L, 1, L.OptInt(2, 0), true) }

func unpackLimit(L *lua.LState) int {
	return unpackSome(L, L.CheckInt(2), L.OptInt(3, 0), true)
}

// unpackSome pushes up to limit values that begin at offset; with where, first the offset where it stopped, or -1.
func unpackSome(L *lua.LState, limit, offset int, where bool) int {
	text := L.CheckString(1)
	if offset < 0 || limit < 0 {
		L.RaiseError("Invalid request to unpack with offset of %d and limit of %d.", offset, len(text))
	}
	if offset > len(text) {
		L.RaiseError("Start offset %d greater than input length %d.", offset, len(text))
	}
	r := msgReader{L: L, b: []byte(text), at: offset}
	var values []lua.LValue
	for r.at < len(r.b) && len(values) < limit {
		values = append(values, r.value(0))
		if r.fail != "" {
			L.RaiseError("%s", r.fail)
		}
	}
	if where {
		end := r.at
		if end == len(r.b) {
			end = -1
		}
		L.Push(lua.LNumber(end))
	}
	for _, v := range values {
		L.Push(v)
	}
	if where {
		return len(values) + 1
	}
	return len(values)
}
