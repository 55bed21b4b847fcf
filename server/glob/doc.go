// Package glob matches names against Redis's glob patterns, in time at most
// pattern × name. It knows nothing else.
package glob
