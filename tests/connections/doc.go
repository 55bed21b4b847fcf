// Package connections measures what many connections cost a real server process: memory of those that are idle and of
// those that wait in BLPOP, CPU while nothing happens, and CPU of waking them up. What it asserts is generous; the
// figures are logged.
//
// COBBLE_CONNECTIONS is the number of sockets (a few thousand when unset; 15,000 with COBBLE_PROCESSES=full), as far as
// the limit of open files goes. COBBLE_PROGRAM=redis measures redis-server.
package connections
