// Package pieces copies large blocks of memory so that the runtime can stop between two
// pieces of them.
//
// A goroutine cannot be stopped while it copies: not by the garbage collector, which
// has to stop each once in a cycle, nor for another goroutine that wants its processor.
// A copy of hundreds of megabytes holds up, for as long, everybody who then waits for the
// collector. The package knows nothing of what it copies.
package pieces
