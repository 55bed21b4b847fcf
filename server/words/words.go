package words

import "strings"

// Split splits a line as redis.conf, inline commands and redis-cli do:
// blanks separate, "…" knows \n \r \t \b \a \\ \" and \xHH, '…' knows \'.
// ok is false when quotes are unbalanced or followed by anything but a blank.
func Split(line string) (words []string, ok bool) {
	for {
		line = strings.TrimLeft(line, " \t\n\v\f\r\x00")
		if line == "" {
			return words, true
		}
		word, rest, ok := nextWord(line)
		if !ok {
			return nil, false
		}
		words, line = append(words, word), rest
	}
}

func nextWord(line string) (word, rest string, ok bool) {
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case isBlank(c):
			return out.String(), line[i:], true
		case c == '"':
			n, ok := doubleQuoted(line[i+1:], &out)
			return out.String(), line[min(i+1+n, len(line)):], ok
		case c == '\'':
			n, ok := singleQuoted(line[i+1:], &out)
			return out.String(), line[min(i+1+n, len(line)):], ok
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0 }

// doubleQuoted reads up to the closing quote, which must end the word, and
// returns how many bytes of s it took.
func doubleQuoted(s string, out *strings.Builder) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' && hex(s[i+2]) >= 0 && hex(s[i+3]) >= 0:
			out.WriteByte(byte(hex(s[i+2])<<4 | hex(s[i+3])))
			i += 3
		case s[i] == '\\' && i+1 < len(s):
			i++
			out.WriteByte(unescape(s[i]))
		case s[i] == '"':
			return i + 1, i+1 == len(s) || isBlank(s[i+1]) || s[i+1] == '\v' || s[i+1] == '\f'
		default:
			out.WriteByte(s[i])
		}
	}
	return len(s), false
}

func singleQuoted(s string, out *strings.Builder) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '\'':
			i++
			out.WriteByte('\'')
		case s[i] == '\'':
			return i + 1, i+1 == len(s) || isBlank(s[i+1]) || s[i+1] == '\v' || s[i+1] == '\f'
		default:
			out.WriteByte(s[i])
		}
	}
	return len(s), false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

const hexDigits = "0123456789abcdef"

// Quote writes word so that Split gives it back as one word: always in
// quotes, as Redis prints arguments.
func Quote(word string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, c := range []byte(word) {
		switch {
		case c == '\\' || c == '"':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c == '\a':
			out.WriteString(`\a`)
		case c == '\b':
			out.WriteString(`\b`)
		case c < ' ' || c > '~':
			out.WriteString(`\x`)
			out.WriteByte(hexDigits[c>>4])
			out.WriteByte(hexDigits[c&15])
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// QuoteIfNeeded leaves plain words as they are.
func QuoteIfNeeded(word string) string {
	if word == "" {
		return `""`
	}
	for _, c := range []byte(word) {
		if c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return Quote(word)
		}
	}
	return word
}
