package differential

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// kinds are the small words of the grammar. Lifetimes are long past or far off, so that nothing expires while two
// servers are compared; sizes are small or refused by every server, so that nothing allocates half a gigabyte.
//
// It is filled by a function because its entries use each other.
var kinds = makeKinds()

func oneOf(all ...string) func(*generator) string {
	return func(g *generator) string { return all[g.rand.IntN(len(all))] }
}

// mixed takes the first in most cases, one of the others now and then.
func mixed(mostly func(*generator) string, seldom ...func(*generator) string) func(*generator) string {
	return func(g *generator) string {
		if g.rand.IntN(6) > 0 {
			return mostly(g)
		}
		return seldom[g.rand.IntN(len(seldom))](g)
	}
}

func between(low, high int) func(*generator) string {
	return func(g *generator) string { return strconv.Itoa(low + g.rand.IntN(high-low+1)) }
}

// entryID makes IDs of a stream's entries.
func entryID(high int) func(*generator) string {
	return func(g *generator) string { return fmt.Sprintf("%d-%d", g.rand.IntN(high), g.rand.IntN(3)) }
}

// decimal makes numbers of two digits after the point.
func decimal(low, high int) func(*generator) string {
	return func(g *generator) string {
		return fmt.Sprintf("%.2f", float64(low)+g.rand.Float64()*float64(high-low))
	}
}

