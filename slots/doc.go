// Package slots owns the 16384 hash slots: which slot a key lives in, sets of
// slots, and the one decision every keyed command needs: is it served here, or
// where should the client go instead (Route).
//
// It is pure: no clock, no sockets, no goroutines, no locks. It does not know
// what is stored in a slot, how ownership was agreed, or what RESP looks like.
package slots
