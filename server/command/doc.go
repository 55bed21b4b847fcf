// Package command is the command table: one row a command, with everything that
// is known of it (arity, flags, keys, ACL categories, documentation) and a short
// function that runs it. COMMAND, MULTI and script rules and docs/commands.md are
// derived from the rows.
//
// It does not know sockets, nor who drives a session, nor how a cluster agrees.
package command
