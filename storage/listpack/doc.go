// Package listpack reads and writes listpacks, the packed sequence of strings and
// integers in which Redis keeps small values and which Cobble keeps in metadata
// rows of small hashes, byte for byte the same.
//
// It does not know what the elements mean, and never panics on bytes from outside.
package listpack
