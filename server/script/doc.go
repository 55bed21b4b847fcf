// Package script runs Lua 5.1 for EVAL and FCALL in the environment that Redis gives it: the redis (and server)
// object, cjson, cmsgpack, struct, bit, and tables that cannot be written to. It compiles and keeps programs,
// libraries of functions, and a pool of interpreters that share nothing between two runs.
//
// It knows RESP, since that is what commands answer in, and a Host that runs a command. It refuses to know commands,
// keys, slots, storage and the clock.
package script
