package script

import (
	"bytes"
	"math"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"cobble/server/resp"
	"cobble/server/words"
)

// toLua makes a Lua value of the reply at the start of b, as Redis converts it, and returns what follows. The bytes
// are the server's own, so they are well formed.
func toLua(L *lua.LState, b []byte) (lua.LValue, []byte) {
	end := bytes.IndexByte(b, '\n')
	line, rest := b[1:end-1], b[end+1:]
	switch b[0] {
	case '+':
		return single(L, "ok", lua.LString(line)), rest
	case '-':
		return single(L, "err", lua.LString(line)), rest
	case ':':
		n, _ := strconv.ParseInt(string(line), 10, 64)
		return lua.LNumber(n), rest
	case '_':
		return lua.LNil, rest
	case '#':
		return lua.LBool(line[0] == 't'), rest
	case ',':
		f, _ := strconv.ParseFloat(string(line), 64)
		return single(L, "double", lua.LNumber(f)), rest
	case '(':
		return single(L, "big_number", lua.LString(line)), rest
	case '$', '=':
		n, _ := strconv.Atoi(string(line))
		if n < 0 {
			return lua.LFalse, rest
		}
		text, after := rest[:n], rest[n+2:]
		if b[0] == '$' {
			return lua.LString(text), after
		}
		inner := L.CreateTable(0, 2)
		inner.RawSetString("format", lua.LString(text[:3]))
		inner.RawSetString("string", lua.LString(text[4:]))
		return single(L, "verbatim_string", inner), after
	}
	return aggregateToLua(L, b[0], line, rest)
}

func aggregateToLua(L *lua.LState, mark byte, line, rest []byte) (lua.LValue, []byte) {
	n, _ := strconv.Atoi(string(line))
	if n < 0 {
		return lua.LFalse, rest
	}
	var key, value lua.LValue
	switch mark {
	case '%', '|':
		t := L.CreateTable(0, n)
		for range n {
			key, rest = toLua(L, rest)
			value, rest = toLua(L, rest)
			if key != lua.LNil {
				t.RawSet(key, value)
			}
		}
		if mark == '|' {
			return toLua(L, rest) // attributes are not for scripts
		}
		return single(L, "map", t), rest
	case '~':
		t := L.CreateTable(0, n)
		for range n {
			value, rest = toLua(L, rest)
			if value != lua.LNil {
				t.RawSet(value, lua.LTrue)
			}
		}
		return single(L, "set", t), rest
	}
	if n >= maxArray {
		L.RaiseError("a reply of %d elements is too long for a script", n)
	}
	t := L.CreateTable(n, 0)
	for i := range n {
		value, rest = toLua(L, rest)
		t.RawSetInt(i+1, value)
	}
	return t, rest
}

func single(L *lua.LState, field string, v lua.LValue) *lua.LTable {
	t := L.CreateTable(0, 1)
	t.RawSetString(field, v)
	return t
}

const (
	maxReplyDepth       = 1000
	errReplyDepth Error = "ERR reached lua stack limit"
)

// reply writes what a script returned. proto is what the script set for itself: it decides how booleans travel.
func reply(L *lua.LState, out *resp.Writer, v lua.LValue, proto, depth int) error {
	if depth > maxReplyDepth {
		return errReplyDepth
	}
	switch v := v.(type) {
	case lua.LString:
		out.BulkString(string(v))
	case lua.LNumber:
		out.Int(truncate(float64(v)))
	case lua.LBool:
		switch {
		case proto == 3:
			out.Bool(bool(v))
		case bool(v):
			out.Int(1)
		default:
			out.Null()
		}
	case *lua.LTable:
		return replyTable(L, out, v, proto, depth)
	default:
		out.Null()
	}
	return nil
}

// truncate is C's conversion of a double to a long long, where that is defined.
func truncate(f float64) int64 {
	if math.IsNaN(f) || f >= 1<<63 || f < -1<<63 {
		return math.MinInt64
	}
	return int64(f)
}

func replyTable(L *lua.LState, out *resp.Writer, t *lua.LTable, proto, depth int) error {
	if s, ok := t.RawGetString("err").(lua.LString); ok {
		out.Error(words.C(string(s)))
		return nil
	}
	if s, ok := t.RawGetString("ok").(lua.LString); ok {
		out.Status(oneLine(words.C(string(s))))
		return nil
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		out.Double(float64(f))
		return nil
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		return replyPairs(L, out, m, proto, depth)
	}
	if m, ok := t.RawGetString("set").(*lua.LTable); ok {
		return replyMembers(L, out, m, proto, depth)
	}
	if n, ok := t.RawGetString("big_number").(lua.LString); ok {
		out.BigNumber(oneLine(string(n)))
		return nil
	}
	if m, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		format, ok1 := m.RawGetString("format").(lua.LString)
		text, ok2 := m.RawGetString("string").(lua.LString)
		if ok1 && ok2 && len(format) == 3 {
			out.Verbatim(string(format), string(text))
			return nil
		}
	}
	n := 0
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	out.Array(n)
	for i := range n {
		if err := reply(L, out, t.RawGetInt(i+1), proto, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func replyPairs(L *lua.LState, out *resp.Writer, t *lua.LTable, proto, depth int) (err error) {
	n := 0
	t.ForEach(func(_, _ lua.LValue) { n++ })
	out.Map(n)
	t.ForEach(func(key, value lua.LValue) {
		if err == nil {
			err = reply(L, out, key, proto, depth+1)
		}
		if err == nil {
			err = reply(L, out, value, proto, depth+1)
		}
	})
	return err
}

func replyMembers(L *lua.LState, out *resp.Writer, t *lua.LTable, proto, depth int) (err error) {
	n := 0
	t.ForEach(func(_, _ lua.LValue) { n++ })
	out.Set(n)
	t.ForEach(func(key, _ lua.LValue) {
		if err == nil {
			err = reply(L, out, key, proto, depth+1)
		}
	})
	return err
}

// formatG is C's %.<digits>g.
func formatG(f float64, digits int) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', digits, 64)
}
