// Package proc runs real server processes for tests, Cobble's or Redis's: on free ports, in directories of their own,
// ready when started, signalled by their own process id only, gone when the test ends even if the test is killed.
// When a test fails it prints the end of each server's log.
//
// It refuses to know: what is being tested. It speaks just enough RESP to see that a server is up and a cluster formed.
package proc
