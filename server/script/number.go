package script

import (
	"errors"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// toNumber is tonumber of texts in base 10 as Lua has it, which reads them with C's strtod: exponents, infinities and
// hexadecimal numbers are numbers. The rest is done by original.
func toNumber(original lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		text, ok := L.Get(1).(lua.LString)
		if !ok || L.OptInt(2, 10) != 10 {
			return original(L)
		}
		if n, ok := parseNumber(string(text)); ok {
			L.Push(lua.LNumber(n))
		} else {
			L.Push(lua.LNil)
		}
		return 1
	}
}

// parseNumber reads a number as C's strtod does, with nothing but white space around it.
func parseNumber(text string) (float64, bool) {
	text = strings.ToLower(strings.Trim(text, " \t\n\v\f\r"))
	if strings.Contains(text, "_") {
		return 0, false
	}
	if strings.Contains(text, "0x") && !strings.Contains(text, "p") {
		text += "p0" // Go wants the exponent to be said
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}
