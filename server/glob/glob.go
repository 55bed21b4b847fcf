package glob

// Match reports whether the whole of s matches pattern: `*` any bytes, `?` one
// byte, `[…]` one of a class (ranges, ^ for its complement, \ quotes), `\` quotes
// the next byte; any other byte matches itself. Unfinished classes and a final `\`
// are taken as Redis takes them, and of all stars only a lone one matches nothing.
func Match(pattern, s []byte) bool {
	if len(s) == 0 {
		return len(pattern) == 0 || string(pattern) == "*"
	}
	// Every step but a star takes exactly one byte of s, so after a mismatch only the
	// last star need take one more (an earlier one could only get to the same places).
	star, resume := -1, 0
	i, p := 0, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, resume = p, i
			continue
		}
		if p < len(pattern) {
			if next, ok := step(pattern, p, s[i]); ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		p, i = star, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// step matches one byte with the pattern element at p and returns where the next begins.
func step(pattern []byte, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return class(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// class matches one byte with the class whose inside begins at p. A class without
// its closing bracket ends with the pattern.
func class(pattern []byte, p int, c byte) (next int, ok bool) {
	negated := p < len(pattern) && pattern[p] == '^'
	if negated {
		p++
	}
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			ok = ok || pattern[p] == c
		case p+2 < len(pattern) && pattern[p+1] == '-':
			// Redis compares chars, which are signed on the machines that it is tested on.
			low, high := int8(pattern[p]), int8(pattern[p+2])
			if low > high {
				low, high = high, low
			}
			ok = ok || low <= int8(c) && int8(c) <= high
			p += 2
		default:
			ok = ok || pattern[p] == c
		}
	}
	return min(p+1, len(pattern)), ok != negated
}

// Literal returns the only name that pattern can match, if there is only one.
func Literal(pattern []byte) (name []byte, ok bool) {
	for _, c := range pattern {
		switch c {
		case '*', '?', '[', '\\':
			return nil, false
		}
	}
	return pattern, true
}
