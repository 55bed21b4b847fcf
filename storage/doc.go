// Package storage keeps the keys of all slots: types, expiry, counters, the log
// that makes them durable and the Pebble store that holds what is cold. Commands
// reach it through Engine.View and Engine.Update, which run an Op against a Tx
// while the slots it names are locked.
//
// It refuses to know RESP, sessions, who owns a slot, and what time it is (every
// entry point takes the time as an argument).
package storage
