// Package server is the process: it reads the configuration, opens the store,
// listens, drives a session per connection and shuts down in order.
//
// It is wiring: what a command means is in server/command, what a byte means in
// server/resp, what a setting means where it is used. It does not decide who owns
// a slot, and formats no replies but those that refuse a connection.
package server
