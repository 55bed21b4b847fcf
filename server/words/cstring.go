package words

import "strings"

// C returns text as C prints it: up to its first NUL. Redis's error replies quote
// what clients sent in this way.
func C(text string) string {
	before, _, _ := strings.Cut(text, "\x00")
	return before
}
