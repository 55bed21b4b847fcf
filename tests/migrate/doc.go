// Package migrate moves keys between real processes, Cobble and redis-server, with
// MIGRATE and with the tools that use it, and looks for keys and writes that got
// lost on the way.
package migrate
