package script

import (
	"fmt"
	"math"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// problem is an error in lua-cjson's words.
func problem(format string, args ...any) error { return Error(fmt.Sprintf(format, args...)) }

// jsonLib is cjson: JSON with Lua's values, and the settings that lua-cjson has.
type jsonLib struct {
	null          *lua.LUserData
	encodeDepth   int
	decodeDepth   int
	precision     int
	sparseConvert bool
	sparseRatio   int
	sparseSafe    int
	encodeInvalid int // 0: an error, 1: written, 2: as null
	decodeInvalid bool
	keepBuffer    bool
}

func newJSON(L *lua.LState) *lua.LTable {
	j := &jsonLib{null: L.NewUserData(), encodeDepth: 1000, decodeDepth: 1000, precision: 14, sparseRatio: 2, sparseSafe: 10, decodeInvalid: true, keepBuffer: true}
	t := L.NewTable()
	for name, fn := range map[string]lua.LGFunction{
		"encode": j.encode, "decode": j.decode,
		"encode_max_depth":        jsonInt(&j.encodeDepth, 1, math.MaxInt32),
		"decode_max_depth":        jsonInt(&j.decodeDepth, 1, math.MaxInt32),
		"encode_number_precision": jsonInt(&j.precision, 1, 14),
		"encode_keep_buffer":      jsonBool(&j.keepBuffer),
		"decode_invalid_numbers":  jsonBool(&j.decodeInvalid),
		"encode_invalid_numbers":  j.setInvalid,
		"encode_sparse_array":     j.setSparse,
	} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	t.RawSetString("null", j.null)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString("2.1.0"))
	t.RawSetString("new", L.NewFunction(func(L *lua.LState) int {
		L.Push(newJSON(L))
		return 1
	}))
	return t
}

func jsonInt(n *int, lo, hi int) lua.LGFunction {
	return func(L *lua.LState) int {
		if L.GetTop() > 0 {
			v := L.CheckInt(1)
			if v < lo || v > hi {
				L.ArgError(1, fmt.Sprintf("expected integer between %d and %d", lo, hi))
			}
			*n = v
		}
		L.Push(lua.LNumber(*n))
		return 1
	}
}

func jsonBool(b *bool) lua.LGFunction {
	return func(L *lua.LState) int {
		if L.GetTop() > 0 {
			*b = L.CheckBool(1)
		}
		L.Push(lua.LBool(*b))
		return 1
	}
}

func (j *jsonLib) setInvalid(L *lua.LState) int {
	if L.GetTop() > 0 {
		switch v := L.Get(1); {
		case v == lua.LTrue:
			j.encodeInvalid = 1
		case v == lua.LFalse:
			j.encodeInvalid = 0
		case lua.LVAsString(v) == "null":
			j.encodeInvalid = 2
		default:
			L.ArgError(1, "invalid option '"+lua.LVAsString(v)+"'")
		}
	}
	L.Push([]lua.LValue{lua.LFalse, lua.LTrue, lua.LString("null")}[j.encodeInvalid])
	return 1
}

func (j *jsonLib) setSparse(L *lua.LState) int {
	if L.GetTop() > 0 {
		j.sparseConvert = L.CheckBool(1)
	}
	j.sparseRatio = L.OptInt(2, j.sparseRatio)
	j.sparseSafe = L.OptInt(3, j.sparseSafe)
	L.Push(lua.LBool(j.sparseConvert))
	L.Push(lua.LNumber(j.sparseRatio))
	L.Push(lua.LNumber(j.sparseSafe))
	return 3
}

func (j *jsonLib) encode(L *lua.LState) int {
	if L.GetTop() != 1 {
		L.ArgError(1, "expected 1 argument")
	}
	b, err := j.append(nil, L.Get(1), 0)
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	L.Push(lua.LString(b))
	return 1
}

func (j *jsonLib) append(b []byte, v lua.LValue, depth int) ([]byte, error) {
	switch v := v.(type) {
	case lua.LString:
		return appendJSONString(b, string(v)), nil
	case lua.LNumber:
		return j.appendNumber(b, float64(v))
	case lua.LBool:
		return strconv.AppendBool(b, bool(v)), nil
	case *lua.LTable:
		if depth++; depth > j.encodeDepth {
			return nil, problem("Cannot serialise, excessive depth (%d)", depth)
		}
		return j.appendTable(b, v, depth)
	case *lua.LNilType:
		return append(b, "null"...), nil
	case *lua.LUserData:
		if v == j.null || v.Value == nil {
			return append(b, "null"...), nil
		}
	}
	return nil, problem("Cannot serialise %s: type not supported", v.Type())
}

func (j *jsonLib) appendNumber(b []byte, f float64) ([]byte, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		switch j.encodeInvalid {
		case 0:
			return nil, problem("Cannot serialise number: must not be NaN or Inf")
		case 2:
			return append(b, "null"...), nil
		}
		return append(b, formatG(f, j.precision)...), nil
	}
	return append(b, formatG(f, j.precision)...), nil
}

// length returns n if the table is an array 1…n (with holes, if they may be), -1 if it is an object.
func (j *jsonLib) length(t *lua.LTable) (int, error) {
	highest, items, array := 0, 0, true
	t.ForEach(func(k, _ lua.LValue) {
		n, ok := k.(lua.LNumber)
		if !ok || n < 1 || n != lua.LNumber(math.Floor(float64(n))) {
			array = false
			return
		}
		highest = max(highest, int(n))
		items++
	})
	if !array || items == 0 {
		return -1, nil
	}
	if j.sparseRatio > 0 && highest > items*j.sparseRatio && highest > j.sparseSafe {
		if !j.sparseConvert {
			return 0, problem("Cannot serialise table: excessively sparse array")
		}
		return -1, nil
	}
	return highest, nil
}

func (j *jsonLib) appendTable(b []byte, t *lua.LTable, depth int) ([]byte, error) {
	n, err := j.length(t)
	if err != nil {
		return nil, err
	}
	if n >= 0 {
		b = append(b, '[')
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = j.append(b, t.RawGetInt(i+1), depth); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	b = append(b, '{')
	first := true
	t.ForEach(func(k, v lua.LValue) {
		if err != nil {
			return
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		switch k := k.(type) {
		case lua.LString:
			b = appendJSONString(b, string(k))
		case lua.LNumber:
			b = append(append(append(b, '"'), formatG(float64(k), j.precision)...), '"')
		default:
			err = problem("Cannot serialise table: table key must be a number or string")
			return
		}
		b, err = j.append(append(b, ':'), v, depth)
	})
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// appendJSONString quotes as lua-cjson does: control characters, quote, backslash, slash and DEL; other bytes as they are.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '/':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			if c < 0x20 || c == 0x7f {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}