func makeKinds() map[string]func(*generator) string {
	long := strings.Repeat("0123456789abcdef", 20)
	notInts := oneOf("", "abc", " 1", "1 ", "1.0", "+1", "-0", "00", "0x10", "1e3", "\x00", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999", "nan")
	edgeInts := oneOf("0", "-1", "1", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
		"9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775806")
	text := oneOf("", "a", "b", "hello", "Hello World", "ohmytext", "mynewtext", long[:44], long[:45], long[:64], long[:65], long,
		"\x00\x01\xff", "\r\n", "a\r\n$1\r\nb", "été", "\xff\xff\xff")
	numbers := oneOf("0", "1", "10", "-5", "12345678901", "3.5", "3.0", "-0.1", "1e10", "9223372036854775807",
		"-9223372036854775808", "007", "5 ")
	floats := oneOf("0", "1", "-1", "0.1", "0.2", "1.5", "-2.25", "3e10", "1e-5", "5.0e3", "0.30000000000000004", "1e17", "1e-17",
		"123456789.123456789", "-0", "1.10", "99999999999999999", "2.220446049250313e-16")
	notFloats := oneOf("", "abc", "nan", "NaN", "inf", "-inf", "+inf", "Infinity", "1e400", "-1e400", "1e5000", " 1", "1 ", "1.5abc",
		"0x10", "0x1p3", ".5", "5.", "+5", "1e", "1\x00", "--1", "1_000", "1,5", "1e308", "1.7976931348623157e308")
	key := func(g *generator) string { return fmt.Sprintf("{t}%c", 'a'+rune(g.rand.IntN(6))) }
	field := func(g *generator) string { return fmt.Sprintf("f%d", g.rand.IntN(8)) }
	all := map[string]func(*generator) string{
		"key":      mixed(key, key, key, key, key, oneOf("{t}", "{t}\x00\r\n", "{t}"+long, "{t}missing")),
		"otherkey": oneOf("elsewhere", "{u}a", "", "{}x"),
		"value":    mixed(text, numbers),
		"number":   mixed(numbers, text),
		"hostile": mixed(oneOf("", "\x00", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "nan", "-1", "0", long),
			notInts, notFloats, edgeInts, key),
		"int":     mixed(between(-20, 20), edgeInts, notInts),
		"float":   mixed(floats, notFloats),
		"index":   mixed(between(-12, 12), edgeInts, between(-300, 300), notInts),
		"offset":  mixed(between(0, 70), oneOf("-1", "536870912", "9223372036854775807", "-9223372036854775808"), between(0, 2000), notInts),
		"bit":     mixed(between(0, 1), oneOf("2", "-1", "", "a", "01")),
		"bitpos":  mixed(between(0, 100), oneOf("-1", "4294967296", "9223372036854775807"), between(0, 5000), notInts),
		"bittype": mixed(oneOf("u8", "i8", "u1", "i5", "u16", "i32", "u63", "i64", "u32"), oneOf("u64", "i65", "u0", "i0", "x8", "u", "", "8", "U8", "i-1")),
		"bitoff":  mixed(oneOf("0", "1", "7", "8", "13", "#0", "#1", "#2", "100"), oneOf("-1", "#-1", "#", "", "x", "4294967296", "#4294967296", "#9223372036854775807")),
		"field":   mixed(field, field, field, text, numbers),
		"member":  mixed(between(0, 12), field, mixed(text, numbers)),
		"score":   mixed(mixed(floats, between(-9, 9)), mixed(floats, notFloats)),
		"scorebound": mixed(func(g *generator) string { return oneOf("", "(")(g) + mixed(between(-9, 9), floats)(g) }, oneOf("-inf", "+inf", "inf", "(inf", "(-inf"),
			notFloats),
		"lexkey":    oneOf("{t}lex", "{t}lex2"),
		"lexbound":  mixed(func(g *generator) string { return oneOf("[", "(")(g) + mixed(field, between(0, 12))(g) }, oneOf("-", "+"), oneOf("-", "+", "[", "(", "", "a", "+a")),
		"longitude": mixed(decimal(-180, 180), decimal(-181, 181), oneOf("0", "180", "-180", "180.001", "13.361389"), notFloats),
		"latitude":  mixed(decimal(-85, 85), decimal(-86, 86), oneOf("0", "85.05112878", "-85.05112878", "85.0512", "38.115556"), notFloats),
		"distance":  mixed(decimal(0, 5000), decimal(0, 30000), oneOf("0", "-1", "0.001", "1e9"), notFloats),
		"unit":      mixed(oneOf("km"), oneOf("m", "ft", "mi", "KM", "parsec", "")),
		"entryid":   mixed(entryID(20), entryID(60), oneOf("0-0", "5", "18446744073709551615-18446744073709551615", "18446744073709551615-0", "-", "+", "x", "1-", "-1", "(3")),
		"small":     mixed(between(0, 5), between(-10, 20), oneOf("100"), notInts),
		"count":     mixed(between(-8, 12), oneOf("0", "1", "-1", "1000", "-9223372036854775808", "9223372036854775807", "-4611686018427387905"), notInts),
		"seconds":   mixed(between(1000, 1000000), oneOf("0", "-1", "9223372036854775807", "9223372036854775", "9223372036854776", "-9223372036854775808", "9000000000000000"), notInts),
		"millis": mixed(between(1000000, 1000000000), oneOf("0", "-1", "9223372036854775807", "-9223372036854775808", "9000000000000000000"),
			notInts),
		"atsecond": mixed(oneOf("9999999999", "9999999998", "33177117420"), oneOf("1", "0", "-1", "1000000000", "9223372036854775807", "9223372036854775",
			"9223372036854776", "-9223372036854775808"), notInts),
		"atmilli": mixed(oneOf("9999999999000", "9999999998123", "33177117420000"), oneOf("1", "0", "-1", "1000000000000", "9223372036854775807",
			"-9223372036854775808"), notInts),
		"pattern": oneOf("*", "{t}*", "*a", "{t}?", "{t}[ab]", "{t}[^a]", "{t}[a-c]", "[", "\\{t\\}a", "{t}[", "{t}[a", "{t}\\", "nothing", "", "f[0-3]", "f?", "*1*",
			"{t}[c-a]", "**", "*\\*", "[^]", "[]]*"),
		"typename": oneOf("string", "hash", "STRING", "Hash", "set", "zset"),
		"db":       mixed(oneOf("0"), oneOf("1", "16", "-1", "abc", "99999999999", "")),
		"word":     oneOf("hello", "", "a b", "ünï", "x\r\ny", "nothing"),
		"name":     oneOf("alice", "a b", "", "bob\n", "x", "é"),
	}
	maps.Copy(all, moreKinds())
	return all
}

// moreKinds are those of families_more.go and syntax.go.
func moreKinds() map[string]func(*generator) string {
	return map[string]func(*generator) string{
		"fcall":         oneOf("call"),
		"flook":         oneOf("look"),
		"fecho":         oneOf("echo"),
		"callscript":    oneOf(scripts[:8]...),
		"script":        oneOf(scripts...),
		"hash":          func(g *generator) string { return hashOf(scripts[g.rand.IntN(9)]) },
		"librarytext":   oneOf(others...),
		"list":          mixed(oneOf("{t}list0", "{t}list1", "{t}list2", "{t}list3"), oneOf("{t}list4", "{t}list missing")),
		"libraryname":   mixed(oneOf("lib1", "lib2", "lib*", "LIB1"), oneOf("", "*", "nosuch")),
		"payload":       mixed(oneOf(payloads...), oneOf("", "x", payloads[0][:10], payloads[5]+"x")),
		"stream":        mixed(oneOf("{t}s1", "{t}s2"), oneOf("{t}s3", "{t}a")),
		"smallid":       func(g *generator) string { return fmt.Sprintf("%d-*", 20+g.rand.IntN(3)) },
		"setting":       oneOf("maxmemory", "hash-max-*", "list-max-listpack-size", "zset-max-listpack-value", "set-max-intset-entries", "nosuch", "maxmemory-policy", "timeout", "hz?", ""),
		"slot":          mixed(between(0, 16383), oneOf("-1", "16384", "x", "")),
		"badslot":       oneOf("-1", "16384", "x", "", "99999999999"),
		"zero":          mixed(oneOf("0"), oneOf("0", "word", "-1", "")),
		"wait":          oneOf("0.001", "1", "0.001", "0.002", "1", "-1", "x"),
		"group":         mixed(oneOf("g1", "g2"), oneOf("g3", "")),
		"consumer":      oneOf("c1", "c2", "c3"),
		"min-idle-time": mixed(oneOf("0"), oneOf("100000000", "-1", "x")),
		"near":          mixed(between(-3, 3), between(-12, 12)),
		"soon":          oneOf("1", "2"),
	}
}
