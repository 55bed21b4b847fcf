// Package wire turns the cluster's messages into bytes and back: what goes
// over the bus connections, what gossip rumours, and the lines of the acceptor
// file.
//
// It owns the byte format (format.go) and its limits. It refuses to know
// sockets, files, framing, and what a message means; a decoded message obeys
// the limits of the format and nothing else.
package wire
