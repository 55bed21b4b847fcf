// Package migrate moves keys of every type between real processes, Cobble and
// redis-server: with MIGRATE and the tools that use it, and to replicas that are then
// promoted. It looks for keys, values and writes that got lost on the way.
package migrate
