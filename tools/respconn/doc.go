// Package respconn is a client's end of one RESP connection: it sends commands as they are given and returns replies as
// they came, types and null flavours included, so that a test can compare two servers byte for byte and a tool can
// speak to any of them.
//
// It refuses to know: what a command means, where a key lives, redirects, retries and pools.
package respconn
