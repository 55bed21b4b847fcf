// Package config owns the settings: one table with a row per directive of a
// redis.conf, and everything that is derived from the rows: the file parser,
// the command line, CONFIG GET/SET/REWRITE and docs/config.md.
//
// It refuses to know what a setting does. Whoever needs a setting reads it with
// Bool, Int, Text or Words, or watches it; the package never reaches into
// storage, the cluster or a socket, and formats no RESP.
//
// Reading a setting takes no lock. Set and Rewrite are serialised.
package config
