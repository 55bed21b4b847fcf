package script

import (
	"math"
	"strconv"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

func (j *jsonLib) decode(L *lua.LState) int {
	if L.GetTop() != 1 {
		L.ArgError(1, "expected 1 argument")
	}
	d := jsonDecoder{lib: j, L: L, text: L.CheckString(1)}
	d.space()
	v := d.value(0)
	if d.space(); d.err == nil && d.at < len(d.text) {
		d.fail("the end")
	}
	if d.err != nil {
		L.RaiseError("%s", d.err.Error())
	}
	L.Push(v)
	return 1
}

type jsonDecoder struct {
	lib  *jsonLib
	L    *lua.LState
	text string
	at   int
	err  error
}

func (d *jsonDecoder) space() {
	for d.at < len(d.text) && (d.text[d.at] == ' ' || d.text[d.at] == '\t' || d.text[d.at] == '\n' || d.text[d.at] == '\r') {
		d.at++
	}
}

// fail words what was expected and what was found, as lua-cjson does.
func (d *jsonDecoder) fail(expected string) lua.LValue {
	if d.err != nil {
		return lua.LNil
	}
	found := "invalid token"
	if d.at >= len(d.text) {
		found = "T_END"
	} else {
		switch c := d.text[d.at]; {
		case c == '{':
			found = "T_OBJ_BEGIN"
		case c == '}':
			found = "T_OBJ_END"
		case c == '[':
			found = "T_ARR_BEGIN"
		case c == ']':
			found = "T_ARR_END"
		case c == ',':
			found = "T_COMMA"
		case c == ':':
			found = "T_COLON"
		case c == '"':
			found = "T_STRING"
		case c >= '0' && c <= '9' || c == '-':
			found = "T_NUMBER"
		}
	}
	d.err = problem("Expected %s but found %s at character %d", expected, found, d.at+1)
	return lua.LNil
}

func (d *jsonDecoder) value(depth int) lua.LValue {
	if d.err != nil || d.at >= len(d.text) {
		return d.fail("value")
	}
	switch c := d.text[d.at]; {
	case c == '{' || c == '[':
		if depth++; depth > d.lib.decodeDepth {
			d.err = problem("Found too many nested data structures (%d)", depth)
			return lua.LNil
		}
		d.at++
		if c == '{' {
			return d.object(depth)
		}
		return d.array(depth)
	case c == '"':
		s, ok := d.str()
		if !ok {
			return lua.LNil
		}
		return lua.LString(s)
	case d.word("true"):
		return lua.LTrue
	case d.word("false"):
		return lua.LFalse
	case d.word("null"):
		return d.lib.null
	}
	return d.number()
}

func (d *jsonDecoder) word(w string) bool {
	if len(d.text)-d.at >= len(w) && d.text[d.at:d.at+len(w)] == w {
		d.at += len(w)
		return true
	}
	return false
}

func (d *jsonDecoder) object(depth int) lua.LValue {
	t := d.L.NewTable()
	if d.space(); d.at < len(d.text) && d.text[d.at] == '}' {
		d.at++
		return t
	}
	for d.err == nil {
		d.space()
		if d.at >= len(d.text) || d.text[d.at] != '"' {
			return d.fail("object key string")
		}
		key, ok := d.str()
		if !ok {
			return lua.LNil
		}
		if d.space(); d.at >= len(d.text) || d.text[d.at] != ':' {
			return d.fail("colon")
		}
		d.at++
		d.space()
		t.RawSetString(key, d.value(depth))
		if d.space(); d.at < len(d.text) && d.text[d.at] == '}' {
			d.at++
			return t
		}
		if d.at >= len(d.text) || d.text[d.at] != ',' {
			return d.fail("comma or object end")
		}
		d.at++
	}
	return lua.LNil
}

func (d *jsonDecoder) array(depth int) lua.LValue {
	t := d.L.NewTable()
	if d.space(); d.at < len(d.text) && d.text[d.at] == ']' {
		d.at++
		return t
	}
	for i := 1; d.err == nil; i++ {
		d.space()
		t.RawSetInt(i, d.value(depth))
		if d.space(); d.at < len(d.text) && d.text[d.at] == ']' {
			d.at++
			return t
		}
		if d.at >= len(d.text) || d.text[d.at] != ',' {
			return d.fail("comma or array end")
		}
		d.at++
	}
	return lua.LNil
}

func (d *jsonDecoder) number() lua.LValue {
	from := d.at
	for d.at < len(d.text) {
		c := d.text[d.at]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.' {
			d.at++
			continue
		}
		break
	}
	word := d.text[from:d.at]
	f, err := strconv.ParseFloat(word, 64)
	special := word != "" && (math.IsInf(f, 0) || math.IsNaN(f))
	hex := len(word) > 1 && (word[1] == 'x' || word[1] == 'X' || len(word) > 2 && (word[2] == 'x' || word[2] == 'X'))
	if hex {
		if n, e := strconv.ParseInt(word, 0, 64); e == nil {
			f, err = float64(n), nil
		}
	}
	if err != nil && !special || (special || hex) && !d.lib.decodeInvalid {
		d.at = from
		return d.fail("value")
	}
	return lua.LNumber(f)
}

// str reads a string whose quote is next.
func (d *jsonDecoder) str() (string, bool) {
	var b []byte
	start := d.at
	for d.at++; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			d.at++
			return string(b), true
		case c == '\\':
			if d.at++; d.at >= len(d.text) {
				break
			}
			var ok bool
			if b, ok = d.escape(b); !ok {
				d.err = problem("Expected value but found invalid escape code at character %d", d.at)
				return "", false
			}
		case c < 0x20:
			d.err = problem("Expected value but found invalid token at character %d", d.at+1)
			return "", false
		default:
			b = append(b, c)
		}
	}
	d.err = problem("Expected value but found unexpected end of string at character %d", start+1)
	return "", false
}

// escape reads what follows a backslash; d.at stays on its last byte.
func (d *jsonDecoder) escape(b []byte) ([]byte, bool) {
	switch c := d.text[d.at]; c {
	case '"', '\\', '/':
		return append(b, c), true
	case 'b':
		return append(b, '\b'), true
	case 'f':
		return append(b, '\f'), true
	case 'n':
		return append(b, '\n'), true
	case 'r':
		return append(b, '\r'), true
	case 't':
		return append(b, '\t'), true
	case 'u':
		r, ok := d.hex4(d.at + 1)
		if !ok {
			return b, false
		}
		d.at += 4
		if r >= 0xd800 && r < 0xdc00 && len(d.text) > d.at+6 && d.text[d.at+1] == '\\' && d.text[d.at+2] == 'u' {
			if low, ok := d.hex4(d.at + 3); ok && low >= 0xdc00 && low < 0xe000 {
				d.at += 6
				return utf8.AppendRune(b, 0x10000+(r-0xd800)<<10+(low-0xdc00)), true
			}
			return b, false
		}
		if r >= 0xd800 && r < 0xe000 {
			return b, false
		}
		return utf8.AppendRune(b, r), true
	}
	return b, false
}

func (d *jsonDecoder) hex4(at int) (rune, bool) {
	if at+4 > len(d.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[at:at+4], 16, 32)
	return rune(n), err == nil
}
